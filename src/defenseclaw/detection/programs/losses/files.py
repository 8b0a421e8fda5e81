"""Files, volumes and disks: what deletes whatever it finds, empties, locks out, or takes storage away."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Describe, is_stand_in_device
from defenseclaw.detection.programs.losses.calls import apply, calls, is_preview, options_of
from defenseclaw.detection.shell import finders

_NO_MODE: Final = re.compile(r"^0{1,4}$|^(?:a|ugo)?=$|^(?:a|ugo)-[rwx]*r[rwx]*$")


def _find(act: Act) -> None:
    if "bulk" in act.traits and finders.SELECTS.isdisjoint(act.words):
        act.is_("finds_everything")


def _delete_found(act: Act) -> None:
    """Describe a program that deletes its operands, one by one, when they are all that a search found."""
    trees = [tree for word in act.operands if (tree := finders.searched(word))]
    if trees:
        act.is_("recursive", "finds_everything")
        act.touch("delete", trees)


def _move(act: Act) -> None:
    if act.operands and act.operands[-1] == "/dev/null":
        act.is_("moved_to_nothing")


def _chmod(act: Act) -> None:
    words = [word for word in act.words if not re.fullmatch(r"-[Rvcf]+|--\w+", word)]
    if "recursive" in act.traits and words and _NO_MODE.match(words[0]):
        act.is_("locked_out")


def _empty(act: Act) -> None:
    """Describe ``cp /dev/null file`` and ``truncate -s 0``: the file stays, what was in it does not."""
    if act.program in ("cp", "dd") and "/dev/null" in (act.operand(0), act.operand(0).partition("=")[2]):
        act.is_("truncate")


def _rsync(act: Act) -> None:
    if is_preview(act):
        act.preview()


def _truncate(act: Act) -> None:
    if act.value("-s").lstrip("=<").strip("0KMGTkB") or not act.has("-s"):
        act.traits.discard("truncate")


def _volume(act: Act) -> None:
    if {"-t", "--test"}.isdisjoint(options_of(act)) and not all(map(is_stand_in_device, act.operands)):
        act.does("delete")
        act.is_("volume_destroyed")


_VOLUMES: Final[dict[str, Describe]] = {
    **dict.fromkeys(("lvremove", "vgremove", "pvremove", "lvreduce"), _volume),
    "zpool": lambda act: apply(act, calls("volume_destroyed", "destroy|labelclear", "remove", "import -F")),
    "zfs": lambda act: apply(act, calls("volume_destroyed", "destroy !-n", "rollback -r", "rollback -R")),
    "btrfs": lambda act: apply(
        act, calls("volume_destroyed", "subvolume|sub delete", "device delete|remove")
    ),
    "mdadm": lambda act: apply(
        act, calls("volume_destroyed", "--stop", "-S", "--zero-superblock", "--remove", "--fail", "-f")
    ),
    "cryptsetup": lambda act: apply(
        act, calls("volume_destroyed", "erase|lukserase|luksformat|lukskillslot|luksremovekey")
    ),
    "dmsetup": lambda act: apply(act, calls("volume_destroyed", "remove|remove_all|wipe_table")),
    "ceph": lambda act: apply(
        act, calls("volume_destroyed", "osd purge|destroy|rm", "osd pool delete|rm", "fs rm")
    ),
    "rbd": lambda act: apply(act, calls("volume_destroyed", "rm|remove", "snap purge|rm")),
    "gluster": lambda act: apply(act, calls("volume_destroyed", "volume delete|stop")),
}


def _account(act: Act) -> None:
    """Describe userdel and deluser: the home goes with the account."""
    with_home = {
        "userdel": {"-r", "--remove"},
        "deluser": {"--remove-home", "--remove-all-files"},
    }
    if not with_home[act.program].isdisjoint(options_of(act)):
        act.is_("home_lost")


TABLES: Final[tuple[dict[str, Describe], ...]] = (
    {
        "find": _find,
        **dict.fromkeys(("rm", "unlink", "shred", "srm"), _delete_found),
        "mv": _move,
        "chmod": _chmod,
        "cp": _empty,
        "dd": _empty,
        "truncate": _truncate,
        "rsync": _rsync,
    },
    {"userdel": _account, "deluser": _account},
    _VOLUMES,
)
