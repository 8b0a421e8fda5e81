"""Techniques as facts: the calls that are one, and their everyday neighbours."""

import pytest

from defenseclaw.detection.programs import describe
from defenseclaw.detection.programs.techniques import TABLE
from defenseclaw.detection.terms import TRAITS


def traits(command):
    words = tuple(command.split())
    return describe(words[0], words).traits


@pytest.mark.parametrize(
    ("command", "trait", "has"),
    [
        ("systemctl stop falcon-sensor", "firewall_off", True),
        ("systemctl restart falcon-sensor", "firewall_off", False),
        ("systemctl stop web", "firewall_off", False),
        ("service auditd stop", "firewall_off", True),
        ("sysrc pf_enable=NO", "firewall_off", True),
        ("sysrc pf_enable=YES", "firewall_off", False),
        ("ufw logging off", "firewall_off", True),
        ("ufw logging on", "firewall_off", False),
        ("find / -name id_rsa", "credential_hunt", True),
        ("find /home -iname *.kdbx", "credential_hunt", True),
        ("find . -name id_rsa", "credential_hunt", False),
        ("find / -name *.so", "credential_hunt", False),
        ("grep -r password /", "credential_hunt", True),
        ("grep -r password .", "credential_hunt", False),
        ("grep password /etc/hosts", "credential_hunt", False),
        ("rg secret /home", "credential_hunt", True),
        ("insmod ./x.ko", "module_load", True),
        ("modprobe loop", "module_load", False),
        ("trust anchor ca.crt", "trust_anchor", True),
        ("trust anchor --remove ca.crt", "trust_anchor", False),
        ("code tunnel", "reverse_tunnel", True),
        ("code .", "reverse_tunnel", False),
        ("at -f job now", "runs_later", True),
        ("at -l", "runs_later", False),
        ("python3 /opt/laZagne.py all", "attack_tool", True),
        ("python3 report.py lazagne", "attack_tool", False),
        ("cat linpeas.sh", "attack_tool", False),
        ("useradd -g 0 x", "privileged_group", True),
        ("useradd -g 100 x", "privileged_group", False),
    ],
)
def test_traits(command, trait, has):
    assert (trait in traits(command)) is has


@pytest.mark.parametrize("program", sorted(TABLE))
def test_help_is_no_technique(program):
    assert not traits(f"{program} --help") & {trait for trait in TRAITS if trait.endswith(("_off", "_hunt"))}
