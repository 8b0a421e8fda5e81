"""Classes of .NET that act: which cmdlet one call of them is like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.windows import values
from defenseclaw.detection.windows.values import Data, Instance, text_of

_Words = Callable[[list[str]], "tuple[str, ...]"]


def _first(name: str, *options: str) -> _Words:
    return lambda texts: (name, *texts[:1], *options)


def _both(name: str) -> _Words:
    return lambda texts: (name, *texts[:2])


def _download(texts: list[str]) -> tuple[str, ...]:
    return ("Invoke-WebRequest", "-Uri", *texts[:1], *(("-OutFile", texts[1]) if len(texts) > 1 else ()))


def _send(texts: list[str]) -> tuple[str, ...]:
    return ("Invoke-WebRequest", "-Uri", *texts[:1], "-Method", "POST", "-Body", *texts[-1:])


def _send_file(texts: list[str]) -> tuple[str, ...]:
    return ("Invoke-WebRequest", "-Uri", *texts[:1], "-Method", "POST", "-InFile", *texts[-1:])


def _fetch(texts: list[str]) -> tuple[str, ...]:
    return ("Invoke-WebRequest", "-Uri", *texts[:1])


def _remove_tree(texts: list[str]) -> tuple[str, ...]:
    deep = ("-Recurse", "-Force") if len(texts) > 1 and texts[1].lower() in ("1", "true") else ()
    return ("Remove-Item", *texts[:1], *deep)


def _start(texts: list[str]) -> tuple[str, ...]:
    return ("Start-Process", *texts[:1], *(("-ArgumentList", *texts[1:]) if len(texts) > 1 else ()))


_WEB: Final[dict[str, _Words]] = {
    "downloadstring": _fetch, "downloaddata": _fetch, "openread": _fetch, "getstringasync": _fetch,
    "getbytearrayasync": _fetch, "getasync": _fetch, "getstreamasync": _fetch, "downloadstringasync": _fetch,
    "downloadstringtaskasync": _fetch, "downloadfile": _download, "downloadfileasync": _download,
    "downloadfiletaskasync": _download, "uploadstring": _send, "uploaddata": _send, "uploadvalues": _send,
    "postasync": _send, "uploadfile": _send_file, "uploadfileasync": _send_file,
}  # fmt: skip
_READERS: Final = ("readalltext", "readalllines", "readallbytes", "openread", "opentext", "open", "readlines")
_WRITERS: Final = ("writealltext", "writealllines", "writeallbytes", "create", "openwrite", "createtext")
_STATIC: Final[dict[str, dict[str, _Words]]] = {
    "io.file": {
        **dict.fromkeys(_READERS, _first("Get-Content")),
        **dict.fromkeys(_WRITERS, _first("Set-Content")),
        **dict.fromkeys(("appendalltext", "appendalllines", "appendtext"), _first("Add-Content")),
        "delete": _first("Remove-Item"),
        "copy": _both("Copy-Item"),
        "move": _both("Move-Item"),
        "replace": _both("Move-Item"),
    },
    "io.directory": {
        "delete": _remove_tree,
        "move": _both("Move-Item"),
        **dict.fromkeys(("getfiles", "getdirectories", "enumeratefiles"), _first("Get-ChildItem")),
    },
    "diagnostics.process": {"start": _start},
    "reflection.assembly": dict.fromkeys(
        ("load", "loadfrom", "loadfile", "unsafeloadfrom"), _first("Load-Assembly")
    ),
    "environment": {"getenvironmentvariables": lambda _: ("Get-ChildItem", "env:")},
}  # fmt: skip
REFLECTED: Final = frozenset({"gettype", "getfield", "getmethod", "getprocaddress"})
"""Methods that get at what a class hides, by its name: of the scan for malware, to switch it off."""
_COM: Final[dict[str, dict[str, _Words]]] = {
    "wscript.shell": {"run": _start, "exec": _start},
    "shell.application": {"shellexecute": _start},
    "mmc20.application": {"executeshellcommand": _start},
}
_FOLDERS: Final = {
    "userprofile": "", "personal": "/Documents", "mydocuments": "/Documents", "desktop": "/Desktop",
    "applicationdata": "/AppData/Roaming", "localapplicationdata": "/AppData/Local",
    "startup": "/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup",
}  # fmt: skip


def called(target: Instance, name: str, arguments: list[Data]) -> tuple[str, ...] | None:
    """Return the words of the cmdlet that ``target.name(arguments)`` is like; None when it is like none."""
    texts = [text_of(each) for each in arguments]
    if target.kind == "type":
        found = _STATIC.get(text_of(target.made_of[0]), {}).get(name)
    elif target.kind in _COM:
        found = _COM[target.kind].get(name)
    elif target.kind == "file":
        return (
            ("Remove-Item", text_of(target), *(("-Recurse",) if texts else ())) if name == "delete" else None
        )
    else:
        found = _WEB.get(name)
    return None if found is None else found(texts)


def made(kind: str, arguments: list[Data]) -> Data:
    """Return what ``New-Object kind arguments`` makes."""
    if kind in ("string", "text.stringbuilder"):
        return "".join(map(text_of, arguments)) if arguments else ""
    if kind.startswith("text.") and kind.endswith("encoding"):
        name = kind.rpartition(".")[2].removesuffix("encoding")
        return values.static("text.encoding", name, [])
    return Instance(kind, tuple(arguments))


def computed(kind: str, name: str, arguments: list[Data], home: str) -> Data:
    """Return what a static member of a class gives, when that is known without running it."""
    if kind == "environment":
        return _environment(name, [text_of(each).lower() for each in arguments], home)
    if kind == "io.path" and name == "gettempdir":
        return f"{home}/AppData/Local/Temp" if home else UNKNOWN
    return values.static(kind, name, arguments)


def _environment(name: str, texts: list[str], home: str) -> Data:
    place = home.replace("\\", "/")
    if name == "getfolderpath" and texts and texts[0] in _FOLDERS and home:
        return f"{place}{_FOLDERS[texts[0]]}"
    if name == "getenvironmentvariable" and texts:
        return f"%{texts[0]}%"
    if name == "expandenvironmentvariables" and texts:
        return texts[0]
    if name == "newline":
        return "\n"
    return UNKNOWN
