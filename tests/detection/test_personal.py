"""Numbers of persons: check digits, ranges, context, and what only looks like them."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.examples import expand

from defenseclaw.detection.personal import (
    IBAN_LENGTHS,
    VALIDATORS,
    digits_of,
    is_iban,
    is_sequence,
    is_ssn,
    luhn,
)

LONG = "Ada " * 25


def accepts(name, text, value=""):
    """Whether a validator accepts ``value`` (by default all of the text) at its place in the text."""
    value = value or text
    start = text.index(value)
    return VALIDATORS[name](value, text, start, start + len(value))


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("512-34-6789", True),
        ("899-01-0001", True),
        ("000-12-3456", False),
        ("666-12-3456", False),
        ("900-12-3456", False),
        ("987-65-4320", False),
        ("512-00-6789", False),
        ("512-34-0000", False),
        ("512-34-678", False),
    ],
)
def test_ranges_of_social_security_numbers(value, valid):
    assert is_ssn(value) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        # a label
        ("SSN: {}", True),
        ("Social-Security no. {}", True),
        ("taxpayer identification {}", True),
        ("ssn" + " " * 78 + "{}", False),
        ("order {}", False),
        # a label that takes it back
        ("ssn pattern {}", False),
        ("sample SSN {}", True),
        ("SSN, for example {}", False),
        # a column, whose name stands too far away to be a label
        (f"name,ssn,city\n{LONG},{{}},Rome\n", True),
        (f"name\tsocial security number\n{LONG}\t{{}}\n", True),
        (f"name,ssn,city\nBo,,Oslo\n{LONG},{{}},Rome\n", True),
        (f"name,city,part\n{LONG},Rome,{{}}\n", False),
        (f"name,ssn\n\n{LONG},{{}}\n", False),
        (f"name,ssn,city\n{LONG},Rome,{{}}\n", False),
        # company
        ("{} 513-34-6789", True),
        ("{} 913-34-6789", False),
        ("{} 512-34-6789", False),
        ("{}" + " " * 300 + "513-34-6789", False),
        # a part of something longer
        ("SSN 1-{}", False),
        ("SSN {}-1", False),
        ("SSN x{}", False),
    ],
)
def test_context_of_social_security_numbers(text, valid):
    assert accepts("ssn", text.format("512-34-6789"), "512-34-6789") is valid


@pytest.mark.parametrize("value", ["111-22-3333", "444-55-6666"])
def test_the_shape_of_a_number_is_none(value):
    assert is_ssn(value)
    assert not accepts("ssn", f"SSN: {value}", value)


def test_bare_numbers_need_more_than_company():
    assert not accepts("ssn-bare", "512346789 513346789", "512346789")
    assert accepts("ssn-bare", "ssn 512346789", "512346789")


def test_a_table_header_is_not_looked_for_beyond_its_bound():
    rows = "Ada,1\n" * 12_000
    assert not accepts("ssn", f"name,ssn\n{rows}Ada,512-34-6789\n", "512-34-6789")


@given(st.text("0123456789", min_size=12, max_size=18))
def test_one_digit_more_makes_luhn_hold_and_any_other_breaks_it(body):
    holding = [digit for digit in "0123456789" if luhn(body + digit)]
    assert len(holding) == 1


@pytest.mark.parametrize("number", ["4111111111111111", "4242 4242 4242 4242", "378282246310005"])
def test_numbers_of_manuals_are_no_cards(number):
    assert luhn(digits_of(number))
    assert not accepts("card", number)


@pytest.mark.parametrize("frame", ["{}", "({})", "pan={}", '"{}"', "a {}, b", "to:{}."])
def test_cards_in_text(frame):
    number = expand("{{card:4}}")
    assert accepts("card", frame.format(number), number)


@pytest.mark.parametrize("frame", ["0.{}", "x{}", "{}0", "id_{}", "a-{}", "{}.5", "{}_x"])
def test_parts_of_longer_things_are_no_cards(frame):
    number = expand("{{card:4}}")
    assert not accepts("card", frame.format(number), number)


@pytest.mark.parametrize("frame", ["0a1f {}", "{} 77c0", "1024-{}-2048"])
def test_rows_of_a_dump_are_no_cards(frame):
    grouped = expand("{{grouped:{{card:4}}}}")
    assert accepts("card", grouped)
    assert not accepts("card", frame.format(grouped), grouped)


def test_groups_that_repeat_are_no_card():
    grouped = "4002 4002 4002 4002"
    assert luhn(digits_of(grouped))
    assert not accepts("card", grouped)


@pytest.mark.parametrize("country", ["DE", "PL"])
def test_account_numbers(country):
    number = expand("{{iban:" + country + "}}")
    assert is_iban(number)
    assert len(number) == IBAN_LENGTHS[country]
    assert accepts("iban", number)
    assert accepts("iban", expand("{{grouped:" + number + "}}"))
    assert not is_iban(number[:-1])
    assert not is_iban("XX" + number[2:])


@given(st.integers(0, 21), st.integers(1, 9))
def test_a_changed_digit_breaks_an_account_number(place, step):
    number = expand("{{iban:DE}}")
    if place > 1:
        digit = str((int(number[place]) + step) % 10)
        assert not is_iban(number[:place] + digit + number[place + 1 :])


def test_words_behind_an_account_number_are_not_part_of_it():
    number = expand("{{grouped:{{iban:DE}}}}")
    assert accepts("iban", f"{number} BIC", f"{number} BIC")
    assert not accepts("iban", f"{number}7 BIC", f"{number}7 BIC")


@pytest.mark.parametrize("digits", ["123456789", "987654321", "000000", "121212", "123412341234", "7890123"])
def test_sequences(digits):
    assert is_sequence(digits)


def test_other_digits_are_no_sequence():
    assert not is_sequence("48201937")


@pytest.mark.parametrize(
    ("name", "text", "valid"),
    [
        ("us-phone", "415-682-3914", True),
        ("us-phone", "1 415 682 3914", True),
        ("us-phone", "415-555-0134", False),
        ("us-phone", "115-682-3914", False),
        ("us-phone", "911-682-3914", False),
        ("email", "ada@northwind-traders.biz", True),
        ("email", "ada@mail.example.org", False),
        ("email", "git@github.com", False),
        ("birth-date", "1986-04-17", True),
        ("birth-date", "17.4.86", True),
        ("birth-date", "1986-01-01", False),
        ("birth-date", "1786-04-17", False),
        ("birth-date", "1.2.3", False),
        ("birth-date", "40/40/1986", False),
        ("nhs-number", "000 000 0000", False),
        ("record-number", "48201937", True),
        ("record-number", "12345678", False),
    ],
)
def test_other_numbers(name, text, valid):
    assert accepts(name, text) is valid


def test_the_check_digit_of_the_nhs():
    number = expand("{{nhs}}")
    assert accepts("nhs-number", number)
    other = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not accepts("nhs-number", other)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("name,ssn\nAda,512-34-6789\n", True),
        ('"name","ssn"\n"Ada","512-34-6789"\n', True),
        ("name|card number\nAda|4539578763621486\n", True),
        ("name,email\nAda,a@b.cd\nBo,b@c.de\n", True),
        ("name,email\nAda,a@b.cd\n", False),
        ("name,email,phone\nAda,a@example.com,555-0100\nBo,b@example.org,555-0101\n", False),
        ("name,email,phone\nAda,a@example.com,555-0100\nBo,b@b.cd,555-0101\n", True),
        ("email,ssn\na@example.com,512-34-6789\n", True),
        ("name,ssn\nAda,\n", False),
        ("name,ssn\nAda,none\n", False),
        ("name,ssn\nAda,512-34-6789,Rome\n", False),
        ("name,city\nAda,Rome\nBo,Oslo\n", False),
        ("f(name),ssn!\nAda,512-34-6789\n", False),
    ],
)
def test_rows_of_records(text, valid):
    assert accepts("bulk-rows", text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"ssn": "512-34-6789", "card_number": "4539578763621486"}', True),
        (r"{\"ssn\": \"512346789\", \"routing\": \"021000089\"}", True),
        ("{'account_number': 7390214, 'routing_number': 21000089}", True),
        ('{"ssn": "512-34-6789", "ssn": "513-34-6789"}', False),
        ('{"ssn": "123456789", "account_number": "000000"}', False),
        ('{"ssn": "512-34-6789", "account_number": "12"}', False),
        ('{"ssn": "string", "account_number": "string"}', False),
    ],
)
def test_members_of_records(text, valid):
    assert accepts("bulk-members", text) is valid


@given(st.text(max_size=200), st.data())
def test_validators_are_total(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for validate in VALIDATORS.values():
        assert validate(text[start:end] or "0", text, start, end) in (True, False)


@pytest.mark.parametrize("name", VALIDATORS)
def test_a_verdict_costs_no_more_in_a_long_text(name):
    chance = random.Random(3)
    text = "".join(chance.choices("0123456789-, abcssn\n{}:\"'", k=200_000))
    began = time.perf_counter()
    for start in range(0, 200_000, 400):
        VALIDATORS[name](text[start : start + 16], text, start, start + 16)
    assert time.perf_counter() - began < 2
