"""What the flow of a learning rule is, in a sentence."""

from __future__ import annotations

from ..algebra.update_rules import Learning
from .remarks import Remark

_FLOW = "The flow of the rule, which its steps follow as {small_steps} at fixed constants"


def flow_sentence(learning: Learning) -> str:
    """Of what the evolution is the flow, and for which batches; or that there is none."""
    if learning.row.flow is None:
        return "No flow of this rule is known; it is followed step by step."
    if learning.row.flow_needs_all:
        return Remark(f"{_FLOW}; it holds for full batches only.")
    if learning.clip is not None:  # theory B.7: E of a clipped gradient is not the clipped gradient
        return Remark(f"{_FLOW}; as each batch is clipped by itself, it holds for full batches only.")
    return Remark(f"{_FLOW}.")
