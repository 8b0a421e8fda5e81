"""The files in ``assets``: what setups install of ours, made to fit the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_PLACE = re.compile(r"@([A-Z_]+)@")


def asset(name: str) -> str:
    """Return the text of a file in ``assets``."""
    return files("defenseclaw.connectors").joinpath("assets", name).read_text("utf-8")


def rendered(name: str, values: Mapping[str, str]) -> bytes:
    """Return an asset with every ``@NAME@`` replaced, as UTF-8.

    Args:
        name: Of the file in ``assets``.
        values: Name → text, already quoted for the language of the file; each name of the file must be there.
    """
    return _PLACE.sub(lambda match: values[match[1]], asset(name)).encode()
