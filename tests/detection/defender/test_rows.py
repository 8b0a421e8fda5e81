"""The cases of the defender's specification: what is known of a command, a path, an address.

The rows name its section and its class or rule. What is decided about them is not their matter.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.detection.defender import rows
from tests.detection.defender.rows import Row, split

from defenseclaw.detection import terms

AREAS = ("exec", "file", "network")
ALARMING = frozenset(
    [
        *("disk_write", "credential_read", "schedule", "policy_bypass"),
        *("runs_download", "runs_decoded", "encoded_command", "fork_bomb", "loader_variable", "shell_escape"),
        *("shell_to_network", "exec_on_connect", "socket_code", "spawn_code", "host_root_mount"),
        *("privileged_container", "finds_everything", "self_control", "self_stop", "agent_control"),
        *("root", "home", "workspace_root", "ancestor", "system_dir", "root_if_unset", "block_device"),
        *("credential", "proc_environ", "authorized_keys", "defender_state", "defender_log", "self_data"),
        *("metadata", "control", "paste", "raw_commit", "obfuscated_ip", "deceptive", "lookalike"),
        *("dns_wildcard", "dev_tcp"),
    ]
)
ROWS = [pytest.param(row, id=row["id"]) for area in AREAS for row in rows.rows_of(area)]


@pytest.mark.parametrize("row", ROWS)
def test_facts(row: Row) -> None:
    facts = rows.facts_of(row)
    exactly = "each" not in row
    programs = rows.programs_in(facts)
    if exactly:
        assert programs == (row.get("programs") or "").split()
    else:
        assert split(row.get("programs")) <= set(programs)
    found = set().union(*(command.operations | command.traits for command in facts.commands))
    assert split(row.get("does")) | split(row.get("traits")) <= found
    assert split(row.get("classes")) <= rows.classes_in(facts)
    unwanted = split(row.get("without")) | (ALARMING if row.get("harmless") else set())
    assert not unwanted & rows.words_in(facts)
    _compare(row.get("paths", []), rows.paths_in(facts), exactly)
    _compare(row.get("network", []), rows.network_in(facts), exactly)
    _compare(row.get("flows", []), rows.flows_in(facts), exactly)


def _compare(expected: list[list[str]], found: Mapping[tuple[str, str], set[str]], exactly: bool) -> None:
    wanted = {(first, second): split(" ".join(words)) for first, second, *words in expected}
    if exactly:
        assert sorted(found) == sorted(wanted)
    for key, words in wanted.items():
        assert words <= found.get(key, {"(not found)"}), key


def test_words_are_of_the_vocabulary() -> None:
    """A misspelt word under ``without`` could never be found."""
    known = {*terms.OPERATIONS, *terms.TRAITS, *terms.PATH_CLASSES, *terms.NETWORK_CLASSES}
    for area in AREAS:
        for row in rows.rows_of(area):
            named = split(row.get("does")) | split(row.get("traits")) | split(row.get("without"))
            assert named | split(row.get("classes")) | ALARMING <= known, row["id"]
