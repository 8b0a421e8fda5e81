"""Recall and false alarms of detection on labelled rows. `make bench-detection`.

Every row is judged by the same pure function as in the gateway, in the default profile, on a neutral host
where no file exists. A row counts when its raw action is not allow, on malicious and benign rows alike. The
report holds numbers only; rows are shown on the terminal and only when asked for.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

from bench import corpora, scoring
from bench.corpora import Row
from bench.scoring import Line, Outcome
from defenseclaw import packs
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.ruleset import RuleSet
from defenseclaw.inspection import judge
from defenseclaw.vocabulary import Action, Event, HostContext, Mode, Posture, Profile, Severity

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
HOST = HostContext(
    home=corpora.HOME,
    data_dir=f"{corpora.HOME}/.defenseclaw",
    protected_paths=(f"{corpora.HOME}/.claude/settings.json",),
    control_ports=(18970,),
)
POSTURE = Posture(mode=Mode.ACTION, profile=Profile.DEFAULT)
WORKERS = 2
CHUNK = 32
SHOWN_CHARS = 400
MARKS = ("<!-- bench-detection -->", "<!-- /bench-detection -->")


@cache
def rules() -> RuleSet:
    return packs.load("default")


def outcomes_of(row: Row) -> list[Outcome]:
    """Judge a row in each of its readings."""
    return [_outcome(row, reading, events) for reading, events in corpora.readings(row)]


def _outcome(row: Row, reading: str, events: Sequence[Event]) -> Outcome:
    action, severity = Action.ALLOW, Severity.NONE
    found: dict[str, Severity] = {}
    began = time.perf_counter()
    for event in events:
        verdict, _ = judge(event, rules(), HOST, POSTURE, evaluation_id="bench", answer=_missing)
        action = max(action, verdict.raw_action, key=lambda each: each.rank)
        weighing = [each for each in verdict.findings if not each.detection_only]
        severity = max([severity, *(each.severity for each in weighing)], key=lambda each: each.rank)
        for each in weighing:
            found[each.rule_id] = max(
                found.get(each.rule_id, Severity.NONE), each.severity, key=lambda s: s.rank
            )
    return Outcome(
        row.file,
        row.part,
        reading,
        row.id,
        row.kind,
        row.malicious,
        action,
        severity,
        tuple(sorted(found.items(), key=lambda each: (-each[1].rank, each[0]))),
        sum(len(text) for _, text in row.texts),
        time.perf_counter() - began,
    )


def _missing(need: Need) -> Snapshot:
    return Snapshot(real_path=need.path)


def judged(rows: Iterable[Row], workers: int = WORKERS) -> Iterator[Outcome]:
    """Judge rows in other processes, behind everything else that runs on the machine; in order."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare) as pool:
        for outcomes in pool.map(_judge_chunk, _chunks(rows, CHUNK)):
            yield from outcomes


def _prepare() -> None:
    os.nice(10)
    rules()


def _judge_chunk(rows: list[Row]) -> list[Outcome]:
    return [outcome for row in rows for outcome in outcomes_of(row)]


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the measurements as Markdown. Holds no text of any row."""
    counted = scoring.lines(outcomes)
    sections = [
        "## Recall\n\n" + _rates([line for line in counted if line.malicious]),
        "## False alarms\n\n" + _rates([line for line in counted if not line.malicious]),
        "## Rules\n\n" + _rule_report(outcomes),
        "## Speed\n\n" + _speed(outcomes),
    ]
    targets = [line for line in counted if line.target is not None]
    met = sum(bool(line.met) for line in targets)
    met_high = sum(bool(line.met_high) for line in targets)
    summary = (
        f"{len({(each.file, each.row_id) for each in outcomes}):,} rows, {len(outcomes):,} judgements,"
        f" {len(rules().rules)} rules. Targets met: {met} of {len(targets)};"
        f" at the cut HIGH: {met_high} of {len(targets)}."
    )
    return "\n\n".join([summary, *sections])


def _rates(counted: Iterable[Line]) -> str:
    head = ("File", "Judged as", "Rows", "Raised", "95 %", "Target", "Met", "HIGH", "95 %", "Target", "Met")
    return _table(head, (_rate_cells(line) for line in counted))


def _rate_cells(line: Line) -> tuple[str, ...]:
    sign = "≥" if line.malicious else "≤"
    target = f"{sign} {_percent(line.target.limit)}" if line.target else ""
    target_high = f"{sign} {_percent(line.high_limit)}" if line.target else ""
    return (
        f"{line.file}, {line.part}" if line.part else line.file,
        line.reading,
        f"{line.rows:,}",
        _percent(line.hits / line.rows),
        _interval(line.hits, line.rows),
        target,
        _met(line.met, line.missing),
        _percent(line.high / line.rows),
        _interval(line.high, line.rows),
        target_high,
        _met(line.met_high, 0),
    )


def _met(met: bool | None, missing: int) -> str:
    if met is None:
        return ""
    return "yes" if met else f"**no**, by {missing}" if missing else "**no**"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _interval(hits: int, rows: int) -> str:
    low, high = scoring.wilson(hits, rows)
    return f"{low * 100:.1f}-{high * 100:.1f}"


def _rule_report(outcomes: Sequence[Outcome]) -> str:
    work = scoring.work_of_rules(outcomes)
    head = ("Rule", "Malicious rows", "of these alone", "Benign rows", "of these alone")
    ordered = sorted(work.items(), key=lambda each: (-len(each[1].malicious), len(each[1].benign), each[0]))
    cells = (
        (
            f"`{rule_id}`",
            f"{len(each.malicious):,}",
            f"{len(each.malicious_alone):,}",
            f"{len(each.benign):,}",
            f"{len(each.benign_alone):,}",
        )
        for rule_id, each in ordered
    )
    silent = ", ".join(f"`{rule_id}`" for rule_id in sorted(rules().rules.keys() - work.keys())) or "none"
    return f"{_table(head, cells)}\n\nRules that no row here fires: {silent}."


def _speed(outcomes: Sequence[Outcome]) -> str:
    seconds = sum(each.seconds for each in outcomes) or 1e-9
    characters = sum(each.characters for each in outcomes)
    return (
        f"{len(outcomes) / seconds:,.0f} judgements and {characters / seconds / 1e6:.1f} million characters"
        " a second on one core."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *cells])


def show_worst(outcomes: Sequence[Outcome], rows: dict[tuple[str, str], Row], count: int) -> None:
    """Print the worst misses and false alarms of each file, with their text, to the terminal."""
    for file in sorted({each.file for each in outcomes}):
        of_file = [each for each in outcomes if each.file == file]
        for title, chosen in (
            ("misses", scoring.misses(of_file)),
            ("false alarms", scoring.false_alarms(of_file)),
        ):
            if chosen:
                print(f"\n=== {file}: {title}, {min(count, len(chosen))} of {len(chosen)}")
            for each in chosen[:count]:
                named = " ".join(f"{rule}:{severity}" for rule, severity in each.rules) or "nothing found"
                print(f"--- {each.row_id} [{each.kind}] as {each.reading}: {each.action} ({named})")
                print(_shown(rows[each.file, each.row_id]))


def _shown(row: Row) -> str:
    text = " ⏎ ".join(text for _, text in row.texts)[:SHOWN_CHARS]
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def write_report(path: Path, text: str) -> None:
    """Replace what stands between the marks in ``path``.

    Raises:
        SystemExit: the file does not hold both marks, in order.
    """
    begin, end = MARKS
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{path} does not hold {begin} … {end}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.detection", description=__doc__)
    parser.add_argument("--corpora", type=Path, default=CORPORA, metavar="DIR", help="folder of *.jsonl.gz")
    parser.add_argument(
        "--file", action="append", default=[], metavar="NAME", help="judge only this file; may repeat"
    )
    parser.add_argument("--kind", default="", metavar="PART", help="judge only rows whose kind holds PART")
    parser.add_argument(
        "--rule", default="", metavar="ID", help="with --worst: only rows that this rule hits"
    )
    parser.add_argument("--site-packages", action="store_true", help="also read every installed text file")
    parser.add_argument(
        "--worst", type=int, default=0, metavar="N", help="print N misses and false alarms per file"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the report between the marks of FILE")
    return parser


def rows_of(chosen: argparse.Namespace) -> list[Row]:
    """Return the rows that the options ask for."""
    rows = list(corpora.read(chosen.corpora))
    if chosen.site_packages or corpora.SITE_PACKAGES in chosen.file:
        rows += corpora.installed_files()
    rows += corpora.fenced_commands(rows)
    return [row for row in rows if chosen.kind in row.kind and (not chosen.file or row.file in chosen.file)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options()
    chosen = parser.parse_args(arguments)
    if chosen.write and (chosen.file or chosen.kind or chosen.worst):
        parser.error("--write takes the whole measurement and no row: not with --file, --kind or --worst")
    rows = rows_of(chosen)
    if not rows:
        parser.error(f"no rows in {chosen.corpora}")
    outcomes = list(judged(rows))
    if chosen.worst:
        shown = [each for each in outcomes if not chosen.rule or chosen.rule in dict(each.rules)]
        show_worst(shown, {(row.file, row.id): row for row in rows}, chosen.worst)
        return 0
    text = report(outcomes)
    print(text)
    if chosen.write:
        write_report(chosen.write, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
