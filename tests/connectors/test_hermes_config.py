"""The entry in Hermes' config.yaml: put in and taken out, everything else byte for byte."""

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw.connectors import hermes_config
from defenseclaw.errors import ForeignContent

LAYOUTS = {
    "empty": ("", "plugins:\n  enabled:\n    - defenseclaw\n"),
    "comments only": ("# mine\n", "# mine\nplugins:\n  enabled:\n    - defenseclaw\n"),
    "no line end": ("a: 1", "a: 1\nplugins:\n  enabled:\n    - defenseclaw"),
    "windows": ("a: 1\r\n", "a: 1\r\nplugins:\r\n  enabled:\r\n    - defenseclaw\r\n"),
    "flow": ("{a: 1}\n", "{a: 1, plugins: {enabled: [defenseclaw]}}\n"),
    "null": ("plugins:\na: 1\n", "plugins: {enabled: [defenseclaw]}\na: 1\n"),
    "empty mapping": ("plugins: {}  # none\n", "plugins: {enabled: [defenseclaw]}  # none\n"),
    "others disabled": (
        "plugins:\n    disabled: [x]  # no\nb: 2\n",
        "plugins:\n    disabled: [x]  # no\n    enabled:\n      - defenseclaw\nb: 2\n",
    ),
    "null list": ("plugins:\n  enabled:\n", "plugins:\n  enabled: [defenseclaw]\n"),
    "empty list": ("plugins:\n  enabled: []\n", "plugins:\n  enabled: [defenseclaw]\n"),
    "flow list": ("plugins: {enabled: [x, 'y']}\n", "plugins: {enabled: [x, 'y', defenseclaw]}\n"),
    "block list": (
        "plugins:\n  enabled:\n  - x  # theirs\n  - y\nc: é\n",
        "plugins:\n  enabled:\n  - x  # theirs\n  - y\n  - defenseclaw\nc: é\n",
    ),
    "already there": ("plugins: {enabled: ['defenseclaw']}\n", "plugins: {enabled: ['defenseclaw']}\n"),
}


@pytest.mark.parametrize(("before", "after"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(before, after):
    done = hermes_config.enabled(before.encode())
    assert done.decode() == after
    assert hermes_config.is_enabled(done)
    assert hermes_config.enabled(done) == done
    assert not hermes_config.is_enabled(hermes_config.without(done))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\nplugins:\n  enabled:\n    - defenseclaw\n# end\n", "a: 1\n# end\n"),
        ("plugins:\n  enabled: [x, defenseclaw]\n", "plugins:\n  enabled: [x]\n"),
        ("plugins:\n  enabled:\n  - defenseclaw\n  disabled: [x]\n", "plugins:\n  disabled: [x]\n"),
        ("plugins: {enabled: [defenseclaw, 'defenseclaw']}\n", ""),
        ("on: [first]\n", "on: [first]\n"),
        ("plugins: nothing of ours\n", "plugins: nothing of ours\n"),
    ],
)
def test_removal_leaves_what_is_not_ours(before, after):
    assert hermes_config.without(before.encode()).decode() == after


@pytest.mark.parametrize(
    ("content", "empty"),
    [("", True), ("{}\n", True), ("# a comment is somebody's\n", False), ("a: 1\n", False)],
)
def test_a_file_with_nothing_in_it(content, empty):
    assert hermes_config.is_empty(content.encode()) is empty


@pytest.mark.parametrize(
    "content",
    ["plugins: &x\n  enabled: []\nb: *x\n", "plugins: {enabled: {a: b}}\n", "plugins: 1\n", "[a]\n"],
)
def test_other_shapes_are_refused_with_what_to_add_by_hand(content):
    with pytest.raises(ForeignContent) as caught:
        hermes_config.enabled(content.encode())
    assert "plugins" in caught.value.hint


NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
PLUGINS = st.fixed_dictionaries({}, optional={"enabled": st.lists(NAMES, max_size=3), "disabled": VALUES})
CONFIGS = st.builds(
    lambda rest, plugins: rest | plugins,
    st.dictionaries(NAMES.filter(lambda name: name != "plugins"), VALUES, max_size=4),
    st.fixed_dictionaries({}, optional={"plugins": PLUGINS}),
)


def emptied(config):
    """What our removal may take along: a list and a mapping that hold nothing."""
    plugins = {
        key: value for key, value in (config.get("plugins") or {}).items() if key != "enabled" or value
    }
    rest = {key: value for key, value in config.items() if key != "plugins"}
    return rest | ({"plugins": plugins} if plugins else {})


@settings(max_examples=60, deadline=None)
@given(config=CONFIGS, later=VALUES, flow=st.sampled_from([None, True, False]))
def test_what_an_operator_sets_before_and_after_survives(config, later, flow):
    before = yaml.safe_dump(config, default_flow_style=flow, allow_unicode=True).encode()
    if b"&" in before or config.get("plugins") == {}:
        return
    config = yaml.safe_load(before) or {}  # not every text comes back from YAML as it went in
    during = yaml.safe_load(hermes_config.enabled(before))
    during["set-later"] = later
    after = hermes_config.without(yaml.safe_dump(during, default_flow_style=flow).encode())
    assert emptied(yaml.safe_load(after) or {}) == emptied({**config, "set-later": later})
