"""Names of PowerShell and cmd.exe: cmdlets, their aliases, builtins, and what variables hold at the start."""

from __future__ import annotations

from typing import Final


def _table(rows: str) -> dict[str, str]:
    """Return alias → cmdlet of lines ``cmdlet: alias alias``."""
    out = {}
    for line in rows.strip().splitlines():
        name, _, aliases = line.partition(":")
        out.update(dict.fromkeys(aliases.split(), name.strip()))
    return out


ALIASES: Final = _table(
    """
    remove-item: ri rd del erase rmdir rm
    get-content: gc type cat
    set-content: sc
    add-content: ac
    copy-item: cpi copy cp
    move-item: mi move mv
    rename-item: rni ren
    new-item: ni
    clear-content: clc
    clear-item: cli
    get-childitem: gci dir ls
    get-item: gi
    set-item: si
    get-itemproperty: gp
    set-itemproperty: sp
    remove-itemproperty: rp
    invoke-webrequest: iwr
    invoke-restmethod: irm
    invoke-expression: iex
    invoke-command: icm
    invoke-item: ii
    invoke-wmimethod: iwmi
    invoke-cimmethod: icim
    get-wmiobject: gwmi
    start-process: saps start
    stop-process: spps kill
    stop-service: spsv
    start-job: sajb
    start-service: sasv
    foreach-object: % foreach
    where-object: ? where
    select-object: select
    sort-object: sort
    select-string: sls
    measure-object: measure
    group-object: group
    compare-object: compare diff
    tee-object: tee
    out-host: oh
    out-printer: lp
    format-table: ft
    format-list: fl
    write-output: echo write
    set-location: sl cd chdir
    push-location: pushd
    pop-location: popd
    get-location: gl pwd
    set-variable: sv set
    get-variable: gv
    new-variable: nv
    set-alias: sal
    new-alias: nal
    get-command: gcm
    get-process: gps ps
    get-history: ghy h history
    clear-history: clhy
    import-module: ipmo
    new-psdrive: ndr mount
    new-pssession: nsn
    enter-pssession: etsn
    resolve-path: rvpa
    convert-path: cvpa
    get-clipboard: gcb
    get-member: gm
    start-sleep: sleep
    """
)
SHARED: Final = frozenset(
    [
        "rm",
        "cp",
        "mv",
        "cat",
        "ls",
        "rmdir",
        "kill",
        "ps",
        "sort",
        "tee",
        "diff",
        "echo",
        "sleep",
        "history",
        "pwd",
        "mount",
        "dir",
        "type",
        "cd",
        "start",
        "where",
    ]
)
"""Aliases that outside Windows are programs of their own; parameters tell which is meant."""
PROGRAM_ALIASES: Final = {"curl": "invoke-webrequest", "wget": "invoke-webrequest"}
"""Aliases of Windows PowerShell for what is a program of its own everywhere else."""

CMDLETS: Final = frozenset(ALIASES.values()) | frozenset(
    [
        "add-type",
        "new-object",
        "out-file",
        "out-string",
        "out-null",
        "out-default",
        "write-host",
        "write-error",
        "write-verbose",
        "join-path",
        "split-path",
        "test-path",
        "get-date",
        "get-service",
        "set-service",
        "new-service",
        "remove-service",
        "get-executionpolicy",
        "set-executionpolicy",
        "register-scheduledtask",
        "unregister-scheduledtask",
        "new-scheduledtaskaction",
        "register-scheduledjob",
        "start-bitstransfer",
        "set-acl",
        "get-acl",
        "set-mppreference",
        "add-mppreference",
        "get-credential",
        "convertto-securestring",
        "convertfrom-securestring",
        "convertto-json",
        "convertfrom-json",
        "export-csv",
        "import-csv",
        "export-clixml",
        "import-clixml",
        "clear-eventlog",
        "remove-eventlog",
        "wevtutil",
        "clear-disk",
        "format-volume",
        "initialize-disk",
        "remove-partition",
        "stop-computer",
        "restart-computer",
        "compress-archive",
        "expand-archive",
        "new-localuser",
        "add-localgroupmember",
        "set-localuser",
        "add-adgroupmember",
        "send-mailmessage",
        "clear-recyclebin",
        "new-itemproperty",
        "get-itempropertyvalue",
        "enable-psremoting",
        "test-connection",
        "test-netconnection",
        "resolve-dnsname",
        "read-host",
        "set-netfirewallprofile",
        "disable-netfirewallrule",
        "save-module",
        "install-module",
        "install-script",
        "install-package",
        "unblock-file",
        "set-psreadlineoption",
        "import-certificate",
        "get-computerinfo",
        "get-wmiobject",
        "get-ciminstance",
        "invoke-wmimethod",
        "invoke-cimmethod",
        "set-wmiinstance",
        "remove-wmiobject",
        "new-cimsession",
        "register-wmievent",
        "register-objectevent",
        "checkpoint-computer",
        "disable-computerrestore",
        "get-eventlog",
        "get-winevent",
        "set-date",
        "enable-computerrestore",
        "stop-service",
    ]
)
"""Cmdlets by their full name, lower case."""

BUILTINS: Final = frozenset(
    [
        "del",
        "erase",
        "rd",
        "rmdir",
        "type",
        "copy",
        "move",
        "ren",
        "rename",
        "md",
        "mkdir",
        "dir",
        "set",
        "echo",
        "cd",
        "chdir",
        "pushd",
        "popd",
        "if",
        "for",
        "call",
        "start",
        "rem",
        "cls",
        "ver",
        "vol",
        "assoc",
        "ftype",
        "mklink",
        "more",
        "xcopy",
        "attrib",
    ]
)
"""Words that cmd.exe acts on itself, and the programs that are written like them."""

NATIVE: Final = frozenset(
    [
        "reg",
        "schtasks",
        "icacls",
        "cacls",
        "taskkill",
        "wmic",
        "sc",
        "net",
        "net1",
        "netsh",
        "certutil",
        "bitsadmin",
        "vssadmin",
        "wbadmin",
        "bcdedit",
        "diskpart",
        "cipher",
        "takeown",
        "robocopy",
        "xcopy",
        "wevtutil",
        "rundll32",
        "mshta",
        "regsvr32",
        "cmdkey",
        "vaultcmd",
        "fsutil",
        "esentutl",
        "forfiles",
        "runas",
        "auditpol",
        "findstr",
        "where",
        "tasklist",
        "systeminfo",
        "cscript",
        "wscript",
        "msiexec",
        "cmstp",
        "installutil",
        "odbcconf",
        "pcalua",
        "regasm",
        "regsvcs",
        "mavinject",
        "ntdsutil",
        "fltmc",
        "dnscmd",
        "desktopimgdownldr",
        "extrac32",
        "hh",
        "scriptrunner",
        "rdrleakdiag",
        "mpcmdrun",
        "diskshadow",
    ]
)
"""Programs that only Windows has."""

SYSTEM_VARIABLES: Final = {
    "comspec": "C:\\Windows\\system32\\cmd.exe",
    "systemroot": "C:\\Windows",
    "windir": "C:\\Windows",
    "systemdrive": "C:",
    "programfiles": "C:\\Program Files",
    "programfiles(x86)": "C:\\Program Files (x86)",
    "programw6432": "C:\\Program Files",
    "commonprogramfiles": "C:\\Program Files\\Common Files",
    "programdata": "C:\\ProgramData",
    "allusersprofile": "C:\\ProgramData",
    "public": "C:\\Users\\Public",
    "driverdata": "C:\\Windows\\System32\\Drivers\\DriverData",
    "os": "Windows_NT",
    "pathext": ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
    "psmodulepath": (
        "C:\\Program Files\\WindowsPowerShell\\Modules;"
        "C:\\Windows\\system32\\WindowsPowerShell\\v1.0\\Modules"
    ),
}
"""Environment variables that hold the same on every machine, by lower-case name."""

SHELL_VARIABLES: Final[dict[str, str]] = {
    "pshome": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
    "shellid": "Microsoft.PowerShell",
    "verbosepreference": "SilentlyContinue",
    "debugpreference": "SilentlyContinue",
    "warningpreference": "Continue",
    "ofs": " ",
}
"""Variables of PowerShell that names are spelt from to hide them."""


def home_variables(home: str) -> dict[str, str]:
    """Return the environment variables that hold the home directory or a place in it."""
    if not home:
        return {}
    place = home.replace("\\", "/")
    drive, rest = (place[:2], place[2:]) if place[1:2] == ":" else ("", place)
    return {
        "userprofile": place,
        "home": place,
        "homedrive": drive,
        "homepath": rest,
        "appdata": f"{place}/AppData/Roaming",
        "localappdata": f"{place}/AppData/Local",
        "temp": f"{place}/AppData/Local/Temp",
        "tmp": f"{place}/AppData/Local/Temp",
        "onedrive": f"{place}/OneDrive",
        "username": place.rpartition("/")[2],
    }
