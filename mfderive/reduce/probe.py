"""How a reduced limit starts to move: a few small steps on few nodes, with the plain interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.interpreter import interpret
from ..algebra.system import LimitSystem, velocity
from ..data.ensembles import ensemble_state, plan_ensembles
from ..spec.network import Network

NODES = 4
# Generic nodes: symmetric ones can make zeros that the law does not have.
RULE = "monte-carlo"
SAMPLES = 8
SEED = 0
# Largest change of any number in a step: large enough that what moves second is seen in the next step.
STEP = 0.05
# Relative to the sum of absolute values of all products in an equation: a zero of the equations themselves
# is exact or rounding, what is small by chance on random nodes is not that small.
ZERO = 1e-12


@dataclass(frozen=True)
class Probe:
    """What the first steps show.

    ``still``: trained parameters that have not moved when no further one joins those that move. ``zero``:
    forward fields that are 0 in the initial state although their terms are not.
    """

    still: frozenset[str]
    zero: frozenset[str]


def probe(network: Network, reduced: LimitSystem) -> Probe:
    """Follow the reduced limit for a few steps from its initial state, at rates of 1.

    Every step can wake parameters that depend on those that moved; when a step wakes none, the rest stands
    still for ever (up to coincidence in the data). Raises SpecError for laws that cannot be drawn.
    """
    state = ensemble_state(reduced, plan_ensembles(reduced, nodes=NODES, rule=RULE), SEED)
    trained = [p.name for p in reduced.parameters if not p.is_frozen]
    moved: set[str] = set()
    zero: frozenset[str] | None = None
    for number in range(len(trained) + 1):
        x, y = network.source.batch(number + 1, SAMPLES)
        with np.errstate(all="ignore"):
            values, magnitudes = interpret(reduced, state, x, y)
        if zero is None:
            zero = _zero_fields(reduced, values, magnitudes)
        speeds = {name: values[velocity(name)] for name in trained}
        awake = {name for name, speed in speeds.items() if not _vanishes(speed, magnitudes[velocity(name)])}
        if awake <= moved and number:
            break
        moved |= awake
        state = _stepped(state, speeds)
    return Probe(frozenset(trained) - moved, zero or frozenset())


def _vanishes(value: Any, magnitude: Any) -> bool:
    """Whether values are 0 beside what they are summed from (values that are not finite are not 0)."""
    size = float(np.max(magnitude, initial=0.0))
    return bool(np.max(np.abs(value), initial=0.0) <= ZERO * size)


def _zero_fields(reduced: LimitSystem, values: Mapping[str, Any], sizes: Mapping[str, Any]) -> frozenset[str]:
    names = [equation.field for equation in reduced.forward]
    return frozenset(name for name in names if _vanishes(values[name], sizes[name]) and np.any(sizes[name]))


def _stepped(state: Mapping[str, Any], speeds: Mapping[str, Any]) -> dict[str, Any]:
    largest = max((float(np.max(np.abs(speed), initial=0.0)) for speed in speeds.values()), default=0.0)
    factor = STEP / largest if np.isfinite(largest) and largest > 0 else 0.0
    return {name: value + factor * speeds[name] if name in speeds else value for name, value in state.items()}
