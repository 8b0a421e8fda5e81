"""Which names, origins and peers count as this machine.

Sources: ``DECISIONS.md`` "Host header", ``spec/gateway-api.md`` §3.3 and §4.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::\d{0,5})?")
_LOCAL_ORIGINS = frozenset({"127.0.0.1", "localhost", "::1"})


@lru_cache(maxsize=256)
def is_loopback(address: str) -> bool:
    """Return whether a peer or bind address is this machine: IPv4, IPv6, IPv4-mapped or ``localhost``."""
    if address == "localhost":
        return True
    ip = parse_ip(address)
    return ip is not None and ip.is_loopback


@lru_cache(maxsize=1024)
def host_allowed(header: str, bind: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a Host header may be answered.

    Args:
        header: Value of the header, with or without a port; at most 300 characters are looked at.
        bind: Address the API listens on; beyond loopback any IP literal is accepted.
        allowed: ``gateway.allowed_hosts``, without ports.
    """
    match = _HOST.fullmatch(header)
    if match is None:
        return False
    name = (match["v6"] or match["name"]).lower().rstrip(".")
    if name == "localhost" or name in {each.lower().rstrip(".") for each in allowed}:
        return True
    ip = parse_ip(name)
    return ip is not None and (ip.is_loopback or not is_loopback(bind))


@lru_cache(maxsize=256)
def origin_is_local(origin: str) -> bool:
    """Return whether an Origin header names this machine, any scheme and port."""
    try:
        return urlsplit(origin).hostname in _LOCAL_ORIGINS
    except ValueError:
        return False


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address ``text`` writes down, an IPv4-mapped one as IPv4; None when it is none."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip
