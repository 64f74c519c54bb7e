"""All fields of a finite network at given inputs: what a trajectory of kind "network" evaluates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.arguments import NETWORK, instance, real_array
from ..algebra.system import ForwardSystem
from ..algebra.terms import Role
from ..errors import StateError
from ..forward.batch_statistics import refuse_batch_statistics
from ..forward.equations import forward_system
from ..network.network import Network
from .finite_network import FiniteNetwork
from .namespace import NUMPY

Array = Any


def system_of(network: Any) -> ForwardSystem:
    """The forward system of a resolved Network; a ForwardSystem is returned as it is."""
    if isinstance(network, ForwardSystem):
        return network
    refuse_batch_statistics(instance(network, Network, "a network", NETWORK))
    return forward_system(network)


def parameter_arrays(
    finite: FiniteNetwork, state: Mapping[str, Any], dtype: Any = np.float64
) -> dict[str, Array]:
    """The parameters of a network from a state; StateError if one is missing."""
    found = {}
    for parameter in finite.system.parameters:
        if parameter.name not in state:
            raise StateError(f"the state lacks the parameter '{parameter.name}'")
        found[parameter.name] = np.asarray(state[parameter.name], dtype=dtype)
    return found


def shapes_of(parameters: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """The shape of every array."""
    return {name: tuple(array.shape) for name, array in parameters.items()}


def data_array(finite: FiniteNetwork, name: str, values: Array, dtype: Any = np.float64) -> Array:
    """x [sample, inputs...] or y [sample, outputs] as an array of the network's sizes.

    Where a sample has a single number, [sample] is accepted too. StateError for any other shape and for no
    samples at all, ArgumentError for what is not finite.
    """
    array = real_array(name, values).astype(dtype)
    axes = [finite.system.axis[axis] for axis in finite.system.field[name].axes[1:]]
    expected = tuple(axis.size for axis in axes)
    if array.ndim == 1 and all(size == 1 for size in expected):
        array = array.reshape((len(array), *([1] * len(expected))))
    if array.ndim != 1 + len(expected) or array.shape[1:] != expected:
        wanted = ", ".join(["sample", *(f"{axis.name} = {axis.size}" for axis in axes)])
        raise StateError(f"{name} has shape {array.shape}; expected [{wanted}]")
    if not len(array):
        raise StateError(f"{name} has no samples; there must be at least one")
    return array


def network_fields(network: Any, state: Mapping[str, Any], x: Array) -> dict[str, Array]:
    """Every forward field up to ``yhat`` of a finite network, in the precision of its state.

    ``network``: a resolved Network or a ForwardSystem; ``x`` [sample, inputs...]; arrays of the result are
    [sample, neuron, positions...]. StateError where state or x do not fit.
    """
    return fields_of(FiniteNetwork(system_of(network)), state, x)


def fields_of(finite: FiniteNetwork, state: Mapping[str, Any], x: Array) -> dict[str, Array]:
    """:func:`network_fields` of a network whose equations are at hand."""
    arrays = [np.asarray(state[p.name]) for p in finite.system.parameters if p.name in state]
    single = bool(arrays) and all(array.dtype == np.float32 for array in arrays)
    dtype = np.float32 if single else np.float64
    parameters = parameter_arrays(finite, state, dtype)
    inputs = data_array(finite, "x", x, dtype)
    sizes = finite.sizes(shapes_of(parameters), len(inputs))
    values = finite.evaluate({**parameters, "x": inputs}, sizes, NUMPY, until="yhat")
    computed = (Role.FORWARD, Role.FROZEN)
    return {name: value for name, value in values.items() if finite.system.field[name].role in computed}
