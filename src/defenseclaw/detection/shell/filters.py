"""Pure imitations of the programs that carry hidden commands: what they would print for known input.

Each takes the words of a command and its standard input as bytes and returns what it would print, or None
when that is not known. Nothing is run; output is bounded by :data:`MAX_DECODED`.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Sequence

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.shell.bounds import MAX_DECODED
from defenseclaw.detection.shell.escapes import ansi_c, unescape
from defenseclaw.detection.shell.finders import one_of, printed_paths

Filter = Callable[[Sequence[str], bytes | None], bytes | None]

_ECHO_OPTIONS = re.compile(r"-[neE]+\Z").match
_ECHO_STOP = re.compile(r"\\c", re.DOTALL)
_FORMAT = re.compile(r"%(?:%|[-+ #0]*\d{0,4}(?:\.\d{0,4})?([sbdiuoxXcq]))")
_BASE64_NOISE = re.compile(rb"[^A-Za-z0-9+/=_-]")
_HEX_NOISE = re.compile(rb"[^0-9A-Fa-f]")
_SED = re.compile(r"s(.)((?:[^\\.*\[\]^$&])*?)\1((?:[^\\&])*?)\1(g?)\Z", re.DOTALL)
_WILDCARD = re.compile(r"[*?\[]").search
_RANGE = re.compile(r"(\d{0,6})(-?)(\d{0,6})\Z")
_CLASSES = {
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
    "[:digit:]": "0123456789",
    "[:space:]": " \t\n\r\f\v",
    "[:blank:]": " \t",
}


def imitate(program: str, argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    """Return what a command prints, when program and input are known well enough; else None."""
    known = _FILTERS.get(program)
    if known is None:
        return None
    try:
        out = known(argv, stdin)
    except (ValueError, OverflowError, binascii.Error, zlib.error, OSError, EOFError, lzma.LZMAError):
        return None
    if out is not None and program in _CHOOSE:
        out = _encode(one_of(out.decode("utf-8", "replace")))
    return out if out is None or len(out) <= MAX_DECODED else None


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _echo(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    newline, escapes, at = True, False, 1
    while at < len(argv) and _ECHO_OPTIONS(argv[at]):
        for letter in argv[at][1:]:
            newline = newline and letter != "n"
            escapes = letter == "e" if letter in "eE" else escapes
        at += 1
    text = " ".join(argv[at:])
    if escapes and "\\" in text:
        stopped = _ECHO_STOP.search(text)
        newline = newline and stopped is None
        printed = unescape(_octal_zero(text[: stopped.start()] if stopped else text))
        return printed + b"\n" if newline else printed
    return _encode(text + "\n" if newline else text)


def _octal_zero(text: str) -> str:
    r"""Turn ``\0nnn``, the octal form of echo and %b, into ``\nnn``."""
    return re.sub(r"\\0([0-7]{1,3})", r"\\\1", text)


def _printf(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    words = list(argv[1:])
    if words[:1] == ["--"]:
        del words[0]
    if not words or words[0] == "-v":
        return b""
    form, arguments = words[0], words[1:]
    pieces: list[bytes] = []
    size = 0
    while True:
        before = len(arguments)
        piece = _printf_once(form, arguments)
        pieces.append(piece)
        size += len(piece)
        if not arguments or len(arguments) == before:
            return b"".join(pieces)
        if size > MAX_DECODED:
            return None


def _printf_once(form: str, arguments: list[str]) -> bytes:
    out: list[bytes] = []
    last = 0
    taken = 0
    for match in _FORMAT.finditer(form):
        out.append(unescape(form[last : match.start()]))
        last = match.end()
        kind = match.group(1)
        if kind is None:
            out.append(b"%")
            continue
        argument = arguments[taken] if taken < len(arguments) else ""
        taken += 1
        out.append(_printf_field(match.group(), kind, argument))
    out.append(unescape(form[last:]))
    del arguments[:taken]
    return b"".join(out)


def _printf_field(directive: str, kind: str, argument: str) -> bytes:
    if kind == "b":
        return unescape(_octal_zero(argument))
    if kind == "c":
        return _encode(argument[:1])
    if kind in "sq":
        return _encode(str(directive[:-1] + "s") % argument)
    is_character = argument[:1] in ("'", '"')
    number = ord(argument[1:2] or "\0") if is_character else int(argument or "0", 0)
    return _encode(str(directive[:-1] + ("d" if kind in "diu" else kind)) % number)


def _input(argv: Sequence[str], stdin: bytes | None, flags: str = "", values: str = "") -> bytes | None:
    """Return the input of a filter that has no file operands; None with one, or with an unknown option."""
    at = 1
    while at < len(argv):
        word = argv[at]
        at += 1
        if word == "-":
            continue
        if word[:2] == "--" and word[2:] in (
            "ignore-garbage",
            "decode",
            "stdout",
            "to-stdout",
            "decompress",
            "uncompress",
        ):
            continue
        if word[:1] != "-" or not word[1:]:
            return None
        for position, letter in enumerate(word[1:], 2):
            if letter in values:
                at += not word[position:]
                break
            if letter not in flags:
                return None
    return stdin


def _cat(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    return _input(argv, stdin, "u")


def _tee(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    return stdin


def _rev(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    data = _input(argv, stdin)
    if data is None:
        return None
    return _encode("\n".join(line[::-1] for line in data.decode("utf-8", "replace").split("\n")))


def _tac(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    data = _input(argv, stdin)
    return None if data is None else b"".join(reversed(data.splitlines(keepends=True)))


def _base64(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    return _base(argv, stdin, _decode64, base64.b64encode)


def _base32(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    return _base(argv, stdin, _decode32, base64.b32encode)


def _base(
    argv: Sequence[str],
    stdin: bytes | None,
    decode: Callable[[bytes], bytes],
    encode: Callable[[bytes], bytes],
) -> bytes | None:
    data = _input(argv, stdin, "dDi", "w")
    if data is None:
        return None
    options = argv[1:]
    decodes = any(
        o == "--decode" or (o[:1] == "-" and o[:2] != "--" and ("d" in o or "D" in o)) for o in options
    )
    return decode(data) if decodes else encode(data) + b"\n"


def _decode64(data: bytes) -> bytes:
    data = _BASE64_NOISE.sub(b"", data).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    data = data[: len(data) - (len(data) % 4 == 1)]
    return base64.b64decode(data + b"=" * (-len(data) % 4))


def _decode32(data: bytes) -> bytes:
    data = b"".join(data.split()).rstrip(b"=").upper()
    return base64.b32decode(data + b"=" * (-len(data) % 8))


def _xxd(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    letters = "".join(word[1:] for word in argv[1:] if word[:1] == "-")
    data = (
        _input(argv, stdin, "rpsu", "cgl")
        if "plain" not in letters and "postscript" not in letters
        else stdin
    )
    if data is None or "p" not in letters:
        return None
    if "r" not in letters.replace("-plain", "").replace("-postscript", ""):
        return binascii.hexlify(data) + b"\n"
    digits = _HEX_NOISE.sub(b"", data)
    return binascii.unhexlify(digits[: len(digits) & ~1])


def _openssl(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    words = argv[1:]
    is_base64 = "base64" in words[:1] or ("enc" in words[:1] and ("-base64" in words or "-a" in words))
    plain = all(word in ("base64", "enc", "-base64", "-a", "-d", "-A") for word in words)
    if not is_base64 or not plain or stdin is None:
        return None
    return _decode64(stdin) if "-d" in words else base64.b64encode(stdin) + b"\n"


def _inflate(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    data = _input(argv, stdin, "dcfqkn")
    if data is None:
        return None
    return zlib.decompressobj(31).decompress(data, MAX_DECODED)


def _gzip(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    return _inflate(argv, stdin) if _decompresses(argv) else None


def _bzip2(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    data = _input(argv, stdin, "dcfqk")
    is_reader = argv[0].endswith(("bunzip2", "bzcat"))
    if data is None or not (is_reader or _decompresses(argv)):
        return None
    return bz2.BZ2Decompressor().decompress(data, MAX_DECODED)


def _xz(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    data = _input(argv, stdin, "dcfqk")
    is_reader = argv[0].endswith(("unxz", "xzcat", "unlzma"))
    if data is None or not (is_reader or _decompresses(argv)):
        return None
    return lzma.LZMADecompressor(memlimit=64 << 20).decompress(data, MAX_DECODED)


def _decompresses(argv: Sequence[str]) -> bool:
    return any(
        word in ("--decompress", "--uncompress") or (word[:1] == "-" and word[:2] != "--" and "d" in word)
        for word in argv[1:]
    )


def _tr(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    words = list(argv[1:])
    letters = ""
    while words and words[0][:1] == "-" and len(words[0]) > 1:
        letters += words.pop(0)[1:]
    if stdin is None or not words or len(words) > 2 or letters.strip("dsCc"):
        return None
    text = stdin.decode("latin-1")
    first = _tr_set(words[0])
    if first is None or "c" in letters.lower():
        return _tr_complement(text, first, letters, words)
    if "d" in letters:
        return text.translate({ord(char): None for char in first}).encode("latin-1", "replace")
    if len(words) == 1:
        return _squeeze(text, first).encode("latin-1") if "s" in letters else None
    second = _tr_set(words[1])
    if not second:
        return None
    second = second[: len(first)] + second[-1] * (len(first) - len(second))
    text = text.translate({ord(old): new for old, new in reversed(list(zip(first, second, strict=False)))})
    return (_squeeze(text, second) if "s" in letters else text).encode("latin-1", "replace")


def _tr_complement(text: str, keep: str | None, letters: str, words: list[str]) -> bytes | None:
    if keep is None or "d" not in letters or len(words) != 1:
        return None
    return "".join(char for char in text if char in keep).encode("latin-1")


def _tr_set(spec: str) -> str | None:
    """Return the characters of a set in order; None for equivalence classes and repeats."""
    for name, members in _CLASSES.items():
        spec = spec.replace(name, members)
    if "[:" in spec or "[=" in spec or len(spec) > 4096:
        return None
    spec = ansi_c(spec)
    out: list[str] = []
    at = 0
    while at < len(spec):
        if (
            spec[at + 1 : at + 2] == "-"
            and at + 2 < len(spec)
            and 0 <= ord(spec[at + 2]) - ord(spec[at]) < 256
        ):
            out += map(chr, range(ord(spec[at]), ord(spec[at + 2]) + 1))
            at += 3
        else:
            out.append(spec[at])
            at += 1
    return "".join(out)


def _squeeze(text: str, members: str) -> str:
    chosen = frozenset(members)
    out = [char for at, char in enumerate(text) if not (at and char == text[at - 1] and char in chosen)]
    return "".join(out)


def _head(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    kind, amount = _head_amount(argv)
    if stdin is None or amount is None:
        return None
    if kind == "c":
        return stdin[:amount]
    return b"".join(stdin.splitlines(keepends=True)[:amount])


def _tail(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    kind, amount = _head_amount(argv)
    if stdin is None or amount is None:
        return None
    units = (
        stdin.splitlines(keepends=True) if kind == "n" else [stdin[at : at + 1] for at in range(len(stdin))]
    )
    if any(word.lstrip("-nc").startswith("+") for word in argv[1:]):
        return b"".join(units[max(0, amount - 1) :])
    return b"".join(units[-amount:] if amount else [])


def _head_amount(argv: Sequence[str]) -> tuple[str, int | None]:
    words = argv[1:]
    if not words:
        return "n", 10
    joined = "".join(words)
    match = re.fullmatch(r"-([nc]?)\+?(\d{1,7})", joined)
    return (match[1] or "n", int(match[2])) if match else ("n", None)


def _cut(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    options = re.fullmatch(
        r"(?:-d(.) ?)?-([cbf]) ?([\d,-]{1,64})(?: ?-d ?(.))?", " ".join(argv[1:]), re.DOTALL
    )
    if options is None:
        options = re.fullmatch(r"-d (.) -(f) ?([\d,-]{1,64})()", " ".join(argv[1:]), re.DOTALL)
    if options is None or stdin is None:
        return None
    before, kind, spans, after = options.groups()
    delimiter = before or after or "\t"
    wanted = [span for span in map(_RANGE.match, spans.split(",")) if span is not None]
    if len(wanted) != spans.count(",") + 1:
        return None
    out: list[str] = []
    for line in stdin.decode("utf-8", "replace").split("\n"):
        units: Sequence[str] = line if kind in "cb" else line.split(delimiter)
        joint = "" if kind in "cb" else delimiter
        picked: list[str] = []
        for span in wanted:
            low = int(span[1] or 1)
            high = (int(span[3]) if span[3] else len(units)) if span[2] else low
            picked += units[max(low, 1) - 1 : high]
        out.append(joint.join(picked))
    return _encode("\n".join(out))


def _sed(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    words = [word for word in argv[1:] if word not in ("-e", "-E", "-r")]
    match = _SED.match(words[0]) if len(words) == 1 and len(words[0]) < 256 else None
    if match is None or stdin is None or not match[2]:
        return None
    text = stdin.decode("utf-8", "replace")
    if text.count(match[2]) * len(match[3]) > MAX_DECODED:
        return None
    if match[4]:
        return _encode(text.replace(match[2], match[3]))
    return _encode("\n".join(line.replace(match[2], match[3], 1) for line in text.split("\n")))


def _sort(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    if stdin is None or any(word not in ("-r", "-u") for word in argv[1:]):
        return None
    lines = sorted(stdin.splitlines(), reverse="-r" in argv)
    if "-u" in argv:
        lines = list(dict.fromkeys(lines))
    return b"".join(line + b"\n" for line in lines)


def _basename(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    words = [word for word in argv[1:] if word[:1] != "-"]
    if not words:
        return None
    name = words[0].rstrip("/").rpartition("/")[2]
    return _encode((name.removesuffix(words[1]) if len(words) > 1 else name) + "\n")


def _dirname(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    words = [word for word in argv[1:] if word[:1] != "-"]
    return _encode("".join((word.rstrip("/").rpartition("/")[0] or ".") + "\n" for word in words))


def _same_path(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    """``realpath`` and kin, as if nothing on the way were a link."""
    if argv[0].endswith("readlink") and not any(word[:1] == "-" and word[1:2] in "fem-" for word in argv[1:]):
        return None
    words = [word for word in argv[1:] if word[:1] != "-"]
    return _encode("".join(word + "\n" for word in words)) if words else None


def _where_is(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    """``which`` and kin, as if every program were where programs usually are."""
    if argv[0] == "type" and not any(word in ("-p", "-P") for word in argv[1:]):
        return None
    if argv[0] == "command" and "-V" in argv:
        return None
    words = [word for word in argv[1:] if word[:1] != "-"]
    places = (word if "/" in word else f"/usr/local/bin/{word}" for word in words)
    return _encode("".join(place + "\n" for place in places)) if words else None


def _ls(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    """Names as they were given: files, wildcards; what a directory holds is not known."""
    letters = "".join(word[1:] for word in argv[1:] if word[:1] == "-" and word[:2] != "--")
    words = [word for word in argv[1:] if word[:1] != "-"]
    if "l" in letters or not words:
        return None
    if "d" not in letters and not all(_WILDCARD(word) for word in words):
        return None
    return _encode("".join(word + "\n" for word in words))


def _find(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    if any(word in ("-exec", "-execdir", "-ok", "-okdir", "-printf", "-ls", "-delete") for word in argv[1:]):
        return None
    end = "\0" if "-print0" in argv else "\n"
    return _encode("".join(path + end for path in printed_paths(argv)))


def _grep(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    """All but some of the files that were found; what else is selected is not known."""
    options = {letter for word in argv[1:] if word[:1] == "-" for letter in word[1:]}
    if stdin is None or "v" not in options or not options <= frozenset("viEFPzewx"):
        return None
    lines = stdin.splitlines()
    return stdin if lines and all(_FOUND in line for line in lines) else None


def _mktemp(argv: Sequence[str], stdin: bytes | None) -> bytes | None:
    """A name that nobody else has, in the directory for temporary files."""
    return _encode(f"/tmp/tmp.{UNKNOWN}\n") if "-p" not in argv else None  # noqa: S108 - a name, not a file


_FOUND = UNKNOWN.encode()
_CHOOSE = frozenset({"head", "tail", "cut", "sed", "grep", "egrep"})
"""Filters that need not let everything through."""
_FILTERS: dict[str, Filter] = {
    "mktemp": _mktemp,
    "basename": _basename,
    "dirname": _dirname,
    "realpath": _same_path,
    "readlink": _same_path,
    "grealpath": _same_path,
    "which": _where_is,
    "type": _where_is,
    "command": _where_is,
    "ls": _ls,
    "find": _find,
    "gfind": _find,
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "tee": _tee,
    "rev": _rev,
    "tac": _tac,
    "base64": _base64,
    "gbase64": _base64,
    "base32": _base32,
    "xxd": _xxd,
    "openssl": _openssl,
    "gunzip": _inflate,
    "zcat": _inflate,
    "gzip": _gzip,
    "bzip2": _bzip2,
    "bunzip2": _bzip2,
    "bzcat": _bzip2,
    "xz": _xz,
    "unxz": _xz,
    "xzcat": _xz,
    "tr": _tr,
    "head": _head,
    "tail": _tail,
    "cut": _cut,
    "sed": _sed,
    "sort": _sort,
    "grep": _grep,
    "egrep": _grep,
}
