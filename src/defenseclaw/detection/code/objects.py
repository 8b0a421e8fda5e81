"""Data that is turned into objects, and hashes that no longer hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from defenseclaw.detection.code.issues import Issue
from defenseclaw.detection.code.languages import Language
from defenseclaw.detection.code.program import MAX_PARTS, Call, Program

_LOADS: Final = re.compile(r"(?:load|loads|load_all|unsafe_load|unsafe_load_all)\s*+\(")
_PICKLES: Final = frozenset(("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "jsonpickle"))
_ROUND_TRIP: Final = re.compile(r"\s*(?:\w+\.)?dumps\s*\(")
_UNSAFE_LOADERS: Final = frozenset(("Loader", "CLoader", "UnsafeLoader", "CUnsafeLoader"))
_SAFE_LOADERS: Final = re.compile(r"(?:Safe|Base|Full)Loader\b|\bJSONLoader\b|\bYAML\(")

_HASHES: Final = {
    Language.PYTHON: re.compile(r"(?:md5|sha1|new)\s*+\("),
    Language.JAVASCRIPT: re.compile(r"(?:createHash|createHmac)\s*+\("),
    Language.JAVA: re.compile(r"(?:getInstance|md5|sha1|md5Hex|sha1Hex)\s*+\("),
    Language.GO: re.compile(r"(?:New|Sum)\s*+\("),
    Language.RUBY: re.compile(r"(?:new|hexdigest|digest|base64digest)\s*+\("),
    Language.C: re.compile(r"(?:Create|HashData)\s*+\("),
}
_WEAK: Final = re.compile(r"(?i)\A\s*(?:rsa-)?(?:md[45]|sha-?1)\s*\Z")
_WEAK_OWNERS: Final = {
    Language.GO: frozenset(("md5", "sha1")),
    Language.RUBY: frozenset(("Digest.MD5", "Digest.SHA1", "OpenSSL.Digest.MD5", "OpenSSL.Digest.SHA1")),
    Language.C: frozenset(("MD5", "SHA1")),
    Language.JAVA: frozenset(("DigestUtils", "Hashing")),
}
_NOT_FOR_SECURITY: Final = re.compile(r"usedforsecurity\s*=\s*False")
_SECRETS: Final = re.compile(
    r"(?i)passw(?:or)?d|passphrase|passwd|\bpwd\b|secret|credential|api_?key|auth_?token|access_?token"
    r"|session_?(?:id|token|key)|signature|certificate|\bsalt"
)


def loaded_objects(program: Program) -> Iterator[Issue]:
    """Find data that may build any object while it is read: pickles, and YAML without a safe loader."""
    for call in program.calls(_LOADS):
        owner, _, name = program.resolved(call).rpartition(".")
        arguments = program.arguments(call)
        if not arguments:
            continue
        if owner in _PICKLES and name in ("load", "loads"):
            if not _ROUND_TRIP.match(program.text(*arguments[0][:2])):
                yield Issue(call.start, call.end, "a pickle may run any code while it is read")
        elif owner == "yaml" and "yaml" not in program.assigned:
            yield from _loaded_yaml(program, call, name)


def _loaded_yaml(program: Program, call: Call, name: str) -> Iterator[Issue]:
    arguments = program.arguments(call)
    named = next((each for each in arguments if each.keyword == "Loader"), None)
    given = named or (arguments[1] if len(arguments) > 1 else None)
    if name.startswith("unsafe") or given is None:
        yield Issue(call.start, call.end, "YAML without a safe loader may build any object")
        return
    loader = program.text(given.start, given.end).strip()
    own = loader.rpartition(".")[2]
    # a loader of the program's own is what it derives from
    written = [
        loader,
        program.bases.get(own, ""),
        *(program.text(*each) for each in program.assigned.get(own, [])),
    ]
    if not any(_SAFE_LOADERS.search(each) for each in written[:MAX_PARTS]):
        certain = own in program.bases or own in _UNSAFE_LOADERS
        because = "YAML with an unsafe loader" if certain else "YAML with a loader that is not known"
        yield Issue(call.start, call.end, f"{because} may build any object", certain)


def weak_hashes(program: Program) -> Iterator[Issue]:
    """Find MD5 and SHA-1; certain where a secret is hashed: most others are checksums and cache keys."""
    for call in program.calls(_HASHES[program.language]):
        if _is_weak(program, call):
            line = _line_around(program, call)
            certain = _SECRETS.search(line) is not None
            because = (
                "a secret hashed with MD5 or SHA-1" if certain else "MD5 or SHA-1, perhaps as a checksum"
            )
            yield Issue(call.start, call.end, because, certain)


def _is_weak(program: Program, call: Call) -> bool:
    written = program.text(call.bracket.start, call.bracket.end)
    if program.language is Language.PYTHON:
        name = program.resolved(call)
        if _NOT_FOR_SECURITY.search(written):
            return False
        if name == "hashlib.new":
            return _names_weak(program, call)
        return name in ("hashlib.md5", "hashlib.sha1")
    if program.language is Language.JAVASCRIPT:
        return call.name == "createHash" and _names_weak(program, call)
    if program.language is Language.JAVA and call.name == "getInstance":
        return call.qualifier.rpartition(".")[2] == "MessageDigest" and _names_weak(program, call)
    return call.qualifier in _WEAK_OWNERS.get(program.language, frozenset())


def _names_weak(program: Program, call: Call) -> bool:
    literals = program.source.literals_in(call.bracket.start, call.bracket.end)
    return bool(literals) and _WEAK.match(program.source.inner(literals[0])) is not None


def _line_around(program: Program, call: Call) -> str:
    """Return the code of a call with what stands before it in its line, strings left out, bounded."""
    code = program.source.code
    begin = code.rfind("\n", max(0, call.start - 200), call.start) + 1 or max(0, call.start - 200)
    return code[begin : min(call.bracket.end, call.bracket.start + 400)]
