"""Small owner-only files: read with suspicion, replaced atomically, changed under a lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from defenseclaw.config.paths import FILE_MODE
from defenseclaw.errors import ConfigError


def read_bounded(path: Path, max_bytes: int) -> bytes | None:
    """Return the content of a regular file, or None where there is none.

    Raises:
        ConfigError: not a regular file, larger than ``max_bytes``, or not readable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path} is not a regular file")
    with open(descriptor, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ConfigError(f"{path} is larger than {max_bytes} bytes")
    return content


def replace_file(path: Path, content: bytes, mode: int = FILE_MODE) -> None:
    """Replace ``path`` in one step, synced to disk first. A symbolic link keeps pointing where it does.

    Raises:
        ConfigError: the directory or file cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(scratch, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the advisory lock ``<path>.lock`` so that writers take turns.

    Raises:
        ConfigError: the lock file cannot be opened.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    except OSError as error:
        raise ConfigError(f"{lock} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
