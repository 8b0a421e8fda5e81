from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bench import corpora
from defenseclaw.vocabulary import EventKind


def row(file: str, kind: str = "kind", malicious: bool = True, text: str = "words") -> corpora.Row:
    return corpora.Row(file, "id", kind, malicious, (("", text),))


def put(folder: Path, name: str, *rows: object) -> None:
    with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(each) + "\n" for each in rows)


@pytest.mark.parametrize(
    ("file", "kind", "want"),
    [
        ("cmd_any", "destructive:canonical", {"shell command": EventKind.TOOL_CALL}),
        ("pi_any", "tool-output", {"as its kind": EventKind.TOOL_RESULT}),
        ("pi_any", "tool-output-indirect:base", {"as its kind": EventKind.TOOL_RESULT}),
        ("pi_any", "user-task", {"as its kind": EventKind.PROMPT}),
        ("prompt_any", "role-play", {"prompt": EventKind.PROMPT}),
        ("sec_any", "secret", {"completion": EventKind.COMPLETION, "file write": EventKind.TOOL_CALL}),
        ("text_any", "doc", {"tool result": EventKind.TOOL_RESULT, "prompt": EventKind.PROMPT}),
        ("fenced_shell", "skills_benign", {"shell command": EventKind.TOOL_CALL}),
        ("skills_any", "skill", {"tool result": EventKind.TOOL_RESULT}),
        ("site-packages", ".py", {"tool result": EventKind.TOOL_RESULT}),
    ],
)
def test_a_row_is_judged_as_its_family_says(file: str, kind: str, want: dict[str, EventKind]) -> None:
    got = {name: [event.kind for event in events] for name, events in corpora.readings(row(file, kind))}
    assert got == {name: [each] for name, each in want.items()}


@pytest.mark.parametrize("file", ["cmd_a", "pi_a", "prompt_a", "sec_a", "text_a", "skills_a"])
def test_every_reading_holds_the_text_of_the_row(file: str) -> None:
    for _, events in corpora.readings(row(file, text="a very special text")):
        (event,) = events
        values = [event.text, event.result, *(event.args.values() if isinstance(event.args, dict) else ())]
        assert "a very special text" in values


def test_a_skill_is_one_event_per_file() -> None:
    skill = corpora.Row("skills_a", "id", "kind", False, (("a.md", "first"), ("b.py", "second")))
    ((_, events),) = corpora.readings(skill)
    assert [(event.args, event.result) for event in events] == [
        ({"file_path": "a.md"}, "first"),
        ({"file_path": "b.py"}, "second"),
    ]


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(corpora.UnknownFamilyError, match="audio_a"):
        list(corpora.readings(row("audio_a")))


@pytest.mark.parametrize(
    ("file", "kind", "malicious", "part"),
    [
        ("cmd_dcg", "destructive:canonical", True, "core"),
        ("cmd_dcg", "destructive:bypass_attempts/wrappers", True, "core"),
        ("cmd_dcg", "destructive:storage.s3", True, "optional areas"),
        ("cmd_dcg", "destructive:cicd.jenkins", True, "optional areas"),
        ("cmd_dcg", "near-miss:storage.s3", False, ""),
        ("pi_injecagent", "tool-output-indirect:enhanced:x", True, "enhanced"),
        ("pi_injecagent", "tool-output-indirect:base:x", True, "base"),
        ("pi_injecagent", "tool-output", False, ""),
        ("pi_agentdojo", "tool-output-indirect:direct:x", True, ""),
    ],
)
def test_parts_with_their_own_target(file: str, kind: str, malicious: bool, part: str) -> None:
    assert row(file, kind, malicious).part == part


def test_rows_are_read_by_file_name(tmp_path: Path) -> None:
    put(tmp_path, "text_b", {"id": "1", "text": "hello", "label": "benign", "kind": "k", "source": "s"})
    put(tmp_path, "cmd_a", {"id": "2", "command": "ls", "label": "malicious", "kind": "k", "source": "s"})
    skill = {"z.md": "last", "a.md": "first"}
    put(tmp_path, "skills_c", {"id": "3", "files": skill, "label": "benign", "kind": "k", "source": "s"})
    assert list(corpora.read(tmp_path)) == [
        corpora.Row("cmd_a", "2", "k", True, (("", "ls"),)),
        corpora.Row("skills_c", "3", "k", False, (("a.md", "first"), ("z.md", "last"))),
        corpora.Row("text_b", "1", "k", False, (("", "hello"),)),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {"id": "1", "text": "x", "kind": "k"},
        {"id": "1", "text": "x", "label": "perhaps", "kind": "k"},
        {"id": "1", "label": "benign", "kind": "k"},
        ["no", "object"],
    ],
    ids=["no label", "strange label", "no payload", "no object"],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, bad: object) -> None:
    put(tmp_path, "text_a", {"id": "0", "text": "x", "label": "benign", "kind": "k"}, bad)
    with pytest.raises(ValueError, match=r"text_a\.jsonl\.gz:2"):
        list(corpora.read(tmp_path))


def test_installed_files_are_the_text_files(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "module.py").write_text("x = 1\n")
    (package / "README").write_text("naïve\n", encoding="utf-8")
    (package / "empty.py").write_text("")
    (package / "native.so").write_bytes(b"\x7fELF\0\0")
    (package / "latin.txt").write_bytes(b"na\xefve")
    (package / "__pycache__" / "module.txt").write_text("cached")
    rows = list(corpora.installed_files(tmp_path))
    assert [(each.id, each.kind, each.malicious) for each in rows] == [
        ("package/README", "no suffix", False),
        ("package/module.py", ".py", False),
    ]
    assert rows[0].texts == ((str(package / "README"), "naïve\n"),)


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("```bash\nmake\nmake test\n```\n", ["make\nmake test\n"]),
        ("~~~sh title=x\nmake\n~~~", ["make\n"]),
        ("  ```SHELL\n  make\n  ```\nand\n```zsh\nls\n```", ["  make\n", "ls\n"]),
        # of a transcript, what was typed
        ("```console\n$ make\nCC main.c\n$ ls\n```", ["make\nls"]),
        # no shell, no end, no fence
        ("```python\nmake()\n```", []),
        ("```shellfish\nmake\n```", []),
        ("```bash\nmake\n", []),
        ("make\n", []),
    ],
)
def test_shell_blocks_of_documents_are_commands(text: str, commands: list[str]) -> None:
    skill = corpora.Row("skills_benign", "7", "kind", False, (("SKILL.md", text), ("run.py", text)))
    rows = list(corpora.fenced_commands([skill]))
    assert [each.texts[0][1] for each in rows] == commands
    assert len({each.id for each in rows}) == len(rows)
    assert not any(each.malicious for each in rows)


def test_shell_blocks_of_threat_descriptions_are_not_taken() -> None:
    text = "```bash\nmake\n```\n"
    assert not list(corpora.fenced_commands([row("text_threat_mentions_benign", text=text)]))
    assert list(corpora.fenced_commands([row("text_agent_instructions_benign", text=text)]))
