"""HTTP requests that delete, whichever client sends them."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs.base import Act, Describe

_DELETING_PATH: Final = re.compile(r"/(?:_delete_by_query|doDelete|_purge)(?:[/?#]|$)")
"""Paths that delete although the method is POST: search engines, build servers, document stores."""


def _client(act: Act) -> None:
    verbs = [act.value("-X"), act.value("--method"), *act.operands[:1]]
    deletes = any(verb.upper() == "DELETE" for verb in verbs)
    if deletes or any(_DELETING_PATH.search(word) for word in act.operands):
        act.does("delete")
        act.is_("remote_delete")


def _wget(act: Act) -> None:
    method = act.value("--method") or next(
        (word.partition("=")[2] for word in act.words if word.startswith("--method=")), ""
    )
    if method.upper() == "DELETE":
        act.does("delete")
        act.is_("remote_delete")


TABLE: Final[dict[str, Describe]] = {
    **dict.fromkeys(("curl", "http", "https", "xh", "xhs", "curlie", "httpie"), _client),
    "wget": _wget,
}
