"""Whether a text that has the shape of a secret is one.

A pattern proposes a candidate, a validator decides. Each validator takes ``(match, text, start, end)``: the
candidate (the pattern's ``value`` group where it has one), the whole text and the candidate's place in it.
All are pure, total and linear in the candidate.

Source: ``spec/guardrail.md`` §4.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

from defenseclaw.detection import personal, triage

Validator = Callable[[str, str, int, int], bool]

MAX_PEM_CHARS: Final = 64 * 1024
MAX_JWT_PART_CHARS: Final = 16 * 1024

# Samples and placeholders ---------------------------------------------------------------------------------

_PUBLIC_SAMPLES = frozenset((
    "iosfodnn7example", "wjalrxutnfemik7mdengbpxrficyexamplekey",
    "kd94hf93k423kf44", "nnch734d00sl2jdk", "hh5s93j4hdidpola", "hdhd0244k9j7ao03", "pfkkdhi9sl3r4s00",
    "dpf43f3p2l4k3l03", "ad180jjd733klru7", "9djdj82h48djs9d2", "kkk9d7dh3k39sjv7", "jd83jd92dhsh93js",
    "s6bhdrkqt3", "gx1fbat3bv", "7fjfp0zbr1ktdrbnfvdmiw", "2yotnfzfejr1zcsicmwpaa", "tgzv3jokf0xg5qx2tlkwia",
    "czzcagrsa3f0mzpnwdfmqmf0m2jw", "mf9b5f41jqm", "slav32hkkg", "splxlobezqqybys6wxsbia",
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
))  # fmt: skip
"""Values of documentation, compact: the AWS manuals, RFC 5849, RFC 6749, RFC 6750, OpenID Connect, and the
first accounts of Ethereum's test chains, which every installation has."""

_PLACEHOLDER_WORDS = re.compile(
    r"example|placeholder|changeme|replace(?:me|with|this)|your(?:own|api|auth|access|secret|private|token"
    r"|key|pass)"
    r"|(?:token|key|secret|password)(?:goes)?here|dummy|fake(?:token|key|secret|api|value)|insert(?:your|the"
    r"|key)"
    r"|nota?real|^djangoinsecure"
    r"|^(?:my|the|test)?(?:secret|api|access|auth)?(?:key|token|secret)\d{0,4}$|sample(?:key|token"
    r"|secret)|redacted|yourvalue|mysecret(?:key|token)"
)
_CROSSED_OUT = re.compile(r"x{4}|X{4}")
_CROSSED_OUT_AT_LENGTH = re.compile(r"x{6}|X{6}")
"""In long random values, four of one letter turn up by chance."""
_LONG = 40
_NOT_ALNUM = re.compile(r"[\W_]+", re.ASCII)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_RUNS = (
    _LETTERS * 4 + _DIGITS * 10,
    _DIGITS * 10 + _LETTERS * 4,
    (_LETTERS + _DIGITS) * 3,
    (_DIGITS + _LETTERS[:6]) * 8,
    bytes(range(256)).hex(),
    _LETTERS[::-1],
    _DIGITS[::-1] * 10,
)
_MAX_UNIT_CHARS = 8
_TEMPLATE = re.compile(
    r"\$\{.*\}|\$\w+|\$\(.*\)|\{.*\}|<.*>|%\w+%|%s|%\(\w+\)s|\[.*\]|[*.…_-]+|[xX]+"
    r"|(?:process\.env|os\.environ)\b.*",
    re.DOTALL,
)
_RARE_LETTERS = frozenset("jqxzkvw")

_PREFIX = re.compile(
    r"(?:sk-ant-(?:api|admin|oat|ort|sid)?\d{0,2}-?|sk-(?:proj|svcacct|admin|or-v1|None)-|sk-|[sr]k_(?:org_)?"
    r"(?:live|test|prod)_"
    r"|gh[pousr]_|github_pat_|gl[a-z]{2,9}-(?:t\d-)?|GR1348941|AIza|GOCSPX-|ya29\."
    r"|xox[a-z](?:\.xox[a-z])?-|xapp-\d-|npm_|pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)?|SG\.|SK"
    r"|A(?:KIA|GPA|IDA|ROA|IPA|NPA|NVA|SIA|BIA|CCA))"
)
"""What a vendor puts in front of the random part."""


def compact(value: str) -> str:
    """Return the letters and digits of ``value`` in lower case."""
    return _NOT_ALNUM.sub("", value).lower()


def entropy(value: str) -> float:
    """Return the Shannon entropy of ``value`` in bits per character; 0 for the empty string."""
    if not value:
        return 0.0
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values())


def is_placeholder(value: str) -> bool:
    """Whether ``value`` stands for a secret in documentation instead of being one.

    True for public samples, words like *example* or *changeme*, keys marked as insecure, stretches of the
    alphabet or of counting digits, runs of ``x``, and units of up to eight characters repeated three times or
    more.
    """
    short = compact(value)
    if not short or short in _PUBLIC_SAMPLES or _PLACEHOLDER_WORDS.search(short):
        return True
    if (_CROSSED_OUT if len(short) <= _LONG else _CROSSED_OUT_AT_LENGTH).search(value):
        return True
    if len(short) >= 8 and any(short in run for run in _RUNS):
        return True
    return any(
        short[unit:] == short[:-unit] for unit in range(1, _MAX_UNIT_CHARS + 1) if len(short) >= 3 * unit
    )


def is_template(value: str) -> bool:
    """Whether ``value`` is filled in elsewhere: ``${PASSWORD}``, ``<token>``, ``%s``, ``{{ key }}``."""
    return _TEMPLATE.fullmatch(value) is not None


_SAMPLE_WORDS: Final = (
    "administrator password passphrase passwd pass pwd secret secure credentials credential testing tester"
    " tests"
    " test username user admin root guest demo sample example default dummy fake mock stub localhost local"
    " development developer develop dev staging production prod changeme changeit change please replace"
    " insert"
    " placeholder redacted undefined hidden null none todo wrong incorrect correct right good bad valid"
    " invalid"
    " some any other another new old current super strong weak simple long short enough random plain hashed"
    " hash"
    " token keys key api app auth jwt session cookie client server service database data postgresql postgres"
    " mysql mariadb redis mongodb mongo rabbitmq elasticsearch elastic kafka minio grafana keycloak django"
    " flask"
    " laravel rails express spring docker compose hello world foo bar baz qux abcdef abcd abc xyz qwertyuiop"
    " qwerty asdfgh asdf zxcvbn letmein welcome signup login horse battery staple hunter alice bob charlie"
    " eve"
    " john jane doe acme here value string text email name account your this that very not the for and with"
    " many characters character chars letters least must"
    " super safe safest real mine my me is it no of to at on in an a b c x"
)
_SAMPLE_WORD: Final = re.compile("|".join(sorted(set(_SAMPLE_WORDS.split()), key=len, reverse=True)))
_LEET: Final = str.maketrans("@4301$5!7", "aaeoissit")
_MARKS: Final = "!?.*#$_-"
_NO_MARKS: Final = str.maketrans("", "", "!?.*#_-()")
_MAX_FREE_DIGITS: Final = 4
_CHUNKS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_LONGEST_WORD: Final = 16
_VOWEL: Final = re.compile(r"[aeiouyAEIOUY]")
_CLUSTER: Final = re.compile(r"(?i)[bcdfghjklmnpqrstvwxz]{5}|q[^u]|[jvwx]{2}|[bcdfgjkpqvxz]{3}")


def is_throwaway(value: str) -> bool:
    """Whether ``value`` is what people type where any password will do: ``Test1234!``, ``my-secret-key``.

    Nothing is left of it without the words of manuals and tests, short or counting numbers, and marks.
    """
    text = unquote(value).lower()
    if any(len(run) > _MAX_FREE_DIGITS and not _counts(run) for run in re.findall(r"\d+", text)):
        return False
    bare = text.translate(_NO_MARKS)
    readings = (text, text.rstrip(_MARKS).translate(_LEET), bare.translate(_LEET), _encoded_words(value))
    return any(_is_made_of_samples(each) for each in readings)


def _encoded_words(value: str) -> str:
    """Return the plain text that ``value`` holds in base64, in lower case without white space, if any."""
    if len(value) < 8 or len(value) % 4:
        return ""
    try:
        text = base64.b64decode(value, validate=True).decode("ascii")
    except ValueError:
        return ""
    return "".join(text.lower().split()) if text.isprintable() else ""


def _is_made_of_samples(text: str) -> bool:
    left = _SAMPLE_WORD.sub("", text)
    return len(left) < len(text) and not any(map(str.isalpha, left))


def _counts(digits: str) -> bool:
    return len(set(digits)) == 1 or any(digits in run for run in _RUNS)


def is_phrase(value: str) -> bool:
    """Whether ``value`` is an identifier or a few words run together rather than random characters.

    Three quarters of its letters and digits stand in chunks of three letters or more that can be spoken.
    """
    chunks = [found[0] for found in _CHUNKS.finditer(value)]
    spoken = sum(map(len, filter(_is_spoken, chunks)))
    return spoken * 4 >= sum(map(len, chunks)) * 3


def _is_spoken(chunk: str) -> bool:
    if not 3 <= len(chunk) <= _LONGEST_WORD or _CLUSTER.search(chunk):
        return False
    return len(_VOWEL.findall(chunk)) * 5 >= len(chunk)


def is_wordlike(value: str) -> bool:
    """Whether ``value`` reads like an identifier: one case, hardly a digit, few of the rare letters."""
    short = _NOT_ALNUM.sub("", value)
    digits = sum(map(str.isdigit, short))
    if digits * 12 > len(short) or not (short.islower() or short.isupper()):
        return False
    return sum(char in _RARE_LETTERS for char in short.lower()) * 8 < len(short)


def is_random(value: str, *, bits: float = 2.5) -> bool:
    """Whether ``value`` may have come from a random generator rather than from a person.

    Args:
        value: The random part of a token, without its vendor's prefix.
        bits: Entropy per character that is asked of it.
    """
    return not is_placeholder(value) and not is_wordlike(value) and entropy(compact(value)) >= bits


def without_prefix(token: str) -> str:
    """Return ``token`` without its vendor's prefix."""
    found = _PREFIX.match(token)
    return token[found.end() :] if found else token


# Validators -----------------------------------------------------------------------------------------------


_ANTHROPIC_LONG: Final = re.compile(r"sk-ant-(?:api|admin)\d\d-[\w-]{93,}")
_GITLAB_TOO_LONG: Final = re.compile(r"(?:gl(?:pat|rt|soat|cbt)-|GR1348941)[\w-]{51,}")
_PYPI: Final = re.compile(r"pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)")
_NAMES: Final = ("ASIA", "AIDA")
"""The prefixes of AWS that are names as well."""
_LONGEST_AWS_ID: Final = 17
_LEAST_PYPI: Final = 100
"""Characters of a macaroon with its location, identifier and signature, in base64."""


def _token(match: str, _text: str, _start: int, _end: int) -> bool:
    return is_random(without_prefix(match)) and not _is_malformed(match)


def _is_malformed(token: str) -> bool:
    """Whether a token bears a vendor's prefix and cannot have come from that vendor."""
    if _ANTHROPIC_LONG.match(token):
        return not token.endswith("AA")
    if _PYPI.match(token):
        return len(token) < _LEAST_PYPI
    return _GITLAB_TOO_LONG.match(token) is not None


def _slack_token(match: str, text: str, start: int, end: int) -> bool:
    """The numbers of workspace and user, which differ, and a random part."""
    numbers = [part for part in match.split("-") if part.isdigit() and len(part) > 1]
    is_sample = len(numbers) > 1 and len(set(numbers)) == 1
    return not is_sample and any(char.isdigit() for char in match) and _token(match, text, start, end)


def _aws_key_id(match: str, _text: str, _start: int, _end: int) -> bool:
    """Sixteen characters of base32, of which one id in thirty holds no digit: a word only behind a name.

    Letters alone, and more of them, are capitals that run on: a heading, or the amino acids of a protein.
    """
    value = without_prefix(match)
    if is_placeholder(value) or entropy(value) < 2.5:
        return False
    if not value.isalpha():
        return True
    if len(value) > _LONGEST_AWS_ID:
        return False
    is_spoken = not _RARE_LETTERS & set(value.lower()) and not _CLUSTER.search(value)
    return not (match.startswith(_NAMES) and is_spoken)


_HEX: Final = re.compile(r"(?i)[0-9a-f]+")


def _assigned(match: str, _text: str, _start: int, _end: int) -> bool:
    is_hex = _HEX.fullmatch(match) is not None
    return not is_template(match) and is_random(match, bits=3.0) and (is_hex or not is_throwaway(match))


_AWS_SECRET_CHARS: Final = 40


def _aws_secret(match: str, text: str, start: int, end: int) -> bool:
    """Forty characters, or hexadecimal from a store that speaks the same protocol."""
    is_whole = len(match.rstrip("=")) == _AWS_SECRET_CHARS or _HEX.fullmatch(match) is not None
    return is_whole and _assigned(match, text, start, end)


_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/]*")
_MIN_BASE64_BESIDE: Final = 8


def _vendor_token(match: str, text: str, start: int, end: int) -> bool:
    # Many zero bits are an image or a program in base64, of which the token is a stretch.
    if not is_random(match, bits=3.0) or match.count("A") * 4 > len(match) + 12:
        return False
    is_end_of_name = (
        text[max(0, start - 1) : start] in (".", "-") and text[max(0, start - 2) : start][:1].isalnum()
    )
    return not (is_end_of_name or (match.isalnum() and _is_within_base64(text, start, end)))


def _is_within_base64(text: str, start: int, end: int) -> bool:
    """Whether what stands right before or behind a stretch of letters and digits is more base64."""
    before = _BASE64_RUN.match(text[max(0, start - _LONG) : start][::-1])
    behind = _BASE64_RUN.match(text, end, end + _LONG)
    sides = [found[0] for found in (before, behind) if found is not None]
    return any(side[:1] in ("+", "/") and _reads_as_base64(side) for side in sides)


def _reads_as_base64(run: str) -> bool:
    upper, lower = sum(map(str.isupper, run)), sum(map(str.islower, run))
    return len(run) >= _MIN_BASE64_BESIDE and upper >= 2 and lower >= 2


_BETWEEN_NAME_AND_VALUE = " \t\r\n\"'`=:!>([]@\\"
_NAME = re.compile(r"[\w.-]+")
_WORDS_OF_NAME = re.compile(r"[_.-]+|(?<=[a-z0-9])(?=[A-Z])")
_NAMES_SOMETHING_ELSE = frozenset((
    "hash", "digest", "sha", "sha1", "sha256", "sha512", "md5", "checksum", "fingerprint", "id", "ids",
    "uri", "url", "path", "file", "dir", "name", "type", "class", "version", "length", "size", "count",
    "min", "max", "format", "regex", "pattern", "policy", "field", "label", "hint", "help", "title", "text",
    "message", "prompt", "placeholder", "env", "var", "prefix", "suffix", "ref", "arn", "expiry", "expires",
    "encryption", "method", "hasher", "hashers", "backend", "validator", "validators", "validation",
    "reset", "expiration", "lifetime", "age", "days", "hours", "minutes", "seconds", "timeout", "interval",
    "required", "enabled", "disabled", "visible", "visibility", "input", "box", "form", "page", "view",
    "screen", "dialog", "modal", "button", "icon", "class", "strength", "rule", "requirement", "history",
    "callback", "command", "cmd", "fd", "model", "budget", "limit", "usage", "cost", "parser", "lexer",
    "stream", "list", "map", "array", "mask", "style", "color", "colour", "manager", "service", "factory",
    "builder", "component", "controller", "repository", "test", "tests", "spec", "mock", "in", "at", "ttl",
    "endpoint", "selector", "header", "param", "scope", "schema", "error", "column", "index", "enum",
    "const", "code", "strategy", "handler", "provider", "location", "source", "algorithm", "encoding",
    "mode", "kind", "property", "option", "alias", "rotation", "store",
    "address", "addresses", "mint", "contract", "program", "symbol", "owner",
))  # fmt: skip
"""Last words of names that hold a word like *token* and yet no secret: ``token_type``, ``secretArn``."""
_PUBLIC_NAMES = ("publickey", "publickeytoken")
_TOKENS_OF_PLACE = frozenset((
    "page", "pages", "next", "continuation", "cursor", "pagination", "paging", "sync", "delta", "resume",
    "skip", "csrf", "xsrf", "nonce", "cancel", "cancellation", "authenticity", "antiforgery",
    "csrfmiddlewaretoken", "csrftoken",
))  # fmt: skip
"""Words of names of tokens that say where a list goes on or which form was shown, and open nothing."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
"""Of an account or contract on a chain: everybody sees it."""
_PASSWORD_NAME = re.compile(r"(?i)pass|pwd")
_KEY_NAME = re.compile(r"(?i)token|key|secret|cred")
_MIN_KEY_CHARS = 16
"""Shorter values of things named token or key are seldom secret; passwords are from eight characters on."""
_MAX_LITERAL_CHARS = 200
"""A bound in the pattern instead would cost the automaton one state for each character."""
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEBAB = re.compile(r"[a-z]+[0-9]*(?:-[a-z0-9]+)+|[a-z]+[0-9]{0,4}(?:_(?:[a-z]+[0-9]{0,2}|[0-9]{1,4}))+")
_OF_A_VENDOR = re.compile(
    rf"(?!SK){_PREFIX.pattern}|hf_|gsk_|xai-|pplx-|dapi|do[opr]_v1_|shp(?:at|ca|pa|ss)_|sq0[a-z]{{3}}-|EAAA"
    rf"|ntn_"
    r"|lin_api_|glsa_|hv[sbr]\.|sbp_|pul-|dckr_pat_|rubygems_|ops_eyJ|AT[AC]TT|sntry[us]_|NRAK-|PMAK-|rdme_"
    r"|pnu_"
    r"|AKCp|cmVmd|eyJ"
)
"""Beginnings that another rule knows the form of: a value that has not that form is a sample or broken."""
_STRONG_CHARS: Final = 20
_MANY_SYMBOLS: Final = 5
"""So many different ones are in no name, and in few passwords that a person made up."""
_LOCATOR = re.compile(
    r"(?i)[a-z][a-z0-9+.-]*://|[.~]{0,2}/|\$|%|[a-z]:\\|arn:|secret://|env:|vault:|op://|<|\{\{|@@"
)
_CODE = re.compile(r"[()\[\]{}<>,;|]|::|->|^[A-Za-z_]\w*\.[A-Za-z_]\w*(?:\.|$)")
"""What unquoted values hold in source code, and seldom in the settings files where secrets stand unquoted."""
_CUT_SHORT = ("...", "…")
_PLAIN = frozenset(f"{_LETTERS}{_LETTERS.upper()}{_DIGITS}-_./:,+=")


_QUOTES_AND_SPACE: Final = " \t\r\n\"'`"
_SECOND_ARGUMENT: Final = re.compile(r"\(\s{0,8}[\"'`][\w.-]{1,64}[\"'`]\s{0,8},\s{0,8}[\"'`]\Z")
"""What stands before the second argument of a call; in a list a value has no name."""


_TYPE: Final = re.compile(r"[A-Za-z][\w.]*\[[A-Za-z_.\[\], |]+\]")
"""The type of a value where the value might stand (``password: "NotRequired[str]"``)."""


def _assigned_literal(match: str, text: str, start: int, _end: int) -> bool:
    """Whether a value given to something named like a secret is a literal one."""
    if len(match) > _MAX_LITERAL_CHARS:
        return False
    before = text[max(0, start - 96) : start]
    named = _last_word(before.rstrip(_BETWEEN_NAME_AND_VALUE))
    if _is_name_of_something_else(named) or is_template(match) or _LOCATOR.match(match):
        return False
    is_quoted = before[-1:] in ("'", '"', "`")
    if before.rstrip(_QUOTES_AND_SPACE)[-1:] == "," and not _SECOND_ARGUMENT.search(before):
        return False
    match = unquote(match if is_quoted else match.partition("&")[0])
    if (
        match.endswith(_CUT_SHORT)
        or ((not is_quoted or match[0] == ",") and _is_code(match))
        or _repeats(match)
    ):
        return False
    if _OF_A_VENDOR.match(match) or _ADDRESS.fullmatch(match) or _TYPE.fullmatch(match):
        return False
    if _PASSWORD_NAME.search(named):
        return _is_password(match)
    if _KEY_NAME.search(named):
        return len(match) >= _MIN_KEY_CHARS and _is_key(match, named)
    return _is_chosen_by_chance(match) and not is_placeholder(match) and not is_throwaway(match)


def _assigned_random(match: str, text: str, start: int, end: int) -> bool:
    """Whether such a value can only have come from a generator."""
    if not _assigned_literal(match, text, start, end):
        return False
    if len(match) < _STRONG_CHARS:
        return False
    return len(_symbols(match)) >= _MANY_SYMBOLS or (entropy(match) >= 3.5 and not is_phrase(match))


_NAMED_CHARS: Final = 112
"""Characters before a value in which its name, and what stands between the two, may be."""
_PLAIN_NAME: Final = re.compile(
    r"(?i)pass(?:word|wd|phrase)|pwd|secrete?s?|tokens?|credentials?"
    r"|(?:api|private|secret|access|auth|client)[_. -]?keys?"
)
_NAME_OF_KEY: Final = re.compile(
    r"(?i)(?:session|sign(?:ing|ature)|(?:en|de)cryption|crypto|cipher|hmac|aes|jwt|cookie|master|admin"
    r"|app(?:lication)?|service|account|storage|shared|db|database|consumer|subscription|license|deploy"
    r"|webhook|server|function)[_. -]?keys?|creds"
)
_OPENED: Final = r"\\?[brfuBRFUL@]{0,2}\\?[\"'`]{1,3}"
_ASSIGNED: Final = re.compile(
    rf"[\"'`)\]]{{0,3}}\s{{0,4}}(?:[:=]{{1,3}}>?|(?<=[\"'`]),)\s{{0,4}}(?:{_OPENED})?(?:base64:)?"
)
"""Between the name of a key and the key."""
_BESIDE: Final = re.compile(
    # the next argument, or the other half of a pair
    rf"[\"'`]\s{{0,8}},\s{{0,8}}{_OPENED}"
    # with a type
    rf"|(?:\??\s?:\s?|\s)&?(?:'static\s)?[A-Za-z]\w{{0,20}}(?:[<\[]\w{{1,20}}[>\]])?\??\s?=\s?{_OPENED}"
    # if there is none yet
    rf"|[\"'`)\]]{{0,3}}\s{{0,4}}(?:[?.|+:]{{1,2}}=|\?\?|\|\||or)\s{{0,4}}(?:{_OPENED})?"
    # bytes, brackets, several lines
    rf"|[\"'`)\]]{{0,3}}\s?[:=]{{1,2}}>?\s?(?:(?:[\[({{]|\\?\n)\s{{0,40}}{_OPENED}|[brfuL]{{1,2}}[\"'`]|[\"'`]{{3}})"
    r"|[\"']?:\s?[|>][-+]?\s{1,40}|:\s{1,40}-\s{1,4}[\"']?"
    # an element, an attribute, a pair of name and value
    r"|[\"']?\s?>\s{0,40}|</key>\s{0,40}<string>\s{0,4}"
    r"|\\?[\"'`]?\s{0,4},?\s{0,40}\\?[\"'`]?(?:(?i:value)|default)\\?[\"'`]?\s?[:=]\s?\\?[\"'`]?"
    r"|\"\s?\{\s{1,8}default\s{1,8}=\s{1,8}\""
    # a sentence, a table
    r"|(?:\*\*:?|:\*\*|\s(?:is|was):?|\s?(?:->|=>|→|\|))\s{1,4}[\"'`]?"
)
_AFTER_MARK: Final = re.compile(r"(?:--[\w-]{0,40}|\b(?i:env|arg|setenv|set -[a-z]{1,3})\s{1,4}\w{0,40})\Z")
"""What makes the word behind a name its value: ``--token``, ``ENV``."""
_AFTER_DOLLAR: Final = re.compile(r"\$\{[\w.]{0,40}\Z")


_PUBLIC_KEY: Final = re.compile(r"AAAA[BCE][23][Nn]z|MI[GIH]")
"""How the base64 of a public key or certificate begins."""
_PROJECT_NUMBER: Final = re.compile(r"@[\w.:-]{1,100}/\d")
"""Behind the key in the address that errors are reported to, which every browser is told."""


def _named_secret(match: str, text: str, start: int, end: int) -> bool:
    """Whether a random value stands where the value of a name like *token* stands, but for ``token = …``."""
    before = text[max(0, start - _NAMED_CHARS) : start]
    if before.endswith("://"):
        return not _PROJECT_NUMBER.match(text, end) and _is_random_value(match, is_quoted=False)
    plain, key = _last_place(_PLAIN_NAME, before), _last_place(_NAME_OF_KEY, before)
    name, gap = before[: max(plain, key, 0)], before[max(plain, key, 0) :]
    if not name or _is_name_of_something_else(_last_word(name)):
        return False
    is_beside = _stands_beside(name, gap) or (key > plain and _ASSIGNED.fullmatch(gap) is not None)
    return is_beside and _is_random_value(match, is_quoted=before[-1:] in ("'", '"', "`"))


def _last_place(pattern: re.Pattern[str], text: str) -> int:
    """Return where the last match ends; -1 without one."""
    return max((found.end() for found in pattern.finditer(text)), default=-1)


def _last_word(text: str) -> str:
    found = _NAME.match(text[::-1])
    return found[0][::-1] if found else ""


def _stands_beside(name: str, gap: str) -> bool:
    if _BESIDE.fullmatch(gap):
        return True
    if not gap.strip(" \t\"'"):
        return _AFTER_MARK.search(name) is not None
    return gap in (":", ":-") and _AFTER_DOLLAR.search(name) is not None


def _is_random_value(value: str, *, is_quoted: bool) -> bool:
    if len(value) > _MAX_LITERAL_CHARS or _OF_A_VENDOR.match(value) or _LOCATOR.match(value):
        return False
    if _ADDRESS.fullmatch(value):
        return False
    if (not is_quoted and _is_code(value)) or value.endswith(_CUT_SHORT) or _repeats(value):
        return False
    least = 3.0 if _HEX.fullmatch(value) else 3.5
    return _is_key(value, "") and entropy(value) >= least and not _PUBLIC_KEY.match(value)


def _is_password(value: str) -> bool:
    words = [part for part in re.split(r"[-_./ ]|(?<=[a-z])(?=[A-Z])", value) if part]
    is_identifier = len(words) > 2 and len(_symbols(value)) < _MANY_SYMBOLS and is_phrase(value)
    return _is_chosen_by_chance(value) and not is_throwaway(value) and not is_identifier


def _is_key(value: str, name: str) -> bool:
    if _UUID.fullmatch(value):
        # A UUID is an identifier unless it is called a key to something.
        return "api" in name.lower()
    is_name = _KEBAB.fullmatch(value) or (len(_symbols(value)) < _MANY_SYMBOLS and is_phrase(value))
    return _is_chosen_by_chance(value) and not (is_name or is_placeholder(value) or is_throwaway(value))


def _repeats(value: str) -> bool:
    """Whether a short unit makes up most of ``value``: ``abcd1234abcd1234abcd1234--extra``."""
    short = compact(value)
    for unit in range(1, 2 * _MAX_UNIT_CHARS + 1):
        same = next((at for at in range(unit, len(short)) if short[at] != short[at - unit]), len(short))
        if same >= max(3 * unit, len(short) * 3 // 4):
            return True
    return False


def _is_name_of_something_else(name: str) -> bool:
    words = _WORDS_OF_NAME.split(name)
    last = words[-1].lower()
    return (
        last in _NAMES_SOMETHING_ELSE
        or last.removesuffix("s") in _NAMES_SOMETHING_ELSE
        or compact(name).endswith(_PUBLIC_NAMES)
        or ("token" in last and any(word.lower() in _TOKENS_OF_PLACE for word in words))
    )


_STATEMENT: Final = re.compile(
    r"\w\([\w,.]*\)|^\[\]\w|=>|&&|\|\||[)\]}],[\w(\[{]|^,[\w.]{2,}[.,(]|\w,\w{2,}:[\w{\[]"
    r"|^[A-Za-z_]\w*(?:Key|Token|Secret|Password|_key|_token|_secret|_password)s?$"
)
"""Calls, lists, operators, members of objects, and names of other secrets."""


def _is_code(value: str) -> bool:
    if _STATEMENT.search(value):
        return True
    return _CODE.search(value) is not None and (value.endswith(";") or len(_symbols(value)) < 5)


def _symbols(value: str) -> frozenset[str]:
    """Return the different characters of ``value`` that neither names nor paths are made of."""
    return frozenset(char for char in frozenset(value) - _PLAIN if not char.isalnum())


def _is_chosen_by_chance(value: str) -> bool:
    """Whether ``value`` mixes kinds of characters as passwords and tokens do and names do not."""
    symbols = len(_symbols(value))
    if symbols >= _MANY_SYMBOLS:
        return True
    digits = sum(map(str.isdigit, value))
    cases = any(map(str.islower, value)) + any(map(str.isupper, value))
    if not cases or is_wordlike(value) or entropy(compact(value)) < 2.5:
        return False
    return cases + (digits > 0) + (symbols > 0) >= 3 or digits >= 3 or _is_scattered(value)


_MIN_SCATTERED: Final = 16
_LETTERS_OF_WORD: Final = 3
"""Letters that a part of a name has on average, at least."""


def _is_scattered(value: str) -> bool:
    """Whether capitals stand in ``value`` where no name has them."""
    if len(value) < _MIN_SCATTERED or value.islower() or value.isupper():
        return False
    return len(_CHUNKS.findall(value)) * _LETTERS_OF_WORD > len(value) and not is_phrase(value)


def _sendgrid(match: str, _text: str, _start: int, _end: int) -> bool:
    parts = match.split(".")[1:]
    return len(parts) == 2 and all(is_random(part) and _mixes_classes(part) for part in parts)


def _mixes_classes(value: str) -> bool:
    """Whether digits stand among letters, or both cases are mixed beyond a capitalised word or two."""
    if any(char.isdigit() for char in value):
        return any(char.isalpha() for char in value)
    upper = sum(char.isupper() for char in value)
    return upper >= 3 and len(value) - upper >= 3


def _url_secret(match: str, _text: str, _start: int, _end: int) -> bool:
    return not is_template(match) and is_random(match.rstrip("/").rpartition("/")[2])


def _header_token(match: str, text: str, start: int, _end: int) -> bool:
    if is_template(match):
        return False
    before = text[max(0, start - 16) : start].rstrip().lower()
    if before.endswith("basic") or _REGISTRY_ACCOUNT.search(before):
        return not is_placeholder(match) and _is_basic_credentials(match)
    if _is_sample_jwt(match) or match.endswith(_CUT_SHORT):
        return False
    return _mixes_classes(match) and is_random(match) and not is_throwaway(match) and not is_phrase(match)


_REGISTRY_ACCOUNT: Final = re.compile(r"\"auth\"\s{0,4}:\s{0,4}\"\Z")
"""What stands before an account in the settings of container clients."""


def _is_basic_credentials(match: str) -> bool:
    """RFC 7617: base64 of ``user:password``, in whatever character set."""
    try:
        raw = base64.b64decode(match + "=" * (-len(match) % 4))
    except (ValueError, binascii.Error):
        return False
    pair = raw.decode("utf-8", "replace")
    user, _, password = pair.partition(":")
    if password and (is_throwaway(password) or password == user or compact(pair) == "aladdinopensesame"):
        return False
    readable = pair.isprintable() and "\ufffd" not in pair
    return b":" in raw and len(raw) > 1 and not is_template(pair) and (readable or len(match) >= 24)


_DEMONSTRATION_ACCOUNT = "scott:tiger"
"""Printed in manuals since the 1980s."""
_STAND_IN_HOSTS = frozenset({"host", "hostname", "server", "servername"})
_SLOTS: Final = re.compile(
    r"(?i)(?:my|your|db|the|some)?[_-]?(?:user(?:name)?|usr|login|account|pass(?:word|wd)?|pwd|secret)"
)
"""What manuals write where a name and a password go."""
_USER: Final = re.compile(r"(?:^|[^\w.%+-])([\w.%+-]*):$")
_AFTER_PASSWORD = re.compile(r"@(\[[\da-fA-F:]+\]|[\w.-]*)")
_LOOPBACK: Final = re.compile(r"127\.[\d.]+|0\.0\.0\.0|\[::1\]|host\.docker\.internal")
_RESERVED: Final = re.compile(r"(?i)(?:^|\.)example(?:\.(?:com|org|net))?$|\.(?:test|invalid|localhost)$")
"""RFC 2606: names that lead nowhere."""


_SHORTEST_SLOT: Final = 1
"""Characters of a password that only shows where one goes (``u:p@host``)."""


def _connection_password(match: str, text: str, start: int, end: int) -> bool:
    """A weak password is a real one, unless it opens nothing but a container on this machine.

    References to variables, the slots of manuals (``user:password``) and stand-in hosts are refused, and so
    are throwaway passwords for hosts on this machine or in its container network, and for reserved names.
    """
    found = _AFTER_PASSWORD.match(text, end)
    host = found[1].lower() if found else ""
    if found is None or host in _STAND_IN_HOSTS or is_template(match):
        return False
    account = text[max(0, end - len(_DEMONSTRATION_ACCOUNT)) : end].replace("/", ":")
    user = _USER.search(text[max(0, start - 65) : start])
    named = unquote(user[1]) if user else ""
    if account == _DEMONSTRATION_ACCOUNT or (_SLOTS.fullmatch(named) and _SLOTS.fullmatch(match)):
        return False
    if len(match) <= _SHORTEST_SLOT or (named == "scott" and match.startswith("tiger")):
        return False
    stays_here = "." not in host or _LOOPBACK.fullmatch(host) or _RESERVED.search(host)
    return not stays_here or not (match.lower() == named.lower() or is_throwaway(match))


_SAMPLE_CLAIM: Final = re.compile(
    r"(?i)^(?:payload|world|bar|value)$|\bjohn doe\b|\bjane doe\b|^1234567890$|[@.]example(?:\.|$)"
    r"|\blocalhost\b|-demo$|^(?:test|demo|sample)\b"
    r"|^(?:user|test|alice|bob|admin)@(?:test|acme|mail|email|local)\."
)


def _jwt(match: str, _text: str, _start: int, _end: int) -> bool:
    """RFC 7519: a JOSE header that names its algorithm, then a JSON object; not the one of every manual."""
    header, claims = ([_json_part(part) for part in match.split(".", 2)[:2]] + [None])[:2]
    if not isinstance(header, dict) or not isinstance(claims, dict) or not _names_algorithm(header):
        return False
    return not _are_sample_claims(claims)


def _is_sample_jwt(token: str) -> bool:
    """Whether ``token`` is a signed token of a manual."""
    if not token.startswith("eyJ") or token.count(".") not in (1, 2):
        return False
    claims = _json_part(token.split(".", 2)[1])
    return isinstance(claims, dict) and _are_sample_claims(claims)


def _are_sample_claims(claims: Mapping[str, object]) -> bool:
    return any(_SAMPLE_CLAIM.search(value) for value in claims.values() if isinstance(value, str))


def _names_algorithm(header: object) -> bool:
    return isinstance(header, dict) and "alg" in header


def _json_part(part: str) -> object:
    """Decode one base64url part of a token; None if it is not JSON (or implausibly long)."""
    if len(part) > MAX_JWT_PART_CHARS:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None


# Private keys ---------------------------------------------------------------------------------------------

_PEM = re.compile(
    r"-----BEGIN[ +](?P<label>(?:[A-Z0-9]+[ +]){0,3}PRIVATE[ +]KEY(?:[ +]BLOCK)?)-----"
    r"(?P<body>.*)-----END[ +](?P=label)-----",
    re.DOTALL,
)
_PEM_LABELS = frozenset(
    {"", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "PGP ", "SSH2 ENCRYPTED ", "ANY ", "ED25519 "}
)
_LINE_BREAK = re.compile(r"(?:\\{1,8}[nrt]|[\r\n])+")
_LINE_NOISE = " \t\"'`,;+>#|\\*/.&"
"""Quotes, commas, comment and concatenation marks around the lines of a key in source text."""
_LINE_NUMBER = re.compile(r"(?:[^\s:]{1,200}:)?\s{0,12}\d{1,6}(?:[\t→:]|\s{0,2}\|)\s?|\s{1,12}\d{1,6}\s?\Z")
"""What tools that read and search put before each line; no line of a key holds such marks."""
_HEADER_LINE = re.compile(r"[A-Za-z][A-Za-z0-9-]*:\s")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def is_private_key(pem: str) -> bool:
    """Whether ``pem`` is a complete private key in text armour, of at most :data:`MAX_PEM_CHARS`.

    Line breaks may be literal or JSON-escaped. The body must parse as OpenSSH, PKCS#1, PKCS#8 (plain or
    encrypted), SEC 1, DSA, an OpenPGP secret-key packet, or a key under legacy PEM encryption.

    Source: RFC 7468, RFC 1421 §4.6, RFC 8017, RFC 5958, RFC 5915, RFC 9580 §5.5, OpenSSH ``PROTOCOL.key``.
    """
    if len(pem) > MAX_PEM_CHARS:
        return False
    found = _PEM.fullmatch(pem.strip())
    if found is None:
        return False
    kind = found["label"].replace("+", " ").partition("PRIVATE KEY")[0]  # "+" in a submitted form
    if kind not in _PEM_LABELS:
        return False
    headers, body = _pem_body(found["body"])
    try:
        raw = base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        return False
    if any("ENCRYPTED" in line for line in headers):
        return len(raw) >= 32 and len(raw) % 8 == 0
    if kind == "PGP ":
        return _is_openpgp_secret(raw)
    if raw.startswith(b"openssh-key-v1\0"):
        return _is_openssh(raw)
    return _is_der_key(raw)


def _pem_body(body: str) -> tuple[list[str], str]:
    """Return the metadata lines and the joined base64 of an armour's body; a checksum line is dropped."""
    headers: list[str] = []
    encoded: list[str] = []
    for raw_line in _without_margin(_LINE_BREAK.split(body)):
        line = raw_line.strip(_LINE_NOISE) if not _BASE64_LINE.fullmatch(raw_line) else raw_line
        if not line:
            continue
        if not encoded and _HEADER_LINE.match(line):
            headers.append(line)
        elif line.startswith("=") and len(line) == 5:
            continue
        else:
            encoded.append(line.replace(" ", ""))
    return headers, "".join(encoded)


def _without_margin(lines: list[str]) -> list[str]:
    """Return the lines of an armour's body without their numbers and without the marks of a diff."""
    bare = [line[found.end() :] if (found := _LINE_NUMBER.match(line)) else line for line in lines]
    is_diff = all(line.startswith("+") for line in bare if line)
    return [line[1:] for line in bare] if is_diff else bare


def _der(raw: bytes, offset: int = 0) -> tuple[int, int, int] | None:
    """Read one DER header: ``(tag, start of content, end of content)``; None if it does not fit."""
    if offset + 2 > len(raw):
        return None
    tag, length, start = raw[offset], raw[offset + 1], offset + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > len(raw):
            return None
        length, start = int.from_bytes(raw[start : start + size]), start + size
    return (tag, start, start + length) if start + length <= len(raw) else None


def _der_tags(raw: bytes) -> tuple[int, ...]:
    """Return the tags inside one DER sequence that spans ``raw``; empty if it is none."""
    outer = _der(raw)
    if outer is None or outer[0] != 0x30 or outer[2] != len(raw):
        return ()
    tags: list[int] = []
    offset = outer[1]
    while offset < outer[2] and len(tags) < 16:
        item = _der(raw, offset)
        if item is None:
            return ()
        tags.append(item[0])
        offset = item[2]
    return tuple(tags)


_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30


def _is_der_key(raw: bytes) -> bool:
    tags = _der_tags(raw)
    return (
        tags[:9] == (_INTEGER,) * 9  # PKCS#1
        or tags == (_INTEGER,) * 6  # DSA
        or tags[:3] == (_INTEGER, _SEQUENCE, _OCTETS)  # PKCS#8
        or tags == (_SEQUENCE, _OCTETS)  # PKCS#8, encrypted
        or tags[:2] == (_INTEGER, _OCTETS)  # SEC 1
    )


def _is_openssh(raw: bytes) -> bool:
    """Cipher, KDF and KDF options, one or more keys, the public key and the private part, all in bounds."""
    offset = len(b"openssh-key-v1\0")
    for index in range(6):
        size = int.from_bytes(raw[offset : offset + 4])
        offset += 4
        if index == 3:
            if not 1 <= size <= 16:
                return False
            continue
        if offset + size > len(raw) or (index in (0, 1, 4, 5) and size == 0):
            return False
        offset += size
    return True


def _is_openpgp_secret(raw: bytes) -> bool:
    """The first packet is a secret key (tag 5), of a known version, and long enough to hold one."""
    if len(raw) < 64:
        return False
    tag = raw[0] & 0x3F if raw[0] & 0x40 else (raw[0] & 0x3C) >> 2
    if not raw[0] & 0x80 or tag != 5:
        return False
    header = 1 + (_new_length_size(raw[1]) if raw[0] & 0x40 else 1 << (raw[0] & 3))
    return raw[header] in (3, 4, 5, 6)


def _new_length_size(first: int) -> int:
    if first < 192:
        return 1
    return 2 if first < 224 else 5


def _pem(match: str, _text: str, _start: int, _end: int) -> bool:
    return is_private_key(match)


VALIDATORS: Final[Mapping[str, Validator]] = {
    "token": _token,
    "aws-key-id": _aws_key_id,
    "slack-token": _slack_token,
    "assigned-secret": _assigned,
    "assigned-literal": _assigned_literal,
    "assigned-random": _assigned_random,
    "named-secret": _named_secret,
    "aws-secret": _aws_secret,
    "vendor-token": _vendor_token,
    "sendgrid": _sendgrid,
    "url-secret": _url_secret,
    "header-token": _header_token,
    "connection-password": _connection_password,
    "jwt": _jwt,
    "private-key": _pem,
    **personal.VALIDATORS,
    **triage.VALIDATORS,
}
"""Second-stage validators, by the name a rule gives under ``validate``."""
