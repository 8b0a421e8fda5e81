"""Secrets of the right shape and checksum that belong to nobody, made up at run time."""

from __future__ import annotations

import random
import string
import zlib

_ALNUM = string.ascii_letters + string.digits
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Mint:
    """Makes secrets; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _some(self, letters: str, count: int) -> str:
        return "".join(self._random.choices(letters, k=count))

    def github(self) -> str:
        body = self._some(_ALNUM, 30)
        number, check = zlib.crc32(body.encode()), ""
        for _ in range(6):
            number, rest = divmod(number, 62)
            check = _BASE62[rest] + check
        return "gh" + "p_" + body + check

    def aws(self) -> str:
        return "AK" + "IA" + self._some(string.ascii_uppercase + "234567", 16)

    def slack(self) -> str:
        return "-".join(
            (
                "xo" + "xb",
                self._some(string.digits, 12),
                self._some(string.digits, 13),
                self._some(_ALNUM, 24),
            )
        )

    def gitlab(self) -> str:
        return "gl" + "pat-" + self._some(_ALNUM, 20)

    def stripe(self) -> str:
        return "sk_" + "live_" + self._some(_ALNUM, 24)

    def anthropic(self) -> str:
        return "sk-" + "ant-api03-" + self._some(_ALNUM, 93) + "AA"

    def password(self) -> str:
        return "Tr0ub4dor-" + self._some(_ALNUM, 14) + "!"
