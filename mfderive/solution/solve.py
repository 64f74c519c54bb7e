"""The limit of a network, solved: system, generated solver, nodes, time steps -> Trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..algebra.arguments import LIMIT, exclusive, flag, instance
from ..algebra.system import LimitSystem
from ..codegen.generate import generate
from ..codegen.protocol import missing_parts
from ..errors import ArgumentError
from ..limit.derive import derive
from ..network.network import Network
from ..network.solve_options import SolveOptions
from ..reduction.reduce import reduce as reduce_system
from ..runs.trajectory import Trajectory, register_forward
from .feed import make_feed
from .grid import make_clock
from .march import Problem, Run, check_run_memory
from .options import chosen_options, resolve_options, takes_options
from .sample import sample_network
from .start import held_edges, start_state
from .systems import system_of_state
from .tolerance import refine

__all__ = ["sample_network", "solve"]


@takes_options
def solve(
    network: Network,
    options: SolveOptions | float | None = None,
    *,
    initial: Mapping[str, Any] | None = None,
    resume: Trajectory | None = None,
    system: LimitSystem | None = None,
    solver: Any = None,
    progress: bool = False,
    **changes: Any,
) -> Trajectory:
    """Solve the mean-field limit of a network (theory A.2-A.4) on weighted nodes.

    ``options`` are those of the spec's ``[solver]`` where none are given; a number in their place is the
    horizon. ``changes`` are single options by name; None leaves an option as it is. What would have no effect
    is refused.

    ``method`` "euler" makes exactly the step of SGD, at the rates alpha_k and on the batches k that the
    finite networks see; "rk4" follows the flow at equal time steps, batch k in its step k. By default the
    limit is first reduced exactly (:func:`mfderive.reduce`). ``reduce=False`` solves the full ensemble on
    nodes drawn from the laws (``nodes`` then means the same as ``widths``). ``tolerance`` writes what it
    reached into the trajectory's ``notes["tolerance"]`` (see :mod:`mfderive.solution.tolerance`).

    ``initial`` starts from given arrays (any weights ``p``) instead of a draw; ``resume`` continues a
    trajectory from its last checkpoint, on the nodes that it has. ``system`` and ``solver`` replace what
    :func:`derive` and :func:`generate` make; ``progress`` shows a progress bar.

    Raises SpecError or ArgumentError for options that do not exist, StateError for arrays that do not fit,
    ResourceError if the memory does not suffice, DivergenceError when values leave the finite numbers.
    """
    settled = resolve_options(network, options, **changes)
    _check_start(initial, resume, settled, chosen_options(options, changes))
    _check_parts(system, solver, progress)
    # Where the system is given the whole limit is only asked for the layout of given arrays.
    full = system if system is not None and initial is None else derive(network)
    given = initial if resume is None else resume.at()
    held = held_edges(settled, initial, resume, full)
    limit = system or _system(full, settled, given, held)
    _check_fit(network, limit, solver)
    clock = make_clock(network, settled)
    problem = Problem(network, limit, generate(limit) if solver is None else solver, settled, held)
    if settled.tolerance is not None:
        return refine(problem, settled.tolerance, progress)
    start, state = start_state(limit, settled, initial, resume, clock)
    feed = make_feed(network, settled.data, settled.data_nodes)
    check_run_memory(problem, state, feed.samples)
    run = Run(problem, clock, feed, settled.checkpoints)
    return run.trajectory(state, start, resume, progress)


def _check_start(initial: Any, resume: Any, options: SolveOptions, chosen: Mapping[str, Any]) -> None:
    """Raise ArgumentError for a start that is none, and for nodes that are chosen beside a given state."""
    exclusive(initial=initial, resume=resume)
    if initial is not None:
        instance(initial, Mapping, "initial: a state, a dictionary of arrays,")
    if resume is not None:
        instance(resume, Trajectory, "resume: a trajectory", "Read one with Trajectory.load(path)")
        if resume.kind != "limit":
            raise ArgumentError("resume is the trajectory of a network; only a solution of the limit goes on")
    for name in ("nodes", "widths", "rule"):
        if name in chosen and initial is not None:
            raise ArgumentError(
                f"{name} chooses the nodes of the start, but a state was given (initial), and it has its "
                "nodes. Leave one of them out"
            )
    if options.tolerance is not None and not (initial is None and resume is None):
        raise ArgumentError(
            "tolerance chooses the nodes of the start, but a state was given (initial or resume), and it has "
            "its nodes. Leave one of them out"
        )


def _check_parts(system: Any, solver: Any, progress: Any) -> None:
    """Raise ArgumentError for parts of a solution that have a wrong type."""
    if system is not None:
        instance(system, LimitSystem, "system: a limit", LIMIT)
    if solver is not None and missing_parts(solver):
        raise ArgumentError("solver is no generated solver. Make one: mfderive.generate(limit)")
    flag("progress", progress)


def _check_fit(network: Network, limit: LimitSystem, solver: Any) -> None:
    """Raise ArgumentError where a system or a solver that was given is another network's."""
    shape = tuple(limit.axis[axis].size for axis in limit.field["x"].axes[1:])
    if shape != network.input_shape:
        raise ArgumentError(
            f"system is the limit of another network: its x has shape {shape}, and this one's "
            f"{network.input_shape}"
        )
    names = {parameter.name for parameter in limit.parameters}
    if solver is not None and set(solver.layout.parameters) != names:
        raise ArgumentError(
            "solver was generated from another limit: its parameters differ. Make one from the limit that is "
            "solved: generate(reduce(derive(network))), or generate(derive(network)) with reduce=False"
        )




def _system(
    full: LimitSystem, options: SolveOptions, given: Mapping[str, Any] | None, held: str
) -> LimitSystem:
    """The system to solve: where a state is given, the one whose arrays it holds."""
    if given is None:
        return reduce_system(full) if options.reduce else full
    return system_of_state(full, given, held == "mean")


def _limit_fields(network: Network, state: Any, x: Any) -> Mapping[str, Any]:
    module = generate(system_of_state(derive(network), state))
    fields: Mapping[str, Any] = module.forward(state, x)
    return fields


register_forward("limit", _limit_fields)
