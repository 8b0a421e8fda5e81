from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from defenseclaw.config.paths import DataDir
from defenseclaw.errors import ConfigError


@pytest.mark.parametrize(
    ("env", "root", "config"),
    [
        ({"HOME": "/home/user"}, "/home/user/.defenseclaw", "/home/user/.defenseclaw/config.yaml"),
        ({"HOME": "/h", "DEFENSECLAW_HOME": "/srv/dc"}, "/srv/dc", "/srv/dc/config.yaml"),
        ({"HOME": "/h", "DEFENSECLAW_HOME": "~/dc"}, "/h/dc", "/h/dc/config.yaml"),
        ({"HOME": "/h", "DEFENSECLAW_CONFIG": "/etc/dc.yaml"}, "/h/.defenseclaw", "/etc/dc.yaml"),
        ({"DEFENSECLAW_HOME": "/srv/dc"}, "/srv/dc", "/srv/dc/config.yaml"),
        (
            {"HOME": "/h", "DEFENSECLAW_HOME": "", "DEFENSECLAW_CONFIG": ""},
            "/h/.defenseclaw",
            "/h/.defenseclaw/config.yaml",
        ),
    ],
)
def test_the_environment_chooses(env: dict[str, str], root: str, config: str):
    found = DataDir.from_env(env)
    assert (str(found.root), str(found.config)) == (root, config)


def test_no_home_is_an_error():
    with pytest.raises(ConfigError, match="no home directory"):
        DataDir.from_env({})


def test_creates_closed_directories_and_closes_an_open_one(tmp_path: Path):
    root = tmp_path / "deep" / "dc"
    data = DataDir.from_env({"DEFENSECLAW_HOME": str(root)})
    data.create()
    root.chmod(0o755)
    data.create()
    for directory in (root, data.hooks):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_file_in_its_place_is_refused(tmp_path: Path):
    (tmp_path / "dc").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        DataDir.from_env({"DEFENSECLAW_HOME": str(tmp_path / "dc")}).create()


def test_somebody_elses_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        DataDir.from_env({"DEFENSECLAW_HOME": str(tmp_path)}).create()
