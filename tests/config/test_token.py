from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.config import token
from defenseclaw.config.schema import Config, Gateway
from defenseclaw.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("KEY=value", {"KEY": "value"}),
        ("  KEY = value  ", {"KEY": "value"}),
        ('KEY="quoted value"', {"KEY": "quoted value"}),
        ("KEY='it''s'", {"KEY": "it''s"}),
        ("KEY=\"unmatched'", {"KEY": "\"unmatched'"}),
        ('KEY="', {"KEY": '"'}),
        ("KEY=a=b#c", {"KEY": "a=b#c"}),
        ("KEY=$HOME", {"KEY": "$HOME"}),
        ("KEY=", {"KEY": ""}),
        ("# KEY=value", {}),
        ("export KEY=value", {}),
        ("no assignment", {}),
        ("9KEY=value", {}),
        ("KEY=1\nKEY=2", {"KEY": "2"}),
    ],
)
def test_env_lines(tmp_path: Path, line: str, expected: dict[str, str]):
    path = tmp_path / ".env"
    path.write_text(f"{line}\n")
    assert token.read_env(path) == expected


def test_set_env_keeps_other_lines_and_closes_the_file(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_text("# mine\nOTHER='x y'\nKEY=old\n\nLAST=1\n")
    path.chmod(0o644)
    assert token.set_env(path, "KEY", "new") is True
    assert path.read_text() == "# mine\nOTHER='x y'\n\nLAST=1\nKEY=new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token.set_env(path, "FRESH", "1") is False


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30).filter(str.isprintable))
def test_what_is_set_is_read_back(tmp_path_factory, value: str):
    path = tmp_path_factory.mktemp("env") / ".env"
    token.set_env(path, "KEY", value)
    assert token.read_env(path) == {"KEY": value}


@pytest.mark.parametrize(
    ("name", "value"), [("a b", "x"), ("", "x"), ("K=V", "x"), ("KEY", "a\nEVIL=1"), ("K", "\x1b")]
)
def test_set_env_refuses_what_would_break_the_file(tmp_path: Path, name: str, value: str):
    with pytest.raises(ConfigError):
        token.set_env(tmp_path / ".env", name, value)
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("environment", "dotenv", "token_env", "in_config", "value", "source"),
    [
        # the seed's order
        ({"MINE": "1", token.CANONICAL: "2"}, {}, "MINE", "4", "1", "MINE (environment)"),
        ({token.CANONICAL: "2", token.LEGACY: "3"}, {}, "MINE", "4", "2", f"{token.CANONICAL} (environment)"),
        ({token.LEGACY: "3"}, {}, "", "4", "3", f"{token.LEGACY} (environment)"),
        ({}, {}, "", "4", "4", "gateway.token"),
        # .env stands in for names the environment lacks
        ({}, {"MINE": "1", token.CANONICAL: "2"}, "MINE", "", "1", "MINE (.env)"),
        ({token.CANONICAL: "2"}, {"MINE": "1"}, "MINE", "", "1", "MINE (.env)"),
        (
            {token.CANONICAL: "env"},
            {token.CANONICAL: "file"},
            "",
            "",
            "env",
            f"{token.CANONICAL} (environment)",
        ),
        ({token.LEGACY: "3"}, {token.CANONICAL: "2"}, "", "", "2", f"{token.CANONICAL} (.env)"),
        # empty is none
        ({token.CANONICAL: ""}, {token.CANONICAL: "file"}, "", "", "file", f"{token.CANONICAL} (.env)"),
    ],
)
def test_resolution_order(
    tmp_path: Path, environment: dict, dotenv: dict, token_env: str, in_config: str, value: str, source: str
):
    path = tmp_path / ".env"
    path.write_text("".join(f"{name}={each}\n" for name, each in dotenv.items()))
    config = Config(gateway=Gateway(token_env=token_env, token=in_config))
    found = token.resolve_token(config, path, environment)
    assert found is not None
    assert (found.value, found.source) == (value, source)
    assert value not in repr(found).replace(source, "")


def test_a_token_is_minted_once(tmp_path: Path):
    path = tmp_path / ".env"
    first = token.ensure_token(Config(), path, {})
    assert len(first.value) == 64
    assert path.read_text() == f"{token.CANONICAL}={first.value}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token.ensure_token(Config(), path, {}) == first


def test_nothing_is_minted_beside_a_token(tmp_path: Path):
    found = token.ensure_token(Config(), tmp_path / ".env", {token.LEGACY: "theirs"})
    assert found.value == "theirs"
    assert not (tmp_path / ".env").exists()
