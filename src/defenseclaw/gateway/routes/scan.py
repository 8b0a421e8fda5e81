"""``/api/v1/scan/code``: insecure code in a text, a file or a folder.

Seed ``gateway-api`` names a blob, its clients send a path: both are taken. Findings are on record before the
answer. Source: ``spec/gateway-api.md`` §11.1; ``DECISIONS.md`` "Scan rows", "Raw evidence".
"""

from __future__ import annotations

import time

from msgspec import Struct
from msgspec.structs import replace

from defenseclaw.audit.identity import new_evaluation_id
from defenseclaw.audit.records import Batch
from defenseclaw.detection.code import Language, language_named
from defenseclaw.errors import BadRequest, MissingField, NotFound, Overloaded, StoreUnavailable
from defenseclaw.gateway.routing import Call, Parameter, Route
from defenseclaw.inspection import fix_of, utc_now
from defenseclaw.scanning import Scan, Scanner, ScanResult, result, scan_row
from defenseclaw.vocabulary import Severity

MAX_NAME_CHARS = 4096
"""Characters of a path or a file's name."""


class ScanCodeRequest(Struct):
    """What to scan: ``path``, or ``content`` with what is known of it. ``path`` wins."""

    path: str | None = None
    """Absolute path of a file or folder on the gateway's machine."""
    content: str | None = None
    """Program text, whole or in part."""
    filename: str | None = None
    """Name of the content's file; tells its language."""
    language: str | None = None
    """Language of the content, such as ``python`` or ``ts``; wins over ``filename``."""


async def scan_code(call: Call) -> ScanResult:
    """Scan code with the rules that judge what agents write."""
    body: ScanCodeRequest = call.body
    if not body.path and body.content is None:
        raise MissingField("path or content is required")
    if max(len(body.path or ""), len(body.filename or "")) > MAX_NAME_CHARS:
        raise BadRequest(f"path and filename are at most {MAX_NAME_CHARS} characters")
    language = _language(body.language)

    def work(scanner: Scanner) -> Scan:
        if body.path:
            return scanner.scan_path(body.path)
        return scanner.scan_text(body.content or "", body.filename or "", language)

    inspector = call.services.inspector
    began, clock = utc_now(), time.perf_counter_ns()
    scan = await inspector.scan(work)
    duration_ns = time.perf_counter_ns() - clock
    reveal = call.headers.get(b"x-defenseclaw-reveal-pii") == b"1"
    await _record(call, scan, duration_ns, reveal=reveal)
    rules = inspector.rules()
    return result(
        scan,
        timestamp=began,
        duration_ns=duration_ns,
        fix_for=lambda rule_id: fix_of(rules, rule_id),
        shown=str if reveal else inspector.redacted,
    )


def _language(word: str | None) -> Language | None:
    if not word:
        return None
    language = language_named(word)
    if language is None:
        raise BadRequest(f"language must be one of {', '.join(Language)}")
    return language


async def _record(call: Call, scan: Scan, duration_ns: int, *, reveal: bool) -> None:
    inspector = call.services.inspector
    rules = inspector.rules()
    severity = scan.max_severity.value if scan.max_severity is not Severity.NONE else "INFO"
    row = call.row(
        "scan",
        target=scan.target,
        details={
            "scanner": "codeguard",
            "verdict": scan.verdict,
            "files": scan.files,
            "findings": len(scan.hits),
            "max": severity,
            "elapsed": f"{duration_ns // 1_000_000}ms",
        },
        severity=severity,
    )
    row = replace(row, evaluation_id=new_evaluation_id())
    found = scan_row(
        scan,
        duration_ns=duration_ns,
        placeholder=inspector.evidence_placeholder,
        clean=inspector.clean,
        fix_for=lambda rule_id: fix_of(rules, rule_id),
    )
    await inspector.record(Batch(row=row, scan=found))
    if reveal:
        details = {"route": "scan/code", "remote": call.peer, "findings": len(scan.hits)}
        shown = call.row("inspect-reveal", target=scan.target, details=details, severity=severity)
        await inspector.record(Batch(row=replace(shown, evaluation_id=row.evaluation_id)))


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/scan/code",
        handler=scan_code,
        summary="Find insecure code in a text, a file or a folder.",
        tag="scanning",
        request=ScanCodeRequest,
        response=ScanResult,
        effects="One `scan` row, and a scan row when there are findings, first. Blocks nothing.",
        errors=(BadRequest, MissingField, NotFound, Overloaded, StoreUnavailable),
        parameters=(
            Parameter(
                name="X-DefenseClaw-Reveal-PII",
                where="header",
                summary=(
                    "Exactly `1`: descriptions, locations and remediations in clear; recorded as"
                    " `inspect-reveal`."
                ),
            ),
        ),
        rate_limited=True,
    ),
)
