"""Techniques that administrators and attackers share: what weakens a defence, hunts credentials, stays.

:func:`add` looks a described call up in :data:`TABLE`, like :mod:`~defenseclaw.detection.programs.losses`,
and adds traits. Everything here is a fact about one call; whether it is wrong is for rules to say.

Source: ATT&CK techniques T1003, T1037, T1053, T1547, T1552, T1553, T1562, T1572 as classes of effects.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

from defenseclaw.detection.programs import proxies
from defenseclaw.detection.programs.base import Act, Describe
from defenseclaw.detection.programs.losses.calls import apply, calls, is_preview

_DEFENDER: Final = re.compile(
    r"audit|apparmor|selinux|falcon|crowdstrike|osquery|wazuh|clam(?:av|d)|firewall|\bufw\b|\bpf(?:\b|_)|\bipfw\b|syslog"
    r"|journald|sysmon|fail2ban|carbon_?black|cbdaemon|littlesnitch|opendns|sentinel(?:one|d)|mdatp|sophos|defender"
    r"|\beset|tripwire|\baide\b|snort|suricata|xprotect|\bfalco\b|elastic-(?:agent|endpoint)|\btetragon\b"
    r"|cylance|cbagentd|\bds_agent\b|taniumclient|\bxagt\b|\bsantad\b|\bossec|\bkesl\b|trellix|mcafee"
)
"""Services that watch, filter or record."""
_OFF_VALUE: Final = re.compile(r"=\"?(?:no|0|off|false)\"?$", re.IGNORECASE)

_CREDENTIAL_NAME: Final = re.compile(
    r"^[*.]*(?:id_(?:rsa|dsa|ecdsa|ed25519)\S*|\.?netrc|\.pgpass|\.git-credentials|\.aws|\.ssh|\.gnupg|\.kube|credentials"
    r"|credentials\.(?:db|json|tfrc\.json)|access_?tokens\.(?:db|json)|msal_token_cache\.\w+|\.htpasswd|\.npmrc|\.pypirc"
    r"|\.docker|shadow|(?:pem|key|kdbx|ppk|p12|pfx|jks|keystore|ovpn)|wallet\.dat|login\.keychain\S*|\*?password\*?\S*"
    r"|\*?secrets?\*?\S*|\.env)$",
    re.IGNORECASE,
)
_CREDENTIAL_TEXT: Final = re.compile(
    r"pass(?:word|wd|phrase)|secret|api[_-]?key|private key|aws_(?:access|secret)|token|credential",
    re.IGNORECASE,
)
_BROAD: Final = re.compile(
    r"^(?:/|/home/?\*?|/root/?|/users/?\*?|/etc/?|/var/?|/opt/?|/mnt/?|~/?|/home/[\w.-]+/?)$", re.IGNORECASE
)
"""Roots of a search that hold what belongs to everybody on the machine."""
_TOOLS: Final = frozenset(
    {
        "mimikatz", "mimipenguin", "lazagne", "pypykatz", "secretsdump", "linpeas", "winpeas", "linenum",
        "pspy", "pspy64", "pspy32", "bloodhound-python", "sharphound", "rubeus", "crackmapexec", "netexec",
        "nxc", "responder", "evil-winrm", "psexec", "wmiexec", "smbexec", "lse", "unix-privesc-check",
        "traitor", "chainbreaker", "linux-exploit-suggester", "impacket-secretsdump", "gimmecredz",
        "3snake", "invoke-mimikatz", "out-minidump", "invoke-kerberoast", "invoke-bloodhound",
        "get-gpppassword", "invoke-shellcode", "invoke-reflectivepeinjection", "invoke-dllinjection",
        "invoke-tokenmanipulation", "invoke-ninjacopy", "get-keystrokes", "invoke-powershelltcp",
        "invoke-allchecks", "powerup", "powerview", "sharpup", "seatbelt", "safetykatz", "sharpdpapi",
        "juicypotato", "printspoofer", "nanodump",
    }
)  # fmt: skip
"""Programs made to take over machines or their credentials."""
_INTERPRETED: Final = (".py", ".sh", ".pl", ".rb", ".ps1", ".exe", ".elf")


def _service(act: Act) -> None:
    words = [word.lower() for word in act.operands]
    stops = {"stop", "disable", "mask", "unload", "bootout", "remove", "off", "kill", "delete"} & set(words)
    if stops and any(_DEFENDER.search(word) for word in words):
        act.is_("firewall_off")


def _kill(act: Act) -> None:
    if any(_DEFENDER.search(word.lower()) for word in act.operands):
        act.is_("firewall_off")


_REMOVES: Final = frozenset({"remove", "purge", "erase", "autoremove", "uninstall"})


def _removal(act: Act) -> None:
    """Describe package managers that take away what guards the machine."""
    removes = not _REMOVES.isdisjoint(act.operands[:2])
    if act.program in ("dpkg", "rpm"):
        removes = act.has("-r", "-P", "-e", "--remove", "--purge", "--erase")
    if removes and any(_DEFENDER.search(word.lower()) for word in act.words[1:]):
        act.does("delete")
        act.is_("firewall_off")


def _packages(act: Act) -> None:
    _removal(act)
    for word in act.words:
        # A setting of its own or glued to its option.
        name, equals, command = word.partition("=")
        if equals and name.lower().rstrip(":").endswith("-invoke"):
            act.is_("shell_escape")
            act.nested.append(command)


def _tunnel_scripts(act: Act) -> None:
    """Describe what openvpn runs when its connection comes up or goes down."""
    for option, command in pairwise(act.words):
        if option in ("--up", "--down", "--route-up", "--ipchange", "--tls-verify"):
            act.is_("shell_escape")
            act.nested.append(command)


def _looks_for_guard(act: Act) -> None:
    if any(_DEFENDER.search(word.lower()) for word in act.operands[:2]):
        act.is_("guard_named")


def _rc_setting(act: Act) -> None:
    """Describe sysrc of FreeBSD."""
    if any(_DEFENDER.search(word.lower()) and _OFF_VALUE.search(word) for word in act.operands):
        act.does("config_change")
        act.is_("firewall_off")


def _switch(*rows: str) -> Describe:
    """Describe a program of which some calls switch a defence off."""
    compiled = calls("firewall_off", *rows)
    return lambda act: apply(act, compiled, "config_change")


def _find(act: Act) -> None:
    starts = [word for word in act.words if not word.startswith("-")][:4]
    names = act.all("-name", "-iname", "-path", "-ipath", "-wholename")
    hunts = any(_CREDENTIAL_NAME.match(name.rpartition("/")[2]) for name in names)
    if hunts and any(_BROAD.match(start) for start in starts[: max(1, len(starts) - len(names))]):
        act.is_("credential_hunt")


def _grep(act: Act) -> None:
    patterns = act.all("-e") or act.operands[:1]
    places = act.operands if act.has("-e") else act.operands[1:]
    if not places and act.operands:
        _looks_for_guard(act)
    deep = act.has("-r") or act.program in ("rg", "ag", "ack")
    if deep and any(map(_CREDENTIAL_TEXT.search, patterns)) and any(map(_BROAD.match, places)):
        act.is_("credential_hunt")


def _locate(act: Act) -> None:
    if any(_CREDENTIAL_NAME.match(word.rpartition("/")[2]) for word in act.operands):
        act.is_("credential_hunt")


def _module(act: Act) -> None:
    if any("/" in word or word.endswith((".ko", ".kext")) for word in act.operands):
        act.is_("module_load")


def _trust(*rows: str) -> Describe:
    compiled = calls("trust_anchor", *rows)
    return lambda act: apply(act, compiled, "config_change")


def _tunnel(*rows: str) -> Describe:
    compiled = calls("reverse_tunnel", *rows)
    return lambda act: apply(act, compiled, "tunnel")


def _login_hook(act: Act) -> None:
    words = [word.lower() for word in act.operands]
    if words[:1] == ["write"] and {"loginhook", "logouthook"} & set(words):
        act.is_("login_hook")


def _later(act: Act) -> None:
    if "schedule_install" in act.traits:
        act.is_("runs_later")


def _account(act: Act) -> None:
    words = {word.lower() for word in act.words}
    if act.program in ("useradd", "pw", "adduser", "usermod") and act.value("-g") == "0":
        act.is_("privileged_group")
    if (
        act.program == "dscl" and "-delete" in words and any(word.startswith("/users/") for word in words)
    ) or (act.program == "sysadminctl" and "-deleteuser" in words):
        act.is_("home_lost")


_OWN: Final[dict[str, Describe]] = {
    **dict.fromkeys(
        (
            "systemctl",
            "service",
            "launchctl",
            "rc-service",
            "chkconfig",
            "update-rc.d",
            "rc-update",
            "sc",
            "initctl",
        ),
        _service,
    ),
    **dict.fromkeys(("pkill", "killall"), _kill),
    **dict.fromkeys(("pgrep", "pidof"), _looks_for_guard),
    **dict.fromkeys(("apt", "apt-get", "aptitude"), _packages),
    "openvpn": _tunnel_scripts,
    **dict.fromkeys(("yum", "dnf", "zypper", "rpm", "dpkg", "brew"), _removal),
    "falconctl": _switch("unload", "uninstall", "-d"),
    "sentinelctl": _switch("unload|disable|stop|uninstall"),
    "elastic-agent": _switch("uninstall"),
    **dict.fromkeys(("osqueryctl", "wazuh-control", "ossec-control"), _switch("stop")),
    "aa-teardown": _switch(""),
    "sysrc": _rc_setting,
    "ufw": _switch("disable", "logging off", "reset"),
    "spctl": _switch("--master-disable", "--global-disable"),
    "mdatp": _switch("config real-time-protection", "config cloud --value", "exclusion"),
    "tmutil": _switch("disable"),
    "iptables": _switch("-F", "--flush"),
    "ip6tables": _switch("-F", "--flush"),
    "find": _find,
    **dict.fromkeys(("grep", "egrep", "rg", "ag", "ack", "zgrep"), _grep),
    **dict.fromkeys(("locate", "mlocate", "plocate"), _locate),
    **dict.fromkeys(("insmod", "kextload", "kextutil", "kmutil", "modprobe"), _module),
    "security": _trust("add-trusted-cert"),
    **dict.fromkeys(("update-ca-certificates", "update-ca-trust"), _trust("")),
    "trust": _trust("anchor !--remove"),
    "certutil": _trust("-addstore"),
    "devtunnel": _tunnel("host", "port create"),
    **dict.fromkeys(("code", "code-insiders", "code-server"), _tunnel("tunnel")),
    "defaults": _login_hook,
    **dict.fromkeys(("at", "batch", "systemd-run"), _later),
    **dict.fromkeys(("useradd", "adduser", "usermod", "pw", "dscl", "sysadminctl"), _account),
}


def _joined(name: str) -> Describe:
    """Return what says all that both tables have on a program."""
    own, proxy = _OWN.get(name), proxies.TABLE.get(name)
    if own is None or proxy is None:
        return own or proxy or _nothing

    def describe(act: Act) -> None:
        own(act)
        proxy(act)

    return describe


def _nothing(_: Act) -> None:
    """Say nothing."""


TABLE: Final[dict[str, Describe]] = {name: _joined(name) for name in {**_OWN, **proxies.TABLE}}
"""Lower-case base name → what says which technique a call is."""


def add(act: Act) -> None:
    """Add to ``act``, which its own table has described, the technique that the call is."""
    describe = TABLE.get(act.program)
    is_tool = _is_tool(act.program) or ("interpreter" in act.traits and any(map(_is_tool, act.operands[:1])))
    if (describe is None and not is_tool) or act.effect == "preview" or is_preview(act):
        return
    if describe is not None:
        describe(act)
    if is_tool:
        act.is_("attack_tool")


@lru_cache(maxsize=1024)
def _is_tool(word: str) -> bool:
    name = word.rpartition("/")[2].lower()
    for ending in _INTERPRETED:
        name = name.removesuffix(ending)
    return name in _TOOLS
