"""Templates in examples of rules; see :mod:`defenseclaw.packs.templates`."""

from __future__ import annotations

from defenseclaw.packs.templates import expand

__all__ = ["expand"]
