"""Scans code that no agent is writing: one text, a file, a folder. Wires the code checks to the file system.

The rules are those that judge what a tool call writes, so the same code gets the same findings either way.
Links are not followed and nothing but regular files is read. What exceeds a bound is scanned as far as the
bound, and that is a finding of its own.

Source: ``spec/guardrail.md`` §10.1, §10.3; ``spec/gateway-api.md`` §11.1.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
from msgspec import Struct

from defenseclaw.audit.identity import time_ordered_id
from defenseclaw.audit.records import FindingRow, ScanRow
from defenseclaw.audit.rows import MAX_FINDINGS, tidy
from defenseclaw.detection.code import Language, guess, language_of
from defenseclaw.detection.code.findings import findings as code_findings
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.patterns import PatternOverload
from defenseclaw.detection.ruleset import BUILT_IN, RuleSet, Subject
from defenseclaw.detection.text import encodable
from defenseclaw.errors import BadRequest, NotFound
from defenseclaw.vocabulary import (
    INPUT_BOUND,
    INTERNAL_FAULT,
    Door,
    Event,
    EventKind,
    Finding,
    HostContext,
    Severity,
)

SCANNER: Final = "codeguard"
SKIPPED_FOLDERS: Final = frozenset((".git", "node_modules", "__pycache__", ".venv", "venv"))
UNNAMED: Final = "content"
"""What a text without a name is called."""
_MAX_DEPTH: Final = 64
_TEXT_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one scan reads."""

    files: int = 2000
    entries: int = 50_000
    """Names in folders that are looked at."""
    file_bytes: int = 1 << 20
    total_bytes: int = 16 << 20
    findings: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One finding and where it is."""

    finding: Finding
    path: str
    line: int
    """From 1; 0 for a file as a whole."""

    @property
    def location(self) -> str:
        """``path:line``."""
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(slots=True)
class Scan:
    """What was found in one target."""

    target: str
    hits: list[Hit] = field(default_factory=list)
    files: int = 0
    """Files, or texts, that were scanned."""
    read_bytes: int = 0
    bounds: set[str] = field(default_factory=set)
    """What was left out, in our own words."""
    faults: int = 0
    """Files in which the scan stopped unexpectedly."""

    @property
    def max_severity(self) -> Severity:
        """The highest severity that was found."""
        return max(
            (hit.finding.severity for hit in self.hits), key=lambda each: each.rank, default=Severity.NONE
        )

    @property
    def verdict(self) -> Literal["clean", "warn", "block"]:
        """``block`` from HIGH on; what has no weight only warns. Changes nothing by itself."""
        if not self.hits:
            return "clean"
        weighing = [hit.finding.severity.rank for hit in self.hits if not hit.finding.detection_only]
        return "block" if max(weighing, default=0) >= Severity.HIGH.rank else "warn"


class Scanner:
    """Scans with one rule pack.

    Args:
        rules: The pack.
        host: What is known of this machine.
        limits: How much is read.
    """

    def __init__(self, rules: RuleSet, host: HostContext, limits: Limits | None = None) -> None:
        self._rules = rules
        self._host = host
        self._limits = limits or Limits()

    def scan_text(self, text: str, name: str = "", language: Language | None = None) -> Scan:
        """Scan a text.

        Args:
            text: Program text, whole or in part.
            name: Name of its file; without one and without ``language``, what it looks like decides.
            language: Where the caller knows it.
        """
        scan = Scan(name or UNNAMED)
        self._take(scan, name or UNNAMED, text, language or (None if name else guess(text)))
        return self._finished(scan)

    def scan_path(self, path: str) -> Scan:
        """Scan a file, or all code below a folder.

        Args:
            path: Absolute.

        Raises:
            NotFound: There is nothing at ``path``.
            BadRequest: It is not absolute, a symbolic link, neither file nor folder, or cannot be read.
        """
        if not os.path.isabs(path):
            raise BadRequest("path must be absolute")
        scan = Scan(path)
        found = _status(path)
        if stat.S_ISDIR(found.st_mode):
            for file in self._files(scan, path):
                self._take_file(scan, file)
        elif stat.S_ISREG(found.st_mode):
            self._take_file(scan, path, required=True)
        else:
            what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "neither a file nor a folder"
            raise BadRequest(f"path is {what}")
        return self._finished(scan)

    def _files(self, scan: Scan, folder: str) -> Iterator[str]:
        """Yield the files below a folder that may hold code, in order of their names."""
        waiting = [(folder, 0)]
        seen = 0
        while waiting:
            here, depth = waiting.pop()
            below: list[tuple[str, int]] = []
            for entry in _entries(here):
                seen += 1
                if seen > self._limits.entries or scan.files >= self._limits.files:
                    scan.bounds.add("file_limit")
                    return
                if entry.is_symlink():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if entry.name in SKIPPED_FOLDERS:
                        continue
                    if depth < _MAX_DEPTH:
                        below.append((entry.path, depth + 1))
                    else:
                        scan.bounds.add("depth_limit")
                elif entry.is_file(follow_symlinks=False) and _may_be_code(entry.name):
                    yield entry.path
            waiting.extend(reversed(below))

    def _take_file(self, scan: Scan, path: str, *, required: bool = False) -> None:
        room = self._limits.total_bytes - scan.read_bytes
        limit = min(self._limits.file_bytes, room)
        if limit <= 0:
            scan.bounds.add("size_limit")
            return
        try:
            content = _content(path, limit + 1)
        except OSError as error:
            if required:
                raise BadRequest("path cannot be read") from error
            scan.bounds.add("unreadable_file")
            return
        if len(content) > limit:
            scan.bounds.add("size_limit")
        scan.read_bytes += min(len(content), limit)
        if b"\0" not in content[:_TEXT_LIMIT]:
            self._take(scan, path, content[:limit].decode("utf-8", "replace"), None)

    def _take(self, scan: Scan, name: str, text: str, language: Language | None) -> None:
        language = language or language_of(name, text)
        if language is None:
            return
        scan.files += 1
        try:
            found = self._judged(name, text, language)
        except PatternOverload:
            scan.bounds.add("pattern_limit")
            return
        except Exception:
            # A fault of ours in one file is a finding; the others are scanned all the same.
            scan.faults += 1
            return
        room = self._limits.findings - len(scan.hits)
        scan.hits += found[:room]
        if len(found) > room:
            scan.bounds.add("finding_limit")

    def _judged(self, name: str, text: str, language: Language) -> list[Hit]:
        shown = encodable(name)
        located = code_findings(name, text, self._rules, language)
        found = [Hit(finding=finding, path=shown, line=line) for finding, line in located]
        return found + [Hit(finding=finding, path=shown, line=0) for finding in self._by_pattern(name, text)]

    def _by_pattern(self, name: str, text: str) -> list[Finding]:
        """Return what rules with patterns over program text find, exactly as in a call that writes it."""
        patterns = self._rules.patterns[Subject.CODE]
        if not patterns.matching(text.encode("utf-8", "replace")):
            return []
        event = Event(
            kind=EventKind.TOOL_CALL, door=Door.CLI, tool="Write", args={"file_path": name, "content": text}
        )
        found = run(detect(event, self._rules, self._host)).findings
        on_code = (each for each in found if each.rule_id in self._rules.rules)
        return [each for each in on_code if self._rules.rules[each.rule_id].on is Subject.CODE]

    def _finished(self, scan: Scan) -> Scan:
        if scan.bounds:
            scan.hits.append(_built_in(scan, INPUT_BOUND, Severity.MEDIUM, ", ".join(sorted(scan.bounds))))
        if scan.faults:
            scan.hits.append(_built_in(scan, INTERNAL_FAULT, Severity.HIGH, f"in {scan.faults} files"))
        return scan


class ScanFinding(Struct, kw_only=True, omit_defaults=True):
    """One place where a rule found something."""

    id: str
    severity: str
    title: str
    description: str
    """What is wrong there; a placeholder unless it was asked to be revealed."""
    location: str
    """``path:line``; a placeholder likewise."""
    remediation: str
    """What to do instead; a placeholder likewise."""
    scanner: str
    tags: list[str]
    rule_id: str
    category: str
    line_number: int = 0
    """From 1; absent for a file as a whole."""
    confidence: float = 0.0
    detection_only: bool = False
    """Often meant well: reported, without weight in the action when an agent writes it."""


class ScanResult(Struct, kw_only=True):
    """What one scan found."""

    scanner: str
    target: str
    """The path or the name of the text."""
    timestamp: str
    findings: list[ScanFinding]
    duration: int
    """Nanoseconds."""
    target_type: str
    verdict: Literal["clean", "warn", "block"]
    """``block``: something of HIGH or above; ``warn``: anything else."""
    files: int
    """Files that were scanned."""


def result(
    scan: Scan,
    *,
    timestamp: str,
    duration_ns: int,
    fix_for: Callable[[str], str],
    shown: Callable[[str], str] = str,
) -> ScanResult:
    """Return a scan as the wire carries it.

    Args:
        scan: What was found.
        timestamp: When it began: UTC, RFC 3339.
        duration_ns: How long it took.
        fix_for: Rule id → what to do instead.
        shown: Turns a description, location or remediation into what is shown of it.
    """
    return ScanResult(
        scanner=SCANNER,
        target=scan.target,
        timestamp=timestamp,
        findings=[
            ScanFinding(
                id=hit.finding.rule_id,
                severity=hit.finding.severity.value,
                title=hit.finding.title,
                description=shown(hit.finding.because),
                location=shown(hit.location),
                remediation=shown(" ".join(fix_for(hit.finding.rule_id).split())),
                scanner=SCANNER,
                tags=list(hit.finding.tags),
                rule_id=hit.finding.rule_id,
                category=_category(hit.finding),
                line_number=hit.line,
                confidence=hit.finding.confidence,
                detection_only=hit.finding.detection_only,
            )
            for hit in scan.hits
        ],
        duration=duration_ns,
        target_type="code",
        verdict=scan.verdict,
        files=scan.files,
    )


def result_schema() -> dict[str, object]:
    """Return the JSON schema of :class:`ScanResult`."""
    return msgspec.json.schema(ScanResult)


def scan_row(
    scan: Scan,
    *,
    duration_ns: int,
    placeholder: Callable[[str], str],
    clean: Callable[[str], str],
    fix_for: Callable[[str], str],
) -> ScanRow | None:
    """Return the rows of a scan's findings; None when there are none.

    Args:
        scan: What was found.
        duration_ns: How long it took.
        placeholder: Raw evidence → keyed placeholder.
        clean: Masks secrets in names that somebody chose.
        fix_for: Rule id → what to do instead.
    """
    if not scan.hits:
        return None
    return ScanRow(
        id=time_ordered_id(),
        scanner=SCANNER,
        target=tidy(clean(scan.target[:_TEXT_LIMIT]), _TEXT_LIMIT),
        target_type="code",
        max_severity=scan.max_severity.value,
        verdict=scan.verdict,
        duration_ms=duration_ns // 1_000_000,
        findings=tuple(_finding_row(hit, placeholder, clean, fix_for) for hit in scan.hits[:MAX_FINDINGS]),
    )


def _finding_row(
    hit: Hit, placeholder: Callable[[str], str], clean: Callable[[str], str], fix_for: Callable[[str], str]
) -> FindingRow:
    finding = hit.finding
    evidence = placeholder(finding.evidence.reveal()) if finding.evidence else ""
    return FindingRow(
        id=time_ordered_id(),
        rule_id=finding.rule_id,
        category=_category(finding),
        severity=finding.severity.value,
        title=finding.title,
        description=f"{finding.because} {evidence}".strip(),
        location=tidy(clean(hit.location[:_TEXT_LIMIT]), _TEXT_LIMIT),
        remediation=" ".join(fix_for(finding.rule_id).split()),
        tags=finding.tags,
        confidence=finding.confidence,
    )


def _built_in(scan: Scan, rule_id: str, severity: Severity, because: str) -> Hit:
    finding = BUILT_IN[rule_id].finding(because, severity=severity)
    return Hit(finding=finding, path=encodable(scan.target), line=0)


def _category(finding: Finding) -> str:
    """Return the second word of a code rule's id (``exec``), of other rules their own category."""
    parts = finding.rule_id.split("-")
    return parts[1].lower() if finding.category == "code" and len(parts) > 1 else finding.category


def _may_be_code(name: str) -> bool:
    """Whether the name is one of code, or one without an ending, where the first line will tell."""
    return "." not in name or language_of(name, "") is not None


def _status(path: str) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFound("no such file or folder") from error
        raise BadRequest("path cannot be read") from error
    except ValueError as error:
        raise BadRequest("path is not one") from error


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _content(path: str, limit: int) -> bytes:
    """Return the beginning of a regular file; never follows a link, never waits on a pipe or device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return source.read(limit)
