"""``defenseclaw rules``: list, show, test, validate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import (
    print_error,
    print_fields,
    print_heading,
    print_json,
    print_table,
    print_warning,
    printable,
)
from defenseclaw.errors import NotFound, PackError

if TYPE_CHECKING:
    from defenseclaw.detection.ruleset import Example, Rule
    from defenseclaw.packs import Pack
    from defenseclaw.policy.suppression import Suppression

PACK_HELP = "default, strict, permissive or a folder. Default: what guardrail.rule_pack_dir names."
_pack_option = click.option("--pack-dir", "--rule-pack-dir", "pack", help=f"Rule pack: {PACK_HELP}")
_connector_option = click.option("--connector", default="", help="The pack of this agent.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("rules")
def command() -> None:
    """Look at rules, and check packs of your own."""


@command.command("list")
@click.option("--category", help="Only rules of this category.")
@_pack_option
@_connector_option
@_json_option
@pass_app
def list_(app: App, category: str | None, pack: str | None, connector: str, as_json: bool) -> None:
    """List every rule: where it comes from, whether it is on."""
    loaded = _load(app, pack, connector)
    known = sorted({rule.category for rule in loaded.catalogue.values()})
    if category is not None and category not in known:
        raise NotFound(f"no rule is in category {category}", hint=f"categories: {', '.join(known)}")
    rules = [rule for rule in loaded.catalogue.values() if category in (None, rule.category)]
    rules.sort(key=lambda rule: (rule.category, rule.id))
    if as_json:
        print_json([_summary(loaded, rule) for rule in rules])
        return
    print_table(
        ("Rule", "Category", "Severity", "State", "Title"),
        [(rule.id, rule.category, rule.severity, _state(loaded, rule.id), rule.title) for rule in rules],
    )
    own = f", {len(loaded.own)} of them from {loaded.folder}" if loaded.folder is not None else ""
    click.echo(f"{_counted(len(rules), 'rule')}{own if category is None else ''}; profile {loaded.profile}")


@command.command()
@click.argument("rule_id", metavar="ID")
@_pack_option
@_connector_option
@_json_option
@pass_app
def show(app: App, rule_id: str, pack: str | None, connector: str, as_json: bool) -> None:
    """Show one rule, by id or alias: what decides it, its examples, what changes or suppresses it."""
    loaded = _load(app, pack, connector)
    rule = _find(loaded, rule_id)
    if as_json:
        print_json(_whole(loaded, rule))
    else:
        _print_rule(loaded, rule)


@command.command()
@click.argument("path", required=False)
@click.option("--rule", "only", multiple=True, metavar="ID", help="Only this rule; can be repeated.")
@_json_option
@pass_app
def test(app: App, path: str | None, only: Sequence[str], as_json: bool) -> None:
    """Run the examples of rules; exit 1 when one does not hold. Nothing they name is run or read.

    PATH is a pack or one of its rule files; without it, the pack that the configuration names. Of a pack of
    your own only its own rules are tested; `rules test default` tests those that come with the program.
    """
    from defenseclaw.packs import everything_on
    from defenseclaw.packs.examples import count, failures

    loaded, file = _target(app, path)
    rules = [loaded.catalogue[rule_id] for rule_id in sorted(loaded.own or loaded.catalogue)]
    if file:
        rules = [rule for rule in rules if loaded.places[rule.id].rpartition(":")[0] == file]
    if only:
        wanted = {_find(loaded, rule_id).id for rule_id in only}
        rules = [loaded.catalogue[rule_id] for rule_id in sorted(wanted)]
    compiled = everything_on(loaded)
    failed = [each for rule in rules for each in failures(rule, compiled)]
    if as_json:
        listed = [
            {"rule": each.rule_id, "kind": each.kind, "example": each.example, "found": list(each.found)}
            for each in failed
        ]
        print_json({"ok": not failed, "rules": len(rules), "examples": count(rules), "failures": listed})
    else:
        for each in failed:
            what = "is not flagged" if each.kind == "flags" else "is flagged"
            found = f" (found: {', '.join(each.found)})" if each.found else ""
            click.echo(
                printable(f"FAIL {loaded.places[each.rule_id]}: {each.rule_id} {what}: {each.example}{found}")
            )
        failing = f", {len(failed)} failed" if failed else ", all hold"
        click.echo(f"{_counted(len(rules), 'rule')}, {_counted(count(rules), 'example')}{failing}")
    if failed:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("path", required=False)
@_json_option
@pass_app
def validate(app: App, path: str | None, as_json: bool) -> None:
    """Check a pack; exit 1 when the gateway would refuse it. Every problem names file, line and rule.

    PATH is a pack; without it, the one that the configuration names.
    """
    from defenseclaw.packs import InvalidPack

    try:
        loaded = _load(app, path)
    except PackError as error:
        problems = list(error.problems) if isinstance(error, InvalidPack) else [error.message]
        if as_json:
            print_json({"ok": False, "pack": path or _configured(app, ""), "problems": problems})
        else:
            for problem in problems:
                print_error(problem)
            if not isinstance(error, InvalidPack) and error.hint:
                click.echo(f"  hint: {error.hint}", err=True)
        raise click.exceptions.Exit(1) from error
    warnings = _warnings(loaded)
    if as_json:
        print_json(_validated(loaded, warnings))
        return
    for warning in warnings:
        print_warning(warning)
    _print_validated(loaded)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


# ---- which pack -----------------------------------------------------------------------------------


def _load(app: App, pack: str | None, connector: str = "") -> Pack:
    """Return the pack that was asked for; a folder may be relative to where the operator stands."""
    from defenseclaw.packs import load_pack

    return load_pack(_named(pack) if pack else _configured(app, connector))


def _named(pack: str) -> str:
    from defenseclaw.packs import ALIASES
    from defenseclaw.vocabulary import Profile

    return pack if pack in (*Profile, *ALIASES) else str(Path(pack).expanduser().absolute())


def _configured(app: App, connector: str) -> str:
    from defenseclaw.config.load import posture

    return posture(app.config(), connector).rule_pack


def _target(app: App, path: str | None) -> tuple[Pack, str]:
    """Return a pack, and the name in it of the file that was given; empty for the pack as a whole."""
    file = Path(path).expanduser().absolute() if path else None
    if file is None or not file.is_file():
        return _load(app, path), ""
    return _load(app, str(file.parent.parent)), f"{file.parent.name}/{file.name}"


def _find(pack: Pack, rule_id: str) -> Rule:
    """Return a rule by id or alias, in any case.

    Raises:
        NotFound: there is none; the hint names the nearest.
    """
    import difflib

    names = {rule.id.lower(): rule for rule in pack.catalogue.values()}
    names |= {alias.lower(): rule for rule in pack.catalogue.values() for alias in rule.aliases}
    rule = names.get(rule_id.lower())
    if rule is None:
        near = difflib.get_close_matches(rule_id.lower(), names, n=3, cutoff=0.6)
        named = " or ".join(names[name].id for name in near)
        hint = f"did you mean {named}?" if named else "`defenseclaw rules list` lists them"
        raise NotFound(f"no rule is named {rule_id}", hint=hint)
    return rule


# ---- what is told of a rule -----------------------------------------------------------------------


def _state(pack: Pack, rule_id: str) -> str:
    if rule_id not in pack.rules.rules:
        return "off"
    marks = ["changed"] if any(change.rule_id == rule_id for change in pack.changes) else []
    marks += ["suppressed"] if _holding(pack.suppressions.of(rule_id)) else []
    return ", ".join(["on", *marks])


def _holding(entries: Iterable[Suppression]) -> list[Suppression]:
    from defenseclaw.inspection import utc_now

    now = utc_now()
    return [entry for entry in entries if entry.holds_at(now)]


def _summary(pack: Pack, rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "category": rule.category,
        "severity": str(rule.severity),
        "confidence": rule.confidence,
        "tags": list(rule.tags),
        "kinds": sorted(rule.kinds),
        "aliases": list(rule.aliases),
        "enabled": rule.id in pack.rules.rules,
        "source": "pack" if rule.id in pack.own else "packaged",
        "place": pack.places.get(rule.id, ""),
        "changed_by": [change.place for change in pack.changes if change.rule_id == rule.id],
        "suppressed_by": [entry.id for entry in _holding(pack.suppressions.of(rule.id))],
    }


def _whole(pack: Pack, rule: Rule) -> dict[str, Any]:
    return _summary(pack, rule) | {
        "condition": rule.condition,
        "patterns": list(rule.patterns),
        "on": str(rule.on),
        "validate": rule.validate,
        "signals": list(rule.signals),
        "wording": rule.wording,
        "check": rule.check,
        "steps": [list(choice) for choice in rule.ordered.steps] if rule.ordered else [],
        "masks": rule.masks,
        "detection_only": rule.detection_only,
        "flags": [_example(each) for each in rule.flags],
        "allows": [_example(each) for each in rule.allows],
        "why": rule.why,
        "fix": rule.fix,
        "suppressions": [_suppression(entry) for entry in pack.suppressions.of(rule.id)],
    }


def _example(example: Example) -> str:
    return example.note


def _print_rule(pack: Pack, rule: Rule) -> None:
    click.echo(f"{rule.id}: {printable(rule.title)}")
    print_fields(
        [
            ("Severity", f"{rule.severity}, confidence {rule.confidence:g}"),
            ("Category", rule.category),
            ("Looks at", ", ".join(sorted(rule.kinds))),
            ("State", _state(pack, rule.id)),
            ("Written in", pack.places.get(rule.id, "")),
            *([("Also named", ", ".join(rule.aliases))] if rule.aliases else []),
            ("Why", " ".join(rule.why.split())),
            ("Instead", " ".join(rule.fix.split())),
        ]
    )
    print_heading("Decided by")
    for line in _deciding(rule):
        click.echo(f"  {printable(line)}")
    for heading, examples in (("Flagged", rule.flags), ("Not flagged", rule.allows)):
        print_heading(heading)
        for example in examples:
            click.echo(f"  {printable(example.note)}")
    touching = [f"{each.place}: {_changed(each)}" for each in pack.changes if each.rule_id == rule.id]
    touching += [_said(entry) for entry in pack.suppressions.of(rule.id)]
    if touching:
        print_heading("Changed by the pack")
        for line in touching:
            click.echo(f"  {printable(line)}")


def _deciding(rule: Rule) -> Iterable[str]:
    yield from (line.strip() for line in rule.condition.splitlines() if line.strip())
    accepted = f", accepted by {rule.validate}" if rule.validate else ""
    for pattern in rule.patterns:
        yield f"{pattern}   (in the {rule.on}{accepted})"
    if rule.signals:
        yield f"instructions to the agent: {', '.join(rule.signals)}"
    if rule.wording:
        yield f"worded as {rule.wording}"
    if rule.check:
        yield f"insecure code that {rule.check} finds"
    if rule.ordered:
        yield "steps in order: " + ", then ".join(" or ".join(choice) for choice in rule.ordered.steps)


def _changed(change: Any) -> str:  # noqa: ANN401 - packs.overlay.Change, imported when used
    said = {"enabled": change.enabled, "severity": change.severity, "confidence": change.confidence}
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)


# ---- what is told of a pack -----------------------------------------------------------------------


def _suppression(entry: Suppression) -> dict[str, Any]:
    return {
        "id": entry.id,
        "rules": list(entry.rules),
        "reason": entry.reason,
        "until": entry.until,
        "expired": not _holding([entry]),
        "connector": entry.connector,
        "tool": entry.tool,
        "path": entry.path,
        "place": entry.place,
    }


def _said(entry: Suppression) -> str:
    ended = "" if _holding([entry]) else " (ended)"
    return f"{entry.place}: suppressed by {entry.id} until {entry.until}{ended}: {entry.reason}"


def _warnings(pack: Pack) -> list[str]:
    """Return what is valid and probably not what was meant."""
    from defenseclaw.connectors.base import by_any_name

    warnings = []
    for entry in pack.suppressions.entries:
        if not _holding([entry]):
            warnings.append(f"{entry.place}: {entry.id} ended {entry.until}; its findings count again")
        if entry.connector and by_any_name(entry.connector) is None:
            warnings.append(f"{entry.place}: {entry.id}: no connector is named {entry.connector}")
        off = [rule_id for rule_id in entry.rules if rule_id not in pack.rules.rules]
        if off:
            warnings.append(f"{entry.place}: {entry.id}: off anyway: {', '.join(off)}")
    return warnings


def _validated(pack: Pack, warnings: list[str]) -> dict[str, Any]:
    return {
        "ok": True,
        "pack": str(pack.folder or pack.name),
        "profile": str(pack.profile),
        "problems": [],
        "warnings": warnings,
        "rules": len(pack.rules),
        "own_rules": len(pack.own),
        "changes": len(pack.changes),
        "suppressions": [_suppression(entry) for entry in pack.suppressions.entries],
        "digest": pack.rules.digest,
    }


def _print_validated(pack: Pack) -> None:
    click.echo(f"{printable(str(pack.folder or pack.name))}: valid, profile {pack.profile}")
    changed = f", {_counted(len(pack.changes), 'change')} of rules" if pack.changes else ""
    click.echo(f"{len(pack.rules)} rules on, {len(pack.own)} of the pack's own{changed}")
    if not pack.suppressions:
        return
    rows = [
        (
            entry.id,
            "holds" if _holding([entry]) else "ended",
            entry.until,
            ", ".join(entry.rules),
            " ".join(filter(None, (entry.connector, entry.tool, entry.path))) or "everywhere",
            entry.reason,
        )
        for entry in pack.suppressions.entries
    ]
    print_table(("Suppression", "State", "Until", "Rules", "Where", "Reason"), rows)
