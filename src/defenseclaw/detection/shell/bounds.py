"""How much of a command is understood; beyond each bound an issue is reported and the rest is left out."""

from __future__ import annotations

MAX_SOURCE = 16 << 20
"""Characters of source read; more is cut (``input_limit``)."""
MAX_DEPTH = 64
"""Nesting of substitutions, groups, loops, calls and bodies taken together (``depth_limit``)."""
MAX_NODES = 1 << 20
"""Statements, words and expansions parsed in one evaluation, nested sources included (``fact_limit``)."""
MAX_COMMANDS = 8_192
"""Commands reported (``fact_limit``); a command repeated word for word in its place counts once."""
MAX_INERT = 256
"""Commands reported before those that only print or test are left out."""
MAX_UNSORTED = 1024
"""Commands reported before ordinary ones of a kind that was met often are left out."""
MAX_ALIKE = 64
"""Ordinary commands of one kind that are met often."""
MAX_LINKED = 64
"""Commands that output of substitutions joins to one pipeline (``fact_limit``)."""
MAX_ASSIGNMENTS = 16
"""Assignments before one command that are kept with it."""
MAX_ASSIGNED = 4_096
"""Characters of an assigned value that are kept with a command."""
MAX_REDIRECTIONS = 256
"""Redirections of one command (``fact_limit``)."""
FREE_STEPS = 1 << 14
"""Statements evaluated beyond one for each thing parsed: what loops may multiply (``fact_limit``)."""
MAX_NESTING = 8
"""Interpreters and wrappers around one command (``depth_limit``)."""
MAX_WORDS = 4_096
"""Words one command expands to (``fact_limit``)."""
MAX_TURNS = 64
"""Turns of a loop over known words (``fact_limit``)."""
MAX_EXPANDED = 32 << 20
"""Characters produced by all expansions of one evaluation (``fact_limit``)."""
MAX_DECODED = 1 << 20
"""Bytes one decoder or filter may produce; more makes its output unknown."""
MAX_ARITHMETIC = 8_192
"""Characters searched for the end of an arithmetic expression; a longer one is read as a subshell."""
MAX_GLOB = 256
"""Characters searched for the end of an extended glob such as ``@(a|b)``."""
MAX_FILES = 16
"""Files asked for through ``Need`` in one evaluation (``fact_limit``)."""
MAX_ROUNDS = 4
"""Scripts running scripts: rounds of questions in one evaluation (``depth_limit``)."""
