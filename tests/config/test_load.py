from __future__ import annotations

from pathlib import Path

import pytest

from defenseclaw.config.load import (
    ConfigHolder,
    active_connectors,
    changed_keys,
    configured_connectors,
    content_hash,
    load,
    loads,
    posture,
    profile_of,
)
from defenseclaw.config.schema import Config
from defenseclaw.errors import ConfigError, PackError
from defenseclaw.vocabulary import FailMode, Mode, Profile, Severity


def test_no_file_means_the_defaults(tmp_path: Path):
    assert load(tmp_path / "config.yaml") == Config()


def test_a_directory_in_its_place_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="not a regular file"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param(
            "guardrail:\n  mode: block\n",
            "config.yaml:2: guardrail.mode: not one of the values it takes",
            "guardrail.mode takes action, observe",
            id="choice",
        ),
        pytest.param(
            "guardrail:\n  connectors:\n    a: {}\n    b:\n      hook_fail_mode: maybe\n",
            "config.yaml:5: guardrail.connectors.b.hook_fail_mode: not one of the values it takes",
            "guardrail.connectors.b.hook_fail_mode takes closed, open",
            id="second connector",
        ),
        pytest.param(
            "gateway:\n  api_port: 70000\n",
            "config.yaml:2: gateway.api_port: expected `int` <= 65535",
            "gateway.api_port takes whole number 0 to 65535",
            id="port",
        ),
        pytest.param(
            "gateway:\n  token: 123456\n",
            "config.yaml:2: gateway.token: expected `str`, got `int`",
            "gateway.token takes text",
            id="token without quotes",
        ),
        pytest.param(
            "gateway:\n  allowed_hosts:\n  - a\n  - 3\n",
            "config.yaml:4: gateway.allowed_hosts.1: expected `str`, got `int`",
            "put the value in quotes",
            id="list item",
        ),
        pytest.param(
            "guardrail: [1]\n", "config.yaml:1: guardrail: expected `object`, got `array`", "", id="section"
        ),
    ],
)
def test_an_error_names_line_key_and_what_is_taken(text: str, message: str, hint: str):
    with pytest.raises(ConfigError) as refusal:
        loads(text.encode())
    assert (refusal.value.message, refusal.value.hint) == (message, hint)


def test_keys_of_other_generations_are_ignored():
    config = loads(b"claw: {mode: openclaw}\notel: {enabled: true}\nguardrail: {scanner_mode: local}\n")
    assert config == Config()


@pytest.mark.parametrize(
    ("text", "connector", "mode", "fail_mode"),
    [
        # nothing chosen
        ("", "claudecode", "observe", "open"),
        ("guardrail: {mode: action}", "claudecode", "action", "closed"),
        ("guardrail: {mode: action}", "", "action", "closed"),
        # the connector decides for itself
        ("guardrail: {connectors: {claudecode: {mode: action}}}", "claudecode", "action", "closed"),
        (
            "guardrail: {mode: action, connectors: {claudecode: {mode: observe}}}",
            "claudecode",
            "observe",
            "open",
        ),
        (
            "guardrail: {mode: action, connectors: {omnigent: {mode: observe}}}",
            "claudecode",
            "action",
            "closed",
        ),
        # a chosen fail mode holds in either mode
        ("guardrail: {hook_fail_mode: closed}", "claudecode", "observe", "closed"),
        ("guardrail: {mode: action, hook_fail_mode: open}", "claudecode", "action", "open"),
        (
            "guardrail: {hook_fail_mode: closed, connectors: {claudecode: {hook_fail_mode: open}}}",
            "claudecode",
            "observe",
            "open",
        ),
        # empty text inherits; spelling of the name does not matter
        ("guardrail: {mode: action, connectors: {claudecode: {mode: ''}}}", "claudecode", "action", "closed"),
        ("guardrail: {connectors: {claude-code: {mode: action}}}", "claudecode", "action", "closed"),
    ],
)
def test_posture_inherits(text: str, connector: str, mode: str, fail_mode: str):
    found = posture(loads(text.encode()), connector)
    assert (found.mode, found.fail_mode) == (Mode(mode), FailMode(fail_mode))


def test_posture_inherits_the_rest():
    config = loads(
        b"guardrail:\n"
        b"  block_message: shared\n"
        b"  rule_pack_dir: strict\n"
        b"  hilt: {enabled: true, min_severity: MEDIUM}\n"
        b"  connectors:\n"
        b"    own: {block_message: mine, rule_pack_dir: /packs/permissive/, hilt: {enabled: false}}\n"
    )
    inherited, own = posture(config, "other"), posture(config, "own")
    assert (inherited.block_message, inherited.profile) == ("shared", Profile.STRICT)
    assert (inherited.approvals.enabled, inherited.approvals.min_severity) == (True, Severity.MEDIUM)
    assert (own.block_message, own.profile, own.rule_pack) == (
        "mine",
        Profile.PERMISSIVE,
        "/packs/permissive/",
    )
    assert own.approvals.enabled is False


@pytest.mark.parametrize(
    ("pack", "profile"),
    [
        ("default", Profile.DEFAULT),
        ("strict", Profile.STRICT),
        ("/srv/packs/Permissive", Profile.PERMISSIVE),
        ("~/packs/strict/", Profile.STRICT),
        ("balanced", Profile.DEFAULT),
        ("/srv/packs/ours", Profile.DEFAULT),
        ("", Profile.DEFAULT),
    ],
)
def test_profile_is_the_last_part_of_the_pack(pack: str, profile: Profile):
    assert profile_of(pack) is profile


@pytest.mark.parametrize(
    ("text", "configured", "active"),
    [
        ("", (), ()),
        ("guardrail: {connector: claudecode}", ("claudecode",), ("claudecode",)),
        ("guardrail: {connector: none}", (), ()),
        (
            "guardrail: {connector: Claude-Code, connectors: {omnigent: {}, claudecode: {}}}",
            ("claude-code", "omnigent"),
            ("claude-code", "omnigent"),
        ),
        (
            "guardrail: {connectors: {omnigent: {enabled: false}, claudecode: {}}}",
            ("omnigent", "claudecode"),
            ("claudecode",),
        ),
        ("guardrail: {enabled: false, connector: claudecode}", ("claudecode",), ()),
    ],
)
def test_connectors(text: str, configured: tuple[str, ...], active: tuple[str, ...]):
    config = loads(text.encode())
    assert configured_connectors(config) == configured
    assert active_connectors(config) == active


def test_hash_says_nothing_about_the_token():
    hashes = {content_hash(loads(f"gateway: {{token: {token}}}".encode())) for token in ("abc", "xyz")}
    assert len(hashes) == 1
    assert hashes != {content_hash(Config())}


def test_hash_ignores_layout_and_order():
    one = loads(b"audit: {jsonl: false}\nguardrail: {mode: action}\n")
    two = loads(b"# note\nguardrail:\n    mode: action\naudit:\n    jsonl: false\n    retention_days: 90\n")
    assert content_hash(one) == content_hash(two)
    assert len(content_hash(one)) == 64


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("", "", ()),
        ("", "guardrail: {mode: action}", ("guardrail.mode",)),
        ("gateway: {token: a}", "gateway: {token: b}", ("gateway.token",)),
        ("", "guardrail: {connectors: {omnigent: {}}}", ("guardrail.connectors.omnigent",)),
        ("audit: {retention_days: 90}", "", ()),
    ],
)
def test_changed_keys(old: str, new: str, changed: tuple[str, ...]):
    assert changed_keys(loads(old.encode()), loads(new.encode())) == changed


class TestConfigHolder:
    def test_takes_up_a_valid_change(self, tmp_path: Path):
        holder = _holder(tmp_path, "guardrail: {mode: observe}\n")
        holder.path.write_text("guardrail: {mode: action}\n")
        before = holder.content_hash
        assert holder.reload() is True
        assert holder.posture("claudecode").mode is Mode.ACTION
        assert (holder.generation, holder.changed) == (2, ("guardrail.mode",))
        assert holder.content_hash != before

    def test_the_same_again_changes_nothing(self, tmp_path: Path):
        holder = _holder(tmp_path, "guardrail: {mode: action}\n")
        holder.path.write_text("# a comment\nguardrail:\n  mode: action\n")
        assert holder.reload() is False
        assert holder.generation == 1

    def test_keeps_the_last_good_one(self, tmp_path: Path):
        holder = _holder(tmp_path, "guardrail: {mode: action}\n")
        holder.path.write_text("guardrail: {mode: off}\naudit: {jsonl: false}\n")
        assert holder.reload() is False
        assert "guardrail.mode" in holder.last_error
        assert holder.posture("").mode is Mode.ACTION
        assert holder.current.audit.jsonl is True
        holder.path.write_text("guardrail: {mode: observe}\n")
        assert holder.reload() is True
        assert holder.last_error == ""

    def test_a_removed_file_keeps_the_last_good_one(self, tmp_path: Path):
        holder = _holder(tmp_path, "guardrail: {mode: action}\n")
        holder.path.unlink()
        assert holder.reload() is False
        assert holder.last_error
        assert holder.posture("").mode is Mode.ACTION

    def test_an_emptied_file_keeps_the_last_good_one(self, tmp_path: Path):
        holder = _holder(tmp_path, "")
        assert holder.reload() is False
        assert holder.last_error == ""
        holder.path.write_text("guardrail: {mode: action}\n")
        assert holder.reload() is True
        holder.path.write_text("")
        assert holder.reload() is False
        assert holder.last_error == "the configuration file is empty"
        assert holder.posture("").mode is Mode.ACTION

    def test_the_validator_has_the_last_word(self, tmp_path: Path):
        def only_known_packs(config: Config) -> None:
            if config.guardrail.rule_pack_dir != "default":
                raise PackError("unknown rule pack")

        holder = _holder(tmp_path, "", only_known_packs)
        holder.path.write_text("guardrail: {rule_pack_dir: nowhere, mode: action}\n")
        assert holder.reload() is False
        assert (holder.last_error, holder.generation) == ("unknown rule pack", 1)
        assert holder.posture("").mode is Mode.OBSERVE
        with pytest.raises(PackError):
            ConfigHolder(holder.path, only_known_packs)

    def test_names_what_waits_for_a_restart_and_applies_the_rest(self, tmp_path: Path):
        holder = _holder(tmp_path, "")
        holder.path.write_text("gateway: {api_port: 19000}\nguardrail: {mode: action}\n")
        assert holder.reload() is True
        assert holder.restart_required == ("gateway.api_port",)
        assert holder.posture("").mode is Mode.ACTION
        holder.path.write_text("guardrail: {mode: action}\n")
        assert holder.reload() is True
        assert holder.restart_required == ()

    def test_restart_mode_applies_nothing(self, tmp_path: Path):
        holder = _holder(tmp_path, "gateway: {config_reload: {mode: restart}}\n")
        holder.path.write_text("gateway: {config_reload: {mode: restart}}\nguardrail: {mode: action}\n")
        assert holder.reload() is False
        assert holder.restart_required == ("guardrail.mode",)
        assert holder.posture("").mode is Mode.OBSERVE

    def test_spelling_of_a_connector_does_not_matter(self, tmp_path: Path):
        holder = _holder(tmp_path, "guardrail: {connectors: {claude-code: {}}}\n")
        assert holder.is_active("claudecode")
        assert not holder.is_active("omnigent")


def _holder(tmp_path: Path, text: str, validate=None) -> ConfigHolder:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return ConfigHolder(path, validate)
