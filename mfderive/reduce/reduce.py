"""LimitSystem -> reduced LimitSystem, with a log of what collapsed and why."""

from __future__ import annotations

from ..algebra.system import LimitSystem
from .closure import close_noise
from .exchangeability import collapse

# Noise first: only when weights are their means can the neurons that they feed turn out to be equal.
PASSES = (close_noise, collapse)


def reduce(system: LimitSystem) -> LimitSystem:
    """The exact reduction of a limit (theory C.1, C.2, C.5); ``log`` says in words what was found."""
    for step in PASSES:
        system = step(system)
    return system
