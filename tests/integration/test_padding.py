"""Padding hides nothing: the same attack behind 300 KB or 2 MB gets the same rule ids."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.doors import Given, bash, call, completion, prompt, result
from tests.integration.machine import DANGEROUS_RULE, SIZE, Machine, rule_ids
from tests.integration.planted import Mint

KB = 1000
_mint = Mint(45)
GITHUB, AWS = _mint.github(), _mint.aws()


def prose(size: int) -> str:
    """Words that mean nothing, as many characters as asked for."""
    chance = random.Random(7)
    words = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(500)]
    text = " ".join(chance.choices(words, k=size // 5))
    return text[:size]


def lines(size: int, mark: str) -> str:
    text = prose(size)
    return "".join(f"{mark}{text[start : start + 70]}\n" for start in range(0, len(text), 70))


RM = "rm -rf /"
Padded = Callable[[int], Given]
COMMANDS: dict[str, Padded] = {
    "comments before": lambda size: bash(lines(size, "# ") + RM),
    "comments after": lambda size: bash(RM + "\n" + lines(size, "# ")),
    "one long comment after": lambda size: bash(f"{RM} # {prose(size)}"),
    "a long echo before": lambda size: bash(f"echo '{prose(size)}'; {RM}"),
    "blanks before": lambda size: bash(" " * size + RM),
    "blank lines before": lambda size: bash("\n" * size + RM),
    "a long variable": lambda size: bash(f"x='{prose(size)}'; {RM}"),
    "a long here-document": lambda size: bash(f"cat <<'E' >/dev/null\n{lines(size, '')}E\n{RM}"),
    "another key before": lambda size: call("Bash", description=prose(size), command=RM),
    "another key after": lambda size: call("Bash", command=RM, description=prose(size)),
    "a list in another key": lambda size: call("Bash", notes=["x" * 90] * (size // 100), command=RM),
    "numbers in another key": lambda size: call("Bash", notes=list(range(size // 7)), command=RM),
    "in a nested shell": lambda size: bash(f"bash -c '{lines(size, '# ')}{RM}'"),
}
COUNTED: dict[str, Padded] = {
    "commands before": lambda size: bash("".join(f"echo {n}\n" for n in range(size // 9)) + RM),
    "commands after": lambda size: bash(RM + "\n" + "".join(f"echo {n}\n" for n in range(size // 9))),
    "words of another command": lambda size: bash(f"echo {prose(size)}; {RM}"),
    "words behind": lambda size: bash(f"{RM} {prose(size)}"),
    "words between": lambda size: bash(f"rm -rf {prose(size)} /"),
}
"""Padding that adds to what is counted; more of it than is understood is a finding of its own."""
DIFFERENT: dict[str, Padded] = {
    "listings": lambda size: bash("".join(f"ls d{n}\n" for n in range(size // 9)) + RM),
    "pipes": lambda size: bash("".join(f"git log -{n} | head\n" for n in range(size // 19)) + RM),
    "files made": lambda size: bash("".join(f"touch f{n}\n" for n in range(size // 12)) + RM),
    "copies by redirection": lambda size: bash("".join(f"cat f{n} > g{n}\n" for n in range(size // 18)) + RM),
}
"""Thousands of commands no two of which are the same."""
SECRETS: dict[str, Padded] = {
    f"{name}, {place}": (
        lambda size, make=make, front=front: make(
            f"{GITHUB}\n{prose(size)}" if front else f"{prose(size)}\n{GITHUB}"
        )
    )
    for name, make in (
        ("a result", result),
        ("a completion", completion),
        ("a prompt", prompt),
        ("a written file", lambda text: call("Write", file_path="/srv/project/a.txt", content=text)),
    )
    for place, front in (("before the padding", True), ("behind it", False))
}
SECRETS |= {
    "between two halves": lambda size: result(f"{prose(size // 2)}\n{AWS}\n{prose(size // 2)}"),
    "after one endless word": lambda size: result("a" * size + f" {AWS}"),
    "after lines of nothing": lambda size: result("\n" * size + AWS),
}
Ask = Callable[[Given, Machine], dict[str, Any]]
DOORS: dict[str, tuple[Ask, int]] = {
    "inspect, 300 KB": (Given.inspect, 300 * KB),
    "claudecode, 300 KB": (Given.claude_code, 300 * KB),
    "omnigent, 300 KB": (Given.omnigent, 300 * KB),
    "claudecode, 2 MB": (Given.claude_code, 2000 * KB),
    "omnigent, 2 MB": (Given.omnigent, 2000 * KB),
}
OFTEN = ("inspect, 300 KB", "claudecode, 2 MB", "omnigent, 300 KB")
"""What every run goes through; the nightly one goes through all."""
CHOSEN = {name: door for name, door in DOORS.items() if SIZE > 1 or name in OFTEN}
at_every_door = pytest.mark.parametrize(("ask", "size"), CHOSEN.values(), ids=CHOSEN)


@at_every_door
@pytest.mark.parametrize("padded", [*COMMANDS.values(), *SECRETS.values()], ids=[*COMMANDS, *SECRETS])
def test_the_same_rule_ids(gateway: Machine, padded: Padded, ask: Ask, size: int) -> None:
    plain, big = rule_ids(ask(padded(0), gateway)), rule_ids(ask(padded(size), gateway))
    assert plain
    assert big == plain


@pytest.mark.parametrize(
    ("ask", "size"),
    [door for name, door in CHOSEN.items() if SIZE > 1 or "300 KB" in name],
    ids=[name for name in CHOSEN if SIZE > 1 or "300 KB" in name],
)
@pytest.mark.parametrize("padded", COUNTED.values(), ids=COUNTED)
def test_the_same_rule_ids_or_a_finding_that_not_all_was_understood(
    gateway: Machine, padded: Padded, ask: Ask, size: int
) -> None:
    plain, big = rule_ids(ask(padded(0), gateway)), rule_ids(ask(padded(size), gateway))
    assert plain == [DANGEROUS_RULE]
    assert big == plain or "INPUT-BOUND" in big
    assert set(big) <= {DANGEROUS_RULE, "INPUT-BOUND"}


@pytest.mark.parametrize("padded", DIFFERENT.values(), ids=DIFFERENT)
def test_different_commands_hide_nothing(gateway: Machine, padded: Padded) -> None:
    found = rule_ids(padded(300 * KB).claude_code(gateway))
    assert DANGEROUS_RULE in found
    assert set(found) <= {DANGEROUS_RULE, "INPUT-BOUND"}


def test_the_padding_alone_is_nothing(gateway: Machine) -> None:
    size = 300 * KB
    for given in (bash(lines(size, "# ")), result(prose(size)), prompt(prose(size))):
        assert rule_ids(given.inspect(gateway)) == []
