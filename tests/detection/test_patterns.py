import pytest
import re2

from defenseclaw.detection import patterns
from defenseclaw.detection.patterns import PatternOverload, PatternSet
from defenseclaw.errors import PackError


def spans(found, text, rule_id):
    return [span for number in found.matching(text)[rule_id] for span in found.spans(number, text)]


def test_says_which_rules_occur_and_where():
    found = PatternSet([("A", r"a+"), ("B", r"(?i)bee"), ("C", "never")])
    assert found.matching("xaa BEE a") == {"A": [0], "B": [1]}
    assert spans(found, "xaa BEE a", "A") == [(1, 3), (8, 9)]


def test_case_is_a_matter_of_the_single_pattern():
    found = PatternSet([("LOOSE", "(?i)key"), ("STRICT", "key")])
    assert found.matching("KEY") == {"LOOSE": [0]}


def test_a_rule_may_have_several_patterns():
    found = PatternSet([("A", "one"), ("B", "two"), ("A", "three")])
    assert found.matching("three one") == {"A": [0, 2]}


def test_a_group_named_value_is_the_match():
    found = PatternSet([("A", r"token=(?P<value>\w+)")])
    assert spans(found, "x token=abc", "A") == [(8, 11)]


@pytest.mark.parametrize(
    ("text", "span"),
    [("é🙂key", (2, 5)), ("\0key", (1, 4)), ("key" + "\u200d" * 3, (0, 3)), ("\ufffdkey", (1, 4))],
    ids=["beyond ascii", "nul", "joiners", "replacement"],
)
def test_places_are_characters(text, span):
    assert spans(PatternSet([("A", "key")]), text, "A") == [span]


def test_places_beyond_ascii_stay_exact_from_match_to_match():
    text = "é key=ab 🙂 key=c‍全 key=d"
    places = spans(PatternSet([("A", r"key=(?P<value>\S+)")]), text, "A")
    assert [text[start:end] for start, end in places] == ["ab", "c‍全", "d"]


def test_nothing_to_search_for():
    assert PatternSet([]).matching("text") == {}


def test_a_set_that_ran_out_of_memory_is_not_a_clean_text():
    found = PatternSet([("A", "key")])

    class Exhausted:
        def Match(self, text):
            return None

    found._set = Exhausted()
    with pytest.raises(PatternOverload):
        found.matching("key")


def test_too_many_places_are_not_cut_off_silently(monkeypatch):
    monkeypatch.setattr(patterns, "MAX_CANDIDATES", 3)
    found = PatternSet([("A", "a")])
    assert len(spans(found, "aaa", "A")) == 3
    with pytest.raises(PatternOverload):
        spans(found, "aaaa", "A")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("(", "R: pattern is not RE2: missing"),
        (r"(?=x)", "R: pattern is not RE2"),
        ("a" * 3000, "R: pattern longer than 2048 bytes"),
        ("a*", "R: pattern matches the empty text"),
    ],
)
def test_refuses_bad_patterns(source, reason):
    with pytest.raises(PackError) as refusal:
        PatternSet([("R", source)])
    assert refusal.value.message.startswith(reason)


def test_patterns_that_together_need_too_much_memory_are_refused(monkeypatch):
    monkeypatch.setattr(patterns, "SET_MEMORY_BYTES", 20_000)
    with pytest.raises((PackError, re2.error)):
        PatternSet([(f"R{n}", rf"foo{n}[a-z]{{20,40}}\b") for n in range(60)])


# What the set leaves uncounted; spans() counts


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("k[a-f]{32}", "k" + "a" * 32),
        ("k[a-f]{2,200}z", "k" + "ab" * 100 + "z"),
        ("k[a-f]{30,}z", "k" + "a" * 90 + "z"),
        ("k.{0,300}?z", "k" + "." * 300 + "z"),
        (r"k[\]{40}]{30}", "k" + "]{40}" * 6),
        (r"k\{40\}", "k{40}"),
        (r"k\x{1f600}{30}", "k" + "\U0001f600" * 30),
        (r"k(?:[a-c]{26}-){2}", "k" + ("abc" * 8 + "ab-") * 2),
    ],
)
def test_what_is_counted_far_is_found_with_its_exact_place(source, text):
    found = PatternSet([("A", source)])
    assert spans(found, f"- {text} -", "A") == [(2, 2 + len(text))]


def test_a_count_not_reached_is_no_place_even_where_the_set_hits():
    found = PatternSet([("A", "k[a-f]{32}")])
    assert spans(found, "k" + "a" * 31, "A") == []


def test_small_counts_already_rule_a_text_out():
    assert PatternSet([("A", r"\b\d{3}-\d{4}\b")]).matching("12-3456") == {}
