"""OmniGent's config.yaml: our two entries in and out, every other byte where it was."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw.connectors.omnigent_config import HANDLER, MODULE, POLICY, is_gated, registered, unregistered
from defenseclaw.errors import ForeignContent

PATH = Path("/x/config.yaml")
ENTRY = {"type": "function", "handler": HANDLER}

# Layouts, and whether removing our entries again gives exactly the same bytes.
LAYOUTS = {
    "absent": ("", True),
    "only-comments": ("# mine\n# and this\n", True),
    "only-comments-no-newline": ("# mine", True),
    "document-start": ("---\n", True),
    "other-keys": ("server:\n  port: 1   # why\nproviders: {a: 1}\n", True),
    "no-final-newline": ("server:\n  port: 1", True),
    "crlf": ("# c\r\nserver:\r\n  port: 1\r\n", True),
    "byte-order-mark": ("\ufeffserver: 1\n", True),
    "yaml-1.1-words": ("on: yes\nno: off\nwhen: 2020-01-01\nname: 'quoted'\nz: \"dq\"\n", True),
    "list-block": ("policy_modules:\n  - a.b  # keep\n  # trailing\n\nother: 1\n", True),
    "list-block-unindented": ("policy_modules:\n- a.b\nother: 1\n", True),
    "list-flow": ("policy_modules: [a.b, c]  # x\n", True),
    "list-flow-lines": ("policy_modules: [\n  a.b,\n  c\n]\nother: 1\n", True),
    "policies-block": (
        "policies:\n    theirs:\n        type: function\n        handler: a.b\n    # after\nz: 1\n",
        True,
    ),
    "policies-flow": ("policies: {theirs: {type: function, handler: a.b}}\nz: 1\n", True),
    "policies-block-scalar-last": ("policies:\n  theirs:\n    note: |\n      text\n      more\nz: 1\n", True),
    "root-flow": ('{"server": {"port": 1}, "z": [1, 2]}\n', True),
    "long-lines": ("text: " + "word " * 60 + "\nz: 1\n", True),
    "anchors-elsewhere": ("base: &b {x: 1}\nuse: *b\n", True),
    "document-end": ("a: 1\n...\n", True),
    # an operator's empty values become lists and mappings, and go when we go
    "modules-string": ("policy_modules: a.b\n", False),
    "modules-string-quoted": ("policy_modules: 'a.b'  # c\n", False),
    "modules-empty-list": ("policy_modules: []\nz: 1\n", False),
    "modules-null": ("policy_modules:\npolicies:\nz: 1\n", False),
    "modules-tilde": ("policy_modules: ~  # c\npolicies: null\n", False),
    "policies-empty": ("policies: {}\nz: 1\n", False),
    "root-empty-flow": ("{}\n", True),
}


def meaning(content: bytes) -> dict:
    return yaml.safe_load(content.decode("utf-8-sig")) or {}


@pytest.mark.parametrize("name", LAYOUTS)
def test_both_entries_are_added_and_nothing_else_changes(name):
    text, _ = LAYOUTS[name]
    before, after = meaning(text.encode()), meaning(registered(PATH, text.encode()))
    modules = before.get("policy_modules") or []
    modules = [modules] if isinstance(modules, str) else modules
    assert after.pop("policy_modules") == [*modules, MODULE]
    assert after.pop("policies") == {**(before.get("policies") or {}), POLICY: ENTRY}
    assert after == {key: value for key, value in before.items() if key not in ("policy_modules", "policies")}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_line_of_the_operator_is_still_there(name):
    text, exact = LAYOUTS[name]
    if not exact:
        text = ""
    after = registered(PATH, text.encode()).decode()
    position = 0
    for character in text.rstrip("]}\n\r. "):
        position = after.index(character, position) + 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_second_setup_changes_no_byte(name):
    once = registered(PATH, LAYOUTS[name][0].encode())
    assert registered(PATH, once) == once


@pytest.mark.parametrize("name", LAYOUTS)
def test_removal_gives_back_what_was_there(name):
    text, exact = LAYOUTS[name]
    left = unregistered(PATH, registered(PATH, text.encode()))
    if exact:
        assert left == text.encode() or left == text.encode() + b"\n" == b"# mine\n"
    else:
        kept = {key: value for key, value in meaning(text.encode()).items() if value}
        if isinstance(kept.get("policy_modules"), str):
            kept["policy_modules"] = [kept["policy_modules"]]
        assert meaning(left) == kept


@pytest.mark.parametrize("name", LAYOUTS)
def test_removal_without_our_entries_changes_no_byte(name):
    content = LAYOUTS[name][0].encode()
    assert unregistered(PATH, content) == content


def test_what_a_new_file_looks_like():
    assert registered(PATH, b"").decode() == (
        "policy_modules:\n"
        "  - defenseclaw_omnigent_policy\n"
        "policies:\n"
        "  defenseclaw_guardrail:\n"
        "    type: function\n"
        "    handler: defenseclaw_omnigent_policy.defenseclaw_policy\n"
    )


def test_the_files_own_indentation_is_used():
    text = "policy_modules:\n    - a\npolicies:\n    theirs:\n        type: function\n        handler: a.b\n"
    assert registered(PATH, text.encode()).decode() == (
        "policy_modules:\n    - a\n    - defenseclaw_omnigent_policy\n"
        "policies:\n    theirs:\n        type: function\n        handler: a.b\n"
        "    defenseclaw_guardrail:\n"
        "      type: function\n"
        "      handler: defenseclaw_omnigent_policy.defenseclaw_policy\n"
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "function", "handler": HANDLER, "ask_timeout": 60, "config": {"a": 1}},
        {"type": "function", "function": HANDLER},
        {"type": "function", "function": {"path": HANDLER, "arguments": {}}},
        {"handler": HANDLER, "ask_timeout": 60},
    ],
    ids=["extra-keys", "function", "function-path", "type-missing"],
)
def test_an_operators_fields_on_our_entry_are_kept(entry):
    theirs = {"type": "function", "handler": "a.b"}
    content = yaml.safe_dump(
        {"policies": {POLICY: entry, "z": {"type": "function", "handler": "a.b"}}}
    ).encode()
    after = meaning(registered(PATH, content))
    assert after["policies"][POLICY] == {"type": "function"} | entry
    left = meaning(unregistered(PATH, registered(PATH, content)))
    assert left == {"policies": {"z": theirs}}


@pytest.mark.parametrize(
    "text",
    [
        "policies: [a]\n",
        "policies: text\n",
        "policy_modules: {a: 1}\n",
        "policy_modules: 5\n",
        f"policies:\n  {POLICY}:\n    type: function\n    handler: other.policy\n",
        f"policies:\n  {POLICY}:\n    type: prompt\n    handler: {HANDLER}\n",
        f"policies:\n  {POLICY}: text\n",
        "policies:\n  a: 1\npolicies:\n  b: 2\n",
        "policy_modules: &m [a]\nother: *m\n",
        "base: &p {a: {type: function, handler: b.c}}\npolicies: *p\n",
        "- a list\n",
        "a: 1\n---\nb: 2\n",
        "a: [1\n",
        "\tx: 1\n",
        "a: 1\n b: 2\n",
        "[" * 3000,
        "text",
    ],
)
def test_what_cannot_be_edited_safely_is_refused_with_what_to_add(text):
    with pytest.raises(ForeignContent) as caught:
        registered(PATH, text.encode())
    assert MODULE in caught.value.hint
    assert str(PATH) in caught.value.message


def test_an_entry_of_somebody_elses_is_not_removed():
    content = f"policies:\n  {POLICY}:\n    type: function\n    handler: other.policy\n".encode()
    assert unregistered(PATH, content) == content


def test_only_our_list_item_is_removed():
    content = f"policy_modules: [a, {MODULE}, b]\n".encode()
    assert unregistered(PATH, content) == b"policy_modules: [a, b]\n"
    content = f"policy_modules:\n- {MODULE}  # ours\n- b\n".encode()
    assert unregistered(PATH, content) == b"policy_modules:\n- b\n"


def test_a_dump_by_omnigent_in_between_is_cleaned():
    """OmniGent rewrites the file sorted by key, comments lost."""
    installed = registered(PATH, b"zeta: 1\npolicies:\n  theirs: {type: function, handler: a.b}\n")
    dumped = yaml.safe_dump(yaml.safe_load(installed), sort_keys=True).encode()
    assert meaning(unregistered(PATH, dumped)) == {
        "zeta": 1,
        "policies": {"theirs": {"type": "function", "handler": "a.b"}},
    }


def test_a_condition_on_our_entry_is_seen():
    plain = registered(PATH, b"")
    assert not is_gated(plain)
    assert is_gated(plain + b"    condition: {team: x}\n")


keys = st.text("abcxyz_", min_size=1, max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda kids: st.lists(kids, max_size=3) | st.dictionaries(keys, kids, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(
    data=st.dictionaries(keys, values, min_size=1, max_size=4),
    flow=st.sampled_from([None, True, False]),
    modules=st.lists(keys, max_size=2),
    policies=st.dictionaries(keys, st.just({"type": "function", "handler": "a.b"}), max_size=2),
)
def test_dumped_files_of_any_style_come_back_to_the_byte(data, flow, modules, policies):
    data |= {"policy_modules": modules} if modules else {}
    data |= {"policies": policies} if policies else {}
    content = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True).encode()
    after = registered(PATH, content)
    assert meaning(after) == meaning(content) | {
        "policy_modules": [*modules, MODULE],
        "policies": {**policies, POLICY: ENTRY},
    }
    assert unregistered(PATH, after) == content
