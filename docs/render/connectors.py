"""What each connector can see and stop, from the registry."""

from __future__ import annotations

from pathlib import Path

from defenseclaw.connectors.base import Connector, Host, built_in, registry
from defenseclaw.vocabulary import Abilities
from docs.render.markdown import code, page, table

HOME = Path("/home/you")


def pages() -> dict[str, str]:
    """Return ``reference/connectors.md``."""
    connectors = list(registry().values())
    rows = [
        (_linked(each), code(each.name),
         code(f"defenseclaw setup {each.command_name}"), code(each.enforcement_surface), each.description)
        for each in connectors
    ]  # fmt: skip
    return {
        "reference/connectors.md": page(
            "Connectors",
            "the connectors' own descriptors (`src/defenseclaw/connectors/`)",
            table(("Agent", "Name", "Command", "Enforcement surface", "How"), rows),
            "*Stop*: the event can be refused. *Ask*: the agent can park it and ask a person. *Replace*: the "
            "model can be shown another result. *Confirm without an ask*: what `confirm` becomes where "
            "nobody can be asked. Listed are the events each connector can act on; which of them its setup "
            "hooks is on the agent's own page.",
            *map(_section, connectors),
        )
    }


def _linked(connector: Connector) -> str:
    """A connector of another distribution has its page there."""
    if connector.name not in built_in():
        return connector.title
    return f"[{connector.title}](../connectors/{connector.command_name}.md)"


def _section(connector: Connector) -> str:
    rows = []
    for event in sorted(connector.block_events | connector.ask_events | connector.replace_events):
        kind = connector.kind_of(event)
        able = connector.abilities(event, kind)
        rows.append((code(event), code(kind), *_ticks(able), code(able.unasked)))
    host = Host(home=HOME, data_dir=HOME / ".defenseclaw", env={"PATH": "/usr/bin"})
    files = ", ".join(code(path.replace(str(HOME), "~")) for path in connector.protected_paths(host))
    closed = "yes" if connector.supports_fail_closed else "only in part"
    return "\n\n".join(
        [
            f"## {connector.title}",
            table(("Event", "Kind", "Stop", "Ask", "Replace", "Confirm without an ask"), rows),
            table(
                ("", ""),
                [
                    ("Hook route", code(f"POST {connector.hook_path}")),
                    ("Files an agent must not change", files),
                    ("Fail mode `closed` is honoured", closed),
                    ("Also called", ", ".join(map(code, connector.aliases)) or "-"),
                ],
            ),
        ]
    )


def _ticks(able: Abilities) -> tuple[str, str, str]:
    stop, ask, replace = ("yes" if each else "-" for each in (able.can_block, able.can_ask, able.can_replace))
    return stop, ask, replace
