"""The limit of a network, solved: system, generated solver, nodes, time steps -> Trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..algebra.arguments import LIMIT, NETWORK, exclusive, flag, instance
from ..algebra.findings import FindingKind
from ..algebra.reduced import Reduced
from ..algebra.system import LimitSystem
from ..algebra.terms import AxisKind
from ..codegen.digest import digest, layout_digest
from ..codegen.generate import generate
from ..codegen.protocol import layout_of, missing_parts
from ..errors import ArgumentError, StateError
from ..limit.derive import derive
from ..network.network import Network
from ..network.overrides import takes_training
from ..network.solve_options import ADAPTIVE, SolveOptions
from ..reduction.reduce import by_symmetry, held_at_means, reduced_by
from ..reduction.reduce import reduce as reduce_system
from ..runs.divergence import warn_of
from ..runs.keeping import Keep, Keeping, kept_in
from ..runs.trajectory import Ground, Trajectory, register_ground
from ..state.draw import unequal_weights
from ..state.state import State, arrays_on
from .against_steps import with_steps_beside
from .feed import make_feed
from .flat import with_warnings
from .flow import FlowRun, make_run
from .grid import Clock, make_clock
from .loss_error import resolution_of, with_loss_error
from .march import ground_of
from .methods import integrates, settle
from .node_choice import NOTHING, chosen_nodes
from .options import chosen_options, resolve_options, takes_options
from .start import start_state
from .stepping import Problem, check_run_memory
from .tolerance import refine

__all__ = ["limit_to_solve", "solve"]


@takes_training
@takes_options
def solve(
    network: Network,
    options: SolveOptions | float | None = None,
    *,
    initial: Mapping[str, Any] | None = None,
    resume: Trajectory | None = None,
    system: LimitSystem | Reduced | None = None,
    solver: Any = None,
    progress: bool = False,
    keep: Keep = None,
    **changes: Any,
) -> Trajectory:
    """Solve the mean-field limit of a network (theory A.2-A.4) on weighted nodes.

    ``options`` are those of the spec's ``[solver]`` where none are given; a number in their place is the
    horizon. ``changes`` are single options by name; None leaves an option as it is. What would have no effect
    is refused.

    ``method`` "euler" makes exactly the step of SGD, at the rates alpha_k and on the batches k that the
    finite networks see; "strides" makes many of them at a time, all on the same samples; "rk4" follows the
    flow at equal time steps, batch k in its step k; "flow" and "stiff" choose their steps by an estimate of
    their error, as "strides" does, and stop where they are told to (docs/flow.md). By default the limit is
    first reduced exactly (:func:`mfderive.reduce`). ``reduce=False`` solves the full ensemble on nodes drawn
    from the laws (``nodes`` then means the same as ``widths``). ``tolerance`` writes
    what it reached into the trajectory's ``notes["tolerance"]`` (see :mod:`mfderive.solution.tolerance`).

    ``initial`` starts from given arrays (any weights ``p``) instead of a draw: a state of another trajectory
    (``path.at(t)``) on the system that it lives on, a dictionary on ``system`` or, without one, on the whole
    network. ``resume`` continues a trajectory from its last checkpoint, on the nodes that it has. Beside
    either, what says how a solution starts (nodes, widths, rule, seed, reduce, edges, tolerance) is refused.
    ``system`` (what :func:`reduce` or :func:`derive` returned) and ``solver`` (one generated from the limit
    that is solved) replace what is made otherwise; ``progress`` shows a progress bar; ``keep`` is a folder
    (or a Keeper) in which the run keeps its state, from which the same call goes on (docs/runs.md).

    Raises SpecError or ArgumentError for options that do not exist or would have no effect, and for a system
    or a solver that does not fit, StateError for arrays that do not fit, ResourceError if the memory does not
    suffice, DivergenceError when values leave the finite numbers (its ``path`` is what was solved until
    then). Warns (DivergenceWarning) where the loss grew beyond reason, which the trajectory's ``findings``
    say too (docs/runs.md). Where the loss does not move, ``warnings`` of the trajectory say what holds it
    (:mod:`mfderive.solution.flat`).
    """
    instance(network, Network, "a network", NETWORK)
    _check_start(network, initial, resume, chosen_options(options, changes))
    settled = resolve_options(network, options, **changes)
    if settled.tolerance is not None and not (initial is None and resume is None):
        raise ArgumentError(_beside("tolerance", "initial" if resume is None else "resume"))
    _check_parts(system, solver, progress)
    reduced = _layout(network, settled, initial, resume, system)
    _check_fit(network, reduced, solver)
    _check_law(network, settled, reduced)
    told, settled = settled.data, settle(network, settled, reduced)
    clock = make_clock(network, settled, None if resume is None else float(resume.times[-1]))
    module = generate(reduced) if solver is None else solver
    problem = Problem(network, reduced, module, settled, data_is_open=told is None)
    with kept_in(keep, "limit") as part:
        path = _path(problem, clock, initial, resume, progress, part)
    return _told(path if system is not None or initial is not None else with_warnings(path, resume))


def _path(
    problem: Problem, clock: Clock, initial: Any, resume: Trajectory | None, progress: bool, keep: Keeping
) -> Trajectory:
    """The solution of a problem from its own start, a given state or the end of another solution."""
    network, settled = problem.network, problem.options
    if settled.tolerance is not None:
        return refine(problem, settled.tolerance, progress, keep)
    if resume is not None and settled.method in ADAPTIVE:  # it goes on from any time
        end = resume.checkpoint()
        clock = clock.with_time(end.time, end.step)
    feed = make_feed(network, problem.reduced, settled.data or "batches", settled.data_nodes)
    chosen = NOTHING if initial is not None else chosen_nodes(problem, clock, feed, resume)
    if chosen.nodes:
        problem = replace(problem, tensors=chosen.nodes)
    if chosen.data is not None:
        problem = replace(problem, options=replace(settled, data="quadrature"))
        feed = make_feed(network, problem.reduced, "quadrature", chosen.data)
    plans = problem.plans if chosen.nodes else None
    start, state = start_state(problem.reduced, settled, initial, resume, clock, network.source, plans)
    check_run_memory(problem, state, feed.samples)
    run = make_run(problem, clock, feed, settled.checkpoints)
    path = run.trajectory(state, start, resume, progress, keep)
    path = replace(path, notes={**path.notes, **chosen.notes})
    if settled.stated_error:
        resolution = resolution_of(run, initial, resume, progress, keep.part("coarser"))
        path = with_loss_error(path, run, resolution, resume)
    if not isinstance(run, FlowRun):
        return path
    return with_steps_beside(path, run, state, run.moment(start)[0])


def _told(path: Trajectory) -> Trajectory:
    """The same trajectory; warns where its loss grew beyond reason."""
    warn_of(f"the limit of '{path.network.title}'", path.findings, stacklevel=5)
    return path


# What an option says of the start of a solution, and what a given state has in its place.
_NODES = "chooses the nodes of the start", "it has its nodes"
_STARTS = {
    "nodes": _NODES,
    "widths": _NODES,
    "rule": _NODES,
    "tolerance": _NODES,
    "seed": ("draws the start", "nothing is drawn"),
    "reduce": ("says whether the limit is reduced", "it is solved on the system on which it lives"),
    "edges": ("says how the weights between populations start", "it has its weights"),
}


def _beside(option: str, given: str) -> str:
    """Why an option cannot stand beside a given state."""
    does, has = _STARTS[option]
    return f"{option} {does}, but a state was given ({given}), and {has}. Leave one of them out"


def _check_start(network: Network, initial: Any, resume: Any, chosen: Mapping[str, Any]) -> None:
    """Raise ArgumentError for a start that is none, and for what is chosen of it beside a given state."""
    exclusive(initial=initial, resume=resume)
    if initial is not None:
        instance(initial, Mapping, "initial: a state (or a dictionary of arrays)")
    if resume is not None:
        instance(resume, Trajectory, "resume: a trajectory", "Read one with Trajectory.load(path)")
        if resume.kind != "limit":
            raise ArgumentError("resume is the trajectory of a network; only a solution of the limit goes on")
    for given, value in (("initial", initial), ("resume", resume)):
        for name in _STARTS:
            if value is None or name not in chosen:
                continue
            if name != "seed" or not network.training.noise:  # it draws the noise of all steps, too
                raise ArgumentError(_beside(name, given))


def _check_parts(system: Any, solver: Any, progress: Any) -> None:
    """Raise ArgumentError for parts of a solution that have a wrong type."""
    if system is not None:
        instance(system, (LimitSystem, Reduced), "system: a limit", LIMIT)
    missing = () if solver is None else missing_parts(solver)
    if missing:
        raise ArgumentError(
            f"solver is no generated solver (it lacks {missing[0]}). Make one: mfderive.generate(limit)"
        )
    flag("progress", progress)


def _check_fit(network: Network, reduced: Reduced, solver: Any) -> None:
    """Raise ArgumentError where a system or a solver that was given is another network's."""
    limit = reduced.system
    shape = _shape(reduced)
    if shape != network.input_shape:
        part = "" if not limit.passes else ", or a part of a reduction, which is given whole (system=reduced)"
        raise ArgumentError(
            f"system is the limit of another network{part}: its x has shape {shape}, and this one's "
            f"{network.input_shape}"
        )
    differs = None if solver is None else _difference(limit, solver)
    if differs is not None:
        raise ArgumentError(
            f"solver was generated from another limit: its {differs} differ. Make one from the limit that is "
            "solved: generate(reduce(derive(network))), or generate(derive(network)) with reduce=False"
        )


def _check_law(network: Network, options: SolveOptions, reduced: Reduced) -> None:
    """Raise ArgumentError where a given limit holds on average over the law of the data, and steps do not."""
    if not reduced.integrates_the_law or integrates(network, options):
        return
    lives = (
        "what is solved makes use of symmetries of the data (lengths and angles, or one of its images), "
        "which hold on average over its law"
    )
    anew = "start anew (without initial, resume and system)"
    if not options.symmetry:
        raise ArgumentError(f"{lives}, and symmetry=False asks for x as it is. Leave that out, or {anew}")
    raise ArgumentError(
        f"{lives}, but not on the batches or the sample that these steps take. Set data to quadrature or "
        f"sobol, take the method flow, stiff or strides, or {anew}"
    )


def _difference(limit: LimitSystem, solver: Any) -> str | None:
    """What of a solver is not the limit's: parts of its layout, or the equations where it names its limit."""
    expected = layout_of(limit)
    for part in ("parameters", "measures", "sizes", "frozen"):
        if getattr(solver.layout, part) != getattr(expected, part):
            return "axes" if part == "measures" else f"{part} parameters" if part == "frozen" else part
    known = getattr(solver, "DIGEST", None)
    return "equations or laws" if known is not None and known != digest(limit) else None


def _layout(
    network: Network,
    options: SolveOptions,
    initial: Mapping[str, Any] | None,
    resume: Trajectory | None,
    system: LimitSystem | Reduced | None,
) -> Reduced:
    """The limit to solve: the one that is given, that a given state lives on, or that the options ask for."""
    if isinstance(system, Reduced):
        return system
    if resume is not None and system is None:
        return resume.reduced if resume.network is network else _continued(network, resume)
    if isinstance(initial, State) and isinstance(initial.layout, Reduced) and system is None:
        return _own(network, initial.layout)
    if initial is None and resume is None:
        return limit_to_solve(network, options, system)
    if system is None and initial is not None and not isinstance(initial, State):
        _check_neurons(network, arrays_on(initial, derive(network)))
    return Reduced.identity(system or derive(network))


def _check_neurons(network: Network, initial: Mapping[str, Any]) -> None:
    """Refuse plain arrays that may be the state of a limit on one neuron of each orbit.

    They have the names and shapes of a whole network's, whose neurons are equally many; where the network's
    limit has orbits, unequal weights of nodes leave open which of both they are.
    """
    unequal = unequal_weights(initial)
    found = by_symmetry(derive(network)).findings if unequal else ()
    orbits = [each.facts["population"] for each in found if each.kind is FindingKind.ORBITS]
    for population in (each for each in orbits if each in unequal):
        raise StateError(
            f"the nodes of '{population}' have unequal weights: these arrays may be a state of this limit on "
            "one neuron for all images under changes of signs and places, or one of all neurons, and look "
            "alike. Give the state itself (initial=path.at(t)), or say on what it lives: "
            "system=path.reduced, or system=mfderive.derive(network) for all neurons"
        )


def _continued(network: Network, resume: Trajectory) -> Reduced:
    """The limit of a network on which the trajectory of another one goes on."""
    if layout_digest(resume.reduced) != layout_digest(reduced_by(derive(resume.network), resume.passes)):
        raise ArgumentError(
            "resume was solved with a system of its own, and the network is another one. Say what is solved "
            "now: system="
        )
    return _own(network, resume.reduced)


def _own(network: Network, layout: Reduced) -> Reduced:
    """The network's own limit through the passes of a layout: a state may come from another network."""
    full = derive(network)
    own = layout if layout.full is full else reduced_by(full, layout.names)
    # Lengths and angles have one layout in all dimensions, but not one law.
    if layout.integrates_the_law and layout.on_average != own.on_average:
        raise ArgumentError(
            "the given state makes use of symmetries of its data (lengths and angles, or one of its images), "
            + _otherwise(layout, own)
        )
    return own


def _otherwise(layout: Reduced, own: Reduced) -> str:
    """Why a network has other symmetries than those of a given layout, and what to do."""
    if own.integrates_the_law and _shape(layout) != _shape(own):
        shapes = f"{_shape(layout)}, and this network's has shape {_shape(own)}"
        return f"those of x of shape {shapes}. Solve it from a start of its own"
    differs = (
        "which are not those of this network's data (other directions, for example)"
        if own.integrates_the_law
        else "which this network's limit, or the law of its data, does not have"
    )
    return f"{differs}. A network that is drawn from that solution goes on: initial=path.sample(n)"


def _shape(reduced: Reduced) -> tuple[int | None, ...]:
    """The shape of an x of the whole network."""
    return tuple(reduced.full.axis[axis].size for axis in reduced.full.field["x"].axes[1:])


def limit_to_solve(network: Network, options: SolveOptions, system: LimitSystem | None = None) -> Reduced:
    """The limit that options ask for: reduced, or whole with weights that are drawn or held at their means.

    ``system``: a limit in place of the network's own, which is not reduced. Raises ArgumentError where it
    has noise that only a draw of all pairs can carry, and nothing is to be drawn.
    """
    if options.reduce and system is not None:
        drawn = [axis.name for axis in system.axes if axis.kind is AxisKind.NOISE and axis.drawn]
        if drawn:
            raise ArgumentError(
                f"system is a whole limit, in which every pair of neurons draws its own '{drawn[0]}': nodes "
                "with weights do not carry it. Give its reduction, system=reduce(system), or draw its nodes, "
                "reduce=False"
            )
        return Reduced.identity(system)
    if options.reduce:
        return (by_symmetry if integrates(network, options) else reduce_system)(derive(network))
    full = system or derive(network)
    return held_at_means(full) if options.edges == "mean" else Reduced.identity(full)


def _ground(path: Trajectory) -> Ground:
    """What a solution that was read from a file lives on: derived, reduced and generated once more.

    Raises StateError where it is a solution of another system: of one that was given to solve, for example.
    """
    reduced = reduced_by(derive(path.network), path.passes)
    if path.digest and path.digest != layout_digest(reduced):
        raise StateError(_another_system("its equations or laws differ from those of the network's limit"))
    try:
        for point in path.checkpoints:
            arrays_on(point.state.arrays, reduced)
    except StateError as error:
        raise StateError(_another_system(str(error))) from error
    return ground_of(path.network, reduced, generate(reduced))


def _another_system(why: str) -> str:
    return (
        "this solution does not live on its network's limit (it was solved with a system of its own or by "
        "another version of mfderive, or its file was edited), and nothing can evaluate it: "
        f"{why}. Its arrays are there, path.at(t).arrays, and go on with initial= and system="
    )


register_ground("limit", _ground)
