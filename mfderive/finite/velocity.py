"""The velocity of every parameter, from the finite network alone.

At width n the mean-field velocity of a parameter is minus its rate times the product of the widths of its
population slots times the plain gradient of the batch-mean loss (theory A.5). The gradient comes from
complex steps in numpy, one for each entry, or from JAX; nothing here knows the reverse pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.arguments import choice, instance, number
from ..algebra.laws import TIME, Variable
from ..algebra.system import ForwardSystem
from ..algebra.terms import AxisKind
from ..errors import StateError
from ..state.draw import WEIGHTS, check_state
from .finite_network import FiniteNetwork
from .namespace import NUMPY, jax_namespace, precision
from .network_fields import data_array, parameter_arrays, shapes_of, system_of
from .numpy_functions import NUMPY_FUNCTIONS, evaluate_expression

Array = Any

METHODS = ("complex-step", "jax")
# Its square is exactly 0, so that no tie is broken by a real part of second order (0 < g**2 at g = 0), and
# its products with anything that matters stay far from underflow.
STEP = 1e-170
# Bytes that the replicas of one chunk of complex steps may take.
CHUNK_BYTES = 2**26


def finite_velocity(
    network: Any,
    state: Mapping[str, Any],
    x: Array,
    y: Array,
    t: float = 0.0,
    method: str = "complex-step",
) -> dict[str, Array]:
    """d(parameter)/dt of the finite network on one batch, in float64; zeros for frozen parameters.

    ``network`` is a resolved Network or a ForwardSystem. ``state``: parameter name -> array, and weights
    ``state["p"]`` (population -> array), which must be equal within each population; without ``p`` they are.
    ``x`` [sample, inputs...], ``y`` [sample, outputs] ([sample] where there is one output), ``t`` the time
    at which rates are taken. ``method``: "complex-step" or "jax".

    Raises StateError for unequal weights, missing parameters, shapes that do not fit, numbers that are not
    finite, an empty batch; ArgumentError for a network, a time or a method that is none.
    Source equation: d_t theta = -rate(t) * (product of widths) * d/dtheta (mean over the batch of the loss).
    """
    choice("method", method, METHODS)
    finite = FiniteNetwork(system_of(network))
    parameters = parameter_arrays(finite, _checked_state(finite, state))
    t = number("t", t)
    x, y = data_array(finite, "x", x), data_array(finite, "y", y)
    if len(x) != len(y):
        raise StateError(f"x has {len(x)} samples, y has {len(y)}")
    sizes = finite.sizes(shapes_of(parameters), len(x))
    gradient = _complex_step_gradient if method == "complex-step" else _jax_gradient
    trained = [parameter.name for parameter in finite.system.parameters if not parameter.is_frozen]
    gradients = gradient(finite, parameters, x, y, sizes, trained)
    result = {}
    for parameter in finite.system.parameters:
        array = parameters[parameter.name]
        if parameter.is_frozen:
            result[parameter.name] = np.zeros(array.shape)
            continue
        factor = -rate_at(parameter, t) * width_factor(finite.system, parameter, array.shape)
        result[parameter.name] = factor * gradients[parameter.name]
    return result


def _checked_state(finite: FiniteNetwork, state: Mapping[str, Any]) -> dict[str, Any]:
    """A state of equal neurons that fits the network; where it has no weights p, with those of its sizes."""
    instance(state, Mapping, "a state (a dictionary of arrays)")
    if WEIGHTS not in state:
        sizes = finite.sizes({name: np.shape(values) for name, values in state.items()}, 1)
        names = [axis.name for axis in finite.system.populations]
        state = {**state, WEIGHTS: {name: np.full(sizes[name], 1 / sizes[name]) for name in names}}
    checked = check_state(finite.system, state)
    require_equal_weights(checked)
    return checked


def rate_at(parameter: Variable, t: float) -> float:
    """The rate xi(t) of a parameter."""
    return float(evaluate_expression(parameter.rate, {TIME: float(t)}, NUMPY_FUNCTIONS))


def width_factor(system: ForwardSystem, parameter: Variable, shape: tuple[int, ...]) -> int:
    """The product of the widths of the population slots of a parameter, read off its array's shape."""
    return math.prod(
        size
        for axis, size in zip(parameter.axes, shape, strict=True)
        if system.axis[axis].kind is AxisKind.POPULATION
    )


def require_equal_weights(state: Mapping[str, Any]) -> None:
    """StateError unless the nodes of each population have equal weights, as neurons of a network have."""
    for name, weights in dict(state.get("p", {})).items():
        array = np.asarray(weights, dtype=float)
        if array.size and np.max(np.abs(array * array.size - 1.0)) > 1e-6:
            raise StateError(
                f"the weights p of the population '{name}' are not all 1/{array.size}: a finite network has"
                " equal neurons. Repeat nodes in proportion to their weights (blow the state up) first"
            )


def _complex_step_gradient(
    finite: FiniteNetwork,
    parameters: Mapping[str, Array],
    x: Array,
    y: Array,
    sizes: Mapping[str, int],
    trained: list[str],
) -> dict[str, Array]:
    """The gradient of the batch-mean loss by one complex step for each entry."""
    base = finite.evaluate({**parameters, "x": x, "y": y}, sizes, NUMPY)
    return {name: _gradient_of(finite, name, base, sizes) for name in trained}


def _gradient_of(
    finite: FiniteNetwork, name: str, base: Mapping[str, Array], sizes: Mapping[str, int]
) -> Array:
    """The gradient with respect to one parameter; fields that do not depend on it keep their values."""
    value = base[name]
    fields = finite.dependents(name)
    if "loss" not in fields:
        return np.zeros(value.shape)
    # Twice the fields: operands are laid out beside results.
    one_replica = 16 * (value.size + 2 * sum(base[field].size for field in fields))
    chunk = max(1, min(value.size, CHUNK_BYTES // max(1, one_replica)))
    gradient = np.empty(value.size)
    for start in range(0, value.size, chunk):
        entries = np.arange(start, min(start + chunk, value.size))
        perturbed = np.repeat(value.reshape(1, -1).astype(complex), len(entries), axis=0)
        perturbed[np.arange(len(entries)), entries] += 1j * STEP
        values = {**base, name: perturbed.reshape((len(entries), *value.shape))}
        loss = finite.evaluate(values, sizes, NUMPY, replicated=[name], only=fields)["loss"]
        gradient[entries] = loss.imag.mean(axis=1) / STEP
    return gradient.reshape(value.shape)


def _jax_gradient(
    finite: FiniteNetwork,
    parameters: Mapping[str, Array],
    x: Array,
    y: Array,
    sizes: Mapping[str, int],
    trained: list[str],
) -> dict[str, Array]:
    """The gradient of the batch-mean loss by automatic differentiation, 64-bit within this call."""
    import jax

    namespace = jax_namespace()

    def mean_loss(changing: dict[str, Array], fixed: dict[str, Array]) -> Array:
        return finite.evaluate({**fixed, **changing}, sizes, namespace)["loss"].mean()

    with precision(jax, "float64"):
        changing = {name: jax.numpy.asarray(parameters[name]) for name in trained}
        fixed = {name: jax.numpy.asarray(a) for name, a in parameters.items() if name not in changing}
        fixed |= {"x": jax.numpy.asarray(x), "y": jax.numpy.asarray(y)}
        gradients = jax.jit(jax.grad(mean_loss))(changing, fixed)
        return {name: np.asarray(gradient) for name, gradient in gradients.items()}
