from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defenseclaw.audit.identity import load_identity
from defenseclaw.errors import ConfigError
from defenseclaw.verification import record
from defenseclaw.verification.verdicts import Finding, Outcome, Subject

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    load_identity(folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    return path


@pytest.fixture
def proof(data: Path, settings: Path, tmp_path: Path) -> record.Proof:
    made = record.Proof(
        connector="codex",
        title="Codex",
        outcome=Outcome.ENFORCED,
        agent_version="1.2.3",
        at=(NOW - timedelta(hours=2)).isoformat(),
        mode="action",
        fail_mode="closed",
        findings=(Finding(subject=Subject.CALL, event="PreToolUse", outcome=Outcome.ENFORCED),),
        files=record.digests(data, [settings, tmp_path / "not-there"]),
    )
    record.keep(data, made)
    return made


def words(data: Path, version: str = "1.2.3", mode: str = "action", fail_mode: str = "closed") -> str:
    return record.standing(data, "codex", version, mode, fail_mode).words(NOW)


def test_what_is_kept_comes_back(data: Path, proof: record.Proof):
    assert record.load(data, "codex") == proof


def test_what_is_kept_is_private(data: Path, proof: record.Proof):
    place = record.place(data, "codex")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_it_says_when_and_of_which_agent(data: Path, proof: record.Proof):
    assert words(data) == "verified 2 h ago, agent 1.2.3: enforced"


def test_nothing_is_known_of_an_agent_that_was_never_verified(data: Path):
    assert words(data) == "not verified"
    assert record.standing(data, "codex", "1", "action", "closed").as_json() is None


def test_it_holds_for_one_version_of_the_agent(data: Path, proof: record.Proof):
    assert words(data, version="1.3.0") == "not verified since the agent changed (was 1.2.3, is 1.3.0)"


def test_it_holds_for_one_mode(data: Path, proof: record.Proof):
    assert words(data, mode="observe").startswith("not verified since the mode changed")
    assert words(data, fail_mode="open").startswith("not verified since the mode changed")


def test_it_holds_for_one_version_of_ours(data: Path, proof: record.Proof):
    record.keep(data, replace(proof, version="0.0.1"))
    assert words(data).startswith("not verified since DefenseClaw changed (was 0.0.1")


def test_it_holds_for_the_files_as_they_were(data: Path, settings: Path, proof: record.Proof):
    settings.write_text("{ }")
    assert words(data) == f"not verified since {settings} changed"
    settings.unlink()
    assert words(data) == f"not verified since {settings} changed"


def test_a_file_that_appears_is_a_change(data: Path, tmp_path: Path, proof: record.Proof):
    (tmp_path / "not-there").write_text("")
    assert words(data) == f"not verified since {tmp_path / 'not-there'} changed"


def test_digests_are_keyed(data: Path, settings: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    load_identity(other)
    assert record.digests(data, [settings]) != record.digests(other, [settings])
    with pytest.raises(ConfigError, match="no installation key"):
        record.digests(tmp_path / "none", [settings])


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff", b'{"findings": 3}', b"[" * 100_000],
    ids=["empty", "a-list", "nothing-in-it", "not-text", "wrong-type", "deep"],
)
def test_what_cannot_be_read_counts_as_not_verified(data: Path, proof: record.Proof, content: bytes):
    record.place(data, "codex").write_bytes(content)
    assert words(data) == "not verified"


@pytest.mark.parametrize("key", ["outcome", "at", "findings", "files"])
def test_what_was_tampered_with_counts_as_not_verified(data: Path, proof: record.Proof, key: str):
    content = json.loads(record.place(data, "codex").read_text())
    record.place(data, "codex").write_text(json.dumps({**content, key: "nonsense"}))
    assert words(data) == "not verified"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (59, "just now"), (60, "1 min ago"), (3600, "1 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago(data: Path, proof: record.Proof, seconds: int, said: str):
    record.keep(data, replace(proof, at=(NOW - timedelta(seconds=seconds)).isoformat()))
    assert f"verified {said}," in words(data)
