"""From launchers as installers write them to the interpreter they start."""

import os
import stat
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from defenseclaw.connectors import omnigent_python
from defenseclaw.connectors.omnigent_python import OmnigentPython
from defenseclaw.errors import AgentNotFound, SetupError


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "with space"
    folder.mkdir()
    python = folder / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return folder


def launcher(folder, text, name="omnigent"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o755)
    return path


def other_python(tmp_path, name="python3"):
    folder = tmp_path / "other"
    folder.mkdir(exist_ok=True)
    python = folder / name
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize("flags", ["", " -E", " -I", " -sEP", " -B -u"])
def test_a_shebang_names_it(host, place, tmp_path, flags):
    python = other_python(tmp_path)
    path = launcher(place, f"#!{python}{flags}\nimport x\n")
    assert omnigent_python.interpreter_of(path, host) == python


@pytest.mark.parametrize("flags", [" -S", " -ES", " -c pass", " -m x"])
def test_flags_that_drop_site_packages_are_refused(host, place, tmp_path, flags):
    path = launcher(place, f"#!{other_python(tmp_path)}{flags}\n")
    with pytest.raises(SetupError, match="would be ignored"):
        omnigent_python.interpreter_of(path, host)


@pytest.mark.parametrize("quote", ["'{}'", '"{}"'])
def test_a_shell_launcher_of_a_path_with_spaces(host, place, quote):
    line = "'''exec' " + quote.format(place / "python") + ' "$0" "$@"'
    path = launcher(place, f"#!/bin/sh\n{line}\n' '''\nimport x\n")
    assert omnigent_python.interpreter_of(path, host) == place / "python"


def test_env_looks_on_the_path(host, place, tmp_path):
    python = other_python(tmp_path)
    host = replace(host, env={"PATH": str(python.parent)})
    for line in ("#!/usr/bin/env python3", "#!/usr/bin/env -S python3 -E"):
        assert omnigent_python.interpreter_of(launcher(place, line), host) == python


@pytest.mark.parametrize(
    "text", [b"\x7fELF\x00\xff", b"PK\x03\x04", b"#!/usr/bin/ruby\n", b"", b"#!/bin/sh\nexec python\n"]
)
def test_other_launchers_fall_back_to_their_own_directory(host, place, text):
    assert omnigent_python.interpreter_of(launcher(place, text), host) == place / "python"


def test_a_link_is_resolved_before_a_python_beside_it_is_taken(host, place, tmp_path):
    decoy = other_python(tmp_path, "python")
    real = launcher(place, b"\x7fELF")
    link = decoy.parent / "omnigent"
    link.symlink_to(real)
    assert omnigent_python.interpreter_of(link, host) == place / "python"


def test_no_interpreter_is_an_error_that_says_what_to_do(host, place):
    (place / "python").unlink()
    with pytest.raises(SetupError) as caught:
        omnigent_python.interpreter_of(launcher(place, b"\x7fELF"), host)
    assert "isolated environment" in caught.value.hint


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_an_interpreter_others_may_change_is_not_run(host, place, mode):
    python = place / "python"
    python.chmod(mode)
    with pytest.raises(SetupError, match="changed by other users"):
        omnigent_python.refuse_untrusted(python, host)
    python.chmod(0o755)
    place.chmod(mode | stat.S_ISVTX)
    with pytest.raises(SetupError, match="changed by other users"):
        omnigent_python.refuse_untrusted(python, host)


def test_trusted_prefixes_are_an_extra_restriction(host, place, tmp_path):
    python = place / "python"
    omnigent_python.refuse_untrusted(python, host)
    env = {"DEFENSECLAW_TRUSTED_BIN_PREFIXES": f"/usr/bin:{tmp_path}"}
    omnigent_python.refuse_untrusted(python, replace(host, env=env))
    env = {"DEFENSECLAW_TRUSTED_BIN_PREFIXES": "/usr/bin"}
    with pytest.raises(SetupError, match="TRUSTED"):
        omnigent_python.refuse_untrusted(python, replace(host, env=env))


def described(tmp_path, **fields):
    values = {
        "executable": tmp_path / "omnigent",
        "interpreter": tmp_path / "python",
        "purelib": tmp_path,
        "prefix": "/venv",
        "base_prefix": "/usr",
        "version": "0.19.0",
        "managed": False,
    }
    return OmnigentPython(**(values | fields))


@pytest.mark.parametrize(
    ("fields", "root", "refused"),
    [
        ({}, False, False),
        ({}, True, False),
        # a Python that is shared with others
        ({"prefix": "/usr"}, True, True),
        ({"prefix": "/usr"}, False, False),
        ({"prefix": "/usr", "managed": True}, False, True),
        # a marker of the base installation says nothing about a venv
        ({"managed": True}, True, False),
        ({"purelib": Path("/nonexistent")}, False, True),
    ],
)
def test_only_an_environment_of_its_own_is_written_to(tmp_path, monkeypatch, fields, root, refused):
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    python = described(tmp_path, **fields)
    if refused:
        with pytest.raises(SetupError, match="not writable"):
            omnigent_python.refuse_unwritable(python)
    else:
        omnigent_python.refuse_unwritable(python)


def test_the_environment_describes_itself_and_site_hooks_may_talk(host, omnigent_env):
    host = replace(host, env={"PATH": str(omnigent_env / "bin")})
    found = omnigent_python.find_python(host)
    assert found.version == "0.19.0"
    assert found.purelib == omnigent_env / "env/lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    assert found.prefix != found.base_prefix


def test_a_python_without_omnigent_is_not_found(host, executable, tmp_path):
    wrapper = executable("python-x", f"exec '{sys._base_executable}' -I \"$@\"")
    launcher(tmp_path / "bin", f"#!/bin/sh\n'''exec' '{wrapper}' \"$0\"\n")
    with pytest.raises(AgentNotFound, match="has no OmniGent"):
        omnigent_python.find_python(host)


def test_a_python_that_says_nothing_is_an_error(host, executable, tmp_path):
    wrapper = executable("python-x", "echo surprise")
    launcher(tmp_path / "bin", f"#!/bin/sh\n'''exec' '{wrapper}' \"$0\"\n")
    with pytest.raises(SetupError, match="did not say"):
        omnigent_python.find_python(host)


def test_nothing_on_path_names_both_launchers(host):
    with pytest.raises(AgentNotFound) as caught:
        omnigent_python.find_python(host)
    assert "bin/omnigent" in caught.value.hint
    assert "bin/omni" in caught.value.hint
