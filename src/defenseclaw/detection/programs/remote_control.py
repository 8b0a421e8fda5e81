"""Inline program text that opens a connection and does what the other end says, or hands it a shell.

Two things must come together: a raw socket, outwards or listening, and a process whose command is not
written in the text (so it can only have come in through the socket), or a shell joined to the socket.
Fetching over HTTP is no raw socket, and a started program that the text names is no obedience: a health
check opens sockets, a build script starts programs.
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act
from defenseclaw.detection.programs.code_strings import fold

_RAW_SOCKET: Final = re.compile(
    r"\bsocket(?:\b|_create|Connection)|Socket|TCPServer|fsockopen|stream_socket_\w{6}|\bnet\b|gen_tcp|TcpStream|make-network-process"
)
_DIALS: Final = re.compile(
    r"\.connect(?:_ex)?\s{0,8}\(|\bconnect\s{0,8}\(|create_connection|createConnection|TCPSocket|fsockopen|"
    r"stream_socket_client|socket_connect|IO::Socket|[nN]ew\s{1,8}(?:java\.net\.|net\.)?Socket\b|Sockets?\.tcp\b|sockaddr_in|"
    r"socketConnection|gen_tcp:connect|TcpStream::connect|make-network-process|"
    r"\bsocket\s{1,8}[\w.$:-]{1,255}\s{1,8}[\d$]"
)
_SERVES: Final = re.compile(
    r"\.listen\s{0,8}\(|TCPServer|socket_listen|stream_socket_server|ServerSocket|createServer|Listen\s{0,8}=>"
)
_SHELL: Final = r"(?:/(?:usr/)?bin/)?(?:ba|z|da|k|a)?sh\b"
_HANDS_OVER: Final = re.compile(
    r"dup2|pty\.spawn|>&\s{0,4}\w|fdopen|STDIN|cmd\.exe|"
    rf"(?:spawn|exec\w{{0,6}}|system|popen|Popen|run|call|open|execute|ProcessBuilder)\W{{1,8}}{_SHELL}|"
    rf"['\"]{_SHELL}['\"]\s{{0,4}}\]?\.execute|['\"`]{_SHELL}[^'\"`\n]{{0,64}}[<>]&"
)
"""A shell among the programs it starts, or the standard streams given another end."""
_OBEYS: Final = re.compile(
    r"\b(?:i?o?\.?popen[23]?|os[.:](?:system|execute|popen|cmd)|shell_exec|passthru|proc_open|exec(?:Sync|File|v|l)?|"
    r"system[23]?|Popen|check_output|check_call|getoutput|spawn(?:Sync)?|capture[23]e?|subprocess\.(?:run|call)|"
    r"shell-command|eval)\b[\s({]{0,8}(?:['\"](?:/bin/)?(?:ba)?sh['\"],\s{0,8}['\"]-c['\"],\s{0,8})?"
    r"(?:sh\s{1,8}-c\s{1,8})?(?:\$_|\"\$\w|\$?[A-Za-z_]\w{0,63}\s{0,8}(?:[,()\]}.:\[;\s]|$))"
    r"|\bsystem\$|`[^`\n]{0,64}\$\w|%x[({\[]\s{0,8}#\{"
)
"""A command line that is a variable's value."""
_LOOPBACK: Final = re.compile(r"\blocalhost\b|\b127(?:\.\d{1,3}){3}\b|::1\b")
_ADDRESS: Final = re.compile(
    r"(?:['\"]|socket\s{1,8})"
    r"(\d{1,3}(?:\.\d{1,3}){3}|[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,6}\.[A-Za-z]{2,12})"
    r"(?::(\d{1,5}))?(?:['\"]|\s)"
)


def joins_a_shell(code: str) -> bool:
    """Whether text hands a shell to a raw socket, or runs what a raw socket says."""
    return (
        _RAW_SOCKET.search(code) is not None
        and (_DIALS.search(code) is not None or _SERVES.search(code) is not None)
        and (_HANDS_OVER.search(code) is not None or _OBEYS.search(code) is not None)
    )


def add_ends(act: Act, code: str) -> None:
    """Add where the connection of such a text goes, if nothing of it is known yet.

    A host that the text does not hold (an environment variable, an argument) is an unknown one.
    """
    is_local = _LOOPBACK.search(code) is not None
    if _SERVES.search(code) and not is_local:
        # The address that a server is bound to is no other end.
        act.talk("listen", "0.0.0.0", "tcp")  # noqa: S104 -- named, not bound
    elif act.addresses:
        return
    elif is_local:
        act.talk("connect", "127.0.0.1", "tcp")
    elif match := _ADDRESS.search(fold(code)):
        act.talk("connect", match[1], "tcp", int(match[2] or 0))
    else:
        act.talk("connect", UNKNOWN, "tcp")


_AWK_SOCKET: Final = re.compile(r"/inet[46]?/(?:tcp|udp)/(\w{0,16})/([^/\s\"]{0,255})(?:/(\d{1,5}))?")
_AWK_READ: Final = re.compile(r"\bgetline\s{1,8}([A-Za-z_]\w{0,63})")
_AWK_RUN: Final = re.compile(
    r"\b([A-Za-z_]\w{0,63})\s{0,8}\|&?\s{0,8}getline|\bsystem\s{0,8}\(\s{0,8}([A-Za-z_]\w{0,63})\s{0,8}\)"
)


def inspect_awk(act: Act, program: str) -> None:
    """Add what an awk program does with gawk's ``/inet`` files (gawk manual, "Using gawk for networking")."""
    match = _AWK_SOCKET.search(program)
    if match is None:
        return
    act.is_("socket_code")
    local, host, port = match[1], match[2], int(match[3] or 0)
    if host == "0" and local not in ("", "0"):
        act.talk("listen", "0.0.0.0", "tcp", port)  # noqa: S104 -- named, not bound
    else:
        act.talk("connect", host or UNKNOWN, "tcp", port)
    read = {match[1] for match in _AWK_READ.finditer(program)}
    if any(match[1] in read or match[2] in read for match in _AWK_RUN.finditer(program)):
        act.is_("shell_to_network", "spawn_code")
