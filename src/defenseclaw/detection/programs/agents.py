"""Agents' own command lines, and ours: what switches off checks, allows or approves."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Program, grammar

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


def _monitor(act: Act) -> None:
    """Describe the shim of our checks that ``install-shims`` puts beside a skill."""
    if act.operand(0).lower() == "kill-switch" and act.operand(1).lower() != "check":
        act.does("config_change", "policy_bypass")
        act.is_("self_control")


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
    if _is_without_hooks(act):
        act.does("policy_bypass")
        act.is_("agent_control", "agent_unguarded")


_ALL_HOOKS_OFF: Final = re.compile(r"disableallhooks\W{1,16}true", re.IGNORECASE)
_CODEX_OVERRIDE: Final = re.compile(
    r"(?:profiles\.[\w-]+\.)?features(?:\.(?:codex_)?hooks=false|=\{.*\b(?:codex_)?hooks=false)"
    r"|hooks[.=]|allow_managed_hooks_only=true"
)
_ODD: Final = re.compile(r"[\s\"']")
_NO_HOOKS: Final[dict[str, tuple[str, ...]]] = {
    "claude": ("--bare",),
    "codex": ("--ignore-user-config",),
    "opencode": ("--pure",),
    "hermes": ("--safe-mode", "--ignore-user-config"),
}
"""Options with which an agent reads no hooks of its user."""
_SUBCOMMANDS: Final[dict[str, frozenset[tuple[str, ...]]]] = {
    "codex": frozenset({("features", "disable", "hooks"), ("features", "disable", "codex_hooks")}),
    "gemini": frozenset({("hooks", "disable-all")}),
}


def _is_without_hooks(act: Act) -> bool:
    """Whether an agent is started, or told to start from now on, without the hooks of its user."""
    program = act.program
    if act.has("--no-hooks", *_NO_HOOKS.get(program, ())):
        return True
    if any(_ALL_HOOKS_OFF.search(value) for value in (*act.all("--settings"), " ".join(act.operands[:8]))):
        return program != "claude" or act.has("--settings") or act.operand(0) == "config"
    if program == "claude":
        return any("user" not in value.lower() for value in act.all("--setting-sources"))
    if tuple(word.lower() for word in act.operands[:3]) in _SUBCOMMANDS.get(program, ()):
        return True
    if program == "codex":
        given = (_ODD.sub("", value).lower() for value in act.all("-c"))
        off = {value.lower() for value in act.all("--disable")}
        return any(map(_CODEX_OVERRIDE.match, given)) or not off.isdisjoint({"hooks", "codex_hooks"})
    if program == "gemini":
        return tuple(act.operands[:2]) == ("hooks", "disable") and act.has("--all")
    return program == "copilot" and act.has("--config-dir")


_OURS: Final = grammar(
    "--connector= --mode= --fail-mode= --value= --min-severity= --reason= --format= --workspace= "
    "-n,--limit= --disable --fix --reveal "
    "--show-values --yes,-y --json --force"
)

_OTHERS: Final = (
    "-p= -m,--model= -s,--sandbox= -a,--ask-for-approval= -c,--config= --permission-mode= "
    "--approval-mode= -y -C="
)
_AGENTS: Final[dict[str, str]] = {
    # Of Claude Code -p and -c take no value: what follows is the next option or the prompt.
    "claude": "-p,--print -c,--continue --model= --settings= --setting-sources= --permission-mode= "
    "--add-dir= --system-prompt= --append-system-prompt= --output-format= --input-format= --mcp-config= "
    "--agents= --session-id= --allowedTools= --disallowedTools= --tools= --fallback-model= --max-turns=",
    "codex": "-c,--config= -p,--profile= -m,--model= -s,--sandbox= -a,--ask-for-approval= -C,--cd= "
    "-i,--image= --enable= --disable= --add-dir= -o,--output-last-message= --output-schema= --color=",
    "gemini": "-p,--prompt= -i,--prompt-interactive= -m,--model= --approval-mode= -e,--extensions= "
    "-o,--output-format= --include-directories= -r,--resume= -y,--yolo -s,--sandbox -d,--debug --all",
    "copilot": "-p,--prompt= --model= --agent= --config-dir= --add-dir= --allow-tool= --deny-tool= "
    "--log-dir= --resume=",
    "opencode": "-m,--model= -s,--session= --agent= --prompt= -f,--file= --port= --hostname= -c,--continue",
    "openhands": "-t,--task= -f,--file= --resume=",
    "hermes": "-p,--profile= -m,--model= -q,--query= -z= -t,--toolsets= -s,--skills= --provider= "
    "-r,--resume=",
    "omnigent": "--config= --model= -m=",
    **dict.fromkeys(
        ("cursor-agent", "aider", "goose", "amp", "qwen", "q", "windsurf", "droid", "crush", "agy"), _OTHERS
    ),
}
"""Agents → their options, as far as they matter."""

PROGRAMS: Final[dict[str, Program]] = {
    "defenseclaw": Program(_OURS, _ours),
    "defenseclaw-gateway": Program(_OURS, _ours),
    "runtime-monitor.sh": Program(grammar(), _monitor),
    "openclaw": Program(grammar("--json --profile="), _openclaw),
    "clawhub": Program(grammar(), _skill_hub),
    **{name: Program(grammar(spec), _agent) for name, spec in _AGENTS.items()},
}
