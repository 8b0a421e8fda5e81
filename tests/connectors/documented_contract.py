"""What connectors are held to whose agent nobody could run here: every documented event with every answer.

``tests/golden/<connector>/<Event>.json`` are payloads as their documentation has them.
"""

from __future__ import annotations

import subprocess

from msgspec.structs import replace
from tests.connectors.answers_contract import AnswersContract, answered

from defenseclaw.connectors import files
from defenseclaw.vocabulary import Action, Mode


class DocumentedContract(AnswersContract):
    """Tests; the subclass says which connector."""

    override = "HOME"

    def test_every_hooked_event_has_a_payload(self):
        assert set(self.names()) >= set(self.connector.events(""))

    def test_the_operators_switch_lets_everything_go_on(self, machine):
        self.install(machine)
        (machine.data_dir / ".disabled").touch()
        for name in self.connector.events(self.version):
            command = self.connector.command(machine, name)
            done = subprocess.run(["/bin/sh", "-c", command], input=b"{}", capture_output=True, env={})
            allowed = answered(self.connector, self.decode(name), Action.ALLOW, Mode.ACTION)[1]
            assert (done.returncode, done.stdout.strip()) == (0, allowed.stdout)
        assert not (machine.data_dir / "logs").exists()

    # ---- no location override is documented -----------------------------------------------------

    def test_the_agents_directory_is_followed(self, machine, tmp_path):
        """There is none: the file hangs on the home directory alone."""
        moved = replace(machine, env={**machine.env, "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")})
        assert self.connector.settings_path(moved) == self.connector.settings_path(machine)
        assert self.connector.settings_path(machine).is_relative_to(machine.home)

    def test_protected_paths_follow_the_setup(self, machine):
        self.install(machine)
        path = files.recorded_path(machine, self.connector.name, self.connector.logical)
        assert str(path) in self.connector.protected_paths(machine)

    def test_an_override_that_is_not_absolute_is_ignored(self, machine):
        relative = replace(machine, env={**machine.env, "HOME": "relative"})
        assert self.connector.settings_path(relative) == self.connector.settings_path(machine)
