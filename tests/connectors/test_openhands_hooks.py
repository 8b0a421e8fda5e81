"""OpenHands' hooks file: ours in front, everybody else's byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.connectors import openhands_hooks as hooks
from defenseclaw.errors import ForeignContent

OURS = {"matcher": "*", "hooks": [{"type": "command", "command": "ours", "timeout": 30}]}
OTHER = {"matcher": "x", "hooks": [{"type": "command", "command": "also ours"}]}
MINE = {"matcher": "terminal", "hooks": [{"command": "mine"}]}
OWNED = frozenset({"ours", "also ours"})
WANTED = {"pre_tool_use": [OURS, OTHER], "stop": [OURS]}


def dumped(value):
    return json.dumps(value).encode()


def installed(content):
    document = hooks.read(content)
    hooks.install(document, WANTED, OWNED)
    return document.encode()


def uninstalled(content):
    document = hooks.read(content)
    hooks.uninstall(document, OWNED)
    return document.encode()


def events(content):
    value = json.loads(content)
    return value.get("hooks", value)


# ---- in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b" \n", b"{}\n"])
def test_an_empty_file_gets_our_groups_alone(content):
    assert json.loads(installed(content)) == WANTED


@pytest.mark.parametrize("key", ["pre_tool_use", "PreToolUse", "preToolUse"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "below hooks"])
def test_ours_stand_in_front_under_the_spelling_that_is_there(key, wrapped):
    content = {key: [MINE], "session_end": [MINE]}
    after = events(installed(dumped({"hooks": content, "note": 1} if wrapped else content)))
    assert after == {key: [OURS, OTHER, MINE], "session_end": [MINE], "stop": [OURS]}


@pytest.mark.parametrize(
    ("there", "theirs"),
    [
        pytest.param([MINE, OURS, OTHER], [MINE], id="behind somebody else's"),
        pytest.param([OTHER, OURS], [], id="in another order"),
        pytest.param([OURS], [], id="one missing"),
        pytest.param([OURS, OTHER, MINE, OURS], [MINE], id="one twice"),
        pytest.param([OURS, {**OTHER, "matcher": "y"}, MINE], [MINE], id="one changed"),
        pytest.param(
            [{**MINE, "hooks": MINE["hooks"] + OURS["hooks"]}], [MINE], id="a handler of theirs too"
        ),
    ],
)
def test_ours_are_put_right(there, theirs):
    after = installed(dumped({"pre_tool_use": there}))
    assert events(after)["pre_tool_use"] == [OURS, OTHER, *theirs]
    assert hooks.missing(hooks.read(after), WANTED) == []


def test_what_is_right_is_not_touched():
    content = b'{"stop":[' + dumped(OURS) + b'],  "PreToolUse" : ['
    content += dumped(OURS) + b" ,\n" + dumped(OTHER) + b"]}"
    assert installed(content) == content


def test_an_event_we_hook_no_more_is_left():
    after = events(installed(dumped({"session_end": [OURS], "session_start": [OURS, MINE]})))
    assert after == {"session_start": [MINE], **WANTED}


# ---- out ------------------------------------------------------------------------------------------

FORMATS = [
    b'{"pre_tool_use": [{"matcher": "a", "hooks": [{"command": "mine"}]}], "stop": [{"hooks": []}]}',
    b'{\r\n\t"PreToolUse": [\r\n\t\t{"hooks": [{"command": "a"}]},\r\n\t\t{}\r\n\t],\r\n\t"stop": [{}]\r\n}',
    b'{ "hooks" : {"pre_tool_use": [\n{} , {}\n], "session_end": [] }, "note": "\xc3\xa9" }',
    b'\xef\xbb\xbf{\n    "stop": [\n        {}\n    ]\n}',
]


@pytest.mark.parametrize("content", FORMATS)
def test_what_is_not_ours_keeps_every_byte(content):
    assert uninstalled(installed(content)) == content


def test_what_ours_emptied_goes():
    assert json.loads(uninstalled(installed(b'{"hooks": {"session_end": [{}]}}'))) == {
        "hooks": {"session_end": [{}]}
    }
    assert uninstalled(installed(b'{"hooks": {}}')) == b"{}"
    assert uninstalled(b'{"stop": [ ]}') == b'{"stop": [ ]}'


def test_a_handler_added_to_our_group_stays():
    grown = {**OURS, "hooks": [*OURS["hooks"], {"command": "mine"}]}
    after = uninstalled(dumped({"stop": [grown]}))
    assert json.loads(after) == {"stop": [{"matcher": "*", "hooks": [{"command": "mine"}]}]}


# ---- files that are refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[]", "something else than a JSON object"),
        (b"{broken", "not valid JSON"),
        (b'{"hooks": []}', "`hooks` is not an object"),
        (b'{"note": 1}', "`note` is no event it knows"),
        (b'{"_stop": []}', "`_stop` is no event it knows"),
        (b'{"SubagentStop": []}', "no event it knows"),
        (b'{"PreToolUse": [], "pre_tool_use": []}', "in two spellings"),
        (b'{"stop": [], "stop": []}', "more than once"),
        (b'{"stop": {}}', "`stop` is not a list of groups"),
        (b'{"stop": ["x"]}', "`stop` is not a list of groups"),
        (b'{"stop": [{"hooks": {}}]}', "`stop` is not a list of groups"),
        (b'{"stop": [{"hooks": ["x"]}]}', "`stop` is not a list of groups"),
    ],
)
def test_a_file_openhands_would_not_start_with_is_refused(content, why):
    with pytest.raises(ForeignContent, match=why):
        hooks.read(content)


@pytest.mark.parametrize("command", [None, 7, ["ours"], {"a": 1}])
def test_a_command_of_another_type_is_nobody_of_ours(command):
    content = dumped({"stop": [{"hooks": [{"command": command}]}]})
    assert uninstalled(installed(content)) == content


@pytest.mark.parametrize(
    ("content", "used"),
    [(None, False), (b"{}", False), (b'{"stop": []}', False), (b'{"Stop": [{}]}', True)],
)
def test_whether_a_file_is_used(content, used):
    assert hooks.is_used(hooks.read(content)) is used


# ---- anything an operator may write ---------------------------------------------------------------

spellings = st.sampled_from(sorted(hooks.KEYS)).flatmap(
    lambda key: st.sampled_from([key, key.title().replace("_", "")]).map(lambda name: (key, name))
)
handlers = st.lists(st.fixed_dictionaries({"command": st.text(max_size=5)}), max_size=2)
groups = st.fixed_dictionaries({}, optional={"matcher": st.text(max_size=3), "hooks": handlers})
files = st.builds(
    lambda entries, wrapped, indent: json.dumps(
        {"hooks": {name: each for (_, name), each in entries}, "note": 1}
        if wrapped
        else {name: each for (_, name), each in entries},
        indent=indent,
        ensure_ascii=False,
    ).encode(),
    st.lists(
        st.tuples(spellings, st.lists(groups, min_size=1, max_size=3)),
        max_size=4,
        unique_by=lambda entry: entry[0][0],
    ),
    st.booleans(),
    st.sampled_from([None, 1, 4, "\t"]),
)


@given(files)
def test_any_file_comes_back_byte_for_byte(content):
    after = installed(content)
    assert hooks.missing(hooks.read(after), WANTED) == []
    assert installed(after) == after
    before = events(content)
    for name, theirs in before.items():
        there = events(after)[name]
        assert there[len(there) - len(theirs) :] == theirs
    if before:
        assert uninstalled(after) == content
    else:
        assert json.loads(uninstalled(after)) == {each: 1 for each in json.loads(content) if each == "note"}


edits = st.lists(st.tuples(st.sampled_from(sorted(hooks.KEYS)), st.booleans(), groups), max_size=4)


@given(files, edits)
def test_what_an_operator_adds_between_setup_and_teardown_stays(content, made):
    value = json.loads(installed(content))
    container = value.get("hooks", value)
    for key, in_front, group in made:
        name = next(
            (each for each in container if each.lower().replace("_", "") == key.replace("_", "")), key
        )
        there = container.setdefault(name, [])
        there.insert(0 if in_front else len(there), group)
    kept = {
        name: left
        for name, theirs in container.items()
        if (left := [each for each in theirs if each not in (OURS, OTHER)])
    }
    after = json.loads(uninstalled(dumped(value)))
    assert after.get("hooks", {key: each for key, each in after.items() if key != "note"}) == kept
    assert after.get("note") == value.get("note")
