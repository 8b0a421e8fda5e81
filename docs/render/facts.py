"""What conditions see: the fields of facts and the closed words in them."""

from __future__ import annotations

from defenseclaw.detection import terms
from defenseclaw.detection.facts import Command, Facts, Flow, NetworkFact, PathFact, Redirect
from defenseclaw.detection.secrets import VALIDATORS
from docs.render.markdown import anchor, code, page, table, words
from docs.render.source import fields_of

COLLECTIONS = {
    "commands": Command,
    "paths": PathFact,
    "network": NetworkFact,
    "flows": Flow,
    "redirects (of a command)": Redirect,
}
VOCABULARIES = {
    "operations": terms.OPERATIONS,
    "traits": terms.TRAITS,
    "path classes": terms.PATH_CLASSES,
    "network classes": terms.NETWORK_CLASSES,
    "flow classes": terms.FLOW_CLASSES,
}
_CALL = ("tool", "tool_class", "parse")


def pages() -> dict[str, str]:
    """Return ``reference/facts.md``."""
    call = [(code(each.name), words(each.text)) for each in fields_of(Facts) if each.name in _CALL]
    call.append((code("cwd"), "Working directory the agent claims."))
    sections = [
        f"## {name}\n\n{words(cls.__doc__ or '')}\n\n"
        + table(
            ("Field", "Type", "Meaning"),
            [(code(each.name), code(each.type), words(each.text)) for each in fields_of(cls)],
        )
        for name, cls in COLLECTIONS.items()
    ]
    vocabularies = [
        f"## {name.capitalize()}\n\n"
        + table(("Word", "Meaning"), [(code(word), words(text)) for word, text in vocabulary.items()])
        for name, vocabulary in VOCABULARIES.items()
    ]
    index = ", ".join(f"[{name}](#{anchor(name)})" for name in (*COLLECTIONS, *VOCABULARIES))
    return {
        "reference/facts.md": page(
            "Facts",
            "`src/defenseclaw/detection/facts.py` and `terms.py`",
            "What a condition of a [rule](../writing-rules.md) can ask about a tool call. Ids start at 1; "
            "`command == 0` means the call itself (a structured tool such as Read has paths and no command). "
            "A word that is not listed here is refused when the rule is loaded.",
            index,
            "## The call",
            table(("Variable", "Meaning"), call),
            *sections,
            *vocabularies,
            "## Validators",
            "Second-stage checks that a rule names under `validate`: "
            + ", ".join(map(code, sorted(VALIDATORS)))
            + ".",
        )
    }
