"""The performance budgets of the design, measured in one run. `make bench`.

Server and client are pinned to different cores where there are two. Each figure stands beside a baseline
taken in the same run; what is too slow is said in the last column, and the exit code is then 1. Medians with
another in brackets are of the calm moments of a shared machine (:mod:`bench.calm`); the brackets hold that of
all moments.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench import load, store
from bench.calm import ADDITIONS, Parts, loop_s

if TYPE_CHECKING:
    from defenseclaw.vocabulary import Event

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


@dataclass(frozen=True)
class Row:
    what: str
    median: str
    p99: str
    ratio: str
    budget: str
    holds: bool


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_core(index: int) -> None:
    if hasattr(os, "sched_setaffinity") and len(CORES) > 1:
        os.sched_setaffinity(0, {CORES[index]})


@contextmanager
def process(command: list[object], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        started = subprocess.Popen(
            [str(part) for part in command],
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=lambda: on_core(0),
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(timeout=30)


def wait_for(port: int, path: str = "/health") -> float:
    began = time.perf_counter()
    while time.perf_counter() - began < 30:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return time.perf_counter() - began
        except OSError:
            time.sleep(0.002)
    raise SystemExit("a server did not start")


class Machine:
    """A scratch HOME with a gateway's configuration and, when asked for, a store of a million rows."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.home = folder / "home"
        self.data = self.home / ".defenseclaw"
        self.data.mkdir(parents=True, mode=0o700)
        self.env = {"HOME": str(self.home), "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        (self.data / "config.yaml").write_text(f"gateway:\n  api_port: {self.port}\n")
        os.chmod(self.data / "config.yaml", 0o600)
        if rows:
            store.provide(self.data, rows)

    @property
    def token(self) -> str:
        return next(
            line.partition("=")[2].strip("\"'")
            for line in (self.data / ".env").read_text().splitlines()
            if line.startswith("DEFENSECLAW_GATEWAY_TOKEN=")
        )

    def inspect_request(self, command: str, session: str = "") -> bytes:
        body = {"tool": "Bash", "args": {"command": command}}
        if session:
            body["session_id"] = session
        headers = {"Authorization": f"Bearer {self.token}", "X-DefenseClaw-Client": "bench"}
        return load.request("/api/v1/inspect/tool", json.dumps(body).encode(), headers)


def command_of(size: int, seed: int) -> str:
    """A harmless command line of about ``size`` bytes: a build step of many words in one of fifty places."""
    words = [f"cd packages/app{seed % 50} && npm run build --"]
    while len(" ".join(words)) < size:
        words.append(f"--define=feature_{len(words)}_{seed}=on")
    return " ".join(words)[:size]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def inspect_rows(machine: Machine, baseline_port: int, quick: bool) -> Iterator[Row]:
    count = 1000 if quick else 4000
    # No command is asked twice: what was found in one is remembered, and would be measured instead.
    kilobyte = [machine.inspect_request(command_of(1000, seed)) for seed in range(count + 300)]
    plain = [
        load.request("/handler", request.partition(b"\r\n\r\n")[2], {"X-DefenseClaw-Client": "bench"})
        for request in kilobyte
    ]
    # A gateway serves for days: its write-ahead log has its size, and its code is warm.
    warm = [machine.inspect_request(command_of(200, seed)) for seed in range(9 * count, 13 * count)]
    load.run(machine.port, warm, clients=8, each=len(warm) // 8)
    load.run(machine.port, kilobyte[count:], clients=1, each=300)
    parts = load.in_turns(
        (machine.port, kilobyte), (baseline_port, plain), clients=1, each=count, core=CORES[0]
    )
    ours, bare = both(parts.all)
    overall, added_p99 = added_by(ours, bare, 0.5), added_by(ours, bare, 0.99)
    ours, bare = both(parts.calm)
    added = added_by(ours, bare, 0.5)
    yield Row(
        "inspect a 1 KB tool call: added over an empty handler",
        f"{ms(added)} ({ms(overall)})",
        ms(added_p99),
        f"{ours.quantile(0.5) / bare.quantile(0.5):.1f} × the handler's {ms(bare.quantile(0.5))}",
        "p50 ≤ 0.5 ms, p99 ≤ 4 ms",
        added <= 0.0005 and added_p99 <= 0.004 and not ours.errors,
    )
    again = load.run(machine.port, kilobyte[:50], clients=1, each=count)
    yield Row(
        "the same, calls that were seen before",
        ms(added_by(again, bare, 0.5)),
        ms(added_by(again, bare, 0.99)),
        f"{again.quantile(0.5) / bare.quantile(0.5):.1f} × the handler's",
        "",
        not again.errors,
    )
    short = [machine.inspect_request(command_of(200, seed)) for seed in range(8 * count)]
    echo = [load.request("/echo", request.partition(b"\r\n\r\n")[2], {}) for request in short]
    parts = load.in_turns((machine.port, short), (baseline_port, echo), clients=8, each=count, core=CORES[0])
    overall, _ = both(parts.all)
    ours, bare = both(parts.calm)
    yield Row(
        "inspect throughput, 200 B command, 8 clients",
        f"{ours.per_second:,.0f}/s ({overall.per_second:,.0f}/s)",
        ms(overall.quantile(0.99)),
        f"1/{bare.per_second / ours.per_second:.1f} of a bare ASGI echo ({bare.per_second:,.0f}/s)",
        "≥ 2,500/s and ≥ 1/12",
        ours.per_second >= 2500 and ours.per_second * 12 >= bare.per_second and not ours.errors,
    )
    again = load.run(machine.port, short[:50], clients=8, each=count)
    yield Row(
        "the same, calls that were seen before",
        f"{again.per_second:,.0f}/s",
        ms(again.quantile(0.99)),
        f"1/{bare.per_second / again.per_second:.1f} of the echo",
        "",
        not again.errors,
    )
    before = rows_of(machine)
    many = [machine.inspect_request(command_of(200, seed), f"session-{seed}") for seed in range(256)]
    crowd = load.run(machine.port, many, clients=256, each=10 if quick else 40)
    lost = len(crowd.latencies_s) - (rows_of(machine) - before)
    yield Row(
        "256 clients at once",
        ms(crowd.quantile(0.5)),
        ms(crowd.quantile(0.99)),
        f"{crowd.per_second:,.0f}/s, {crowd.errors} errors, {lost} lost rows",
        "no error, no lost row",
        not crowd.errors and not lost,
    )


def both(turns: Iterable[load.Turn]) -> tuple[load.Run, load.Run]:
    turns = list(turns)
    return load.together(turn.ours for turn in turns), load.together(turn.baseline for turn in turns)


def added_by(ours: load.Run, bare: load.Run, share: float) -> float:
    """Return by how many seconds a share of our answers is slower than the middle one of the baseline."""
    return ours.quantile(share) - bare.quantile(0.5)


def rows_of(machine: Machine) -> int:
    with closing(sqlite3.connect(f"file:{machine.data / 'audit.db'}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT max(seq) FROM audit_events").fetchone()[0])


def detection_times(*events: Event) -> Iterator[float]:
    """Yield the seconds that detection takes over each event, in their order, again and again."""
    from defenseclaw import packs
    from defenseclaw.detection.engine import detect, run
    from defenseclaw.vocabulary import HostContext

    rules, host = packs.load(), HostContext(home="/home/someone", data_dir="/home/someone/.defenseclaw")
    for event in cycle(events):
        began = time.perf_counter()
        run(detect(event, rules, host))
        yield time.perf_counter() - began


def scan_row() -> Row:
    from defenseclaw.vocabulary import Door, Event, EventKind

    source = "\n".join(
        each.read_text() for each in sorted((ROOT / "src" / "defenseclaw").rglob("*.py"))[:40]
    )[:65536]
    event = Event(kind=EventKind.TOOL_RESULT, door=Door.HOOK, tool="Read", result=source)
    timed = detection_times(event)
    parts: Parts[list[float]] = Parts(CORES[-1])
    for _ in range(30):
        parts.measure(lambda: [next(timed) for _ in range(10)])
    times, calm = sorted(chain.from_iterable(parts.all)), median(chain.from_iterable(parts.calm))
    lines = []
    for _ in range(20):
        began = time.perf_counter()
        source.count("\n\n")
        lines.append(time.perf_counter() - began)
    return Row(
        "scan a 64 KB text",
        f"{ms(calm)} ({ms(median(times))})",
        ms(times[-3]),
        f"{calm / median(lines):.0f} × one substring search",
        "≤ 2 ms",
        calm <= 0.002,
    )


def command_rows() -> Iterator[Row]:
    """Judge command lines of 4 KB: one of many words, and scripts of many short commands."""
    from defenseclaw.vocabulary import Door, Event, EventKind

    def row(what: str, tool: str, line: Callable[[int], str], *, budget: bool) -> Row:
        lines = ({"command": line(seed)[:4096]} for seed in range(300))
        timed = detection_times(
            *(Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, tool=tool, args=args) for args in lines)
        )
        times = sorted([next(timed) for _ in range(300)][100:])
        holds = not budget or median(times) <= 0.001
        return Row(what, ms(median(times)), ms(times[-3]), "", "≤ 1 ms" if budget else "", holds)

    def steps(seed: int) -> str:
        return "\n".join(f"cp build/part{n}_{seed}.o dist/part{n}_{seed}.o" for n in range(200))

    def power(seed: int) -> str:
        return "\n".join(f"Copy-Item build\\part{n}_{seed}.obj dist\\part{n}_{seed}.obj" for n in range(200))

    yield row("judge a 4 KB command", "Bash", lambda seed: command_of(4096, seed), budget=True)
    yield row("the same in PowerShell", "PowerShell", lambda seed: command_of(4096, seed), budget=True)
    yield row("judge a 4 KB script of some hundred commands", "Bash", steps, budget=False)
    yield row("the same in PowerShell", "PowerShell", power, budget=False)


def hook_row(machine: Machine, baseline_port: int, quick: bool) -> Row:
    """Time every agent's hook script over a tool call of that agent's; the slowest decides."""
    bare = machine.folder / "bare.sh"
    bare.write_text(
        "#!/bin/sh\nexec curl -q -s --noproxy '*' -H 'Content-Type: application/json' "
        f"--data-binary @- http://127.0.0.1:{baseline_port}/hook\n"
    )
    bare.chmod(0o700)

    def timed(command: list[str], payload: bytes) -> float:
        began = time.perf_counter()
        subprocess.run(command, input=payload, env=machine.env, check=True, capture_output=True)
        return time.perf_counter() - began

    found: list[tuple[float, str, list[float], float]] = []
    for name, script, payload in hooks_of(machine):
        ours, base = [], []
        for _ in range(20 if quick else 60):
            ours.append(timed(script, payload))
            base.append(timed([str(bare)], payload))
        ours.sort()
        found.append((median(ours) / median(base), name, ours, median(base)))
    ratio, slowest, ours, base_s = max(found)
    return Row(
        f"a command hook as the agent sees it, the slowest of {len(found)} agents' ({slowest})",
        ms(median(ours)),
        ms(ours[int(len(ours) * 0.99)]),
        f"{min(found)[0]:.2f} to {ratio:.2f} × a bare sh+curl round trip ({ms(base_s)})",
        "≤ 1.5 ×",
        ratio <= 1.5,
    )


def hooks_of(machine: Machine) -> Iterator[tuple[str, list[str], bytes]]:
    """Set every agent with a hook script up; yield its name, a call of the script, and what it is told of."""
    from defenseclaw.connectors.base import registry
    from defenseclaw.connectors.scripted import ScriptedConnector
    from defenseclaw.vocabulary import EventKind

    for name, connector in registry().items():
        if not isinstance(connector, ScriptedConnector):
            continue
        calls = [event for event, kind in connector.kinds.items() if kind is EventKind.TOOL_CALL]
        recorded = (ROOT / "tests" / "golden" / name / f"{event}.json" for event in calls)
        payload = next(path for path in recorded if path.exists())
        setup = [BIN / "defenseclaw", "setup", connector.command_name, "--yes", "--force"]
        subprocess.run([str(part) for part in setup], env=machine.env, check=True, capture_output=True)
        script = machine.data / "hooks" / f"{connector.script}.sh"
        yield connector.title, [str(script), payload.stem], payload.read_bytes()


def start_rows(folder: Path, quick: bool) -> Iterator[Row]:
    sizes: list[float] = []
    parts: Parts[float] = Parts(CORES[0])
    for number in range(3 if quick else 9):
        machine = Machine(folder / f"start{number}", 0)
        parts.measure(partial(start_s, machine, folder, sizes))
    times, calm = parts.all, median(parts.calm)
    python = []
    for _ in range(10):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        python.append(time.perf_counter() - began)
    yield Row(
        "gateway start to first answer",
        f"{ms(calm)} ({ms(median(times))})",
        ms(max(times)),
        f"{calm / median(python):.0f} × a bare interpreter",
        "≤ 1.0 s",
        calm <= 1.0,
    )
    yield Row(
        "resident memory after 2,000 calls",
        f"{median(sizes):.0f} MB",
        f"{max(sizes):.0f} MB",
        "",
        "≤ 150 MB",
        max(sizes) <= 150,
    )
    helps = []
    for _ in range(20):
        began = time.perf_counter()
        subprocess.run([BIN / "defenseclaw", "--help"], check=True, capture_output=True)
        helps.append(time.perf_counter() - began)
    helps.sort()
    yield Row(
        "defenseclaw --help",
        ms(median(helps)),
        ms(helps[-1]),
        f"{median(helps) / median(python):.1f} × a bare interpreter ({ms(median(python))})",
        "≤ 150 ms",
        median(helps) <= 0.150,
    )


def start_s(machine: Machine, folder: Path, sizes: list[float]) -> float:
    """Return the seconds until the first answer; add the megabytes held after 2,000 calls to ``sizes``."""
    began = time.perf_counter()
    with process([BIN / "defenseclaw-gateway"], machine.env, folder / "start.log") as gateway:
        wait_for(machine.port)
        seconds = time.perf_counter() - began
        load.run(machine.port, [machine.inspect_request("git status")], clients=8, each=250)
        sizes.append(resident_mb(gateway.pid))
    return seconds


def resident_mb(pid: int) -> float:
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


class Pace:
    """How fast the machine itself is between two rows: on a shared one that changes while it is measured."""

    def __init__(self) -> None:
        self.times = [loop_s(CORES[0]) for _ in range(10)]

    def along(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows, and take the time after each."""
        for row in rows:
            yield row
            self.times += [loop_s(CORES[0]) for _ in range(3)]

    def row(self) -> Row:
        """Return what was seen; no budget, but a reader can tell a slow machine from a slow gateway."""
        times = sorted(self.times)
        return Row(
            f"the machine meanwhile: a loop of {ADDITIONS:,} additions",
            ms(median(times)),
            ms(times[int(len(times) * 0.99)]),
            f"{median(times) / times[0]:.1f} × the fastest, {ms(times[0])}",
            "",
            holds=True,
        )


def table(rows: list[Row]) -> str:
    head = ("What", "Median", "p99", "Beside its baseline", "Budget", "Holds")
    cells = [
        head,
        *((r.what, r.median, r.p99, r.ratio, r.budget, "yes" if r.holds else "**no**") for r in rows),
    ]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in the store before it begins")
    parser.add_argument("--write", type=Path, help="also put the table into this Markdown file")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="defenseclaw-bench-"))
    rows: list[Row] = []
    pace = Pace()
    try:
        machine = Machine(folder / "main", chosen.rows)
        baseline_port = free_port()
        baseline = [sys.executable, "-m", "bench.baseline", baseline_port]
        with (
            process([BIN / "defenseclaw-gateway"], machine.env, folder / "gateway.log"),
            process(baseline, {**machine.env, "PYTHONPATH": str(ROOT)}, folder / "baseline.log"),
        ):
            on_core(-1)
            wait_for(machine.port)
            wait_for(baseline_port, "/echo")
            rows += pace.along(inspect_rows(machine, baseline_port, chosen.quick))
            rows += pace.along([hook_row(machine, baseline_port, chosen.quick)])
        rows += pace.along([scan_row()])
        rows += pace.along(command_rows())
        rows += pace.along(start_rows(folder, chosen.quick))
        rows.append(pace.row())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table(rows))
    if chosen.write:
        text = chosen.write.read_text()
        begin, end = "<!-- bench -->", "<!-- /bench -->"
        before, after = text.split(begin)[0], text.split(end)[1]
        chosen.write.write_text(f"{before}{begin}\n{table(rows)}\n{end}{after}")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
