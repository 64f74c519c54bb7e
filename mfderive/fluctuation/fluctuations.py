"""The fluctuations that the limit predicts for finite networks: n Var of outputs and loss at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..algebra.arguments import NETWORK, flag, instance, real_array, whole_number
from ..algebra.arguments import found as told
from ..algebra.reduced import Reduced
from ..algebra.showing import Shown, brief, names, words
from ..codegen.generate import generate
from ..errors import ArgumentError, DivergenceError, StateError
from ..limit.derive import derive
from ..network.network import Network
from ..network.solve_options import SolveOptions
from ..reduction.reduce import reduce as reduce_system
from ..runs.evaluation import evaluate_loss_error
from ..solution.feed import make_feed
from ..solution.grid import Clock, make_clock
from ..solution.options import resolve_options
from ..solution.start import start_state
from ..solution.stepping import Problem, Stepper
from .bias import Bias, extrapolated_bias
from .exclusions import exclusions
from .history import History
from .influence import Functional, Sweep
from .readout import outputs_of
from .rule_transpose import RuleTranspose

Array = Any
Arrays = dict[str, Any]
_PIECE = 500  # samples of a prediction at once
POINTS = 5  # of the evaluation sample, where no points are given


@dataclass(frozen=True, repr=False)
class Fluctuations(Shown):
    """What the limit predicts of networks of width n around it, to the order 1/n (theory D).

    ``times`` [time] and ``steps`` are those of SGD nearest to what was asked for; ``x`` [point, ...] the
    inputs, and ``yhat`` [time, point, output] the limit there. A network of base width n, whose population a
    has gamma_a n neurons, has an output yhat_n(t, x) with

        n Var yhat_n -> n_variance [time, point, output] = sum over populations of sources[a],

    the variance over the draw of its labels (the initial values of its neurons) on the batches of the limit.
    ``influence[a]`` [time, point, output, node] are the influence functions psi_a at the labels of the nodes,
    whose weights are ``weights[a]``: sqrt(n) (yhat_n - yhat) is asymptotically normal, and equal to
    n^(-1/2) sum_j psi_a(c_j) / gamma_a summed over populations. ``loss_n_variance`` [time] is the same of
    ``loss`` [time], that of the limit on ``evaluation`` samples (None: not asked for). ``batch_variance``
    [time, point, output] is the variance that drawing other batches adds at the learning rate of the spec, at
    every width (0 where batch_size is "all"; None: not asked for). ``bias``: n (E yhat_n - yhat),
    extrapolated from trained networks (None: not asked for).
    """

    network: Network
    times: Array
    steps: Array
    x: Array
    yhat: Array
    n_variance: Array
    sources: Mapping[str, Array]
    influence: Mapping[str, Array]
    weights: Mapping[str, Array]
    widths: Mapping[str, float]
    evaluation: int
    loss: Array | None = None
    loss_n_variance: Array | None = None
    loss_influence: Mapping[str, Array] = field(default_factory=dict)
    batch_variance: Array | None = None
    bias: Bias | None = None

    def deviation(self, width: int) -> Array:
        """The standard deviation of the outputs of networks of base width ``width`` [time, point, output]."""
        return np.sqrt(self.n_variance / whole_number("width", width))

    def moment(self, number: int) -> Fluctuations:
        """The fluctuations at one of the times alone, which keeps its axis."""
        if whole_number("number", number, 0) >= len(self.times):
            raise ArgumentError(f"number is {number}; there are {len(self.times)} times, counted from 0")
        part = slice(number, number + 1)
        own: dict[str, Any] = {name: getattr(self, name)[part] for name in _ALONG_TIME}
        for name in ("loss", "loss_n_variance", "batch_variance"):
            own[name] = None if getattr(self, name) is None else getattr(self, name)[part]
        for name in ("sources", "influence", "loss_influence"):
            own[name] = {key: value[part] for key, value in getattr(self, name).items()}
        bias = self.bias and replace(self.bias, value=self.bias.value[part], error=self.bias.error[part])
        return replace(self, **own, bias=bias)

    def n_covariance(self) -> Array:
        """n Cov of all outputs: a matrix over (time, point, output), in the order of ``n_variance``."""
        total = np.zeros((self.n_variance.size, self.n_variance.size))
        for name, psi in self.influence.items():
            flat = psi.reshape(self.n_variance.size, -1)
            total += (flat * self.weights[name]) @ flat.T / self.widths[name]
        return total

    def _summary(self) -> Iterator[str]:
        yield f"Fluctuations of networks around the limit of '{words(self.network.title)}'"
        yield f"  .times: {names(f'{t:.4g}' for t in self.times)}; {len(self.x)} points"
        yield f"  .n_variance [time, point, output]: {brief(self.n_variance)}"
        yield f"  .sources: {names(self.sources) or 'none'}"
        yield from (f"  {sentence}" for sentence in exclusions(self.network))
        yield "  sqrt(.n_variance / n) is the standard deviation of outputs at base width n: .deviation(n)"


_ALONG_TIME = ("times", "steps", "yhat", "n_variance")


@dataclass(frozen=True)
class Grid:
    """Where fluctuations are asked for: times, steps, points, the limit's outputs there and its loss."""

    times: Array
    steps: Array
    points: Array
    yhat: Array
    evaluation: int
    loss: Array | None


def fluctuations(
    network: Network,
    times: Sequence[float] | float | None = None,
    x: Array | None = None,
    *,
    loss: bool = False,
    batches: bool = False,
    bias: int = 0,
    **changes: Any,
) -> Fluctuations:
    """Predict the fluctuations of finite networks from the limit alone: no network is trained.

    ``times``: up to which time(s) t >= 0 networks train (default: the end of training); ``x`` [point,
    *input_shape]: the inputs (default: the first five of the evaluation sample). ``loss``: also those of the
    loss on the evaluation sample; ``batches``: also what drawing other batches adds; ``bias``: so many
    networks are trained at each of two small widths, from which the bias of order 1/n is extrapolated.
    ``changes`` are options of :func:`mfderive.solve` that say on which nodes and which data the limit is
    solved: nodes, rule, seed, data, data_nodes, evaluation.

    The limit is reduced, solved by the steps of SGD, and taken back through them once for every time, point
    and output (:mod:`mfderive.fluctuation.influence`). Only labels of neurons count: the noise of weight
    entries enters outputs at the order 1/n (theory D). Parameters that no population indexes are drawn once:
    what is predicted is said of networks that start with the limit's own. Raises ArgumentError for what is
    not an option, MfError where a learning rule cannot be linearised, DivergenceError where the limit leaves
    the finite numbers.
    """
    instance(network, Network, "a network", NETWORK)
    points = None if x is None else _points(network, x)
    for name, value in (("loss", loss), ("batches", batches)):
        flag(name, value)
    whole_number("bias", bias, 2 if bias else 0)
    found = predicted(network, _times(times), points, changes, loss, batches)
    if not bias:
        return found
    own = extrapolated_bias(network, found.steps, found.x, found.yhat, bias, changes)
    return replace(found, bias=own)


@np.errstate(all="ignore")  # values that overflow are found at the end, with a message
def predicted(
    network: Network,
    times: Array | None,
    points: Array | None,
    changes: Mapping[str, Any],
    loss: bool = False,
    batches: bool = False,
    merged: int = 1,
) -> Fluctuations:
    """:func:`fluctuations` at points as the network takes them, not in the units of the data.

    ``merged``: so many steps of SGD are put together to one of the same length in time.
    """
    stepper, state, clock = prepared(network, None if times is None else float(times.max()), changes)
    if merged > 1:
        clock = clock.merged(merged)
        stepper = replace(stepper, clock=clock)
    wanted = clock.times[-1:] if times is None else times
    steps = np.array([int(np.abs(clock.times - t).argmin()) for t in wanted])
    reduced, module = stepper.problem.reduced, stepper.problem.module
    evaluation = network.source.evaluation(stepper.problem.options.evaluation)
    points = evaluation[0][:POINTS] if points is None else points
    history = History(stepper, state, int(steps.max()))
    sweep = Sweep(stepper, history, reduced.system, batches)
    encoded = np.asarray(reduced.encode(points)[0], float)
    yhat = np.array([module.predict(history.state(k), encoded) for k in steps])
    _check_finite(network, yhat, clock.times[steps], "its outputs")
    found, shape = [], (len(steps), len(points), network.outputs or 1)
    for last in steps:
        found += [f for _, _, f in outputs_of(reduced.system, encoded, shape[2], history.state(last), last)]
    sample = reduced.encode(*evaluation)
    of_loss = [sweep.of_loss(sample, int(k)) for k in steps] if loss else []
    sweep.back([*found, *of_loss])
    values = [_loss(network, module.predict(history.state(k), sample[0], _PIECE), sample[1]) for k in steps]
    own = np.array(values) if loss else None
    grid = Grid(clock.times[steps], clock.sgd_steps[steps], points, yhat, len(evaluation[0]), own)
    result = _result(network, sweep, grid, found, of_loss)
    _check_finite(network, result.n_variance, grid.times, "the derivatives of its outputs by labels")
    return result


def _check_finite(network: Network, values: Array, times: Array, what: str) -> None:
    """Raise DivergenceError where values [time, ...] are not finite, with the first time at which."""
    lost = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if lost.any():
        raise DivergenceError(
            f"the limit of '{network.title}' diverged by t = {times[lost].min():.4g}: {what} are not finite, "
            "and nothing can be said of networks there. Take a smaller learning rate, initial values of "
            "smaller size, or an earlier time"
        )


def prepared(
    network: Network, horizon: float | None, changes: Mapping[str, Any]
) -> tuple[Stepper, Arrays, Clock]:
    """The reduced limit ready to be stepped as SGD steps, its start, and its times."""
    for name in changes:
        if name not in _OPTIONS:
            raise ArgumentError(
                f"fluctuations has no option '{name}'. Allowed are {', '.join(_OPTIONS)}: it makes the steps "
                "of SGD on the reduced limit"
            )
    ends = {"steps": 1} if horizon == 0 else {} if horizon is None else {"horizon": horizon}
    stated = resolve_options(network, None, **changes, **ends)
    options = SolveOptions(**{name: getattr(stated, name) for name in (*_OPTIONS, "horizon", "steps")})
    reduced: Reduced = reduce_system(derive(network))
    RuleTranspose(reduced.system)  # refuses what cannot be transposed, before anything is compiled
    problem = Problem(network, reduced, generate(reduced), options)
    clock = make_clock(network, options)
    feed = make_feed(network, reduced, options.data or "batches", options.data_nodes)
    _, state = start_state(reduced, options, None, None, clock, network.source)
    return Stepper(problem, clock, feed), state, clock


_OPTIONS = ("nodes", "rule", "seed", "data", "data_nodes", "evaluation")


def _loss(network: Network, yhat: Array, y: Array) -> float:
    return evaluate_loss_error(network, yhat, y)[0]


def _times(times: Any) -> Array | None:
    if times is None:
        return None
    found = np.atleast_1d(real_array("times", times))
    if found.ndim != 1 or not len(found) or (found < 0).any():
        raise ArgumentError(f"times is {times!r}; give one time t >= 0 or a list of them")
    return found


def _points(network: Network, x: Any) -> Array:
    try:
        points = np.asarray(network.source.facts.encode(x), float)
    except (TypeError, ValueError):
        raise ArgumentError(f"x is {told(x)}; it must hold real numbers") from None
    shape = network.input_shape or ()
    if points.shape[1:] != shape or not len(points):
        raise StateError(f"x has shape {np.shape(x)}; points must be [point, {', '.join(map(str, shape))}]")
    if not np.isfinite(points).all():
        raise ArgumentError("x has entries that are not finite")
    return points


def _result(
    network: Network,
    sweep: Sweep,
    grid: Grid,
    found: list[Functional],
    of_loss: list[Functional],
) -> Fluctuations:
    """Influence functions, centred, and the variances that they add up to."""
    shape = grid.yhat.shape
    widths = {axis.name: axis.width for axis in sweep.system.populations}
    weights = {name: sweep.weights[name] for name in sweep.populations}

    def influence(functionals: list[Functional], shape: tuple[int, ...]) -> dict[str, Array]:
        psi = {name: np.array([f.raw[name] for f in functionals]) for name in weights}
        return {name: (own - (own @ weights[name])[:, None]).reshape(*shape, -1) for name, own in psi.items()}

    psi = influence(found, shape)
    sources = {name: np.square(own) @ weights[name] / widths[name] for name, own in psi.items()}
    loss_psi = influence(of_loss, shape[:1]) if of_loss else {}
    loss_parts = [np.square(own) @ weights[name] / widths[name] for name, own in loss_psi.items()]
    return Fluctuations(
        network,
        grid.times,
        grid.steps,
        grid.points,
        grid.yhat,
        sum(sources.values(), np.zeros(shape)),
        sources,
        psi,
        weights,
        widths,
        grid.evaluation,
        grid.loss,
        sum(loss_parts, np.zeros(shape[0])) if of_loss else None,
        loss_psi,
        np.array([f.batches for f in found]).reshape(shape) if sweep.count_batches else None,
    )
