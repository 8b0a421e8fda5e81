from __future__ import annotations

import pytest
from tests.detection.programs.understood import classes_of, command_of, operations_of, paths_of, traits_of

P = "/home/ada/project"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        # readers
        ("cat a b", {("read", f"{P}/a"), ("read", f"{P}/b")}),
        ("head -n 5 a", {("read", f"{P}/a")}),
        ("tail -n5 a", {("read", f"{P}/a")}),
        ("grep -rn 'rm -rf' a", {("search", f"{P}/a")}),
        ("grep -e x a", {("read", f"{P}/a")}),
        ("grep -f patterns a", {("read", f"{P}/patterns"), ("read", f"{P}/a")}),
        ("rg x", {("search", P)}),
        ("sed -n 1p a", {("read", f"{P}/a")}),
        ("awk '{print $1}' a", {("read", f"{P}/a")}),
        ("jq .x a", {("read", f"{P}/a")}),
        ("jq --arg x 'less ~/.netrc' '.y = $x' a", {("read", f"{P}/a")}),
        ("jq -n --argjson x '\"~/.netrc\"' '$x'", set()),
        ("jq -n '$ARGS' --args ~/.netrc", set()),
        ("jq . a --args ~/.netrc", {("read", f"{P}/a")}),
        ("jq --rawfile x ~/.netrc . a", {("read", "/home/ada/.netrc"), ("read", f"{P}/a")}),
        ("jq -rf b.jq a", {("read", f"{P}/b.jq"), ("read", f"{P}/a")}),
        ("jq --indent 2 . a", {("read", f"{P}/a")}),
        ("ls ~", {("list", "/home/ada")}),
        ("wc -l a", {("metadata", f"{P}/a")}),
        # writers
        ("tee a", {("write", f"{P}/a")}),
        ("tee -a a", {("append", f"{P}/a")}),
        ("sed -i s/a/b/ a", {("write", f"{P}/a")}),
        ("sed -i.bak -e s/a/b/ a", {("write", f"{P}/a")}),
        ("dd if=a of=b", {("read", f"{P}/a"), ("write", f"{P}/b")}),
        ("truncate -s 0 a", {("write", f"{P}/a")}),
        ("ln -s a b", {("link", f"{P}/a"), ("write", f"{P}/b")}),
        ("mv a b", {("move", f"{P}/a"), ("write", f"{P}/b")}),
        ("cp -t d a", {("copy_from", f"{P}/a"), ("copy_to", f"{P}/d"), ("copy_to", f"{P}/d/a")}),
        ("sort -o b a", {("read", f"{P}/a"), ("write", f"{P}/b")}),
        ("awk '{print > \"out\"}' a", {("read", f"{P}/a"), ("write", f"{P}/out")}),
        # deleting
        ("rm a", {("delete", f"{P}/a")}),
        ("rm -- -r", {("delete", f"{P}/-r")}),
        ("shred -u a", {("write", f"{P}/a"), ("delete", f"{P}/a")}),
        ("rmdir a", {("delete", f"{P}/a")}),
        ("find d -type f -delete", {("delete", f"{P}/d")}),
        ("find d -name '*.pyc' -delete", {("delete", f"{P}/d/**/*.pyc")}),
        # not paths
        ("echo /etc/shadow", set()),
        ("printf '%s' ~/.ssh/id_rsa", set()),
        ("true /etc/shadow", set()),
        ("which /etc/shadow", set()),
        # redirections
        ("echo x > a", {("write", f"{P}/a")}),
        ("echo x >> a", {("append", f"{P}/a")}),
        ("cat < a", {("read", f"{P}/a")}),
        ("make 2> err", {("write", f"{P}/err")}),
    ],
)
def test_paths(command, expected):
    assert paths_of(command) == expected


@pytest.mark.parametrize(
    ("command", "traits"),
    [
        ("rm -rf a", {"recursive", "force"}),
        ("rm -r -f a", {"recursive", "force"}),
        ("rm --recursive --force a", {"recursive", "force"}),
        ("rm --recurs --forc a", {"recursive", "force"}),
        ("rm -R a", {"recursive"}),
        ("rm --no-preserve-root -rf /", {"no_preserve_root", "recursive", "force"}),
        ("rm *", {"bulk"}),
        ("rm a", set()),
        ("rm -- -rf", set()),
        ("rmdir /s /q C:/x", {"recursive", "force"}),
        ("find . -delete", {"bulk", "recursive", "force", "finds_everything"}),
        ("find . -name x -delete", {"bulk", "recursive"}),
        ("find . -type f -exec rm {} +", {"bulk", "recursive", "finds_everything"}),
        ("find . -name x", set()),
        ("truncate -s 0 a", {"truncate"}),
        # modes
        ("chmod 777 a", {"world_writable", "world_readable", "world_executable", "make_executable"}),
        ("chmod 4755 a", {"setuid", "world_readable", "world_executable", "make_executable"}),
        ("chmod u+s a", {"setuid"}),
        ("chmod g+s a", {"setgid"}),
        ("chmod o+w a", {"world_writable"}),
        ("chmod -R a+w a", {"world_writable", "recursive"}),
        ("chmod o-w a", set()),
        ("chmod 600 a", set()),
        ("install -m 4755 a b", {"setuid", "world_readable", "world_executable", "make_executable"}),
        ("chown root a", {"owner_change", "owner_root"}),
        ("chown -R bob:bob a", {"owner_change", "recursive"}),
        ("setcap cap_setuid+ep a", {"dangerous_capability"}),
        ("setfacl -m o::rwx a", {"world_writable"}),
        # searches for privilege
        ("find / -perm -4000", {"suid_search"}),
        ("find /usr -perm /u=s", {"suid_search"}),
        ("find . -perm -4000", set()),
        ("getcap -r /", {"suid_search"}),
        # running through an option
        ("sed '1e date' a", {"shell_escape"}),
        ("vim -c ':!date' a", {"shell_escape"}),
    ],
)
def test_traits(command, traits):
    assert command_of(command, command.split()[0]).traits == traits


@pytest.mark.parametrize(
    "command",
    [
        "awk 'BEGIN{system(\"rm -rf ~\")}'",
        "sed '1e rm -rf ~' a",
        "vim -c ':!rm -rf ~'",
        "sqlite3 a '.shell rm -rf ~'",
    ],
)
def test_what_an_option_runs_is_a_command(command):
    assert "home" in classes_of(command, "delete")


@pytest.mark.parametrize(
    "command", ["dd if=a of=/dev/sda", "tee /dev/nvme0n1", "cat a > /dev/sdb", "cp a /dev/sda"]
)
def test_writing_a_disk_is_an_operation_of_its_own(command):
    assert "disk_write" in operations_of(command)


def test_writing_a_file_is_not_writing_a_disk():
    assert "disk_write" not in operations_of("dd if=/dev/sda of=a")


def test_a_preview_touches_nothing():
    assert paths_of("patch --dry-run a") == set()
    assert command_of("patch --dry-run a", "patch").effect == "preview"
    assert traits_of("find . -delete -exec true --help ;") >= {"bulk"}
