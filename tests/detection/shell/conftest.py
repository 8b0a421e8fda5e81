from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.shell import Evaluation, evaluate

CWD = "/work/app"
HOME = "/home/ada"

Evaluate = Callable[..., Evaluation]


def run(source: str, files: Mapping[str, bytes] | None = None, asked: list[Need] | None = None) -> Evaluation:
    generator = evaluate(source, cwd=CWD, home=HOME)
    try:
        need = next(generator)
        while True:
            if asked is not None:
                asked.append(need)
            need = generator.send(snapshot(need, files or {}))
    except StopIteration as done:
        return done.value


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
