"""Instructions to the agent where none belong: in results, files and descriptions, and talk out of role.

Recognised by structure and intent, not by phrases: who is spoken to, what is to be undone or done, with what,
for whom, and what hides it. Pure, deterministic and linear in the size of the text.
"""

from __future__ import annotations

from defenseclaw.detection.injection.rules import InstructionRules
from defenseclaw.detection.injection.scoring import Channel, Classifier, Passage, passages, warm_up
from defenseclaw.detection.injection.signals import REASONS

__all__ = ["REASONS", "Channel", "Classifier", "InstructionRules", "Passage", "passages", "warm_up"]
