"""Codex's notify: the bridge run for real, and the operator's own command there and back."""

import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.connectors.scripted_contract import ACTION

from defenseclaw.connectors import codex, codex_notify, disk, files, runtime
from defenseclaw.connectors.tomledit import Document
from defenseclaw.errors import ForeignContent

CODEX = codex.CONNECTOR
GOLDEN = Path(__file__).parent.parent / "golden" / "codex" / "notify.argv.json"
TURN = json.dumps(json.loads(GOLDEN.read_text()), separators=(",", ":"))
MINE = 'notify = [\n  "/bin/sh", "-c",  # mine\n  "true",\n]  # kept\n'


@pytest.fixture(autouse=True)
def unmanaged(tmp_path, monkeypatch):
    monkeypatch.setattr(type(CODEX), "system_dir", tmp_path / "etc")


@pytest.fixture
def machine(host, executable):
    executable("codex", "echo 'codex-cli 0.169.0'")
    return host


def install(host):
    return files.apply(host, CODEX, CODEX.plan_setup(host, ACTION))


def put(host, text):
    path = CODEX.settings_path(host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
    return path


def value(path):
    return tomllib.loads(path.read_text())


# ---- the bridge -----------------------------------------------------------------------------------


@pytest.fixture
def noted(machine, gateway, tmp_path):
    """A machine on which the operator's own command notes what it was called with."""
    note = tmp_path / "noted"
    mine = (
        "import json, os, sys; "
        f"open({str(note)!r}, 'w').write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"
    )
    put(machine, f"notify = {json.dumps([sys.executable, '-c', mine, 'first $HOME'])}\n")
    governed = replace(machine, api_address=gateway.address)
    install(governed)
    gateway.reply.body = b"{}"
    return governed, note


def run(host, *arguments, env=None, cwd=None):
    words = value(CODEX.settings_path(host))["notify"]
    return subprocess.run(
        [*words, *arguments],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "MARK": "o'k"} if env is None else env,
        cwd=cwd,
        timeout=20,
        stdin=subprocess.DEVNULL,
    )


def test_the_gateway_is_told_what_codex_said(noted, gateway, until):
    host, _ = noted
    run(host, TURN)
    assert until(lambda: gateway.requests)
    ((path, headers, body),) = gateway.requests
    assert (path, body.decode()) == ("/api/v1/codex/notify", TURN)
    assert headers["authorization"] == f"Bearer {runtime.read_token(host, 'codex')}"
    assert headers["content-type"] == "application/json"
    assert headers["x-defenseclaw-client"] == "codex-notify/1.0"
    assert headers["x-defenseclaw-source"] == "codex-notify"


def test_the_operators_command_is_called_as_codex_would(noted, tmp_path):
    host, note = noted
    done = run(host, TURN, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    arguments, cwd, env = json.loads(note.read_text())
    assert arguments == ["first $HOME", TURN]
    assert cwd == str(tmp_path)
    assert (env["MARK"], env["PATH"]) == ("o'k", os.environ["PATH"])
    assert "LC_ALL" not in env


def test_its_exit_code_and_output_are_its_own(machine, gateway):
    put(machine, """notify = ["/bin/sh", "-c", 'echo "said $0"; echo oops >&2; exit 3']\n""")
    host = replace(machine, api_address=gateway.address)
    install(host)
    done = run(host, TURN)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (3, f"said {TURN}\n", b"oops\n")


def test_a_gateway_that_hangs_delays_nobody(noted, gateway):
    host, note = noted
    gateway.reply.delay_s = 4
    began = time.monotonic()
    run(host, TURN)
    assert note.exists()
    assert time.monotonic() - began < 3
    gateway.released.set()


def test_a_gateway_that_is_away_leaves_a_trace(machine, until):
    host = replace(machine, api_address="127.0.0.1:1")
    install(host)
    done = run(host, TURN)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    log = host.data_dir / "logs" / "hook-failures.jsonl"
    assert until(lambda: log.exists() and log.read_text().endswith("\n"))
    (row,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (row["connector"], row["hook"], row["category"]) == ("codex", "notify-bridge", "transport")


@pytest.mark.parametrize("harm", ["token", "gateway", "disabled", "nothing to tell", "empty"])
def test_what_cannot_be_told_is_not_told_and_the_command_is_called(noted, gateway, harm):
    host, note = noted
    if harm == "token":
        disk.write(runtime.token_path(host, "codex"), b'x"\nurl = "http://127.0.0.1/"', 0o600)
    elif harm == "gateway":
        disk.write(runtime.runtime_path(host, "codex"), b'gateway=x"y\nfail_mode=open\n', 0o600)
    elif harm == "disabled":
        (host.data_dir / ".disabled").touch()
    arguments = {"nothing to tell": [], "empty": [""]}.get(harm, [TURN])
    assert run(host, *arguments).returncode == 0
    assert json.loads(note.read_text())[0] == ["first $HOME", *arguments]
    time.sleep(0.2)
    assert gateway.requests == []


def test_no_environment_at_all_is_enough(machine, gateway):
    """Without a command of the operator's the bridge waits until the gateway was told."""
    host = replace(machine, api_address=gateway.address)
    install(host)
    assert run(host, TURN, env={}).returncode == 0
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("parent", "passed"), [(f"00-{'a' * 32}-{'b' * 16}-01", True), ("00-x\r\nX-Evil: 1", False), ("", False)]
)
def test_a_trace_is_passed_on_when_it_is_one(machine, gateway, parent, passed):
    host = replace(machine, api_address=gateway.address)
    install(host)
    run(host, TURN, env={"TRACEPARENT": parent})
    ((_, headers, _),) = gateway.requests
    assert (headers.get("traceparent") == parent) is passed
    assert "x-evil" not in headers


def test_the_token_is_in_no_argument_list_and_not_in_the_bridge(noted):
    host, _ = noted
    token = runtime.read_token(host, "codex")
    bridge = codex_notify.bridge_path(host)
    assert token not in bridge.read_text()
    assert token not in CODEX.settings_path(host).read_text()
    assert bridge.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "words", [["a b", "c'd", '"e"', "$HOME", "`id`", "\\", "é\n", "@DATA@", "*"], [""], ["-n", "--"]]
)
def test_any_words_are_called_as_they_are(machine, words):
    line = codex_notify.render(machine, json.dumps(words)).decode().rpartition("exec ")[2]
    assert shlex.split(line) == [*words, "$@"]


# ---- the configuration ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [MINE, "", 'model = "x"', "[tui]\nx = 1\n", 'notify = []\r\nmodel = "é"\r\n']
)
def test_an_edited_file_gets_the_operators_command_back_as_it_was_written(machine, text):
    path = put(machine, text)
    install(machine)
    assert value(path)["notify"] == codex_notify.command(machine)
    path.write_bytes(path.read_bytes() + b"\n[later]\nx = 1\n")
    files.restore(machine, CODEX)
    assert path.read_bytes().startswith(text.encode())
    assert value(path) == tomllib.loads(text) | {"later": {"x": 1}}
    assert not codex_notify.bridge_path(machine).exists()


def test_an_unchanged_file_comes_back_byte_for_byte(machine):
    path = put(machine, "# top\n" + MINE)
    install(machine)
    assert install(machine) == ()
    files.restore(machine, CODEX)
    assert path.read_text() == "# top\n" + MINE


def test_a_command_that_took_our_place_stays(machine):
    path = put(machine, MINE)
    install(machine)
    ours = json.dumps(codex_notify.command(machine), ensure_ascii=False)
    path.write_text(path.read_text().replace(ours, '["newer"]'))
    assert "notify" in next(each for each in CODEX.check(machine, ACTION) if each.status == "fail").detail
    files.restore(machine, CODEX)
    assert value(path) == {"notify": ["newer"]}


def test_a_setup_takes_a_newer_command_along(machine):
    path = put(machine, MINE)
    install(machine)
    ours = json.dumps(codex_notify.command(machine), ensure_ascii=False)
    path.write_text(path.read_text().replace(ours, '["newer"]'))
    install(machine)
    assert value(path)["notify"] == codex_notify.command(machine)
    assert "exec newer" in codex_notify.bridge_path(machine).read_text()
    files.restore(machine, CODEX)
    assert value(path)["notify"] == ["newer"]


@pytest.mark.parametrize("harm", ["missing", "changed", "mode", "link"])
def test_doctor_names_a_bridge_that_is_not_ours_and_setup_mends_it(machine, harm):
    put(machine, MINE)
    install(machine)
    bridge = codex_notify.bridge_path(machine)
    if harm == "missing":
        bridge.unlink()
    elif harm == "changed":
        bridge.write_text(bridge.read_text() + "echo more\n")
    elif harm == "mode":
        bridge.chmod(0o755)
    else:
        bridge.rename(bridge.with_name("moved"))
        bridge.symlink_to("moved")
    (broken,) = [each for each in CODEX.check(machine, ACTION) if each.status != "pass"]
    assert (broken.label, broken.mend) == ("Notify bridge", "defenseclaw setup codex")
    if harm == "link":
        bridge.unlink()
    install(machine)
    assert {each.status for each in CODEX.check(machine, ACTION)} == {"pass"}


@pytest.mark.parametrize(
    "text", ['notify = "x"\n', "notify = [1]\n", "notify = { a = 1 }\n", "[notify]\na = 1\n"]
)
def test_a_command_codex_could_not_start_is_refused_and_untouched(machine, text):
    path = put(machine, text)
    with pytest.raises(ForeignContent) as caught:
        install(machine)
    assert "notify" in caught.value.message
    assert path.read_text() == text
    assert not machine.data_dir.exists()


@pytest.mark.parametrize("was", ["broken", '"not toml ["', "7", '"1"'])
def test_a_record_that_cannot_be_read_restores_nothing_made_up(machine, was):
    put(machine, MINE)
    install(machine)
    bridge = codex_notify.bridge_path(machine)
    lines = [
        f"# was: {was}" if each.startswith("# was: ") else each for each in bridge.read_text().splitlines()
    ]
    bridge.write_text("\n".join(lines))
    document = Document(CODEX.settings_path(machine).read_bytes())
    codex_notify.uninstall(machine, document)
    assert "notify" not in document.value
