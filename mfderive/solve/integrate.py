"""Time integration of the limit: solver module + initial state + batch stream -> Trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from ..algebra.system import LimitSystem, draw_noise
from ..codegen.generate import generate
from ..data.clock import evaluate_loss_error, observation_steps
from ..data.draw import check_memory, check_state, initial_state
from ..data.ensembles import ensemble_state, plan_ensembles
from ..data.trajectory import Checkpoint, Trajectory, register_forward
from ..errors import DivergenceError, MfError
from ..limit.derive import derive
from ..reduce.reduce import reduce as reduce_system
from ..spec.network import Network
from .clock import TABLEAUS, Clock, make_clock
from .options import Options, resolve_options
from .threads import fitting_threads, largest_product

State = dict[str, Any]
OBSERVATIONS = 80
CHECKPOINTS = 9
# The evaluation sample goes through the solver in pieces, to bound the memory: of the size of a batch, so
# that the arrays of a step serve again, but of no fewer samples than SMALLEST and no more than LARGEST.
_SMALLEST_PIECE, _LARGEST_PIECE = 64, 500


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
    initial: Mapping[str, Any] | None = None,
    resume: Trajectory | None = None,
    system: LimitSystem | None = None,
    solver: Any = None,
    checkpoints: int = CHECKPOINTS,
    progress: bool = False,
) -> Trajectory:
    """Solve the mean-field limit of a network (theory A.2-A.4) on weighted nodes.

    ``method`` "euler" makes exactly the step of SGD, at the rates alpha_k and on the batches k that the
    finite networks see; "rk4" follows the flow at equal time steps (``step``), batch k in its step k.
    Time is t = sum of alpha_k; it ends at ``horizon``, or after ``steps`` SGD steps. ``initial`` starts from
    given arrays (any weights ``p``) instead of a draw; ``resume`` continues a trajectory from its last
    checkpoint. ``system`` and ``solver`` replace what :func:`derive` and :func:`generate` make.

    By default the limit is first reduced exactly (:func:`mfderive.reduce`) and its labels are integrated by
    ``rule`` ("gauss", "sobol", "monte-carlo") on ``nodes`` nodes, both for all populations or by name.
    ``reduce=False`` solves the full system on ``widths`` nodes drawn from the laws.

    Raises SpecError or MfError for options that do not exist, StateError for arrays that do not fit,
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
    )
    given = initial if resume is None else resume.at()
    limit = system or _system(network, options, given)
    clock = make_clock(network, options)
    start, state = _start(limit, options, initial, resume, clock)
    module = generate(limit) if solver is None else solver
    _check_run_memory(module, network, options, state)
    nodes = {name: len(weights) for name, weights in state["p"].items()}
    run = _Run(network, module, options, clock, min(checkpoints, clock.steps + 1))
    with fitting_threads(largest_product(draw_noise(limit), nodes, _samples(network))):
        return run.trajectory(state, start, resume, progress)


def _samples(network: Network) -> int:
    """The number of samples of a step."""
    batch = network.training.batch_size
    return (network.source.rows or 1) if isinstance(batch, str) else batch


def _system(network: Network, options: Options, given: Mapping[str, Any] | None) -> LimitSystem:
    """The system to solve: where a state is given, the one whose arrays it holds."""
    full = derive(network)
    if given is None:
        return reduce_system(full) if options.reduce else full
    return system_of_state(full, given)


def system_of_state(full: LimitSystem, state: Mapping[str, Any]) -> LimitSystem:
    """The full system or its reduction, whichever has arrays of the state's ranks (else the full one)."""
    ranks = {name: np.ndim(value) for name, value in state.items() if name != "p"}
    reduced = reduce_system(full)
    for system in (full, reduced):
        if ranks == {p.name: len(p.axes) for p in draw_noise(system).parameters}:
            return system
    return full


def _start(
    limit: LimitSystem,
    options: Options,
    initial: Mapping[str, Any] | None,
    resume: Trajectory | None,
    clock: Clock,
) -> tuple[int, State]:
    if resume is not None:
        if initial is not None:
            raise MfError("initial and resume cannot both be given: resume has its own state")
        point = resume.checkpoint()
        places = np.flatnonzero(np.isclose(clock.times, point.time, rtol=1e-9, atol=0.0))
        if not places.size:
            raise MfError(
                f"the trajectory ends at t = {point.time:.6g}, which is not on this run's grid (up to "
                f"t = {clock.times[-1]:.6g}); resume with the same method and a later end"
            )
        return int(places[0]), _cast(limit, point.state, options)
    if initial is not None:
        return 0, _cast(limit, initial, options)
    if options.reduce:
        plans = plan_ensembles(limit, options.nodes, options.rule)
        return 0, ensemble_state(limit, plans, options.seed, options.dtype)
    edges: Any = options.edges
    return 0, initial_state(limit, options.widths, options.seed, edges=edges, dtype=options.dtype)


def _cast(limit: LimitSystem, state: Mapping[str, Any], options: Options) -> State:
    checked = check_state(limit, state)
    cast: State = {
        name: np.array(value, options.dtype, order="C") for name, value in checked.items() if name != "p"
    }
    cast["p"] = {name: np.array(value, options.dtype) for name, value in checked["p"].items()}
    return cast


def _check_run_memory(module: Any, network: Network, options: Options, state: State) -> None:
    samples = _samples(network)
    nodes = {name: len(weights) for name, weights in state["p"].items()}
    # Euler updates in place; an explicit method holds its slopes, and a state to evaluate them at.
    copies = 0 if options.method == "euler" else len(TABLEAUS[options.method][1]) + 1
    held = copies * sum(value.nbytes for name, value in state.items() if name != "p")
    needed = held + module.memory_estimate(nodes, max(samples, _LARGEST_PIECE), options.dtype)
    check_memory(
        needed,
        f"Solving with {max(nodes.values(), default=1)} nodes a population and batches of {samples}",
        "Take fewer nodes, smaller batches or precision float32",
    )


class _Run:
    """One solution: steps, observations and checkpoints."""

    def __init__(
        self, network: Network, module: Any, options: Options, clock: Clock, checkpoints: int
    ) -> None:
        self.network, self.module, self.options, self.clock = network, module, options, clock
        self.observed = observation_steps(clock.steps, OBSERVATIONS)
        kept = observation_steps(clock.steps, max(checkpoints, 2))
        self.kept = {int(self.observed[np.abs(self.observed - step).argmin()]) for step in kept}
        self.x, self.y = network.source.evaluation(options.evaluation)
        self.rows: list[tuple[float, int, float, float]] = []
        self.points: list[Checkpoint] = []

    def trajectory(self, state: State, start: int, resume: Trajectory | None, progress: bool) -> Trajectory:
        observed = set(self.observed.tolist())
        if resume is None:
            self.observe(0, state)
        bar = tqdm(
            total=self.clock.steps, initial=start, desc="limit", disable=not progress, delay=2, leave=False
        )
        with bar:
            for number in range(start, self.clock.steps):
                state = self.advance(state, number)
                if number + 1 in observed:
                    self.observe(number + 1, state)
                bar.update()
        return self.finished(state, resume)

    def advance(self, state: State, number: int) -> State:
        """The step from time t_number to t_(number+1) on batch number + 1."""
        size = self.network.training.batch_size
        x, y = self.network.source.batch(number + 1, size)
        t = float(self.clock.times[number])
        width = float(self.clock.times[number + 1]) - t
        # Values that overflow are found at the next observation, with a message; no warning is owed here.
        with np.errstate(all="ignore"):
            if self.options.method == "euler":
                stepped: State = self.module.step(state, x, y, t, width, out=state)
                return stepped
            return runge_kutta(self.module, state, x, y, t, width, self.options.method)

    def observe(self, number: int, state: State) -> None:
        """Measure loss and error on the evaluation sample; keep a checkpoint where one is due."""
        yhat = self.predict(state)
        time = float(self.clock.times[number])
        loss, error = evaluate_loss_error(self.network, yhat, self.y)
        if not np.isfinite(loss):
            raise DivergenceError(self.divergence(number, state))
        self.rows.append((time, int(self.clock.sgd_steps[number]), loss, error))
        if number in self.kept:
            self.points.append(Checkpoint(time, int(self.clock.sgd_steps[number]), copy_state(state)))

    def predict(self, state: State) -> Any:
        """The outputs yhat [sample, outputs] on the evaluation sample."""
        count = len(self.x)
        size = _samples(self.network)
        if not _SMALLEST_PIECE <= size <= count:
            size = min(max(size, _SMALLEST_PIECE), _LARGEST_PIECE, count)
        starts = list(range(0, count - size, size))
        with np.errstate(all="ignore"):
            parts = [self.module.predict(state, self.x[k : k + size]) for k in starts]
            # The last piece has the size of the others, so that their arrays fit: it repeats some samples.
            last = self.module.predict(state, self.x[count - size :])
        done = starts[-1] + size if starts else 0
        return np.concatenate([*parts, last[done - (count - size) :]])

    def divergence(self, number: int, state: State) -> str:
        """Where the numbers left the finite ones, and what to do."""
        broken = [name for name, value in state.items() if name != "p" and not np.isfinite(value).all()]
        if not broken:
            with np.errstate(all="ignore"):
                fields = self.module.forward(state, self.x[:_LARGEST_PIECE])
            broken = [name for name, value in fields.items() if not np.isfinite(value).all()]
        where = f"'{broken[0]}' is not finite" if broken else "the loss is not finite"
        last = f"; the last finite loss was {self.rows[-1][2]:.4g} at t = {self.rows[-1][0]:.4g}"
        return (
            f"the limit of '{self.network.title}' diverged by t = {self.clock.times[number]:.4g} "
            f"(step {number}): {where}{last if self.rows else ''}. "
            "Take a smaller learning rate (or time step), or initial values of smaller size"
        )

    def finished(self, state: State, resume: Trajectory | None) -> Trajectory:
        times, steps, loss, error = (np.array(column) for column in zip(*self.rows, strict=True))
        points = tuple(self.points)
        if resume is not None:
            times, steps = np.append(resume.times, times), np.append(resume.steps, steps)
            loss, error = np.append(resume.loss, loss), np.append(resume.error, error)
            points = (*resume.checkpoints, *points)
        sizes = {len(weights) for weights in state["p"].values()}
        notes = {
            "method": self.options.method,
            "precision": self.options.precision,
            "reduced": self.options.reduce,
            "nodes": {name: len(weights) for name, weights in state["p"].items()},
            "batch_size": self.network.training.batch_size,
            "learning_rate": self.network.training.learning_rate,
            "evaluation": len(self.x),
        }
        return Trajectory(
            kind="limit",
            network=self.network,
            width=sizes.pop() if len(sizes) == 1 else None,
            seed=self.options.seed,
            times=times,
            steps=steps,
            loss=loss,
            error=error,
            checkpoints=points,
            notes=notes,
        )


def runge_kutta(module: Any, state: State, x: Any, y: Any, t: float, width: float, method: str) -> State:
    """One explicit Runge-Kutta step of the flow on a batch; ``method`` names a row of TABLEAUS."""
    couplings, weights = TABLEAUS[method]
    slopes: list[State] = []
    for row in couplings:
        slopes.append(module.velocity(_moved(state, slopes, row, width), x, y, t + sum(row) * width))
    return _moved(state, slopes, weights, width)


def _moved(state: State, slopes: list[State], factors: tuple[float, ...], width: float) -> State:
    moved: State = {"p": state["p"]}
    for name, value in state.items():
        if name != "p":
            total = value.copy()
            for slope, factor in zip(slopes, factors, strict=True):
                if factor:
                    total += value.dtype.type(factor * width) * slope[name]
            moved[name] = total
    return moved


def copy_state(state: State) -> State:
    """A state of its own arrays."""
    copied: State = {name: value.copy() for name, value in state.items() if name != "p"}
    copied["p"] = {name: weights.copy() for name, weights in state["p"].items()}
    return copied


def _limit_fields(network: Network, state: Any, x: Any) -> Mapping[str, Any]:
    module = generate(system_of_state(derive(network), state))
    fields: Mapping[str, Any] = module.forward(state, x)
    return fields


register_forward("limit", _limit_fields)
