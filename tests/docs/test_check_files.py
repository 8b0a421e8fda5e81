"""The hook that looks at text files as they are committed."""

import pytest
from scripts.check_files import main, problems


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("sound.md", b"one\n\ntwo\n", []),
        ("empty.py", b"", []),
        ("picture.png", b"\x89PNG\0 \n\n", []),
        ("cut.md", b"one", ["no newline at the end"]),
        ("long.md", b"one\n\n", ["blank lines at the end"]),
        ("windows.md", b"one\r\n", ["1: blanks or a carriage return at the end of the line"]),
        ("merged.py", b"a\n<<<<<<< ours\n", ["2: a merge conflict"]),
        ("sound.yaml", b"a: [1]\n", []),
        ("sound.json", b'{"a": 1}\n', []),
    ],
)
def test_what_is_found(tmp_path, name, content, found):
    path = tmp_path / name
    path.write_bytes(content)
    assert list(problems(path)) == found


@pytest.mark.parametrize(("name", "content"), [("a.yaml", "a: [1\n"), ("a.json", "{a: 1}\n")])
def test_what_does_not_parse_is_named_and_fails(tmp_path, capsys, name, content):
    path = tmp_path / name
    path.write_text(content)
    assert main([str(path)]) == 1
    assert f"{name}: does not parse" in capsys.readouterr().out


def test_nothing_found_is_said_with_nothing(tmp_path, capsys):
    path = tmp_path / "a.md"
    path.write_text("one\n")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == ""
