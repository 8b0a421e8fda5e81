"""Programs of Windows that run, fetch, dump or switch off in somebody's name.

Each comes with the system and is trusted, each has an honest use, and each has calls that hardly have one:
those are the rows here. :data:`TABLE` joins that of :mod:`~defenseclaw.detection.programs.techniques`.

Source: ATT&CK techniques T1003, T1036, T1105, T1112, T1127, T1197, T1218, T1562 as classes of effects;
Microsoft's documentation of each program.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import re2

from defenseclaw.detection.programs.base import Act, Describe

_MAX_TEXT: Final = 4096
_RUNS: Final = "proxy_execution"
_FETCHES: Final = "proxy_download"
_DUMPS: Final = "credential_dump"
_UNGUARDS: Final = "firewall_off"

_SHARE: Final = r"\\\\[\w$@-][\w.$@-]*\\"
_OWN_SHARES: Final = ("\\\\wsl$\\", "\\\\wsl.localhost\\")
"""The Linux beside this Windows is no other machine."""
_REMOTE: Final = rf"(?:https?://|{_SHARE})"
_OPEN: Final = (
    r"[\\/](?:users[\\/]public|temp|tmp|appdata|downloads|programdata|perflogs)[\\/]"
    r"|(?:%|\$env:)(?:temp|tmp|appdata|localappdata|public|programdata)\b"
)
"""Places everybody, or everything a browser fetches, may write to."""
_PUBLIC: Final = r"[\\/](?:users[\\/]public|perflogs|windows[\\/](?:temp|tasks))[\\/]"
_FOREIGN: Final = rf"{_REMOTE}|{_OPEN}"

_GUARDS: Final = (
    r"windefend|windows ?defender|%defender|\bdefender\b|mpssvc|wscsvc|eventlog|securityhealth"
    r"|\b(?:ms)?sense\b|wdnissvc|wdfilter"
    r"|\bbfe\b|sysmon|csfalcon|csagent|crowdstrike|sentinel(?:agent|one|monitor)|msmpeng|nissrv|carbonblack|cbdefense"
    r"|cylance|sophos|mcafee|mcshield|symantec|ccsvchst|tmlisten|kaspersky|\bavp\b|\beset\b|\bekrn\b|avast|malwarebytes"
    r"|\bmbam|bitdefender|elastic-(?:agent|endpoint)|winlogbeat|\bwazuh|osqueryd|\bcyserver\b|\bxagt\b|taniumclient"
)
"""Names, lower case, of what guards or watches a Windows machine."""

_LIBRARY_CALLS: Final = (
    r"(?:javascript|vbscript):|mshtml[\s,.]|zipfldr(?:\.dll)?[\s,]+routethecall"
    r"|advpack(?:\.dll)?[\s,]+(?:launchinf|registerocx|delnoderun|#\+?12)|setupapi(?:\.dll)?[\s,]+installhinf"
    r"|syssetup(?:\.dll)?[\s,]+setupinf|pcwutl(?:\.dll)?[\s,]+launchapplication|dfshim(?:\.dll)?[\s,]+shopenverb"
    r"|desk\.cpl[\s,]+installscreensaver|davclnt(?:\.dll)?[\s,]+davsetcookie|scrobj(?:\.dll)?[\s,]+generatetypelib"
    r"|(?:url|ieframe|shdocvw)(?:\.dll)?[\s,]+(?:openurl|openurla|fileprotocolhandler)[\s,]+"
    r"\"?(?:file:|[a-z]:[\\/]|\\\\|[\w.-]+\.(?:exe|com|scr|hta|bat|cmd|vbs|js|lnk|url)\b)"
    r"|shell32(?:\.dll)?[\s,]+shellexec_rundll"
)
"""Entries of system libraries that start whatever they are given; opening a page is what they are for."""

_CREATES: Final = r"\bcreate\b"
_SETS_ONE: Final = r".*(?:/d|-value)\s+(?:0x0*)?1\b"
_SETS_ZERO: Final = r".*(?:/d|-value)\s+(?:0x)?0\b"
_PROTECTION_KEYS: Final = (
    rf"windows defender\b.*\bdisable\w+{_SETS_ONE}|windows defender[\\/]exclusions[\\/]"
    rf"|windows defender[\\/].*\b(?:tamperprotection|spynetreporting|puaprotection){_SETS_ZERO}"
    rf"|\bwdigest\b.*\buselogoncredential{_SETS_ONE}"
    rf"|[\\/]lsa\b.*\b(?:runasppl\w*|disablerestrictedadmin|nolmhash|limitblankpassworduse|lmcompatibilitylevel){_SETS_ZERO}"
    rf"|[\\/]policies[\\/]system\b.*\b(?:enablelua|consentpromptbehavioradmin|promptonsecuredesktop){_SETS_ZERO}"
    rf"|\blocalaccounttokenfilterpolicy{_SETS_ONE}|\bamsienable{_SETS_ZERO}|\betwenabled{_SETS_ZERO}"
    rf"|\b(?:enablescriptblocklogging|enablemodulelogging|enabletranscripting){_SETS_ZERO}"
    rf"|firewallpolicy[\\/].*\benablefirewall{_SETS_ZERO}|\bhypervisorenforcedcodeintegrity\b{_SETS_ZERO}"
    r"|[\\/]services[\\/](?:windefend|mpssvc|wscsvc|eventlog|sense|wdnissvc|wdfilter|wdboot|securityhealthservice)\b"
    r".*\bstart\b.*(?:/d|-value)\s+(?:0x)?4\b"
)
_REGISTRY: Final = (
    (rf"\A(?:add\s|-|hk|registry:|microsoft\.).*(?:{_PROTECTION_KEYS})", _UNGUARDS),
    (r"\Adelete\s.*(?:windows defender|[\\/]amsi[\\/]providers|[\\/]safeboot[\\/])", _UNGUARDS),
    (
        r"\Aquery\s.*winlogon\b.*\bdefaultpassword|\Aquery\s.*(?:simontatham[\\/]putty|orl[\\/]winvnc|realvnc)",
        "stored_secret",
    ),
    (r"\Aquery\s+\"?hk(?:lm|cu|ey_\w+)\"?\s.*/f\s+\"?\*?passw", "credential_hunt"),
)

_ROWS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    # what runs something else
    "mshta": ((r"\S", _RUNS),),
    "regsvr32": ((rf"/i:\S*{_REMOTE}|\bscrobj(?:\.dll)?\b|{_FOREIGN}", _RUNS),),
    "rundll32": ((rf"{_LIBRARY_CALLS}|{_SHARE}|(?:{_OPEN})[^\s,]*[\s,]", _RUNS),),
    "wmic": (
        (rf"/format:\s*\"?\S*(?:{_REMOTE}|[\\/]\S*\.xsl)|\bprocess\s+call\s+create\b", _RUNS),
        (
            rf"(?:{_GUARDS}).*\bcall\s+(?:uninstall|stopservice|terminate)"
            rf"|(?:{_GUARDS}).*\bdelete\b",
            _UNGUARDS,
        ),
    ),
    "cmstp": ((r"/(?:s|ns|ni|au)\b", _RUNS),),
    "odbcconf": ((r"\bregsvr\b|[/-]f\b|\.rsp\b", _RUNS),),
    "forfiles": ((r"/p\s+\S*windows\S*.*/m\s+[\w-]+\.exe\b", _RUNS),),
    "pcalua": ((r"-a\b", _RUNS),),
    "pcwrun": ((r"\S", _RUNS),),
    "scriptrunner": ((r"-appvscript", _RUNS),),
    "syncappvpublishingserver": ((r"\S", _RUNS),),
    "mavinject": ((r"/injectrunning|/hmodule", _RUNS),),
    "ttdinject": ((r"\S", _RUNS),),
    "xwizard": ((r"\brunwizard\b", _RUNS),),
    "infdefaultinstall": ((r"\S", _RUNS),),
    "verclsid": ((r"/c\b", _RUNS),),
    "msdt": ((r"\bit_(?:browseforfile|rebrowseforfile|launchmethod)", _RUNS),),
    "gpscript": ((r"/(?:logon|startup)\b", _RUNS),),
    "diskshadow": ((r"[/-]s\b", _RUNS),),
    "dnscmd": ((r"/serverlevelplugindll", _RUNS),),
    "wuauclt": ((r"/updatedeploymentprovider", _RUNS),),
    "register-cimprovider": ((r"-path\b", _RUNS),),
    "certoc": ((r"-loaddll", _RUNS), (r"-getcacaps\s+http", _FETCHES)),
    "presentationhost": ((_REMOTE, _RUNS),),
    "ieexec": ((_REMOTE, _RUNS),),
    "dfsvc": ((_REMOTE, _RUNS),),
    "hh": ((rf"{_FOREIGN}|\.chm\b", _RUNS),),
    "installutil": ((rf"/logfile=?(?:\s|\z).*/u\b|{_REMOTE}|{_PUBLIC}", _RUNS),),
    "msbuild": ((rf"{_REMOTE}|{_PUBLIC}", _RUNS),),
    "regasm": ((_FOREIGN, _RUNS),),
    "regsvcs": ((_FOREIGN, _RUNS),),
    "control": ((rf"(?:{_FOREIGN}).*\.cpl\b", _RUNS),),
    "explorer": ((r"/root,\S*\.exe\b", _RUNS),),
    "conhost": ((r"--headless", _RUNS),),
    "msiexec": ((rf"[/-][yz]\s+\"?\S*(?:{_FOREIGN})", _RUNS),),
    **dict.fromkeys(
        ("cscript", "wscript"),
        ((rf"\bscript:|{_SHARE}|{_PUBLIC}|//e:\w+\s.*\.(?:txt|log|dat|jpe?g|png|gif|tmp)\b", _RUNS),),
    ),
    **dict.fromkeys(
        ("invoke-wmimethod", "invoke-cimmethod"),
        ((rf"win32_process\b.*{_CREATES}|{_CREATES}.*win32_process", _RUNS),),
    ),
    # what fetches
    "certutil": ((r"(?:urlcache|verifyctl|[/-]url)\b.*https?://", _FETCHES),),
    "bitsadmin": (
        (rf"[/-](?:transfer|addfile)\b.*{_REMOTE}", _FETCHES),
        (r"[/-]setnotifycmdline\b", _RUNS),
    ),
    "desktopimgdownldr": ((r"/lockscreenurl:", _FETCHES),),
    "certreq": ((r"-post\b.*https?://", _FETCHES),),
    "imewdbld": ((_REMOTE, _FETCHES),),
    "configsecuritypolicy": ((_REMOTE, _FETCHES),),
    **dict.fromkeys(("extrac32", "print", "replace", "expand"), ((_SHARE, _FETCHES),)),
    "mpcmdrun": ((r"-downloadfile\b", _FETCHES), (r"-removedefinitions|-restore\b", _UNGUARDS)),
    # what shows or dumps what people log in with
    **dict.fromkeys(
        ("procdump", "procdump64", "createdump", "adplus", "dumpminitool", "sqldumper"),
        ((r"\blsass\b", _DUMPS),),
    ),
    "rdrleakdiag": ((r"/fullmemdmp", _DUMPS),),
    "tttracer": ((r"-dumpfull\b", _DUMPS),),
    **dict.fromkeys(
        ("ntdsutil", "dsdbutil"),
        ((r"\bifm\b|\bac(?:tivate)?\s+i(?:n|nstance)?\s+ntds|\bcreate\s+(?:full|sysvol)", _DUMPS),),
    ),
    "findstr": ((r"\bcpassword\b|/s\b.*\bpassw\w*\b.*\s\"?[a-z]:\\\*", "credential_hunt"),),
    "netsh": (
        (r"\bwlan\b.*\bkey\s*=?\s*clear\b", "stored_secret"),
        (r"^add\s+helper\b", _RUNS),
    ),
    # what switches a defence off, or its traces
    **dict.fromkeys(
        ("net", "net1"),
        (
            (rf"\Astop\s.*(?:{_GUARDS})", _UNGUARDS),
            (r"\Auser\s+\"?(?:administrator|guest|krbtgt)\"?\s+(?:/active:y|[^/\s])", "privileged_group"),
        ),
    ),
    "sc": (
        (rf"(?:\A|\s)(?:stop|delete|pause)\b.*(?:{_GUARDS})", _UNGUARDS),
        (rf"\bconfig\s.*(?:{_GUARDS}).*\bstart=\s*(?:disabled|demand)", _UNGUARDS),
        (r"\bconfig\s.*\bbinpath=|\bfailure\s.*\bcommand=", "service_enable"),
    ),
    **dict.fromkeys(("taskkill", "stop-process", "spps", "tskill"), ((_GUARDS, _UNGUARDS),)),
    **dict.fromkeys(("stop-service", "remove-service"), ((_GUARDS, _UNGUARDS),)),
    "set-service": ((rf"(?:{_GUARDS}).*\bdisabled\b|\bdisabled\b.*(?:{_GUARDS})", _UNGUARDS),),
    "auditpol": ((r"/clear\b|/remove\b|(?:success|failure):disable", "log_clear firewall_off"),),
    "fltmc": ((r"\bunload\b|\bdetach\b", _UNGUARDS),),
    **dict.fromkeys(("sysmon", "sysmon64"), ((r"(?:\A|\s)[/-]u\b", _UNGUARDS),)),
    "bcdedit": (
        (r"\b(?:testsigning|nointegritychecks)\s+on\b", _UNGUARDS),
        (r"\brecoveryenabled\s+no\b|\bignoreallfailures\b", "backup_lost"),
    ),
    "wevtutil": ((r"\Asl\s.*/e:f|\Aset-log\s.*/enabled:f", "log_clear"),),
    "fsutil": ((r"\busn\s+deletejournal\b", "log_clear"),),
    "set-mppreference": (
        (
            r"-mapsreporting\s+(?:0|disabled)|-submitsamplesconsent\s+(?:2|neversend)"
            r"|-puaprotection\s+(?:0|disabled)"
            r"|-\w+threatdefaultaction\s+(?:6|9|allow|noaction)"
            r"|-enable(?:controlledfolderaccess|networkprotection)\s+(?:0|disabled)",
            _UNGUARDS,
        ),
    ),
    "disable-amsi": ((r"", _UNGUARDS),),
    **dict.fromkeys(
        ("uninstall-windowsfeature", "remove-windowsfeature", "disable-windowsoptionalfeature"),
        ((r"windows-defender", _UNGUARDS),),
    ),
    "dism": ((r"/disable-feature\b.*windows-defender", _UNGUARDS),),
    **dict.fromkeys(("reg", "set-itemproperty", "new-itemproperty"), _REGISTRY),
}
"""Lower-case base name → (what stands in the words, lower case; the traits such a call has)."""


@cache
def _compiled(name: str) -> tuple[tuple[re2._Regexp, tuple[str, ...]], ...]:
    """Return the rows of a program, compiled when it is first met: few machines have any of them."""
    return tuple((re2.compile(f"(?s){pattern}"), tuple(traits.split())) for pattern, traits in _ROWS[name])


def _describe(act: Act) -> None:
    text = " ".join(act.words)[:_MAX_TEXT].lower()
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    for share in _OWN_SHARES:
        text = text.replace(share, "")
    for pattern, traits in _compiled(act.program):
        if pattern.search(text) is not None:
            act.is_(*traits)


TABLE: Final[dict[str, Describe]] = dict.fromkeys(_ROWS, _describe)
