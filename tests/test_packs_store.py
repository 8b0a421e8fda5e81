"""The store of packs in use: last good one, changes noticed, nothing half taken up."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest
from tests.packed import write_overlay, write_rule, write_suppressions

from defenseclaw.errors import PackError
from defenseclaw.packs import RuleStore, store
from defenseclaw.vocabulary import Severity


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    write_rule(tmp_path / "acme")
    return tmp_path / "acme"


def test_the_last_good_pack_stays_in_use(pack):
    rules = RuleStore()
    good = rules.current(str(pack))
    file = write_rule(pack, decides="colour: red")
    with pytest.raises(PackError, match="unknown key 'colour'"):
        rules.reload(str(pack))
    assert rules.current(str(pack)) is good
    (problem,) = rules.problems.values()
    assert problem.startswith(f"rule pack {pack}: mine/my-rule.yaml:6: MY-RULE: unknown key 'colour'")
    file.write_text(file.read_text().replace("colour: red", "pattern: pin"))
    assert rules.reload(str(pack)).rules["MY-RULE"].patterns == ("pin",)
    assert rules.problems == {}


def test_a_pack_that_was_never_good_says_so(pack):
    write_rule(pack, decides="colour: red")
    rules = RuleStore()
    for _ in range(2):
        with pytest.raises(PackError, match="unknown key"):
            rules.current(str(pack))
    assert rules.folders == ()


def test_one_folder_serves_two_profiles(pack):
    write_overlay(pack, "rules:\n  MY-RULE: {severity: CRITICAL}\n", "strict")
    rules = RuleStore()
    assert rules.current(str(pack)).rules["MY-RULE"].severity is Severity.HIGH
    assert rules.current(f"{pack}/strict").rules["MY-RULE"].severity is Severity.CRITICAL
    assert rules.folders == (str(pack),)


def test_a_pack_nobody_names_is_loaded_anew_when_it_is_named_again(pack):
    rules = RuleStore()
    rules.current(str(pack))
    rules.current("default")
    rules.keep(["default"])
    assert rules.folders == ()
    write_rule(pack, decides="pattern: pin")
    assert rules.current(str(pack)).rules["MY-RULE"].patterns == ("pin",)


def test_the_folder_behind_a_link_is_known_too(pack, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(pack)
    rules = RuleStore()
    rules.current(str(link))
    assert set(rules.folders) == {str(link), str(pack.resolve())}


def test_suppressions_come_with_their_pack(pack):
    write_suppressions(pack, "{id: a, rules: [MY-RULE], reason: It is so, until: 2031-06-30}")
    rules = RuleStore()
    assert len(rules.suppressions(str(pack))) == 1
    assert len(rules.suppressions("default")) == 0


# ---- changes ---------------------------------------------------------------------------------------


def edit(pack):
    write_rule(pack, decides="pattern: pin")


def add(pack):
    write_rule(pack, "ANOTHER")


def remove(pack):
    (pack / "mine" / "my-rule.yaml").unlink()


def replace_by_one_as_long_at_the_same_time(pack):
    file = pack / "mine" / "my-rule.yaml"
    was = file.stat()
    beside = pack / "beside"
    beside.write_text(file.read_text().replace("needle", "noodle"))
    os.utime(beside, ns=(was.st_atime_ns, was.st_mtime_ns))
    beside.replace(file)


def move_away(pack):
    pack.rename(pack.with_name("gone"))


@pytest.mark.parametrize("change", [edit, add, remove, replace_by_one_as_long_at_the_same_time, move_away])
async def test_a_change_is_noticed_once(pack, change):
    rules = RuleStore()
    rules.current(str(pack))
    changes = rules.changes(every_s=0.01)
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    change(pack)
    assert await asyncio.wait_for(waiting, 5) == (str(pack),)
    try:
        rules.reload_pack(str(pack))
    except PackError:
        assert str(pack) in rules.problems
    again = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0.05)
    assert not again.done()
    again.cancel()


async def test_a_change_between_loading_and_the_first_look_is_noticed(pack):
    rules = RuleStore()
    rules.current(str(pack))
    edit(pack)
    assert await asyncio.wait_for(anext(rules.changes(every_s=0.01)), 5) == (str(pack),)


async def test_a_change_that_goes_on_is_waited_for(pack, monkeypatch):
    rules = RuleStore()
    rules.current(str(pack))
    states = iter([(("a", 1, 1, 1, at),) for at in (1, 2, 3)])
    last = (("a", 1, 1, 1, 4),)
    monkeypatch.setattr(store, "_fingerprint", lambda _name: next(states, last))
    changes = rules.changes(every_s=0.01)
    assert await asyncio.wait_for(anext(changes), 5) == (str(pack),)
    assert next(states, "all looked at") == "all looked at"


async def test_the_event_loop_goes_on_while_a_pack_is_compiled(pack):
    """Compared with what one step of compiling takes; a loop that waited would be late by all of it."""
    rules = RuleStore()
    rules.current(str(pack))
    longest = 0.0
    loading = asyncio.ensure_future(asyncio.to_thread(rules.reload_pack, str(pack)))
    began = last = time.perf_counter()
    turns = 0
    while not loading.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last, turns = max(longest, now - last), now, turns + 1
    assert longest < 0.6 * (last - began)
    assert turns > 5


def test_readers_on_other_threads_see_whole_packs(pack):
    rules = RuleStore()
    rules.current(str(pack))
    seen: set[tuple[str, ...]] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(tuple(sorted({"MY-RULE", "ANOTHER"} & rules.current(str(pack)).rules.keys())))

    reader = threading.Thread(target=read)
    reader.start()
    add(pack)
    rules.reload(str(pack))
    time.sleep(0.05)
    stop.set()
    reader.join()
    assert seen == {("MY-RULE",), ("ANOTHER", "MY-RULE")}
