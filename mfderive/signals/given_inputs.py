"""What kernels start from: products of inputs, given as arrays or as norms and a correlation, and the
output's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..algebra.arguments import real_array
from ..algebra.evaluate import evaluate_expression
from ..errors import ArgumentError
from .input_kernels import U
from .kernel_system import Kernel, KernelKind, KernelSystem, Replicas

Array = Any
Given = dict[tuple[str, Replicas], Array]
_PAIRS: tuple[Replicas, ...] = ((1, 1), (1, 2), (2, 2))


def input_values(system: KernelSystem, x: Array) -> Given:
    """The given kernels of two inputs x [2, ...] of the network's shape. Raises ArgumentError for other
    shapes."""
    values = real_array("the inputs", x)
    shape = tuple(system.axis[a].size or 1 for a in system.input_axes)
    if values.shape != (2, *shape):
        raise ArgumentError(
            f"the inputs have the shape {values.shape}; it must be (2, {', '.join(map(str, shape))})"
        )
    return {key: value[0] for key, value in paired_values(system, values[:1], values[1:]).items()}


def paired_values(system: KernelSystem, one: Array, two: Array) -> Given:
    """The given kernels of pairs of inputs, [pair, ...] each; arrays have the axis of pairs first."""
    given = {key: np.broadcast_to(v, (len(one), *v.shape)) for key, v in output_values(system).items()}
    for kernel in system.given:
        if kernel.kind is KernelKind.INPUT:
            values = [_function(kernel, x) for x in (one, two)]
            for replicas in _PAIRS:
                first, second = (values[r - 1] for r in replicas)
                given[kernel.name, replicas] = _product(system, kernel, first, second)
    return given


def norm_values(
    system: KernelSystem, q1: Array, q2: Array, correlation: Array, shape: tuple[int, ...]
) -> Given:
    """The given kernels of two inputs of which |x|^2/d and the correlation are known, the same at all
    positions."""
    given = output_values(system)
    for kernel in system.given:
        if kernel.kind is not KernelKind.INPUT:
            continue
        if kernel.function != U:
            raise ArgumentError(
                f"the network reads the function {kernel.function} of its inputs u: norms and a "
                f"correlation do not say what "
                "its products are. Give the inputs as arrays"
            )
        sizes = tuple(system.axis[a].size or 1 for a in kernel.axes)
        pair = np.asarray(correlation) * np.sqrt(np.asarray(q1) * np.asarray(q2))
        for replicas, value in zip(_PAIRS, (q1, pair, q2), strict=True):
            if sizes and len(set(replicas)) == 1:
                raise ArgumentError("the inputs have positions: give them as arrays")
            given[kernel.name, replicas] = np.broadcast_to(np.asarray(value, float), shape)
    return given


def output_values(system: KernelSystem) -> Given:
    """The kernels at the output: the identity over the outputs, divided by their number.

    Of a batch the derivatives by the outputs of two samples are independent.
    """
    given: Given = {}
    for kernel in system.given:
        if kernel.kind is KernelKind.SEED:
            size = system.axis[kernel.axes[0]].size or 1
            for replicas in _PAIRS:
                apart = system.batch is not None and len(set(replicas)) == 2
                given[kernel.name, replicas] = np.eye(size) / size * (not apart)
    return given


def _function(kernel: Kernel, x: Array) -> Array:
    return np.asarray(evaluate_expression(kernel.function, {U: x}), float)


def _product(system: KernelSystem, kernel: Kernel, one: Array, other: Array) -> Array:
    """The products of inputs [pair, ...] at all pairs of places, averaged over the axes that a kernel
    lacks."""
    kept = kernel.axes[: len(kernel.axes) // 2]
    averaged = [n + 1 for n, a in enumerate(system.input_axes) if a not in kept]
    places = [n + 1 for n, a in enumerate(system.input_axes) if a in kept]
    sizes = tuple(one.shape[n] for n in places)
    count = int(np.prod([one.shape[n] for n in averaged]))
    flat = [np.transpose(x, (0, *places, *averaged)).reshape(len(x), -1, count) for x in (one, other)]
    return (flat[0] @ np.swapaxes(flat[1], 1, 2) / count).reshape((len(one), *sizes, *sizes))
