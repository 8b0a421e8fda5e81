"""Whatever lies in a pack, loading it ends in a pack or in a PackError that can be shown."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.packed import RULE
from tests.work import calls_of

from defenseclaw.detection.conditions import ConditionSet
from defenseclaw.detection.expressions import outline
from defenseclaw.detection.facts import Command, Facts, PathFact
from defenseclaw.errors import PackError
from defenseclaw.packs import folder, loading, overlay, rulefile, suppressionfile
from defenseclaw.packs.document import Document

GOOD = RULE.format(id="MY-RULE", decides="pattern: needle")
KNOWN = {each.rule.id: each.rule for each in loading._packaged_rules()}


def read_all(content: bytes) -> None:
    """Read ``content`` as everything a pack may hold; only PackError may come of it, and it can be shown."""
    readers = (
        lambda file: loading._check_bounds(rulefile.read_rule(file)),
        lambda file: overlay.read_overlay(file, KNOWN),
        lambda file: suppressionfile.read_suppressions(file, lambda name: name if name in KNOWN else ""),
    )
    for read in readers:
        said = ""
        try:
            read(Document(content, "mine/my-rule.yaml", category="mine"))
        except PackError as error:
            said = error.message
        assert said.startswith("mine/my-rule.yaml") or not said
        assert len(said) < 1000
        json.dumps(said).encode()


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes(content):
    read_all(content)


@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,?\n \t~0<=.\\\x85\u2028\ufeff\U0001f600"), max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_text_in_the_letters_of_yaml(text):
    read_all(text.encode())


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=8)
    | st.sampled_from(
        ["HIGH", "tool_call", "CMD-SUDO", "SELF-PROTECT-DATA", "2031-01-01", "on", "~", "{{pem:RSA}}"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = sorted(
    rulefile._RULE_KEYS | rulefile._EXAMPLE_KEYS | {"rules", "suppressions", "reason", "until", "path"}
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
@settings(max_examples=100, deadline=None)
def test_the_keys_with_any_value(changes):
    whole = {**yaml.safe_load(GOOD), **changes}
    for content in (whole, changes, {"suppressions": [changes]}, {"rules": {"CMD-SUDO": changes}}):
        read_all(yaml.dump(content, Dumper=yaml.CSafeDumper).encode())


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_good_file_with_something_cut_out_or_put_in(data):
    at = data.draw(st.integers(0, len(GOOD)))
    until = data.draw(st.integers(at, min(at + 40, len(GOOD))))
    put = data.draw(
        st.sampled_from(["", "[", "{", "- ", ": ", "&a ", "*a", "!!python/name:x ", "\t", "\0", "--- ", "'"])
    )
    read_all((GOOD[:at] + put + GOOD[until:]).encode())


WORDS = (
    "commands", "paths", "network", "flows", "tool", "cwd", "c", "p", "c.program", "p.classes", "c.argv",
    "p.command", "c.id", ".exists(", ".matches(", ".contains(", "'rm'", "'root'", "r'['", "[", "]", "(", ")",
    ",", "==", "!=", "in", "&&", "||", "!", "1", "-9", "true", "exists", "\\", "'", "π",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_any_condition(condition):
    try:
        cost, said = outline(condition).cost, ""
        ConditionSet([("X", condition)])
    except PackError as error:
        cost, said = 0, error.message
    assert cost > 0 or "condition" in said


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["mine", "profiles", ".", "a/b", "Mine", "steps"]),
            st.sampled_from(
                ["my-rule.yaml", "all.yaml", "suppressions.yaml", "x.yml", "README.md", ".y.yaml"]
            ),
            st.sampled_from([GOOD, "", "rules: {}\n", "suppressions: []\n", "[", "x: y\n"]),
        ),
        max_size=6,
    )
)
@settings(max_examples=100, deadline=None)
def test_any_folder(files):
    with tempfile.TemporaryDirectory() as scratch:
        for place, name, content in files:
            (Path(scratch) / place).mkdir(parents=True, exist_ok=True)
            (Path(scratch) / place / name).write_text(content)
        try:
            found, _ = folder.files_in(Path(scratch))
        except PackError:
            return
        for each in found:
            assert folder.read(each) == each.path.read_bytes()


@pytest.mark.parametrize(
    "piece", ["[", "{a: ", "- ", "? ", "'", "a: b\n", "&a a\n", "# c\n", "%Y 1\n", "\n", "a,"]
)
def test_a_file_full_of_one_thing_is_read_in_linear_time(piece):
    def work(size: int) -> int:
        content = (piece * (size // len(piece))).encode()
        return calls_of(lambda: read_all(content))

    small, large = work(8_000), work(32_000)
    assert large <= 5 * small + 1000


MANY = " || ".join(f"p.value.matches('a{number}.*b')" for number in range(43))
COSTLIEST = {
    "a regex for each path": f"paths.exists(p, {MANY})",
    "a regex for each path of each command": (
        f"commands.exists(c, paths.exists(p, p.command == c.id && ({MANY})))"
    ),
    "a regex for each word": "commands.exists(c, c.argv.exists(a, a.matches('a.*b')))",
    "each with each": "commands.exists(c, paths.exists(p, "
    + " || ".join(f"p.command == {number}" for number in range(1000, 1060))
    + "))",
}


@pytest.mark.parametrize("condition", COSTLIEST.values(), ids=COSTLIEST)
def test_the_costliest_condition_that_is_allowed_takes_no_time_on_the_largest_call(condition):
    """Some 0.1 s; the limit here is only far from the half minute that such conditions take unbounded."""
    assert 0.4 * loading.MAX_CONDITION_COST < outline(condition).cost <= loading.MAX_CONDITION_COST
    largest = Facts(
        tool="Bash",
        tool_class="shell",
        parse="complete",
        commands=tuple(Command(id=at, program="x", argv=("x", "y")) for at in range(1, 513)),
        paths=tuple(
            PathFact(command=2 * at, access="read", value="/x", normalized="/x") for at in range(1, 257)
        ),
    )
    compiled = ConditionSet([("X", condition)])
    began = time.process_time()
    for _ in compiled.evaluate(largest, "/"):
        pass
    assert time.process_time() - began < 3
