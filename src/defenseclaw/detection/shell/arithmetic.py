"""Shell arithmetic over known integers: literals, variables, ``+ - * / % **``, shifts, bits, comparisons."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

_UNIT = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+#\w+|\d+)|\$?\{?([A-Za-z_]\w*)\}?|(\*\*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%()<>!~&|^]))",
    re.ASCII,
)
_MAX_TEXT = 256
_MAX_VALUE = 1 << 63
_MAX_TURNS = 8
_BINDING = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10, "**": 11,
}  # fmt: skip


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "**": operator.pow,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "&&": lambda left, right: bool(left and right),
    "||": lambda left, right: bool(left or right),
}


def arithmetic(text: str, variable: Callable[[str], str], *, turns: int = 0) -> int | None:
    """Return the value of an expression, or None when it is unknown, invalid or out of bounds.

    Args:
        text: The expression, at most 256 characters; assignments and ``?:`` are not understood.
        variable: Text of a variable by name; itself evaluated as an expression, as shells do.
        turns: Variables followed so far to get here.
    """
    if len(text) > _MAX_TEXT or turns > _MAX_TURNS:
        return None
    units: list[str | int] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _UNIT.match(text, at)
        if match is None:
            return None
        number, name, sign = match.groups()
        if number is not None:
            value = _number(number)
        elif name is not None:
            value = arithmetic(variable(name) or "0", variable, turns=turns + 1)
        else:
            units.append(sign)
            at = match.end()
            continue
        if value is None:
            return None
        units.append(value)
        at = match.end()
    if units.count("(") > 16:
        return None
    try:
        return _Expression(units).value()
    except (ValueError, IndexError, ZeroDivisionError):
        return None


def _number(text: str) -> int | None:
    try:
        if "#" in text:
            base, _, digits = text.partition("#")
            return int(digits, int(base)) if 2 <= int(base) <= 36 else None
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        return int(text, 8) if text[0] == "0" and len(text) > 1 else int(text)
    except ValueError:
        return None


class _Expression:
    """Precedence climbing over units."""

    def __init__(self, units: list[str | int]) -> None:
        self._units = units
        self._at = 0

    def value(self) -> int:
        if not self._units:
            return 0
        result = self._climb(1)
        if self._at != len(self._units):
            raise ValueError
        return result

    def _climb(self, least: int) -> int:
        left = self._unary()
        while self._at < len(self._units):
            sign = self._units[self._at]
            binding = _BINDING.get(sign, 0) if isinstance(sign, str) else 0
            if binding < least:
                break
            self._at += 1
            right = self._climb(binding if sign == "**" else binding + 1)
            left = _apply(str(sign), left, right)
            if abs(left) > _MAX_VALUE:
                raise ValueError
        return left

    def _unary(self) -> int:
        signs: list[str] = []
        while True:
            unit = self._units[self._at]
            self._at += 1
            if unit not in ("-", "+", "!", "~"):
                break
            signs.append(str(unit))
        if isinstance(unit, int):
            result = unit
        elif unit == "(":
            result = self._climb(1)
            if self._units[self._at] != ")":
                raise ValueError
            self._at += 1
        else:
            raise ValueError
        for sign in reversed(signs):
            result = (
                -result
                if sign == "-"
                else int(not result)
                if sign == "!"
                else ~result
                if sign == "~"
                else result
            )
        return result


def _apply(sign: str, left: int, right: int) -> int:
    if sign in ("/", "%"):
        quotient = abs(left) // abs(right)
        quotient = quotient if (left < 0) == (right < 0) else -quotient
        return quotient if sign == "/" else left - quotient * right
    if sign in ("**", "<<", ">>") and not 0 <= right < 64:
        raise ValueError
    return int(_OPERATIONS[sign](left, right))
