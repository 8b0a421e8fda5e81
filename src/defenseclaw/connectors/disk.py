"""Files on the machine: read with suspicion, replaced in one step, put back when something fails.

Everything a setup or teardown writes goes through a :class:`Transaction`, so that an error at any step
leaves the machine as it was found.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from defenseclaw.errors import SetupError

MAX_FILE_BYTES = 8 * 1024 * 1024
"""A settings file larger than this is not edited."""
MAX_LINKS = 16
MISSING = "missing"
"""Digest of a file that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A file as it was: its bytes and permission bits; ``content`` None where there is none."""

    content: bytes | None
    mode: int = 0o600

    @property
    def digest(self) -> str:
        """SHA-256 in hex, or ``missing``."""
        return digest(self.content)


def digest(content: bytes | None) -> str:
    """Return the SHA-256 of ``content`` in hex, ``missing`` for None."""
    return MISSING if content is None else hashlib.sha256(content).hexdigest()


def target_of(path: Path) -> Path:
    """Return the file that ``path`` leads to, through at most 16 symbolic links; it need not exist.

    Raises:
        SetupError: the links go in a circle or on for too long.
    """
    target = path
    for _ in range(MAX_LINKS + 1):
        if not target.is_symlink():
            return target
        target = target.parent / os.readlink(target)
    raise SetupError(f"{path} leads through too many symbolic links")


def look(path: Path) -> Snapshot:
    """Return what ``path`` holds, symbolic links followed.

    Raises:
        SetupError: not a regular file, larger than 8 MiB, or not readable.
    """
    opened = open_regular(target_of(path), str(path))
    if opened is None:
        return Snapshot(content=None)
    descriptor, status = opened
    with open(descriptor, "rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise SetupError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return Snapshot(content=content, mode=stat.S_IMODE(status.st_mode))


def open_regular(path: Path, name: str) -> tuple[int, os.stat_result] | None:
    """Open a regular file for reading without following a link; None where there is none.

    Args:
        path: The file itself.
        name: What messages call it.

    Raises:
        SetupError: it is something else than a regular file, or not readable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{name} cannot be read: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise SetupError(f"{name} is not a regular file")
    return descriptor, status


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace ``path`` in one step, synced to disk first. A link keeps pointing where it does.

    Raises:
        OSError: the directory or file cannot be written; the old content is still there.
    """
    target = target_of(path)
    descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:80]}.", suffix=".tmp")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            _keep_owner(descriptor, target)
            os.fsync(descriptor)
        os.replace(scratch, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise
    _sync_directory(target.parent)


def remove(path: Path) -> None:
    """Delete the file ``path`` leads to; absent is fine."""
    target_of(path).unlink(missing_ok=True)


def make_directories(path: Path) -> list[Path]:
    """Create ``path`` and its missing parents, mode 0700; return those created, outermost first."""
    missing: list[Path] = []
    each = path
    while not each.exists():
        missing.append(each)
        each = each.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700)
    return missing[::-1]


def make_private(directory: Path) -> None:
    """Take away what others may do in a directory of ours: what lies there is run or imported."""
    if directory.is_dir() and directory.stat().st_mode & 0o077:
        directory.chmod(0o700)


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the advisory lock under which setups and teardowns of this data directory follow one another."""
    make_directories(data_dir)
    descriptor = os.open(
        data_dir / ".setup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Transaction:
    """Writes and deletions that are all undone, newest first, when the block they belong to fails."""

    def __init__(self) -> None:
        self._before: list[tuple[Path, Snapshot]] = []
        self._directories: list[Path] = []

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        failures = self._undo()
        if failures:
            raise SetupError(f"{error}; and could not be undone: {'; '.join(failures)}") from error
        if isinstance(error, OSError):
            raise SetupError(f"{error.filename or 'a file'} cannot be written: {error.strerror}") from error

    def put(self, path: Path, content: bytes, mode: int) -> list[Path]:
        """Write ``path`` unless bytes and mode are already those; return directories this created."""
        now = look(path)
        if now.content == content and now.mode == mode:
            return []
        created = make_directories(target_of(path).parent)
        self._directories += created
        self._before.append((path, now))
        write(path, content, mode)
        return created

    def delete(self, path: Path) -> None:
        """Delete ``path`` if it is there."""
        now = look(path)
        if now.content is not None:
            self._before.append((path, now))
            remove(path)

    def drop_directory(self, path: Path) -> None:
        """Remove a directory if it is empty; leave it otherwise."""
        with contextlib.suppress(OSError):
            path.rmdir()

    def _undo(self) -> list[str]:
        failures = []
        for path, before in reversed(self._before):
            try:
                if before.content is None:
                    remove(path)
                else:
                    make_directories(target_of(path).parent)
                    write(path, before.content, before.mode)
            except (OSError, SetupError) as error:
                failures.append(f"{path}: {error}")
        for directory in reversed(self._directories):
            self.drop_directory(directory)
        return failures


def _keep_owner(descriptor: int, target: Path) -> None:
    """Root editing a user's file must not take it away from them."""
    with contextlib.suppress(OSError):
        status = target.stat()
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, status.st_uid, status.st_gid)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
