from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.detection.tools import MAX_VALUES, is_shell_tool, take_apart


@pytest.mark.parametrize(
    ("tool", "args", "shell"),
    [
        ("Bash", {"command": "ls"}, ["ls"]),
        ("exec_command", {"cmd": "ls"}, ["ls"]),
        ("shell", {"command": ["bash", "-lc", "ls -l"]}, ["bash -lc 'ls -l'"]),
        ("local_shell", {"action": {"command": ["ls", "a b"]}}, ["ls 'a b'"]),
        ("run_shell_command", {"command": "ls", "directory": "x"}, ["ls"]),
        ("sys_os_shell", {"command": "ls"}, ["ls"]),
        ("system.run", {"command": "ls"}, ["ls"]),
        ("functions.exec", {"command": "ls"}, ["ls"]),
        ("mcp__box__run_command", {"command": "rm", "args": ["-rf", "/"]}, ["rm -rf /"]),
        ("terminal", '{"command": "ls"}', ["ls"]),
        ("bash", "ls -l", ["ls -l"]),
        ("run_in_terminal", {"Command": "ls"}, ["ls"]),
        ("curl", {"argv": ["curl", "https://x.example/a b"]}, ["curl 'https://x.example/a b'"]),
        ("mystery", {"nested": [{"script": "ls"}]}, ["ls"]),
        ("Read", {"file_path": "ls"}, []),
    ],
)
def test_command_lines(tool, args, shell):
    assert take_apart(tool, args).shell == shell


@pytest.mark.parametrize(
    ("tool", "args", "tool_class", "paths"),
    [
        ("Read", {"file_path": "a"}, "read", {("read", "a")}),
        ("read_file", '{"path": "a"}', "read", {("read", "a")}),
        ("read_many_files", {"paths": ["a", "b"]}, "read", {("read", "a"), ("read", "b")}),
        ("fs.read", {"path": "a"}, "read", {("read", "a")}),
        ("Write", {"file_path": "a", "content": "x"}, "write", {("write", "a")}),
        ("create_file", {"path": "a", "file_text": "x"}, "write", {("write", "a")}),
        ("MultiEdit", {"file_path": "a", "edits": [{"new_string": "x"}]}, "edit", {("write", "a")}),
        ("NotebookEdit", {"notebook_path": "a", "new_source": "x"}, "edit", {("write", "a")}),
        ("str_replace_editor", {"command": "view", "path": "a"}, "read", {("read", "a")}),
        ("replace_in_file", {"path": "a"}, "edit", {("write", "a")}),
        ("append_file", {"path": "a"}, "append", {("append", "a")}),
        ("delete_file", {"target_file": "a"}, "delete", {("delete", "a")}),
        ("LS", {"path": "a"}, "list", {("list", "a")}),
        ("Grep", {"pattern": "x", "path": "a"}, "search", {("search", "a")}),
        ("Glob", {"pattern": "~/.ssh/*"}, "search", {("search", "~/.ssh/*")}),
        ("move_file", {"source": "a", "destination": "b"}, "move", {("move", "a"), ("copy_to", "b")}),
        ("copyFile", {"src": "a", "dst": "b"}, "copy", {("copy_from", "a"), ("copy_to", "b")}),
        ("download_file", {"url": "https://x.example/a", "path": "b"}, "fetch", {("write", "b")}),
        ("upload_file", {"url": "https://x.example/a", "path": "b"}, "upload", {("read", "b")}),
        ("mcp__fs__write_file", {"path": "a", "content": "x"}, "write", {("write", "a")}),
        ("mystery", {"file": "a"}, "other", {("read", "a")}),
        ("create_issue", {"title": "a", "body": "x"}, "other", set()),
    ],
)
def test_paths_of_structured_tools(tool, args, tool_class, paths):
    call = take_apart(tool, args)
    assert call.tool_class == tool_class
    assert {(use.access, use.value) for use in call.paths} == paths


PATCH = """*** Begin Patch
*** Add File: new.sh
+rm -rf /
*** Update File: old.py
*** Move to: moved.py
@@
-a
+b
*** Delete File: gone.py
*** End Patch
"""


@pytest.mark.parametrize("args", [{"input": PATCH}, {"patch": PATCH}, PATCH])
def test_a_patch_names_its_files(args):
    call = take_apart("apply_patch", args)
    assert {(use.access, use.value) for use in call.paths} == {
        ("write", "new.sh"),
        ("write", "old.py"),
        ("write", "moved.py"),
        ("delete", "gone.py"),
    }
    assert "rm -rf /" in call.written[0][1]


def test_a_unified_diff_names_its_files():
    call = take_apart("apply_diff", {"diff": "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"})
    assert ("write", "x.py") in {(use.access, use.value) for use in call.paths}


@pytest.mark.parametrize(
    ("tool", "args", "addresses"),
    [
        ("WebFetch", {"url": "https://x.example/", "prompt": "read"}, [("download", "https://x.example/")]),
        ("web_fetch", {"url": "x.example"}, [("download", "x.example")]),
        ("http_request", {"url": "https://x.example/", "method": "POST"}, [("upload", "https://x.example/")]),
        ("http_request", {"url": "https://x.example/"}, [("connect", "https://x.example/")]),
        ("mystery", {"endpoint": "https://x.example/"}, [("connect", "https://x.example/")]),
        ("Write", {"file_path": "a", "content": "https://x.example/"}, []),
    ],
)
def test_addresses(tool, args, addresses):
    assert take_apart(tool, args).addresses == addresses


def test_written_text_goes_with_its_path():
    assert take_apart("Write", {"file_path": "a.py", "content": "x = 1"}).written == [("a.py", "x = 1")]


def test_a_working_directory_among_the_arguments():
    assert take_apart("exec_command", {"cmd": "ls", "workdir": "/srv"}).cwd == "/srv"


def test_too_many_members_are_said_to_be_too_many():
    call = take_apart("mystery", {"files": ["a"] * (MAX_VALUES + 1)})
    assert call.limited
    assert len(call.paths) == MAX_VALUES


def test_spellings_of_shell_tools():
    assert all(
        map(is_shell_tool, ("Bash", "run_shell_command", "RunCommand".lower() + "s", "exec", "shell.exec"))
    )
    assert not is_shell_tool("Read")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.text(max_size=30), JSON_VALUES)
def test_any_call_is_taken_apart(tool, args):
    assert take_apart(tool, args).tool_class
