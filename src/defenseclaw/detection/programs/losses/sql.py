"""What statements of a database language lose: tables, rows, whole databases.

Quoted values and comments are taken out first, so that a statement that only stands in a string is none.
A script that ends in ``ROLLBACK`` loses nothing.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SQL: Final = 65536
"""Characters that are looked at."""

_QUOTED: Final = re.compile(r"'[^']*(?:'|$)|--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|$)|(?m:^[ \t]{0,64}#[^\n]*)")
_STATEMENT_END: Final = re.compile(r";|\\g\b|\bgo\b(?=\s*$)", re.IGNORECASE | re.MULTILINE)
_NAME: Final = r"(?:[\w.$\[\]`\"-]+)"
_DATABASE: Final = re.compile(
    r"\bdrop\s+(?:database|schema|keyspace|tablespace|catalog|owned\s+by|cluster)\b"
    rf"(?:\s+(?:if\s+exists\s+)?({_NAME}))?",
    re.IGNORECASE,
)
_TABLE: Final = re.compile(
    rf"\bdrop\s+(?:table|collection|foreign\s+table|materialized\s+view|measurement"
    rf"|series)\s+(?:if\s+exists\s+)?({_NAME})"
    rf"|\btruncate\s+(?:table\s+)?(?:only\s+)?({_NAME})"
    r"|\balter\s+table\s[^;]{1,300}?\bdrop\s+(?!constraint|index|primary|foreign|key|default|not\b|expression"
    r"|identity|check)\w",
    re.IGNORECASE,
)
_SCRATCH: Final = re.compile(
    r"^[\"`\[]?#?(?:te?mp|test|testing|scratch|sandbox|ci)(?:_|\b)|[_-](?:te?mp|old|bak|tests?|testing|testdb"
    r"|ci)[\"`\]]?$",
    re.IGNORECASE,
)
_CHANGE: Final = re.compile(
    r"(?:^|\))\s{0,64}(?:delete\s{1,64}from\s|update\s[^;]{1,200}?\sset\s)", re.IGNORECASE
)
"""Of rows; at the start of a statement or after its ``WITH (…)``."""
_CONDITION: Final = re.compile(
    r"\bwhere\b(?!\s+(?:true|1\s*=\s*1|1)\s*$)|\busing\b|\blimit\b|\bjoin\b", re.IGNORECASE
)
_SHOWS: Final = re.compile(r"\s*(?:explain(?!\s+analyze)|show|describe|desc)\b", re.IGNORECASE)
_ROLLED_BACK: Final = re.compile(r"\brollback\s*;?\s*$", re.IGNORECASE)
_DOCUMENTS: Final = re.compile(
    r"\bdropdatabase\s*\(|\.(?:drop|remove|deletemany)\s*\(\s*(?:\{\s*\})?\s*(?:,[^)]*)?\)", re.IGNORECASE
)

_SCRATCH_DATABASE: Final = re.compile(
    r"(?i)getsiblingdb\(\s*[\"'](?:[\w-]{1,40}[_-])?(?:te?mp|tests?|testing|scratch|sandbox|ci)[\"']\s*\)"
    r"\.(?:dropdatabase|\w{1,40}\.drop)\s*\(\s*\)"
)


def losses(text: str) -> frozenset[str]:
    """Return the traits of what statements lose: ``database_lost``, ``data_lost``, or none.

    Args:
        text: Statements as given to a client, any dialect; the first :data:`MAX_SQL` characters count.
    """
    text = _QUOTED.sub(" ", text[:MAX_SQL]).strip()
    if _ROLLED_BACK.search(text[-64:]):
        return frozenset()
    return frozenset().union(*(_lost_by(statement) for statement in _STATEMENT_END.split(text)))


def is_scratch(name: str) -> bool:
    """Whether a table or database is named as one that tests make and throw away."""
    return _SCRATCH.search(name) is not None


def document_losses(text: str) -> frozenset[str]:
    """Return the traits of what a script of a document database loses (``db.dropDatabase()``)."""
    found = {match[0].lower() for match in _DOCUMENTS.finditer(_SCRATCH_DATABASE.sub(" ", text[:MAX_SQL]))}
    if not found:
        return frozenset()
    return frozenset({"database_lost" if any("dropdatabase" in each for each in found) else "data_lost"})


def _lost_by(statement: str) -> frozenset[str]:
    if _SHOWS.match(statement):
        return frozenset()
    database = _DATABASE.search(statement)
    if database is not None:
        return frozenset() if is_scratch(database[1] or "") else frozenset({"database_lost"})
    table = _TABLE.search(statement)
    if table is not None and not is_scratch(table[1] or table[2] or ""):
        return frozenset({"data_lost"})
    change = _CHANGE.search(statement)
    if change is not None and not _CONDITION.search(statement, change.end()):
        return frozenset({"data_lost"})
    return frozenset()
