"""What is compared: outputs, loss, error, moments of pre-activations, laws of the weights of single neurons.

Every observable of one run (a finite network, or the limit on an ensemble) is a vector of numbers, computed
by the same functions for both: averages over neurons use the weights p of the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.laws import Variable
from ..algebra.showing import Shown
from ..algebra.system import ForwardSystem
from ..algebra.terms import PREACTIVATION, AxisKind, Field, Role
from ..network.network import Network
from ..runs.evaluation import evaluate_loss_error

Array = Any
Values = dict[str, Array]

# Quantile functions are compared by their means over so many stretches of equal probability.
BINS = 8

OUTPUTS, OUTPUTS_START, LOSS, ERROR = "outputs", "outputs at t = 0", "loss", "error"

# The moments over neurons that are compared, and their powers.
MOMENTS = {"mean": 1, "square": 2}


@dataclass(frozen=True, repr=False)
class Observable(Shown):
    """One observable: its name, what its numbers are, and whether it takes part in the verdict.

    ``sized_by`` names the observable of second moments whose square root is the size of this one ("": its
    own size), for means that may vanish where what they average does not.
    """

    name: str
    words: str
    decides: bool = True
    sized_by: str = ""


def observables(network: Network, system: ForwardSystem) -> tuple[Observable, ...]:
    """The observables of a network; ``system`` is its full (not reduced) system."""
    found = [
        Observable(OUTPUTS, "yhat on the evaluation sample at the end"),
        Observable(OUTPUTS_START, "yhat on the evaluation sample before training"),
        Observable(LOSS, "mean loss of the evaluation sample at the end"),
    ]
    if network.loss.error is not None:
        # A step function of the outputs: it has no expansion in 1/n, and says nothing that they do not.
        found.append(Observable(ERROR, "fraction of the evaluation sample misclassified", decides=False))
    for name, fields in layer_fields(system).items():
        of = name if fields == (name,) else f"{name} at every step"
        mean, square = (f"{name} {moment}" for moment in MOMENTS)
        found.append(Observable(mean, f"mean of {of} over neurons, input by input", sized_by=square))
        found.append(Observable(square, f"second moment of {of} over neurons, input by input"))
    for name in weight_laws(system):
        found.append(Observable(f"{name} law", f"quantiles of the values of {name} over neurons"))
    return tuple(found)


def layer_fields(system: ForwardSystem) -> dict[str, tuple[str, ...]]:
    """What is observed of the layers: names of observables, and the fields whose moments they hold.

    These are all fields before ``yhat`` that belong to samples and neurons, as the equations of ``system``
    (the full one) say: pre-activations of every kind, at every step, and statistics over positions; not
    activation outputs, which follow from them, nor indicators. The recurrent steps of a layer are one
    observable, so that the tests do not become more with them.
    """
    found: dict[str, list[str]] = {}
    for equation in system.forward:
        if equation.field == "yhat":
            break
        field = system.field[equation.field]
        kinds = [system.axis[axis].kind for axis in field.axes]
        if field.role is Role.FORWARD and not field.hidden and AxisKind.DATA in kinds and len(kinds) > 1:
            name = _without_step(field) if field.step else field.name
            found.setdefault(name, []).append(field.name)
    return {name: tuple(fields) for name, fields in found.items()}


def _without_step(field: Field) -> str:
    """The name that the steps of one quantity of a layer share."""
    return field.owner if field.part == PREACTIVATION else f"{field.owner}.{field.part}"


def weight_laws(system: ForwardSystem) -> tuple[str, ...]:
    """Parameters of a single neuron whose law is compared: trained, and random at the start.

    First-layer and output weights are such; weights between populations are not, because their noise does
    not reach the limit.
    """
    return tuple(
        p.name
        for p in system.parameters
        if len(system.population_slots(p.name)) == 1 and not p.is_frozen and not p.law.is_deterministic
    )


def final_values(
    network: Network,
    full: ForwardSystem,
    system: ForwardSystem,
    fields: Mapping[str, Array],
    state: Mapping[str, Any],
    y: Array,
) -> Values:
    """All observables but the outputs at t = 0, float64 [number] each.

    ``fields`` are those of ``state`` in ``system`` (the full system of a network, or a reduced limit) on the
    evaluation sample, whose targets are ``y``.
    """
    loss, error = evaluate_loss_error(network, fields["yhat"], y)
    values: Values = {OUTPUTS: flat(fields["yhat"]), LOSS: np.array([loss])}
    if network.loss.error is not None:
        values[ERROR] = np.array([error])
    for name, parts in layer_fields(full).items():
        arrays = [(system.field[part].axes, np.asarray(fields[part], dtype=np.float64)) for part in parts]
        for moment, power in MOMENTS.items():
            means = [flat(_neuron_mean(system, axes, array**power, state)) for axes, array in arrays]
            values[f"{name} {moment}"] = np.concatenate(means)
    for name in weight_laws(full):
        points, weights = law_points(system, system.parameter[name], state)
        values[f"{name} law"] = flat(quantile_means(points, weights, BINS))
    return values


def flat(array: Array) -> Array:
    """Any array as a float64 vector."""
    return np.asarray(array, dtype=np.float64).reshape(-1)


def _neuron_mean(
    system: ForwardSystem, axes: tuple[str, ...], values: Array, state: Mapping[str, Any]
) -> Array:
    """The average over all neuron axes of a field; nodes count by their weights."""
    for position in reversed(range(len(axes))):
        if system.axis[axes[position]].kind is AxisKind.POPULATION:
            weights = np.asarray(state["p"][axes[position]], np.float64)
            values = np.tensordot(values, weights, ([position], [0]))
    return values


def law_points(system: ForwardSystem, parameter: Variable, state: Mapping[str, Any]) -> tuple[Array, Array]:
    """Values of a parameter over neurons, [entry, neuron], and the weights of the neurons [neuron]."""
    values = np.asarray(state[parameter.name], dtype=np.float64)
    position = next(
        (k for k, axis in enumerate(parameter.axes) if system.axis[axis].kind is AxisKind.POPULATION), None
    )
    if position is None:
        return values.reshape(-1, 1), np.ones(1)
    weights = np.asarray(state["p"][parameter.axes[position]], dtype=np.float64)
    points = np.moveaxis(values, position, -1).reshape(-1, values.shape[position])
    return points, weights / weights.sum()


def quantile_means(points: Array, weights: Array, bins: int) -> Array:
    """Means of the quantile function over ``bins`` stretches of equal probability, [entry, bin].

    ``points`` [entry, neuron] are atoms of ``weights`` [neuron]; the quantile function is their step
    function, integrated exactly. Linear in the sorted values, so its expectation has an expansion in 1/n.
    """
    order = points.argsort(axis=1)
    values = np.take_along_axis(points, order, axis=1)
    limits = np.cumsum(weights[order], axis=1)
    limits[:, -1] = 1.0
    edges = np.linspace(0.0, 1.0, bins + 1)
    # Mass of each atom in each stretch: the overlap of two intervals.
    low = np.concatenate([np.zeros((len(points), 1)), limits[:, :-1]], axis=1)
    overlap = np.minimum(limits[:, None, :], edges[None, 1:, None]) - np.maximum(
        low[:, None, :], edges[None, :-1, None]
    )
    means: Array = bins * np.einsum("ebn,en->eb", np.maximum(overlap, 0.0), values)
    return means


def wasserstein(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    """The 1-Wasserstein distance of two laws on the line ([entry, neuron], weights)."""
    from scipy.stats import wasserstein_distance

    (points, weights), (other_points, other_weights) = one, other
    entries = max(len(points), len(other_points))
    points = np.broadcast_to(points, (entries, points.shape[1]))
    other_points = np.broadcast_to(other_points, (entries, other_points.shape[1]))
    distances = [
        wasserstein_distance(a, b, weights, other_weights) for a, b in zip(points, other_points, strict=True)
    ]
    return float(np.mean(distances))
