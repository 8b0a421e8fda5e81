"""The written pages: their links lead somewhere, what they tell to type exists, their examples hold."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from docs.render.cli import contexts
from docs.render.markdown import anchor

from defenseclaw import packs
from defenseclaw.config.keys import find
from defenseclaw.detection.conditions import ConditionSet
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.facts import Snapshot
from defenseclaw.errors import ConfigError
from defenseclaw.vocabulary import HostContext

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("docs/reference/", "docs/rules/")
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
)
WRITTEN = [path for path in PAGES if not str(path.relative_to(ROOT)).startswith(GENERATED)]
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)
PROGRAMS = {context.command_path: context.command for context in contexts()}


def name_of(path):
    return str(path.relative_to(ROOT))


def prose(path):
    """Return a page without its literal blocks and literal words."""
    return re.sub(r"`[^`\n]*`", "``", FENCE.sub("", path.read_text()))


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {anchor(heading.replace("`", "")) for heading in headings}


def links():
    for path in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
            if not target.startswith(("http://", "https://")):
                yield pytest.param(path, target, id=f"{name_of(path)}: {target}")


@pytest.mark.parametrize(("path", "target"), list(links()))
def test_a_link_leads_somewhere(path, target):
    file, _, fragment = target.partition("#")
    found = (path.parent / file).resolve() if file else path
    assert found.exists()
    if fragment:
        assert fragment in anchors(found)


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_every_page_can_be_reached_from_the_readme(path):
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose(page)):
            if "://" not in target:
                waiting.append((page.parent / target).resolve())
    assert path in reached


def shell_lines(path):
    """Yield what a page tells to type: the lines of its shell blocks, and the prompts of its transcripts."""
    for match in FENCE.finditer(path.read_text()):
        language, body = match[2].strip(), match[3].replace("\\\n", " ")
        for line in body.splitlines():
            if language == "sh":
                yield line
            elif line.startswith("$ "):
                yield line[2:]


def typed():
    for path in WRITTEN:
        for line in shell_lines(path):
            for part in re.split(r"[|;&]{1,2}", line):
                words = split(part)
                if words and Path(words[0]).name in ("defenseclaw", "defenseclaw-gateway"):
                    yield pytest.param(words, id=f"{name_of(path)}: {' '.join(words)}")


def split(line):
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quoted argument held a bar
        return shlex.split(line.partition("'")[0].partition('"')[0], comments=True)


@pytest.mark.parametrize("words", list(typed()))
def test_a_command_that_is_told_exists(words):
    name, rest = Path(words[0]).name, words[1:]
    while rest and f"{name} {rest[0]}" in PROGRAMS:
        name, rest = f"{name} {rest[0]}", rest[1:]
    command = PROGRAMS[name]
    if isinstance(command, click.Group) and not command.invoke_without_command:
        assert rest in ([], ["--help"], ["-h"]), f"{name} has no command {rest[0]}"
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    known |= {"--help", "-h"}
    assert [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known] == []


def told_keys():
    for path in WRITTEN:
        for line in shell_lines(path):
            if key := re.search(r"defenseclaw config (?:set|get) ([\w.<>]+)", line):
                yield pytest.param(key[1], id=f"{name_of(path)}: {key[1]}")


@pytest.mark.parametrize("key", list(told_keys()))
def test_a_setting_that_is_told_exists(key):
    assert find(key)


def test_an_unknown_setting_would_be_noticed():
    with pytest.raises(ConfigError):
        find("guardrail.moed")


def told_targets():
    makefile = (ROOT / "Makefile").read_text()
    return [
        pytest.param(target, makefile, id=f"{name_of(path)}: {target}")
        for path in WRITTEN
        for line in shell_lines(path)
        for target in re.findall(r"(?:^|\s)make ([a-z][a-z0-9-]*)", line)
    ]


@pytest.mark.parametrize(("target", "makefile"), told_targets())
def test_a_make_target_that_is_told_exists(target, makefile):
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


# ---- the worked example of docs/writing-rules.md ---------------------------------------------------

WRITING = (ROOT / "docs" / "writing-rules.md").read_text()


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    text = next(match[3] for match in FENCE.finditer(WRITING) if match[3].startswith("id: "))
    rule_id = yaml.safe_load(text)["id"]
    file = folder / "command" / f"{rule_id.lower()}.yaml"
    file.parent.mkdir()
    file.write_text(text + "\n")
    return packs.load("default", [folder]), rule_id


def test_the_worked_rule_loads_and_does_what_its_examples_say(worked):
    rules, rule_id = worked
    rule = rules.rules[rule_id]
    assert {each.note for each in rule.flags if rule_id in found(rules, each)} == {e.note for e in rule.flags}
    assert [each.note for each in rule.allows if rule_id in found(rules, each)] == []


def found(rules, example):
    host = HostContext(home=example.home, data_dir=f"{example.home}/.defenseclaw")
    finished = run(detect(example.event(), rules, host), lambda need: Snapshot(real_path=need.path))
    return {each.rule_id for each in finished.findings}


def test_the_conditions_of_the_page_compile():
    block = next(match[3] for match in FENCE.finditer(WRITING) if match[3].startswith("# a command that"))
    lines = [line for line in block.splitlines() if line and not line.startswith("#")]
    assert len(ConditionSet([(str(at), line) for at, line in enumerate(lines)])) == 3


def test_the_example_mappings_of_the_page_are_taken(tmp_path):
    block = next(match[3] for match in FENCE.finditer(WRITING) if match[3].startswith("allows:\n  - {tool"))
    (tmp_path / "trust-exploit").mkdir()
    (tmp_path / "trust-exploit" / "acme-x.yaml").write_text(
        "id: ACME-X\ntitle: x\nseverity: LOW\nconfidence: 0.5\ntags: [x]\npattern: xyzzy\n"
        f"flags: [xyzzy]\nwhy: x\nfix: x\n{block}\n"
    )
    assert len(packs.load("default", [tmp_path]).rules["ACME-X"].allows) == 3
