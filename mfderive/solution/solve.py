"""The limit of a network, solved: system, generated solver, nodes, time steps -> Trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..algebra.arguments import LIMIT, exclusive, flag, instance, whole_number
from ..algebra.system import LimitSystem
from ..codegen.generate import generate
from ..errors import ArgumentError, MfError
from ..limit.derive import derive
from ..network.network import Network
from ..reduction.reduce import reduce as reduce_system
from ..runs.trajectory import Trajectory, register_forward
from .feed import make_feed
from .grid import make_clock
from .march import OBSERVATIONS, Problem, Run, check_run_memory
from .options import Options, resolve_options
from .sample import sample_network
from .start import held_edges, start_state
from .systems import system_of_state
from .tolerance import refine

__all__ = ["sample_network", "solve"]

CHECKPOINTS = 9


def solve(
    network: Network,
    horizon: float | None = None,
    *,
    steps: int | None = None,
    widths: int | dict[str, int] | None = None,
    seed: int | None = None,
    method: str | None = None,
    step: float | None = None,
    precision: str | None = None,
    edges: str | None = None,
    evaluation: int | None = None,
    reduce: bool | None = None,
    nodes: int | dict[str, int] | None = None,
    rule: str | dict[str, str] | None = None,
    data: str | None = None,
    data_nodes: int | None = None,
    tolerance: float | None = None,
    initial: Mapping[str, Any] | None = None,
    resume: Trajectory | None = None,
    system: LimitSystem | None = None,
    solver: Any = None,
    checkpoints: int = CHECKPOINTS,
    observations: int = OBSERVATIONS,
    progress: bool = False,
) -> Trajectory:
    """Solve the mean-field limit of a network (theory A.2-A.4) on weighted nodes.

    ``method`` "euler" makes exactly the step of SGD, at the rates alpha_k and on the batches k that the
    finite networks see; "rk4" follows the flow at equal time steps (``step``), batch k in its step k.
    Time is t = sum of alpha_k; it ends at ``horizon``, or after ``steps`` SGD steps. ``initial`` starts from
    given arrays (any weights ``p``) instead of a draw; ``resume`` continues a trajectory from its last
    checkpoint, on the nodes that it has. ``system`` and ``solver`` replace what :func:`derive` and
    :func:`generate` make.

    By default the limit is first reduced exactly (:func:`mfderive.reduce`) and its labels are integrated by
    ``rule`` ("gauss", "sobol", "monte-carlo") on ``nodes`` nodes, both for all populations or by name.
    ``reduce=False`` solves the full system on ``widths`` nodes drawn from the laws (times the populations'
    relative widths, or by name; ``nodes`` then means the same). What would have no effect is refused.

    ``data`` replaces the batches by the same weighted samples at every step: "sample" (the data set itself,
    or ``data_nodes`` fixed draws), "sobol" or "quadrature" (Gauss nodes, laws of up to three numbers).
    ``tolerance`` chooses nodes and rk4's step so that the loss curve is that close to the limit's, and
    writes what it reached into the trajectory's ``notes["tolerance"]``
    (see :mod:`mfderive.solution.tolerance`).

    Loss and error are measured at ``observations`` times (the start and the end are two of them), evenly
    spaced in log(t); a state is kept at ``checkpoints`` of these.

    Raises SpecError or ArgumentError for options that do not exist, StateError for arrays that do not fit,
    ResourceError if the memory does not suffice, DivergenceError when values leave the finite numbers.
    """
    options = resolve_options(
        network,
        horizon=horizon,
        steps=steps,
        widths=widths,
        seed=seed,
        method=method,
        step=step,
        precision=precision,
        edges=edges,
        evaluation=evaluation,
        reduce=reduce,
        nodes=nodes,
        rule=rule,
        data=data,
        data_nodes=data_nodes,
        tolerance=tolerance,
    )
    _check_start(initial, resume, nodes=nodes, widths=widths, rule=rule)
    _check_parts(system, solver, checkpoints, progress)
    whole_number("observations", observations)
    # Where the system is given the whole limit is only asked for the layout of given arrays.
    full = system if system is not None and initial is None else derive(network)
    given = initial if resume is None else resume.at()
    held = held_edges(options, initial, resume, full)
    limit = system or _system(full, options, given, held)
    _check_fit(network, limit, solver)
    clock = make_clock(network, options)
    if options.tolerance is not None and given is not None:
        raise MfError(
            "tolerance chooses the nodes of the start, but a state was given (initial or resume), and it has "
            "its nodes. Leave one of them out"
        )
    module = generate(limit) if solver is None else solver
    problem = Problem(network, limit, module, options, held)
    if options.tolerance is not None:
        return refine(problem, options.tolerance, checkpoints, progress)
    start, state = start_state(limit, options, initial, resume, clock)
    feed = make_feed(network, options.data, options.data_nodes)
    check_run_memory(problem, state, feed.samples)
    run = Run(problem, clock, feed, checkpoints, observations=observations)
    return run.trajectory(state, start, resume, progress)


def _check_start(initial: Any, resume: Any, **ensemble: Any) -> None:
    """Raise ArgumentError for a start that is none, and for nodes that are chosen beside a given state."""
    exclusive(initial=initial, resume=resume)
    if initial is not None:
        instance(initial, Mapping, "initial: a state, a dictionary of arrays,")
    if resume is not None:
        instance(resume, Trajectory, "resume: a trajectory", "Read one with Trajectory.load(path)")
        if resume.kind != "limit":
            raise ArgumentError("resume is the trajectory of a network; only a solution of the limit goes on")
    for name, value in ensemble.items():
        if value is not None and initial is not None:
            raise ArgumentError(
                f"{name} chooses the nodes of the start, but a state was given (initial), and it has its "
                "nodes. Leave one of them out"
            )


def _check_parts(system: Any, solver: Any, checkpoints: Any, progress: Any) -> None:
    """Raise ArgumentError for parts of a solution that have a wrong type."""
    if system is not None:
        instance(system, LimitSystem, "system: a limit", LIMIT)
    if solver is not None and not all(hasattr(solver, name) for name in _SOLVER_NAMES):
        raise ArgumentError("solver is no generated solver. Make one: mfderive.generate(limit)")
    whole_number("checkpoints", checkpoints)
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
    if solver is not None and set(solver.PARAMETERS) != names:
        raise ArgumentError(
            "solver was generated from another limit: its parameters differ. Make one from the limit that is "
            "solved: generate(reduce(derive(network))), or generate(derive(network)) with reduce=False"
        )


_SOLVER_NAMES = ("PARAMETERS", "step", "velocity", "predict", "forward", "memory_estimate")


def _system(full: LimitSystem, options: Options, given: Mapping[str, Any] | None, held: str) -> LimitSystem:
    """The system to solve: where a state is given, the one whose arrays it holds."""
    if given is None:
        return reduce_system(full) if options.reduce else full
    return system_of_state(full, given, held == "mean")


def _limit_fields(network: Network, state: Any, x: Any) -> Mapping[str, Any]:
    module = generate(system_of_state(derive(network), state))
    fields: Mapping[str, Any] = module.forward(state, x)
    return fields


register_forward("limit", _limit_fields)
