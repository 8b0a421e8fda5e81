"""Normal forms of addresses, and what an address is. No name is ever looked up.

What an address *is* is a set of words from :data:`defenseclaw.detection.terms.NETWORK_CLASSES`.

Source: ``spec/guardrail.md`` §3.4, §6.6; ``spec/defender.md`` §10.1, §10.2; WHATWG URL "host parsing".
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from defenseclaw.detection.facts import UNKNOWN, NetworkFact

MAX_URL: Final = 8192
"""Characters of a URL that are looked at."""

_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]{0,15}):(?=/|\\|[^0-9])")
OPAQUE: Final = frozenset(
    {"about", "blob", "data", "javascript", "mailto", "sms", "tel", "vbscript", "view-source"}
)
"""Schemes after which no host follows."""
_STRIPPED: Final = re.compile(r"[\t\r\n]")
_DOTS: Final = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
_NUMERIC: Final = re.compile(r"^(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}$")
_PLAIN_V4: Final = re.compile(r"^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$")
_NAME: Final = re.compile(r"^[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*$")
_WILDCARD_DNS: Final = re.compile(
    r"(?:^|[.-])(?:(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})|([0-9a-f]{8}))"
    r"\.(?:nip\.io|sslip\.io|xip\.io|traefik\.me)$"
)
_ADDRESS_THEN_UNKNOWN: Final = re.compile(r"^(\d{1,3}(?:\.\d{1,3}){3})\ufffd")
_RAW_COMMIT: Final = re.compile(r"^/[^/]+/[^/]+/[0-9a-f]{40}(?:/|$)")

_BARE_V6: Final = re.compile(r"^[0-9a-f.]*(?::[0-9a-f.]*){2,}$", re.IGNORECASE)

_PRIVATE: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "0.0.0.0/8", "fc00::/7")
)
"""Ranges that never leave a site. Those reserved for documentation stand for public ones, and count so."""

_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""What stands before the IPv4 address in an interface identifier of RFC 5214."""
_EAST_ASIAN: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})
_LATIN_SHAPED: Final = frozenset(
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u04cf"
    "\u03bf\u03b1\u03bd\u03c1\u03c5\u03b9\u03ba"
)
"""Small Cyrillic and Greek letters that look like Latin ones."""

_LOCAL_SUFFIXES: Final = (".local", ".lan", ".internal", ".home.arpa", ".test", ".corp", ".intranet", ".home")
_METADATA_NAMES: Final = frozenset(
    {
        "metadata.google.internal",
        "metadata.azure.internal",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_METADATA_ADDRESSES: Final = frozenset(
    {
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd20:ce::254",
    }
)
_SINKS: Final = frozenset(
    {
        "glot.io",
        "paste.ee",
        "hastebin.com",
        "ix.io",
        "sprunge.us",
        "termbin.com",
        "0x0.st",
        "transfer.sh",
        "webhook.site",
        "requestbin.com",
        "requestbin.net",
        "requestcatcher.com",
        "pipedream.net",
        "beeceptor.com",
        "interact.sh",
        "oast.fun",
        "oast.live",
        "oast.me",
        "oast.online",
        "oast.pro",
        "oast.site",
        "burpcollaborator.net",
        "oastify.com",
        "dnslog.cn",
        "canarytokens.com",
        "hookbin.com",
        "file.io",
        "pastebin.com",
        "pastebin.pl",
        "dpaste.com",
        "dpaste.org",
        "rentry.co",
        "ghostbin.com",
        "controlc.com",
        "bashupload.com",
        "temp.sh",
        "catbox.moe",
        "gofile.io",
        "anonfiles.com",
        "webhook.cool",
        "requestinspector.com",
    }
)
_SINK_OF_ANY_DOMAIN: Final = re.compile(r"(?:^|\.)(?:pastebin|dpaste|requestbin)\.[a-z]{2,12}$")
_TUNNELS: Final = frozenset(
    {
        "ngrok.io",
        "ngrok-free.app",
        "ngrok.app",
        "ngrok.dev",
        "trycloudflare.com",
        "serveo.net",
        "localhost.run",
        "lhr.life",
        "loca.lt",
        "localtunnel.me",
        "pagekite.me",
        "bore.pub",
        "telebit.io",
        "tunnelmole.net",
        "pinggy.link",
    }
)
_LOOPBACK_NAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "localtest.me", "lvh.me"}
)
_HOST_NAMES: Final = frozenset(
    {"host.docker.internal", "gateway.docker.internal", "host.containers.internal", "host.lima.internal"}
)
"""What containers call the machine they run on."""
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ssh": 22, "sftp": 22, "dns": 53}

_DATA_STORE_PORTS: Final = frozenset({5984, 6333, 7700, 8086, 8108, 8123, 8983, 9200, 19530})
"""CouchDB, Qdrant, Meilisearch, InfluxDB, Typesense, ClickHouse, Solr, Elasticsearch and kin, Milvus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a command or tool talks to, in normal form."""

    scheme: str
    host: str
    port: int
    path: str
    url: str
    scope: str
    classes: frozenset[str]
    external: bool

    def fact(self, command: int, action: str, *extra: str) -> NetworkFact:
        """Return it as a fact of one command; ``extra`` are classes that only the command knows of."""
        return NetworkFact(
            command=command,
            action=action,
            scheme=self.scheme,
            host=self.host,
            port=self.port,
            path=self.path,
            url=self.url,
            scope=self.scope,
            classes=self.classes.union(extra) if extra else self.classes,
            external=self.external,
        )


def parse(
    value: str, *, scheme: str = "", port: int = 0, control_ports: tuple[int, ...] = ()
) -> Address | None:
    """Return ``value`` (a URL, ``host``, ``host:port`` or ``user@host``) in normal form.

    Args:
        value: As evaluated; may hold :data:`UNKNOWN` parts.
        scheme: What to assume when ``value`` names none.
        port: What to assume when neither ``value`` nor its scheme names one.
        control_ports: Loopback ports whose addresses get the class ``control``.

    Returns:
        None when there is no host in it. An address of a scheme that has no host (``javascript:``, ``data:``)
        comes back with an empty one.
    """
    raw = value[:MAX_URL].strip("\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f \x1f")
    text = _STRIPPED.sub("", raw)
    classes: set[str] = set()
    if text != raw:
        classes.add("deceptive")
    match = None if _BARE_V6.match(text) else _SCHEME.match(text)
    if match and match[1].lower() in OPAQUE:
        return _opaque(match[1].lower(), raw)
    if match and (text[match.end()] in "/\\" or "@" not in text) and not _looks_like_host_port(text):
        scheme, text = match[1].lower(), text[match.end() :]
    if text.startswith(("unix:", "/")) and scheme == "unix":
        return _unix(text, raw)
    head = text.lstrip("/\\") if scheme or text.startswith("//") else text
    authority, path = _split_authority(head)
    if unknown_path := _ADDRESS_THEN_UNKNOWN.match(authority):
        # `169.254.170.2$PATH`: a variable glued to a whole address holds the path.
        authority, path = unknown_path[1], f"/{authority[unknown_path.end(1) :]}{path}"
    if "\\" in text.split("?", 1)[0]:
        classes.add("deceptive")
    user, at, hostport = authority.rpartition("@")
    if at:
        classes.add("userinfo")
        if any(mark in user for mark in ("@", "%")) or ("." in user.partition(":")[0] and scheme != "ssh"):
            classes.add("deceptive")
    host, explicit = _split_port(hostport)
    host = _canonical_host(host, classes)
    if not host:
        return None
    number = explicit or port or _PORTS.get(scheme, 0)
    scope = _classify(host, path, classes)
    if number in control_ports and (scope == "loopback" or host in _HOST_NAMES or host.strip(".") == UNKNOWN):
        classes.add("control")
    if number in _DATA_STORE_PORTS:
        classes.add("data_store")
    external = scope in ("public", "unknown")
    if external:
        classes.add("external")
    return Address(
        scheme=scheme,
        host=host,
        port=number,
        path=path,
        url=raw if len(raw) <= 2048 else raw[:2048],
        scope=scope,
        classes=frozenset(classes),
        external=external,
    )


def looks_like_url(value: str) -> bool:
    """Whether ``value`` begins with a scheme and ``//``."""
    return "://" in value[:20] and _SCHEME.match(value) is not None


def _looks_like_host_port(text: str) -> bool:
    name, _, rest = text.partition(":")
    return rest[:1].isdigit() and rest.partition("/")[0].isdigit() and bool(name)


def _unix(text: str, raw: str) -> Address:
    return Address(
        scheme="unix",
        host="",
        port=0,
        path=text.removeprefix("unix:").lstrip("/").join(("/", "")),
        url=raw,
        scope="loopback",
        classes=frozenset({"unix_socket", "loopback"}),
        external=False,
    )


def _opaque(scheme: str, raw: str) -> Address:
    return Address(
        scheme=scheme,
        host="",
        port=0,
        path="",
        url=raw[:2048],
        scope="unknown",
        classes=frozenset(),
        external=False,
    )


def _split_authority(text: str) -> tuple[str, str]:
    for index, char in enumerate(text):
        if char in "/\\?#":
            rest = text[index:]
            return text[:index], "/" + rest[1:] if char == "\\" else rest
    return text, ""


def _split_port(hostport: str) -> tuple[str, int]:
    if hostport.startswith("["):
        host, _, rest = hostport[1:].partition("]")
        tail = rest.removeprefix(":")
        return f"[{host}]", int(tail) if tail.isdecimal() and len(tail) < 6 else 0
    if hostport.count(":") > 1:
        return f"[{hostport}]", 0
    host, _, tail = hostport.partition(":")
    tail = tail.lstrip("0") or tail
    return host, int(tail) if tail.isascii() and tail.isdigit() and len(tail) < 6 else 0


def _canonical_host(host: str, classes: set[str]) -> str:
    if host.startswith("["):
        return _canonical_v6(host[1:-1], classes)
    if "%" in host:
        host = unquote(host)
        classes.add("deceptive")
    if not host.isascii():
        host = unicodedata.normalize("NFKC", host.translate(_DOTS))
        if UNKNOWN not in host and not host.isascii():
            host = _to_ascii(host)
    host = host.lower().rstrip(".") if host.strip(".") else ""
    if UNKNOWN in host:
        classes.add("unknown_host")
        return host
    if _NUMERIC.match(host):
        return _canonical_v4(host, classes)
    return host if (_NAME.match(host) and host[0] != "-") or not host.isascii() else ""


def _to_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host.lower()


def _canonical_v4(host: str, classes: set[str]) -> str:
    plain = _PLAIN_V4.match(host) is not None
    numbers: list[int] = []
    for part in host.split("."):
        try:
            if part.startswith("0x"):
                numbers.append(int(part[2:] or "0", 16))
            elif len(part) > 12:
                return ""
            else:
                numbers.append(int(part, 8) if len(part) > 1 and part[0] == "0" else int(part))
        except ValueError:
            # 08 is no octal number: such a name is looked up as it stands.
            return host
    *head, last = numbers
    if any(number > 255 for number in head) or last >= 256 ** (5 - len(numbers)):
        return host
    value = last
    for index, number in enumerate(head):
        value += number << (8 * (3 - index))
    if not plain:
        classes.add("obfuscated_ip")
    return str(ipaddress.IPv4Address(value))


def _canonical_v6(host: str, classes: set[str]) -> str:
    try:
        address = ipaddress.IPv6Address(unquote(host).partition("%")[0])
    except ValueError:
        return ""
    embedded = _embedded_v4(address)
    if embedded is not None:
        classes.add("obfuscated_ip")
        return str(embedded)
    return address.compressed


def _embedded_v4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address in an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo, ISATAP)."""
    number = int(address)
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if number >> 32 == 0 and number > 0xFFFF:
        return ipaddress.IPv4Address(number)
    if number >> 32 == 0x0064FF9B << 64 or number >> 80 == 0x0064FF9B0001:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return None


def _classify(host: str, path: str, classes: set[str]) -> str:
    """Add the classes of ``host`` and return its scope."""
    if UNKNOWN in host:
        return "unknown"
    if host in _METADATA_NAMES or host in _METADATA_ADDRESSES:
        classes.add("metadata")
    literal = host
    if host[-1].isalpha() and (match := _WILDCARD_DNS.search(host)):
        classes.add("dns_wildcard")
        octets = match.groups()[:4]
        literal = ".".join(octets) if octets[0] else str(ipaddress.IPv4Address(int(match[5], 16)))
        if literal in _METADATA_ADDRESSES:
            classes.add("metadata")
    if literal[-1].isdigit() or ":" in literal:
        scope = _literal_scope(literal)
        if scope:
            classes.add(scope)
            return scope
    return _name_scope(host, path, classes)


def _literal_scope(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_loopback or address.is_unspecified:
        return "loopback"
    if address.is_link_local:
        return "link_local"
    return "private" if address.is_multicast or any(address in net for net in _PRIVATE) else "public"


def _name_scope(host: str, path: str, classes: set[str]) -> str:
    if host in _LOOPBACK_NAMES or host.endswith((".localhost", ".localtest.me", ".lvh.me")):
        classes.add("loopback")
        return "loopback"
    classes.add("name")
    if host.endswith(_LOCAL_SUFFIXES) or "." not in host:
        classes.add("private")
    if _is_listed(host, _SINKS) or _SINK_OF_ANY_DOMAIN.search(host):
        classes.add("paste")
    elif _is_listed(host, _TUNNELS):
        classes.add("tunnel_host")
    if (not host.isascii() or "xn--" in host) and any(map(_mixes_scripts, host.split("."))):
        classes.add("lookalike")
    if host.endswith(".onion"):
        classes.add("onion")
    if host == "raw.githubusercontent.com" and _RAW_COMMIT.match(path):
        classes.add("raw_commit")
    return "unknown"


def _mixes_scripts(label: str) -> bool:
    """Whether a label of a name has letters of scripts that no language writes together, or only ones that
    look like Latin letters (UTS 39, "highly restrictive")."""
    if label.startswith("xn--"):
        try:
            label = label[4:].encode("ascii").decode("punycode")
        except UnicodeError:
            return False
    letters = [char for char in label[:63] if char.isalpha()]
    if letters and not _LATIN_SHAPED.issuperset(letters):
        scripts = {unicodedata.name(char, "").partition(" ")[0] for char in letters}
        others = scripts - _EAST_ASIAN
        return len(others) > 1 or (others != scripts and not others <= {"LATIN"})
    return bool(letters)


def _is_listed(host: str, domains: frozenset[str]) -> bool:
    """Whether ``host`` is one of the domains or below one."""
    while host not in domains:
        _, dot, host = host.partition(".")
        if not dot:
            return False
    return True
