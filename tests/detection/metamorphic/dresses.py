"""Other ways to write a text that a model reads the same way, and frames that only speak of it.

``SPELLINGS`` and ``CASES`` rewrite letters, ``LAYOUTS`` the blanks between words, ``WRAPPINGS`` put it in
lines, ``MARKED`` in lines of a quotation or a comment, ``ENCODINGS`` rewrite the whole; ``PLACES`` put it
somewhere in something longer, ``SHAPES`` into a JSON value.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from textwrap import wrap
from urllib.parse import quote

from hypothesis import strategies as st

from defenseclaw.vocabulary import JSON

Rewrite = Callable[[str], str]


def _letters(first_upper: int, first_lower: int) -> Rewrite:
    """Return what replaces ASCII letters by those of a compatibility alphabet that begins at these places."""

    def other(char: str) -> str:
        if "A" <= char <= "Z":
            return chr(first_upper + ord(char) - ord("A"))
        return chr(first_lower + ord(char) - ord("a")) if "a" <= char <= "z" else char

    return lambda text: "".join(map(other, text))


def _between(mark: str) -> Rewrite:
    """Return what puts an invisible character between the letters of words."""

    def spread(text: str) -> str:
        return "".join(
            char + mark * (char.isalpha() and following.isalpha())
            for char, following in zip(text, text[1:] + " ", strict=True)
        )

    return spread


SPELLINGS: dict[str, Rewrite] = {
    "full width": _letters(0xFF21, 0xFF41),
    "mathematical bold": _letters(0x1D400, 0x1D41A),
    "mathematical sans serif": _letters(0x1D5A0, 0x1D5BA),
    "mathematical monospace": _letters(0x1D670, 0x1D68A),
    "circled": _letters(0x24B6, 0x24D0),
    "zero-width spaces": _between("\u200b"),
    "zero-width joiners": _between("\u200d"),
    "word joiners": _between("\u2060"),
    "soft hyphens": _between("\u00ad"),
    "byte order marks": _between("\ufeff"),
    "variation selectors": _between("\ufe0f"),
    "combining grapheme joiners": _between("\u034f"),
    "right-to-left marks": _between("\u200f"),
    "invisible times": _between("\u2062"),
    "Hangul fillers": _between("\u3164"),
    "override and back": lambda text: f"\u202d{text}\u202c",
}
CASES: dict[str, Rewrite] = {
    "upper case": str.upper,
    "lower case": str.lower,
    "title case": str.title,
    "swapped case": str.swapcase,
}
LAYOUTS: dict[str, Rewrite] = {
    "wide blanks": lambda text: text.replace(" ", "   "),
    "tabs": lambda text: text.replace(" ", "\t"),
    "doubled blanks": lambda text: text.replace(" ", "  "),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "ideographic spaces": lambda text: text.replace(" ", "\u3000"),
    "thin spaces": lambda text: text.replace(" ", "\u2009"),
}


def _in_lines(width: int, mark: str = "", line_break: str = "\n") -> Rewrite:
    """Return what breaks a text into lines of so many characters, each of which begins with ``mark``."""
    return lambda text: line_break.join(mark + line for line in wrap(text, width, break_long_words=False))


WRAPPINGS: dict[str, Rewrite] = {
    "a word a line": lambda text: text.replace(" ", "\n"),
    "first words": lambda text: text.replace(" ", "\n", 4),
    "first words, indented": lambda text: text.replace(" ", "\n    ", 4),
    "first words, Windows": lambda text: text.replace(" ", "\r\n", 3),
    "20 columns": _in_lines(20),
    "40 columns": _in_lines(40),
    "72 columns": _in_lines(72),
    "40 columns, Windows": _in_lines(40, line_break="\r\n"),
    "40 columns, indented": _in_lines(40, "    "),
    "trailing blanks": _in_lines(40, line_break=" \n"),
}
"""Lines of running text."""
MARKED: dict[str, Rewrite] = {
    "quoted mail": _in_lines(40, "> "),
    "mail quoted in a mail": _in_lines(40, "> > "),
    "quoted without a blank": _in_lines(40, ">"),
    "shell comment": _in_lines(40, "# "),
    "shell comment in code": _in_lines(40, "    # "),
    "C comment": _in_lines(40, "// "),
    "documentation comment": _in_lines(40, "/// "),
    "SQL comment": _in_lines(40, "-- "),
    "block comment": lambda text: f"/**\n{_in_lines(40, ' * ')(text)}\n */",
    "comment that begins in its first line": lambda text: f"/* {_in_lines(40, ' * ')(text)[3:]} */",
}
"""Lines that are marked as a quotation or a comment."""
ENCODINGS: dict[str, Rewrite] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode() + b" " * 60).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "compressed": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
    "UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal with prefix": lambda text: "0x" + text.encode().hex().upper(),
    "percent": quote,
    "percent, every character": lambda text: "".join(
        f"%{ord(char):02x}" if char < "\x80" else quote(char) for char in text
    ),
    "percent twice": lambda text: quote(quote(text)),
    "decimal entities": lambda text: "".join(
        f"&#{ord(char)};" if " " < char < "\x80" else char for char in text
    ),
    "hexadecimal entities": lambda text: "".join(
        f"&#x{ord(char):x};" if " " < char < "\x80" else char for char in text
    ),
    "escaped letters": lambda text: "".join(
        f"\\u{ord(char):04x}" if char.isalpha() and char < "\x80" else char for char in text
    ),
    "escaped bytes": lambda text: "".join(
        f"\\x{ord(char):02x}" if char.isalpha() and char < "\x80" else char for char in text
    ),
    "tag characters": lambda text: "ok" + "".join(chr(0xE0000 + ord(char)) for char in text),
}
"""Of text in ASCII."""
PLACES: dict[str, str] = {
    "alone": "{}",
    "paragraph": "Results of the search:\n\n{}\n\nEnd of results.",
    "after a sentence": "The sky is blue today. {}",
    "before a sentence": "{} The sky is blue today.",
    "deep inside": "The sky is blue today.\n" * 300 + "\n{}\n\n" + "Nothing else happened. " * 300,
    "behind much": "The sky is blue today. " * 900 + "\n\n{}",
    "comment in HTML": "<p>Hello</p>\n<!-- {} -->\n<p>Bye</p>",
    "hidden element": "<div hidden>{}</div><p>Hello</p>",
    "element that is not displayed": '<p id="a">Hello</p><div class="b" style="display:none">{}</div>',
    "element without size": "<p>Hello</p><span style='font-size:0'>{}</span>",
    "heading": "# Notes\n\n## {}\n\nText.",
    "list": "- milk\n- {}\n- bread",
    "table": "| name | note |\n|---|---|\n| Bob | {} |",
    "code comment": "def main():\n    # {}\n    return 0\n",
    "log line": "2031-04-02T10:00:00Z INFO mailer subject: {}",
    "signature": "Kind regards,\nBob\n--\n{}",
}


LINES: tuple[str, ...] = (
    "alone",
    "paragraph",
    "after a sentence",
    "before a sentence",
    "deep inside",
    "behind much",
    "comment in HTML",
    "hidden element",
    "element that is not displayed",
    "element without size",
    "signature",
)
"""Places for more than one line."""
BLOCKS: tuple[str, ...] = ("alone", "paragraph", "deep inside", "behind much")
"""Places for lines that belong to nothing around them."""


def _escaped(value: JSON) -> str:
    """Return JSON text that may stand in a page: whatever means something in HTML is escaped as well."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


SHAPES: dict[str, Callable[[str], JSON]] = {
    "text": lambda text: text,
    "content": lambda text: {"content": [{"type": "text", "text": text}]},
    "nested": lambda text: {"a": [{"b": {"c": ["x", {"d": text}]}}]},
    "key": lambda text: {text: 1},
    "beside others": lambda text: {"id": 7, "title": "Weather", "body": text, "tags": ["a", "b"]},
    "JSON in a string": lambda text: json.dumps({"note": text}),
    "JSON in JSON": lambda text: {"body": json.dumps({"note": json.dumps({"a": text})})},
    "JSON in a page": lambda text: _escaped({"html": f"<p>{text}</p>"}),
    "JSON in JSON in a page": lambda text: {"body": _escaped({"note": _escaped({"a": text})})},
    "escaped HTML": lambda text: {"html": f"&lt;p&gt;{text}&lt;/p&gt;"},
    "deep list": lambda text: [[[[[[[[text]]]]]]]],
}


def in_one(draw: st.DrawFn, rewrites: Mapping[str, Rewrite], text: str) -> str:
    """Draw a rewriting and return what it makes of ``text``."""
    return rewrites[draw(st.sampled_from(sorted(rewrites)))](text)


def placed(draw: st.DrawFn, text: str, places: Iterable[str] = PLACES) -> JSON:
    """Draw where ``text`` stands: in a longer text, in a JSON value."""
    longer = PLACES[draw(st.sampled_from(sorted(places)))].replace("{}", text)
    return SHAPES[draw(st.sampled_from(sorted(SHAPES)))](longer)


MENTIONS: tuple[str, ...] = (
    'An attacker might write "{}" in a web page to trick the model.',
    'For example, a prompt injection such as "{}" is hidden in the page by the attacker.',
    "The scanner detects strings like `{}` in untrusted documents.",
    "Phrases such as “{}” are typical of injection attacks.",
    "## Prompt injection\n\nAn attack looks like this:\n\n```\n{}\n```\n\nThe filter must block it.",
    "```\n{}\n```\nis an attack that our classifier flags as malicious.",
    "Payloads used in our red team benchmark:\n- '{}'",
    'assert is_injection("{}")  # the detector must flag this attack',
    "# Prompt injection\n\nAn attack in a page looks like this:\n\n> {}\n\nThe model must refuse.",
    "The agent refused to follow what the attacker had sent:\n\n> {}\n\nThe mail was deleted.",
    "# The scanner flags an attack like this one:\n# {}\nPATTERN = 1\n",
)
