from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.detection import text
from defenseclaw.detection.text import Leaf, Subject, encodable, fold, strings_of, subject, subject_of, views
from defenseclaw.vocabulary import Door, Event, EventKind

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def view(scanned: Subject, note: str) -> text.View:
    return next(each for each in views(scanned) if each.note == note)


def notes(value: Any) -> list[str]:
    return [each.note for each in views(subject_of(value))]


# Strings and their places


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("one", ["one"]),
        (None, []),
        (3.5, []),
        ({}, []),
        ({"a": {"b": ["c", 1, None, "d"]}}, ["a", "b", "c", "d"]),
        (["x", ["y"]], ["x", "y"]),
    ],
)
def test_strings_of_yields_keys_and_values_in_document_order(value: Any, want: list[str]):
    assert strings_of(value) == want


@given(JSON_VALUES)
def test_every_leaf_stands_at_its_place(value: Any):
    scanned = subject_of(value)

    assert [scanned.text[leaf.start : leaf.end] for leaf in scanned.leaves] == strings_of(value)
    assert scanned.complete


def test_pointers_name_the_value():
    scanned = subject_of({"a/b": [{"c~": "x"}]})

    assert [(leaf.pointer, leaf.is_key) for leaf in scanned.leaves] == [
        ("/a~1b", True),
        ("/a~1b/0/c~0", True),
        ("/a~1b/0/c~0", False),
    ]


def test_a_single_text_is_scanned_as_it_is():
    assert subject_of("line") == Subject(text="line", utf8=b"line", leaves=(Leaf(0, 4, ""),))


@pytest.mark.parametrize(
    ("event", "want"),
    [
        (Event(kind=EventKind.PROMPT, door=Door.CLI, text="hi"), ["hi"]),
        (Event(kind=EventKind.FILE, door=Door.CLI, text="hi", result="not this"), ["hi"]),
        (Event(kind=EventKind.TOOL_CALL, door=Door.CLI, args={"a": "b"}), ["a", "b"]),
        (Event(kind=EventKind.TOOL_CALL, door=Door.CLI, args={"a": "b"}, text="c"), ["a", "b", "c"]),
        (Event(kind=EventKind.TOOL_CALL, door=Door.CLI, text="c"), ["c"]),
        (Event(kind=EventKind.TOOL_RESULT, door=Door.CLI, args={"a": "b"}, result=["r"]), ["r"]),
        (Event(kind=EventKind.TOOL_RESULT, door=Door.CLI, text="plain"), ["plain"]),
    ],
    ids=["prompt", "file", "call", "message call", "call with text only", "result", "result as text"],
)
def test_what_is_scanned_of_an_event(event: Event, want: list[str]):
    scanned = subject(event)

    assert [scanned.text[leaf.start : leaf.end] for leaf in scanned.leaves] == want


def test_nesting_beyond_the_bound_is_reported_and_does_not_recurse():
    value: Any = "deep"
    for _ in range(100_000):
        value = [value]
    scanned = subject_of(["shallow", value])

    assert not scanned.complete
    assert scanned.text == "shallow"


def test_more_values_than_the_bound_are_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text, "MAX_NODES", 10)

    assert subject_of(["x"] * 10).complete
    assert not subject_of(["x"] * 11).complete


def test_lone_surrogates_become_encodable_one_for_one():
    assert encodable("a\ud800b") == "a\ufffdb"
    assert subject_of({"k\udfff": "v"}).text == "k\ufffd:\nv\n"


# Readings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\u0062c", "abc"),
        (r"\x61\x62", "ab"),
        (r"line\nnext\\nthird", "line\nnext\nthird"),
        (r"say \"hi\" \/ bye", 'say "hi" / bye'),
        (r"\ud835\udc1b\\uD835\\uDC1Cd", "bcd"),
        (r"a\ud835b\udc1b", "a\ufffdb\ufffd"),
        (r"x \u0026#65;\u0026amp;", "x A&"),
        ("%41%2542%252543", "ABC"),
        ("&#65;&#x42;&quot;&amp;", 'AB"&'),
        ("".join(chr(ord(char) + 0xFEE0) for char in "full-width"), "full-width"),
        ("\N{MATHEMATICAL BOLD SMALL B}\N{CIRCLED DIGIT ONE}", "b1"),
        ("i\u200bn\u00advis\u2060ible\ufeff", "invisible"),
        (r"esc\u200baped", "escaped"),
        ("right\u202eto\u202cleft", "righttoleft"),
    ],
)
def test_fold_undoes_escapes_and_look_alikes(written: str, read: str):
    folded = fold(written)

    assert folded is not None
    assert folded.text == read


@pytest.mark.parametrize(
    "honest", ["plain", "Größe “quoted” … 日本語 ™", "100 % of it", "a & b", "C:\\dir", "50%-off"]
)
def test_fold_leaves_honest_text_alone(honest: str):
    assert fold(honest) is None


@given(
    st.lists(
        st.sampled_from(["a", "é", "日", r"\u0062", "%43", "&#68;", "\u200b", "\uff45", "\ufb01", "\\", "%"]),
        max_size=30,
    )
)
def test_a_span_of_folded_text_maps_to_what_it_was_written_as(units: list[str]):
    written = "".join(units)
    folded = fold(written)
    if folded is None:
        return
    for start in range(len(folded.text)):
        for end in range(start + 1, len(folded.text) + 1):
            begin, finish = folded.original(start, end)
            inner = fold(written[begin:finish])
            reading = written[begin:finish] if inner is None else inner.text
            assert folded.text[start:end] in reading


def test_a_token_with_escapes_in_it_maps_to_exactly_its_writing():
    written = r"key: gh\u0070_%41bc end"
    folded = fold(written)
    assert folded is not None
    start = folded.text.index("ghp_Abc")
    begin, finish = folded.original(start, start + len("ghp_Abc"))

    assert written[begin:finish] == r"gh\u0070_%41bc"


SECRET = "the words that were hidden here"


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(("\xff\xfe>>>???" + SECRET).encode()).decode(),
        base64.b64encode(base64.b64encode(SECRET.encode())).decode(),
        base64.b64encode(gzip.compress(SECRET.encode())).decode(),
        base64.b64encode(SECRET.encode("utf-16-le")).decode(),
        base64.b64encode(b"\x00\xff\x80" + SECRET.encode() + b"\xfe").decode(),
        base64.encodebytes((SECRET * 5).encode()).decode(),
        SECRET.encode().hex(),
        "0x" + SECRET.encode().hex().upper(),
        "".join(chr(ord(char) + 0xE0000) for char in SECRET),
        json.dumps("".join(chr(ord(char) + 0xE0000) for char in SECRET))[1:-1],
        json.dumps(json.dumps("".join(chr(ord(char) + 0xE0000) for char in SECRET)).upper())[3:-3].replace(
            "\\U", "\\u"
        ),
    ],
    ids=[
        "base64",
        "unpadded",
        "url-safe",
        "twice",
        "gzip",
        "utf-16",
        "among bytes",
        "wrapped",
        "hex",
        "0x",
        "tags",
        "escaped tags",
        "tags escaped twice",
    ],
)
def test_encoded_tokens_are_read_and_map_to_the_whole_token(encoded: str):
    before, after = "see ", " or not"
    scanned = subject_of(before + encoded + after)
    decoded = view(scanned, "encoded")
    start = decoded.text.index(SECRET)
    begin, finish = decoded.original(start + 3, start + 8)

    assert scanned.text[begin:finish].strip() == encoded.strip()


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_wrapped_tokens_beyond_ascii_map_to_their_lines_and_no_others(line_break: str):
    encoded = line_break.join(
        base64.b64encode(SECRET.encode() * 6).decode()[at : at + 64] for at in range(0, 128, 64)
    )
    scanned = subject_of(f"é全 {encoded} ü{line_break}{'x' * 30} and more")
    decoded = view(scanned, "encoded")
    begin, finish = decoded.original(0, 4)

    assert scanned.text[begin:finish] == encoded


def test_two_tokens_on_lines_of_their_own_are_not_one():
    """A line longer than base64 is wrapped at ends its token."""
    first, second = base64.b64encode(SECRET.encode() * 5).decode(), base64.b64encode(SECRET.encode()).decode()
    scanned = subject_of(f"{first}\n{second}")
    decoded = view(scanned, "encoded")
    last = decoded.text.rindex(SECRET)
    begin, finish = decoded.original(last, last + 8)

    assert scanned.text[begin:finish] == second


@pytest.mark.parametrize(
    "honest",
    ["a_long_snake_case_name_of_a_function", "usr/lib/python3/dist-packages/module", "d" * 64, "short"],
)
def test_names_paths_and_digests_are_not_decoded(honest: str):
    assert notes(honest) == [""]


def test_a_compressed_token_grows_only_to_the_bound():
    bomb = base64.b64encode(gzip.compress(b"A" * 50_000_000)).decode()
    scanned = subject_of(f"{bomb} {bomb}")

    assert sum(len(each.text) for each in views(scanned)) < 4 * text.MAX_INFLATED


def test_neighbouring_list_items_are_also_read_as_one():
    scanned = subject_of({"argv": ["run", "abc", "def ", "ghi"], "other": "x"})
    joined = view(scanned, "joined")
    start = joined.text.index("abcdef")
    begin, finish = joined.original(start, start + 6)

    assert scanned.text[begin:finish] == "abc\ndef"
    assert "ghi" not in joined.text


@pytest.mark.parametrize("value", ["plain words", {"a": "b", "c": ["one string"]}, [], {"n": 1}])
def test_honest_values_have_one_reading(value: Any):
    assert notes(value) == [""]


@given(JSON_VALUES)
def test_every_span_of_every_view_lies_inside_the_subject(value: Any):
    scanned = subject_of(json.dumps(value))
    for each in views(scanned):
        for start in range(0, len(each.text), 3):
            begin, finish = each.original(start, min(start + 5, len(each.text)))
            assert 0 <= begin <= finish <= len(scanned.text)


# Only the stretches around what is written differently are read again

WIDE = str.maketrans({letter: chr(ord(letter) + 0xFEE0) for letter in "abcdefghijklmnopqrstuvwxyz"})
PADDING = "quite ordinary words on a line\n" * 200


def test_far_from_anything_foldable_nothing_is_read_again():
    scanned = subject_of(f"{PADDING}one {'two'.translate(WIDE)} three\n{PADDING}")
    normalized = view(scanned, "normalized")

    assert "one two three" in normalized.text
    assert len(normalized.text) < 4 * text.STRETCH < len(scanned.text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("secret".translate(WIDE), "secret"),
        ("s\\u0065cret", "secret"),
        ("se\u200bcret", "secret"),
        ("s%65cret", "secret"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, text.STRETCH - 3, text.STRETCH, 3 * text.STRETCH - 1])
def test_a_span_of_a_stretch_maps_to_its_writing(written: str, read: str, place: int):
    before = PADDING[:place].rstrip() + " "
    scanned = subject_of(f"{before}{written} {PADDING}{written} {PADDING}")
    normalized = view(scanned, "normalized")
    first, last = normalized.text.index(read), normalized.text.rindex(read)

    for found in (first, last):
        begin, finish = normalized.original(found, found + len(read))
        assert scanned.text[begin:finish] == written
    assert first < last


def test_a_word_at_the_cut_of_a_stretch_stays_whole_or_stays_out():
    words = " ".join(f"word{number:04d}" for number in range(2000))
    middle = len(words) // 2
    scanned = subject_of(words[:middle] + " \N{FULLWIDTH LATIN SMALL LETTER X} " + words[middle:])
    whole = set(scanned.text.split()) | {"x", "~"}

    assert set(view(scanned, "normalized").text.split()[:-1]) <= whole


def test_the_readings_of_a_subject_are_made_once():
    scanned = subject_of(f"{'one'.translate(WIDE)} {base64.b64encode(SECRET.encode() * 3).decode()}")

    assert [id(each) for each in views(scanned)] == [id(each) for each in views(scanned)]
    assert len(list(views(scanned))) == 3
