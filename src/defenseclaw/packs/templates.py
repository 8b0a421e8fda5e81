"""Templates in examples of rules: secrets that exist only while the examples run.

``{{kind:argument}}`` stands for generated text; the same template always gives the same text. Templates nest,
the inner one first.

- ``{{}}``: nothing; splits a word that a scanner of this repository would flag
- ``{{alnum:36}}``: 36 letters and digits; likewise ``letters``, ``digits``, ``hex``, ``lower`` (a-z 0-9),
  ``upper`` (A-Z 2-7), ``url`` (with ``-`` and ``_``), ``base64chars`` (with ``+`` and ``/``)
- ``{{base64:text}}``: base64 of a text
- ``{{escaped:text}}``: a text as it stands inside a JSON string
- ``{{jwt}}``: a signed JSON web token
- ``{{pem:RSA}}``: a private key in text armour (``RSA``, ``PKCS8``, ``EC``, ``OPENSSH``): sound in structure,
  random in content
- ``{{card:4}}``, ``{{iban:DE}}``, ``{{ssn}}``, ``{{nhs}}``: numbers with sound check digits;
  ``{{grouped:digits}}`` in groups of four, ``{{joined:a-b}}`` without hyphens
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Callable

_TEMPLATE = re.compile(r"\{\{(?:(\w+)(?::([^{}]*))?)?\}\}")
_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "letters": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + "234567",
    "hex": "0123456789abcdef",
    "digits": string.digits,
    "url": string.ascii_letters + string.digits + "-_",
    "base64chars": string.ascii_letters + string.digits + "+/",
}


def expand(text: str, *, seed: int = 0) -> str:
    """Replace every template in ``text``; another ``seed`` gives other secrets of the same form.

    What is no template of the table above (``${{ secrets.x }}``) stays.
    """
    source = random.Random(f"{seed}:{text}")  # noqa: S311 - what it makes is no secret, and must be the same again
    expanded = ""
    while expanded != text:
        expanded = text
        text = _TEMPLATE.sub(lambda found: _generate(source, found), text)
    return text


def _generate(source: random.Random, found: re.Match[str]) -> str:
    kind, argument = found[1], found[2] or ""
    if kind is None:
        return ""
    if kind in _ALPHABETS:
        return "".join(source.choices(_ALPHABETS[kind], k=int(argument)))
    maker = _MAKERS.get(kind)
    return maker(source, argument) if maker else found[0]


def _base64(_source: random.Random, text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _escaped(_source: random.Random, text: str) -> str:
    return json.dumps(text)[1:-1]


def _jwt(source: random.Random, _argument: str) -> str:
    header = {"alg": "HS256", "typ": "JWT"}
    payload = {"sub": str(source.randrange(10**9)), "iat": source.randrange(10**9)}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, payload)]
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, source.randbytes(32)]
    )


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def _integer(source: random.Random, size: int) -> bytes:
    return _der(2, b"\x01" + source.randbytes(size - 1))


def _rsa(source: random.Random) -> bytes:
    sizes = (128, 3, 128, 64, 64, 64, 64, 64)
    return _der(0x30, _der(2, b"\0") + b"".join(_integer(source, size) for size in sizes))


def _ec(source: random.Random) -> bytes:
    curve = _der(0xA0, _der(6, bytes.fromhex("2a8648ce3d030107")))
    return _der(0x30, _der(2, b"\x01") + _der(4, source.randbytes(32)) + curve)


def _pkcs8(source: random.Random) -> bytes:
    algorithm = _der(0x30, _der(6, bytes.fromhex("2b6570")))
    return _der(0x30, _der(2, b"\0") + algorithm + _der(4, _der(4, source.randbytes(32))))


def _openssh(source: random.Random) -> bytes:
    def field(content: bytes) -> bytes:
        return len(content).to_bytes(4) + content

    return (
        b"openssh-key-v1\0"
        + b"".join(map(field, (b"none", b"none", b"")))
        + (1).to_bytes(4)
        + field(field(b"ssh-ed25519") + field(source.randbytes(32)))
        + field(source.randbytes(136))
    )


_KEYS: dict[str, tuple[str, Callable[[random.Random], bytes]]] = {
    "RSA": ("RSA PRIVATE KEY", _rsa),
    "EC": ("EC PRIVATE KEY", _ec),
    "PKCS8": ("PRIVATE KEY", _pkcs8),
    "OPENSSH": ("OPENSSH PRIVATE KEY", _openssh),
}


def _pem(source: random.Random, kind: str) -> str:
    label, make = _KEYS[kind]
    body = base64.b64encode(make(source)).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def _card(source: random.Random, issuer: str) -> str:
    """Return a card number of an issuer with a sound check digit: 15 digits for 34 and 37, else 16."""
    size = 15 if issuer in ("34", "37") else 16
    body = issuer + "".join(source.choices(string.digits, k=size - 1 - len(issuer)))
    total = sum(
        int(digit) if index % 2 else sum(divmod(2 * int(digit), 10)) for index, digit in enumerate(body[::-1])
    )
    return body + str(-total % 10)


def _grouped(_source: random.Random, digits: str) -> str:
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _ssn(source: random.Random, _argument: str) -> str:
    return f"{source.randint(100, 600)}-{source.randint(10, 99)}-{source.randint(1000, 9999)}"


def _joined(_source: random.Random, text: str) -> str:
    return text.replace("-", "")


def _iban(source: random.Random, country: str) -> str:
    """Return an account number of DE or PL with sound check digits."""
    body = "".join(source.choices(string.digits, k={"DE": 18, "PL": 24}[country]))
    number = int(body + "".join(str(int(letter, 36)) for letter in country) + "00")
    return f"{country}{98 - number % 97:02}{body}"


def _nhs(source: random.Random, _argument: str) -> str:
    while True:
        body = "".join(source.choices(string.digits, k=9))
        check = -sum(int(digit) * (10 - index) for index, digit in enumerate(body)) % 11
        if check < 10:
            return f"{body[:3]} {body[3:6]} {body[6:]}{check}"


_MAKERS: dict[str, Callable[[random.Random, str], str]] = {
    "card": _card,
    "grouped": _grouped,
    "ssn": _ssn,
    "joined": _joined,
    "iban": _iban,
    "nhs": _nhs,
    "base64": _base64,
    "escaped": _escaped,
    "jwt": _jwt,
    "pem": _pem,
}
