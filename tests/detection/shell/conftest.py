from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from defenseclaw.detection.engine import run as drive
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.shell import Evaluation, evaluate

CWD = "/work/app"
HOME = "/home/ada"

Evaluate = Callable[..., Evaluation]


def run(source: str, files: Mapping[str, bytes] | None = None, asked: list[Need] | None = None) -> Evaluation:
    def answer(need: Need) -> Snapshot:
        if asked is not None:
            asked.append(need)
        return snapshot(need, files or {})

    return drive(evaluate(source, cwd=CWD, home=HOME), answer)


def snapshot(need: Need, files: Mapping[str, bytes]) -> Snapshot:
    content = files.get(need.path)
    if content is None:
        return Snapshot(real_path=need.path)
    cut = content[: need.max_bytes]
    return Snapshot(
        real_path=need.path, exists=True, kind="file", content=cut, truncated=len(cut) < len(content)
    )


@pytest.fixture(name="evaluate", scope="session")
def evaluate_source() -> Evaluate:
    return run
