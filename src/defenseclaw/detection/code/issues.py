"""What a check finds."""

from __future__ import annotations

from typing import NamedTuple


class Issue(NamedTuple):
    """One place where code is insecure."""

    start: int
    """Where it begins, in characters of the text."""
    end: int
    because: str
    """What is wrong there, in our own words: free of content."""
    certain: bool = True
    """False for what is often meant well (a checksum with MD5, an address from the configuration): reported,
    but without weight in the action."""
