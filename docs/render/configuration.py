"""Keys, files and environment variables."""

from __future__ import annotations

from collections.abc import Iterable

from defenseclaw.config.keys import Key, all_keys
from defenseclaw.config.load import RESTART_ONLY
from defenseclaw.config.paths import DataDir
from docs.render.markdown import block, code, first_sentence, page, table

BOTH = "both programs"
HOOKS = "hook scripts, bridges"
ENVIRONMENT = {
    "DEFENSECLAW_HOME": (BOTH, "Data directory; default `~/.defenseclaw`."),
    "DEFENSECLAW_CONFIG": (BOTH, "Configuration file; default `config.yaml` in the data directory."),
    "DEFENSECLAW_GATEWAY_TOKEN": (
        BOTH,
        "Gateway token. A name in `gateway.token_env` wins over it; the environment wins over `.env`.",
    ),
    "OPENCLAW_GATEWAY_TOKEN": (BOTH, "The same under its older name."),
    "DEFENSECLAW_LLM_KEY": (
        "gateway",
        "Key of the model that judges, unless `llm.api_key_env` names another; wins over `.env`.",
    ),
    "DEFENSECLAW_RUN_ID": ("gateway", "Run id on every row; default: a new one per process."),
    "DEFENSECLAW_JSONL_DISABLE": ("gateway", "`1`: do not write `gateway.jsonl`."),
    "DEFENSECLAW_FAIL_MODE": (
        HOOKS,
        "`closed` in the environment of an agent tightens the fail mode; nothing there loosens it.",
    ),
    "DEFENSECLAW_STRICT_AVAILABILITY": (HOOKS, "`1`, `true` or `yes`: as fail mode `closed`."),
    "DEFENSECLAW_TRUSTED_BIN_PREFIXES": (
        "setup of OmniGent",
        "Directories, joined by `:`, outside of which no `omnigent` executable is believed.",
    ),
    "CLAUDE_CONFIG_DIR": (
        "setup of Claude Code",
        "Where Claude Code keeps `settings.json`; default `~/.claude`.",
    ),
    "OMNIGENT_CONFIG_HOME": (
        "setup of OmniGent",
        "Where OmniGent keeps `config.yaml`; default `~/.omnigent`.",
    ),
    "NO_COLOR": ("`defenseclaw`", "Print without colour."),
}
"""Name → who reads it, what it does."""

_UNSET = {"guardrail.hook_fail_mode": "by mode", "llm.provider": "none"}
"""What stands in for the default of keys that have none and inherit nothing."""

NAMED_FILES = (
    "env_file", "audit_db", "journal", "log_file", "pid_file", "hooks", "backups", "hook_failures",
    "doctor_cache",
)  # fmt: skip
"""Properties of :class:`DataDir` that are files or directories in it."""

_OTHER_FILES = (
    (
        "device.key",
        "Installation key: signs the chain's head, keys every placeholder. "
        "Without it `audit verify` cannot answer.",
    ),
    (
        "hooks/.hook-<connector>.token",
        "The connector's own token; opens its hook route and the inspect routes.",
    ),
    (
        "hooks/.runtime-<connector>.conf",
        "Gateway address and fail mode, as hooks and bridges read them on every call.",
    ),
    (".disabled", "Made by you: hook scripts and bridges then let everything pass, unrecorded."),
)


def pages() -> dict[str, str]:
    """Return ``reference/configuration.md``."""
    sections = [
        f"### {code(name) or 'Top level'}\n\n{table(('Key', 'Type', 'Default', 'Meaning'), map(_row, keys))}"
        for name, keys in _sections(all_keys()).items()
    ]
    variables = [(code(name), who, what) for name, (who, what) in ENVIRONMENT.items()]
    return {
        "reference/configuration.md": page(
            "Configuration",
            "`src/defenseclaw/config/schema.py` and `paths.py`",
            "`~/.defenseclaw/config.yaml` is changed with `defenseclaw config set`, an editor, or "
            "`POST /config/patch`. A valid change takes effect at once; an invalid file is refused whole "
            "and the last good configuration stays. Unknown keys are kept and ignored. What a connector's "
            "section leaves out is inherited from `guardrail`; an own `hilt` section is taken whole.",
            block("guardrail:\n  mode: action\n  connectors:\n    omnigent:\n      mode: observe", "yaml"),
            "## Keys",
            *sections,
            "Keys that wait for a restart: " + ", ".join(map(code, sorted(RESTART_ONLY))) + ".",
            "## Files",
            table(("File", "What it holds"), _files()),
            "Directories are 0700, files 0600, hook scripts 0700.",
            "## Environment variables",
            table(("Variable", "Read by", "Meaning"), variables),
        )
    }


def _sections(keys: Iterable[Key]) -> dict[str, list[Key]]:
    """Return the keys by section, top level first."""
    found: dict[str, list[Key]] = {"": []}
    for key in keys:
        found.setdefault(key.path.rpartition(".")[0], []).append(key)
    return found


def _row(key: Key) -> tuple[str, str, str, str]:
    return code(key.path), key.type, _default(key), key.description


def _default(key: Key) -> str:
    if key.default is None:
        return _UNSET.get(key.path, "inherited")
    if isinstance(key.default, bool):
        return code("true" if key.default else "false")
    return "empty" if key.default in ("", []) else code(str(key.default))


def _files() -> list[tuple[str, str]]:
    data = DataDir.from_env({"HOME": "/home/you"})
    rows = [(code("config.yaml"), "What this page describes.")]
    for name in NAMED_FILES:
        path = getattr(data, name).relative_to(data.root)
        rows.append((code(str(path)), first_sentence(getattr(DataDir, name).__doc__)))
    return rows + [(code(name), text) for name, text in _OTHER_FILES]
