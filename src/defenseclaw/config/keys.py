"""Every key of the configuration by its dotted path: type, default, meaning, and what is not one.

``config set``, ``config validate`` and ``docs/reference/configuration.md`` read this; the schema is the only
source.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

import msgspec
import msgspec.inspect as shape

from defenseclaw.config.schema import Config
from defenseclaw.errors import ConfigError
from defenseclaw.vocabulary import JSON

ANY = "<name>"
"""Stands for the free part of a path in documentation: ``guardrail.connectors.<name>.mode``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One leaf of the schema."""

    path: str
    type: str
    """In words: ``text``, ``whole number``, ``yes or no``, ``list of text`` or the choices."""
    default: Any
    description: str
    annotation: Any


def all_keys() -> list[Key]:
    """Return every leaf in the order of the schema; free names appear as ``<name>``."""
    return list(_walk(Config, ()))


def find(path: str) -> Key:
    """Return the leaf at a dotted path such as ``guardrail.connectors.claudecode.mode``.

    Raises:
        ConfigError: no such key, or a whole section; the hint names the nearest keys.
    """
    wanted = path.split(".")
    keys = all_keys()
    for key in keys:
        if _matches(key.path.split("."), wanted):
            return key
    sections = sorted({key.path.rpartition(".")[0] for key in keys if key.path.startswith(f"{path}.")})
    if sections:
        raise ConfigError(f"`{path}` is a section, not a key", hint=_examples(path, keys))
    near = difflib.get_close_matches(path, [key.path for key in keys], n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`defenseclaw config show` lists the keys"
    raise ConfigError(f"`{path}` is not a configuration key", hint=hint)


def parse_value(path: str, text: str) -> JSON:
    """Return ``text`` as the type of the key at ``path``; lists are comma-separated.

    Raises:
        ConfigError: unknown key, or ``text`` is not a value of its type.
    """
    key = find(path)
    raw: str | list[str] = text
    if key.type == "list of text":
        raw = [part.strip() for part in text.split(",") if part.strip()]
    elif key.type == "yes or no":
        raw = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(text.lower(), text)
    try:
        return cast(JSON, msgspec.to_builtins(msgspec.convert(raw, key.annotation, strict=False)))
    except msgspec.ValidationError as error:
        raise ConfigError(f"`{path}` takes {key.type}", hint=str(error)) from error


def unknown_keys(data: Mapping[str, Any]) -> list[str]:
    """Return the dotted paths in ``data`` that the schema does not know, in file order."""
    known = [key.path.split(".") for key in all_keys()]
    return list(_unknown(data, (), known))


def _unknown(data: Mapping[str, Any], at: tuple[str, ...], known: list[list[str]]) -> Iterator[str]:
    for name, value in data.items():
        here = (*at, name)
        if not any(_matches(path[: len(here)], here) for path in known):
            yield ".".join(here)
        elif isinstance(value, Mapping):
            yield from _unknown(value, here, known)


def _matches(path: list[str], wanted: list[str] | tuple[str, ...]) -> bool:
    return len(path) == len(wanted) and all(a in (b, ANY) and b for a, b in zip(path, wanted, strict=True))


def _examples(section: str, keys: list[Key]) -> str:
    inside = [key.path for key in keys if key.path.startswith(f"{section}.")]
    return f"its keys: {', '.join(inside[:8])}"


def _walk(struct: type, at: tuple[str, ...]) -> Iterator[Key]:
    info = shape.type_info(struct)
    hints = get_type_hints(struct, include_extras=True)
    if not isinstance(info, shape.StructType):
        return
    for field in info.fields:
        here = (*at, field.encode_name)
        inner, description = _unwrap(field.type)
        if isinstance(inner, shape.StructType):
            yield from _walk(inner.cls, here)
        elif isinstance(inner, shape.DictType) and isinstance(inner.value_type, shape.StructType):
            yield from _walk(inner.value_type.cls, (*here, ANY))
        else:
            yield Key(
                path=".".join(here),
                type=_in_words(inner),
                default=_default(field),
                description=description,
                annotation=hints[field.name],
            )


def _unwrap(kind: shape.Type) -> tuple[shape.Type, str]:
    """Return the type without metadata and without ``| None``, and its description."""
    description = ""
    while True:
        if isinstance(kind, shape.Metadata):
            description = (kind.extra_json_schema or {}).get("description", description)
            kind = kind.type
        elif isinstance(kind, shape.UnionType):
            kind = next(each for each in kind.types if not isinstance(each, shape.NoneType))
        else:
            return kind, description


def _in_words(kind: shape.Type) -> str:
    if isinstance(kind, shape.LiteralType):
        return ", ".join(str(value) for value in kind.values)
    if isinstance(kind, shape.IntType):
        return _range(kind)
    if isinstance(kind, shape.BoolType):
        return "yes or no"
    if isinstance(kind, shape.ListType):
        return "list of text"
    return "text"


def _range(kind: shape.IntType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f"whole number {kind.ge} to {kind.le}"
    return f"whole number, at least {kind.ge}" if kind.ge is not None else "whole number"


def _default(field: shape.Field) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    factory = field.default_factory
    return factory() if callable(factory) else None
