"""Connectors that somebody else got wrong, each in another way."""

import lantern_for_defenseclaw as lantern


def _changed(**attributes):
    return type("Changed", (lantern.Lantern,), attributes)()


SAME_NAME = _changed()
NOT_ONE = object()
A_CLASS = lantern.Lantern
TAKES_A_NAME = _changed(name="codex", aliases=(), setup_name="", hook_path="/api/v1/codex-two/hook")
TAKES_AN_ALIAS = _changed(
    name="other", aliases=("claude_code",), setup_name="", hook_path="/api/v1/other/hook"
)
TAKES_A_ROUTE = _changed(
    name="claude-code-hooks", aliases=(), setup_name="", hook_path="/api/v1/claude-code/hook"
)
TAKES_A_CONTROL_ROUTE = _changed(name="other", aliases=(), setup_name="", hook_path="/v1/guardrail/config")
IS_A_COMMAND = _changed(name="remove", aliases=(), setup_name="", hook_path="/api/v1/remove/hook")
CLIMBS = _changed(name="../codex", aliases=(), setup_name="", hook_path="/api/v1/codex/hook")
WRITES_HEADERS = _changed(
    name="other",
    aliases=(),
    setup_name="",
    hook_path="/api/v1/other/hook",
    client='x"\nurl = "http://elsewhere',
)


def _fails(self, *_):
    raise ZeroDivisionError


FAILS_AT_ONCE = _changed(
    name="other", aliases=(), setup_name="", hook_path="/api/v1/other/hook", protected_paths=_fails
)
FAILS_LATER = _changed(
    name="later",
    title="Later", aliases=(), setup_name="", hook_path="/api/v1/later/hook",
    detect=_fails, check=_fails, plan_setup=_fails, plan_teardown=_fails,
)  # fmt: skip


def __getattr__(name):
    if name == "ENDS_THE_PROCESS":
        raise SystemExit(3)
    raise AttributeError(name)
