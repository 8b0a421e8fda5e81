"""Agents' own telemetry: what the routes will take, never over somebody else's, gone without a trace."""

from __future__ import annotations

import json
import tomllib

import pytest

from defenseclaw.connectors import disk, files, otlp, runtime
from defenseclaw.connectors.base import SetupOptions, registry
from defenseclaw.errors import SetupError
from defenseclaw.gateway.routing import all_routes

ON, OFF = SetupOptions(native_otlp=True), SetupOptions()
PROGRAMS = {
    "claudecode": ("claude", "2.1.200"),
    "codex": ("codex", "0.169.0"),
    "geminicli": ("gemini", "0.61.0"),
}
PLACES = {
    "claudecode": (".claude", "settings.json"),
    "codex": (".codex", "config.toml"),
    "geminicli": (".gemini", "settings.json"),
}
THEIRS = {
    "claudecode": '{"model": "large", "env": {"MINE": "1", "OTEL_LOG_USER_PROMPTS": "1"}}\n',
    "codex": 'model = "large"\n',
    "geminicli": '{"theme": "dark"} // mine\n',
}
CLASHES = {
    "claudecode": '{"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example"}}',
    "codex": '[otel]\nenvironment = "prod"\n',
    "geminicli": '{"telemetry": {"enabled": false}}',
}
EACH = pytest.mark.parametrize("name", sorted(PROGRAMS))
URL = "http://127.0.0.1:18970"


class Agent:
    def __init__(self, host, executable, name):
        self.host, self.connector = host, registry()[name]
        executable(PROGRAMS[name][0], f"echo {PROGRAMS[name][1]}")
        self.path = host.home.joinpath(*PLACES[name])

    def put(self, text):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(text)
        self.path.chmod(0o600)

    def plan(self, options=ON):
        return self.connector.plan_setup(self.host, options)

    def install(self, options=ON):
        return files.apply(self.host, self.connector, self.plan(options))

    @property
    def token(self):
        return runtime.read_token_file(
            otlp.token_path(self.host, self.connector.name), self.connector.name, ""
        )

    def value(self):
        text = self.path.read_text()
        return tomllib.loads(text) if self.path.suffix == ".toml" else json.loads(text.replace("// mine", ""))


@pytest.fixture
def agent(host, executable):
    return lambda name: Agent(host, executable, name)


def test_the_switch_follows_the_routes():
    """Whoever adds the routes turns the switch, and whoever turns the switch has added the routes."""
    received = {route.path for route in all_routes() if route.method == "POST"}
    assert otlp.RECEIVED is (set(otlp.ROUTES) <= received)


def test_nobody_is_pointed_at_nothing(monkeypatch):
    monkeypatch.setattr(otlp, "RECEIVED", False)
    with pytest.raises(SetupError, match="no route that receives"):
        otlp.refuse_unreceived()
    monkeypatch.setattr(otlp, "RECEIVED", True)
    otlp.refuse_unreceived()


@EACH
def test_off_by_default(agent, name):
    found = agent(name)
    found.install(OFF)
    assert "otlp" not in found.path.read_text().lower()
    assert found.token is None
    assert "otel" not in found.connector.telemetry(found.host)


def test_claude_code_sends_with_headers(agent):
    found = agent("claudecode")
    found.install()
    environment = found.value()["env"]
    headers = (
        f"authorization=Bearer {found.token},x-defenseclaw-client=claudecode-otel/1.0,"
        "x-defenseclaw-source=claudecode"
    )
    for signal, route in (
        ("", ""),
        ("LOGS_", "/v1/logs"),
        ("METRICS_", "/v1/metrics"),
        ("TRACES_", "/v1/traces"),
    ):
        assert environment.pop(f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL") == "http/json"
        assert environment.pop(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT") == URL + route
        assert environment.pop(f"OTEL_EXPORTER_OTLP_{signal}HEADERS") == headers
    assert environment == {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOG_USER_PROMPTS": "1",
        "OTEL_SERVICE_NAME": "claudecode",
        "OTEL_RESOURCE_ATTRIBUTES": "defenseclaw.connector=claudecode,service.name=claudecode",
    }


def test_codex_sends_with_headers(agent):
    found = agent("codex")
    found.install()

    def exporter(signal):
        headers = {
            "authorization": f"Bearer {found.token}",
            "x-defenseclaw-source": "codex",
            "x-defenseclaw-client": "codex-otel/1.0",
        }
        return {"otlp-http": {"endpoint": f"{URL}/v1/{signal}", "protocol": "json", "headers": headers}}

    assert found.value()["otel"] == {
        "log_user_prompt": True,
        "exporter": exporter("logs"),
        "metrics_exporter": exporter("metrics"),
        "trace_exporter": exporter("traces"),
    }
    assert found.connector.telemetry(found.host) == ("hook", "otel", "notify")


def test_gemini_cli_sends_with_the_token_in_the_path(agent):
    found = agent("geminicli")
    found.install()
    assert found.value()["telemetry"] == {
        "enabled": True,
        "target": "local",
        "useCollector": True,
        "otlpProtocol": "http",
        "logPrompts": True,
        "otlpEndpoint": f"{URL}/otlp/geminicli/{found.token}",
    }


@EACH
def test_the_token_is_its_own_private_and_kept(agent, name):
    found = agent(name)
    found.install()
    assert found.token != runtime.read_token(found.host, name)
    assert disk.look(otlp.token_path(found.host, name)).mode == 0o600
    before = found.path.read_bytes()
    assert found.install() == ()
    assert found.path.read_bytes() == before


@EACH
@pytest.mark.parametrize("theirs", [None, "THEIRS"])
def test_a_removal_leaves_no_trace(agent, name, theirs, tree):
    found = agent(name)
    if theirs:
        found.put(THEIRS[name])
    before = tree(found.host.home)
    found.install()
    files.restore(found.host, found.connector)
    after = {
        path: each for path, each in tree(found.host.home).items() if not path.startswith(".defenseclaw")
    }
    assert after == before
    assert found.token is None


@EACH
def test_an_edited_file_is_cleaned_of_ours_alone(agent, name):
    found = agent(name)
    found.put(THEIRS[name])
    theirs = found.value()
    found.install()
    text = found.path.read_text()
    found.path.write_text(text.replace('"large"', '"small"').replace('"dark"', '"light"'))
    files.restore(found.host, found.connector)
    changed = {key: {"large": "small", "dark": "light"}.get(str(each), each) for key, each in theirs.items()}
    assert found.value() == changed


@EACH
def test_what_somebody_changed_in_ours_stays(agent, name):
    found = agent(name)
    found.install()
    changes = {
        "claudecode": ('"OTEL_SERVICE_NAME": "claudecode"', '"OTEL_SERVICE_NAME": "mine"'),
        "codex": ("log_user_prompt = true", 'log_user_prompt = false\nenvironment = "mine"'),
        "geminicli": ('"logPrompts": true', '"logPrompts": false'),
    }
    text = found.path.read_text()
    assert changes[name][0] in text
    found.path.write_text(text.replace(*changes[name]))
    files.restore(found.host, found.connector)
    left = {
        "claudecode": {"env": {"OTEL_SERVICE_NAME": "mine"}},
        "codex": {"otel": {"log_user_prompt": False, "environment": "mine"}},
        "geminicli": {"telemetry": {"logPrompts": False}},
    }
    assert found.value() == left[name]


@EACH
def test_switched_off_again_it_goes_and_the_hooks_stay(agent, name):
    found = agent(name)
    found.put(THEIRS[name])
    found.install()
    found.install(OFF)
    assert "otlp" not in found.path.read_text().lower()
    assert found.token is None
    assert found.connector.detect(found.host).configured
    files.restore(found.host, found.connector)
    assert found.path.read_text() == THEIRS[name]


@EACH
def test_an_operators_own_telemetry_stays_and_is_said(agent, name):
    found = agent(name)
    found.put(CLASHES[name])
    (warning,) = found.plan().warnings
    assert "telemetry settings of its own" in warning
    found.install()
    value = found.value()
    kept = json.loads(CLASHES[name]) if name != "codex" else tomllib.loads(CLASHES[name])
    assert {key: value[key] for key in kept} == kept
    assert found.token is None


@EACH
def test_a_moved_gateway_and_a_lost_token_are_followed(agent, name):
    from msgspec.structs import replace

    found = agent(name)
    found.install()
    otlp.token_path(found.host, name).unlink()
    found.host = replace(found.host, api_address="127.0.0.1:19001")
    found.install()
    text = found.path.read_text()
    assert "18970" not in text
    assert found.token in text
    files.restore(found.host, found.connector)
    assert not found.path.exists()


@EACH
def test_a_file_others_can_read_is_said(agent, name):
    found = agent(name)
    found.put(THEIRS[name])
    found.path.chmod(0o644)
    (warning,) = found.plan().warnings
    assert "chmod 600" in warning
    assert found.plan(OFF).warnings == ()
