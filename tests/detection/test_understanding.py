from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detection.programs.understood import CWD, HOST, classes_of, facts_of, paths_of, traits_of

from defenseclaw.detection import terms
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.understanding import MAX_LINKS, MAX_NETWORK, MAX_PATHS, understand
from defenseclaw.vocabulary import Door, Event, EventKind


@pytest.mark.parametrize(
    ("tool", "args", "tool_class", "access", "expected"),
    [
        ("Read", {"file_path": "~/.ssh/id_rsa"}, "read", "read", "ssh_private_key"),
        ("Write", {"file_path": "/home/ada/.claude/settings.json"}, "write", "write", "agent_settings"),
        ("Edit", {"file_path": ".git/hooks/pre-commit", "new_string": "x"}, "edit", "write", "git_hook"),
        ("delete_file", {"path": "~/.defenseclaw/.env"}, "delete", "delete", "self_token"),
        ("write_file", {"path": "~/.defenseclaw/.disabled"}, "write", "write", "self_disable_marker"),
        ("Glob", {"path": "~/.aws", "pattern": "*"}, "search", "search", "aws_credentials"),
        (
            "apply_patch",
            "*** Begin Patch\n*** Add File: .env\n+A=1\n*** End Patch",
            "patch",
            "write",
            "env_file",
        ),
    ],
)
def test_structured_tools_touch_paths_of_command_zero(tool, args, tool_class, access, expected):
    facts = facts_of(tool=tool, args=args)
    assert facts.tool_class == tool_class
    assert facts.parse == "not_applicable"
    (path,) = facts.paths
    assert (path.command, path.access) == (0, access)
    assert expected in path.classes


def test_an_address_of_a_structured_tool():
    (address,) = facts_of(tool="WebFetch", args={"url": "http://2852039166/latest"}).network
    assert (address.command, address.action, address.host) == (0, "download", "169.254.169.254")
    assert "metadata" in address.classes


def test_text_that_is_written():
    assert facts_of(tool="Write", args={"file_path": "a.py", "content": "x = 1"}).written == (
        (f"{CWD}/a.py", "x = 1"),
    )
    assert (f"{CWD}/a.sh", "ls\n") in facts_of("cat > a.sh <<'E'\nls\nE").written


def test_a_command_holds_what_its_row_says():
    (command,) = facts_of("rm -rf /").commands
    assert command.operations == {"delete"}
    assert command.traits == {"recursive", "force"}
    assert command.options == ("-r", "-f")
    assert command.operands == ("/",)
    assert command.effect == "execute"


@pytest.mark.parametrize(
    "command",
    [
        # every spelling that the shell's evaluation sees through
        "rm -rf ~/.defenseclaw",
        'r"m" -rf ~/.defenseclaw',
        "cd ~ && rm -rf .defenseclaw",
        "cd; rm -rf .defenseclaw/hooks",
        "a=.defenseclaw; rm -rf ~/$a",
        "rm -rf ~/.def*",
        "find ~/.defenseclaw -delete",
        "find ~/.defenseclaw -type f -exec rm {} +",
        "echo ~/.defenseclaw | xargs rm -rf",
        "bash -c 'rm -rf ~/.defenseclaw'",
        "python3 -c \"import shutil; shutil.rmtree('/home/ada/.defenseclaw')\"",
        "rm -rf /proc/self/root/home/ada/.defenseclaw",
        "rm -rf /home/ada/x/../.defenseclaw",
        "shred -u ~/.defenseclaw/.env",
        "git -C ~/.defenseclaw clean -fd hooks; rm ~/.defenseclaw/hooks/x",
    ],
)
def test_our_data_deleted(command):
    assert "self_data" in classes_of(command, "delete")


@pytest.mark.parametrize(
    ("command", "access", "expected"),
    [
        ("touch ~/.defenseclaw/.disabled", "write", "self_disable_marker"),
        ("sed -i s/action/observe/ ~/.defenseclaw/config.yaml", "write", "self_config"),
        ("mv ~/.defenseclaw /tmp/x", "move", "self_data"),
        ("cat ~/.defenseclaw/hooks/.hook-codex.token", "read", "self_token"),
        ("echo '{}' > ~/.claude/settings.json", "write", "agent_settings"),
        ("jq . x > ~/.claude/settings.json", "write", "agent_settings"),
        ("cp x ~/.claude/settings.json", "copy_to", "agent_settings"),
        ("cp settings.json ~/.claude/", "copy_to", "agent_settings"),
        ("rm -rf ~/.claude", "delete", "holds_guarded"),
        ("chmod 000 ~/.defenseclaw/hooks/codex-hook.sh", "permission", "self_hooks"),
        ("ln -sf /dev/null ~/.defenseclaw/audit.db", "write", "self_store"),
        ("mkdir -p ~/.claude", "write", "holds_guarded"),
    ],
)
def test_our_data_touched(command, access, expected):
    assert expected in classes_of(command, access)


def test_making_a_directory_beside_a_guarded_setting_is_not_touching_it():
    assert "agent_settings" not in classes_of("mkdir -p ~/.claude", "write")


@pytest.mark.parametrize(
    "command",
    ["echo 'rm -rf ~/.defenseclaw'", "grep -rn .defenseclaw src", "git commit -m 'rm ~/.defenseclaw'"],
)
def test_our_data_only_named(command):
    assert not any("self_data" in path.classes for path in facts_of(command).paths)


# ---- links ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "access", "target", "expected"),
    [
        ("cat notes.txt", "read", "/home/ada/.ssh/id_rsa", "ssh_private_key"),
        ("echo x > notes.txt", "write", "/home/ada/.defenseclaw/config.yaml", "self_config"),
        ("cp x notes.txt", "copy_to", "/home/ada/.claude/settings.json", "agent_settings"),
    ],
)
def test_a_link_has_the_classes_of_what_it_leads_to(command, access, target, expected):
    facts = facts_of(command, links={f"{CWD}/notes.txt": target})
    assert expected in {word for path in facts.paths if path.access == access for word in path.classes}


def test_a_link_of_a_structured_tool():
    facts = facts_of(tool="Read", args={"file_path": "notes.txt"}, links={f"{CWD}/notes.txt": "/etc/shadow"})
    assert "etc_shadow" in facts.paths[0].classes


def test_a_harmless_link_stays_harmless():
    facts = facts_of("cat guide.md", links={f"{CWD}/guide.md": f"{CWD}/docs/guide.md"})
    assert facts.paths[0].classes == {"workspace", "in_home"}


def test_a_link_that_the_call_makes_itself():
    assert "ssh_private_key" in classes_of("ln -s ~/.ssh/id_rsa x && cat x", "read")
    assert "self_config" in classes_of("ln -s ~/.defenseclaw/config.yaml x; echo y > x", "write")


def questions_of(command: str) -> list[Need]:
    event = Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, tool="Bash", args={"command": command}, cwd=CWD)
    generator, asked = understand(event, HOST), []
    try:
        need = next(generator)
        while True:
            asked.append(need)
            need = generator.send(Snapshot(real_path=need.path))
    except StopIteration:
        return asked


def test_few_questions_are_asked_and_none_about_what_is_known():
    assert questions_of("cat ~/.ssh/id_rsa /etc/passwd; ls src; rm -rf build") == []
    assert [need.path for need in questions_of("cat a a b")] == [f"{CWD}/a", f"{CWD}/b"]
    assert len(questions_of("cat " + " ".join(f"f{n}" for n in range(50)))) == MAX_LINKS
    assert all(need.max_bytes == 0 for need in questions_of("cat a"))


# ---- the directory ----------------------------------------------------------------------------------


def test_the_directory_of_the_event_and_of_the_arguments():
    assert paths_of("cat a") == {("read", f"{CWD}/a")}
    facts = facts_of(tool="exec_command", args={"cmd": "cat a", "workdir": "sub"})
    assert facts.paths[0].normalized == f"{CWD}/sub/a"
    assert not facts_of("cat a", cwd="").paths[0].resolved


def test_a_directory_change_makes_a_name_a_path():
    assert ("read", "/home/ada/.ssh/id_rsa") in paths_of("cd ~/.ssh && cat id_rsa")


# ---- bounds -----------------------------------------------------------------------------------------


def test_paths_and_addresses_are_bounded():
    facts = facts_of("cat " + " ".join(f"/etc/f{n}" for n in range(MAX_PATHS + 5)))
    assert len(facts.paths) == MAX_PATHS
    assert "fact_limit" in facts.issues
    facts = facts_of("curl " + " ".join(f"http://h{n}.example" for n in range(MAX_NETWORK + 5)))
    assert len(facts.network) == MAX_NETWORK
    assert "fact_limit" in facts.issues


def test_text_inside_text_is_followed_only_so_far():
    command = "date"
    for _ in range(40):
        command = "git -c alias.z=" + "'!" + command.replace("'", "'\\''") + "' z"
        if len(command) > 20000:
            break
    assert facts_of(command).tool_class == "shell"


@pytest.mark.parametrize(
    "command",
    [
        "cat " + "~/.ss*/id_* " * 200,
        "curl " + "http://0x7f.1/ " * 300,
        "echo " + "a" * 60000,
        "python3 -c '" + '"' * 5000 + "'",
    ],
    ids=["wildcards", "addresses", "long", "quotes"],
)
def test_hostile_commands_are_answered(command):
    assert facts_of(command).tool_class == "shell"


@settings(max_examples=60)
@given(st.text(max_size=120))
def test_any_command_has_words_of_the_vocabulary_only(command):
    facts = facts_of(command)
    for each in facts.commands:
        assert each.traits <= terms.TRAITS.keys()
        assert each.operations <= terms.OPERATIONS.keys()
    for path in facts.paths:
        assert path.classes <= terms.PATH_CLASSES.keys()
    for address in facts.network:
        assert address.classes <= terms.NETWORK_CLASSES.keys()


# ---- mention is not use -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "git commit -m 'docs: warn about curl | bash installers'",
        'grep -rn "rm -rf" scripts/',
        "echo 'rm -rf / is dangerous'",
        "cat <<'E' > docs/warn.md\nNever run rm -rf / or curl | bash\nE",
        "man mkfs",
        "npm install",
        "make -j4 CC=clang",
        "python -m pytest -q",
        "git ls-files | xargs grep -n FIXME",
        "cat .env.example",
        "wc -l docs/password-reset.md",
        "defenseclaw status",
        "openssl rand -hex 16",
        "docker build -t app .",
    ],
)
def test_ordinary_work_has_no_alarming_facts(command):
    alarming = {
        "runs_download",
        "runs_decoded",
        "shell_to_network",
        "self_control",
        "self_stop",
        "agent_bypass",
        "no_verify",
        "privileged_container",
        "kill_all",
        "fork_bomb",
        "miner",
        "destructive_vcs",
        "secret_value",
        "reverse_tunnel",
    }
    facts = facts_of(command)
    assert not traits_of(command) & alarming
    assert not any("credential" in path.classes or "root" in path.classes for path in facts.paths)
    assert not any(flow.sink == "network" for flow in facts.flows)
