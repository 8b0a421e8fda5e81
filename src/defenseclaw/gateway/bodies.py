"""Taking in request bodies: bounded each and bounded together, whatever their headers claim."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from defenseclaw.errors import BodyTooLarge, Overloaded

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MIB = 1 << 20
API_BODY = MIB
HOOK_BODY = 16 * MIB
HELD_BYTES = 128 * MIB
DRAINED_BYTES = 64 * MIB


class ClientGone(Exception):
    """The caller hung up before its request was complete; nobody is left to answer."""


class Intake:
    """Bodies held in memory at one moment.

    Args:
        held_bytes: Most that all requests together may hold.
        drained_bytes: Most that is read and thrown away of a body that is too large, so that a caller who
            writes everything before it reads still gets its answer.
    """

    def __init__(self, held_bytes: int = HELD_BYTES, drained_bytes: int = DRAINED_BYTES) -> None:
        self._limit = held_bytes
        self._drained = drained_bytes
        self.held = 0

    async def read(self, receive: Receive, declared: bytes, cap: int) -> bytes:
        """Return a whole body; the caller gives its length back to :meth:`release` when done with it.

        Args:
            receive: The ASGI channel.
            declared: Content-Length as sent, empty when there is none.
            cap: Bytes this route takes.

        Raises:
            BodyTooLarge: it is larger than ``cap``, counted as it arrives.
            Overloaded: all bodies together would be too large.
            ClientGone: the connection was lost.
        """
        if declared.isdigit() and int(declared[:20]) > self._drained:
            raise BodyTooLarge
        pieces: list[bytes] = []
        held = size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size <= cap:
                    self._hold(len(piece))
                    held += len(piece)
                    pieces.append(piece)
                elif pieces:
                    pieces.clear()
                    self.release(held)
                    held = 0
                if not message.get("more_body", False):
                    break
                if size > self._drained:
                    raise BodyTooLarge
            if size > cap:
                raise BodyTooLarge
        except BaseException:
            self.release(held)
            raise
        return b"".join(pieces)

    def release(self, count: int) -> None:
        """Give back ``count`` bytes."""
        self.held -= count

    def _hold(self, count: int) -> None:
        if self.held + count > self._limit:
            raise Overloaded
        self.held += count
