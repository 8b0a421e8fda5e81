from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw.config import edit
from defenseclaw.config.commented import UNSET, edited
from defenseclaw.config.load import load
from defenseclaw.config.schema import Config
from defenseclaw.errors import ConfigError, PackError

OPERATORS_FILE = """\
# our configuration
gateway:
    api_port: 18970   # the usual
    allowed_hosts:
      - "one.example"
      - 'two.example'

# what is enforced
guardrail:
    mode: observe
    block_message: "Ask: #security"
    connectors:
        omnigent: {mode: action}
otel:
    enabled: false  # kept although unknown here
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_the_default_file_is_valid_and_says_what_the_schema_says(path: Path):
    assert edit.ensure_default(path) is True
    assert load(path) == Config()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_is_left_alone(path: Path):
    path.write_text("guardrail: {mode: action}\n")
    assert edit.ensure_default(path) is False
    assert path.read_text() == "guardrail: {mode: action}\n"


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("guardrail.mode", "action", "    mode: observe\n", "    mode: action\n"),
        ("gateway.api_port", 19000, "api_port: 18970   # the usual", "api_port: 19000   # the usual"),
        ("guardrail.block_message", "Stop", "Ask: #security", "Stop"),
        ("guardrail.connectors.omnigent.mode", "observe", "{mode: action}", "{mode: observe}"),
        ("guardrail.connectors.omnigent.mode", edit.UNSET, "{mode: action}", "{}"),
        ("guardrail.mode", edit.UNSET, "    mode: observe\n", ""),
    ],
)
def test_an_edit_touches_its_own_line_only(path: Path, key: str, value: object, old: str, new: str):
    path.write_text(OPERATORS_FILE)
    assert edit.set_value(path, key, value) is True
    assert path.read_text() == OPERATORS_FILE.replace(old, new, 1)


def test_a_new_section_is_appended_and_the_rest_stays(path: Path):
    path.write_text(OPERATORS_FILE)
    edit.set_values(path, {"audit.jsonl": False, "guardrail.connectors.claudecode.mode": "action"})
    text = path.read_text()
    for line in OPERATORS_FILE.splitlines():
        assert line in text
    config = load(path)
    assert config.audit.jsonl is False
    assert config.guardrail.connectors["claudecode"].mode == "action"


def test_the_same_value_writes_nothing(path: Path):
    path.write_text(OPERATORS_FILE)
    before = path.stat().st_ino
    assert edit.set_value(path, "guardrail.mode", "observe") is False
    assert edit.set_value(path, "guardrail.hook_fail_mode", edit.UNSET) is False
    assert path.stat().st_ino == before


def test_dos_line_ends_survive(path: Path):
    path.write_bytes(b"# note\r\nguardrail:\r\n  mode: observe\r\n")
    edit.set_value(path, "guardrail.mode", "action")
    assert path.read_bytes() == b"# note\r\nguardrail:\r\n  mode: action\r\n"


@pytest.mark.parametrize("content", ["", "# only a comment\n", "\n\n"])
def test_an_empty_file_gets_its_first_key(path: Path, content: str):
    path.write_text(content)
    edit.set_value(path, "guardrail.mode", "action")
    assert load(path).guardrail.mode == "action"
    assert content.strip() in path.read_text()


def test_a_missing_file_is_created_owner_only(path: Path):
    edit.set_value(path, "guardrail.mode", "action")
    assert path.read_text() == "guardrail:\n  mode: action\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_section_without_content_is_filled(path: Path):
    path.write_text("guardrail:\n# nothing yet\naudit:\n  jsonl: true\n")
    edit.set_value(path, "guardrail.mode", "action")
    assert load(path).guardrail.mode == "action"
    assert "# nothing yet" in path.read_text()


@pytest.mark.parametrize(
    ("key", "value"), [("guardrail.mode", "block"), ("gateway.api_port", "x"), ("guardrail.connectors", [1])]
)
def test_what_does_not_validate_is_never_written(path: Path, key: str, value: object):
    path.write_text(OPERATORS_FILE)
    with pytest.raises(ConfigError):
        edit.set_value(path, key, value)
    assert path.read_text() == OPERATORS_FILE


def test_the_validator_can_refuse(path: Path):
    def refuse(config: Config) -> None:
        raise PackError(f"no pack {config.guardrail.rule_pack_dir}")

    with pytest.raises(PackError, match="no pack strict"):
        edit.set_value(path, "guardrail.rule_pack_dir", "strict", validate=refuse)
    assert not path.exists()


def test_a_broken_file_is_not_edited(path: Path):
    path.write_text("guardrail: {mode: observe\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        edit.set_value(path, "guardrail.mode", "action")
    assert path.read_text() == "guardrail: {mode: observe\n"


def test_a_scalar_where_a_section_belongs_is_an_error_not_a_crash(path: Path):
    path.write_text("otel: 3\n")
    with pytest.raises(ConfigError, match="otel"):
        edit.set_value(path, "otel.enabled", True)
    assert path.read_text() == "otel: 3\n"


def test_a_link_keeps_pointing_where_it_does(tmp_path: Path, path: Path):
    real = tmp_path / "dotfiles.yaml"
    real.write_text("guardrail: {mode: observe}\n")
    path.symlink_to(real)
    edit.set_value(path, "guardrail.mode", "action")
    assert path.is_symlink()
    assert load(real).guardrail.mode == "action"


def test_get_value_is_the_value_in_force(path: Path):
    path.write_text("guardrail: {connectors: {omnigent: {mode: action}}}\n")
    assert edit.get_value(path, "guardrail.connectors.omnigent.mode") == "action"
    assert edit.get_value(path, "gateway.api_port") == 18970
    assert edit.get_value(path, "guardrail.hook_fail_mode") is None
    with pytest.raises(KeyError):
        edit.get_value(path, "guardrail.nothing")


def test_setting_and_unsetting_leaves_every_byte_as_it_was(path: Path):
    edit.ensure_default(path)
    original = path.read_text()
    edit.set_values(
        path,
        {
            "guardrail.connectors.claudecode.enabled": True,
            "guardrail.connectors.claudecode.mode": "action",
            "guardrail.connector": "claudecode",
            "audit.jsonl": False,
        },
    )
    assert "\n\ngateway:\n" in path.read_text()
    for key in ("guardrail.connectors.claudecode", "guardrail.connector", "audit.jsonl"):
        edit.set_value(path, key, edit.UNSET)
    assert path.read_text() == original


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "guardrail:\n  mode: observe  # for now\n\n# the rest\naudit:\n  jsonl: true\n",
            "guardrail:\n  mode: observe  # for now\n  enabled: true\n\n# the rest\naudit:\n  jsonl: true\n",
            id="a comment at the end of the line stays with its key",
        ),
        pytest.param(
            "guardrail:\n  hosts:\n  - a  # one\n\naudit: {}\n",
            "guardrail:\n  hosts:\n  - a  # one\n  enabled: true\n\naudit: {}\n",
            id="after a list",
        ),
        pytest.param(
            "audit: {jsonl: true}\n\n# end\n",
            "audit: {jsonl: true}\nguardrail:\n  enabled: true\n\n# end\n",
            id="a new section before the closing remarks",
        ),
        pytest.param(
            "guardrail: {mode: observe}\n", "guardrail: {mode: observe, enabled: true}\n", id="flow style"
        ),
    ],
)
def test_a_new_key_joins_its_section(path: Path, before: str, after: str):
    path.write_text(before)
    edit.set_value(path, "guardrail.enabled", True)
    assert path.read_text() == after


MAPPINGS = st.recursive(
    st.sampled_from(["1", "'x'", "[a, b]", "{k: v}  # note", "text", "|\n  block\n"]),
    lambda inner: st.dictionaries(st.sampled_from("abcde"), inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from("abcde"), MAPPINGS, max_size=4),
    st.sampled_from(["", "# end\n", "\n\n# end\n"]),
)
@settings(max_examples=100, deadline=None)
def test_setting_then_unsetting_changes_the_meaning_of_nothing_else(tree: dict, tail: str):
    text = _rendered(tree) + tail
    there = edited(text, {"guardrail.mode": "action"})
    assert there is not None
    assert yaml.safe_load(there) == {**(yaml.safe_load(text) or {}), "guardrail": {"mode": "action"}}
    back = edited(there, {"guardrail.mode": UNSET})
    assert back is not None
    assert (yaml.safe_load(back) or {}) == (yaml.safe_load(text) or {})
    assert text.count("#") == back.count("#")


def _rendered(tree: dict, depth: int = 0) -> str:
    pad = "  " * depth
    lines = []
    for name, value in tree.items():
        if isinstance(value, dict):
            lines.append(f"{pad}{name}:\n{_rendered(value, depth + 1)}")
        else:
            lines.append(f"{pad}{name}: {value}\n".replace("\n  block\n", f"\n{pad}  block\n"))
    return "".join(lines)
