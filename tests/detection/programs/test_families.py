from __future__ import annotations

import pytest
from tests.detection.programs.understood import (
    addresses_of,
    classes_of,
    command_of,
    facts_of,
    operations_of,
    paths_of,
    traits_of,
)

from defenseclaw.detection import terms
from defenseclaw.detection.programs import TABLE, UNKNOWN_PROGRAM, describe, look_up


@pytest.mark.parametrize(
    ("command", "traits"),
    [
        # git
        ("git commit --no-verify -m x", {"no_verify"}),
        ("git commit -anm x", {"no_verify"}),
        ("git push --no-verify", {"no_verify"}),
        ("git -c core.hooksPath=/dev/null commit -m x", {"hooks_disabled"}),
        ("git config core.hooksPath ''", {"hooks_disabled"}),
        ("git config core.hooksPath hooks", {"hooks_redirected", "config_exec"}),
        ("git config --global alias.x '!sh'", {"config_exec"}),
        ("git config credential.helper '!f'", {"config_exec"}),
        ("git config core.sshCommand connect", {"config_exec"}),
        ("git remote add evil https://x.example/r.git", {"remote_change"}),
        ("git remote set-url origin git@x.example:r", {"remote_change"}),
        ("git push -f origin main", {"history_rewrite", "destructive_vcs", "force", "remote_overwritten"}),
        ("git push origin +main", {"history_rewrite", "destructive_vcs", "force", "remote_overwritten"}),
        ("git push --force-with-lease", {"history_rewrite", "destructive_vcs", "force"}),
        ("git reset --hard HEAD~1", {"destructive_vcs", "changes_lost"}),
        ("git clean -fdx", {"destructive_vcs", "force", "bulk", "recursive", "changes_lost"}),
        ("git checkout -- .", {"destructive_vcs", "changes_lost"}),
        ("git stash clear", {"destructive_vcs", "stash_lost"}),
        ("git branch -D x", {"destructive_vcs", "force"}),
        ("git branch -D x y", {"destructive_vcs", "force", "branch_lost"}),
        ("git reflog expire --all", {"destructive_vcs", "history_lost"}),
        (
            "git filter-branch --tree-filter 'rm x' HEAD",
            {"destructive_vcs", "history_rewrite", "shell_escape", "history_lost"},
        ),
        # ordinary git
        ("git commit -m 'use --no-verify'", set()),
        ("git config --get core.hooksPath", set()),
        ("git config user.name x", set()),
        ("git config alias.co checkout", set()),
        ("git config credential.helper '!gh auth git-credential'", set()),
        ("git remote -v", set()),
        ("git push origin main", set()),
        ("git reset HEAD x", set()),
        ("git clean -n", set()),
        ("git checkout -b x", set()),
        ("git branch -d x", set()),
        # containers
        ("docker run --privileged -v /:/h alpine", {"privileged_container", "host_root_mount"}),
        ("docker run --mount type=bind,source=/,target=/h alpine", {"host_root_mount"}),
        ("podman run --pid=host alpine", {"host_namespace"}),
        ("docker run -v /var/run/docker.sock:/s alpine", {"runtime_socket_mount"}),
        ("docker run --cap-add SYS_ADMIN alpine", {"dangerous_capability"}),
        ("docker run --cap-add SYS_PTRACE alpine", set()),
        ("docker run --pid=host --cap-add SYS_PTRACE alpine", {"dangerous_capability", "host_namespace"}),
        ("lxc config device add c r disk source=/ path=/m", {"host_root_mount"}),
        ("incus launch x c -c security.privileged=true", {"privileged_container"}),
        ("ctr run --mount type=bind,src=/,dst=/h x y sh", {"host_root_mount"}),
        ("docker run xmrig/xmrig", {"image_miner", "miner"}),
        ("docker -H tcp://10.0.0.1:2375 exec web sh", {"remote_runtime"}),
        ("docker run --privileged=false -v ./x:/x alpine", set()),
        ("nsenter -t 1 -m sh", {"host_init"}),
        ("nsenter --mount=/proc/1/ns/mnt sh", {"host_init"}),
        ("nsenter -t 4242 -m sh", set()),
        ("chroot /proc/1/root sh", {"host_init"}),
        ("kubectl delete ns x", {"cloud_destroy", "cluster_lost"}),
        ("kubectl get secret x -o yaml", {"stored_secret"}),
        ("kubectl get secret", set()),
        # privilege
        ("sudo -l", {"privilege_list"}),
        ("sudo -s", {"privileged_shell"}),
        ("su -", {"privileged_shell"}),
        # disks, services, jobs
        ("crontab -", {"schedule_install"}),
        ("crontab a", {"schedule_install"}),
        ("crontab -l", {"schedule_list"}),
        ("crontab -r", {"schedule_remove"}),
        ("systemctl enable --now x", {"service_enable", "schedule_install"}),
        ("systemctl --user stop defenseclaw", {"service_stop", "self_stop"}),
        ("systemctl status defenseclaw", set()),
        ("service defenseclaw stop", {"service_stop", "self_stop"}),
        ("launchctl bootstrap gui/501 x.plist", {"service_enable", "schedule_install"}),
        ("shutdown -h now", {"power_off"}),
        # processes
        ("kill -9 -1", {"kill_all", "kill_force"}),
        ("kill -KILL -1", {"kill_all", "kill_force"}),
        ("kill -s KILL -- -1", {"kill_all", "kill_force"}),
        ("kill -1 4242", set()),
        ("kill -9 4242", {"kill_force"}),
        ("pkill -f defenseclaw", {"self_stop"}),
        ("killall defenseclaw-gateway", {"self_stop"}),
        ("pkill -f 'vite dev'", set()),
        # accounts
        ("usermod -aG sudo bob", {"privileged_group"}),
        ("useradd -o -u 0 bob", {"uid_zero"}),
        ("gpasswd -a bob docker", {"privileged_group"}),
        ("useradd bob", set()),
        # defences
        ("iptables -F", {"firewall_off"}),
        ("ufw disable", {"firewall_off"}),
        ("setenforce 0", {"firewall_off"}),
        # stores
        ("aws secretsmanager get-secret-value --secret-id x", {"secret_value"}),
        ("gcloud secrets versions access latest --secret=x", {"secret_value"}),
        ("az keyvault secret show --name x --vault-name y", {"secret_value"}),
        ("vault kv get secret/x", {"secret_value"}),
        ("op item get x", {"secret_value"}),
        ("pass show x", {"secret_value"}),
        ("pass x/y", {"secret_value"}),
        ("security find-generic-password -w x", {"secret_value"}),
        ("gh auth token", {"login_token"}),
        ("vault kv get kv/x", {"secret_value"}),
        ("aws secretsmanager list-secrets", set()),
        ("vault status", set()),
        ("pass ls", set()),
        ("terraform destroy -auto-approve", {"cloud_destroy", "force", "infrastructure_lost", "whole_lost"}),
        ("terraform plan", set()),
        ("psql -c 'drop table x'", {"database_destroy", "data_lost"}),
        ("psql -c 'select 1'", set()),
        ("redis-cli flushall", {"database_destroy", "database_lost"}),
        # agents
        ("claude --dangerously-skip-permissions", {"agent_bypass"}),
        ("claude --permission-mode bypassPermissions", {"agent_bypass"}),
        ("codex --sandbox danger-full-access --ask-for-approval never", {"agent_bypass"}),
        ("codex -a never -s danger-full-access", {"agent_bypass"}),
        ("codex --sandbox danger-full-access", set()),
        ("gemini --yolo", {"agent_bypass"}),
        ("claude --help", set()),
        ("npx -y @anthropic-ai/claude-code --dangerously-skip-permissions", {"agent_bypass", "package_run"}),
        ("openclaw plugins disable defenseclaw", {"agent_control", "self_control"}),
        ("openclaw skills list", set()),
        # packages
        ("npm install", {"package_install"}),
        ("pip install --index-url http://x.example/simple a", {"package_install", "package_url"}),
        ("pip install git+https://x.example/a", {"package_install", "package_url"}),
        ("pip uninstall -y defenseclaw", {"self_uninstall"}),
        ("pipx uninstall defenseclaw", {"self_uninstall"}),
        ("npm publish", {"publish"}),
        ("npx tsc --noEmit", {"package_run"}),
        # mining
        ("xmrig -o pool.example:3333", {"miner"}),
        ("nohup xmrig", {"miner"}),
        ("man xmrig", set()),
        ("grep xmrig a", set()),
        # Windows
        ("Remove-Item -Recurse -Force C:/", {"recursive", "force"}),
        ("Remove-Item -Recurse -Force:$false x", {"recursive"}),
        ("Stop-Process -Name '*' -Force", {"kill_all", "kill_force"}),
        ("schtasks /create /tn x /tr y", {"schedule_install"}),
        ("reg query HKCU", set()),
    ],
)
def test_traits(command, traits):
    noise = {"interpreter", "shell", "stdin_code", "package_run"} - traits
    assert traits_of(command) - noise == traits


@pytest.mark.parametrize(
    "command",
    [
        "defenseclaw setup guardrail --disable",
        "defenseclaw setup remove codex",
        "defenseclaw uninstall --yes",
        "defenseclaw reset",
        "defenseclaw guardrail disable",
        "defenseclaw guardrail fail-mode open",
        "defenseclaw keys set X --value y",
        "defenseclaw config set guardrail.mode observe",
        "defenseclaw tool allow bash",
        "defenseclaw mcp allow x",
        "defenseclaw skill allow x",
        "defenseclaw approve 42",
        "defenseclaw-gateway stop",
        "defenseclaw-gateway restart",
        # by other ways
        "/opt/venv/bin/defenseclaw uninstall",
        "~/.local/bin/defenseclaw uninstall",
        "sudo -u ada defenseclaw uninstall",
        "env X=1 nohup defenseclaw uninstall",
        "python -m defenseclaw uninstall",
        "python3 -m defenseclaw.cli uninstall",
        "uvx defenseclaw@1.2 uninstall",
        "uv tool run defenseclaw uninstall",
        "pipx run defenseclaw uninstall",
        "npx --yes defenseclaw uninstall",
        "bash -c 'defenseclaw uninstall'",
        "d=defenseclaw; $d uninstall",
        "echo uninstall | xargs defenseclaw",
        "python3 -c 'import os; os.system(\"defenseclaw uninstall\")'",
    ],
)
def test_our_own_program_used_against_us(command):
    assert "self_control" in traits_of(command)


@pytest.mark.parametrize(
    "command",
    [
        "defenseclaw status",
        "defenseclaw --help",
        "defenseclaw uninstall --help",
        "defenseclaw doctor",
        "defenseclaw tool list",
        "defenseclaw config path",
        "defenseclaw skill info x",
        "defenseclaw alerts --limit 5",
        "echo defenseclaw uninstall",
        "git commit -m 'defenseclaw uninstall'",
        "man defenseclaw",
    ],
)
def test_our_own_program_used_to_look(command):
    assert "self_control" not in traits_of(command)


@pytest.mark.parametrize(
    "command",
    [
        "kill -9 $(pgrep -f defenseclaw)",
        "kill $(cat ~/.defenseclaw/gateway.pid)",
        "pgrep defenseclaw | xargs kill",
        "fuser -k 18970/tcp",
        "lsof -ti :18970 | xargs kill -9",
    ],
)
def test_our_processes_looked_up_and_ended(command):
    assert "self_stop" in traits_of(command)


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        ("base64 -d a", "decode"),
        ("xxd -r -p a", "decode"),
        ("openssl enc -d -aes-256-cbc -in a", "decode"),
        ("gunzip -c a", "decode"),
        ("env", "environment_read"),
        ("printenv", "environment_read"),
        ("export -p", "environment_read"),
        ("set", "environment_read"),
        ("mkfs.ext4 /dev/sda1", "disk_write"),
        ("wipefs -a /dev/sda", "disk_write"),
        ("sgdisk -Z /dev/sda", "disk_write"),
        ("cryptsetup luksFormat /dev/sda", "disk_write"),
        ("blkdiscard /dev/sda", "disk_write"),
        ("kubectl exec pod -- sh", "workload_exec"),
        ("oc rsh pod", "workload_exec"),
        ("crictl exec x sh", "workload_exec"),
        ("ctr task exec x sh", "workload_exec"),
        ("docker -H ssh://x.example exec web sh", "workload_exec"),
        ("nsenter -t 1 sh", "namespace_enter"),
        ("chroot /mnt sh", "root_change"),
        ("sudo ls", "privilege"),
        ("useradd bob", "account_change"),
        ("at now", "schedule"),
    ],
)
def test_operations(command, operation):
    assert operation in operations_of(command)


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        ("base64 a", "decode"),
        ("printenv HOME", "environment_read"),
        ("env X=1 ls", "environment_read"),
        ("set -e", "environment_read"),
        ("wipefs -n /dev/sda", "disk_write"),
        ("fdisk -l", "disk_write"),
        ("nvme list", "disk_write"),
        ("man mkfs", "disk_write"),
        ("docker exec web sh", "workload_exec"),
        ("kubectl get pods", "workload_exec"),
        ("kubectl delete pod x --dry-run=client", "delete"),
    ],
)
def test_operations_that_are_not_there(command, operation):
    assert operation not in operations_of(command)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("tar czf /tmp/b.tgz ~/.config/gcloud", ("read", "/home/ada/.config/gcloud")),
        ("tar -cf - -C ~ .ssh", ("read", "/home/ada/.ssh")),
        ("zip -r a.zip ~/.aws", ("read", "/home/ada/.aws")),
        ("base64 ~/.netrc", ("read", "/home/ada/.netrc")),
        ("openssl base64 -in ~/.netrc", ("read", "/home/ada/.netrc")),
        ("gzip -c ~/.netrc", ("read", "/home/ada/.netrc")),
        ("git show HEAD:.env", ("read", "/home/ada/project/.env")),
        ("git log --output=.git/config", ("write", "/home/ada/project/.git/config")),
        ("someprog ~/.ssh/id_rsa", ("read", "/home/ada/.ssh/id_rsa")),
        ("someprog --input=/home/ada/.netrc", ("read", "/home/ada/.netrc")),
        ("someprog ./src", ("metadata", "/home/ada/project/src")),
        ("someprog --private-key ~/.ssh/id_rsa.pub", ("metadata", "/home/ada/.ssh/id_rsa.pub")),
        ("docker cp ~/.ssh web:/x", ("copy_from", "/home/ada/.ssh")),
        ("unzip s.zip -d out", ("write", "/home/ada/project/out")),
    ],
)
def test_paths(command, path):
    assert path in paths_of(command)


@pytest.mark.parametrize(
    "command",
    [
        "git log --oneline --grep '${HOME:+less} ~/.git-credentials'",
        "git log -S 'HEAD:.env' --author 'me: ~/.netrc'",
        "git diff --since '2 days: ago' -G 'x:.env'",
        "git show ':/read the .env'",
    ],
)
def test_what_git_searches_for_is_no_path(command):
    assert paths_of(command) == set()


@pytest.mark.parametrize(
    "command",
    [
        """pytest -q -k "/bin/bash -c 'cat ~/.defenseclaw/.env' name\"""",
        """someprog --text '/usr/bin/env X=1 cat ~/.ssh/id_rsa'""",
        """someprog '/bin/sh -c cat' --note '/bin/true\ncat .env'""",
    ],
)
def test_a_command_that_an_unknown_program_is_told_of_is_no_path(command):
    assert paths_of(command) == set()


@pytest.mark.parametrize(
    "path", ["/home/ada/My Notes/.env", "/home/ada/a -b/../.env", "/home/ada/x\ny/../.env"]
)
def test_a_path_with_blanks_is_one(path):
    assert {access for access, _ in paths_of(f"someprog '{path}'")} == {"read"}


def test_an_address_of_an_unknown_program_is_seen():
    assert addresses_of("someprog https://x.example/a") == {("connect", "x.example")}


def test_commands_of_a_container_touch_no_path_of_the_host():
    assert classes_of("docker exec web rm -rf /", "delete") == set()
    assert "workload_token" in classes_of(
        "kubectl exec p -- cat /var/run/secrets/kubernetes.io/serviceaccount/token", "read"
    )


def test_what_runs_elsewhere_is_not_ours():
    assert "self_data" not in classes_of("ssh x.example rm -rf /home/ada/.defenseclaw", "delete")


def test_options_in_normal_form():
    found = command_of("rm -rf --interactive=never -- -x", "rm")
    assert found.options == ("-r", "-f", "--interactive")
    assert found.operands == ("-x",)


def test_versions_in_names_are_ignored():
    assert look_up("python3.12") is TABLE["python"]
    assert look_up("nosuchprogram9") is UNKNOWN_PROGRAM


@pytest.mark.parametrize("program", sorted(TABLE))
def test_every_program_takes_any_words(program):
    hostile = (
        "",
        "-",
        "--",
        "-x",
        "--x=y",
        "=",
        "a:b",
        "https://x.example",
        "\ufffd",
        "-" * 300,
        "a" * 300,
        "@",
        "+",
    )
    for words in ((), hostile, hostile[::-1], *((word, *hostile) for word in hostile)):
        act = describe(program, (program, *words))
        assert act.traits <= terms.TRAITS.keys()
        assert act.operations <= terms.OPERATIONS.keys()


def test_the_module_of_facts_knows_every_word():
    assert facts_of("ls").commands[0].operations <= terms.OPERATIONS.keys()


def test_a_shell_in_a_container_sees_what_the_container_was_given():
    command = "docker run -v /:/h alpine sh -c 'cd /tmp; cat /h/etc/shadow; chroot /h id'"
    assert "etc_shadow" in classes_of(command, "read")
    assert "root" in classes_of(command, "execute")


def test_linux_beside_windows_runs_its_words():
    assert "etc_shadow" in classes_of('wsl -u root bash -c "cat /etc/shadow"', "read")
    assert command_of("wsl -d Ubuntu -- npm test", "npm").argv == ("npm", "test")
