"""Probes end, whatever the program does."""

import pytest

from defenseclaw.connectors import probes


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("2.1.197 (Claude Code)", "2.1.197"),
        ("omnigent 0.19.0 (built 2026)", "0.19.0"),
        ("v1.2", "1.2.0"),
        ("version 7", "7.0.0"),
        ("none", ""),
        ("", ""),
        ("9" * 5000, "999999.0.0"),
    ],
)
def test_the_first_version_in_an_output(output, version):
    assert probes.version_in(output) == version


def test_a_hanging_program_and_its_children_end(host, executable, tmp_path):
    path = executable("slow", f"(sleep 30; touch {tmp_path}/late) & echo 1.2.3; sleep 30")
    assert probes.run_bounded((str(path),), {"PATH": "/usr/bin:/bin"}, 0.3) is None
    assert not (tmp_path / "late").exists()


def test_endless_output_ends(executable):
    path = executable("chatty", "while :; do echo 1.2.3.1.2.3.1.2.3.1.2.3.1.2.3; done")
    assert probes.run_bounded((str(path),), {"PATH": "/usr/bin:/bin"}, 5) is None


def test_a_failing_or_absent_program_says_nothing(executable):
    assert probes.run_bounded((str(executable("bad", "echo 1.2.3; exit 1")),), {}, 5) is None
    assert probes.run_bounded(("/nonexistent/x",), {}, 5) is None


def test_relative_path_entries_are_not_searched(host, executable, monkeypatch, tmp_path):
    executable("claude", "echo 1")
    monkeypatch.chdir(tmp_path / "bin")
    assert (
        probes.find_executable(
            type(host)(home=host.home, data_dir=host.data_dir, env={"PATH": "."}), "claude"
        )
        == ""
    )
