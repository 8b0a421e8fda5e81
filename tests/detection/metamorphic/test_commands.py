"""A command's verdict follows its effect: not its spelling, and not whether it is only spoken of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.metamorphic import disguises as dress
from tests.detection.metamorphic.cases import cases
from tests.detection.metamorphic.disguises import disguises, fill
from tests.detection.metamorphic.judged import command, groups, heading_of, table
from tests.detection.metamorphic.mentions import FRAMES, mention

from defenseclaw.vocabulary import Action

DANGEROUS = table("dangerous")
HARMLESS = table("harmless")
MENTIONABLE = table("dangerous", without=["the guard's own address"]) + HARMLESS
EVERY_FRAME = {**dress.FRAMES, **dress.CODED}
EVERYDAY_PREFIXES = {name: form for name, form in dress.PREFIXES.items() if name != "find"}
"""Without ``find -exec``, which makes of a deletion one of all that find finds."""


@pytest.mark.parametrize("source", DANGEROUS)
def test_the_dangerous_ones_raise_something(source):
    assert command(source).action is not Action.ALLOW


@pytest.mark.parametrize("source", HARMLESS)
def test_the_harmless_ones_raise_nothing(source):
    assert command(source).action is Action.ALLOW


def test_there_are_enough_of_both():
    assert len(DANGEROUS) >= 80
    assert len(HARMLESS) >= 60


@pytest.mark.parametrize(
    ("first", "other"), [(first, other) for first, *others in groups("equivalents") for other in others]
)
def test_the_same_deed_raises_the_same(first, other):
    assert command(other).keeps(command(first))


@cases(0.25)
@given(drawn=disguises(DANGEROUS, EVERY_FRAME, dress.PREFIXES))
def test_a_disguise_keeps_every_finding(part, drawn):
    plain, disguised = drawn
    assert command(plain).ids <= command(disguised).ids


@cases(0.2)
@given(drawn=disguises(HARMLESS, dress.FRAMES, EVERYDAY_PREFIXES))
def test_a_disguise_raises_no_alarm(part, drawn):
    _, disguised = drawn
    assert command(disguised).action is Action.ALLOW


@cases(0.12)
@given(drawn=disguises(MENTIONABLE, EVERY_FRAME, dress.PREFIXES), form=st.sampled_from(FRAMES))
def test_a_mention_is_no_use(part, drawn, form):
    plain, disguised = drawn
    for source in (plain, disguised):
        assert command(mention(form, source)).action is Action.ALLOW


REMOTE = [
    source
    for source in table("dangerous", without=["self-protection", "version control"])
    if source != "shutdown -h now"
]
"""What is as bad elsewhere; a host that one logs in to may be turned off."""
BY_SSH = {name: form for name, form in dress.DISTANT.items() if name.startswith("ssh")}


@pytest.mark.parametrize("form", BY_SSH.values(), ids=BY_SSH)
@pytest.mark.parametrize("source", REMOTE)
def test_another_host_can_be_harmed_as_well(form, source):
    assert command(fill(form, source)).keeps(command(source))


@pytest.mark.parametrize("form", dress.DISTANT.values(), ids=dress.DISTANT)
@pytest.mark.parametrize("heading", ["cloud and clusters", "databases"])
def test_what_is_reached_over_the_network_can_be_harmed_from_a_container(form, heading):
    for source in heading_of("dangerous", heading):
        assert command(fill(form, source)).keeps(command(source))
