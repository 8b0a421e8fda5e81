"""How Windows spells paths, and which of its files hold secrets. Lexical only.

Source: ``spec/guardrail.md`` §3.3; Microsoft, "Naming Files, Paths, and Namespaces" and "[MS-FSCC]".
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN

_VARIABLE: Final = re.compile(
    r"%(?P<a>[A-Za-z][A-Za-z0-9_]{1,31}(?:\(x86\))?)%|\$\{?env:(?P<b>[A-Za-z]\w{1,31})\}?|\$\{?(?P<c>HOME)\}?(?=/|$)",
    re.IGNORECASE,
)
_HOME_PLACES: Final = {
    "userprofile": "",
    "home": "",
    "homepath": "",
    "appdata": "/AppData/Roaming",
    "localappdata": "/AppData/Local",
    "temp": "/AppData/Local/Temp",
    "tmp": "/AppData/Local/Temp",
    "onedrive": "/OneDrive",
}
_FIXED: Final = {
    "systemroot": "C:/Windows",
    "windir": "C:/Windows",
    "systemdrive": "C:",
    "programdata": "C:/ProgramData",
    "allusersprofile": "C:/ProgramData",
    "public": "C:/Users/Public",
    "programfiles": "C:/Program Files",
    "programfiles(x86)": "C:/Program Files (x86)",
    # What follows, the path of the home, has its drive.
    "homedrive": "",
}
_PROVIDER: Final = re.compile(r"(?:microsoft\.powershell\.core/)?filesystem::", re.IGNORECASE)
_DEVICE: Final = re.compile(
    r"//[?.]/(?:(?P<drive>[A-Za-z]:)|unc/(?P<share>[^/]+/)|"
    r"(?:globalroot/device/)?(?:harddiskvolume(?:shadowcopy)?\d+|bootpartition)(?=/|$))",
    re.IGNORECASE,
)
_ADMIN_SHARE: Final = re.compile(r"//[^/]{1,255}/([A-Za-z])\$(?=/|$)")
_WSL: Final = re.compile(r"//wsl(?:\$|\.localhost)/[^/]{1,64}", re.IGNORECASE)
_ROOTED: Final = re.compile(
    r"/(?:windows|users|programdata|program files(?: \(x86\))?)(?:/|$)", re.IGNORECASE
)
_SHORT: Final = {
    "progra~1": "Program Files", "progra~2": "Program Files (x86)", "progra~3": "ProgramData",
    "docume~1": "Documents and Settings", "micros~1": "Microsoft", "creden~1": "Credentials",
    "powers~1": "PowerShell", "window~1": "WindowsPowerShell", "psread~1": "PSReadLine",
    "startm~1": "Start Menu",
    "consol~1.txt": "ConsoleHost_history.txt", "ssh~1": ".ssh", "aws~1": ".aws", "kube~1": ".kube",
    "gnupg~1": ".gnupg", "azure~1": ".azure", "docker~1": ".docker", "id_ed2~1": "id_ed25519",
    "git-cr~1": ".git-credentials", "netrc~1": ".netrc", "npmrc~1": ".npmrc", "pypirc~1": ".pypirc",
    "env~1": ".env", "claude~1": ".claude", "codex~1": ".codex", "defens~1": ".defenseclaw",
}  # fmt: skip
"""Short names as Windows makes the first of each, for what is worth knowing."""

_HIVE: Final = re.compile(
    r"/windows/(?:system32/config(?:/regback)?|repair)(?:/(?:sam|security|system)(?:\.\w{1,8})?|/[^/]{0,64}[*?][^/]{0,64})?\Z"
    r"|/windows/ntds(?:/(?:ntds\.dit|[^/]{0,64}[*?][^/]{0,64}))?\Z"
)
_VAULT: Final = re.compile(r"/microsoft/(?:credentials|vault)(?:/|\Z)")
_DPAPI: Final = re.compile(r"/microsoft/protect(?:/|\Z)")
_SYSTEM_FILE: Final = re.compile(
    r"/windows/(?:(?:system32|syswow64)/(?:[^/]+\.(?:exe|dll|sys|msc|cpl|ocx)\Z|drivers/)|[^/]+\.(?:exe|dll)\Z)"
).match
_STARTUP: Final = "/start menu/programs/startup"


def with_variables(value: str, home: str) -> str:
    """Replace the environment variables that hold a well-known place; others stay as they are written."""

    def place(match: re.Match[str]) -> str:
        name = (match["a"] or match["b"] or match["c"]).lower()
        if name in _HOME_PLACES:
            return f"{home}{_HOME_PLACES[name]}" if home else UNKNOWN
        if name == "username" and home:
            return home.rpartition("/")[2]
        return _FIXED.get(name, match[0])

    return _VARIABLE.sub(place, value)


def plain(value: str) -> str:
    """Return a path, slashes forward, without the prefixes and short names that Windows knows for it."""
    if "::" in value:
        value = _PROVIDER.sub("", value, count=1)
    if value.startswith("//"):
        device = _DEVICE.match(value)
        if device is not None:
            start = f"//{device['share']}" if device["share"] else device["drive"] or "C:"
            value = start + value[device.end() :]
        share = _ADMIN_SHARE.match(value)
        if share is not None:
            value = f"{share[1]}:{value[share.end() :] or '/'}"
        elif (linux := _WSL.match(value)) is not None:
            value = value[linux.end() :] or "/"
    elif _ROOTED.match(value) is not None:
        value = f"C:{value}"
    if "~" in value:
        value = "/".join(_SHORT.get(part.lower(), part) if "~" in part else part for part in value.split("/"))
    return value


def add_classes(out: set[str], path: str) -> None:
    """Add what a folded path is by the names that Windows has for it, in a home or below a drive."""
    if _VAULT.search(path) is not None:
        out.add("windows_vault")
    elif _DPAPI.search(path) is not None:
        out.add("dpapi_key")
    if _STARTUP in path:
        out.add("autostart")
    if path[1:2] != ":":
        return
    if _SYSTEM_FILE(path, 2) is not None:
        out.add("windows_file")
    if _HIVE.search(path) is not None:
        out.add("windows_hive")
    if path[2:] == "/programdata/ssh/administrators_authorized_keys":
        out.add("authorized_keys")
