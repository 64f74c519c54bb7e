"""Finite-width networks, trained: a trajectory for each seed, comparable with the limit's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from ..algebra.arguments import (
    NETWORK,
    choice,
    exclusive,
    flag,
    instance,
    positive_number,
    whole_number,
)
from ..algebra.departure import departure_remedy, departure_words
from ..algebra.memory import check_memory
from ..algebra.system import ForwardSystem
from ..algebra.terms import Affine
from ..errors import DivergenceError, MfError, StateError
from ..network.network import Network
from ..network.overrides import takes_training
from ..network.solve_options import PRECISIONS, SolveOptions
from ..runs.between import legs_of
from ..runs.divergence import divergence, noted, warn_of
from ..runs.evaluation import evaluate_loss_error
from ..runs.keeping import UNKEPT, Keep, Keeping, Kept, kept_in
from ..runs.last_finite import last_finite
from ..runs.schedule import observation_steps, times
from ..runs.trajectory import Checkpoint, Trajectory, is_finite
from ..state.draw import initial_state, parameter_shapes, population_sizes
from ..state.state import State, arrays_on
from .finite_network import LARGEST_GRID, FiniteNetwork
from .kept_training import content_of, facts_of, taken_up
from .namespace import precision
from .network_cause import network_cause
from .network_fields import fields_of, system_of
from .patches import patch_entries
from .seeds import seed_list
from .training_steps import BATCH_BYTES, StepsAgain, TrainingSteps, network_ground
from .velocity import require_equal_weights

Array = Any
Arrays = dict[str, Any]

# The same as the limit's, so that both are observed after the same steps and on the same sample.
OBSERVATIONS: int = SolveOptions.observations
EVALUATION: int = SolveOptions.evaluation
CHECKPOINTS = 3
# Networks and the limit draw from the same streams: seed 0 is the limit's, so that their draws differ.
FIRST_SEED = 1
_PIECE = 500


@takes_training
def simulate(
    network: Network,
    width: int | Mapping[str, int] | None,
    seeds: int | Sequence[int] = 2,
    *,
    steps: int | None = None,
    horizon: float | None = None,
    precision: str = "float32",
    initial: Mapping[str, Any] | None = None,
    progress: bool = False,
    evaluation: int | None = None,
    first_seed: int = FIRST_SEED,
    checkpoints: int = CHECKPOINTS,
    keep: Keep = None,
    common_seed: int | None = None,
) -> list[Trajectory]:
    """Train networks of finite width by their learning rule and observe them; one trajectory for each seed.

    ``width``: neurons of every population (times its relative width), or a number for each population.
    ``seeds``: how many (counted from ``first_seed``), or the seeds themselves. Step k of SGD subtracts
    alpha_k * xi(t_{k-1}) * (product of widths) * gradient of the batch-mean loss on batch k, the same batch
    for every width and for the limit; other rules make of that gradient what their row of the table says.
    The seed also draws noise, and the masks of dropout, without which networks are observed. Time t = sum of
    alpha_k ends after ``steps`` steps or at the first step that reaches ``horizon``. ``initial``: a state of
    the whole network from which every network starts (weights p equal; then ``width`` may be None); what a
    rule remembers may be missing. ``precision``: "float32" or "float64"; ``evaluation``: samples on which
    loss and error are measured. ``keep``: a folder (or a Keeper) in which the run keeps its state, and from
    which the same call goes on (docs/runs.md). ``common_seed``: of the initial numbers that belong to no
    neuron (a random bias of the output), which all networks then share, also with the limit of this seed. The
    first argument must be resolved (:func:`mfderive.load` does it).

    Raises ArgumentError for options that do not exist, StateError for arrays that do not fit, ResourceError
    if the memory does not suffice, DivergenceError when values leave the finite numbers.
    """
    instance(network, Network, "a network", NETWORK)
    dtype = choice("precision", precision, PRECISIONS)
    labels = seed_list(seeds, first_seed)
    count = _step_count(network, steps, horizon)
    if evaluation is None:
        evaluation = dict(network.solver).get("evaluation", EVALUATION)
    samples = whole_number("evaluation", evaluation)
    whole_number("checkpoints", checkpoints)
    flag("progress", progress)
    system = system_of(network)
    widths = _widths(system, width, initial)
    _check_run_memory(network, FiniteNetwork(system), widths, len(labels), dtype, checkpoints)
    if common_seed is not None:
        whole_number("common_seed", common_seed, 0)
    states = _initial_states(system, widths, labels, dtype, initial, common_seed)
    base = int(width) if isinstance(width, (int, np.integer)) else max(widths.values(), default=1)
    run = _Run(network, FiniteNetwork(system), states, labels, count, dtype)
    run.watch(base, samples, checkpoints)
    with kept_in(keep, run.name) as part:
        paths = run.trajectories(progress, part)
    exploded = [path for path in paths if path.findings]
    for path in exploded[:1]:
        others = f" and {len(exploded) - 1} more of {len(paths)}" if len(exploded) > 1 else ""
        which = f"the {run.description()} of '{network.title}', seed {path.seed}{others}"
        warn_of(which, path.findings, stacklevel=4)
    return paths


def _step_count(network: Network, steps: int | None, horizon: float | None) -> int:
    """The number of steps; a horizon beyond the spec's steps continues the schedule."""
    exclusive(horizon=horizon, steps=steps)
    if horizon is None:
        return network.training.steps if steps is None else whole_number("steps", steps)
    horizon = positive_number("horizon", horizon)
    goal = horizon * (1 - 1e-9)  # a horizon is typed, times are sums: rounding must not add a step
    count = network.training.steps
    while True:
        grid = times(network.training, count)
        if grid[-1] >= goal:
            return int(np.searchsorted(grid, goal))
        if count > 10**8:
            raise MfError(
                f"the horizon t = {horizon} is not reached within {count} steps (t = {grid[-1]:.3g}); "
                "choose a smaller horizon or a larger learning rate"
            )
        count *= 4


def _widths(
    system: ForwardSystem, width: int | Mapping[str, int] | None, initial: Mapping[str, Any] | None
) -> dict[str, int]:
    """The number of neurons of each population; a width given beside a state must be the state's."""
    if initial is None:
        if width is None:
            raise MfError("simulate needs a width (or a state to start from)")
        return population_sizes(system, width)
    found = {name: len(values) for name, values in arrays_on(initial, system)["p"].items()}
    if width is not None and population_sizes(system, width) != found:
        raise StateError(
            f"the initial state has populations of sizes {found}, but the width is {width}. "
            "Leave the width out (None), or give the state's"
        )
    return found


def _initial_states(
    system: ForwardSystem,
    widths: Mapping[str, int],
    seeds: Sequence[int],
    dtype: str,
    initial: Mapping[str, Any] | None,
    common_seed: int | None,
) -> list[Arrays]:
    """The state from which each seed starts."""
    if initial is None:
        precision = np.dtype(dtype)
        return [
            initial_state(system, widths, seed, dtype=precision, common_seed=common_seed) for seed in seeds
        ]
    checked = arrays_on(initial, system)
    require_equal_weights(checked)
    return [checked for _ in seeds]


def _check_run_memory(
    network: Network,
    finite: FiniteNetwork,
    widths: Mapping[str, int],
    seeds: int,
    dtype: str,
    checkpoints: int,
) -> None:
    """Refuse a run that needs more memory than there is, before anything is allocated."""
    batch = network.training.batch_size
    samples = (network.source.rows or 1) if isinstance(batch, str) else batch
    shapes = parameter_shapes(finite.system, widths)
    entries_of = {name: math.prod(shape) for name, shape in shapes.items()}
    variables = sum(entries_of.values())
    parameters = sum(entries_of[parameter.name] for parameter in finite.system.parameters)
    sizes = finite.sizes(shapes, 1)
    one_sample = sum(
        math.prod(sizes[axis] for axis in finite.system.field[equation.field].axes)
        for equation in finite.system.forward
    )
    one_sample += sum(
        patch_entries(access.slots, sizes)
        for equation in finite.system.forward
        for term in equation.terms
        for _, access in term.accesses
        if any(isinstance(slot, Affine) for slot in access.slots)
    )
    # Variables, the next ones and gradients; values kept for the reverse pass and adjoints; noise of a step.
    noisy = sum(entries_of[name] for name, _ in finite.system.learning.noise)
    entries = seeds * (variables * (2 + checkpoints) + parameters + 3 * noisy)
    entries += 2 * seeds * one_sample * max(samples, _PIECE)
    entries += 2 * seeds * min(LARGEST_GRID, max(samples, _PIECE) * parameters)
    check_memory(
        entries * np.dtype(dtype).itemsize + BATCH_BYTES,
        f"Training {seeds} networks of width {max(widths.values(), default=1)} on batches of {samples}",
        "Take a smaller width, fewer seeds, smaller batches or precision float32",
    )


class _Run:
    """All seeds of one width: steps, observations, checkpoints."""

    def __init__(
        self,
        network: Network,
        finite: FiniteNetwork,
        states: list[Arrays],
        seeds: list[int],
        count: int,
        dtype: str,
    ) -> None:
        self.network, self.finite, self.states, self.seeds = network, finite, states, seeds
        self.count, self.dtype, self.ground = count, dtype, network_ground(network, finite)
        self.training = TrainingSteps(network, finite, states[0], seeds, count, dtype)
        self.times = self.training.times
        self.rows: list[tuple[int, list[tuple[float, float]]]] = []
        self.points: list[list[Checkpoint]] = [[] for _ in seeds]

    def watch(self, width: int, evaluation: int, checkpoints: int) -> None:
        """Say when and on how many samples to look at the networks, and by which width to call them."""
        self.width = width
        self.observed = observation_steps(self.count, OBSERVATIONS)
        kept = observation_steps(self.count, max(checkpoints, 2))
        self.kept = {int(self.observed[np.abs(self.observed - step).argmin()]) for step in kept}
        self.x, self.y = self.network.source.evaluation(evaluation)

    def trajectories(self, progress: bool, keep: Keeping = UNKEPT) -> list[Trajectory]:
        """Train, then hand out what was observed; ``keep``: where a state on the way is kept."""
        kept = keep.begin(self.network, lambda: facts_of(self), 0, self.count)
        if kept is not None and kept.done:
            taken_up(self, kept)
        else:
            self.train(kept, progress, keep)
        return [self.trajectory(position) for position in range(len(self.seeds))]

    def train(self, kept: Kept | None, progress: bool, keep: Keeping) -> None:
        """Make all steps, or those that are left after what was ``kept``."""
        import jax

        with precision(jax, self.dtype):
            trainer = self.training.trainer()
            moving, fixed = self.training.place(trainer, self.states)
            done = 0
            if kept is None:
                self.observe(trainer, 0, moving, fixed)
            else:
                done, moving = kept.number, jax.tree.map(jax.numpy.asarray, taken_up(self, kept))
            words = self.description()
            bar = tqdm(total=self.count, initial=done, desc=words, disable=not progress, delay=2, leave=False)
            with bar, keep:
                for target in self.observed[self.observed > done].tolist():
                    while done < target:
                        goal = keep.next(done, target, partial(content_of, self, moving))
                        moving, steps = self.training.advance(trainer, moving, fixed, done, goal)
                        done += steps
                        bar.update(steps)
                    self.observe(trainer, done, moving, fixed)
                keep.done(partial(content_of, self, moving, done=True))

    def observe(self, trainer: Any, step: int, moving: dict[str, Array], fixed: dict[str, Array]) -> None:
        """Loss and error of every seed on the evaluation sample; a checkpoint where one is due."""
        yhat = trainer.outputs(moving, fixed, self.x, _PIECE)
        curves = [evaluate_loss_error(self.network, own, self.y) for own in yhat]
        # Some functions swallow nan (a step, a maximum), so a finite loss proves nothing.
        sound = self.are_finite(moving)
        for position, (loss, _) in enumerate(curves):
            if not math.isfinite(loss) or not sound[position]:
                raise DivergenceError(self.divergence(step, position, self.state(position, moving)))
        self.rows.append((step, curves))
        if step in self.kept:
            for position in range(len(self.seeds)):
                state = State(self.state(position, moving), self.ground.layout)
                point = Checkpoint(float(self.times[step]), step, state)
                self.points[position].append(point)

    def are_finite(self, moving: Mapping[str, Array]) -> Array:
        """Whether all numbers that training moves are finite, one answer per seed; nothing is copied."""
        sound = np.ones(len(self.seeds), dtype=bool)
        for value in moving.values():
            sound &= np.isfinite(np.asarray(value)).reshape(len(sound), -1).all(axis=1)
        return sound

    def state(self, position: int, moving: Mapping[str, Array]) -> Arrays:
        """The present state of one seed, as numpy arrays of its own."""
        state: Arrays = {}
        for variable in self.finite.system.variables:
            name = variable.name
            value = np.asarray(moving[name])[position] if name in moving else self.states[position][name]
            state[name] = np.array(value, dtype=self.dtype)
        state["p"] = {n: np.array(w, dtype=self.dtype) for n, w in self.states[position]["p"].items()}
        return state

    def divergence(self, step: int, position: int, state: Arrays) -> str:
        """Where the numbers left the finite ones, and what to do."""
        number, x, finite = step, self.x[:_PIECE], state
        if not is_finite(state):
            again = self.last_finite(step, position)
            if again is not None:
                number, finite = again[0] + 1, again[1]
                x = self.network.source.batch(number, self.network.training.batch_size)[0][:_PIECE]
        found = network_cause(self.finite, finite, x)
        where = self.broken(state) if found is None else departure_words(*found)
        advice = "" if found is None else departure_remedy(found[1])
        last = ""
        if self.rows:
            before, curves = self.rows[-1]
            last = f"; the last finite loss was {curves[position][0]:.4g} at t = {self.times[before]:.4g}"
        usual = "Take a smaller learning rate, initial values of smaller size, or a larger width"
        return (
            f"the {self.description()} of '{self.network.title}', seed {self.seeds[position]}, diverged by "
            f"t = {self.times[number]:.4g} (step {number}): {where}{last}. {advice or usual}"
        )

    def last_finite(self, step: int, position: int) -> tuple[int, Arrays] | None:
        """The last step of a seed after which its parameters are finite, and its state then."""
        if not self.points[position]:
            return None
        point = self.points[position][-1]
        steps = StepsAgain(self.network, self.finite, self.record(position))
        return last_finite(steps.advance, point.state.arrays, point.step, step)

    def record(self, position: int) -> dict[str, Any]:
        """What the steps of one seed can be made again from."""
        return {"steps": self.count, "precision": self.dtype, "seed": self.seeds[position]}

    def broken(self, state: Arrays) -> str:
        """The first parameter or field that is not finite."""
        broken = [name for name, value in state.items() if name != "p" and not np.isfinite(value).all()]
        if not broken:
            with np.errstate(all="ignore"):
                fields = fields_of(self.finite, state, self.x[:_PIECE])
            broken = [name for name, value in fields.items() if not np.isfinite(value).all()]
        return f"'{broken[0]}' is not finite" if broken else "the loss is not finite"

    @property
    def name(self) -> str:
        """What the file is called in which these networks are kept."""
        first, last = self.seeds[0], self.seeds[-1]
        return f"networks-{self.width}-{first}" if first == last else f"networks-{self.width}-{first}-{last}"

    def description(self) -> str:
        """How progress bars and messages call this run."""
        return f"network of width {self.width}"

    def trajectory(self, position: int) -> Trajectory:
        """What was observed of one seed."""
        steps = np.array([step for step, _ in self.rows])
        neurons = {name: len(weights) for name, weights in self.states[position]["p"].items()}
        notes = {
            "method": self.network.training.optimizer,
            "precision": self.dtype,
            "neurons": neurons,
            "batch_size": self.network.training.batch_size,
            "learning_rate": self.network.training.learning_rate,
            "evaluation": len(self.x),
        }
        loss = [curves[position][0] for _, curves in self.rows]
        notes |= noted(divergence(self.network, self.times[steps], np.array(loss), self.y, self.dtype))
        notes |= legs_of(0.0, self.record(position))
        return Trajectory(
            kind="network",
            network=self.network,
            width=self.width,
            seed=self.seeds[position],
            times=self.times[steps],
            steps=steps,
            loss=np.array([curves[position][0] for _, curves in self.rows]),
            error=np.array([curves[position][1] for _, curves in self.rows]),
            checkpoints=tuple(self.points[position]),
            notes=notes,
            ground=self.ground,
        )
