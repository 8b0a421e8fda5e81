"""Programs of Windows and PowerShell, by the names they have on the command line."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Program, grammar, is_url

_PS: Final = grammar(
    "-path,-literalpath,-pa= -destination= -filter= -include= -exclude= -value= -name= -id= -uri,-u= "
    "-outfile,-o= -infile= "
    "-method= -body= -headers= -encoding= -command= -execute= -argument= -credential= -group= "
    "-member= -filepath= "
    "-recurse,-r,-rec -force,-fo -confirm -whatif,-wi -raw -erroraction,-ea= -propertytype= -type= "
    "-itemtype=",
    words=True,
)
_SWITCHES: Final = grammar(words=True)


def _names(act: Act) -> list[str]:
    return [*act.all("-path"), *act.operands]


def _is_preview(act: Act) -> bool:
    if act.has("-whatif") and act.value("-whatif").lower() != "$false":
        act.preview()
        return True
    return False


def _remove_item(act: Act) -> None:
    lowered = {word.lower() for word in act.words}
    act.does("delete")
    if (
        "-recurse" in {option.lower() for option in act.options}
        or "/s" in lowered
        or any(w.startswith("-rec") for w in lowered)
    ):
        act.is_("recursive")
    if any(w.startswith("-fo") and ":" not in w for w in lowered) or "/q" in lowered or "/f" in lowered:
        act.is_("force")
    act.touch("delete", [name for name in _names(act) if not re.fullmatch(r"/[a-zA-Z]", name)])
    if any(w.startswith("-whatif") for w in lowered):
        act.preview()


def _get_content(act: Act) -> None:
    act.does("read")
    act.touch("read", _names(act), "stdout")


def _set_content(act: Act) -> None:
    access = "append" if act.program in ("add-content", "ac") else "write"
    act.does(access)
    act.touch(access, [*act.all("-path", "-filepath"), *act.operands[:1]], "sink")
    act.stdin = "file"
    _is_preview(act)


def _copy_item(act: Act) -> None:
    words = _names(act)
    target = act.value("-destination") or (words[-1] if len(words) > 1 else "")
    move = act.program.startswith(("move", "mi", "ren"))
    act.does("move" if move else "copy", "read", "write")
    act.touch("move" if move else "copy_from", [word for word in words if word != target], "from")
    act.touch("copy_to", [target], "to")
    _is_preview(act)


def _web(act: Act) -> None:
    urls = [*act.all("-uri"), *(word for word in act.operands if is_url(word))]
    sends = act.has("-infile", "-body") or act.value("-method").upper() in ("POST", "PUT")
    act.does("upload" if sends else "fetch")
    for url in urls:
        act.talk("upload" if sends else "download", url)
    act.touch("read", act.all("-infile"), "upload")
    act.touch("write", act.all("-outfile"), "download")
    act.args = "network"
    if not act.has("-outfile"):
        act.emits.append("network")


def _invoke(act: Act) -> None:
    act.does("execute")
    act.is_("interpreter", "shell", "stdin_code")
    act.language = "powershell"
    act.stdin = act.args = "code"


def _stop_process(act: Act) -> None:
    act.does("process_kill")
    lowered = " ".join(act.words).lower()
    if re.search(r"-name \*|/im \*(?:\s|$)|\*", lowered):
        act.is_("kill_all")
    if re.search(r"-force|/f\b", lowered):
        act.is_("kill_force")
    if "defenseclaw" in lowered:
        act.is_("self_stop")


_PERSISTENT_KEYS: Final = re.compile(
    r"(?i)\\(?:run|runonce|winlogon|image file execution options)\b|\\services\\.*(?:imagepath|servicedll)"
)


def _registry(act: Act) -> None:
    words = " ".join(act.words)
    verb = act.operand(0).lower()
    if act.program == "reg" and verb in ("query", "export", "compare"):
        act.does("read")
        return
    if act.program == "reg" and verb == "save" and re.search(r"(?i)\\(?:sam|security|system)\b", words):
        act.does("credential_read")
        act.is_("secret_value")
        return
    act.does("config_change")
    if _PERSISTENT_KEYS.search(words):
        act.does("schedule")
        act.is_("schedule_install")


def _scheduled(act: Act) -> None:
    words = {word.lower() for word in act.words}
    if act.program.startswith(("register", "new-service")) or words & {"/create", "-create", "/change"}:
        act.does("schedule")
        act.is_("schedule_install")
    elif "/delete" in words:
        act.does("schedule")
        act.is_("schedule_remove")


def _permissions(act: Act) -> None:
    act.does("permission_change")
    text = " ".join(act.words).lower()
    if re.search(r"everyone:\(?(?:oi|ci|\)|\()*(?:f|m|w)\b|everyone:.*[fmw]", text):
        act.is_("world_writable")
    if act.program == "takeown" or "/setowner" in text:
        act.is_("owner_change")
    act.touch(
        "permission", [word for word in act.operands[:1] if not word.startswith("/")] or act.all("-path")
    )


def _certutil(act: Act) -> None:
    text = " ".join(act.words).lower()
    if "urlcache" in text:
        act.does("fetch", "write")
        for word in act.operands:
            if is_url(word):
                act.talk("download", word)
        act.touch("write", act.operands[-1:], "download")
    elif "decode" in text:
        act.does("decode", "read", "write")
        act.touch("read", act.operands[:1], "from")
        act.touch("write", act.operands[1:2], "to")


def _account(act: Act) -> None:
    text = " ".join(act.words).lower()
    if act.program == "net" and not ("/add" in text or "/delete" in text):
        if " stop " in f" {text} ":
            act.is_("service_stop")
            act.does("process_kill")
        return
    act.does("account_change")
    if re.search(r"administrators|remote desktop users|domain admins|enterprise admins", text):
        act.is_("privileged_group")


def _destroy(act: Act) -> None:
    text = " ".join(act.words).lower()
    if act.program in ("format", "format-volume", "clear-disk", "initialize-disk"):
        act.does("disk_write")
        act.touch("write", act.operands[:1])
    elif act.program == "diskpart":
        act.does("disk_write")
    elif re.search(r"delete|resize shadowstorage|recoveryenabled no|ignoreallfailures|/w:", text):
        act.does("delete", "disk_write")
        act.is_("force")


def _logs(act: Act) -> None:
    text = " ".join(act.words).lower()
    if act.program == "clear-eventlog" or re.search(r"\bcl\b|clear-log", text):
        act.is_("log_clear")


def _policy(act: Act) -> None:
    text = " ".join(act.words).lower()
    act.does("config_change")
    if act.program == "set-mppreference" and re.search(r"disable\w+|exclusion", text):
        act.is_("firewall_off")
    if act.program == "netsh" and re.search(r"state off|opmode\s*(?:=\s*)?disable", text):
        act.is_("firewall_off")


def _rows(describe: object, *names: str) -> dict[str, Program]:
    return {name: Program(_PS, describe, frozenset({"-?"})) for name in names}  # type: ignore[arg-type]


PROGRAMS: Final[dict[str, Program]] = {
    **_rows(_remove_item, "remove-item", "ri", "rd", "del", "erase"),
    **_rows(_get_content, "get-content", "gc"),
    **_rows(_set_content, "set-content", "sc-content", "add-content", "ac", "out-file"),
    **_rows(
        _copy_item, "copy-item", "cpi", "move-item", "mi", "rename-item", "copy", "xcopy", "robocopy", "move"
    ),
    **_rows(_web, "invoke-webrequest", "iwr", "invoke-restmethod", "irm", "start-bitstransfer"),
    **_rows(_invoke, "invoke-expression", "iex"),
    **_rows(_stop_process, "stop-process", "spps", "taskkill", "tskill"),
    **_rows(_registry, "reg", "set-itemproperty", "new-itemproperty"),
    **_rows(_scheduled, "schtasks", "register-scheduledtask", "new-service", "register-scheduledjob"),
    **_rows(_permissions, "icacls", "cacls", "takeown", "set-acl"),
    "certutil": Program(_SWITCHES, _certutil),
    **_rows(_account, "net", "net1", "add-localgroupmember", "add-adgroupmember", "new-localuser"),
    **_rows(
        _destroy,
        "format",
        "format-volume",
        "clear-disk",
        "initialize-disk",
        "diskpart",
        "vssadmin",
        "bcdedit",
        "wbadmin",
        "cipher",
    ),
    **_rows(_logs, "wevtutil", "clear-eventlog"),
    **_rows(_policy, "set-executionpolicy", "set-mppreference", "netsh"),
}
