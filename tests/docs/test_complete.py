"""Whatever a user can set, call, type or meet is documented."""

import re
from pathlib import Path

import click
import pytest
from docs.render.cli import contexts
from docs.render.configuration import ENVIRONMENT, NAMED_FILES
from docs.render.errors import kinds
from docs.render.facts import VOCABULARIES
from docs.render.rules import all_rules, file_of

from defenseclaw.config.keys import all_keys
from defenseclaw.connectors.base import registry
from defenseclaw.gateway.routing import all_routes

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".tmpl")]


def page(name):
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: key.path)
def test_every_setting_is_described(key):
    assert key.description.endswith("."), "give the field a `description` of one sentence"
    row = next(
        line for line in page("reference/configuration.md").splitlines() if f"| `{key.path}` |" in line
    )
    assert key.description in row


def test_every_environment_variable_of_ours_is_described():
    used = {name for path in SOURCES for name in re.findall(r"DEFENSECLAW_[A-Z_]+[A-Z]", path.read_text())}
    assert used <= ENVIRONMENT.keys()


def test_no_environment_variable_is_described_that_nobody_reads():
    text = "".join(path.read_text() for path in SOURCES)
    assert [name for name in ENVIRONMENT if name not in text] == []


def test_every_file_of_the_data_directory_is_described():
    from defenseclaw.config.paths import DataDir

    properties = {name for name, value in vars(DataDir).items() if isinstance(value, property)}
    assert properties == set(NAMED_FILES)


@pytest.mark.parametrize("route", all_routes(), ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(route):
    assert f"### {route.method} {route.path}\n\n{route.summary}" in page("reference/api.md")


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.code)
def test_every_error_is_described(kind):
    row = next(
        line for line in page("reference/errors.md").splitlines() if line.startswith(f"| `{kind.code}` |")
    )
    assert str(kind.http_status) in row
    assert kind.__doc__
    assert re.search(rf"{kind.__name__}\s+{kind.code}\s+{kind.http_status}\b", module_text(kind))


def module_text(kind):
    import inspect

    return inspect.getmodule(kind).__doc__


@pytest.mark.parametrize("context", list(contexts()), ids=lambda context: context.command_path)
def test_every_command_is_described(context):
    assert context.command.help, "give the command a docstring"
    assert f"## {context.command_path}\n" in page("reference/cli.md")
    options = [each for each in context.command.params if isinstance(each, click.Option)]
    unexplained = [each.name for each in options if not each.help]
    assert unexplained == []


@pytest.mark.parametrize("connector", list(registry().values()), ids=lambda connector: connector.name)
def test_every_connector_has_a_page_that_names_its_setup_and_events(connector):
    text = page(f"connectors/{connector.command_name}.md")
    assert f"defenseclaw setup {connector.command_name}" in text
    assert f"../reference/connectors.md#{connector.title.lower().replace(' ', '-')}" in text
    assert f"## {connector.title}\n" in page("reference/connectors.md")


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_every_rule_has_a_page(rule):
    text = page(f"rules/{file_of(rule)}.md")
    assert f"# {rule.title}\n" in text
    assert f"`{rule.id}`" in text
    assert " ".join(rule.why.split()) in text
    assert " ".join(rule.fix.split()) in text
    assert f"[`{rule.id}`](../rules/{file_of(rule)}.md)" in page("reference/rules.md")


@pytest.mark.parametrize("name", VOCABULARIES)
def test_every_word_of_a_condition_is_explained(name):
    text = page("reference/facts.md")
    assert [word for word in VOCABULARIES[name] if f"| `{word}` |" not in text] == []


def test_the_version_of_the_changelog_is_that_of_the_program():
    from defenseclaw import __version__

    newest = re.search(r"^## \[([^]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest[1] == __version__
