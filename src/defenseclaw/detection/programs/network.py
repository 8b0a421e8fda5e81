"""Programs that talk to other hosts: clients, servers, tunnels, scanners, look-ups, mail."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act, Program, grammar, is_url, split_pair

_CURL: Final = grammar(
    "-o,--output= -O,--remote-name --remote-name-all -J -T,--upload-file= -d,--data,--data-ascii= "
    "--data-binary= "
    "--data-raw= --data-urlencode= --json= -F,--form= --form-string= -K,--config= -X,--request= -H,--header= "
    "-A,--user-agent= -b,--cookie= -c,--cookie-jar= -e,--referer= -u,--user= -x,--proxy= --preproxy= "
    "--socks5= --socks5-hostname= --socks4= --socks4a= --url= -w,--write-out= -m,--max-time= "
    "--connect-timeout= "
    "--retry= --retry-delay= --retry-max-time= -r,--range= -E,--cert= --key= --cacert= --capath= "
    "--cert-type= "
    "--resolve= --connect-to= --interface= --limit-rate= -C,--continue-at= -D,--dump-header= -P,--ftp-port= "
    "-Q,--quote= -t,--telnet-option= -y,--speed-time= -Y,--speed-limit= -z,--time-cond= --unix-socket= "
    "--abstract-unix-socket= --max-redirs= --max-filesize= --ciphers= --tls-max= --dns-servers= --doh-url= "
    "--trace= --trace-ascii= --stderr= --output-dir= --etag-save= --etag-compare= --netrc-file= "
    "--oauth2-bearer= "
    "--proxy-user= --proxy-header= --aws-sigv4= --variable= --expand-url= --mail-from= --mail-rcpt= "
    "--local-port= --keepalive-time= --hostpubmd5= --pinnedpubkey= --create-file-mode= --parallel-max= "
    "-G,--get -I,--head -k,--insecure -L,--location -s,--silent -S,--show-error -f,--fail "
    "-v,--verbose -i,--include "
    "-n,--netrc -N -g -j -l -q -R -Z,--parallel -# -0 -1 -2 -3 -4 -6 -a,--append -B -p --compressed"
)
_WGET: Final = grammar(
    "-O,--output-document= -o,--output-file= -a,--append-output= -i,--input-file= -P,--directory-prefix= "
    "--post-data= --post-file= --body-data= --body-file= --method= --header= -U,--user-agent= "
    "--user= --password= "
    "--http-user= --http-password= -e,--execute= -t,--tries= -T,--timeout= -w,--wait= -Q,--quota= "
    "-A,--accept= "
    "-R,--reject= -D,--domains= -l,--level= -X= -I= -B,--base= --limit-rate= --certificate= --private-key= "
    "--ca-certificate= --load-cookies= --save-cookies= --referer= --use-askpass= --bind-address= --config= "
    "-q,--quiet -c,--continue -N -r,--recursive -m,--mirror -k -p -nc -nv -nd -nH -np -S "
    "-b,--background --spider "
    "--no-check-certificate"
)
_UPLOAD_OPTIONS: Final = (
    "-d",
    "--data-binary",
    "--data-raw",
    "--data-urlencode",
    "--json",
    "-F",
    "--form-string",
)
_DNS_OPTION: Final = re.compile(r"^(?:\+|-[0-9a-zA-Z])")


def _curl(act: Act) -> None:
    urls = [*act.all("--url"), *act.operands]
    uploads = _curl_uploads(act)
    body = act.has(*_UPLOAD_OPTIONS)
    sends = (
        (body and not act.has("-G"))
        or act.has("-T")
        or act.value("-X").upper() in ("POST", "PUT", "PATCH", "DELETE")
    )
    act.does("upload" if sends else "fetch")
    act.args = "network"
    if body or act.has("-T"):
        act.is_("request_body")
    if act.has("-k"):
        act.is_("insecure_tls")
    if act.value("-X").upper() == "DELETE":
        act.does("delete")
        act.is_("remote_delete")
    for url in urls:
        if url.lower().startswith("file:"):
            act.does("read")
            act.touch("read", [url], "stdout")
        else:
            act.talk("upload" if sends else "download", url, "http")
    for proxy in act.all("-x", "--preproxy", "--socks5", "--socks5-hostname", "--socks4", "--socks4a"):
        act.talk("connect", proxy.partition("://")[2] or proxy, "proxy")
    for rerouted in act.all("--connect-to", "--resolve"):
        port = rerouted.split(":", 2)[1] if rerouted.count(":") > 1 else ""
        host = rerouted.split(":", 2)[2] if rerouted.count(":") > 1 else ""
        act.talk("connect", host.lstrip("+"), "", _port(port))
    for socket in act.all("--unix-socket", "--abstract-unix-socket"):
        act.touch("connect", [socket])
    act.touch("read", uploads, "upload")
    act.touch(
        "read", [*act.all("-K", "--netrc-file"), *(value for value in act.all("-b") if "=" not in value)]
    )
    act.touch("metadata", [*act.all("-E"), *act.all("--key"), *act.all("--cacert")])
    act.touch("write", act.all("-c", "-D", "--trace", "--trace-ascii", "--etag-save"))
    _fetched_files(act, urls, act.all("-o"), act.has("-O", "--remote-name-all"), act.value("--output-dir"))


def _curl_uploads(act: Act) -> list[str]:
    """Return the files that curl sends; note when it sends its standard input."""
    files: list[str] = []
    for value in act.all("-d", "--data-binary", "--json"):
        if value.startswith("@"):
            files.append(value[1:])
    for value in act.all("--data-urlencode"):
        name, mark, file = value.partition("@")
        if mark and "=" not in name:
            files.append(file)
    for value in act.all("-F"):
        content = value.partition("=")[2]
        if content.startswith(("@", "<")):
            files.append(content[1:].partition(";")[0].strip('"'))
    files.extend(act.all("-T"))
    files.extend(value[1:] for value in act.all("-H") if value.startswith("@"))
    for value in act.all("--variable"):
        if "@" in value:
            files.append(value.partition("@")[2])
    if any(file in ("-", "/dev/stdin", ".") for file in files):
        act.stdin = "network"
    return [file for file in files if file not in ("-", "/dev/stdin", ".")]


def _fetched_files(act: Act, urls: list[str], outputs: list[str], remote_name: bool, directory: str) -> None:
    names = [value for value in outputs if value not in ("-", "/dev/stdout")]
    if remote_name:
        names.extend(_last_segment(url) for url in urls)
    if directory:
        names = [f"{directory.rstrip('/')}/{name}" for name in names]
    if names:
        act.does("write")
        act.touch("write", names, "download")
    if len(names) < max(len(urls), 1):
        act.emits.append("network")


def _last_segment(url: str) -> str:
    path = url.partition("://")[2].partition("/")[2].partition("?")[0].partition("#")[0]
    return path.rpartition("/")[2] or "index.html"


def _wget(act: Act) -> None:
    urls = act.operands
    bodies = [value for value in act.all("--post-file", "--body-file") if value not in ("-", "/dev/stdin")]
    sends = act.has("--post-data", "--post-file", "--body-data", "--body-file")
    if len(bodies) < len(act.all("--post-file", "--body-file")):
        act.stdin = "network"
    act.does("upload" if sends else "fetch")
    act.args = "network"
    if sends:
        act.is_("request_body")
    if act.has("--no-check-certificate"):
        act.is_("insecure_tls")
    for url in urls:
        act.talk("upload" if sends else "download", url, "http")
    for setting in act.all("-e"):
        name, _, value = setting.partition("=")
        if "proxy" in name:
            act.talk("connect", value.strip(), "http")
    act.touch("read", bodies, "upload")
    act.touch("read", act.all("-i", "--load-cookies", "--config"))
    act.touch("write", act.all("-o", "-a", "--save-cookies"))
    if act.has("--spider"):
        return
    outputs = act.all("-O")
    if any(value in ("-", "/dev/stdout") for value in outputs):
        act.emits.append("network")
    names = [value for value in outputs if value not in ("-", "/dev/stdout")]
    if not outputs:
        prefix = act.value("-P")
        names = [f"{prefix.rstrip('/')}/{name}" if prefix else name for name in map(_last_segment, urls)]
    if names:
        act.does("write")
        act.touch("write", names, "download")


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _http_client(act: Act) -> None:
    """Describe httpie and its kin: ``http [METHOD] URL [item…]``."""
    words = list(act.operands)
    named = bool(words) and words[0].isalpha() and (words[0].isupper() or words[0].upper() in _METHODS)
    method = words.pop(0).upper() if named else ""
    url, items = (words[0], words[1:]) if words else ("", [])
    url = f"localhost{url}" if url.startswith((":", "/")) and not url.startswith("//") else url
    files = [item.partition("@")[2] for item in items if "@" in item and "=" not in item.partition("@")[0]]
    sends = (
        bool(files)
        or method in ("POST", "PUT", "PATCH")
        or any("=" in item and "==" not in item for item in items)
    )
    act.does("upload" if sends else "fetch")
    act.talk("upload" if sends else "download", url, "http")
    act.touch("read", files, "upload")
    act.args = "network"
    act.stdin = "network"
    outputs = act.all("-o")
    act.touch("write", outputs, "download")
    if not outputs:
        act.emits.append("network")


def _downloader(act: Act) -> None:
    """Describe aria2c, axel, fetch, lwp-download and others that take URLs and write files."""
    act.does("fetch", "write")
    urls = [word for word in act.operands if is_url(word)] or act.operands[:1]
    for url in urls:
        act.talk("download", url, "http")
    outputs = act.all("-o")
    directory = act.value("-d")
    if act.program in ("lwp-request", "get", "w3m", "lynx", "links", "elinks") or "-" in outputs:
        act.emits.append("network")
        return
    names = outputs or [_last_segment(url) for url in urls]
    act.touch(
        "write", [f"{directory.rstrip('/')}/{name}" if directory else name for name in names], "download"
    )


def _ssh(act: Act) -> None:
    options = " ".join(act.all("-o"))
    host = act.operand(0)
    act.does("connect")
    act.stdin = "network"
    act.args = "network"
    port = act.value("-p")
    act.talk("connect", host, "ssh", int(port) if port.isdigit() else 22)
    act.touch("metadata", [*act.all("-i"), *act.all("-F")])
    if act.has("-G", "-V", "-Q"):
        act.preview()
        return
    if act.has("-R") or re.search(r"(?i)\bremoteforward\b", options):
        act.does("tunnel")
        act.is_("reverse_tunnel")
        act.talk("tunnel", host, "ssh", 22)
    if act.has("-L") or re.search(r"(?i)\blocalforward\b", options):
        act.does("tunnel")
        act.is_("forward_tunnel")
        for forward in act.all("-L", "-W"):
            if host in _SELF_HOSTS or host.rpartition("@")[2] in _SELF_HOSTS:
                act.talk("connect", ":".join(forward.split(":")[-2:]))
    if act.has("-D") or re.search(r"(?i)\bdynamicforward\b", options):
        act.does("tunnel")
        act.is_("dynamic_tunnel")
    if act.has("-J"):
        for jump in act.value("-J").split(","):
            act.talk("connect", jump, "ssh", 22)
    for text in act.all("-o"):
        match = re.match(r"(?i)\s*(?:proxycommand|localcommand|knownhostscommand)\s*[= ]\s*(.+)", text)
        if match and match[1].lower() != "none":
            act.is_("shell_escape")
            act.nested.append(match[1])
    if len(act.operands) == 1:
        act.emits.append("network")


_SELF_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1", "0"})

_SSH_OPTIONS: Final = (
    "-o= -i= -F= -p= -l= -R= -L= -D= -J= -W= -E= -S= -c= -m= -b= -B= -I= -O= -Q= -w= -G -V -N -f -T "
    "-t -n -q -v "
    "-A -a -X -x -Y -4 -6 -C -g -k -K -M -s -y"
)
_SSH: Final = grammar(_SSH_OPTIONS, stop=True)


def _remote_copy(act: Act) -> None:
    """Describe scp and rsync: a side with a colon is another host."""
    words = act.operands
    sources, target = (words[:-1], words[-1]) if len(words) > 1 else (words, "")
    far = [_remote(word) for word in words]
    to_remote = bool(target) and far[-1] != ""
    local_sources = [word for word in sources if not _remote(word)]
    act.does("copy")
    for host in far:
        if host:
            act.talk("upload" if host == far[-1] and to_remote else "download", host, "ssh", 22)
    if to_remote:
        act.does("upload")
        act.args = "network"
        act.touch("read", local_sources, "upload")
    elif any(far):
        act.does("fetch", "write")
        act.touch("write", [target], "download")
    else:
        act.does("read", "write")
        act.touch("copy_from", local_sources, "from")
        act.touch("copy_to", [target], "to")
    act.touch("metadata", act.all("-i"))
    for shell in act.all("-S", "-e"):
        words = shell.split()
        if words and words[0].rpartition("/")[2] not in ("ssh", "rsh"):
            act.is_("shell_escape")
            act.nested.append(shell)
    if act.program == "rsync":
        act.touch("read", act.all("--files-from", "--password-file"))
        if act.has(
            "--delete", "--delete-after", "--delete-before", "--delete-during", "--delete-excluded", "--del"
        ):
            act.is_("sync_delete", "recursive")
            act.does("delete")
            if not to_remote:
                act.touch("delete", [target])
        if act.has("--remove-source-files"):
            act.does("delete")
            act.touch("delete", local_sources)


def _remote(word: str) -> str:
    if is_url(word):
        return "" if word.startswith("file:") else word
    head, tail = split_pair(word)
    return head if head and tail != word and not head.startswith((".", "~")) else ""


def _sftp(act: Act) -> None:
    act.does("connect")
    act.stdin = "network"
    act.talk("connect", act.operand(0), "ssh", 22)
    act.touch("read", act.all("-b"))
    act.touch("metadata", act.all("-i"))


def _ftp(act: Act) -> None:
    act.does("connect")
    act.stdin = "network"
    act.emits.append("network")
    for word in act.operands[:1]:
        act.talk("connect", word, "ftp")
    for script in act.all("-e", "-c"):
        for match in re.finditer(r"\b(?:put|mput|mirror\s+-R)\s+(\S+)", script):
            act.does("upload")
            act.touch("read", [match[1]], "upload")


def _netcat(act: Act) -> None:
    words = act.operands
    listens = act.has("-l")
    runs = act.all("-e", "-c", "--lua-exec")
    host, port = (words[0], words[1] if len(words) > 1 else "") if words else ("", "")
    number = _port(port or act.value("-p"))
    act.stdin = "network"
    act.emits.append("network")
    act.args = "network"
    if listens:
        act.does("listen")
        number = number or _port(host)
        act.talk("listen", "0.0.0.0", "tcp", number)  # noqa: S104 -- named, not bound
    elif act.has("-U"):
        act.does("connect")
        act.touch("connect", words[:1])
    elif act.has("-z"):
        act.does("connect", "network_scan")
        if "-" in port or host.count("/"):
            act.is_("multi_target")
        act.stdin = "drop"
        act.emits.clear()
        act.talk("scan", host, "tcp", _port(port.partition("-")[0]))
    else:
        act.does("connect")
        act.talk("connect", host, "tcp", number)
    for proxy in act.all("-x", "--proxy"):
        act.talk("connect", proxy)
    if runs:
        act.does("execute")
        act.is_("exec_on_connect", "shell_to_network")


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _socat(act: Act) -> None:
    act.stdin = "network"
    act.emits.append("network")
    for word in act.operands:
        kind, _, rest = word.partition(":")
        kind = kind.upper()
        target = rest.partition(",")[0]
        if kind in ("EXEC", "SYSTEM", "SHELL"):
            act.does("execute")
            act.is_("exec_on_connect", "shell_to_network")
            act.nested.append(target)
        elif "LISTEN" in kind or kind.endswith("-RECV"):
            act.does("listen")
            act.talk("listen", "0.0.0.0", "tcp", _port(target))  # noqa: S104 -- named, not bound
        elif kind.startswith(("TCP", "UDP", "OPENSSL", "SSL", "SCTP", "SOCKS", "PROXY")):
            host, _, port = target.rpartition(":")
            act.does("connect")
            act.talk("connect", host or target, "tcp", _port(port))
        elif kind.startswith("UNIX"):
            act.does("connect")
            act.touch("connect", [target])
        elif kind in ("FILE", "OPEN", "GOPEN", "CREATE"):
            act.touch("read" if kind != "CREATE" else "write", [target], "upload")
        elif rest == "" and kind.startswith(("/", ".")):
            act.touch("read", [word], "upload")
    if "listen" in act.operations and "connect" in act.operations:
        act.does("tunnel")


def _websocat(act: Act) -> None:
    act.stdin = "network"
    act.emits.append("network")
    for word in act.operands:
        kind, _, command = word.partition(":")
        if kind in ("exec", "sh-c", "cmd"):
            act.does("execute")
            act.is_("exec_on_connect", "shell_to_network")
            act.nested.append(command)
        elif is_url(word):
            act.does("connect")
            act.talk("connect", word)
    if act.has("-s"):
        act.does("listen")
        act.talk("listen", "0.0.0.0", "ws", 0)  # noqa: S104 -- named, not bound


def _terminal(act: Act) -> None:
    """Describe a terminal of the X Window System: whoever owns the display types into its shell."""
    host, colon, _ = act.value("-display").partition(":")
    if colon and host not in ("", "unix", "localhost"):
        act.does("connect")
        act.is_("shell_to_network")
        act.talk("connect", host, "tcp", 6000)


def _telnet(act: Act) -> None:
    act.does("connect")
    act.stdin = "network"
    act.emits.append("network")
    act.talk("connect", act.operand(0), "tcp", _port(act.operand(1)) or 23)


_KEYGEN: Final = grammar(
    "-t= -f= -N= -C= -b= -P= -q -y -p -e -i -c -l -B -F= -R= -H -Y= -s= -I= -n= -V= -z= -a= -A -D= -m= -O="
    " -Z="
)


def _keygen(act: Act) -> None:
    """Describe ssh-keygen: only showing, converting or changing a key reads one."""
    if act.has("-y", "-e", "-p", "-c"):
        act.does("read")
        act.touch("read", act.all("-f"), "stdout")
    elif act.has("-s"):
        act.does("read")
        act.touch("read", act.all("-s"))
    else:
        act.touch("metadata", act.all("-f"))


def _agent_of_keys(act: Act) -> None:
    """Describe ssh-add: it hands a key to the user's own agent, as ``ssh -i`` uses one; nothing shows it."""
    act.touch("metadata", act.operands)


def _scanner(act: Act) -> None:
    act.does("network_scan")
    targets = [*act.operands, *act.all("--range", "-host", "-a")]
    lists = act.all("-iL", "-il", "-l", "-list", "--includefile")
    act.touch("read", lists)
    if lists or act.has("-iR", "-g") or len(targets) > 1 or any(_is_range(target) for target in targets):
        act.is_("multi_target")
    for target in targets:
        act.talk("scan", target.partition("/")[0])
    act.touch("write", act.all("-oN", "-oX", "-oG", "-oA", "-o"))
    for script in act.all("--script"):
        act.touch("execute", [part for part in script.split(",") if "/" in part])


_ZMAP: Final = grammar(
    "-p,--target-port,--target-ports= -o,--output-file= -b,--blocklist-file,--blacklist-file= -r,--rate= "
    "-w,--allowlist-file,--whitelist-file= -n,--max-targets= -N,--max-results= -t,--max-runtime= "
    "-B,--bandwidth= "
    "-s,--source-port= -S,--source-ip= -i,--interface= -G,--gateway-mac= -P,--probes= -M,--probe-module= "
    "-O,--output-module= -f,--output-fields= -I,--list-of-ips-file= -d,--dryrun"
)


def _zmap(act: Act) -> None:
    """Describe zmap, which scans every address when it is given none."""
    act.does("network_scan")
    lists = act.all("-w", "-I")
    act.touch("read", [*lists, *act.all("-b")])
    if act.has("-d"):
        act.preview()
    elif lists or not act.operands or len(act.operands) > 1 or any(map(_is_range, act.operands)):
        act.is_("multi_target")
    for target in act.operands:
        act.talk("scan", target.partition("/")[0])
    act.touch("write", act.all("-o"))


def _is_range(target: str) -> bool:
    address, slash, length = target.partition("/")
    if slash and length.isdigit():
        return int(length) < 32
    return bool(re.fullmatch(r"[\d.*,-]+", address)) and bool(re.search(r"[-*,]", address))


def _lookup(act: Act) -> None:
    act.does("connect")
    act.args = "network"
    for word in act.operands:
        if word.startswith("@"):
            act.talk("connect", word[1:], "dns", 53)
        elif not _DNS_OPTION.match(word) and word.upper() not in _RECORDS:
            if UNKNOWN in word:
                act.is_("dns_dynamic")
            act.talk("dns", word, "dns", 53)


_RECORDS: Final = frozenset(
    {"A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "ANY", "PTR", "SRV", "AXFR", "IN", "CAA"}
)


def _ping(act: Act) -> None:
    act.does("connect")
    act.args = "network"
    if act.program == "fping" and (act.has("-g", "-f") or len(act.operands) > 1):
        act.does("network_scan")
        act.is_("multi_target")
        act.touch("read", act.all("-f"))
    for word in act.operands:
        if UNKNOWN in word and "." in word:
            act.is_("dns_dynamic")
        act.talk("scan" if act.program == "fping" else "connect", word.partition("/")[0])


def _tunnel_tool(act: Act) -> None:
    """Describe ngrok, cloudflared, chisel, ligolo, bore and kin."""
    words = act.operands
    remotes = [word for word in words if re.match(r"R:", word)]
    act.does("tunnel")
    act.talk("tunnel", act.value("-connect") or next((word for word in words if is_url(word)), ""))
    if act.program == "chisel":
        if words[:1] == ["server"]:
            act.does("listen")
            return
        act.talk("tunnel", words[1] if len(words) > 1 else "", "http")
        act.is_("reverse_tunnel" if remotes else "forward_tunnel")
    elif act.program in (
        "cloudflared",
        "ngrok",
        "bore",
        "lt",
        "localtunnel",
        "pinggy",
        "tailscale",
        "zrok",
        "tunnelmole",
    ):
        if act.program in ("cloudflared", "ngrok", "tailscale") and not {
            "tunnel",
            "http",
            "tcp",
            "tls",
            "start",
            "funnel",
            "serve",
            "access",
        }.intersection(words):
            act.operations.discard("tunnel")
            return
        # What only ever shows a local web server opens no way to a shell.
        if act.program not in ("lt", "localtunnel", "tunnelmole"):
            act.is_("reverse_tunnel")
        act.talk("tunnel", _SERVICE.get(act.program, ""), "https")
    else:
        act.is_("reverse_tunnel")


_SERVICE: Final = {
    "ngrok": "tunnel.ngrok.io",
    "cloudflared": "api.trycloudflare.com",
    "bore": "bore.pub",
    "lt": "loca.lt",
}


def _mail(act: Act) -> None:
    act.does("upload")
    act.stdin = "network"
    act.args = "network"
    for word in act.operands:
        act.talk("upload", word.rpartition("@")[2] if "@" in word else "", "smtp", 25)
    act.touch("read", [value.lstrip("@") for value in act.all("-a", "-A", "--attach")], "upload")


def _server(act: Act) -> None:
    port = (act.value("-l") or act.value("-p")).rpartition(":")[2]
    act.does("listen")
    act.talk("listen", "0.0.0.0", "http", int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0)  # noqa: S104 -- named, not bound


def _sniffer(act: Act) -> None:
    act.does("network_scan")
    act.touch("write", act.all("-w"))
    for command in act.all("-z"):
        act.is_("shell_escape")
        act.nested.append(command)


_NC: Final = grammar(
    "-e,--exec,--sh-exec= -c,--close= -p,--source-port= -s,--source= -w,--wait= -q= -i,--interval= "
    "-x= -X= -I= -O= "
    "-T= -g= -G= -o= --proxy= --proxy-type= -l,--listen -k,--keep-open -u,--udp -v,--verbose -n -z "
    "-U,--unixsock -N -4 -6 "
    "--lua-exec= --ssl --allow= --deny="
)
_NMAP: Final = grammar(
    "-p= -iL= -il= -l= -list= -iR= -oN= -oX= -oG= -oA= -o= -e= -g= -D= -S= -T= --script= "
    "--script-args= --rate= --range= "
    "--includefile= --excludefile= --exclude= --top-ports= --min-rate= --max-rate= -host= -a= -b= "
    "-r= --ports= "
    "-sV -sS -sT -sU -sn -sP -Pn -PS -A -O -v -n -R -F -6 --open"
)

PROGRAMS: Final[dict[str, Program]] = {
    "curl": Program(_CURL, _curl, frozenset({"--help", "--version", "-V", "-h"})),
    "wget": Program(_WGET, _wget, frozenset({"--help", "--version", "-V", "-h"})),
    "wget2": Program(_WGET, _wget),
    **{
        name: Program(
            grammar("-o,--output= -d,--download -b -f -j -a= -A= --auth= -p= -s= --session="), _http_client
        )
        for name in ("http", "https", "xh", "xhs", "curlie", "httpie")
    },
    **{
        name: Program(
            grammar("-o,--out,--output= -d,--dir= -x= -s= -j= -n= -i= -dump -source -q"), _downloader
        )
        for name in (
            "aria2c",
            "axel",
            "fetch",
            "lwp-download",
            "lwp-request",
            "get",
            "lynx",
            "w3m",
            "links",
            "elinks",
        )
    },
    "ssh": Program(_SSH, _ssh, frozenset({"-V"})),
    "autossh": Program(grammar(_SSH_OPTIONS.replace("-M ", "-M= "), stop=True), _ssh, frozenset({"-V"})),
    "slogin": Program(_SSH, _ssh),
    "mosh": Program(grammar("-p= --ssh=", stop=True), _ssh),
    "scp": Program(
        grammar("-i= -P= -F= -o= -S= -l= -c= -J= -D= -X= -r -p -q -v -C -B -3 -4 -6 -O -T"), _remote_copy
    ),
    "rsync": Program(
        grammar(
            "-e,--rsh= --exclude= --include= --files-from= --exclude-from= --include-from= "
            "--password-file= --bwlimit= "
            "--rsync-path= -f,--filter= -B= -T= --port= --log-file= --backup-dir= --suffix= "
            "--timeout= --compare-dest= "
            "--link-dest= --chmod= --chown= --partial-dir= -M= --max-size= --min-size= -n,--dry-run "
            "-a -v -z -r -l -p -t "
            "-g -o -D -P -h -u -x -H -A -X -S --delete --delete-after --delete-before --delete-during "
            "--delete-excluded --del --remove-source-files"
        ),
        _remote_copy,
        frozenset({"--help", "--version", "-n"}),
    ),
    "sftp": Program(grammar("-i= -P= -F= -o= -b= -S= -l= -c= -J= -B= -R= -D="), _sftp),
    "ftp": Program(grammar("-p -n -i -v"), _ftp),
    "lftp": Program(grammar("-e= -c= -u= -p= -f="), _ftp),
    "tftp": Program(grammar("-c= -m="), _ftp),
    "ncftp": Program(grammar("-u= -p="), _ftp),
    "nc": Program(_NC, _netcat),
    "ncat": Program(_NC, _netcat),
    "netcat": Program(_NC, _netcat),
    "nc.openbsd": Program(_NC, _netcat),
    "nc.traditional": Program(_NC, _netcat),
    "cryptcat": Program(_NC, _netcat),
    "sbd": Program(_NC, _netcat),
    "websocat": Program(grammar("-s= -H= --protocol= --origin= -E -b -t -k -n -v -q"), _websocat),
    **{
        name: Program(grammar("-display,-d= -e= -T= -geometry= -fn= -title=", words=True), _terminal)
        for name in ("xterm", "rxvt", "urxvt", "aterm", "eterm")
    },
    "socat": Program(grammar("-T= -t= -b= -L= -W= -lf= -d -v -x -u -U"), _socat, frozenset({"-V", "-h"})),
    "ssh-keygen": Program(_KEYGEN, _keygen),
    "ssh-add": Program(
        grammar("-t= -s= -e= -S= -T= -E= -H= -h= -c -C -d -D -k -K -A -l -L -q -v -x -X"), _agent_of_keys
    ),
    "telnet": Program(grammar("-l="), _telnet),
    **{
        name: Program(_NMAP, _scanner)
        for name in (
            "nmap",
            "masscan",
            "rustscan",
            "naabu",
            "unicornscan",
            "arp-scan",
            "netdiscover",
            "nbtscan",
        )
    },
    "zmap": Program(_ZMAP, _zmap),
    **{
        name: Program(grammar("-t= -p= -x= -c= -b= -k= -y= -f= -type=", words=name == "nslookup"), _lookup)
        for name in ("dig", "host", "nslookup", "drill", "kdig", "delv", "resolvectl", "dog", "doggo")
    },
    "ping": Program(grammar("-c= -i= -w= -W= -s= -I= -t="), _ping),
    "ping6": Program(grammar("-c= -i= -w="), _ping),
    "fping": Program(grammar("-c= -i= -f= -t= -g -a -q -s"), _ping),
    "hping3": Program(grammar("-c= -p= -i="), _ping),
    "traceroute": Program(grammar("-m= -p= -q= -w="), _ping),
    "tracepath": Program(grammar("-m="), _ping),
    "mtr": Program(grammar("-c= -i="), _ping),
    "whois": Program(grammar("-h= -p="), _lookup),
    **{
        name: Program(
            grammar(
                "-connect= -config= -c= -p= --url= --auth= -selfcert -ignore-cert", words=name == "agent"
            ),
            _tunnel_tool,
        )
        for name in (
            "ngrok",
            "cloudflared",
            "chisel",
            "ligolo",
            "ligolo-agent",
            "bore",
            "lt",
            "localtunnel",
            "frpc",
            "rathole",
            "pinggy",
            "zrok",
            "tunnelmole",
            "gost",
            "inlets",
            "tailscale",
        )
    },
    **{
        name: Program(grammar("-s= -a,-A,--attach= -c= -b= -r= -S="), _mail)
        for name in ("mail", "mailx", "mutt", "s-nail")
    },
    "sendmail": Program(grammar("-f= -F= -t -i -o="), _mail),
    "msmtp": Program(grammar("-a= -f="), _mail),
    "swaks": Program(grammar("--to= --from= --server= --attach,-a= --body="), _mail),
    "tcpdump": Program(grammar("-w= -r= -i= -c= -s= -z= -G= -W= -C="), _sniffer),
    "tshark": Program(grammar("-w= -r= -i= -c="), _sniffer),
    "dumpcap": Program(grammar("-w= -i="), _sniffer),
    "http-server": Program(grammar("-p= -a="), _server),
    "serve": Program(grammar("-l= -p="), _server),
    "smbserver.py": Program(grammar(), _server),
}
