"""The motion of every parameter, from the finite network alone: its velocity, and the step of its rule.

At width n the mean-field velocity of a parameter is minus its rate times the product of the widths of its
population slots times the plain gradient of the batch-mean loss (theory A.5); a learning rule makes of it
what its row of the table says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.arguments import choice, instance, number, whole_number
from ..algebra.laws import TIME, Variable
from ..errors import StateError
from ..state.draw import WEIGHTS, check_state, unequal_weights
from .finite_network import FiniteNetwork
from .gradient import METHODS, loss_gradient
from .namespace import NUMPY
from .network_fields import data_array, parameter_arrays, shapes_of, system_of
from .numpy_functions import NUMPY_FUNCTIONS, evaluate_expression
from .rule_step import RuleStep

Array = Any
Arrays = dict[str, Any]


def finite_velocity(
    network: Any,
    state: Mapping[str, Any],
    x: Array,
    y: Array,
    t: float = 0.0,
    method: str = "complex-step",
) -> dict[str, Array]:
    """d/dt of every parameter of the finite network on one batch, in float64; zeros for frozen parameters.

    ``network`` is a resolved Network or a ForwardSystem. ``state``: parameter name -> array, and weights
    ``state["p"]`` (population -> array), which must be equal within each population; without ``p`` they are.
    ``x`` [sample, inputs...], ``y`` [sample, outputs] ([sample] where there is one output), ``t`` the time
    at which rates are taken. ``method``: "complex-step" or "jax".

    Where the network has a learning rule this is the flow of the rule (alpha -> 0) with clipping and decay,
    and memories have derivatives of their own (0 where the flow does not move them); those that the state
    lacks have the values that they start with. Noise is no part of it, and hidden units are all there.

    Raises StateError for unequal weights, missing parameters, shapes that do not fit, numbers that are not
    finite, an empty batch; ArgumentError for a network, a time or a method that is none, and for a learning
    rule whose flow is not known.
    Source equation: d_t theta = -rate(t) * (product of widths) * d/dtheta (mean over the batch of the loss).
    """
    case = _Case(network, state, x, y, t, method)
    rates = {parameter.name: rate_at(parameter, case.t) for parameter in case.rule.trained}
    speed = case.rule.flow(case.arrays, case.gradients, rates, case.t)
    names = [variable.name for variable in case.finite.system.variables]
    return {name: speed[name] if name in speed else np.zeros(case.arrays[name].shape) for name in names}


def finite_step(
    network: Any,
    state: Mapping[str, Any],
    x: Array,
    y: Array,
    t: float,
    alpha: float,
    k: int = 1,
    seed: int = 0,
    method: str = "complex-step",
) -> Arrays:
    """The state of a finite network after step ``k`` of its learning rule, on one batch and in float64.

    The step has size ``alpha`` and begins at time ``t``; ``seed`` draws its noise
    (:meth:`mfderive.finite.rule_step.RuleStep.draws`). All hidden units are there: no dropout. The other
    arguments, and what is raised, are those of :func:`finite_velocity`; of every rule there is a step.
    """
    alpha, k = number("alpha", alpha), whole_number("k", k)
    case = _Case(network, state, x, y, t, method)
    row = case.rule.table(np.array([alpha]), np.array([case.t]), np.array([k]))[0]
    draws = case.rule.draws(k, whole_number("seed", seed, 0))
    moved = case.rule.after(case.arrays, case.gradients, row, draws, NUMPY)
    return {**case.state, **{name: np.array(value) for name, value in moved.items()}}


class _Case:
    """What both read: the checked state in float64, its rule, and the gradient on the batch."""

    def __init__(
        self, network: Any, state: Mapping[str, Any], x: Array, y: Array, t: float, method: str
    ) -> None:
        choice("method", method, METHODS)
        self.finite = FiniteNetwork(system_of(network))
        self.state = checked_state(self.finite, state)
        self.t = number("t", t)
        x, y = data_array(self.finite, "x", x), data_array(self.finite, "y", y)
        if len(x) != len(y):
            raise StateError(f"x has {len(x)} samples, y has {len(y)}")
        parameters = parameter_arrays(self.finite, self.state)
        self.arrays = {name: value for name, value in self.state.items() if name != WEIGHTS}
        self.rule = RuleStep(self.finite.system, shapes_of(self.arrays))
        self.gradients = loss_gradient(self.finite, parameters, x, y, method)


def checked_state(finite: FiniteNetwork, state: Mapping[str, Any]) -> Arrays:
    """A state of equal neurons in float64; where it has no weights p, with those of its sizes."""
    instance(state, Mapping, "a state (a dictionary of arrays)")
    if WEIGHTS not in state:
        sizes = finite.sizes({name: np.shape(values) for name, values in state.items()}, 1)
        names = [axis.name for axis in finite.system.populations]
        state = {**state, WEIGHTS: {name: np.full(sizes[name], 1 / sizes[name]) for name in names}}
    checked = check_state(finite.system, state)
    require_equal_weights(checked)
    double = {n: np.asarray(value, np.float64) for n, value in checked.items() if n != WEIGHTS}
    return {**double, WEIGHTS: {n: np.asarray(p, np.float64) for n, p in checked[WEIGHTS].items()}}


def rate_at(parameter: Variable, t: float) -> float:
    """The rate xi(t) of a parameter."""
    return float(evaluate_expression(parameter.rate, {TIME: float(t)}, NUMPY_FUNCTIONS))


def require_equal_weights(state: Mapping[str, Any]) -> None:
    """StateError unless the nodes of each population have equal weights, as neurons of a network have."""
    for name in unequal_weights(state):
        raise StateError(
            f"the weights p of the population '{name}' are not all 1/{np.size(state[WEIGHTS][name])}: a "
            "finite network has equal neurons. Repeat nodes in proportion to their weights (blow the state "
            "up) first"
        )
