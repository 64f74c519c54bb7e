"""The initial laws of labels: as networks draw them, and as ensembles of the limit hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..algebra.laws import Variable
from ..algebra.system import ForwardSystem, LimitSystem
from ..algebra.terms import AxisKind
from ..state.draw import initial_state
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import ensemble_state
from .observables import BINS, law_points, quantile_means

Array = Any
State = Mapping[str, Any]

# The laws of labels alone cost little: draws and ensembles of so many numbers, and how many of them.
_NUMBERS, _DRAWS, _ENSEMBLES = 8192, 32, 8


def label_laws(
    full: ForwardSystem, system: LimitSystem, given: Mapping[str, Ensemble], first_seed: int
) -> dict[str, tuple[Array, Array]]:
    """Quantile means of every label's initial law [draw, bin]: drawn as networks do, and on ensembles.

    ``given`` says how the ensembles of ``system``, a reduced limit of ``full``, are planned; draws are
    counted from ``first_seed``.
    """
    plans, found, drawn_system = dict(given), {}, label_system(full)
    for name, plan in plans.items():
        if plan.dimension and system.axis[name].kind is AxisKind.POPULATION:
            count = 2 ** int(np.log2(max(64, _NUMBERS / plan.dimension)))
            plans[name] = replace(plan, nodes=count)
    labels = {label for plan in plans.values() for label in plan.labels}
    own = [p for p in drawn_system.parameters if p.name in labels]
    sizes = {axis.name: getattr(plans.get(axis.name), "nodes", 1) for axis in full.populations}
    drawn = [initial_state(drawn_system, sizes, first_seed + k) for k in range(_DRAWS)]
    held = [_label_ensemble(system, plans, k) for k in range(_ENSEMBLES)]
    for p in own:
        found[p.name] = (
            np.stack([_pooled_law(drawn_system, p, state) for state in drawn]),
            np.stack([_pooled_law(system, system.parameter[p.name], state) for state in held]),
        )
    return found


def label_system(full: ForwardSystem) -> ForwardSystem:
    """The system with the parameters alone whose initial values belong to one neuron (or to none).

    Every parameter is drawn from a stream of its own, so their draws are those of the whole network.
    """
    kept = tuple(p for p in full.parameters if len(full.population_slots(p.name)) <= 1)
    return replace(full, variables=kept)


def _label_ensemble(system: LimitSystem, plans: Mapping[str, Ensemble], scramble: int) -> State:
    """An ensemble of the labels of a system alone: no weights on pairs of nodes, so it may be large."""
    labels = {label for plan in plans.values() for label in plan.labels}
    wanted = set(labels)
    for parameter in system.parameters:
        if parameter.name in labels:
            wanted |= {reference.parameter for _, reference in parameter.law.references}
    kept = tuple(p for p in system.parameters if p.name in wanted)
    return ensemble_state(replace(system, variables=kept), plans, 0, scramble=scramble)


def _pooled_law(system: ForwardSystem, parameter: Variable, state: State) -> Array:
    """Quantile means of a parameter's law over neurons, averaged over its entries."""
    points, weights = law_points(system, parameter, state)
    return quantile_means(points, weights, BINS).mean(axis=0)
