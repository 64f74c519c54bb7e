"""Where a solution starts: a drawn or integrated state, given arrays, or another solution's end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem
from ..errors import MfError
from ..network.solve_options import SolveOptions
from ..runs.trajectory import Trajectory
from ..samples.sources import DataSource
from ..state.draw import initial_state
from ..state.ensemble_plan import Ensemble
from ..state.ensembles import ensemble_state, plan_ensembles
from ..state.state import arrays_on
from .grid import TABLEAUS, Clock

Arrays = dict[str, Any]


def start_state(
    reduced: Reduced,
    options: SolveOptions,
    initial: Mapping[str, Any] | None,
    resume: Trajectory | None,
    clock: Clock,
    source: DataSource,
    plans: Mapping[str, Ensemble] | None = None,
) -> tuple[int, Arrays]:
    """The number of steps that are done already, and the state in the layout of ``reduced``.

    ``source``: of the data, which sampled nodes suit; ``plans``: the nodes of a reduced limit, where they are
    not those of its options.
    """
    limit = reduced.system
    if resume is not None:
        point = resume.checkpoint()
        places = np.flatnonzero(np.isclose(clock.times, point.time, rtol=1e-9, atol=0.0))
        if not places.size:
            step = ", and a step of which both ends are multiples" if options.method in TABLEAUS else ""
            raise MfError(
                f"the trajectory ends at t = {point.time:.6g}, which is not on this run's grid (up to "
                f"t = {clock.times[-1]:.6g}); resume with the same method and a later end{step}"
            )
        return int(places[0]), _cast(reduced, point.state, options)
    if initial is not None:
        return 0, _cast(reduced, initial, options)
    if options.reduce:
        plans = plans or plan_ensembles(limit, options.nodes, options.rule)
        return 0, dict(reduced.fold(reduced_state(limit, plans, options, source)))
    return 0, full_state(limit, options.widths, options)


def reduced_state(
    limit: LimitSystem,
    plans: Mapping[str, Ensemble],
    options: SolveOptions,
    source: DataSource,
    scramble: int | None = None,
) -> Arrays:
    """The initial state of a reduced system on planned nodes; another ``scramble`` gives other points."""
    return ensemble_state(limit, plans, options.seed, options.dtype, scramble, source)


def full_state(
    limit: LimitSystem, widths: int | Mapping[str, int], options: SolveOptions, scramble: int | None = None
) -> Arrays:
    """A draw of the full system; another ``scramble`` draws other neurons of the same network's limit."""
    edges: Any = options.edges
    key = options.seed if scramble is None else scramble
    # What belongs to no neuron is drawn once in every network: no average smooths it, so it stays.
    return initial_state(limit, widths, key, edges=edges, dtype=options.dtype, common_seed=options.seed)


def _cast(reduced: Reduced, state: Mapping[str, Any], options: SolveOptions) -> Arrays:
    checked = arrays_on(state, reduced)
    cast: Arrays = {
        name: np.array(value, options.dtype, order="C") for name, value in checked.items() if name != "p"
    }
    cast["p"] = {name: np.array(value, options.dtype) for name, value in checked["p"].items()}
    return cast
