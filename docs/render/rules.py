"""One page per rule of the default pack, and their index."""

from __future__ import annotations

import json
import re
from itertools import groupby

from defenseclaw import packs
from defenseclaw.detection.ruleset import BUILT_IN, EXAMPLE_CWD, EXAMPLE_HOME, Example, Rule
from defenseclaw.policy.decision import THRESHOLDS
from defenseclaw.vocabulary import EventKind, Profile
from docs.render.markdown import block, code, page, table

_TEMPLATE = re.compile(r"\{\{\w*(:[^{}]*)?\}\}")
_TEMPLATES_NOTE = (
    "`{{kind:argument}}` stands for generated text (`{{alnum:36}}`: 36 letters and digits; `{{}}`: nothing), "
    "so that no page holds anything that looks like a secret."
)


def pages() -> dict[str, str]:
    """Return ``reference/rules.md`` and ``rules/<id>.md`` of every rule."""
    rules = all_rules()
    out = {f"rules/{file_of(rule)}.md": _page(rule) for rule in rules}
    out["reference/rules.md"] = _index(rules)
    return out


def all_rules() -> list[Rule]:
    """Return the rules of the default pack and the built-in findings, by category and id."""
    found = [*packs.load().rules.values(), *BUILT_IN.values()]
    return sorted(found, key=lambda rule: (rule.category, rule.id))


def file_of(rule: Rule) -> str:
    """Return the name of a rule's page; as that of its source file."""
    return re.sub(r"[._]", "-", rule.id.lower())


def _index(rules: list[Rule]) -> str:
    sections = []
    for category, group in groupby(rules, key=lambda rule: rule.category):
        rows = [
            (f"[{code(rule.id)}](../rules/{file_of(rule)}.md)", rule.severity, rule.title) for rule in group
        ]
        sections.append(f"## {category}\n\n{table(('Rule', 'Severity', 'Title'), rows)}")
    thresholds = [(code(profile), str(block_at), str(alert_at))
                  for profile, (block_at, alert_at) in THRESHOLDS.items()]  # fmt: skip
    return page(
        "Rules",
        "`src/defenseclaw/rules/`",
        f"{len(rules)} rules. What a severity leads to depends on the profile (`guardrail.rule_pack_dir`):",
        table(("Profile", "Blocks from", "Alerts from"), thresholds),
        "Mode `observe` records all of that and changes nothing for the agent. With approvals switched on, "
        "what is severe enough and does not block asks a person. A list entry of the operator changes the "
        "action, never the findings.",
        *sections,
    )


def _page(rule: Rule) -> str:
    source = f"`src/defenseclaw/rules/{rule.category}/{file_of(rule)}.yaml`"
    facts = [
        ("Id", code(rule.id)),
        ("Severity", _severities(rule)),
        ("Confidence", f"{rule.confidence:g}"),
        ("Category", rule.category),
        ("Looks at", ", ".join(code(kind) for kind in EventKind if kind in rule.kinds)),
        ("Tags", ", ".join(map(code, rule.tags))),
    ]
    if rule.aliases:
        facts.append(("Also known as", ", ".join(map(code, rule.aliases))))
    if rule.masks:
        facts.append(("Masks", "the match is hidden where a result is replaced"))
    if rule.detection_only:
        facts.append(("Weight", "none: reported, without effect on the action"))
    return page(
        rule.title,
        "`src/defenseclaw/detection/ruleset.py`" if rule.id in BUILT_IN else source,
        table(("", ""), facts),
        f"**Why.** {_line(rule.why)}",
        f"**What to do instead.** {_line(rule.fix)}",
        *_decides(rule),
        *_chain(rule),
        *_examples("Flagged", rule.flags),
        *_examples("Not flagged", rule.allows),
        _TEMPLATES_NOTE if any(_templated(each) for each in (*rule.flags, *rule.allows)) else "",
        "[All rules](../reference/rules.md)",
    )


def _severities(rule: Rule) -> str:
    others = {
        profile: other.severity
        for profile in Profile
        if (other := packs.load(profile).rules.get(rule.id)) is not None and other.severity != rule.severity
    }
    return str(rule.severity) + "".join(f"; {severity} in {code(name)}" for name, severity in others.items())


def _decides(rule: Rule) -> list[str]:
    parts = []
    if rule.condition:
        parts += [
            "## What decides it",
            "A condition over the [facts](../reference/facts.md) of the call:",
            block(rule.condition, "cel"),
        ]
    if rule.check:
        parts += ["## What decides it", f"The check {code(rule.check)} over code that a call writes."]
    if rule.patterns:
        accepted = f" accepted by the validator {code(rule.validate)}" if rule.validate else ""
        parts += [
            "" if rule.condition else "## What decides it",
            f"{'Or a' if rule.condition else 'A'} match in the {rule.on} of one of these patterns{accepted}:",
            block("\n".join(rule.patterns), "text"),
        ]
    return parts


def _chain(rule: Rule) -> list[str]:
    """Say which steps in which order make a chain, and for how long the first one matters."""
    if rule.ordered is None:
        return []
    steps = packs.load().chains.steps
    rows = []
    for number, choice in enumerate(rule.ordered.steps, 1):
        rows.append(
            (str(number), " or ".join(steps[name].says for name in choice), " ".join(map(code, choice)))
        )
    late = f"After that it is {rule.ordered.late}." if rule.ordered.late else "After that it is forgotten."
    return [
        "## What decides it",
        "These steps in one session, in this order; see [Chains](../chains.md):",
        table(("", "Step", "Name"), rows),
        f"Until {rule.ordered.events} events and {rule.ordered.minutes} minutes have passed since the first "
        f"step, both of them. {late}",
    ]


def _examples(heading: str, examples: tuple[Example, ...]) -> list[str]:
    if not examples:
        return []
    return [f"## {heading}", "\n".join(map(_example, examples))]


def _example(example: Example) -> str:
    if example.before:
        return "- " + ", then ".join(map(_in_session, (*example.before, example)))
    subject, context = _subject(example), _context(example)
    if "\n" not in subject:
        return f"- {context}{': ' if context else ''}{code(subject)}"
    shown = block(subject, "text").splitlines()
    return f"- {context or 'these lines'}:\n\n" + "\n".join(f"  {line}".rstrip() for line in shown)


def _in_session(example: Example) -> str:
    context = _context(example)
    return f"{context}{': ' if context else ''}{code(' '.join(_subject(example).split()))}"


def _subject(example: Example) -> str:
    args = example.args
    if isinstance(args, dict) and set(args) == {"command"} and example.tool == "Bash":
        return str(args["command"])
    if example.kind is EventKind.TOOL_CALL:
        return f"{example.tool} {json.dumps(args, ensure_ascii=False)}"
    return example.text


def _context(example: Example) -> str:
    said = [] if example.kind is EventKind.TOOL_CALL else [f"{example.kind}".replace("_", " ")]
    said += [f"in {code(example.cwd)}"] if example.cwd != EXAMPLE_CWD else []
    said += [f"with the home {code(example.home)}"] if example.home != EXAMPLE_HOME else []
    said += [
        f"where {code(path)} holds {code(' '.join(text.split()))}" for path, text in example.files.items()
    ]
    return ", ".join(said)


def _templated(example: Example) -> bool:
    return bool(_TEMPLATE.search(f"{_subject(example)}{dict(example.files)}"))


def _line(text: str) -> str:
    return " ".join(text.split())
