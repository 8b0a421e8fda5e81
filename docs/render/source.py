"""Reads what only the source text says: the sentence under each field of a class."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One annotated field of a class."""

    name: str
    type: str
    text: str
    """The sentence under it, empty when there is none."""


def fields_of(cls: type) -> list[Field]:
    """Return the annotated fields of ``cls`` in the order they are written."""
    module = inspect.getmodule(cls)
    if module is None:
        return []
    tree = ast.parse(inspect.getsource(module))
    body = next(
        each.body for each in tree.body if isinstance(each, ast.ClassDef) and each.name == cls.__name__
    )
    return list(_fields(body))


def _fields(body: list[ast.stmt]) -> Iterator[Field]:
    for at, statement in enumerate(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            after = body[at + 1] if at + 1 < len(body) else None
            yield Field(statement.target.id, ast.unparse(statement.annotation), _text(after))


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return inspect.cleandoc(str(statement.value.value))
    return ""
