"""The gradient of the batch-mean loss of a finite network: complex steps in numpy, or JAX.

Complex steps perturb one entry at a time; nothing here knows the reverse pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .finite_network import FiniteNetwork
from .namespace import NUMPY, jax_namespace, precision
from .network_fields import shapes_of

Array = Any

METHODS = ("complex-step", "jax")
# Its square is exactly 0, so that no tie is broken by a real part of second order (0 < g**2 at g = 0), and
# its products with anything that matters stay far from underflow.
STEP = 1e-170
# Bytes that the replicas of one chunk of complex steps may take.
CHUNK_BYTES = 2**26


def loss_gradient(
    finite: FiniteNetwork, parameters: Mapping[str, Array], x: Array, y: Array, method: str
) -> dict[str, Array]:
    """The gradient of the batch-mean loss with respect to every trained parameter, in float64.

    ``method``: one of :data:`METHODS`. ``x``, ``y`` as :func:`mfderive.finite.network_fields.data_array`
    makes them.
    """
    sizes = finite.sizes(shapes_of(parameters), len(x))
    gradient = _complex_step_gradient if method == "complex-step" else _jax_gradient
    trained = [parameter.name for parameter in finite.system.parameters if not parameter.is_frozen]
    return gradient(finite, parameters, x, y, sizes, trained)


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
