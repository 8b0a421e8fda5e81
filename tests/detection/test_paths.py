from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.detection import terms
from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.paths import classify, is_pattern, normalize
from defenseclaw.vocabulary import HostContext

HOME = "/home/ada"
CWD = "/home/ada/project"
HOST = HostContext(
    home=HOME, data_dir="/home/ada/.defenseclaw", protected_paths=("/home/ada/.claude/settings.json",)
)


def classes(value: str, cwd: str = CWD) -> frozenset[str]:
    normalized, _ = normalize(value, cwd=cwd, home=HOME)
    return classify(normalized, cwd=cwd, home=HOME, host=HOST)


@pytest.mark.parametrize(
    ("value", "normalized"),
    [
        # plain
        ("src/a.py", "/home/ada/project/src/a.py"),
        ("/etc//passwd", "/etc/passwd"),
        ("/etc/./ssh/../passwd/", "/etc/passwd"),
        ("../../..", "/"),
        ("/..", "/"),
        (".", CWD),
        # homes
        ("~", HOME),
        ("~/x", "/home/ada/x"),
        ("~ada/x", "/home/ada/x"),
        ("~root/x", "/root/x"),
        ("~bob/x", "/home/bob/x"),
        ("$HOME/x", "/home/ada/x"),
        ("${HOME}/x", "/home/ada/x"),
        ("~+/x", "/home/ada/project/x"),
        # other spellings
        ("file:///home/ada/%2Essh/id_rsa", "/home/ada/.ssh/id_rsa"),
        ("%USERPROFILE%\\.aws\\credentials", "/home/ada/.aws/credentials"),
        ("C:\\Users\\bob\\..\\eve\\x", "C:/Users/eve/x"),
        ("/proc/self/root/etc/shadow", "/etc/shadow"),
        ("/proc/self/root/proc/self/root/etc/shadow", "/etc/shadow"),
        ("/proc/self/cwd/.env", "/home/ada/project/.env"),
        ("/private/etc/passwd", "/etc/passwd"),
        # not aliases of anything we know
        ("/proc/1/root", "/proc/1/root"),
        ("/proc/1234/cwd/x", "/proc/1234/cwd/x"),
    ],
)
def test_normal_form(value, normalized):
    assert normalize(value, cwd=CWD, home=HOME) == (normalized, True)


@pytest.mark.parametrize(
    ("value", "cwd", "normalized"),
    [
        ("src/a.py", "", "src/a.py"),
        (f"{UNKNOWN}/a/../b", CWD, f"{UNKNOWN}/b"),
        (f"{UNKNOWN}/", CWD, f"{UNKNOWN}/"),
        (f"/tmp/{UNKNOWN}/x", CWD, f"/tmp/{UNKNOWN}/x"),
    ],
)
def test_what_is_unknown_is_not_resolved(value, cwd, normalized):
    assert normalize(value, cwd=cwd, home=HOME) == (normalized, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # places
        ("/", "root"),
        ("C:\\", "root"),
        ("/etc", "system_dir"),
        ("/e?c", "system_dir"),
        ("/usr/lib/x.so", "system_file"),
        ("~", "home"),
        ("/home", "home_parent"),
        ("/home/bob", "home"),
        ("/home/bob/x", "other_home"),
        (".", "workspace_root"),
        ("..", "ancestor"),
        ("src/a.py", "workspace"),
        ("/tmp/x", "temporary"),
        ("/*", "contents"),
        ("~/.*", "contents"),
        (f"{UNKNOWN}/", "root_if_unset"),
        (f"{UNKNOWN}/*", "root_if_unset"),
        # devices
        ("/dev/sda1", "block_device"),
        ("/dev/nvme0n1", "block_device"),
        ("/dev/mapper/data", "block_device"),
        ("/dev/null", "null_device"),
        ("/dev/tcp/203.0.113.7/80", "dev_tcp"),
        # system files
        ("/etc/passwd", "etc_passwd"),
        ("/etc/shadow", "etc_shadow"),
        ("/???/sh?dow", "etc_shadow"),
        ("/etc/sudoers.d/ada", "etc_sudoers"),
        ("/etc/ssh/sshd_config", "sshd_config"),
        ("/proc/1/environ", "proc_environ"),
        ("/proc/self/environ", "proc_environ"),
        ("/proc/1/root", "host_init"),
        ("/etc/cron.d/x", "cron"),
        ("/etc/systemd/system/x.service", "systemd_unit"),
        ("~/.config/systemd/user/x.service", "systemd_unit"),
        ("~/.config/autostart/x.desktop", "autostart"),
        # credentials
        ("~/.ssh/id_rsa", "ssh_private_key"),
        ("~/.ssh/work", "ssh_private_key"),
        ("~/.ss*/id_*", "ssh_private_key"),
        ("/root/.ssh/id_ed25519", "ssh_private_key"),
        ("deploy/id_rsa", "key_file"),
        ("~/.ssh/authorized_keys", "authorized_keys"),
        ("~/.aws/credentials", "aws_credentials"),
        ("~/.aws/cred*", "aws_credentials"),
        ("~/.aws", "aws_credentials"),
        ("~/.kube/config", "kube_config"),
        ("~/.docker/config.json", "docker_config"),
        ("~/.gnupg/private-keys-v1.d/x", "gnupg"),
        ("~/.npmrc", "npmrc"),
        ("~/.netrc", "netrc"),
        ("~/.git-credentials", "git_credentials"),
        ("~/.config/gcloud/credentials.db", "cloud_credentials"),
        ("~/.config/gh/hosts.yml", "cloud_credentials"),
        ("~/.config/google-chrome/Default/Login Data", "browser_store"),
        ("/var/run/secrets/kubernetes.io/serviceaccount/token", "workload_token"),
        (".env", "env_file"),
        (".env.production", "env_file"),
        ("config/prod.env", "env_file"),
        ("tests/fixtures/.env", "env_file"),
        (".env.example", "env_sample"),
        ("server.key", "key_file"),
        ("config/credentials.json", "named_secret"),
        ("dbPasswords.csv", "named_secret"),
        ("~/.bash_history", "shell_history"),
        # what later runs obey
        ("~/.bashrc", "shell_profile"),
        ("/etc/profile", "shell_profile"),
        (".git/hooks/pre-commit", "git_hook"),
        (".git/config", "git_config"),
        ("/var/run/docker.sock", "container_socket"),
        ("SOUL.md", "cognitive_file"),
        ("Memory.MD", "cognitive_file"),
        ("SOUL.md\u200b", "cognitive_file"),
        ("MEMORY.md::$DATA", "cognitive_file"),
        ("~/.openclaw/openclaw.json", "openclaw_config"),
        # ours
        ("~/.defenseclaw", "self_data"),
        ("~/.defenseclaw/.env", "self_token"),
        ("~/.defenseclaw/hooks/.hook-codex.token", "self_token"),
        ("~/.defenseclaw/hooks/codex-hook.sh", "self_hooks"),
        ("~/.defenseclaw/config.yaml", "self_config"),
        ("~/.def*/config.yaml", "self_config"),
        ("~/.DefenseClaw/config.yaml", "self_config"),
        ("~/.defenseclaw/audit.db-wal", "self_store"),
        ("~/.defenseclaw/.disabled", "self_disable_marker"),
        ("~/.defenseclaw/logs/gateway.log", "self_log"),
        ("~/.claude/settings.json", "agent_settings"),
        ("~/.claude", "holds_guarded"),
        ("~", "holds_guarded"),
    ],
)
def test_what_a_path_is(value, expected):
    assert expected in classes(value)


@pytest.mark.parametrize(
    ("value", "never"),
    [
        # a file of the project is not that of the home
        (".netrc", "netrc"),
        (".aws/credentials", "aws_credentials"),
        ("tests/fixtures/id_rsa", "key_file"),
        # public halves and templates
        ("~/.ssh/id_rsa.pub", "credential"),
        ("~/.ssh/known_hosts", "credential"),
        ("~/.ssh/config", "credential"),
        (".env.example", "credential"),
        ("src/environments.ts", "env_file"),
        (".git/hooks/pre-commit.sample", "git_hook"),
        # words that only look like secrets
        ("models/tokenizer.json", "named_secret"),
        ("design-tokens.json", "named_secret"),
        ("docs/password-reset.md", "named_secret"),
        ("src/token_refresh.py", "named_secret"),
        ("/etc/passwd", "credential"),
        # neighbours
        ("/etcetera", "etc"),
        ("/home/ada/.defenseclaw-notes", "self_data"),
        ("/usr/local/bin/tool", "system_file"),
        ("~/*", "shell_history"),
        ("/tmp", "system_dir"),
        ("node_modules", "ancestor"),
        (UNKNOWN, "root_if_unset"),
        (f"{UNKNOWN}/cache", "root_if_unset"),
    ],
)
def test_what_a_path_is_not(value, never):
    assert never not in classes(value)


def test_every_credential_class_entails_the_umbrella():
    assert "credential" in classes("~/.gnupg/x")
    assert "permission_protected" in classes("~/.gnupg/x")


def test_a_brace_or_bracket_counts_as_what_it_can_match():
    assert is_pattern("~/.ssh/id_[re]*")
    assert "ssh_private_key" in classes("~/.ssh/id_[re]*")


@given(st.text(max_size=60))
def test_any_text_has_classes_of_the_vocabulary_only(value):
    assert classes(value) <= terms.PATH_CLASSES.keys()


@given(
    st.sampled_from(["/etc/shadow", "/home/ada/.ssh/id_rsa", "/home/ada/.defenseclaw/.env"]),
    st.lists(st.sampled_from(["/./", "//", "/x/../"]), min_size=1, max_size=6),
)
def test_detours_change_nothing(path, detours):
    parts = path.split("/")[1:]
    detoured = ""
    for index, part in enumerate(parts):
        detoured += detours[index % len(detours)] + part
    assert classes(detoured) == classes(path)


@pytest.mark.parametrize(
    "pattern", ["/" + "*a" * 2000, "/" + "?" * 4000, "~/" + "[" * 3000, "/etc/" + "{" * 3000]
)
def test_hostile_wildcards_are_answered(pattern):
    assert classes(pattern) <= terms.PATH_CLASSES.keys()
