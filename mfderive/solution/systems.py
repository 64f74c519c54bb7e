"""Which system a state belongs to: the full limit of a network, or its exact reduction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.system import LimitSystem, draw_noise
from ..reduction.reduce import reduce as reduce_system


def fits(system: LimitSystem, state: Mapping[str, Any]) -> bool:
    """Whether the arrays of a state have the ranks of a system's parameters."""
    ranks = {name: np.ndim(value) for name, value in state.items() if name != "p"}
    return ranks == {p.name: len(p.axes) for p in draw_noise(system).parameters}


def system_of_state(full: LimitSystem, state: Mapping[str, Any], means: bool = False) -> LimitSystem:
    """The full system or its reduction, whichever has arrays of the state's ranks (else the full one).

    Where both have (nothing collapses), ``means`` says that weights between populations stand for their
    conditional means, which is the reduction.
    """
    reduced = reduce_system(full)
    for system in (reduced, full) if means else (full, reduced):
        if fits(system, state):
            return system
    return full
