"""Edits of ``config.yaml`` that keep what its owner wrote: comments, order, quotes, indentation.

An edit is made on the text under a lock, the whole result is validated, and only then the file is
replaced; what does not validate is never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from defenseclaw.config import document
from defenseclaw.config.document import UNSET as UNSET
from defenseclaw.config.files import locked, read_bounded, replace_file
from defenseclaw.config.load import Validator, load, loads
from defenseclaw.vocabulary import JSON

DEFAULT_FILE = """\
# DefenseClaw configuration. A running gateway takes valid changes up at once;
# an invalid file is refused whole and the last good configuration stays.
# `defenseclaw config validate` checks it, `defenseclaw config show` prints all of it.
config_version: 7

guardrail:
  enabled: true
  # observe: record and report.  action: also block, ask and mask.
  mode: observe
  # What happens when no decision can be had (gateway down): open or closed.
  # Left out: open in observe, closed in action.
  # hook_fail_mode: closed
  # default, strict or permissive.
  rule_pack_dir: default

gateway:
  api_bind: 127.0.0.1
  api_port: 18970
"""


def ensure_default(path: Path) -> bool:
    """Write a small commented file where there is none; return whether it was written.

    Raises:
        ConfigError: the directory cannot be written.
    """
    with locked(path):
        if path.exists() or path.is_symlink():
            return False
        replace_file(path, DEFAULT_FILE.encode())
        return True


def get_value(path: Path, dotted: str) -> JSON:
    """Return the effective value of a key, defaults included; None where an optional key is not set.

    Raises:
        ConfigError: the file is invalid.
        KeyError: no such key.
    """
    value: object = load(path)
    for name in dotted.split("."):
        value = value[name] if isinstance(value, Mapping) else _field(value, name)
    return cast(JSON, msgspec.to_builtins(value))


def set_value(path: Path, dotted: str, value: object, *, validate: Validator | None = None) -> bool:
    """Set one key, see :func:`set_values`."""
    return set_values(path, {dotted: value}, validate=validate)


def set_values(path: Path, values: Mapping[str, object], *, validate: Validator | None = None) -> bool:
    """Set several keys at once; return whether the file changed.

    Args:
        path: ``config.yaml``; created where there is none.
        values: By dotted path; :data:`UNSET` removes a key and the sections it leaves empty. Missing
            sections are created.
        validate: Judges the whole result besides the schema.

    Raises:
        ConfigError: the file is invalid as it stands, or would be afterwards. Nothing is written then.
    """
    with locked(path):
        content = read_bounded(path, document.MAX_BYTES) or b""
        loads(content, origin=str(path))
        edited = _edited(content, values)
        if edited == content:
            return False
        candidate = loads(edited, origin=str(path))
        if validate is not None:
            validate(candidate)
        replace_file(path, edited)
        return True


def _edited(content: bytes, values: Mapping[str, object]) -> bytes:
    from defenseclaw.config import commented  # ruamel.yaml: only who edits has to wait for it

    given = content.decode()
    edited = commented.edited(given.replace("\r\n", "\n"), values)
    if edited is None:
        return content
    return (edited.replace("\n", "\r\n") if "\r\n" in given else edited).encode()


def _field(section: object, name: str) -> object:
    if name not in getattr(section, "__struct_fields__", ()):
        raise KeyError(name)
    return getattr(section, name)
