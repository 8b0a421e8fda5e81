"""The hash chain over the audit rows, and its verifier.

``row_hash = sha256(prev_hash || canonical row)``, hex, from a first link bound to the installation. What a
chain alone cannot show is signed with HMAC-SHA-256 under the installation key: the head (so that deleted
last rows are noticed) and the checkpoints that pruning and repaired breaks leave.

What it does not stop: whoever holds ``device.key`` can sign another history, and a whole data directory
put back to an older copy verifies. Source: ``DECISIONS.md`` "Store".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from defenseclaw.audit import canonical
from defenseclaw.audit.canonical import StoredRow
from defenseclaw.audit.identity import Identity
from defenseclaw.errors import StoreUnavailable

if TYPE_CHECKING:
    from defenseclaw.audit.store import Store


class Head(NamedTuple):
    """Where the chain ends."""

    seq: int
    """Number of the last row; 0 before the first."""
    row_hash: str


class Checkpoint(NamedTuple):
    """A signed statement about rows that are not there to speak for themselves."""

    seq: int
    """Last row it speaks for."""
    kind: str
    """``prune`` (rows up to ``seq`` were removed by retention) or ``break`` (the chain was found altered
    and starts again after ``seq``)."""
    row_hash: str
    """What the next row links to."""
    recorded: int
    """Unix ms."""
    rows: int = 0
    """Rows removed by retention so far."""
    problem: str = ""
    """What was found altered; empty when nothing was."""


class Page(NamedTuple):
    """Consecutive rows as they were read back."""

    events: Sequence[StoredRow]
    scans: Mapping[int, StoredRow]
    findings: Mapping[int, Sequence[StoredRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What :func:`verify` found."""

    ok: bool
    rows: int
    """Rows whose link holds."""
    first_bad_seq: int | None = None
    problem: str = ""
    """One sentence; empty when all is well."""
    checkpoints: tuple[Checkpoint, ...] = ()
    head_seq: int = 0
    """Last row the signed head speaks for."""


class Chain:
    """Links and signatures of one installation."""

    def __init__(self, identity: Identity) -> None:
        self._keyed = hmac.new(identity.derive("chain"), digestmod=hashlib.sha256)
        """Copied for each signature: to begin with the key takes longer than all that follows."""
        self.genesis = Head(0, _digest("defenseclaw.audit.genesis", identity.installation_id))

    def sign_head(self, head: Head) -> str:
        """Return the signature of a head, 64 hex digits; as read back it may be nonsense: then empty."""
        if type(head.seq) is not int or type(head.row_hash) is not str:
            return ""
        return self._sign("head", head)

    def sign_checkpoint(self, checkpoint: Checkpoint) -> str:
        """Return the signature of a checkpoint, 64 hex digits; empty when it holds nonsense."""
        try:
            # Strict as for rows: an empty BLOB has the same JSON as an empty text.
            checked = msgspec.convert(tuple(checkpoint), Checkpoint, strict=True)
        except ValueError:
            return ""
        return self._sign("checkpoint", checked)

    def holds(self, signature: str, expected: str) -> bool:
        """Compare a stored signature, of whatever type it was read back as, with the one expected."""
        if not isinstance(signature, str) or not expected:
            return False
        return hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode())

    def restart(self, seq: int) -> Head:
        """Return the link that a chain continues from after a break."""
        return Head(seq, _digest(self.genesis.row_hash, f"break:{seq}"))

    def _sign(self, kind: str, statement: Head | Checkpoint) -> str:
        signed = self._keyed.copy()
        try:
            signed.update(canonical.encode([kind, *statement]))
        except ValueError:
            return ""
        return signed.hexdigest()


def link(prev_hash: str, row: bytes) -> str:
    """Return the hash of a row that follows ``prev_hash``; ``row`` is canonical JSON."""
    return hashlib.sha256(prev_hash.encode() + row).hexdigest()


@dataclass(slots=True)
class Walk:
    """Follows the chain row by row and stops at the first link that does not hold."""

    at: Head
    rows: int = 0
    bad_seq: int | None = None
    problem: str = ""

    def feed(self, page: Page) -> bool:
        """Check the next rows; return whether all of them hold."""
        for row in page.events:
            problem = self._check(row, page)
            if problem:
                self.problem = problem
                self.bad_seq = min(row["seq"], self.at.seq + 1)
                return False
            self.at = Head(row["seq"], row["row_hash"])
            self.rows += 1
        return True

    def _check(self, row: StoredRow, page: Page) -> str:
        seq, expected = row["seq"], self.at.seq + 1
        if seq != expected:
            return f"row {expected} is missing" if seq > expected else f"row {seq} does not belong here"
        if row["prev_hash"] != self.at.row_hash:
            return f"row {seq} does not follow the row before it"
        try:
            content = canonical.stored_event_bytes(_without_links(row))
            children = canonical.stored_children_hash(page.scans.get(seq), page.findings.get(seq, ()))
        except ValueError:
            return f"row {seq} holds a value that was never written"
        if link(self.at.row_hash, content) != row["row_hash"]:
            return f"row {seq} was changed"
        if children != row["children_hash"]:
            return f"the findings of row {seq} were changed"
        return ""


class Snapshot(Protocol):
    """One consistent state of a store, as the verifier reads it."""

    def pages(self) -> Iterable[Page]:
        """Yield all rows, lowest number first."""
        ...

    def head(self) -> tuple[Head, str] | None:
        """Return the stored head and its signature."""
        ...

    def checkpoints(self) -> list[tuple[Checkpoint, str]]:
        """Return the stored checkpoints and their signatures, oldest first."""
        ...

    def stray_child(self) -> int | None:
        """Return the number under which a scan or finding stands without a row, if there is one."""
        ...


def verify(store: Store) -> VerifyReport:
    """Check every row, the signed head and the checkpoints of ``store``, on one consistent snapshot.

    Streams: memory does not grow with the store. What is found wrong is in the report, never raised.

    Raises:
        StoreUnavailable: the store cannot be read at all, or its installation key is missing.
    """
    chain = store.chain
    with store.snapshot() as snapshot:
        stored = snapshot.checkpoints()
        walk = Walk(_start(chain, stored))
        problem, bad_seq = _follow(walk, snapshot)
        if not problem:
            problem, bad_seq = _closing_problem(chain, walk, snapshot)
        problem, bad_seq = _known_problem(chain, stored, problem, bad_seq)
        head = snapshot.head()
    return VerifyReport(
        ok=not problem,
        rows=walk.rows,
        first_bad_seq=bad_seq,
        problem=problem,
        checkpoints=tuple(checkpoint for checkpoint, _ in stored),
        head_seq=head[0].seq if head and chain.sign_head(head[0]) else 0,
    )


def start_of(chain: Chain, checkpoints: Iterable[Checkpoint]) -> Head:
    """Return the link that the oldest row still there must follow."""
    pruned = [each for each in checkpoints if each.kind == "prune"]
    newest = max(pruned, key=lambda each: each.seq, default=None)
    return Head(newest.seq, newest.row_hash) if newest else chain.genesis


def _start(chain: Chain, stored: Sequence[tuple[Checkpoint, str]]) -> Head:
    return start_of(
        chain, [each for each, signature in stored if chain.holds(signature, chain.sign_checkpoint(each))]
    )


def _follow(walk: Walk, snapshot: Snapshot) -> tuple[str, int | None]:
    try:
        for page in snapshot.pages():
            if not walk.feed(page):
                break
    except StoreUnavailable:
        return f"the store cannot be read after row {walk.at.seq}", walk.at.seq + 1
    return walk.problem, walk.bad_seq


def _closing_problem(chain: Chain, walk: Walk, snapshot: Snapshot) -> tuple[str, int | None]:
    """Return what only shows once all rows hold: an altered end, or children without a row."""
    stored = snapshot.head()
    if stored is None:
        return "the signed head is missing", walk.at.seq + 1
    head, signature = stored
    if not chain.holds(signature, chain.sign_head(head)):
        return "the signature of the head does not hold", walk.at.seq + 1
    if head.seq > walk.at.seq:
        return f"rows {walk.at.seq + 1} to {head.seq} are missing at the end", walk.at.seq + 1
    if head != walk.at:
        return "the signed head is not that of the last row", head.seq + 1
    stray = snapshot.stray_child()
    if stray is not None:
        return f"a scan or finding stands under {stray}, where there is no row", stray
    return "", None


def _known_problem(
    chain: Chain, stored: Sequence[tuple[Checkpoint, str]], problem: str, bad_seq: int | None
) -> tuple[str, int | None]:
    """Add what the checkpoints say: forged ones, and alterations the gateway noticed itself."""
    for checkpoint, signature in stored:
        if not chain.holds(signature, chain.sign_checkpoint(checkpoint)):
            return problem or f"the checkpoint at row {checkpoint.seq} is forged", bad_seq or checkpoint.seq
        if not checkpoint.problem:
            continue
        after = checkpoint.seq + 1
        if bad_seq is None or bad_seq == after:
            problem, bad_seq = checkpoint.problem, after
        elif bad_seq < after:
            problem = f"{problem}; the gateway noticed at row {after}: {checkpoint.problem}"
    return problem, bad_seq


def _without_links(row: StoredRow) -> dict[str, Any]:
    return {name: row[name] for name in canonical.EVENT_COLUMNS}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
