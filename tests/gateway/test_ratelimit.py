"""Token buckets of remote callers."""

import pytest

from defenseclaw.errors import Forbidden, RateLimited
from defenseclaw.gateway.ratelimit import MAX_PEERS, RateLimiter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def admitted(limiter: RateLimiter, peer: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limiter.admit(peer)
        except RateLimited:
            continue
        count += 1
    return count


def test_a_burst_of_forty_then_twenty_a_second():
    clock = Clock()
    limiter = RateLimiter(clock=clock)
    assert admitted(limiter, "203.0.113.5", 60) == 40
    clock.now = 1.0
    assert admitted(limiter, "203.0.113.5", 60) == 20


def test_a_bucket_never_holds_more_than_a_burst():
    clock = Clock()
    limiter = RateLimiter(clock=clock)
    limiter.admit("203.0.113.5")
    clock.now = 3600.0
    assert admitted(limiter, "203.0.113.5", 60) == 40


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_exempt(peer):
    assert admitted(RateLimiter(clock=Clock()), peer, 200) == 200


def test_peers_do_not_share_a_bucket():
    limiter = RateLimiter(clock=Clock())
    assert admitted(limiter, "203.0.113.5", 60) == admitted(limiter, "203.0.113.6", 60) == 40


def test_one_ipv6_network_is_one_peer():
    limiter = RateLimiter(clock=Clock())
    assert admitted(limiter, "2001:db8::1", 40) == 40
    assert admitted(limiter, "2001:db8::2", 1) == 0
    assert admitted(limiter, "2001:db8:0:1::1", 1) == 1


def test_memory_is_bounded():
    limiter = RateLimiter(clock=Clock())
    for number in range(MAX_PEERS + 500):
        limiter.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limiter) == MAX_PEERS


def test_a_peer_without_an_address_is_refused():
    with pytest.raises(Forbidden, match="unparseable client address"):
        RateLimiter().admit("")
