"""The installation key and what is derived from it.

``device.key`` holds 32 random bytes (0600) in the data directory. It is never used itself: every purpose
gets its own key by HKDF-SHA-256 (RFC 5869), so that a key given away for one purpose opens no other.
Source: ``DECISIONS.md`` "Placeholders for secrets", ``spec/cli-and-config.md`` §4.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from defenseclaw.errors import StoreUnavailable

KEY_FILE = "device.key"
KEY_BYTES = 32
_SALT = b"defenseclaw.installation.v1"

Purpose = Literal["redaction", "chain", "jsonl"]


@dataclass(frozen=True, slots=True)
class Identity:
    """One installation: its secret and its public name."""

    secret: bytes = field(repr=False)
    """32 bytes; never stored anywhere but in ``device.key``."""

    def derive(self, purpose: Purpose) -> bytes:
        """Return the 32-byte key of one purpose."""
        return self._expand(purpose.encode())

    @property
    def installation_id(self) -> str:
        """32 hex digits that name the installation and tell nothing about its key."""
        return self._expand(b"installation-id").hex()[:32]

    def _expand(self, info: bytes) -> bytes:
        extracted = hmac.digest(_SALT, self.secret, hashlib.sha256)
        return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def load_identity(data_dir: Path) -> Identity:
    """Return the identity of ``data_dir``, making the key on first use.

    Raises:
        StoreUnavailable: the key cannot be read or written, or is not 32 bytes in a regular file.
    """
    path = data_dir / KEY_FILE
    try:
        if not os.path.lexists(path):
            _create(path)
        return _read(path)
    except OSError as error:
        raise StoreUnavailable(f"cannot use {path}: {error.strerror}") from error


def read_identity(data_dir: Path) -> Identity | None:
    """Return the identity of ``data_dir``, or None when it has no key yet.

    Raises:
        StoreUnavailable: the key is there but unusable.
    """
    return load_identity(data_dir) if os.path.lexists(data_dir / KEY_FILE) else None


def random_id() -> str:
    """Return a new UUID of version 4 (RFC 9562)."""
    try:
        return _drawn.pop()  # one step: two threads never get the same
    except IndexError:
        return _draw()


def time_ordered_id() -> str:
    """Return a new UUID of version 7 (RFC 9562): ids that grow with time keep indexes compact."""
    clock = f"{time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF:012x}"
    return f"{clock[:8]}-{clock[8:]}-7{random_id()[15:]}"


_last_evaluation = 0


def new_evaluation_id() -> str:
    """Return a new UUID of version 8 (RFC 9562) for one evaluation.

    Its first eight digits, by which people call it, are the milliseconds of the clock, counted on where two
    fall together: no other evaluation of this process has them within 49 days, and the index grows at one
    place instead of writing a page of its own for every row.
    """
    global _last_evaluation
    _last_evaluation = max(time.time_ns() // 1_000_000, _last_evaluation + 1)
    drawn = random_id()
    return f"{_last_evaluation & 0xFFFF_FFFF:08x}{drawn[8:14]}8{drawn[15:]}"


_DRAWN_AT_ONCE = 64
_drawn: list[str] = []
"""Random ids not used yet. Asking the system for each by itself would hand the interpreter lock to another
thread several times a call, which costs more than all else about an id."""
os.register_at_fork(after_in_child=_drawn.clear)


def _draw() -> str:
    """Return a random id, and lay up more of them."""
    digits = os.urandom(16 * _DRAWN_AT_ONCE).hex()
    first, *others = (_as_uuid(digits[at : at + 32]) for at in range(0, len(digits), 32))
    _drawn.extend(others)
    return first


def _as_uuid(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole and never replaces: of two first starts one wins, both read the same key.
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _read(path: Path) -> Identity:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise StoreUnavailable(f"{path} is not a regular file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(file.fileno(), 0o600)
        secret = file.read(KEY_BYTES + 1)
    if len(secret) != KEY_BYTES:
        raise StoreUnavailable(
            f"{path} is damaged: it must hold {KEY_BYTES} bytes", hint="restore it from a backup"
        )
    return Identity(secret)
