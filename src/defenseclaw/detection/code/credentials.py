"""Keys and passwords that stand in the code."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from defenseclaw.detection.code.issues import Issue
from defenseclaw.detection.code.program import Program
from defenseclaw.detection.secrets import MAX_PEM_CHARS, VALIDATORS, is_placeholder, is_private_key

_MIN_VALUE: Final = 16
_MAX_VALUE: Final = 512
_NAMED: Final = re.compile(
    r"(?i)(?<!::)(?:api[_-]?key|secret[_-]?key|access[_-]?token|private[_-]?key)(?:[_-]\w{1,20})?(?=[\"'\]\s:=|])"
)
_GIVEN: Final = re.compile(
    r"[\"'\]]{0,3}\s{0,4}(?::\s{0,2}[\w.\[\]| ]{1,30}\s{0,2}=|:=|=>|[:=])\s{0,4}[rbuf]{0,2}(?=[\"'`])"
)
_UNQUOTED: Final = re.compile(r"[\s\"'`<>{}$]")
_FOR_TESTS: Final = re.compile(
    r"(?i)\A(?:[spr]k_test_|test|dummy|fake|mock|sandbox|demo|example|foo|bar)|[-_](?:test|dummy|fake)[-_]|test\Z"
)
_AWS_KEY: Final = re.compile(r"(?<![A-Za-z0-9/+])AKIA[A-Z0-9]{16}(?![A-Za-z0-9/+])")
_PEM_BEGIN: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY-----")
_PEM_END: Final = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY-----")
_BASE64: Final = re.compile(
    r"(?:[\s\"'`+,;\\.]|\\[nr]){0,40}(?:(?:[A-Za-z-]{4,20}: [^\n]{1,80}\s{1,4}){0,3})[A-Za-z0-9+/]{40}"
)


def named_secrets(program: Program) -> Iterator[Issue]:
    """Find random values given to something called an API key, secret key, access token or private key."""
    source = program.source
    for named in _NAMED.finditer(source.text):
        given = _GIVEN.match(source.text, named.end())
        literal = next(iter(source.literals_in(given.end(), given.end() + 1)), None) if given else None
        if literal is None or not _MIN_VALUE <= literal.inner_end - literal.inner <= _MAX_VALUE:
            continue
        value = source.inner(literal)
        if _UNQUOTED.search(value) or _FOR_TESTS.search(value) or is_placeholder(value):
            continue
        if VALIDATORS["assigned-literal"](value, source.text, literal.inner, literal.inner_end):
            yield Issue(named.start(), named.end(), "a random value has the name of a secret")


def aws_keys(program: Program) -> Iterator[Issue]:
    """Find ids of AWS access keys, but for the samples of manuals."""
    text = program.source.text
    for found in _AWS_KEY.finditer(text):
        if VALIDATORS["aws-key-id"](found[0], text, found.start(), found.end()):
            yield Issue(found.start(), found.start() + 4, "the id of an AWS access key")


def private_keys(program: Program) -> Iterator[Issue]:
    """Find private keys: certain when whole, otherwise where what a key begins with follows a header."""
    text = program.source.text
    ends = [found.end() for found in _PEM_END.finditer(text)]
    begins = list(_PEM_BEGIN.finditer(text))
    for begin, following in zip_longest(begins, begins[1:]):
        index = bisect_left(ends, begin.end())
        limit = min(begin.start() + MAX_PEM_CHARS, following.start() if following else len(text))
        if index < len(ends) and ends[index] <= limit and is_private_key(text[begin.start() : ends[index]]):
            yield Issue(begin.start(), begin.end(), "a whole private key")
        elif _BASE64.match(text, begin.end()):
            yield Issue(begin.start(), begin.end(), "the beginning of a private key", certain=False)
