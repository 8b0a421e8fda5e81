"""Agents' own command lines, and ours: what switches off checks, allows or approves."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Program, grammar

_READ_ONLY: Final = frozenset(
    {"status", "version", "health", "alerts", "doctor", "explain", "tui", "help", "skill", "mcp", "tool"}
)
_CONTROL: Final = frozenset(
    [
        "uninstall",
        "reset",
        "approve",
        "allow",
        "disable",
        "stop",
        "restart",
        "remove",
        "teardown",
        "unblock",
        "dismiss",
        "rotate-token",
        "fail-mode",
        "off",
        "kill",
        "acknowledge",
        "prune",
        "set",
        "unset",
        "patch",
        "edit",
        "activate",
        "clear",
        "restore",
        "deactivate",
        "revoke",
        "quarantine",
        "block",
        "upgrade",
    ]
)
_CONTROL_GROUPS: Final = frozenset(
    {"setup", "init", "quickstart", "approvals", "approval", "settings", "upgrade", "uninstall", "reset"}
)
_QUIET: Final = frozenset(
    {
        "list",
        "show",
        "status",
        "check",
        "path",
        "validate",
        "test",
        "info",
        "ls",
        "list-packs",
        "validate-pack",
    }
)


def _ours(act: Act) -> None:
    """Describe ``defenseclaw``: reading is fine, changing protection is not the agent's to do."""
    words = [word.lower() for word in act.operands if not word.startswith("-")]
    if not words:
        if act.program.endswith("gateway"):
            act.is_("service_start")
        return
    group = words[0]
    if group == "keys" and act.has("--show-values"):
        act.does("credential_read")
        act.is_("secret_value", "self_control")
        return
    if group == "config" and act.has("--reveal"):
        act.does("credential_read")
        act.is_("secret_value", "self_control")
        return
    if len(words) > 1 and words[1] in _QUIET and not act.has("--disable", "--fix"):
        return
    changes = (
        group in _CONTROL_GROUPS
        or group in _CONTROL
        or any(word in _CONTROL for word in words[1:3])
        or act.has("--disable", "--fix", "--force-off")
        or (group == "guardrail" and len(words) > 1)
        or (group in ("keys", "policy", "registry") and len(words) > 1)
    )
    if changes:
        act.does("config_change", "policy_bypass")
        act.is_("self_control")
        if group in ("uninstall",):
            act.is_("self_uninstall")
        if "stop" in words[:2] or "restart" in words[:2] or group == "reset":
            act.is_("self_stop")


def _openclaw(act: Act) -> None:
    words = [word.lower() for word in act.operands]
    text = " ".join(words[:3])
    if re.match(
        r"(?:plugins? (?:disable|uninstall|remove)|config (?:set|unset|patch)|approvals? (?:resolve|"
        r"set|allow\w*|approve)|exec-policy|"
        r"gateway (?:stop|restart|uninstall)|hooks? (?:disable|remove)|sandbox (?:off|disable))",
        text,
    ):
        act.does("config_change", "policy_bypass")
        act.is_("agent_control")
        if any("defenseclaw" in word for word in words):
            act.is_("self_control")
    elif re.match(r"skills? (?:install|update|sync|add)", text):
        act.does("fetch", "write")
        act.is_("package_install")


def _skill_hub(act: Act) -> None:
    if act.operand(0) in ("install", "update", "sync", "add"):
        act.does("fetch", "write")
        act.is_("package_install")


def _agent(act: Act) -> None:
    """Describe agents' command lines: flags that start them without their checks."""
    words = [word.lower() for word in act.words]
    flags = {word.partition("=")[0] for word in words}
    text = " ".join(words)
    bypass = bool(
        flags
        & {
            "--dangerously-skip-permissions",
            "--allow-dangerously-skip-permissions",
            "--yolo",
            "-y!",
            "--dangerously-bypass-approvals-and-sandbox",
            "--dangerously-bypass-hook-trust",
            "--allow-all-tools",
            "--yes-always",
            "--trust-all-tools",
            "--dangerously-allow-all",
            "--always-approve",
            "--auto-approve-all",
        }
        or re.search(
            r"--permission-mode[ =]bypasspermissions|--approval-mode[ =]yolo|"
            r"\"?defaultmode\"?\s*:\s*\"bypasspermissions",
            text,
        )
        or (
            re.search(
                r"(?:--sandbox|-s)[ =]danger-full-access|sandbox_mode\s*=\s*\"?danger-full-access", text
            )
            and re.search(r"(?:--ask-for-approval|-a)[ =]never|approval_policy\s*=\s*\"?never", text)
        )
    )
    if not bypass and act.program == "gemini" and "-y" in flags:
        bypass = True
    if bypass:
        act.does("policy_bypass", "execute")
        act.is_("agent_bypass")
    if re.match(
        r"(?:mcp (?:add|remove|add-json)|plugins? (?:install|disable|uninstall|remove)|config set|"
        r"hooks? \w+)",
        text,
    ):
        act.does("config_change")
        act.is_("agent_control")
        if "defenseclaw" in text:
            act.is_("self_control")
    if re.search(
        r"disableallhooks\W{1,16}true|--no-hooks|--bare\b|hooks\.enabled=false|features\.hooks=false|"
        r"--setting-sources[ =](?!\S*user)",
        text,
    ):
        act.does("policy_bypass")
        act.is_("agent_control", "self_control")


_OURS: Final = grammar(
    "--connector= --mode= --fail-mode= --value= --min-severity= --reason= --format= --workspace= "
    "-n,--limit= --disable --fix --reveal "
    "--show-values --yes,-y --json --force"
)

PROGRAMS: Final[dict[str, Program]] = {
    "defenseclaw": Program(_OURS, _ours),
    "defenseclaw-gateway": Program(_OURS, _ours),
    "openclaw": Program(grammar("--json --profile="), _openclaw),
    "clawhub": Program(grammar(), _skill_hub),
    **{
        name: Program(
            grammar(
                "-p= -m,--model= -s,--sandbox= -a,--ask-for-approval= -c,--config= "
                "--permission-mode= --approval-mode= -y -C="
            ),
            _agent,
        )
        for name in (
            "claude",
            "codex",
            "gemini",
            "copilot",
            "cursor-agent",
            "opencode",
            "openhands",
            "hermes",
            "aider",
            "goose",
            "amp",
            "qwen",
            "q",
            "windsurf",
            "droid",
            "crush",
            "agy",
        )
    },
}
