"""How often remote callers may ask for an inspection. Source: ``spec/gateway-api.md`` §6."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from defenseclaw.errors import Forbidden, RateLimited
from defenseclaw.gateway.hosts import is_loopback, parse_ip

MAX_PEERS = 4096


class RateLimiter:
    """One token bucket per remote address; an IPv6 network of /64 counts as one.

    Args:
        rate: Requests per second that refill a bucket.
        burst: Requests a full bucket holds.
        clock: Seconds that never go back.
    """

    def __init__(
        self, rate: float = 20.0, burst: float = 40.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def admit(self, peer: str) -> None:
        """Take one request out of the bucket of ``peer``; loopback has none.

        Raises:
            RateLimited: its bucket is empty.
            Forbidden: ``peer`` is not an address.
        """
        if is_loopback(peer):
            return
        key = _key(peer)
        now = self._clock()
        left, since = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        admitted = left >= 1.0
        self._buckets[key] = (left - admitted, now)
        # The least recently seen goes: once its bucket has refilled it is as good as forgotten anyway.
        if len(self._buckets) > MAX_PEERS:
            self._buckets.popitem(last=False)
        if not admitted:
            raise RateLimited


def _key(peer: str) -> str:
    ip = parse_ip(peer)
    if ip is None:
        raise Forbidden("unparseable client address")
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(ip)
