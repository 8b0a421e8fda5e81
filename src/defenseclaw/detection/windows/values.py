"""What PowerShell computes from literals: operators, casts, methods of texts and a few classes of .NET.

Only what hides text from a reader is imitated (joining, formatting, character codes, decoders). Everything
else is :data:`~defenseclaw.detection.facts.UNKNOWN`.
"""

from __future__ import annotations

import binascii
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.windows.bounds import MAX_DECODED, MAX_ITEMS, MAX_TEXT
from defenseclaw.detection.windows.syntax import Block


class Closure(Struct, frozen=True, gc=False):
    """A script block, and the source it stands in."""

    block: Block
    whole: str

    @property
    def source(self) -> str:
        """What stands between its braces."""
        return self.whole[self.block.start : self.block.end][:MAX_TEXT]


class Instance(Struct, frozen=True, gc=False):
    """An object that is only known by its class and what it was made from."""

    kind: str
    """Lower case, without ``system.``; ``file`` for what a listing found."""
    made_of: tuple[Data, ...] = ()


Data: TypeAlias = "str | int | bytes | list[Data] | Closure | Instance | None"


class Value(Struct, frozen=True, gc=False):
    """Data, and the commands whose output it holds."""

    data: Data = None
    origins: frozenset[int] = frozenset()


NOTHING: Final = Value()
_ENCODINGS: Final = {
    "utf8": "utf-8", "ascii": "latin-1", "unicode": "utf-16-le", "bigendianunicode": "utf-16-be",
    "utf7": "utf-7", "default": "utf-8", "utf32": "utf-32-le", "latin1": "latin-1", "oem": "latin-1",
}  # fmt: skip
_PLACE: Final = re.compile(r"\{\{|\}\}|\{(\d{1,3})(?:,[^}:]{1,8})?(?::([^}]{1,16}))?\}")


def text_of(data: Data) -> str:
    """Return data as PowerShell writes it into a text."""
    if isinstance(data, str):
        return data
    if data is None:
        return ""
    if isinstance(data, bool):
        return str(data)
    if isinstance(data, int):
        return str(data)
    if isinstance(data, bytes):
        return " ".join(map(str, data[:MAX_ITEMS]))
    if isinstance(data, list):
        return " ".join(map(text_of, data))[:MAX_TEXT]
    if isinstance(data, Closure):
        return data.source
    if data.kind == "file" and data.made_of:
        return text_of(data.made_of[0])
    return UNKNOWN


def items_of(data: Data) -> list[Data]:
    """Return data as what a pipeline carries, one by one."""
    if isinstance(data, list):
        return data
    if isinstance(data, bytes):
        return list(data)
    return [] if data is None else [data]


def number_of(data: Data) -> int | None:
    """Return data as a whole number; None when it is none."""
    if isinstance(data, bool):
        return int(data)
    if isinstance(data, int):
        return data
    if isinstance(data, str) and 0 < len(data.strip()) <= 18:
        text = data.strip().lower()
        try:
            return int(text, 16) if text.startswith("0x") else int(text)
        except ValueError:
            return ord(data) if len(data) == 1 else None
    return None


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_TEXT else UNKNOWN


# ---- operators --------------------------------------------------------------------------------------


def binary(operator: str, left: Data, right: Data) -> Data:
    """Return what an operator makes of two values."""
    if operator == "+":
        return _plus(left, right)
    if operator == "join":
        return _clipped(text_of(right).join(map(text_of, items_of(left))))
    if operator == "f":
        return formatted(text_of(left), items_of(right))
    if operator == "split":
        return _split(left, right)
    if operator == "replace":
        return _replace(left, right)
    if operator == "..":
        return _range(left, right)
    if operator == "as":
        return left
    if operator == "*":
        return _times(left, right)
    return _arithmetic(operator, left, right)


def _plus(left: Data, right: Data) -> Data:
    if isinstance(left, bytes):
        left = list(left)
    if isinstance(left, list):
        joined = [*left, *items_of(right)]
        return joined if len(joined) <= MAX_ITEMS else UNKNOWN
    if isinstance(left, int) and not isinstance(left, bool):
        other = number_of(right)
        return left + other if other is not None else UNKNOWN
    if left is None:
        return right
    return _clipped(text_of(left) + text_of(right))


def formatted(template: str, arguments: Sequence[Data]) -> str:
    """Return ``template -f arguments``; a part that is not known is marked."""

    def place(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        at = int(match[1])
        if at >= len(arguments):
            return UNKNOWN
        number = number_of(arguments[at]) if match[2] and match[2][0] in "xXdD" else None
        if number is None:
            return text_of(arguments[at])
        width = int(match[2][1:]) if match[2][1:].isdigit() else 0
        return f"{number:{'x' if match[2][0] == 'x' else 'X' if match[2][0] == 'X' else 'd'}}".zfill(width)

    return _clipped(_PLACE.sub(place, template))


def _split(left: Data, right: Data) -> Data:
    wanted = items_of(right)
    pattern = text_of(wanted[0]) if wanted else " "
    separators = _literals(pattern)
    if separators is None:
        return UNKNOWN
    pieces: list[Data] = []
    for item in items_of(left):
        rest = [text_of(item)]
        for separator in separators:
            rest = [piece for each in rest for piece in each.split(separator)]
        pieces += rest
    return pieces if len(pieces) <= MAX_ITEMS else UNKNOWN


def _literals(pattern: str) -> list[str] | None:
    """Return the texts that a simple regular expression stands for; None when it is not simple."""
    if not pattern:
        return None
    if pattern in ("\\s", "\\s+", "\\W+"):
        return [" ", "\n", "\t"]
    if (
        len(pattern) > 2
        and pattern[0] == "["
        and pattern[-1] == "]"
        and "-" not in pattern
        and pattern[1] != "^"
    ):
        return list(pattern[1:-1].replace("\\", ""))
    if "|" in pattern:
        found = [_literal(each) for each in pattern.split("|")]
        return None if None in found or "" in found else [each for each in found if each is not None]
    single = _literal(pattern)
    return None if single is None else [single]


def _literal(pattern: str) -> str | None:
    plain = re.sub(r"\\([^\w\s])", r"\1", pattern)
    if re.search(r"(?<!\\)[.^$*+?{}\[\]()]|\\\w", pattern) and len(pattern) > 1:
        return None
    return plain


def _replace(left: Data, right: Data) -> Data:
    wanted = items_of(right)
    old = _literals(text_of(wanted[0])) if wanted else None
    if old is None:
        return UNKNOWN
    new = text_of(wanted[1]) if len(wanted) > 1 else ""
    if "$" in new:
        return UNKNOWN

    def replaced(text: str) -> str:
        for each in old:
            text = re.sub(re.escape(each), lambda _: new, text, flags=re.IGNORECASE)
            if len(text) > MAX_TEXT:
                return UNKNOWN
        return text

    if isinstance(left, list):
        return [replaced(text_of(each)) for each in left]
    return replaced(text_of(left))


def _range(left: Data, right: Data) -> Data:
    first, last = number_of(left), number_of(right)
    if first is None or last is None or abs(last - first) >= MAX_ITEMS:
        return UNKNOWN
    return list(range(first, last + 1)) if last >= first else list(range(first, last - 1, -1))


def _times(left: Data, right: Data) -> Data:
    count = number_of(right)
    if isinstance(left, int):
        return left * count if count is not None and abs(left) < 1 << 62 and abs(count) < 1 << 62 else UNKNOWN
    if count is None or count < 0:
        return UNKNOWN
    if isinstance(left, str):
        return left * count if len(left) * count <= MAX_TEXT else UNKNOWN
    if isinstance(left, list):
        return left * count if len(left) * count <= MAX_ITEMS else UNKNOWN
    return UNKNOWN


def _arithmetic(operator: str, left: Data, right: Data) -> Data:
    one, other = number_of(left), number_of(right)
    if one is None or other is None or abs(one) >= 1 << 62 or abs(other) >= 1 << 62:
        return UNKNOWN
    if operator == "-":
        return one - other
    if operator == "bxor":
        return one ^ other
    if operator == "band":
        return one & other
    if operator == "bor":
        return one | other
    if operator in ("/", "%") and other:
        return one // other if operator == "/" else one % other
    if operator in ("shl", "shr") and 0 <= other < 32:
        return one << other if operator == "shl" else one >> other
    return UNKNOWN


def unary(operator: str, value: Data) -> Data:
    """Return what a prefix operator makes of a value."""
    if operator == "join":
        return _clipped("".join(map(text_of, items_of(value))))
    if operator == "split":
        pieces: list[Data] = [*" ".join(map(text_of, items_of(value))).split()]
        return pieces if len(pieces) <= MAX_ITEMS else UNKNOWN
    number = number_of(value)
    if operator in ("-", "+") and number is not None:
        return -number if operator == "-" else number
    if operator == "bnot" and number is not None:
        return ~number
    return UNKNOWN


def cast(kind: str, value: Data) -> Data:
    """Return ``[kind] value``."""
    if kind in ("string", "text.stringbuilder"):
        return text_of(value)
    if kind == "char":
        return _character(value)
    if kind == "char[]":
        if isinstance(value, list):
            return [_character(each) for each in value]
        text = text_of(value)
        return [*text] if len(text) <= MAX_ITEMS else UNKNOWN
    if kind in ("int", "int32", "int64", "long", "byte", "uint32", "uint64", "short", "int16"):
        number = number_of(value)
        return UNKNOWN if number is None else number
    if kind in ("byte[]", "int[]"):
        numbers = [number_of(each) for each in items_of(value)]
        known = [each for each in numbers if each is not None]
        if len(known) != len(numbers):
            return value if isinstance(value, Instance) else UNKNOWN
        if kind == "byte[]" and all(0 <= each < 256 for each in known):
            return bytes(known)
        return [*known]
    if kind in ("array", "object[]", "string[]"):
        return items_of(value)
    if kind in ("io.memorystream", "net.webrequest", "uri", "io.fileinfo", "xml", "void", "object", "regex"):
        return value
    if kind in ("type", "scriptblock", "bool", "switch", "hashtable", "pscustomobject"):
        return value if kind == "scriptblock" else UNKNOWN
    return value if isinstance(value, Instance | Closure) else UNKNOWN


def _character(value: Data) -> str:
    if isinstance(value, str) and len(value) == 1 and not value.isdigit():
        return value
    number = number_of(value)
    return chr(number) if number is not None and 0 < number < 0xD800 else UNKNOWN


def indexed(target: Data, key: Data) -> Data:
    """Return ``target[key]``."""
    members: Sequence[Data] = target if isinstance(target, str | list | bytes) else ()
    if not members or target == UNKNOWN:
        return UNKNOWN
    if isinstance(key, list):
        return [indexed(target, each) for each in key]
    at = number_of(key)
    if at is None or not -len(members) <= at < len(members):
        return UNKNOWN
    return members[at]


# ---- methods ----------------------------------------------------------------------------------------


def method(target: Data, name: str, arguments: list[Data]) -> Data:
    """Return ``target.name(arguments)`` of a text or list; unknown for anything else."""
    if isinstance(target, Instance):
        return _stream_method(target, name)
    if isinstance(target, list | bytes) and name in ("toarray", "clone"):
        return target
    if isinstance(target, list) and name == "invoke":
        return UNKNOWN
    if not isinstance(target, str) or target == UNKNOWN:
        return text_of(target) if name == "tostring" and isinstance(target, int) else UNKNOWN
    texts = [text_of(each) for each in arguments]
    numbers = [number_of(each) for each in arguments]
    if name in _PLAIN_METHODS and not arguments:
        return _PLAIN_METHODS[name](target)
    if name == "replace" and len(texts) == 2 and texts[0]:
        return _clipped(target.replace(texts[0], texts[1]))
    if name == "split" and texts:
        return _split_by(target, "".join(texts[:1]))
    if name in ("trim", "trimstart", "trimend") and texts:
        return _trimmed(target, name, "".join(texts))
    if name == "tochararray":
        return [*target] if len(target) <= MAX_ITEMS else UNKNOWN
    if (
        name in ("substring", "remove", "insert", "padleft", "padright")
        and numbers
        and numbers[0] is not None
    ):
        return _cut(target, name, numbers, texts)
    return UNKNOWN


_PLAIN_METHODS: Final[dict[str, Callable[[str], str]]] = {
    "tolower": str.lower,
    "toupper": str.upper,
    "tolowerinvariant": str.lower,
    "toupperinvariant": str.upper,
    "trim": str.strip,
    "trimstart": str.lstrip,
    "trimend": str.rstrip,
    "tostring": str,
    "normalize": str,
}


def _split_by(target: str, separators: str) -> Data:
    pieces = [target]
    for separator in separators[:16]:
        pieces = [piece for each in pieces for piece in each.split(separator)]
    return [*pieces] if len(pieces) <= MAX_ITEMS else UNKNOWN


def _trimmed(target: str, name: str, characters: str) -> str:
    if name == "trim":
        return target.strip(characters)
    return target.lstrip(characters) if name == "trimstart" else target.rstrip(characters)


def _cut(target: str, name: str, numbers: list[int | None], texts: list[str]) -> Data:
    at = numbers[0] or 0
    length = numbers[1] if len(numbers) > 1 else None
    if not 0 <= at <= (len(target) if name in ("substring", "remove", "insert") else 4096):
        return UNKNOWN
    if name == "substring":
        return target[at : at + length] if length is not None else target[at:]
    if name == "remove":
        return target[:at] + (target[at + length :] if length is not None else "")
    if name == "insert":
        return _clipped(target[:at] + (texts[1] if len(texts) > 1 else "") + target[at:])
    return target.rjust(at) if name == "padleft" else target.ljust(at)


def static(kind: str, name: str, arguments: list[Data]) -> Data:
    """Return ``[kind]::name(arguments)`` of a class that only computes; unknown for any other."""
    texts = [text_of(each) for each in arguments]
    if kind == "string":
        return _of_string(name, arguments, texts)
    if kind == "convert":
        return _convert(name, arguments, texts)
    if kind == "char" and name in ("convertfromutf32", "parse") and arguments:
        return _character(arguments[0])
    if kind in ("uri", "net.webutility", "web.httputility", "regex", "management.automation.wildcardpattern"):
        return texts[0] if name in ("unescape", "escape") and texts and "\\" not in texts[0] else UNKNOWN
    if kind == "io.path":
        if name == "combine":
            return "\\".join(text.strip("\\") if at else text.rstrip("\\") for at, text in enumerate(texts))
        if name == "getfullpath" and texts:
            return texts[0]
    if kind.startswith("text.encoding") and name in _ENCODINGS:
        return Instance("encoding", (_ENCODINGS[name],))
    return UNKNOWN


def _of_string(name: str, arguments: list[Data], texts: list[str]) -> Data:
    if name == "join" and len(arguments) > 1:
        joined = map(text_of, items_of(arguments[1])) if len(arguments) == 2 else texts[1:]
        return _clipped(texts[0].join(joined))
    if name == "concat":
        return _clipped("".join(text_of(item) for each in arguments for item in items_of(each)))
    if name == "format" and texts:
        rest = arguments[1:]
        return formatted(texts[0], items_of(rest[0]) if len(rest) == 1 else rest)
    return UNKNOWN


def _convert(name: str, arguments: list[Data], texts: list[str]) -> Data:
    if name == "frombase64string" and texts:
        return decoded(texts[0])
    if name in ("tochar",) and arguments:
        return _character(arguments[0])
    if name in ("toint32", "tobyte", "toint16", "toint64") and arguments:
        base = number_of(arguments[1]) if len(arguments) > 1 else 10
        try:
            return int(texts[0], base or 10) if len(texts[0]) <= 18 else UNKNOWN
        except ValueError:
            return UNKNOWN
    if name == "tostring" and texts:
        return texts[0]
    return UNKNOWN


def decoded(text: str) -> bytes | str:
    """Return the bytes of base64 text, unknown when it is none."""
    if UNKNOWN in text or len(text) > MAX_TEXT:
        return UNKNOWN
    stripped = re.sub(r"\s", "", text)
    try:
        return b64decode(stripped + "=" * (-len(stripped) % 4), validate=True)
    except (ValueError, binascii.Error):
        return UNKNOWN


def text_in(encoding: str, data: Data) -> str:
    """Return bytes as text in one of .NET's encodings."""
    if isinstance(data, list):
        numbers = [number_of(each) for each in data]
        if any(each is None or not 0 <= each < 256 for each in numbers):
            return UNKNOWN
        data = bytes(each for each in numbers if each is not None)
    if not isinstance(data, bytes):
        return UNKNOWN
    return data.decode(encoding, "replace")


def _stream_method(target: Instance, name: str) -> Data:
    """Return the text that a chain of stream readers gives, when all of it is literal."""
    if name not in ("readtoend", "toarray", "getbytes", "readline"):
        return UNKNOWN
    data = _inflated(target)
    if data is None:
        return UNKNOWN
    return data.decode("utf-8", "replace") if name in ("readtoend", "readline") else data


def _inflated(data: Data, depth: int = 0) -> bytes | None:
    if isinstance(data, bytes):
        return data
    if not isinstance(data, Instance) or not data.made_of or depth > 4:
        return None
    inner = data.made_of[0]
    if isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    found = _inflated(inner, depth + 1)
    if found is None:
        return None
    if data.kind.endswith(("gzipstream", "deflatestream")):
        bits = 31 if data.kind.endswith("gzipstream") else -15
        try:
            return zlib.decompressobj(bits).decompress(found, MAX_DECODED)
        except zlib.error:
            return None
    return found
