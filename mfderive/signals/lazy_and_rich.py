"""Between lazy and rich: the mean-field limit with its output divided by gamma, beside the linear dynamics of
its own tangent kernel, which it tends to as gamma goes to 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.arguments import NETWORK, instance, positive_number, real_array, whole_number
from ..algebra.entries import FIGURE, fill
from ..algebra.laws import Variable
from ..algebra.memory import check_memory
from ..algebra.reduced import Reduced
from ..algebra.showing import Shown, names, words
from ..algebra.system import LimitSystem
from ..errors import ArgumentError, MfError
from ..fluctuation.readout import outputs_of
from ..limit.derive import derive
from ..limit.masses import OUTPUT
from ..network.learning_rates import alphas
from ..network.network import Network
from ..reduction.reduce import reduce as reduce_system
from ..samples.quadrature import DataNodes, data_nodes
from ..samples.sources import LawSource
from ..solution.solve import solve
from ..state.ensembles import ensemble_state, plan_ensembles
from .lazy_networks import on_samples, paired, trained_losses
from .lazy_training import LinearFlow, check_times

Array = Any
Arrays = dict[str, Any]
_DOUBLE = 8
_TIMES = 33
# The step of the fourth-order method times the fastest rate of the linear dynamics. Parameters move by about
# gamma, and so do their errors, of which outputs are 1/gamma: equal steps are as good at every gamma.
_STEP = 0.05
_DRAWERS: list[Any] = []


def register_lazy_figure(draw: Any) -> None:
    """Enter what draws the figure: a function of :class:`LazyAndRich`."""
    _DRAWERS.append(draw)


@dataclass(frozen=True, repr=False)
class LazyAndRich(Shown):
    """The limit at several ``gammas`` on the same samples ``x``, ``y`` [N, outputs] with ``weights`` [N].

    ``times`` [T] are sums of the spec's learning rates, divided by gamma² where the output is divided by
    gamma. ``outputs`` [gamma, T, N, outputs]: of the limit; ``lazy`` [T, N, outputs]: the linear dynamics
    of the tangent kernel that the limit has at the start. ``loss`` [gamma, T], ``lazy_loss`` [T]: the
    training loss. ``rates``: by which the linear dynamics decays, per unit of time.
    ``network_loss`` [gamma, seed, T]: of finite networks of ``width``, where these were asked for.
    """

    title: str
    gammas: tuple[float, ...]
    times: Array
    x: Array
    y: Array
    weights: Array
    outputs: Array
    lazy: Array
    rates: Array
    width: int | None = None
    network_loss: Array | None = None

    @property
    def distance(self) -> Array:
        """How far outputs are from the linear dynamics [gamma]: root mean square over samples, outputs and
        times."""
        squares = np.mean((self.outputs - self.lazy) ** 2, axis=3)
        return np.sqrt(np.mean(squares @ self.weights, axis=1))

    @property
    def loss(self) -> Array:
        """The training loss of the limit [gamma, T]: mean over samples, sum over outputs, of (f - y)²."""
        return np.sum((self.outputs - self.y) ** 2, axis=3) @ self.weights

    @property
    def lazy_loss(self) -> Array:
        """The training loss of the linear dynamics [T]."""
        return np.sum((self.lazy - self.y) ** 2, axis=2) @ self.weights

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        arrays = ("times", "x", "y", "weights", "outputs", "lazy", "rates", "distance", "loss", "lazy_loss")
        return {
            "title": self.title,
            "gammas": list(self.gammas),
            **{name: getattr(self, name).tolist() for name in arrays},
            "width": self.width,
            "network_loss": None if self.network_loss is None else self.network_loss.tolist(),
        }

    @property
    def text(self) -> str:
        """Last losses and distances, gamma by gamma."""
        rows = [
            f"Between lazy and rich: '{self.title}' on {len(self.x)} samples until t = {self.times[-1]:g} "
            "gamma^2"
        ]
        networks = "" if self.width is None else f"{f'width {self.width}':>14}"
        rows.append(f"  {'gamma':>8} {'last loss':>12} {'distance':>12}{networks}")
        for n, gamma in enumerate(self.gammas):
            last = "" if self.network_loss is None else f"{self.network_loss[n, :, -1].mean():14.6g}"
            rows.append(f"  {gamma:8g} {self.loss[n, -1]:12.6g} {self.distance[n]:12.4g}{last}")
        rows.append(f"  {'lazy':>8} {self.lazy_loss[-1]:12.6g} {0.0:12.4g}")
        rows.append(
            "Distances are root mean squares over samples, outputs and times from the linear dynamics."
        )
        return "\n".join(rows)

    def __str__(self) -> str:
        return self.text

    def figure(self) -> Any:
        """Loss over time for every gamma and for the linear dynamics, as a matplotlib Figure."""
        fill(FIGURE)
        return _DRAWERS[-1](self)

    def _summary(self) -> Iterator[str]:
        yield f"LazyAndRich of '{words(self.title)}' on {len(self.x)} samples until t = {self.times[-1]:g}"
        yield f"  gammas: {names(f'{g:g}' for g in self.gammas)}"
        yield f"  distance from lazy training: {names(f'{d:.3g}' for d in self.distance)}"
        yield "  .outputs [gamma, time, sample, output], .lazy [time, sample, output]"
        yield "  .loss [gamma, time], .lazy_loss [time], .figure()"


def lazy_and_rich(
    network: Network,
    gammas: Sequence[float] = (1.0, 0.3, 0.1),
    times: Any = None,
    *,
    nodes: int | None = None,
    samples: int = 32,
    seed: int = 0,
    width: int | None = None,
    seeds: int = 4,
) -> LazyAndRich:
    """Solve the limit with its output divided by each gamma, beside the linear dynamics for gamma -> 0.

    Gradient flow on fixed samples: the data set, or ``samples`` draws of a law. Nodes of the population that
    the output reads (``nodes``, each taken twice) come in pairs with output weights of opposite sign, which
    is the same law, so that outputs start at 0 for every gamma. Biases of the output are not divided, and
    learn at 1/gamma² of their rate. ``times`` [T] default to 33 equal ones over the training of the spec.
    ``width``: finite networks of so many neurons a population are trained too, ``seeds`` of each gamma, by
    gradient descent on the same samples from neurons in the same pairs.

    Raises ArgumentError for wrong values, MfError for another loss than the squared one, another rule than
    plain SGD, rates in time, and output weights whose law is not symmetric around 0.
    """
    instance(network, Network, "a network", NETWORK)
    chosen = tuple(positive_number("gammas", g) for g in np.atleast_1d(real_array("gammas", gammas)).tolist())
    _refuse_other_training(network)
    end = float(np.sum(alphas(network.training)))
    when = np.linspace(0.0, end, _TIMES) if times is None else check_times(times)
    if not np.isfinite(when[-1]) or when[-1] == 0:
        raise ArgumentError("times must end at a finite time after 0: the limit is solved until then")
    drawn = whole_number("samples", samples) if isinstance(network.source, LawSource) else None
    points = data_nodes(network, "sample", drawn)
    reduced = reduce_system(derive(network))
    start = _paired_start(reduced, nodes, whole_number("seed", seed, 0))
    encoded = np.asarray(reduced.encode(points.x)[0], float)
    kernel = _tangent_kernel(reduced.system, start, encoded, points.y.shape[1])
    flow, root = _linear_flow(kernel, points)
    if not flow.rates[-1] > 0:
        raise MfError(
            "the tangent kernel at the start is 0: for small gamma nothing moves, and there is no lazy limit "
            "to compare with. Give hidden layers weights whose mean is not 0, or biases"
        )
    step = _STEP / float(flow.rates[-1])
    outputs = np.array([_solved(network, gamma, start, (points.x, drawn), when, step) for gamma in chosen])
    # All start alike: with the biases of the output alone.
    lazy = _linear_dynamics(flow, kernel, root, outputs[0, 0], points.y, when)
    x, y, weights = points.x, points.y, points.weights
    found = LazyAndRich(network.title, chosen, when, x, y, weights, outputs, lazy, flow.rates)
    if width is None:
        return found
    size, count = whole_number("width", width, 2), whole_number("seeds", seeds)
    return replace(found, width=size, network_loss=_finite_losses(network, found, size, count))


def _finite_losses(network: Network, found: LazyAndRich, width: int, seeds: int) -> Array:
    """Losses [gamma, seed, T] of finite networks on the samples of the limit."""
    if np.ptp(found.weights) > 1e-12 * found.weights.max():
        raise MfError(
            "samples have different weights, and finite networks are trained on samples that count alike"
        )
    plain = on_samples(network, found.x, found.y)
    weights = [variable.name for variable in _output_weights(derive(plain))]
    rate = float(found.rates[-1])
    losses = (
        trained_losses(_divided(plain, gamma), gamma, weights, found.times, rate, width, seeds)
        for gamma in found.gammas
    )
    return np.array(list(losses))


def _refuse_other_training(network: Network) -> None:
    """Raise MfError where training is not the plain flow of the squared loss of the output."""
    training = network.training
    found = [
        word
        for word, is_there in (
            (f"the loss {network.loss.kind!r}", network.loss.kind != "squared"),
            ("losses on inner layers", bool(network.losses)),
            (f"the rule {training.optimizer!r}", training.optimizer != "sgd"),
            ("weight decay", any(size for _, size in training.weight_decay)),
            ("noise", any(size for _, size in training.noise)),
            ("clipping", training.clip is not None),
            ("dropout", any(rate for _, rate in training.dropout)),
        )
        if is_there
    ]
    if found:
        raise MfError(
            f"the linear dynamics is that of plain gradient flow on the squared loss, and the spec has "
            f"{', '.join(found)}. Change it with net.replace(...)"
        )


def _paired_start(reduced: Reduced, nodes: int | None, seed: int) -> Arrays:
    """The start of a reduced limit on nodes in pairs of opposite output weights."""
    system = reduced.system
    state = ensemble_state(system, plan_ensembles(system, nodes), seed)
    weights = _output_weights(system)
    for variable in weights:
        if not variable.law.is_symmetric:
            raise MfError(
                f"{variable.name} starts with the law {variable.law.text}, which is not symmetric around 0: "
                "outputs that are divided by gamma would start at a size of 1/gamma. Take a symmetric law, "
                'such as "normal(0, 1)"'
            )
    return paired(system, state, [variable.name for variable in weights])


def _output_weights(system: LimitSystem) -> list[Variable]:
    """The parameters that the equation of the output reads over a population."""
    (equation,) = (e for e in system.forward if e.field == OUTPUT)
    owner = system.field[OUTPUT].owner
    return [
        v
        for v in system.variables
        if v.name in equation.reads
        and system.field[v.name].owner == owner
        and system.population_slots(v.name)
    ]


def _tangent_kernel(system: LimitSystem, state: Arrays, encoded: Array, outputs: int) -> Array:
    """The tangent kernel of a limit [N, outputs, N, outputs].

    It is the sum over parameters of their rate times the average over nodes of the product of two gradients.
    """
    moving = [v for v in system.variables if not v.is_frozen]
    for variable in moving:
        if not variable.rate.is_number:
            raise MfError(
                f"{variable.name} learns at the rate {variable.rate}, which changes in time: the linear "
                "dynamics has constant rates. Take a number"
            )
    size = sum(np.size(state[v.name]) for v in moving)
    rows = len(encoded) * outputs
    remedy = "Take fewer nodes or fewer samples"
    check_memory(2 * rows * (size + rows) * _DOUBLE, f"the tangent kernel of {len(encoded)} samples", remedy)
    scaled = np.empty((rows, size))
    factors = [_square_root_weights(system, v, state) for v in moving]
    for row, (_, _, found) in enumerate(outputs_of(system, encoded, outputs, state, 0)):
        parts = [(f * found.sensitivity[v.name]).ravel() for v, f in zip(moving, factors, strict=True)]
        scaled[row] = np.concatenate(parts)
    kernel = scaled @ scaled.T
    return kernel.reshape(len(encoded), outputs, len(encoded), outputs)


def _square_root_weights(system: LimitSystem, variable: Variable, state: Arrays) -> Array:
    """The square root of rate times weights of nodes, in the layout of a parameter."""
    product = np.full((1,) * len(variable.axes), float(variable.rate))
    for place, axis in enumerate(variable.axes):
        if axis in system.population_slots(variable.name):
            shape = [1] * len(variable.axes)
            shape[place] = -1
            product = product * state["p"][axis].reshape(shape)
    return np.sqrt(product)


def _linear_flow(kernel: Array, points: DataNodes) -> tuple[LinearFlow, Array]:
    """The flow dr/dt = -(2/N) A r of r = root (f - y), A = root K root, and root = sqrt(N W) [N outputs]."""
    samples, outputs = points.y.shape
    root = np.repeat(np.sqrt(samples * points.weights), outputs)
    flat = kernel.reshape(samples * outputs, samples * outputs)
    return LinearFlow.of(root[:, None] * flat * root, samples), root


def _linear_dynamics(
    flow: LinearFlow, kernel: Array, root: Array, start: Array, y: Array, times: Array
) -> Array:
    """The outputs [T, N, outputs] of df/dt = -2 K W (f - y) from ``start`` [N, outputs]."""
    residual = flow.vectors.T @ (root * (start - y).ravel())
    towards = (kernel.reshape(len(root), len(root)) * root) @ flow.vectors
    return np.array([start - (towards @ (flow.gain(t) * residual)).reshape(start.shape) for t in times])


def _solved(
    network: Network, gamma: float, start: Arrays, data: tuple[Array, int | None], times: Array, step: float
) -> Array:
    """The outputs [T, N, outputs] of the limit with its output divided by gamma.

    ``data``: the samples, and how many are drawn; ``times`` and ``step`` count gamma² of the limit's for 1.
    """
    x, drawn = data
    divided = _divided(network, gamma)
    path = solve(
        divided,
        initial=start,
        system=reduce_system(derive(divided)),
        method="rk4",
        step=min(step, float(times[-1])) * gamma**2,
        horizon=float(times[-1]) * gamma**2,
        data="sample",
        data_nodes=drawn,
    )
    # The last time is that of the path itself: products of floats differ in their last digit.
    own = np.minimum(times * gamma**2, path.checkpoint().time)
    found = np.array([path.fields(x, float(t))[OUTPUT] for t in own])
    return np.asarray(found, float)


def _divided(network: Network, gamma: float) -> Network:
    """The network whose output, but for its bias, is divided by gamma."""
    exact = sp.Rational(repr(gamma))
    output = network.output
    connections = tuple(
        replace(c, operation=c.operation / exact, is_usual=c.is_usual and exact == 1)
        for c in output.connections
    )
    bias = output.bias and replace(output.bias, rate=output.bias.rate / exact**2)
    return replace(network, output=replace(output, connections=connections, bias=bias))
