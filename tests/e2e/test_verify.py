"""``defenseclaw verify`` on the real agents: what it says when all is well, and when it is sabotaged."""

from __future__ import annotations

import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.e2e import agents
from tests.e2e.product import Product


@dataclass
class Verified:
    """One report."""

    exit_code: int
    report: dict[str, Any]

    @property
    def outcome(self) -> str:
        return str(self.report["outcome"])

    @property
    def outcomes(self) -> dict[str, str]:
        return {each["subject"]: each["outcome"] for each in self.report["findings"]}


@dataclass
class Machine:
    """A scratch machine with one agent."""

    product: Product
    command: str
    """After ``defenseclaw setup``."""

    def govern(self, *options: str) -> None:
        """Set up, and wait for the gateway to take it up: what it writes then would undo a sabotage."""
        self.product.init()
        self.product.start()
        self.product.cli("setup", self.command, *options, "--yes")
        deadline = time.monotonic() + 20
        done = ("config-update", "defenseclaw")
        while done not in {(row["action"], row["actor"]) for row in self.product.rows()}:
            assert time.monotonic() < deadline, "the gateway did not take the setup up"
            time.sleep(0.05)

    def verify(self, *options: str, env: dict[str, str] | None = None) -> Verified:
        done = self.product.cli("verify", self.command, *options, "--json", code=None, env=env or {})
        assert done.stdout, done.stderr
        (report,) = json.loads(done.stdout)["verified"]
        return Verified(done.returncode, report)


def state(product: Product) -> set[str]:
    """Every file and directory below HOME that is not ours."""
    return {
        str(path.relative_to(product.home))
        for path in product.home.rglob("*")
        if not path.is_relative_to(product.data)
    }


def strays(product: Product) -> list[str]:
    """Processes that were started on this machine and are still there."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = place.read_bytes()
        except OSError:
            continue
        if b"DC_VERIFY_RUN=" in environment and str(product.home).encode() in environment:
            found.append((place.parent / "cmdline").read_text())
    return found


def spoil_token(product: Product, connector: str) -> None:
    """The token the hook sends is another than the gateway's."""
    curl = product.data / "hooks" / f".curl-{connector}.conf"
    spoilt = re.sub(r"Bearer [0-9a-f]{64}", "Bearer " + "0" * 64, curl.read_text())
    assert spoilt != curl.read_text()
    curl.write_text(spoilt)


ALL = {"tool call", "tool call of a sub-agent", "tool result", "prompt"}


class Verification(ABC):
    """What holds for every agent that can be verified; one class per agent below."""

    command: ClassVar[str]
    """After ``defenseclaw setup``."""
    name: ClassVar[str]
    """Of the connector."""
    title: ClassVar[str]
    version: ClassVar[str]
    """As the lock file pins it."""
    script: ClassVar[str]
    """Name of its hook script."""
    before_call: ClassVar[str]
    project_can_shadow: ClassVar[bool] = True
    """Whether a project's settings can keep the agent from calling its user's hooks."""

    @abstractmethod
    def executables(self) -> Path:
        """Return the directory the agent's executable is in."""

    @abstractmethod
    def settings(self, product: Product) -> Path:
        """Return the file that holds our entries."""

    @abstractmethod
    def take_out(self, product: Product, event: str | None) -> None:
        """Remove our entry of an event from the agent's settings, or all of them."""

    @abstractmethod
    def switch_off(self, product: Product) -> None:
        """Switch hooks off in the user's own settings."""

    @abstractmethod
    def shadow(self, product: Product) -> None:
        """Switch hooks off in the project's settings."""

    def prepare(self, product: Product) -> None:
        """Write what an operator of this agent would have; by default nothing."""
        del product

    @pytest.fixture
    def machine(self, tmp_path: Path) -> Iterator[Machine]:
        product = Product(tmp_path / "a machine", agent_path=(self.executables(),))
        self.prepare(product)
        yield Machine(product, self.command)
        product.stop()

    @pytest.fixture
    def action(self, machine: Machine) -> Machine:
        machine.govern("--mode", "action")
        return machine

    @pytest.mark.cell("verify")
    def test_in_action_mode_everything_is_enforced(self, action: Machine) -> None:
        verified = action.verify()
        assert verified.outcomes == dict.fromkeys(ALL, "enforced"), verified.report
        assert (verified.exit_code, verified.outcome) == (0, "enforced")
        assert verified.report["agent_version"] == self.version
        assert strays(action.product) == []

    @pytest.mark.cell("verify")
    def test_in_observe_mode_everything_is_observed(self, machine: Machine) -> None:
        machine.govern()
        verified = machine.verify()
        assert verified.outcomes == dict.fromkeys(ALL, "observed"), verified.report
        assert (verified.exit_code, verified.outcome) == (0, "observed")

    @pytest.mark.cell("verify")
    def test_nothing_of_the_run_is_left(self, action: Machine) -> None:
        action.verify()  # the first run of an agent leaves its own first-run files
        before, settings = state(action.product), self.settings(action.product).read_bytes()
        temporary = set(Path("/tmp").glob("defenseclaw-verify-*"))
        action.verify()
        assert {each for each in state(action.product) - before if "backup" not in each} == set()
        assert self.settings(action.product).read_bytes() == settings
        assert set(Path("/tmp").glob("defenseclaw-verify-*")) <= temporary

    @pytest.mark.cell("verify")
    def test_it_is_shown_until_something_changes(self, action: Machine) -> None:
        action.verify()
        shown = {each["name"]: each["verified"] for each in action.product.cli_json("status")["connectors"]}
        assert (shown[self.name]["outcome"], shown[self.name]["holds"]) == ("enforced", True)
        assert f"agent {self.version}: enforced" in action.product.cli("status").stdout
        script = action.product.data / "hooks" / f"{self.script}.sh"
        script.write_text(script.read_text() + "# changed\n")
        assert "not verified since" in action.product.cli("status").stdout
        assert "not verified since" in action.product.cli("doctor", code=None).stdout

    def remove_all(self, product: Product) -> tuple[str, ...]:
        self.take_out(product, None)
        return ()

    def remove_one(self, product: Product) -> tuple[str, ...]:
        self.take_out(product, self.before_call)
        return ()

    def pass_all(self, product: Product) -> tuple[str, ...]:
        (product.data / "hooks" / f"{self.script}.sh").write_text("#!/bin/sh\ncat >/dev/null\nexit 0\n")
        return ()

    def refuse_all(self, product: Product) -> tuple[str, ...]:
        script = "#!/bin/sh\ncat >/dev/null\necho no >&2\nexit 2\n"
        (product.data / "hooks" / f"{self.script}.sh").write_text(script)
        return ()

    def disable(self, product: Product) -> tuple[str, ...]:
        self.switch_off(product)
        return ()

    def wrong_token(self, product: Product) -> tuple[str, ...]:
        spoil_token(product, self.name)
        return ()

    @pytest.mark.cell("verify")
    @pytest.mark.parametrize(
        ("sabotage", "fail_mode"),
        [
            (remove_all, "closed"),
            (remove_one, "closed"),
            (pass_all, "closed"),
            (refuse_all, "closed"),
            (disable, "closed"),
            # The hook cannot ask: one refuses everything by itself, the other lets everything pass.
            (wrong_token, "closed"),
            (wrong_token, "open"),
        ],
        ids=lambda each: each if isinstance(each, str) else each.__name__.replace("_", "-"),
    )
    def test_sabotaged_it_is_not_enforced(
        self, machine: Machine, sabotage: Callable[..., tuple[str, ...]], fail_mode: str
    ) -> None:
        machine.govern("--mode", "action", "--fail-mode", fail_mode)
        verified = machine.verify(*sabotage(self, machine.product))
        assert (verified.exit_code, verified.outcome) == (1, "not enforced"), verified.report
        assert verified.outcomes["tool call"] == "not enforced"
        assert verified.report["causes"]

    @pytest.mark.cell("verify")
    def test_shadowed_by_a_project_file_it_is_not_enforced(self, action: Machine) -> None:
        self.shadow(action.product)
        verified = action.verify("--project", str(action.product.project))
        if not self.project_can_shadow:
            assert (verified.exit_code, verified.outcome) == (0, "enforced"), verified.report
            return
        assert (verified.exit_code, verified.outcome) == (1, "not enforced"), verified.report
        assert verified.outcomes["tool call"] == "not enforced"
        assert verified.report["causes"]


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    change(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def without(event: str | None) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["hooks"].pop(event) if event else content.pop("hooks")


@pytest.mark.agent("claude-code")
class TestClaudeCode(Verification):
    """Claude Code, with settings of its user that would lead the agent elsewhere."""

    command, name, title = "claude-code", "claudecode", "Claude Code"
    version, script, before_call = "2.1.197", "claude-code-hook", "PreToolUse"

    def executables(self) -> Path:
        return agents.claude_code()

    def settings(self, product: Product) -> Path:
        return product.home / ".claude" / "settings.json"

    def prepare(self, product: Product) -> None:
        elsewhere = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "theirs"}
        edit_json(self.settings(product), lambda content: content.update(env=elsewhere))

    def take_out(self, product: Product, event: str | None) -> None:
        edit_json(self.settings(product), without(event))

    def switch_off(self, product: Product) -> None:
        edit_json(self.settings(product), lambda content: content.update(disableAllHooks=True))

    def shadow(self, product: Product) -> None:
        own = product.project / ".claude" / "settings.local.json"
        edit_json(own, lambda content: content.update(disableAllHooks=True))

    def test_the_users_environment_leads_nowhere_else(self, action: Machine) -> None:
        env = {"ANTHROPIC_API_KEY": "theirs-too", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
        env |= {"HTTPS_PROXY": "http://127.0.0.1:9", "CLAUDE_CODE_USE_BEDROCK": "1"}
        verified = action.verify(env=env)
        assert (verified.outcome, verified.report["refused_hosts"]) == ("enforced", [])

    def test_without_a_gateway_there_is_nothing_to_prove(self, action: Machine) -> None:
        action.product.stop()
        done = action.product.cli("verify", "claude-code", code=1)
        assert "the gateway is not running, so nothing is enforced" in done.stderr


@pytest.mark.agent("codex")
class TestCodex(Verification):
    """Codex, whose hooks count only with the trust that setup wrote."""

    command, name, title = "codex", "codex", "Codex"
    version, script, before_call = "0.169.0", "codex-hook", "PreToolUse"

    def executables(self) -> Path:
        return agents.codex()

    def settings(self, product: Product) -> Path:
        return product.home / ".codex" / "config.toml"

    def prepare(self, product: Product) -> None:
        self.settings(product).parent.mkdir()
        self.settings(product).write_text(
            'model_provider = "theirs"  # a real one\n'
            '[model_providers.theirs]\nname = "theirs"\nbase_url = "http://127.0.0.1:9/v1"\n'
            f'[projects."{product.project}"]\ntrust_level = "trusted"\n'
        )

    def take_out(self, product: Product, event: str | None) -> None:
        name = re.escape(event) if event else r"\w+"
        text = self.settings(product).read_text()
        # A table ends where the next one begins, which is not its own.
        cut = re.sub(rf"(?ms)^\[\[hooks\.{name}\]\]$.*?(?=^\[(?!\[hooks\.{name}[.\]])|\Z)", "", text)
        assert cut != text
        self.settings(product).write_text(cut)

    def switch_off(self, product: Product) -> None:
        self.settings(product).write_text(
            self.settings(product).read_text() + "\n[features]\nhooks = false\n"
        )

    def shadow(self, product: Product) -> None:
        own = product.project / ".codex" / "config.toml"
        own.parent.mkdir()
        own.write_text("[features]\nhooks = false\n")


@pytest.mark.agent("copilot")
class TestCopilot(Verification):
    """Copilot, in its offline mode."""

    command, name, title = "copilot", "copilot", "GitHub Copilot CLI"
    version, script, before_call = "1.0.102", "copilot-hook", "preToolUse"
    project_can_shadow = False

    def executables(self) -> Path:
        return agents.copilot()

    def settings(self, product: Product) -> Path:
        return product.home / ".copilot" / "hooks" / "defenseclaw.json"

    def take_out(self, product: Product, event: str | None) -> None:
        edit_json(self.settings(product), without(event))

    def switch_off(self, product: Product) -> None:
        edit_json(self.settings(product), lambda content: content.update(disableAllHooks=True))

    def shadow(self, product: Product) -> None:
        own = product.project / ".github" / "copilot" / "settings.json"
        edit_json(own, lambda content: content.update(disableAllHooks=True))


@pytest.mark.agent("gemini-cli")
class TestGeminiCli(Verification):
    """Gemini CLI, whose user signs in with a key."""

    command, name, title = "gemini-cli", "geminicli", "Gemini CLI"
    version, script, before_call = "0.61.0", "geminicli-hook", "BeforeTool"

    def executables(self) -> Path:
        return agents.gemini()

    def settings(self, product: Product) -> Path:
        return product.home / ".gemini" / "settings.json"

    def prepare(self, product: Product) -> None:
        auth = {"auth": {"selectedType": "gemini-api-key"}}
        edit_json(self.settings(product), lambda content: content.update(security=auth))

    def take_out(self, product: Product, event: str | None) -> None:
        edit_json(self.settings(product), without(event))

    def switch_off(self, product: Product) -> None:
        off = {"enabled": False}
        edit_json(self.settings(product), lambda content: content.update(hooksConfig=off))

    def shadow(self, product: Product) -> None:
        off = {"enabled": False}
        own = product.project / ".gemini" / "settings.json"
        edit_json(own, lambda content: content.update(hooksConfig=off))

    def test_in_somebodys_project_another_sign_in_is_left_alone(self, action: Machine) -> None:
        auth = {"auth": {"selectedType": "oauth-personal"}}
        edit_json(self.settings(action.product), lambda content: content.update(security=auth))
        done = action.product.cli("verify", "gemini-cli", "--project", str(action.product.project), code=1)
        assert "cannot be verified here" in done.stderr


class Short(ABC):
    """The slower agents: enforced, and what a sabotage does."""

    command: ClassVar[str]
    everything: ClassVar[set[str]] = ALL

    @abstractmethod
    def executables(self) -> Path:
        """Return the directory the agent's executable is in."""

    @abstractmethod
    def take_out(self, product: Product) -> None:
        """Take our hooks away."""

    @pytest.fixture
    def action(self, tmp_path: Path) -> Iterator[Machine]:
        machine = Machine(Product(tmp_path / "a machine", agent_path=(self.executables(),)), self.command)
        machine.govern("--mode", "action")
        yield machine
        machine.product.stop()

    @pytest.mark.cell("verify")
    def test_everything_is_enforced_until_the_hooks_are_gone(self, action: Machine) -> None:
        verified = action.verify()
        assert verified.outcomes == dict.fromkeys(self.everything, "enforced"), verified.report
        assert strays(action.product) == []
        self.take_out(action.product)
        assert (again := action.verify()).outcome == "not enforced", again.report


@pytest.mark.agent("opencode")
class TestOpenCode(Short):
    command = "opencode"

    def executables(self) -> Path:
        return agents.opencode()

    def take_out(self, product: Product) -> None:
        (plugin,) = (product.home / ".config" / "opencode").rglob("defenseclaw.js")
        plugin.write_text("export const Nothing = async () => ({})\n")


@pytest.mark.agent("openhands")
class TestOpenHands(Short):
    """It lets nobody replace a result; sub-agents are not tried."""

    command = "openhands"
    everything: ClassVar[set[str]] = {"tool call", "prompt"}

    def executables(self) -> Path:
        return agents.openhands()

    def take_out(self, product: Product) -> None:
        (product.home / ".openhands" / "hooks.json").write_text("{}")


@pytest.mark.agent("hermes")
class TestHermes(Short):
    command = "hermes"

    def executables(self) -> Path:
        return agents.hermes()

    def take_out(self, product: Product) -> None:
        config = product.home / ".hermes" / "config.yaml"
        config.write_text(config.read_text().replace("defenseclaw", "nobody"))

    def test_the_provider_of_the_run_is_not_kept(self, action: Machine) -> None:
        action.verify()
        assert "127.0.0.1" not in (action.product.home / ".hermes" / "auth.json").read_text()
