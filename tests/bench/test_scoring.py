from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import scoring
from defenseclaw.vocabulary import Action, Severity


def outcome(
    row: str,
    *,
    malicious: bool,
    rules: Sequence[tuple[str, Severity]] = (),
    file: str = "cmd_dcg",
    part: str = "",
    reading: str = "shell command",
    kind: str = "kind",
) -> scoring.Outcome:
    severity = rules[0][1] if rules else Severity.NONE
    action = Action.ALERT if severity.rank >= Severity.MEDIUM.rank else Action.ALLOW
    return scoring.Outcome(
        file, part, reading, row, kind, malicious, action, severity, tuple(rules), 10, 0.001
    )


def found(*rule_ids: str, severity: Severity = Severity.HIGH) -> tuple[tuple[str, Severity], ...]:
    return tuple((rule_id, severity) for rule_id in rule_ids)


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"),
    [
        # published values of the Wilson score interval
        (10, 100, 0.0552, 0.1744),
        (81, 263, 0.2553, 0.3662),
        (1, 29, 0.0061, 0.1718),
        # the ends stay within 0 and 1
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (0, 1, 0.0, 0.7935),
    ],
)
def test_wilson_gives_the_known_interval(hits: int, rows: int, low: float, high: float) -> None:
    assert scoring.wilson(hits, rows) == pytest.approx((low, high), abs=0.0001)


@given(st.integers(1, 10**6), st.data())
def test_wilson_holds_the_rate_and_mirrors_its_opposite(rows: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, rows))
    low, high = scoring.wilson(hits, rows)
    assert 0 <= low <= hits / rows <= high <= 1
    assert scoring.wilson(rows - hits, rows) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("hits", "rows"), [(0, 0), (1, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_proportion(hits: int, rows: int) -> None:
    with pytest.raises(ValueError, match="of"):
        scoring.wilson(hits, rows)


@pytest.mark.parametrize(
    "target", scoring.TARGETS, ids=lambda target: f"{target.file} {target.part} {target.malicious}"
)
def test_a_target_says_what_its_quote_says(target: scoring.Target) -> None:
    number = re.search(r"(≥|≤|at most) ([\d.]+) %", target.quote)
    assert number is not None
    assert float(number[2]) / 100 == pytest.approx(target.limit)
    assert (number[1] == "≥") is target.malicious


@pytest.mark.parametrize(
    ("file", "malicious", "part", "limit"),
    [
        ("cmd_dcg", True, "core", 0.95),
        ("cmd_dcg", False, "", 0.03),
        ("sec_gitleaks", True, "", 0.90),
        ("sec_detect_secrets", False, "", 0.03),
        ("prompt_benign_general", False, "", 0.005),
        ("pi_injecagent", True, "base", 0.40),
        # no target: optional areas, an unnamed file, the other label
        ("cmd_dcg", True, "optional areas", None),
        ("skills_benign", False, "", None),
        ("pi_notinject", True, "", None),
    ],
)
def test_rows_find_their_target(file: str, malicious: bool, part: str, limit: float | None) -> None:
    target = scoring.target_of(file, malicious, part)
    assert (target.limit if target else None) == limit


@pytest.mark.parametrize(
    ("malicious", "hits", "high", "met", "met_high", "missing"),
    [
        # recall of at least 90 %, at HIGH of at least 72 %
        (True, 90, 72, True, True, 0),
        (True, 89, 71, False, False, 1),
        (True, 50, 50, False, False, 40),
        # false alarms of at most 3 %, at HIGH of at most 1.5 %
        (False, 3, 1, True, True, 0),
        (False, 4, 2, False, False, 1),
        (False, 30, 0, False, True, 27),
    ],
)
def test_a_line_compares_with_its_target(
    malicious: bool, hits: int, high: int, met: bool, met_high: bool, missing: int
) -> None:
    target = scoring.target_of("sec_gitleaks", malicious, "")
    line = scoring.Line("sec_gitleaks", malicious, "", "completion", 100, hits, high, target)
    assert (line.met, line.met_high, line.missing) == (met, met_high, missing)


def test_lines_keep_label_part_and_reading_apart() -> None:
    hit = found("A")
    mild = found("B", severity=Severity.MEDIUM)
    outcomes = [
        outcome("1", malicious=True, part="core", rules=hit),
        outcome("2", malicious=True, part="core", rules=mild),
        outcome("3", malicious=True, part="core", rules=found("C", severity=Severity.LOW)),
        outcome("4", malicious=True, part="optional areas"),
        outcome("5", malicious=False, rules=hit),
        outcome("6", malicious=True, file="sec_x", reading="completion", rules=hit),
        outcome("6", malicious=True, file="sec_x", reading="file write"),
    ]
    counted = {
        (line.file, line.malicious, line.part, line.reading): (line.rows, line.hits, line.high)
        for line in scoring.lines(outcomes)
    }
    assert counted == {
        ("cmd_dcg", True, "core", "shell command"): (3, 2, 1),
        ("cmd_dcg", True, "optional areas", "shell command"): (1, 0, 0),
        ("cmd_dcg", False, "", "shell command"): (1, 1, 1),
        ("sec_x", True, "", "completion"): (1, 1, 1),
        ("sec_x", True, "", "file write"): (1, 0, 0),
    }


def test_a_rule_works_alone_only_where_no_other_would_raise() -> None:
    low = ("MILD", Severity.LOW)
    outcomes = [
        outcome("1", malicious=True, rules=[*found("A"), low]),
        outcome("2", malicious=True, rules=found("A", "B")),
        outcome("3", malicious=False, rules=found("B")),
        outcome("3", malicious=False, rules=found("B"), reading="second reading"),
        outcome("4", malicious=False, rules=[low]),
    ]
    work = {
        rule_id: tuple(len(rows) for rows in (w.malicious, w.malicious_alone, w.benign, w.benign_alone))
        for rule_id, w in scoring.work_of_rules(outcomes).items()
    }
    assert work == {"A": (2, 1, 0, 0), "B": (1, 0, 1, 1), "MILD": (1, 0, 1, 0)}


def test_the_worst_come_first_with_kinds_in_turn() -> None:
    mild = found("A", severity=Severity.MEDIUM)
    outcomes = [
        outcome("a1", malicious=False, rules=mild, kind="one"),
        outcome("a2", malicious=False, rules=found("B", severity=Severity.CRITICAL), kind="one"),
        outcome("a3", malicious=False, rules=found("B", severity=Severity.CRITICAL), kind="one"),
        outcome("a4", malicious=False, rules=found("B", severity=Severity.CRITICAL), kind="two"),
        outcome("a5", malicious=False, kind="two"),
        outcome("b1", malicious=True, kind="one", rules=found("C", severity=Severity.LOW)),
        outcome("b2", malicious=True, kind="one"),
        outcome("b3", malicious=True, kind="one"),
        outcome("b4", malicious=True, kind="two"),
        outcome("b5", malicious=True, kind="two", rules=mild),
    ]
    assert [each.row_id for each in scoring.false_alarms(outcomes)] == ["a2", "a4", "a3", "a1"]
    assert [each.row_id for each in scoring.misses(outcomes)] == ["b2", "b4", "b3", "b1"]
