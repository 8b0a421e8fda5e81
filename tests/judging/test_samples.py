from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.judging.samples import sample_of

SECRET = "tok_" + "a1B2" * 8


def finder(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"tok_[A-Za-z0-9]{32}", text)]


def test_a_short_text_is_sent_whole() -> None:
    sample = sample_of("hello", [], finder, limit=1000)
    assert (sample.text, sample.is_whole) == ("hello", True)


def test_what_detection_found_and_what_is_found_anew_goes() -> None:
    text = f"my name is Ann; {SECRET}; bye"
    sample = sample_of(text, [(11, 14)], finder, limit=1000)
    assert sample.text == "my name is <redacted>; <redacted>; bye"


def test_a_secret_of_the_installation_goes_wherever_it_stands() -> None:
    sample = sample_of("xx0123456789abcdefyy", [], lambda _: [], known=["0123456789abcdef"], limit=1000)
    assert sample.text == "xx<redacted>yy"


def test_of_a_long_text_both_ends_are_sent() -> None:
    sample = sample_of("a" * 50_000 + "b" * 50_000, [], finder, limit=3000)
    assert sample.text == "a" * 2000 + "\n[97000 characters left out]\n" + "b" * 1000
    assert not sample.is_whole


@given(st.integers(0, 6000), st.integers(1000, 3000))
def test_a_secret_across_a_cut_does_not_go_out_in_part(place: int, limit: int) -> None:
    text = "." * place + SECRET + "." * (6000 - place)
    sent = sample_of(text, [], finder, limit=limit).text
    assert not re.search(r"tok|a1B|B2a|1B2", sent)


@given(st.integers(0, 40), st.sampled_from(["", " ", ".."]))
def test_secrets_in_a_row_do_not_push_half_of_one_into_view(shift: int, between: str) -> None:
    text = "." * shift + (SECRET + between) * 1000
    for known in ([], [SECRET]):
        sent = sample_of(text, [], (lambda _: []) if known else finder, known=known, limit=3000).text
        assert not re.search(r"tok|a1B|B2a|1B2", sent)


@pytest.mark.parametrize("size", [10**5, 10**6])
def test_the_result_is_bounded(size: int) -> None:
    assert len(sample_of("x" * size, [], finder, limit=24_000).text) < 24_100
