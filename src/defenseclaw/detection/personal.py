"""Whether digits that have the shape of personal data are personal data.

A pattern proposes a candidate, a validator decides: ``(match, text, start, end)`` are the candidate, the
whole text and the candidate's place in it. Validators are pure, total, and look at a bounded stretch of
text around the candidate.

Source: ``spec/guardrail.md`` §3.7, §4; ISO 13616 (IBAN), ISO/IEC 7812 (Luhn), the North American Numbering
Plan, the NHS data dictionary (check digit).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice, pairwise
from typing import Final

Validator = Callable[[str, str, int, int], bool]

NEAR_CHARS: Final = 256
"""Characters before and after a social security number in which another one counts as company."""
LABEL_CHARS: Final = 80
"""Characters before a value in which a label of it may stand."""
TABLE_CHARS: Final = 64 * 1024
"""Characters before a value in which the header of its table may stand."""
MAX_COLUMNS: Final = 256
_MAX_NEIGHBOURS: Final = 12

_NOT_DIGIT: Final = re.compile(r"\D+")


def digits_of(value: str) -> str:
    """Return the ASCII digits of ``value``."""
    return "".join(char for char in value if char in "0123456789")


def is_sequence(digits: str) -> bool:
    """Whether the digits count up or down, or repeat a unit of up to four digits: an example."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(digits)}
    if len(steps) == 1:
        return True
    return any(len(digits) >= 3 * unit and digits[unit:] == digits[:-unit] for unit in range(1, 5))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether the candidate is not a part of a longer number, word, decimal fraction or identifier."""
    before, after = text[max(0, start - 1) : start], text[end : end + 2]
    if before.isalnum() or (before and before in "._-/#%&" and text[max(0, start - 2) : start - 1].isalnum()):
        return False
    if after[:1].isalnum() or after[:1] == "_":
        return False
    return not (after[:1] in ".-/" and after[1:2].isalnum())


# Social security numbers ----------------------------------------------------------------------------------

_SSN_SHAPE: Final = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_SSN_WORD: Final = re.compile(
    r"\bssns?\b|social[ _-]?security|tax(?:payer)?[ _-]?(?:id\b|identification)", re.IGNORECASE
)
_SSN_COLUMN: Final = re.compile(
    r"\s*[\"']?(?:ssn|social[ _-]?security(?:[ _-]?(?:number|no))?|tax(?:payer)?[ _-]?id(?:entification)?"
    r"(?:[ _-]?(?:number|no))?)[\"']?\s*",
    re.IGNORECASE,
)
_ABOUT: Final = re.compile(
    r"\b(?:hash(?:es|ed)?|digest|examples?|samples?|placeholder|schema|format|regexp?|pattern|mask(?:ed)?"
    r"|fake|dummy)\b",
    re.IGNORECASE,
)
_STEMS: Final = (
    "ssn", "social", "tax", "hash", "digest", "exampl", "sampl", "placeh", "schema", "format", "regex",
    "pattern", "mask", "fake", "dummy",
)  # fmt: skip
"""One of them stands in whatever the two patterns above match; looking for them is quick."""


def is_ssn(value: str) -> bool:
    """Whether the nine digits of ``value`` can have been given to a person."""
    digits = digits_of(value)
    if len(digits) != 9:
        return False
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


_REPDIGITS: Final = re.compile(r"(\d)\1\1-(\d)\2-(\d)\3\3\3")
"""What people type for the shape of a number: 111-22-3333."""


def _ssn(match: str, text: str, start: int, end: int) -> bool:
    """A hyphenated number with a label, in a labelled column, or in the company of another."""
    if not is_ssn(match) or not _stands_alone(text, start, end) or _REPDIGITS.fullmatch(match):
        return False
    label = _label_says(text, start)
    if label is not None:
        return label
    around = _SSN_SHAPE.finditer(text, max(0, start - NEAR_CHARS), end + NEAR_CHARS)
    has_company = any(found[0] != match and is_ssn(found[0]) for found in islice(around, _MAX_NEIGHBOURS))
    return has_company or _stands_in_column(text, start, end)


def _bare_ssn(match: str, text: str, start: int, end: int) -> bool:
    """Nine digits, only with a label or in a labelled column: two numbers side by side say nothing."""
    if not is_ssn(match) or not _stands_alone(text, start, end):
        return False
    return bool(_label_says(text, start)) or _stands_in_column(text, start, end)


def _label_says(text: str, start: int) -> bool | None:
    """Return what the nearest label before a value says: a number, only an example, or None without one."""
    before = text[max(0, start - LABEL_CHARS) : start].lower()
    if not any(stem in before for stem in _STEMS):
        return None
    label = _last(_SSN_WORD, before)
    about = _last(_ABOUT, before)
    if about is not None and (label is None or about.end() > label.start()):
        return False
    return True if label is not None else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _stands_in_column(text: str, start: int, end: int) -> bool:
    """Whether the table that holds the value names its column as that of the number."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    row = text[line_start : line_end if line_end >= 0 else len(text)][: 16 * MAX_COLUMNS]
    bound = max(0, line_start - TABLE_CHARS)
    gap = text.rfind("\n\n", bound, line_start)
    first = gap + 2 if gap >= 0 else bound
    if first >= line_start or (gap < 0 and bound > 0):
        return False
    header = text[first : text.find("\n", first)][: 16 * MAX_COLUMNS]
    for delimiter in ",\t;|":
        column = row[: start - line_start].count(delimiter)
        names = header.split(delimiter, MAX_COLUMNS)
        if len(names) > 1 and row.count(delimiter) == len(names) - 1:
            return _SSN_COLUMN.fullmatch(names[column]) is not None
    return False


# Cards ----------------------------------------------------------------------------------------------------

_TEST_CARDS: Final = frozenset(
    {
        "4111111111111111",
        "4242424242424242",
        "4000000000000002",
        "5555555555554444",
        "378282246310005",
        "6011111111111117",
        # further numbers that payment companies print in their manuals
        "4012888888881881",
        "4222222222222",
        "5105105105105100",
        "5454545454545454",
        "2223003122003222",
        "371449635398431",
        "378734493671000",
        "6011000990139424",
        "6011981111111113",
    }
)
_TEST_ISSUERS: Final = ("400000", "424242")
"""First digits that payment companies give to nothing but tests."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812)."""
    single = map(int, digits[::-2])
    doubled = map(_DIGITS_OF_DOUBLED.__getitem__, map(int, digits[-2::-2]))
    return (sum(single) + sum(doubled)) % 10 == 0


_DIGITS_OF_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Sum of the digits of twice a digit."""


_GROUP_BEFORE: Final = re.compile(r"(?i)(?:^|[^0-9a-z])[0-9a-f]{4}[\s-]\Z")
_GROUP_AFTER: Final = re.compile(r"(?i)[\s-][0-9a-f]{4}(?![0-9a-z])")
"""Another group of four on either side: a table of numbers."""


def _card(match: str, text: str, start: int, end: int) -> bool:
    # Tables of measurements are full of such digits, most of them behind a decimal point.
    if not _stands_alone(text, start, end):
        return False
    digits = digits_of(match)
    if not 13 <= len(digits) <= 19 or not luhn(digits):
        return False
    groups = _NOT_DIGIT.split(match)
    is_repetitive = len(groups) > 2 and len(set(groups)) < len(groups) - 1
    is_sample = digits in _TEST_CARDS or digits.startswith(_TEST_ISSUERS) or is_sequence(digits)
    follows = _GROUP_BEFORE.search(text, max(0, start - 6), start) is not None
    in_a_table = follows or _GROUP_AFTER.match(text, end, end + 6) is not None
    return not (is_sample or is_repetitive or in_a_table)


# Bank accounts --------------------------------------------------------------------------------------------

IBAN_LENGTHS: Final[Mapping[str, int]] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25,
    "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Country → characters of its account numbers (ISO 13616 registry)."""
_SAMPLE_IBANS: Final = frozenset(
    {
        "AT611904300234573201", "BE68539007547034", "CH9300762011623852957", "DE89370400440532013000",
        "DK5000400440116243", "ES9121000418450200051332", "FI2112345600000785",
        "FR1420041010050500013M02606", "GB29NWBK60161331926819", "GB33BUKB20201555555555",
        "GB82WEST12345698765432", "GR1601101250000000012300695", "IE29AIBK93115212345678",
        "IT60X0542811101000000123456", "LU280019400644750000", "NL91ABNA0417164300", "NO9386011117947",
        "PL61109010140000071219812874", "PT50000201231234567890154", "SE4550000000058398257466",
        "SA0380000000608010167519", "TR330006100519786457841326", "AE070331234567890123456",
        "IL620108000000099999999",
    }
)  # fmt: skip
"""Examples of the registry and of manuals."""


def is_iban(value: str) -> bool:
    """Whether ``value``, without spaces, is an account number of its country: length and check digits."""
    if IBAN_LENGTHS.get(value[:2]) != len(value) or not value[2:4].isdecimal():
        return False
    moved = value[4:] + value[:4]
    if not (moved.isascii() and moved.isalnum() and moved == moved.upper()):
        return False
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _iban(match: str, text: str, start: int, end: int) -> bool:
    """The candidate may hold a word too many: what counts is as many characters as the country has."""
    length = IBAN_LENGTHS.get(match[:2])
    if length is None or text[max(0, start - 1) : start].isalnum():
        return False
    solid = [index for index, char in enumerate(match) if char != " "][:length]
    offset = solid[-1] + 1
    taken = match[:offset].replace(" ", "")
    follows = match[offset : offset + 1] or text[end : end + 1]
    return not follows.isalnum() and is_iban(taken) and taken not in _SAMPLE_IBANS


# Telephone, e-mail, dates, records ------------------------------------------------------------------------

_EXAMPLE_DOMAIN: Final = re.compile(
    r"(?:^|\.)(?:example(?:\.(?:com|org|net|edu))?|test|invalid|localhost|local|(?:domain|company"
    r"|email)\.com)$"
)


def _us_phone(match: str, text: str, start: int, end: int) -> bool:
    digits = digits_of(match)
    digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    if len(digits) != 10 or not _stands_alone(text, start, end):
        return False
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    if area[0] in "01" or exchange[0] in "01" or area[1:] == "11" or exchange[1:] == "11":
        return False
    is_fictional = exchange == "555" and line.startswith("01")
    return not is_fictional and not is_sequence(digits)


def _email(match: str, text: str, start: int, _end: int) -> bool:
    """An address outside the domains that are kept for examples; `git@host:` is no mailbox."""
    user, _, domain = match.rpartition("@")
    if user.lower() in ("git", "noreply", "no-reply", "user", "username", "you", "me", "name"):
        return False
    return not _EXAMPLE_DOMAIN.search(domain.lower()) and text[max(0, start - 1) : start] not in ("/", ":")


def _record_number(match: str, text: str, start: int, end: int) -> bool:
    return _stands_alone(text, start, end) and not is_sequence(digits_of(match))


def _birth_date(match: str, text: str, start: int, end: int) -> bool:
    """A possible day of a living person's birth that is not the first of January, which is what forms use."""
    parts = [int(part) for part in _NOT_DIGIT.split(match) if part]
    if len(parts) != 3 or not _stands_alone(text, start, end):
        return False
    years = [part for part in parts if part > 31]
    days = [part for part in parts if part <= 31]
    if len(years) != 1 or min(days) < 1 or sum(day > 12 for day in days[:2]) > 1:
        return False
    if years[0] > 99 and not 1900 <= years[0] <= 2035:
        return False
    return days != [1, 1]


def _nhs_number(match: str, text: str, start: int, end: int) -> bool:
    digits = digits_of(match)
    if len(digits) != 10 or not _stands_alone(text, start, end) or is_sequence(digits):
        return False
    check = 11 - sum(int(digit) * (10 - index) for index, digit in enumerate(digits[:9])) % 11
    return check % 11 == int(digits[9]) and check != 10


# Records in bulk ------------------------------------------------------------------------------------------

_COLUMNS: Final[Mapping[str, re.Pattern[str]]] = {
    kind: re.compile(rf"(?:\w+[ _-])?(?:{words})", re.IGNORECASE)
    for kind, words in {
        "ssn": r"ssn|social[ _-]?security(?:[ _-]?(?:number|no))?|tax(?:payer)?[ _-]?id|national[ _-]?id",
        "card": r"(?:credit|debit)[ _-]?card(?:[ _-]?(?:number|no))?|(?:card|cc)[ _-]?(?:number|num|no)|pan",
        "account": r"(?:bank[ _-]?)?account[ _-]?(?:number|no)|routing(?:[ _-]?number)?|iban",
        "name": r"name|(?:first|last|full|middle|given|family|sur)[ _-]?name|surname",
        "email": r"e-?mail(?:[ _-]?address)?",
        "phone": r"(?:tele)?phone(?:[ _-]?(?:number|no))?|mobile(?:[ _-]?(?:number|no))?|cell",
        "birth": r"dob|date[ _-]?of[ _-]?birth|birth[ _-]?(?:date|day)",
        "address": r"(?:street[ _-]?|home[ _-]?|postal[ _-]?)address|street",
        "passport": r"passport(?:[ _-]?(?:number|no))?|driver'?s?[ _-]?licen[cs]e(?:[ _-]?(?:number|no))?",
        "health": r"mrn|medical[ _-]?record(?:[ _-]?(?:number|no))?|patient[ _-]?id|diagnosis",
    }.items()
}
_VALUES: Final[Mapping[str, re.Pattern[str]]] = {
    "ssn": re.compile(r"\d{3}-?\d{2}-?\d{4}"),
    "card": re.compile(r"\d(?:[ -]?\d){12,18}"),
    "account": re.compile(r"[A-Z]{0,2}\d(?:[ -]?\w){5,32}"),
    "name": re.compile(r"[^\W\d_][\w .'-]{0,60}"),
    "email": re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[a-zA-Z]{2,24}"),
    "phone": re.compile(r"\+?[\d(][\d ().-]{6,20}"),
    "birth": re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"),
    "address": re.compile(r"\d{1,6} [\w .'#-]{3,80}|[\w .'-]{3,60} \d{1,5}\w?"),
    "passport": re.compile(r"[A-Z]{0,2}\d{6,9}"),
    "health": re.compile(r"[\w .-]{3,60}"),
}
_DECISIVE: Final = frozenset({"ssn", "card", "account"})
_HEADER_CELL: Final = re.compile(r"[A-Za-z][\w .'()-]{0,39}")


def _bulk_rows(match: str, _text: str, _start: int, _end: int) -> bool:
    """A header with two columns of personal data, and rows whose cells look like what it says."""
    header, *rows = match[: 64 * MAX_COLUMNS].split("\n", 4)[:4]
    rows = [row for row in rows if row.strip()][:3]
    for delimiter in ",\t;|":
        names = _cells(header, delimiter)
        if len(names) > 1 and all(_HEADER_CELL.fullmatch(name) for name in names):
            return _are_personal(names, [_cells(row, delimiter) for row in rows])
    return False


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip("\"'") for cell in line.rstrip("\r").split(delimiter, MAX_COLUMNS)]


def _are_personal(names: list[str], rows: list[list[str]]) -> bool:
    kinds = {index: kind for index, name in enumerate(names) if (kind := _kind_of(name))}
    full = [row for row in rows if len(row) == len(names)]
    if len(set(kinds.values())) < 2 or not full or len(full) < len(rows):
        return False
    shown = {
        kind for index, kind in kinds.items() if all(_VALUES[kind].fullmatch(row[index]) for row in full)
    }
    if len(shown) < 2:
        return False
    return not shown.isdisjoint(_DECISIVE) or (len(full) > 1 and not _are_made_up(kinds, full))


def _are_made_up(kinds: Mapping[int, str], rows: list[list[str]]) -> bool:
    """Whether every address is at a domain that is kept for examples, which belongs to nobody."""
    domains = [
        row[at].rpartition("@")[2].lower() for at, kind in kinds.items() if kind == "email" for row in rows
    ]
    return bool(domains) and all(map(_EXAMPLE_DOMAIN.search, domains))


def _kind_of(column: str) -> str:
    return next((kind for kind, pattern in _COLUMNS.items() if pattern.fullmatch(column)), "")


_MEMBER: Final = re.compile(
    r"\\?[\"']?(ssn|social_?security(?:_?(?:number|no))?|(?:credit|debit)_?card(?:_?(?:number|no))?"
    r"|card_?(?:number|no)"
    r"|account_?(?:number|no)|routing(?:_?(?:number|no))?)\\?[\"']?\s*[:=]\s*\\?[\"']?"
    r"(\d[\d -]{4,22}\d)(?![\w.])",
    re.IGNORECASE,
)


def _bulk_members(match: str, _text: str, _start: int, _end: int) -> bool:
    """One object with two members that name, and hold, numbers of a person."""
    found = {
        member[1].lower().replace("_", "")
        for member in _MEMBER.finditer(match)
        if 6 <= len(digits_of(member[2])) <= 19 and not is_sequence(digits_of(member[2]))
    }
    return len(found) > 1


VALIDATORS: Final[Mapping[str, Validator]] = {
    "ssn": _ssn,
    "ssn-bare": _bare_ssn,
    "card": _card,
    "iban": _iban,
    "us-phone": _us_phone,
    "email": _email,
    "record-number": _record_number,
    "birth-date": _birth_date,
    "nhs-number": _nhs_number,
    "bulk-rows": _bulk_rows,
    "bulk-members": _bulk_members,
}
"""Second-stage validators of rules about personal data, by the name a rule gives under ``validate``."""
