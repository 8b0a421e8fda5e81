"""How much of a Windows command line is understood; beyond each bound an issue is reported."""

from __future__ import annotations

MAX_SOURCE = 1 << 20
"""Characters of source read (``input_limit``)."""
MAX_DEPTH = 48
"""Nesting of brackets, blocks and texts that run as commands (``depth_limit``)."""
MAX_COMMANDS = 2048
"""Commands reported (``fact_limit``)."""
MAX_STEPS = 1 << 17
"""Statements and values evaluated (``fact_limit``)."""
MAX_TURNS = 64
"""Turns of a loop whose body runs commands; the others are alike."""
MAX_ITEMS = 8192
"""Members of a list, such as the characters of a text; a longer list is unknown."""
MAX_TEXT = 1 << 18
"""Characters of one value; a longer one is unknown."""
MAX_PRODUCED = 1 << 22
"""Characters that all values together may have (``fact_limit``)."""
MAX_WORDS = 512
"""Words of one command that are looked at."""
MAX_DECODED = 1 << 18
"""Bytes a decoder may produce; more makes its output unknown."""
MAX_UNWRAPPED = 8
"""Commands that hand their words on to another program (``wsl``, ``bash -c``, ``ssh``)."""
