"""Eight-layer convolutional network (paper, Table 1)

Mean-field limit of the network above, written by mfderive (generator 11). This file needs numpy,
numba and scipy only; it may be read, edited and run again.

A state is a dictionary: an array for every parameter (axes in PARAMETERS) and state["p"], the weights of the
nodes of every population, which sum to 1. Arrays of data are [sample, neuron, positions...]. Time is the sum
of the learning rates.
"""

from __future__ import annotations

import math
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from scipy.linalg import blas

# A loader may set COMPILED to False beforehand: then everything below runs as plain Python.
COMPILED: bool = globals().get("COMPILED", True)
if COMPILED:
    from numba import njit

# Threads that share the work of one step.
THREADS = min(os.cpu_count() or 1, 8)

Array = np.ndarray[Any, Any]
Real = Any  # a number in the precision of the arrays
Fields = dict[str, Array]
Maker = Callable[[str, tuple[int, ...]], Array]  # (name, shape) -> array
Caller = Callable[..., None]  # (function, arguments): calls it now, or whenever the sweep is repeated
Number = float | Callable[[], float]  # a number, or what gives its value at present
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code, or the function itself where COMPILED is False."""
    if not COMPILED:
        return function
    fast = {"contract", "reassoc"}
    result: Function = njit(cache=True, nogil=True, error_model="numpy", fastmath=fast)(function)
    return result


def compiled_in_order(function: Function) -> Function:
    """A function of numbers whose sums are made in the order in which they are written.

    It becomes a part of every loop that calls it, so that the loop does several numbers at once.
    """
    if not COMPILED:
        return function
    options = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True}
    result: Function = njit(fastmath={"contract"}, **options)(function)
    return result


TITLE = "Eight-layer convolutional network (paper, Table 1)"
DIGEST = "15d2af8343d976eda65e0aa9dfc99fbdcd9b8500e2f51748cb04eb814a855e73"
# Axes of every array of a state.
PARAMETERS = {
    "c1.bias": ("c1",),
    "c1.weight": ("c1", "channels", "c1.taps1", "c1.taps2"),
    "c2.bias": ("c2",),
    "c2.weight": ("c2", "c1", "c2.taps1", "c2.taps2"),
    "c3.bias": ("c3",),
    "c3.weight": ("c3", "c2", "c3.taps1", "c3.taps2"),
    "c4.bias": ("c4",),
    "c4.weight": ("c4", "c3", "c4.taps1", "c4.taps2"),
    "c5.bias": ("c5",),
    "c5.weight": ("c5", "c4", "c5.taps1", "c5.taps2"),
    "c6.bias": ("c6",),
    "c6.weight": ("c6", "c5", "c6.taps1", "c6.taps2"),
    "c7.bias": ("c7",),
    "c7.weight": ("c7", "c6", "c7.taps1", "c7.taps2"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "c7", "p7.positions1", "p7.positions2"),
}
FROZEN = ()
# What a learning rule remembers of parameters.
MEMORIES = ()
POPULATIONS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")
# Axes whose nodes have weights in state["p"], and their relative widths.
MEASURES = {
    "c1": 1.0,
    "c2": 1.0,
    "c3": 1.0,
    "c4": 1.0,
    "c5": 1.0,
    "c6": 1.0,
    "c7": 1.0,
}
# Sizes of the finite axes.
SIZES = {
    "positions1": 32,
    "positions2": 32,
    "channels": 3,
    "outputs": 10,
    "c1.positions1": 16,
    "c1.positions2": 16,
    "c2.positions1": 8,
    "c2.positions2": 8,
    "c3.positions1": 8,
    "c3.positions2": 8,
    "c4.positions1": 8,
    "c4.positions2": 8,
    "c5.positions1": 8,
    "c5.positions2": 8,
    "p5.positions1": 4,
    "p5.positions2": 4,
    "c6.positions1": 4,
    "c6.positions2": 4,
    "c7.positions1": 4,
    "c7.positions2": 4,
    "p7.positions1": 2,
    "p7.positions2": 2,
    "c1.taps1": 3,
    "c1.taps2": 3,
    "c2.taps1": 3,
    "c2.taps2": 3,
    "c3.taps1": 3,
    "c3.taps2": 3,
    "c4.taps1": 3,
    "c4.taps2": 3,
    "c5.taps1": 3,
    "c5.taps2": 3,
    "p5.taps1": 3,
    "p5.taps2": 3,
    "c6.taps1": 3,
    "c6.taps2": 3,
    "c7.taps1": 3,
    "c7.taps2": 3,
    "p7.taps1": 3,
    "p7.taps2": 3,
}
# Axes of every field.
FIELDS = {
    "x": ("data", "channels", "positions1", "positions2"),
    "y": ("data", "outputs"),
    "c1.bias": ("c1",),
    "c1.weight": ("c1", "channels", "c1.taps1", "c1.taps2"),
    "c1": ("data", "c1", "c1.positions1", "c1.positions2"),
    "c1.out": ("data", "c1", "c1.positions1", "c1.positions2"),
    "c2.bias": ("c2",),
    "c2.weight": ("c2", "c1", "c2.taps1", "c2.taps2"),
    "c2": ("data", "c2", "c2.positions1", "c2.positions2"),
    "c2.out": ("data", "c2", "c2.positions1", "c2.positions2"),
    "c3.bias": ("c3",),
    "c3.weight": ("c3", "c2", "c3.taps1", "c3.taps2"),
    "c3": ("data", "c3", "c3.positions1", "c3.positions2"),
    "c3.out": ("data", "c3", "c3.positions1", "c3.positions2"),
    "c4.bias": ("c4",),
    "c4.weight": ("c4", "c3", "c4.taps1", "c4.taps2"),
    "c4": ("data", "c4", "c4.positions1", "c4.positions2"),
    "c4.out": ("data", "c4", "c4.positions1", "c4.positions2"),
    "c5.bias": ("c5",),
    "c5.weight": ("c5", "c4", "c5.taps1", "c5.taps2"),
    "c5": ("data", "c5", "c5.positions1", "c5.positions2"),
    "c5.out": ("data", "c5", "c5.positions1", "c5.positions2"),
    "p5.inside1": ("c5.positions1", "c5.positions2"),
    "p5.select1": ("data", "c5", "p5.positions1", "p5.positions2", "p5.taps1", "p5.taps2"),
    "p5": ("data", "c5", "p5.positions1", "p5.positions2"),
    "c6.bias": ("c6",),
    "c6.weight": ("c6", "c5", "c6.taps1", "c6.taps2"),
    "c6": ("data", "c6", "c6.positions1", "c6.positions2"),
    "c6.out": ("data", "c6", "c6.positions1", "c6.positions2"),
    "c7.bias": ("c7",),
    "c7.weight": ("c7", "c6", "c7.taps1", "c7.taps2"),
    "c7": ("data", "c7", "c7.positions1", "c7.positions2"),
    "c7.out": ("data", "c7", "c7.positions1", "c7.positions2"),
    "p7.inside1": ("c7.positions1", "c7.positions2"),
    "p7.select1": ("data", "c7", "p7.positions1", "p7.positions2", "p7.taps1", "p7.taps2"),
    "p7": ("data", "c7", "p7.positions1", "p7.positions2"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "c7", "p7.positions1", "p7.positions2"),
    "yhat": ("data", "outputs"),
    "loss.select": ("data", "outputs"),
    "loss.shift": ("data",),
    "loss.total": ("data",),
    "loss": ("data",),
    "adj loss.total": ("data",),
    "adj yhat": ("data", "outputs"),
    "adj p7": ("data", "c7", "p7.positions1", "p7.positions2"),
    "adj c7.out": ("data", "c7", "c7.positions1", "c7.positions2"),
    "adj c7": ("data", "c7", "c7.positions1", "c7.positions2"),
    "adj c6.out": ("data", "c6", "c6.positions1", "c6.positions2"),
    "adj c6": ("data", "c6", "c6.positions1", "c6.positions2"),
    "adj p5": ("data", "c5", "p5.positions1", "p5.positions2"),
    "adj c5.out": ("data", "c5", "c5.positions1", "c5.positions2"),
    "adj c5": ("data", "c5", "c5.positions1", "c5.positions2"),
    "adj c4.out": ("data", "c4", "c4.positions1", "c4.positions2"),
    "adj c4": ("data", "c4", "c4.positions1", "c4.positions2"),
    "adj c3.out": ("data", "c3", "c3.positions1", "c3.positions2"),
    "adj c3": ("data", "c3", "c3.positions1", "c3.positions2"),
    "adj c2.out": ("data", "c2", "c2.positions1", "c2.positions2"),
    "adj c2": ("data", "c2", "c2.positions1", "c2.positions2"),
    "adj c1.out": ("data", "c1", "c1.positions1", "c1.positions2"),
    "adj c1": ("data", "c1", "c1.positions1", "c1.positions2"),
}
# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.
TEMPORARIES = [
    ("c2", "c2.taps1", "c2.taps2", "c1"),
    ("c3", "c3.taps1", "c3.taps2", "c2"),
    ("c4", "c4.taps1", "c4.taps2", "c3"),
    ("c5", "c5.taps1", "c5.taps2", "c4"),
    ("c6", "c6.taps1", "c6.taps2", "c5"),
    ("c7", "c7.taps1", "c7.taps2", "c6"),
    ("c1",),
    ("c2",),
    ("c3",),
    ("c4",),
    ("c5",),
    ("c6",),
    ("c7",),
    ("outputs",),
]
SCRATCH = [
    ("c2.positions1", "c2.positions2", "c2.taps1", "c2.taps2", "c1"),
    ("c3.positions1", "c3.positions2", "c3.taps1", "c3.taps2", "c2"),
    ("c4.positions1", "c4.positions2", "c4.taps1", "c4.taps2", "c3"),
    ("c5.positions1", "c5.positions2", "c5.taps1", "c5.taps2", "c4"),
    ("c6.positions1", "c6.positions2", "c6.taps1", "c6.taps2", "c5"),
    ("c7.positions1", "c7.positions2", "c7.taps1", "c7.taps2", "c6"),
    ("channels", "c1.taps1", "c1.taps2", "c1.positions1", "c1.positions2"),
    ("c2.positions1", "c2.positions2", "c2.taps1", "c2.taps2", "c1"),
    ("c3.positions1", "c3.positions2", "c3.taps1", "c3.taps2", "c2"),
    ("c4.positions1", "c4.positions2", "c4.taps1", "c4.taps2", "c3"),
    ("c5.positions1", "c5.positions2", "c5.taps1", "c5.taps2", "c4"),
    ("c6.positions1", "c6.positions2", "c6.taps1", "c6.taps2", "c5"),
    ("c7.positions1", "c7.positions2", "c7.taps1", "c7.taps2", "c6"),
    ("channels", "c1.taps1", "c1.taps2", "c1.positions1", "c1.positions2"),
    ("c1.positions1", "c1.positions2", "c1"),
    ("c2.positions1", "c2.positions2", "c2"),
    ("c3.positions1", "c3.positions2", "c3"),
    ("c4.positions1", "c4.positions2", "c4"),
    ("c6.positions1", "c6.positions2", "c6"),
    ("p5.positions1", "p5.positions2", "c5"),
    ("c1.positions1", "c1.positions2", "c1"),
    ("c2", "c2.taps1", "c2.taps2", "c1"),
    ("c2.positions1", "c2.positions2", "c2"),
    ("c3", "c3.taps1", "c3.taps2", "c2"),
    ("c3.positions1", "c3.positions2", "c3"),
    ("c4", "c4.taps1", "c4.taps2", "c3"),
    ("c4.positions1", "c4.positions2", "c4"),
    ("c5", "c5.taps1", "c5.taps2", "c4"),
    ("c6", "c6.taps1", "c6.taps2", "c5"),
    ("c6.positions1", "c6.positions2", "c6"),
    ("c7", "c7.taps1", "c7.taps2", "c6"),
    ("p5.positions1", "p5.positions2", "c5"),
    ("c1.positions1", "c1.positions2", "c1"),
    ("c2.positions1", "c2.positions2", "c2"),
    ("c3.positions1", "c3.positions2", "c3"),
    ("c4.positions1", "c4.positions2", "c4"),
    ("c6.positions1", "c6.positions2", "c6"),
    ("p5.positions1", "p5.positions2", "c5"),
]


# -------------------------------- Sizes of axes and weights of nodes


class Nodes:
    """Sizes of all axes and the weights of the nodes of measures.

    ``equal`` holds the weight of a node for those axes whose nodes all have the same one; ``shapes``
    holds the shapes of arrays by their ``layouts``.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        sizes: Mapping[str, int],
        layouts: Mapping[str, tuple[str, ...]],
        dtype: np.dtype[Any],
    ) -> None:
        self.weights = {axis: np.ascontiguousarray(values, dtype) for axis, values in weights.items()}
        self.equal = {
            axis: float(values[0]) for axis, values in self.weights.items() if np.all(values == values[0])
        }
        self.size = {**sizes, **{axis: len(values) for axis, values in self.weights.items()}}
        self.shapes = {name: tuple(self.size[axis] for axis in axes) for name, axes in layouts.items()}
        self.dtype = dtype
        self.known: dict[tuple[str, ...], tuple[float, Array | None]] = {}

    def weighting(self, axes: tuple[str, ...]) -> tuple[float, Array | None]:
        """The factor and the weights (None where all are equal) of a mean or sum over axes together."""
        if axes not in self.known:
            self.known[axes] = self._weighting(axes)
        return self.known[axes]

    def _weighting(self, axes: tuple[str, ...]) -> tuple[float, Array | None]:
        factor = math.prod(self.equal.get(axis, 1.0) for axis in axes)
        if all(axis in self.equal or axis not in self.weights for axis in axes):
            return factor, None
        weights: Array = np.ones(1, self.dtype)
        for axis in axes:
            varies = axis in self.weights and axis not in self.equal
            own = self.weights[axis] if varies else np.ones(self.size[axis], self.dtype)
            weights = np.multiply.outer(weights, own).ravel()
        return factor, weights


# -------------------------------- Matrix products by BLAS


def matrix(array: Array, split: int) -> Array:
    """An array as a matrix whose rows are its first ``split`` axes; shares memory."""
    return array.reshape(math.prod(array.shape[:split]), math.prod(array.shape[split:]))


def rescale(array: Array, factor: Number) -> None:
    """array = factor * array in place, 0 for the factor 0 whatever stands in the array."""
    value = factor() if callable(factor) else factor
    if value == 0.0:
        array.fill(0.0)
    elif value != 1.0:
        array *= value


def matrix_product(
    out: Array,
    left: Array,
    right: Array,
    factor: Number,
    weighting: tuple[float, Array | None] = (1.0, None),
    keep: Number = 0.0,
) -> None:
    """out = factor * left @ diag(weights) @ right + keep * out (gemm with beta = keep), in place.

    Operands are matrices, each contiguous in row-major or column-major order, so that BLAS reads them in
    place. Weights that are not equal scale the smaller operand.
    """
    prepared_product(out, left, right, factor, weighting, keep)()


def prepared_product(
    out: Array,
    left: Array,
    right: Array,
    factor: Number,
    weighting: tuple[float, Array | None] = (1.0, None),
    keep: Number = 0.0,
) -> Callable[[], Any]:
    """A call of ``matrix_product`` that can be repeated, and finds out only once how the operands lie."""
    shared, weights = weighting
    if weights is None and COMPILED and not callable(factor) and not callable(keep):
        gemm, a, b, by_columns = _gemm(out, left, right)
        c, trans_a, trans_b = by_columns
        number = float(factor * shared)
        return partial(gemm, number, a, b, beta=keep, c=c, trans_a=trans_a, trans_b=trans_b, overwrite_c=True)
    if weights is None and COMPILED:
        return partial(_late_product, *_gemm(out, left, right), shared, factor, keep)
    return partial(_scaled_product, out, left, right, shared, weights, factor, keep)


def _gemm(out: Array, left: Array, right: Array) -> tuple[Any, Array, Array, tuple[Array, bool, bool]]:
    """BLAS's function, and what it is given: it reads matrices in column-major order."""
    if not out.flags.f_contiguous:
        out, left, right = out.T, right.T, left.T
    gemm = blas.dgemm if out.dtype == np.float64 else blas.sgemm
    a, b = left.flags.f_contiguous, right.flags.f_contiguous
    return gemm, left if a else left.T, right if b else right.T, (out, not a, not b)


def _late_product(
    gemm: Any, a: Array, b: Array, rest: tuple[Array, bool, bool], shared: float, factor: Number, keep: Number
) -> None:
    """A product whose numbers are known only when it is called."""
    number = float((factor() if callable(factor) else factor) * shared)
    c, trans_a, trans_b = rest
    gemm(number, a, b, keep() if callable(keep) else keep, c, trans_a, trans_b, True)


def _scaled_product(
    out: Array, left: Array, right: Array, shared: float, weights: Array | None, factor: Number, keep: Number
) -> None:
    """A product that scales an operand first, or in plain Python."""
    if weights is not None and left.size <= right.size:
        left = left * weights
    elif weights is not None:
        right = right * weights[:, None]
    kept = keep() if callable(keep) else keep
    if COMPILED:
        _late_product(*_gemm(out, left, right), shared, factor, kept)
    else:
        number = float((factor() if callable(factor) else factor) * shared)
        out[...] = number * (left @ right) + (kept * out if kept else 0)


# -------------------------------- Calls on arrays that stay the same, repeated


Sweep = Callable[[Fields, Nodes, Maker, Caller], None]
Evolution = Callable[[Fields, Nodes, Maker, Caller, Fields, Mapping[str, float], Mapping[str, float]], None]


def at_once(function: Callable[..., Any], *arguments: Any) -> None:
    """A call that is made now."""
    function(*arguments)


def recorded(write: Callable[[Caller], None]) -> list[Callable[[], Any]]:
    """The calls that a sweep makes, to be made later, and again and again."""
    calls: list[Callable[[], Any]] = []

    def call(function: Callable[..., Any], *arguments: Any) -> None:
        is_product = function is matrix_product
        calls.append(prepared_product(*arguments) if is_product else partial(function, *arguments))

    write(call)
    return calls


@compiled
def add_scaled(out: Array, speed: Array, scale: Real, keep: Real) -> None:
    """out(i) = keep * out(i) + scale * speed(i), without the first part where keep is 0."""
    if keep == 0:
        for i in range(out.size):
            out[i] = scale * speed[i]
    else:
        for i in range(out.size):
            out[i] = keep * out[i] + scale * speed[i]


def add_speed(
    out: Array, speed: Array, scale: Mapping[str, float], keep: Mapping[str, float], name: str
) -> None:
    """out = keep * out + scale * speed in place, with the numbers of a parameter; both arrays are flat."""
    add_scaled(out, speed, float(scale[name]), float(keep[name]))


class Plan:
    """The calls of a step on one set of arrays: as long as these serve, nothing is looked up again.

    ``sweeps`` compute the fields that the evolution reads, ``evolve`` is the evolution. Arrays of ``fields``
    may change their values, but nothing else.
    """

    def __init__(
        self, fields: Fields, nodes: Nodes, make: Maker, sweeps: tuple[Sweep, ...], evolve: Evolution
    ) -> None:
        self.fields, self.nodes, self.make = fields, nodes, make
        self.sweeps, self.evolution = sweeps, evolve
        self.scale: dict[str, float] = {}
        self.keep: dict[str, float] = {}
        self.own: Fields = {}  # arrays for x and y of batch after batch
        self.bind()

    def bind(self) -> None:
        """Find the calls, after an array of ``fields`` has been replaced."""
        self.into: Fields | None = None
        self.updates: list[Callable[[], Any]] = []
        self.calls = [
            each
            for sweep in self.sweeps
            for each in recorded(partial(sweep, self.fields, self.nodes, self.make))
        ]

    def sweep(self) -> None:
        """Compute the fields that the evolution reads."""
        for run in self.calls:
            run()

    def evolve(self, into: Fields, scale: Mapping[str, float], keep: Mapping[str, float]) -> None:
        """into = keep * into + scale * G for every trained parameter."""
        if self.into is None or any(into[name] is not array for name, array in self.into.items()):
            self.into = {name: into[name] for name in scale}

            def write(call: Caller, own: Fields = self.into) -> None:
                self.evolution(self.fields, self.nodes, self.make, call, own, self.scale, self.keep)

            self.updates = recorded(write)
        self.scale.update(scale)
        self.keep.update(keep)
        for run in self.updates:
            run()


# -------------------------------- Arrays for fields and temporaries


class Workspace(threading.local):
    """Arrays that the next call uses again; they are dropped when sizes or precision change.

    Nodes are remembered, too: from call to call their weights are mostly the same.
    """

    def __init__(self) -> None:
        self.key: Any = None
        self.arrays: dict[tuple[str, tuple[int, ...]], Array] = {}
        self.content: Any = None
        self.nodes: Nodes | None = None

    def known_nodes(self, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> Nodes:
        """The nodes with these weights, the last ones where those had the same."""
        content = dtype, [(each.shape, each.dtype, each.tobytes()) for each in weights.values()]
        if self.nodes is None or content != self.content:
            self.nodes, self.content = Nodes(weights, SIZES, PARAMETERS, dtype), content
        return self.nodes

    def maker(self, nodes: Nodes) -> Maker:
        """A function (name, shape) -> array for calls with these sizes."""
        key = (tuple(nodes.size.items()), np.dtype(nodes.dtype))
        if key != self.key:
            self.key, self.arrays = key, {}

        def make(name: str, shape: tuple[int, ...]) -> Array:
            array = self.arrays.get((name, shape))
            if array is None:
                array = self.arrays[name, shape] = np.empty(shape, nodes.dtype)
            return array

        return make


WORKSPACE = Workspace()


def fresh(nodes: Nodes) -> Maker:
    """A function (name, shape) -> new array."""
    return lambda name, shape: np.empty(shape, nodes.dtype)


# -------------------------------- Matrix products inside compiled loops, which call BLAS by its address


if COMPILED:
    from numba import types
    from numba.extending import get_cython_function_address

    # Importing this teaches numba to type functions by their address.
    import_module("numba.experimental.function_type")

    class Blas(types.WrapperAddressProtocol):
        """A routine of BLAS by its address; its 13 arguments are addresses."""

        def __init__(self, name: str) -> None:
            self.address = get_cython_function_address("scipy.linalg.cython_blas", name)

        def __wrapper_address__(self) -> Any:
            return self.address

        def signature(self) -> Any:
            """Nothing is returned."""
            return types.void(*[types.uintp] * 13)

    GEMM: dict[Any, Any] = {np.dtype(np.float32): Blas("sgemm"), np.dtype(np.float64): Blas("dgemm")}

    @compiled
    def small_arguments(array: Array) -> Any:
        """Memory for the small arguments of BLAS: letters, sizes and factors."""
        return np.array([78, 84], np.uint8), np.empty(6, np.int32), np.empty(2, array.dtype)

    @compiled
    def product(
        gemm: Any,
        small: Any,
        out: Array,
        left: Array,
        right: Array,
        sizes: tuple[int, int, int],
        turned: tuple[bool, bool],
        factor: Real,
        weights: Array | None,
        add: bool,
    ) -> Any:
        """out = factor * left @ diag(weights) @ right, or out += that.

        Arrays are read as matrices, whatever axes they have: ``sizes`` are rows, columns and shared, and
        ``turned`` says which operand has its transpose in memory.
        """
        if weights is not None:
            if left.size <= right.size:
                left = _weighted(left, weights, sizes[0], turned[0])
            else:
                right = _weighted(right, weights, sizes[1], not turned[1])
        addresses = (out.ctypes.data, left.ctypes.data, right.ctypes.data)
        _call_blas(gemm, small, addresses, sizes, turned, factor, add)
        return left.size + right.size  # reading them here keeps them alive until BLAS is done

    @compiled
    def _weighted(operand: Array, weights: Array, other: int, leads: bool) -> Array:
        """An operand times the weights of its shared index, which leads in memory or comes last."""
        if leads:
            return (operand.reshape(weights.size, other) * weights.reshape(weights.size, 1)).reshape(
                operand.shape
            )
        return (operand.reshape(other, weights.size) * weights).reshape(operand.shape)

    @compiled
    def _call_blas(
        gemm: Any,
        small: Any,
        addresses: tuple[int, int, int],
        given: tuple[int, int, int],
        turned: tuple[bool, bool],
        factor: Real,
        add: bool,
    ) -> None:
        """BLAS reads matrices in column-major order: it computes the transposed product, right.T @ left.T."""
        letters, sizes, factors = small
        rows, columns, shared = given
        sizes[0], sizes[1], sizes[2] = columns, rows, shared
        sizes[3] = shared if turned[1] else columns
        sizes[4] = rows if turned[0] else shared
        sizes[5] = columns
        factors[0], factors[1] = factor, add
        letter, size, number = letters.ctypes.data, sizes.ctypes.data, factors.ctypes.data
        next_size, next_number = np.uintp(sizes.itemsize), np.uintp(factors.itemsize)
        gemm(
            letter + np.uintp(turned[1]),
            letter + np.uintp(turned[0]),
            size,
            size + next_size,
            size + np.uintp(2) * next_size,
            number,
            addresses[2],
            size + np.uintp(3) * next_size,
            addresses[1],
            size + np.uintp(4) * next_size,
            number + next_number,
            addresses[0],
            size + np.uintp(5) * next_size,
        )

else:
    GEMM = {np.dtype(np.float32): None, np.dtype(np.float64): None}

    def small_arguments(array: Array) -> Any:
        """Nothing: numpy needs no memory for arguments."""

    def product(
        gemm: Any,
        small: Any,
        out: Array,
        left: Array,
        right: Array,
        sizes: tuple[int, int, int],
        turned: tuple[bool, bool],
        factor: Real,
        weights: Array | None,
        add: bool,
    ) -> Any:
        """out = factor * left @ diag(weights) @ right, or out += that; the arrays are read as matrices."""
        rows, columns, shared = sizes
        left = left.reshape(shared, rows).T if turned[0] else left.reshape(rows, shared)
        right = right.reshape(columns, shared).T if turned[1] else right.reshape(shared, columns)
        left = left if weights is None else left * weights
        result = out.reshape(rows, columns)
        result[...] = factor * (left @ right) + (result if add else 0)


# -------------------------------- Compiled loops shared between threads


Task = Callable[[Maker, Any], None]  # (make, dtype)
Scratch = tuple[tuple[str, tuple[int, ...]], ...]  # names and shapes of arrays

# Each loop is cut into this many tasks, so that one thread that is held up delays the others little.
PIECES = 4 * THREADS
WORTH = 5e-4  # seconds of remaining work from which other threads are asked to help
POOLS: dict[
    int, ThreadPoolExecutor
] = {}  # helping threads by process: a forked copy has none of its parent's


class Tasks(list[Task]):
    """Tasks that write to different arrays; ``are_long``: other threads were worth asking last time."""

    are_long = False


def pieces(function: Callable[..., Any], count: int, scratch: Scratch, *arguments: Any) -> Tasks:
    """A loop as tasks for several threads; each task makes the arrays of ``scratch`` for itself."""
    ends = pairwise(k * count // PIECES for k in range(PIECES + 1))
    return Tasks(task(function, first, last, scratch, arguments) for first, last in ends if first < last)


def whole(function: Callable[..., Any], count: int, scratch: Scratch, *arguments: Any) -> Task:
    """A loop as one task, because all of its iterations add to the same array."""
    return task(function, 0, count, scratch, arguments)


def task(
    function: Callable[..., Any], first: int, last: int, scratch: Scratch, arguments: tuple[Any, ...]
) -> Task:
    """One call of a compiled loop; the thread that runs it makes its own scratch arrays.

    Arguments that are functions are numbers, which are asked for when the task runs.
    """

    def run(make: Maker, dtype: Any) -> None:
        own = (make(name, shape) for name, shape in scratch)
        given = (argument() if callable(argument) else argument for argument in arguments)
        function(GEMM[dtype], first, last, *own, *given)

    return run


def together(tasks: Tasks, nodes: Nodes, make: Maker) -> None:
    """Run tasks; other threads help if the first one took long, at once if it did so last time."""
    left = iter(tasks)
    first = next(left)
    helpers = _helpers(left, tasks, nodes) if tasks.are_long else []
    try:
        begin = time.perf_counter()
        first(make, nodes.dtype)
        remaining = (time.perf_counter() - begin) * (len(tasks) - 1)
        tasks.are_long = COMPILED and THREADS > 1 and remaining > WORTH
        if tasks.are_long and not helpers:
            helpers = _helpers(left, tasks, nodes)
        for run in left:
            run(make, nodes.dtype)
    finally:
        for helper in helpers:
            if not helper.cancel():  # a helper that has not started yet is not waited for
                helper.result()


def _helpers(left: Iterator[Task], tasks: Tasks, nodes: Nodes) -> list[Future[None]]:
    """Other threads that have been asked to help."""
    pool = POOLS.get(os.getpid())
    if pool is None:
        pool = POOLS[os.getpid()] = ThreadPoolExecutor(THREADS - 1, thread_name_prefix="solver")
    return [pool.submit(_help, left, nodes) for _ in range(min(THREADS, len(tasks)) - 1)]


def _help(left: Iterator[Task], nodes: Nodes) -> None:
    make = WORKSPACE.maker(nodes)
    for run in left:
        run(make, nodes.dtype)


# -------------------------------- Compiled loops of the equations


@compiled
def first_maximum(rows: Array) -> None:
    """Replace every row by 1 at its first maximum and 0 elsewhere."""
    for i in range(rows.shape[0]):
        best = 0
        for j in range(1, rows.shape[1]):
            if rows[i, j] > rows[i, best]:
                best = j
        for j in range(rows.shape[1]):
            rows[i, j] = 0
        rows[i, best] = 1


@compiled_in_order
def nearest_power(t: Real) -> Real:
    """t / log 2, rounded: an integer k in the last bits of a number, to which 1.5 * 2^52 was added."""
    return t * 1.4426950408889634 + 6755399441055744.0


@compiled_in_order
def two_to(shifted: Real) -> Real:
    """2^k for :func:`nearest_power`, -1023 < k < 1024: k becomes the exponent of a float64."""
    return np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)


@compiled_in_order
def expm1_near(t: Real, k: Real) -> Real:
    """exp(t - k log 2) - 1 for |t - k log 2| <= log(2) / 2: the Taylor series, whose rest is below 4e-18."""
    # log 2 in two parts: k times the first is exact.
    r = (t - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    return r * r * p + r


@compiled_in_order
def exp(x: Real) -> Real:
    """e^x; 0 and inf where float64 has nothing nearer."""
    t = min(max(np.float64(x), -746.0), 710.0)
    shifted = nearest_power(t)
    k = shifted - 6755399441055744.0
    half = 0.5 * k + 6755399441055744.0
    rest = (k - (half - 6755399441055744.0)) + 6755399441055744.0
    # In two factors: 2^k itself is no float64 at either end.
    y = two_to(half) * (1.0 + expm1_near(t, k)) * two_to(rest)
    return x if x != x else type(x)(y)


@compiled
def relu(x: Real) -> Real:
    """x where x > 0, else 0."""
    return type(x)(0) if x <= 0 else x


@compiled
def unit_step(x: Real) -> Real:
    """1 where x > 0, else 0: the slope of relu, 0 at 0."""
    return type(x)(1) if x > 0 else type(x)(0)


@compiled
def smaller(a: Real, b: Real) -> Real:
    """The smaller; a tie gives a."""
    return a if b >= a else b


@compiled
def gather(out, a):
    """out(i, j, k, l, m) = a(i, 2 * l + j, 2 * m + k)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                for l in range(out.shape[3]):
                    position1 = 2 * l + j
                    for m in range(out.shape[4]):
                        position2 = 2 * m + k
                        v1 = a[i, position1, position2] if 0 <= position1 < a.shape[1] and 0 <= position2 < a.shape[2] else real(0)
                        out[i, j, k, l, m] = v1


@compiled
def pointwise_relu(out, a, b):
    """out(i, j, k) = relu(a(i, j, k) + b(i))"""
    for i in range(out.shape[0]):
        b_i = b[i]
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                a_ijk = a[i, j, k]
                v1 = relu(b_i + a_ijk)
                out[i, j, k] = v1


@compiled
def repeat(gemm, first, last, t1, a, b, c, number3, share3, weights3, d, e):
    """For every s from first to last - 1: 2 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        gather(t1, a_s)
        product(gemm, small, b_s, c, t1, (b_s.shape[0], b_s.shape[1] * b_s.shape[2], c.shape[1] * c.shape[2] * c.shape[3]), (False, False), number3 * share3, weights3, False)
        pointwise_relu(d_s, b_s, e)


@compiled
def pointwise(out, a):
    """out(i, j, k, l) = a(i, l, j, k)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                for l in range(out.shape[3]):
                    a_iljk = a[i, l, j, k]
                    out[i, j, k, l] = a_iljk


@compiled
def pointwise_2(out, a):
    """out(i, j, k) = a(k, i, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                a_kij = a[k, i, j]
                out[i, j, k] = a_kij


@compiled
def gather_2(out, a):
    """out(i, j, k, l, m) = a(2 * i + k, 2 * j + l, m)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                position1 = 2 * i + k
                for l in range(out.shape[3]):
                    position2 = 2 * j + l
                    for m in range(out.shape[4]):
                        v1 = a[position1, position2, m] if 0 <= position1 < a.shape[0] and 0 <= position2 < a.shape[1] else real(0)
                        out[i, j, k, l, m] = v1


@compiled
def repeat_2(gemm, first, last, t1, t2, a, b, c, number3, share3, weights3, d, e):
    """For every s from first to last - 1: 3 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        pointwise_2(t2, a_s)
        gather_2(t1, t2)
        product(gemm, small, b_s, c, t1, (b_s.shape[0], b_s.shape[1] * b_s.shape[2], c.shape[1] * c.shape[2] * c.shape[3]), (False, True), number3 * share3, weights3, False)
        pointwise_relu(d_s, b_s, e)


@compiled
def gather_3(out, a):
    """out(i, j, k, l, m) = a(i + k - 1, j + l - 1, m)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                position1 = i + k - 1
                for l in range(out.shape[3]):
                    position2 = j + l - 1
                    for m in range(out.shape[4]):
                        v1 = a[position1, position2, m] if 0 <= position1 < a.shape[0] and 0 <= position2 < a.shape[1] else real(0)
                        out[i, j, k, l, m] = v1


@compiled
def repeat_3(gemm, first, last, t1, t2, a, b, c, number3, share3, weights3, d, e):
    """For every s from first to last - 1: 3 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        pointwise_2(t2, a_s)
        gather_3(t1, t2)
        product(gemm, small, b_s, c, t1, (b_s.shape[0], b_s.shape[1] * b_s.shape[2], c.shape[1] * c.shape[2] * c.shape[3]), (False, True), number3 * share3, weights3, False)
        pointwise_relu(d_s, b_s, e)


@compiled
def gather_min(out, a, b):
    """out(i, j, k, l, m) = a(i, 2 * j + l, 2 * k + m) where b(2 * j + l, 2 * k + m) = 1"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                for l in range(out.shape[3]):
                    position1 = 2 * j + l
                    for m in range(out.shape[4]):
                        position2 = 2 * k + m
                        v1 = a[i, position1, position2] if 0 <= position1 < a.shape[1] and 0 <= position2 < a.shape[2] else real(0)
                        v2 = b[position1, position2] if 0 <= position1 < b.shape[0] and 0 <= position2 < b.shape[1] else real(0)
                        v3 = smaller(v1, real(-1e+30) + (real(2e+30) * v2))
                        out[i, j, k, l, m] = v3


@compiled
def reduce(out, a, b):
    """out(i, j, k) = Sum_{l, m}[ a(i, j, k, l, m)*b(i, 2 * j + l, 2 * k + m) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                total = real(0)
                for l in range(a.shape[3]):
                    position1 = 2 * j + l
                    for m in range(a.shape[4]):
                        a_ijklm = a[i, j, k, l, m]
                        position2 = 2 * k + m
                        v1 = b[i, position1, position2] if 0 <= position1 < b.shape[1] and 0 <= position2 < b.shape[2] else real(0)
                        total += a_ijklm * v1
                out[i, j, k] = total


@compiled
def repeat_4(gemm, first, last, t1, t2, a, b, c, d, e, f, number6, share6, weights6, g, h):
    """For every s from first to last - 1: 5 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        e_s = e[s]
        g_s = g[s]
        gather_min(a_s, b_s, c)
        first_maximum(a_s.reshape(a_s.shape[0] * a_s.shape[1] * a_s.shape[2], a_s.shape[3] * a_s.shape[4]))
        reduce(d_s, a_s, b_s)
        pointwise_2(t2, d_s)
        gather_3(t1, t2)
        product(gemm, small, e_s, f, t1, (e_s.shape[0], e_s.shape[1] * e_s.shape[2], f.shape[1] * f.shape[2] * f.shape[3]), (False, True), number6 * share6, weights6, False)
        pointwise_relu(g_s, e_s, h)


@compiled
def gather_min_2(out, a, b):
    """out(i, j, k, l, m, n) = a(i, j, 2 * k + m, 2 * l + n) where b(2 * k + m, 2 * l + n) = 1"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                for l in range(out.shape[3]):
                    for m in range(out.shape[4]):
                        position1 = 2 * k + m
                        for n in range(out.shape[5]):
                            position2 = 2 * l + n
                            v1 = a[i, j, position1, position2] if 0 <= position1 < a.shape[2] and 0 <= position2 < a.shape[3] else real(0)
                            v2 = b[position1, position2] if 0 <= position1 < b.shape[0] and 0 <= position2 < b.shape[1] else real(0)
                            v3 = smaller(v1, real(-1e+30) + (real(2e+30) * v2))
                            out[i, j, k, l, m, n] = v3


@compiled
def reduce_2(out, a, b):
    """out(i, j, k, l) = Sum_{m, n}[ a(i, j, k, l, m, n)*b(i, j, 2 * k + m, 2 * l + n) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                for l in range(out.shape[3]):
                    total = real(0)
                    for m in range(a.shape[4]):
                        position1 = 2 * k + m
                        for n in range(a.shape[5]):
                            a_ijklmn = a[i, j, k, l, m, n]
                            position2 = 2 * l + n
                            v1 = b[i, j, position1, position2] if 0 <= position1 < b.shape[2] and 0 <= position2 < b.shape[3] else real(0)
                            total += a_ijklmn * v1
                    out[i, j, k, l] = total


@compiled
def pointwise_3(out, a):
    """out(i, j) = a(j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_j = a[j]
            out[i, j] = a_j


@compiled
def pointwise_4(out, a):
    """out(i, j) = a(i, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            out[i, j] = a_ij


@compiled
def reduce_3(out, a, b):
    """out(i) = Sum_{j}[ a(i, j)*b(i, j) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        total = real(0)
        for j in range(a.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            total += a_ij * b_ij
        out[i] = total


@compiled
def reduce_exp(out, a, b):
    """out(i) = Sum_{j}[ exp(a(i, j) - b(i)) ]"""
    for j in range(a.shape[1]):
        for i in range(out.shape[0]):
            a_ij = a[i, j]
            b_i = b[i]
            v1 = exp(a_ij - b_i)
            out[i] += v1


@compiled
def reduce_log(out, a, b, c, d):
    """out(i) = Sum_{j}[ a(i, j)*(c(i) + log(d(i)) - b(i, j)) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        c_i = c[i]
        d_i = d[i]
        v1 = np.log(d_i)
        v2 = c_i + v1
        total = real(0)
        for j in range(a.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            total += a_ij * (v2 - b_ij)
        out[i] = total


@compiled
def reduce_4(out, a):
    """out(i) = Sum_{j}[ a(i, j) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        total = real(0)
        for j in range(a.shape[1]):
            a_ij = a[i, j]
            total += a_ij
        out[i] = total


@compiled
def pointwise_5(out, a, b):
    """out(i) = b(i)*(1/a(i))"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        b_i = b[i]
        a_i = a[i]
        v1 = real(1) / a_i
        out[i] = b_i * v1


@compiled
def pointwise_exp(out, a, b, c, d):
    """out(i, j) = d(i)*exp(b(i, j) - c(i)) - a(i, j)"""
    for i in range(out.shape[0]):
        d_i = d[i]
        c_i = c[i]
        v1 = -c_i
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            v2 = exp(v1 + b_ij)
            out[i, j] = -a_ij + (d_i * v2)


@compiled
def scatter(out, a, b):
    """out(i, 2 * j + k, 2 * l + m) += a(i, j, l, k, m)*b(i, j, l)"""
    for i in range(out.shape[0]):
        for j in range(a.shape[1]):
            for k in range(a.shape[3]):
                position1 = 2 * j + k
                for l in range(a.shape[2]):
                    b_ijl = b[i, j, l]
                    for m in range(a.shape[4]):
                        a_ijlkm = a[i, j, l, k, m]
                        position2 = 2 * l + m
                        if 0 <= position1 < out.shape[1] and 0 <= position2 < out.shape[2]:
                            out[i, position1, position2] += b_ijl * a_ijlkm


@compiled
def pointwise_step(out, a, b, c):
    """out(i, j, k) = b(i, j, k)*step(a(i, j, k) + c(i))"""
    for i in range(out.shape[0]):
        c_i = c[i]
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                b_ijk = b[i, j, k]
                a_ijk = a[i, j, k]
                v1 = unit_step(c_i + a_ijk)
                out[i, j, k] = b_ijk * v1


@compiled
def scatter_2(out, a):
    """out(i + j - 1, k + l - 1, m) += 0.1111111111111111*a(i, k, j, l, m)"""
    real = out.dtype.type
    for i in range(a.shape[0]):
        for j in range(a.shape[2]):
            position1 = i + j - 1
            for k in range(a.shape[1]):
                for l in range(a.shape[3]):
                    position2 = k + l - 1
                    for m in range(out.shape[2]):
                        a_ikjlm = a[i, k, j, l, m]
                        if 0 <= position1 < out.shape[0] and 0 <= position2 < out.shape[1]:
                            out[position1, position2, m] += real(0.1111111111111111) * a_ikjlm


@compiled
def pointwise_6(out, a):
    """out(i, j, k) += a(j, k, i)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                a_jki = a[j, k, i]
                out[i, j, k] += a_jki


@compiled
def repeat_5(gemm, first, last, t1, t2, a, b, c, d, e, f, g, h, number8, share8, weights8, h8, h9, h10):
    """For every s from first to last - 1: 5 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        c_s = c[s]
        d_s = d[s]
        e_s = e[s]
        g_s = g[s]
        h8_s = h8[s]
        h9_s = h9[s]
        a_s[...] = 0.0
        scatter(a_s, b_s, c_s)
        pointwise_step(d_s, e_s, a_s, f)
        g_s[...] = 0.0
        product(gemm, small, t1, d_s, h, (t1.shape[0] * t1.shape[1], t1.shape[2] * t1.shape[3] * t1.shape[4], d_s.shape[0]), (True, False), number8 * share8, weights8, False)
        t2[...] = 0.0
        scatter_2(t2, t1)
        pointwise_6(g_s, t2)
        pointwise_step(h8_s, h9_s, g_s, h10)


@compiled
def repeat_6(gemm, first, last, t1, t2, a, b, c, number3, share3, weights3, d, e, f, g, h):
    """For every s from first to last - 1: 4 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        e_s = e[s]
        f_s = f[s]
        g_s = g[s]
        a_s[...] = 0.0
        product(gemm, small, t1, b_s, c, (t1.shape[0] * t1.shape[1], t1.shape[2] * t1.shape[3] * t1.shape[4], b_s.shape[0]), (True, False), number3 * share3, weights3, False)
        t2[...] = 0.0
        scatter_2(t2, t1)
        pointwise_6(a_s, t2)
        d_s[...] = 0.0
        scatter(d_s, e_s, a_s)
        pointwise_step(f_s, g_s, d_s, h)


@compiled
def repeat_7(gemm, first, last, t1, t2, a, b, c, number3, share3, weights3, d, e, f):
    """For every s from first to last - 1: 3 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        e_s = e[s]
        a_s[...] = 0.0
        product(gemm, small, t1, b_s, c, (t1.shape[0] * t1.shape[1], t1.shape[2] * t1.shape[3] * t1.shape[4], b_s.shape[0]), (True, False), number3 * share3, weights3, False)
        t2[...] = 0.0
        scatter_2(t2, t1)
        pointwise_6(a_s, t2)
        pointwise_step(d_s, e_s, a_s, f)


@compiled
def scatter_3(out, a):
    """out(2 * i + j, 2 * k + l, m) += 0.1111111111111111*a(i, k, j, l, m)"""
    real = out.dtype.type
    for i in range(a.shape[0]):
        for j in range(a.shape[2]):
            position1 = 2 * i + j
            for k in range(a.shape[1]):
                for l in range(a.shape[3]):
                    position2 = 2 * k + l
                    for m in range(out.shape[2]):
                        a_ikjlm = a[i, k, j, l, m]
                        if 0 <= position1 < out.shape[0] and 0 <= position2 < out.shape[1]:
                            out[position1, position2, m] += real(0.1111111111111111) * a_ikjlm


@compiled
def repeat_8(gemm, first, last, t1, t2, a, b, c, number3, share3, weights3, d, e, f):
    """For every s from first to last - 1: 3 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        e_s = e[s]
        a_s[...] = 0.0
        product(gemm, small, t1, b_s, c, (t1.shape[0] * t1.shape[1], t1.shape[2] * t1.shape[3] * t1.shape[4], b_s.shape[0]), (True, False), number3 * share3, weights3, False)
        t2[...] = 0.0
        scatter_3(t2, t1)
        pointwise_6(a_s, t2)
        pointwise_step(d_s, e_s, a_s, f)


@compiled
def reduce_5(out, a, b):
    """out(i) = Sum_{j, k, l}[ -a(j, i, k, l)*b(j) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        total = real(0)
        for j in range(a.shape[0]):
            b_j = b[j]
            v1 = -b_j
            for k in range(a.shape[2]):
                for l in range(a.shape[3]):
                    a_jikl = a[j, i, k, l]
                    total += v1 * a_jikl
        out[i] = total


@compiled
def reduce_6(out, a, b):
    """out(i) = Sum_{j}[ -a(j, i)*b(j) ]"""
    for j in range(a.shape[0]):
        b_j = b[j]
        v1 = -b_j
        for i in range(out.shape[0]):
            a_ji = a[j, i]
            out[i] += v1 * a_ji


@compiled
def repeat_9(gemm, first, last, t1, p, a, b, c, number4, share4, weights4):
    """For every s from first to last - 1: a loop nest and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        c_s = c[s]
        gather(t1, a_s)
        product(gemm, small, b, c_s, t1, (b.shape[0], b.shape[1] * b.shape[2] * b.shape[3], c_s.shape[1] * c_s.shape[2]), (False, True), p[s] * number4 * share4, weights4, True)


@compiled
def pointwise_7(out, a):
    """out(i, j, k, l) += a(i, k, l, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                for l in range(out.shape[3]):
                    a_iklj = a[i, k, l, j]
                    out[i, j, k, l] += a_iklj


@compiled
def repeat_10(gemm, first, last, t1, t2, t3, p, a, b, number3, share3, weights3, c):
    """For every s from first to last - 1: 2 loop nests and a product."""
    t1[...] = 0.0
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        pointwise_2(t3, a_s)
        gather_2(t2, t3)
        product(gemm, small, t1, b_s, t2, (t1.shape[0], t1.shape[1] * t1.shape[2] * t1.shape[3], b_s.shape[1] * b_s.shape[2]), (False, False), p[s] * number3 * share3, weights3, True)
    pointwise_7(c, t1)


@compiled
def repeat_11(gemm, first, last, t1, t2, t3, p, a, b, number3, share3, weights3, c):
    """For every s from first to last - 1: 2 loop nests and a product."""
    t1[...] = 0.0
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        pointwise_2(t3, a_s)
        gather_3(t2, t3)
        product(gemm, small, t1, b_s, t2, (t1.shape[0], t1.shape[1] * t1.shape[2] * t1.shape[3], b_s.shape[1] * b_s.shape[2]), (False, False), p[s] * number3 * share3, weights3, True)
    pointwise_7(c, t1)


# -------------------------------- Equations


def compute_forward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """Every forward field that needs no y."""
    n = nodes.size
    # c1(data, c1, c1.positions1, c1.positions2) = Sum_{channels, c1.taps1, c1.taps2}[ c1.weight(c1, channels,
    #     c1.taps1, c1.taps2)*x(data, channels, 2*c1.positions1 + c1.taps1, 2*c1.positions2 + c1.taps2) ]
    f["c1"] = make("c1", (n["data"], n["c1"], n["c1.positions1"], n["c1.positions2"]))
    # c1.out(data, c1, c1.positions1, c1.positions2) = relu(c1.bias(c1) + c1(data, c1, c1.positions1,
    #     c1.positions2))
    f["c1.out"] = make("c1.out", (n["data"], n["c1"], n["c1.positions1"], n["c1.positions2"]))
    call(together, pieces(repeat, n["data"], (("temporary 1", (n["channels"], n["c1.taps1"], n["c1.taps2"], n["c1.positions1"], n["c1.positions2"])),), f["x"], f["c1"], f["c1.weight"], 1.0, *nodes.weighting(("channels", "c1.taps1", "c1.taps2")), f["c1.out"], f["c1.bias"]), nodes, make)
    # c2(data, c2, c2.positions1, c2.positions2) = Mean_{c1}[ Sum_{c2.taps1, c2.taps2}[
    #     0.1111111111111111*c2.weight(c2, c1, c2.taps1, c2.taps2)*c1.out(data, c1, 2*c2.positions1 +
    #     c2.taps1, 2*c2.positions2 + c2.taps2) ] ]
    f["c2"] = make("c2", (n["data"], n["c2"], n["c2.positions1"], n["c2.positions2"]))
    # c2.out(data, c2, c2.positions1, c2.positions2) = relu(c2.bias(c2) + c2(data, c2, c2.positions1,
    #     c2.positions2))
    f["c2.out"] = make("c2.out", (n["data"], n["c2"], n["c2.positions1"], n["c2.positions2"]))
    temporary_3_of_1 = make("c2.weight in order 0 2 3 1", (n["c2"], n["c2.taps1"], n["c2.taps2"], n["c1"]))
    call(pointwise, temporary_3_of_1, f["c2.weight"])
    call(together, pieces(repeat_2, n["data"], (("temporary 1", (n["c2.positions1"], n["c2.positions2"], n["c2.taps1"], n["c2.taps2"], n["c1"])), ("temporary 4", (n["c1.positions1"], n["c1.positions2"], n["c1"])),), f["c1.out"], f["c2"], temporary_3_of_1, 0.1111111111111111, *nodes.weighting(("c2.taps1", "c2.taps2", "c1")), f["c2.out"], f["c2.bias"]), nodes, make)
    # c3(data, c3, c3.positions1, c3.positions2) = Mean_{c2}[ Sum_{c3.taps1, c3.taps2}[
    #     0.1111111111111111*c3.weight(c3, c2, c3.taps1, c3.taps2)*c2.out(data, c2, c3.positions1 + c3.taps1 -
    #     1, c3.positions2 + c3.taps2 - 1) ] ]
    f["c3"] = make("c3", (n["data"], n["c3"], n["c3.positions1"], n["c3.positions2"]))
    # c3.out(data, c3, c3.positions1, c3.positions2) = relu(c3.bias(c3) + c3(data, c3, c3.positions1,
    #     c3.positions2))
    f["c3.out"] = make("c3.out", (n["data"], n["c3"], n["c3.positions1"], n["c3.positions2"]))
    temporary_3_of_1 = make("c3.weight in order 0 2 3 1", (n["c3"], n["c3.taps1"], n["c3.taps2"], n["c2"]))
    call(pointwise, temporary_3_of_1, f["c3.weight"])
    call(together, pieces(repeat_3, n["data"], (("temporary 1", (n["c3.positions1"], n["c3.positions2"], n["c3.taps1"], n["c3.taps2"], n["c2"])), ("temporary 4", (n["c2.positions1"], n["c2.positions2"], n["c2"])),), f["c2.out"], f["c3"], temporary_3_of_1, 0.1111111111111111, *nodes.weighting(("c3.taps1", "c3.taps2", "c2")), f["c3.out"], f["c3.bias"]), nodes, make)
    # c4(data, c4, c4.positions1, c4.positions2) = Mean_{c3}[ Sum_{c4.taps1, c4.taps2}[
    #     0.1111111111111111*c4.weight(c4, c3, c4.taps1, c4.taps2)*c3.out(data, c3, c4.positions1 + c4.taps1 -
    #     1, c4.positions2 + c4.taps2 - 1) ] ]
    f["c4"] = make("c4", (n["data"], n["c4"], n["c4.positions1"], n["c4.positions2"]))
    # c4.out(data, c4, c4.positions1, c4.positions2) = relu(c4.bias(c4) + c4(data, c4, c4.positions1,
    #     c4.positions2))
    f["c4.out"] = make("c4.out", (n["data"], n["c4"], n["c4.positions1"], n["c4.positions2"]))
    temporary_3_of_1 = make("c4.weight in order 0 2 3 1", (n["c4"], n["c4.taps1"], n["c4.taps2"], n["c3"]))
    call(pointwise, temporary_3_of_1, f["c4.weight"])
    call(together, pieces(repeat_3, n["data"], (("temporary 1", (n["c4.positions1"], n["c4.positions2"], n["c4.taps1"], n["c4.taps2"], n["c3"])), ("temporary 4", (n["c3.positions1"], n["c3.positions2"], n["c3"])),), f["c3.out"], f["c4"], temporary_3_of_1, 0.1111111111111111, *nodes.weighting(("c4.taps1", "c4.taps2", "c3")), f["c4.out"], f["c4.bias"]), nodes, make)
    # c5(data, c5, c5.positions1, c5.positions2) = Mean_{c4}[ Sum_{c5.taps1, c5.taps2}[
    #     0.1111111111111111*c5.weight(c5, c4, c5.taps1, c5.taps2)*c4.out(data, c4, c5.positions1 + c5.taps1 -
    #     1, c5.positions2 + c5.taps2 - 1) ] ]
    f["c5"] = make("c5", (n["data"], n["c5"], n["c5.positions1"], n["c5.positions2"]))
    # c5.out(data, c5, c5.positions1, c5.positions2) = relu(c5.bias(c5) + c5(data, c5, c5.positions1,
    #     c5.positions2))
    f["c5.out"] = make("c5.out", (n["data"], n["c5"], n["c5.positions1"], n["c5.positions2"]))
    temporary_3_of_1 = make("c5.weight in order 0 2 3 1", (n["c5"], n["c5.taps1"], n["c5.taps2"], n["c4"]))
    call(pointwise, temporary_3_of_1, f["c5.weight"])
    call(together, pieces(repeat_3, n["data"], (("temporary 1", (n["c5.positions1"], n["c5.positions2"], n["c5.taps1"], n["c5.taps2"], n["c4"])), ("temporary 4", (n["c4.positions1"], n["c4.positions2"], n["c4"])),), f["c4.out"], f["c5"], temporary_3_of_1, 0.1111111111111111, *nodes.weighting(("c5.taps1", "c5.taps2", "c4")), f["c5.out"], f["c5.bias"]), nodes, make)
    # p5.inside1(c5.positions1, c5.positions2) = 1
    f["p5.inside1"] = make("p5.inside1", (n["c5.positions1"], n["c5.positions2"]))
    call(f["p5.inside1"].fill, 1.0)
    # p5.select1(data, c5, p5.positions1, p5.positions2, p5.taps1, p5.taps2) = first maximum over the last 2
    #     indices of c5.out(data, c5, 2*p5.positions1 + p5.taps1, 2*p5.positions2 + p5.taps2) where
    #     p5.inside1(2*p5.positions1 + p5.taps1, 2*p5.positions2 + p5.taps2) = 1
    f["p5.select1"] = make("p5.select1", (n["data"], n["c5"], n["p5.positions1"], n["p5.positions2"], n["p5.taps1"], n["p5.taps2"]))
    # p5(data, c5, p5.positions1, p5.positions2) = Sum_{p5.taps1, p5.taps2}[ c5.out(data, c5, 2*p5.positions1
    #     + p5.taps1, 2*p5.positions2 + p5.taps2)*p5.select1(data, c5, p5.positions1, p5.positions2, p5.taps1,
    #     p5.taps2) ]
    f["p5"] = make("p5", (n["data"], n["c5"], n["p5.positions1"], n["p5.positions2"]))
    # c6(data, c6, c6.positions1, c6.positions2) = Mean_{c5}[ Sum_{c6.taps1, c6.taps2}[
    #     0.1111111111111111*c6.weight(c6, c5, c6.taps1, c6.taps2)*p5(data, c5, c6.positions1 + c6.taps1 - 1,
    #     c6.positions2 + c6.taps2 - 1) ] ]
    f["c6"] = make("c6", (n["data"], n["c6"], n["c6.positions1"], n["c6.positions2"]))
    # c6.out(data, c6, c6.positions1, c6.positions2) = relu(c6.bias(c6) + c6(data, c6, c6.positions1,
    #     c6.positions2))
    f["c6.out"] = make("c6.out", (n["data"], n["c6"], n["c6.positions1"], n["c6.positions2"]))
    temporary_3_of_3 = make("c6.weight in order 0 2 3 1", (n["c6"], n["c6.taps1"], n["c6.taps2"], n["c5"]))
    call(pointwise, temporary_3_of_3, f["c6.weight"])
    call(together, pieces(repeat_4, n["data"], (("temporary 1", (n["c6.positions1"], n["c6.positions2"], n["c6.taps1"], n["c6.taps2"], n["c5"])), ("temporary 4", (n["p5.positions1"], n["p5.positions2"], n["c5"])),), f["p5.select1"], f["c5.out"], f["p5.inside1"], f["p5"], f["c6"], temporary_3_of_3, 0.1111111111111111, *nodes.weighting(("c6.taps1", "c6.taps2", "c5")), f["c6.out"], f["c6.bias"]), nodes, make)
    # c7(data, c7, c7.positions1, c7.positions2) = Mean_{c6}[ Sum_{c7.taps1, c7.taps2}[
    #     0.1111111111111111*c7.weight(c7, c6, c7.taps1, c7.taps2)*c6.out(data, c6, c7.positions1 + c7.taps1 -
    #     1, c7.positions2 + c7.taps2 - 1) ] ]
    f["c7"] = make("c7", (n["data"], n["c7"], n["c7.positions1"], n["c7.positions2"]))
    # c7.out(data, c7, c7.positions1, c7.positions2) = relu(c7.bias(c7) + c7(data, c7, c7.positions1,
    #     c7.positions2))
    f["c7.out"] = make("c7.out", (n["data"], n["c7"], n["c7.positions1"], n["c7.positions2"]))
    temporary_3_of_1 = make("c7.weight in order 0 2 3 1", (n["c7"], n["c7.taps1"], n["c7.taps2"], n["c6"]))
    call(pointwise, temporary_3_of_1, f["c7.weight"])
    call(together, pieces(repeat_3, n["data"], (("temporary 1", (n["c7.positions1"], n["c7.positions2"], n["c7.taps1"], n["c7.taps2"], n["c6"])), ("temporary 4", (n["c6.positions1"], n["c6.positions2"], n["c6"])),), f["c6.out"], f["c7"], temporary_3_of_1, 0.1111111111111111, *nodes.weighting(("c7.taps1", "c7.taps2", "c6")), f["c7.out"], f["c7.bias"]), nodes, make)
    # p7.inside1(c7.positions1, c7.positions2) = 1
    f["p7.inside1"] = make("p7.inside1", (n["c7.positions1"], n["c7.positions2"]))
    call(f["p7.inside1"].fill, 1.0)
    # p7.select1(data, c7, p7.positions1, p7.positions2, p7.taps1, p7.taps2) = first maximum over the last 2
    #     indices of c7.out(data, c7, 2*p7.positions1 + p7.taps1, 2*p7.positions2 + p7.taps2) where
    #     p7.inside1(2*p7.positions1 + p7.taps1, 2*p7.positions2 + p7.taps2) = 1
    f["p7.select1"] = make("p7.select1", (n["data"], n["c7"], n["p7.positions1"], n["p7.positions2"], n["p7.taps1"], n["p7.taps2"]))
    call(gather_min_2, f["p7.select1"], f["c7.out"], f["p7.inside1"])
    call(first_maximum, matrix(f["p7.select1"], 4))
    # p7(data, c7, p7.positions1, p7.positions2) = Sum_{p7.taps1, p7.taps2}[ c7.out(data, c7, 2*p7.positions1
    #     + p7.taps1, 2*p7.positions2 + p7.taps2)*p7.select1(data, c7, p7.positions1, p7.positions2, p7.taps1,
    #     p7.taps2) ]
    f["p7"] = make("p7", (n["data"], n["c7"], n["p7.positions1"], n["p7.positions2"]))
    call(reduce_2, f["p7"], f["p7.select1"], f["c7.out"])
    # yhat(data, outputs) = Mean_{c7}[ Sum_{p7.positions1, p7.positions2}[ 0.25*p7(data, c7, p7.positions1,
    #     p7.positions2)*output.weight(outputs, c7, p7.positions1, p7.positions2) ] ] + output.bias(outputs)
    f["yhat"] = make("yhat", (n["data"], n["outputs"]))
    call(pointwise_3, f["yhat"], f["output.bias"])
    call(matrix_product, f["yhat"], matrix(f["p7"], 1), matrix(f["output.weight"], 1).T, 0.25, nodes.weighting(("c7", "p7.positions1", "p7.positions2")), 1.0)
    # loss.select(data, outputs) = first maximum over the last 1 indices of yhat(data, outputs)
    f["loss.select"] = make("loss.select", (n["data"], n["outputs"]))
    call(pointwise_4, f["loss.select"], f["yhat"])
    call(first_maximum, matrix(f["loss.select"], 1))
    # loss.shift(data) = Sum_{outputs}[ loss.select(data, outputs)*yhat(data, outputs) ]
    f["loss.shift"] = make("loss.shift", (n["data"],))
    call(reduce_3, f["loss.shift"], f["loss.select"], f["yhat"])
    # loss.total(data) = Sum_{outputs}[ exp(yhat(data, outputs) - loss.shift(data)) ]
    f["loss.total"] = make("loss.total", (n["data"],))
    call(f["loss.total"].fill, 0.0)
    call(reduce_exp, f["loss.total"], f["yhat"], f["loss.shift"])


def compute_loss(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """The fields that compare the output with y."""
    n = nodes.size
    # loss(data) = Sum_{outputs}[ y(data, outputs)*(loss.shift(data) + log(loss.total(data)) - yhat(data,
    #     outputs)) ]
    f["loss"] = make("loss", (n["data"],))
    call(reduce_log, f["loss"], f["y"], f["yhat"], f["loss.shift"], f["loss.total"])


def compute_backward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """D: derivatives of the loss of each sample."""
    n = nodes.size
    # adj loss.total(data) = Sum_{outputs}[ y(data, outputs)*(1/loss.total(data)) ]
    f["adj loss.total"] = make("adj loss.total", (n["data"],))
    call(reduce_4, f["adj loss.total"], f["y"])
    call(pointwise_5, f["adj loss.total"], f["loss.total"], f["adj loss.total"])
    # adj yhat(data, outputs) = -y(data, outputs) + adj loss.total(data)*exp(yhat(data, outputs) -
    #     loss.shift(data))
    f["adj yhat"] = make("adj yhat", (n["data"], n["outputs"]))
    call(pointwise_exp, f["adj yhat"], f["y"], f["yhat"], f["loss.shift"], f["adj loss.total"])
    # adj p7(data, c7, p7.positions1, p7.positions2) = Sum_{outputs}[ 0.25*adj yhat(data,
    #     outputs)*output.weight(outputs, c7, p7.positions1, p7.positions2) ]
    f["adj p7"] = make("adj p7", (n["data"], n["c7"], n["p7.positions1"], n["p7.positions2"]))
    call(matrix_product, matrix(f["adj p7"], 1), f["adj yhat"], matrix(f["output.weight"], 1), 0.25, nodes.weighting(("outputs",)))
    # adj c7.out(data, c7, 2*p7.positions1 + p7.taps1, 2*p7.positions2 + p7.taps2) += adj p7(data, c7,
    #     p7.positions1, p7.positions2)*p7.select1(data, c7, p7.positions1, p7.positions2, p7.taps1, p7.taps2)
    f["adj c7.out"] = make("adj c7.out", (n["data"], n["c7"], n["c7.positions1"], n["c7.positions2"]))
    # adj c7(data, c7, c7.positions1, c7.positions2) = adj c7.out(data, c7, c7.positions1,
    #     c7.positions2)*step(c7.bias(c7) + c7(data, c7, c7.positions1, c7.positions2))
    f["adj c7"] = make("adj c7", (n["data"], n["c7"], n["c7.positions1"], n["c7.positions2"]))
    # adj c6.out(data, c6, c7.positions1 + c7.taps1 - 1, c7.positions2 + c7.taps2 - 1) += Mean_{c7}[
    #     0.1111111111111111*c7.weight(c7, c6, c7.taps1, c7.taps2)*adj c7(data, c7, c7.positions1,
    #     c7.positions2) ]
    f["adj c6.out"] = make("adj c6.out", (n["data"], n["c6"], n["c6.positions1"], n["c6.positions2"]))
    # adj c6(data, c6, c6.positions1, c6.positions2) = adj c6.out(data, c6, c6.positions1,
    #     c6.positions2)*step(c6.bias(c6) + c6(data, c6, c6.positions1, c6.positions2))
    f["adj c6"] = make("adj c6", (n["data"], n["c6"], n["c6.positions1"], n["c6.positions2"]))
    temporary_2_of_3 = make("c7.weight in order 0 2 3 1", (n["c7"], n["c7.taps1"], n["c7.taps2"], n["c6"]))
    call(pointwise, temporary_2_of_3, f["c7.weight"])
    call(together, pieces(repeat_5, n["data"], (("temporary 1", (n["c7.positions1"], n["c7.positions2"], n["c7.taps1"], n["c7.taps2"], n["c6"])), ("temporary 3", (n["c6.positions1"], n["c6.positions2"], n["c6"])),), f["adj c7.out"], f["p7.select1"], f["adj p7"], f["adj c7"], f["c7"], f["c7.bias"], f["adj c6.out"], temporary_2_of_3, 1.0, *nodes.weighting(("c7",)), f["adj c6"], f["c6"], f["c6.bias"]), nodes, make)
    # adj p5(data, c5, c6.positions1 + c6.taps1 - 1, c6.positions2 + c6.taps2 - 1) += Mean_{c6}[
    #     0.1111111111111111*c6.weight(c6, c5, c6.taps1, c6.taps2)*adj c6(data, c6, c6.positions1,
    #     c6.positions2) ]
    f["adj p5"] = make("adj p5", (n["data"], n["c5"], n["p5.positions1"], n["p5.positions2"]))
    # adj c5.out(data, c5, 2*p5.positions1 + p5.taps1, 2*p5.positions2 + p5.taps2) += adj p5(data, c5,
    #     p5.positions1, p5.positions2)*p5.select1(data, c5, p5.positions1, p5.positions2, p5.taps1, p5.taps2)
    f["adj c5.out"] = make("adj c5.out", (n["data"], n["c5"], n["c5.positions1"], n["c5.positions2"]))
    # adj c5(data, c5, c5.positions1, c5.positions2) = adj c5.out(data, c5, c5.positions1,
    #     c5.positions2)*step(c5.bias(c5) + c5(data, c5, c5.positions1, c5.positions2))
    f["adj c5"] = make("adj c5", (n["data"], n["c5"], n["c5.positions1"], n["c5.positions2"]))
    temporary_2_of_1 = make("c6.weight in order 0 2 3 1", (n["c6"], n["c6.taps1"], n["c6.taps2"], n["c5"]))
    call(pointwise, temporary_2_of_1, f["c6.weight"])
    call(together, pieces(repeat_6, n["data"], (("temporary 1", (n["c6.positions1"], n["c6.positions2"], n["c6.taps1"], n["c6.taps2"], n["c5"])), ("temporary 3", (n["p5.positions1"], n["p5.positions2"], n["c5"])),), f["adj p5"], f["adj c6"], temporary_2_of_1, 1.0, *nodes.weighting(("c6",)), f["adj c5.out"], f["p5.select1"], f["adj c5"], f["c5"], f["c5.bias"]), nodes, make)
    # adj c4.out(data, c4, c5.positions1 + c5.taps1 - 1, c5.positions2 + c5.taps2 - 1) += Mean_{c5}[
    #     0.1111111111111111*c5.weight(c5, c4, c5.taps1, c5.taps2)*adj c5(data, c5, c5.positions1,
    #     c5.positions2) ]
    f["adj c4.out"] = make("adj c4.out", (n["data"], n["c4"], n["c4.positions1"], n["c4.positions2"]))
    # adj c4(data, c4, c4.positions1, c4.positions2) = adj c4.out(data, c4, c4.positions1,
    #     c4.positions2)*step(c4.bias(c4) + c4(data, c4, c4.positions1, c4.positions2))
    f["adj c4"] = make("adj c4", (n["data"], n["c4"], n["c4.positions1"], n["c4.positions2"]))
    temporary_2_of_1 = make("c5.weight in order 0 2 3 1", (n["c5"], n["c5.taps1"], n["c5.taps2"], n["c4"]))
    call(pointwise, temporary_2_of_1, f["c5.weight"])
    call(together, pieces(repeat_7, n["data"], (("temporary 1", (n["c5.positions1"], n["c5.positions2"], n["c5.taps1"], n["c5.taps2"], n["c4"])), ("temporary 3", (n["c4.positions1"], n["c4.positions2"], n["c4"])),), f["adj c4.out"], f["adj c5"], temporary_2_of_1, 1.0, *nodes.weighting(("c5",)), f["adj c4"], f["c4"], f["c4.bias"]), nodes, make)
    # adj c3.out(data, c3, c4.positions1 + c4.taps1 - 1, c4.positions2 + c4.taps2 - 1) += Mean_{c4}[
    #     0.1111111111111111*c4.weight(c4, c3, c4.taps1, c4.taps2)*adj c4(data, c4, c4.positions1,
    #     c4.positions2) ]
    f["adj c3.out"] = make("adj c3.out", (n["data"], n["c3"], n["c3.positions1"], n["c3.positions2"]))
    # adj c3(data, c3, c3.positions1, c3.positions2) = adj c3.out(data, c3, c3.positions1,
    #     c3.positions2)*step(c3.bias(c3) + c3(data, c3, c3.positions1, c3.positions2))
    f["adj c3"] = make("adj c3", (n["data"], n["c3"], n["c3.positions1"], n["c3.positions2"]))
    temporary_2_of_1 = make("c4.weight in order 0 2 3 1", (n["c4"], n["c4.taps1"], n["c4.taps2"], n["c3"]))
    call(pointwise, temporary_2_of_1, f["c4.weight"])
    call(together, pieces(repeat_7, n["data"], (("temporary 1", (n["c4.positions1"], n["c4.positions2"], n["c4.taps1"], n["c4.taps2"], n["c3"])), ("temporary 3", (n["c3.positions1"], n["c3.positions2"], n["c3"])),), f["adj c3.out"], f["adj c4"], temporary_2_of_1, 1.0, *nodes.weighting(("c4",)), f["adj c3"], f["c3"], f["c3.bias"]), nodes, make)
    # adj c2.out(data, c2, c3.positions1 + c3.taps1 - 1, c3.positions2 + c3.taps2 - 1) += Mean_{c3}[
    #     0.1111111111111111*c3.weight(c3, c2, c3.taps1, c3.taps2)*adj c3(data, c3, c3.positions1,
    #     c3.positions2) ]
    f["adj c2.out"] = make("adj c2.out", (n["data"], n["c2"], n["c2.positions1"], n["c2.positions2"]))
    # adj c2(data, c2, c2.positions1, c2.positions2) = adj c2.out(data, c2, c2.positions1,
    #     c2.positions2)*step(c2.bias(c2) + c2(data, c2, c2.positions1, c2.positions2))
    f["adj c2"] = make("adj c2", (n["data"], n["c2"], n["c2.positions1"], n["c2.positions2"]))
    temporary_2_of_1 = make("c3.weight in order 0 2 3 1", (n["c3"], n["c3.taps1"], n["c3.taps2"], n["c2"]))
    call(pointwise, temporary_2_of_1, f["c3.weight"])
    call(together, pieces(repeat_7, n["data"], (("temporary 1", (n["c3.positions1"], n["c3.positions2"], n["c3.taps1"], n["c3.taps2"], n["c2"])), ("temporary 3", (n["c2.positions1"], n["c2.positions2"], n["c2"])),), f["adj c2.out"], f["adj c3"], temporary_2_of_1, 1.0, *nodes.weighting(("c3",)), f["adj c2"], f["c2"], f["c2.bias"]), nodes, make)
    # adj c1.out(data, c1, 2*c2.positions1 + c2.taps1, 2*c2.positions2 + c2.taps2) += Mean_{c2}[
    #     0.1111111111111111*c2.weight(c2, c1, c2.taps1, c2.taps2)*adj c2(data, c2, c2.positions1,
    #     c2.positions2) ]
    f["adj c1.out"] = make("adj c1.out", (n["data"], n["c1"], n["c1.positions1"], n["c1.positions2"]))
    # adj c1(data, c1, c1.positions1, c1.positions2) = adj c1.out(data, c1, c1.positions1,
    #     c1.positions2)*step(c1.bias(c1) + c1(data, c1, c1.positions1, c1.positions2))
    f["adj c1"] = make("adj c1", (n["data"], n["c1"], n["c1.positions1"], n["c1.positions2"]))
    temporary_2_of_1 = make("c2.weight in order 0 2 3 1", (n["c2"], n["c2.taps1"], n["c2.taps2"], n["c1"]))
    call(pointwise, temporary_2_of_1, f["c2.weight"])
    call(together, pieces(repeat_8, n["data"], (("temporary 1", (n["c2.positions1"], n["c2.positions2"], n["c2.taps1"], n["c2.taps2"], n["c1"])), ("temporary 3", (n["c1.positions1"], n["c1.positions2"], n["c1"])),), f["adj c1.out"], f["adj c2"], temporary_2_of_1, 1.0, *nodes.weighting(("c2",)), f["adj c1"], f["c1"], f["c1.bias"]), nodes, make)


def evolve(f: Fields, nodes: Nodes, make: Maker, call: Caller, out: Fields, scale: Mapping[str, float], keep: Mapping[str, float]) -> None:
    """out = keep * out + scale * G for every trained parameter."""
    n, p = nodes.size, nodes.weights
    updates = Tasks()
    speeds = {}
    # d c1.bias(c1) = Mean_{data}[ Sum_{c1.positions1, c1.positions2}[ -adj c1(data, c1, c1.positions1,
    #     c1.positions2) ] ]
    speed = speeds["c1.bias"] = make("speed c1.bias", (n["c1"],))
    call(reduce_5, speed, f["adj c1"], p["data"])
    # d c2.bias(c2) = Mean_{data}[ Sum_{c2.positions1, c2.positions2}[ -adj c2(data, c2, c2.positions1,
    #     c2.positions2) ] ]
    speed = speeds["c2.bias"] = make("speed c2.bias", (n["c2"],))
    call(reduce_5, speed, f["adj c2"], p["data"])
    # d c3.bias(c3) = Mean_{data}[ Sum_{c3.positions1, c3.positions2}[ -adj c3(data, c3, c3.positions1,
    #     c3.positions2) ] ]
    speed = speeds["c3.bias"] = make("speed c3.bias", (n["c3"],))
    call(reduce_5, speed, f["adj c3"], p["data"])
    # d c4.bias(c4) = Mean_{data}[ Sum_{c4.positions1, c4.positions2}[ -adj c4(data, c4, c4.positions1,
    #     c4.positions2) ] ]
    speed = speeds["c4.bias"] = make("speed c4.bias", (n["c4"],))
    call(reduce_5, speed, f["adj c4"], p["data"])
    # d c5.bias(c5) = Mean_{data}[ Sum_{c5.positions1, c5.positions2}[ -adj c5(data, c5, c5.positions1,
    #     c5.positions2) ] ]
    speed = speeds["c5.bias"] = make("speed c5.bias", (n["c5"],))
    call(reduce_5, speed, f["adj c5"], p["data"])
    # d c6.bias(c6) = Mean_{data}[ Sum_{c6.positions1, c6.positions2}[ -adj c6(data, c6, c6.positions1,
    #     c6.positions2) ] ]
    speed = speeds["c6.bias"] = make("speed c6.bias", (n["c6"],))
    call(reduce_5, speed, f["adj c6"], p["data"])
    # d c7.bias(c7) = Mean_{data}[ Sum_{c7.positions1, c7.positions2}[ -adj c7(data, c7, c7.positions1,
    #     c7.positions2) ] ]
    speed = speeds["c7.bias"] = make("speed c7.bias", (n["c7"],))
    call(reduce_5, speed, f["adj c7"], p["data"])
    # d output.bias(outputs) = Mean_{data}[ -adj yhat(data, outputs) ]
    speed = speeds["output.bias"] = make("speed output.bias", (n["outputs"],))
    call(speed.fill, 0.0)
    call(reduce_6, speed, f["adj yhat"], p["data"])
    # d c1.weight(c1, channels, c1.taps1, c1.taps2) = Mean_{data}[ Sum_{c1.positions1, c1.positions2}[ -adj
    #     c1(data, c1, c1.positions1, c1.positions2)*x(data, channels, 2*c1.positions1 + c1.taps1,
    #     2*c1.positions2 + c1.taps2) ] ]
    call(rescale, out["c1.weight"], lambda: keep["c1.weight"])
    updates.append(whole(repeat_9, n["data"], (("temporary 2", (n["channels"], n["c1.taps1"], n["c1.taps2"], n["c1.positions1"], n["c1.positions2"])),), p["data"], f["x"], out["c1.weight"], f["adj c1"], lambda: -scale["c1.weight"], *nodes.weighting(("c1.positions1", "c1.positions2"))))
    # d c2.weight(c2, c1, c2.taps1, c2.taps2) = Mean_{data}[ Sum_{c2.positions1, c2.positions2}[
    #     (-0.1111111111111111)*c1.out(data, c1, 2*c2.positions1 + c2.taps1, 2*c2.positions2 + c2.taps2)*adj
    #     c2(data, c2, c2.positions1, c2.positions2) ] ]
    call(rescale, out["c2.weight"], lambda: keep["c2.weight"])
    updates.append(whole(repeat_10, n["data"], (("temporary 4", (n["c2"], n["c2.taps1"], n["c2.taps2"], n["c1"])), ("temporary 2", (n["c2.positions1"], n["c2.positions2"], n["c2.taps1"], n["c2.taps2"], n["c1"])), ("temporary 5", (n["c1.positions1"], n["c1.positions2"], n["c1"])),), p["data"], f["c1.out"], f["adj c2"], lambda: -0.1111111111111111 * scale["c2.weight"], *nodes.weighting(("c2.positions1", "c2.positions2")), out["c2.weight"]))
    # d c3.weight(c3, c2, c3.taps1, c3.taps2) = Mean_{data}[ Sum_{c3.positions1, c3.positions2}[
    #     (-0.1111111111111111)*c2.out(data, c2, c3.positions1 + c3.taps1 - 1, c3.positions2 + c3.taps2 -
    #     1)*adj c3(data, c3, c3.positions1, c3.positions2) ] ]
    call(rescale, out["c3.weight"], lambda: keep["c3.weight"])
    updates.append(whole(repeat_11, n["data"], (("temporary 4", (n["c3"], n["c3.taps1"], n["c3.taps2"], n["c2"])), ("temporary 2", (n["c3.positions1"], n["c3.positions2"], n["c3.taps1"], n["c3.taps2"], n["c2"])), ("temporary 5", (n["c2.positions1"], n["c2.positions2"], n["c2"])),), p["data"], f["c2.out"], f["adj c3"], lambda: -0.1111111111111111 * scale["c3.weight"], *nodes.weighting(("c3.positions1", "c3.positions2")), out["c3.weight"]))
    # d c4.weight(c4, c3, c4.taps1, c4.taps2) = Mean_{data}[ Sum_{c4.positions1, c4.positions2}[
    #     (-0.1111111111111111)*c3.out(data, c3, c4.positions1 + c4.taps1 - 1, c4.positions2 + c4.taps2 -
    #     1)*adj c4(data, c4, c4.positions1, c4.positions2) ] ]
    call(rescale, out["c4.weight"], lambda: keep["c4.weight"])
    updates.append(whole(repeat_11, n["data"], (("temporary 4", (n["c4"], n["c4.taps1"], n["c4.taps2"], n["c3"])), ("temporary 2", (n["c4.positions1"], n["c4.positions2"], n["c4.taps1"], n["c4.taps2"], n["c3"])), ("temporary 5", (n["c3.positions1"], n["c3.positions2"], n["c3"])),), p["data"], f["c3.out"], f["adj c4"], lambda: -0.1111111111111111 * scale["c4.weight"], *nodes.weighting(("c4.positions1", "c4.positions2")), out["c4.weight"]))
    # d c5.weight(c5, c4, c5.taps1, c5.taps2) = Mean_{data}[ Sum_{c5.positions1, c5.positions2}[
    #     (-0.1111111111111111)*c4.out(data, c4, c5.positions1 + c5.taps1 - 1, c5.positions2 + c5.taps2 -
    #     1)*adj c5(data, c5, c5.positions1, c5.positions2) ] ]
    call(rescale, out["c5.weight"], lambda: keep["c5.weight"])
    updates.append(whole(repeat_11, n["data"], (("temporary 4", (n["c5"], n["c5.taps1"], n["c5.taps2"], n["c4"])), ("temporary 2", (n["c5.positions1"], n["c5.positions2"], n["c5.taps1"], n["c5.taps2"], n["c4"])), ("temporary 5", (n["c4.positions1"], n["c4.positions2"], n["c4"])),), p["data"], f["c4.out"], f["adj c5"], lambda: -0.1111111111111111 * scale["c5.weight"], *nodes.weighting(("c5.positions1", "c5.positions2")), out["c5.weight"]))
    # d c6.weight(c6, c5, c6.taps1, c6.taps2) = Mean_{data}[ Sum_{c6.positions1, c6.positions2}[
    #     (-0.1111111111111111)*p5(data, c5, c6.positions1 + c6.taps1 - 1, c6.positions2 + c6.taps2 - 1)*adj
    #     c6(data, c6, c6.positions1, c6.positions2) ] ]
    call(rescale, out["c6.weight"], lambda: keep["c6.weight"])
    updates.append(whole(repeat_11, n["data"], (("temporary 4", (n["c6"], n["c6.taps1"], n["c6.taps2"], n["c5"])), ("temporary 2", (n["c6.positions1"], n["c6.positions2"], n["c6.taps1"], n["c6.taps2"], n["c5"])), ("temporary 5", (n["p5.positions1"], n["p5.positions2"], n["c5"])),), p["data"], f["p5"], f["adj c6"], lambda: -0.1111111111111111 * scale["c6.weight"], *nodes.weighting(("c6.positions1", "c6.positions2")), out["c6.weight"]))
    # d c7.weight(c7, c6, c7.taps1, c7.taps2) = Mean_{data}[ Sum_{c7.positions1, c7.positions2}[
    #     (-0.1111111111111111)*c6.out(data, c6, c7.positions1 + c7.taps1 - 1, c7.positions2 + c7.taps2 -
    #     1)*adj c7(data, c7, c7.positions1, c7.positions2) ] ]
    call(rescale, out["c7.weight"], lambda: keep["c7.weight"])
    updates.append(whole(repeat_11, n["data"], (("temporary 4", (n["c7"], n["c7.taps1"], n["c7.taps2"], n["c6"])), ("temporary 2", (n["c7.positions1"], n["c7.positions2"], n["c7.taps1"], n["c7.taps2"], n["c6"])), ("temporary 5", (n["c6.positions1"], n["c6.positions2"], n["c6"])),), p["data"], f["c6.out"], f["adj c7"], lambda: -0.1111111111111111 * scale["c7.weight"], *nodes.weighting(("c7.positions1", "c7.positions2")), out["c7.weight"]))
    # d output.weight(outputs, c7, p7.positions1, p7.positions2) = Mean_{data}[ (-0.25)*p7(data, c7,
    #     p7.positions1, p7.positions2)*adj yhat(data, outputs) ]
    call(matrix_product, matrix(out["output.weight"], 1), f["adj yhat"].T, matrix(f["p7"], 1), lambda: -0.25 * scale["output.weight"], nodes.weighting(("data",)), lambda: keep["output.weight"])
    call(together, updates, nodes, make)
    for name, speed in speeds.items():
        call(add_speed, out[name].reshape(-1), speed.reshape(-1), scale, keep, name)


def advance(plan: Plan, out: Fields, t: float, alpha: float, k: int, seed: int) -> None:
    """The variables in out after step k of size alpha at time t; seed: that of all fresh noise."""
    scale = {name: float(alpha * rate) for name, rate in rates(t).items()}
    plan.evolve(out, scale, dict.fromkeys(scale, 1.0))


def flow(plan: Plan, out: Fields, t: float) -> None:
    """out = d(variable)/dt at time t for every variable that moves."""
    scale = rates(t)
    plan.evolve(out, scale, dict.fromkeys(scale, 0.0))


def rates(t: float) -> dict[str, float]:
    """The rate of every trained parameter at time t: d(parameter)/dt = rate * G."""
    return {
        "c1.bias": 9.0,
        "c1.weight": 9.0,
        "c2.bias": 9.0,
        "c2.weight": 81.0,
        "c3.bias": 9.0,
        "c3.weight": 81.0,
        "c4.bias": 9.0,
        "c4.weight": 81.0,
        "c5.bias": 9.0,
        "c5.weight": 81.0,
        "c6.bias": 9.0,
        "c6.weight": 81.0,
        "c7.bias": 4.0,
        "c7.weight": 36.0,
        "output.bias": 10.0,
        "output.weight": 40.0,
    }


# -------------------------------- Independent draws from the laws of initial values


def generator(name: str, seed: int) -> np.random.Generator:
    """The random generator of one parameter: its draws do not depend on which others exist."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw_normal(
    rng: np.random.Generator, shape: tuple[int, ...], neuron: int, mean: Array, deviation: Array
) -> Array:
    """Normal entries of a mean and a standard deviation."""
    values = rng.standard_normal(shape)
    values *= deviation
    values += mean
    return values


def draw_constant(rng: np.random.Generator, shape: tuple[int, ...], neuron: int, value: Array) -> Array:
    """The same value everywhere; nothing is drawn."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy()


def initial_values(n: Mapping[str, int], seed: int, edges: str) -> dict[str, Array]:
    """A draw of every parameter, in float64; edges="mean": weights with noise at their mean."""
    values: dict[str, Array] = {}
    drawn = edges == "draw"
    # c1.bias: 0
    values["c1.bias"] = draw_constant(generator("c1.bias", seed), (n["c1"],), 0, 0.0)
    # c1.weight: normal(0, sqrt(2/fan_in))
    values["c1.weight"] = draw_normal(generator("c1.weight", seed), (n["c1"], n["channels"], n["c1.taps1"], n["c1.taps2"],), 0, 0.0, 0.2721655269759087)
    # c2.bias: 0
    values["c2.bias"] = draw_constant(generator("c2.bias", seed), (n["c2"],), 0, 0.0)
    # c2.weight: normal(1, 0.1)
    values["c2.weight"] = (draw_normal(generator("c2.weight", seed), (n["c2"], n["c1"], n["c2.taps1"], n["c2.taps2"],), 0, 1.0, 0.1) if drawn else draw_constant(generator("c2.weight", seed), (n["c2"], n["c1"], n["c2.taps1"], n["c2.taps2"],), 0, 1.0))
    # c3.bias: 0
    values["c3.bias"] = draw_constant(generator("c3.bias", seed), (n["c3"],), 0, 0.0)
    # c3.weight: normal(1, 0.1)
    values["c3.weight"] = (draw_normal(generator("c3.weight", seed), (n["c3"], n["c2"], n["c3.taps1"], n["c3.taps2"],), 0, 1.0, 0.1) if drawn else draw_constant(generator("c3.weight", seed), (n["c3"], n["c2"], n["c3.taps1"], n["c3.taps2"],), 0, 1.0))
    # c4.bias: 0
    values["c4.bias"] = draw_constant(generator("c4.bias", seed), (n["c4"],), 0, 0.0)
    # c4.weight: normal(1, 0.1)
    values["c4.weight"] = (draw_normal(generator("c4.weight", seed), (n["c4"], n["c3"], n["c4.taps1"], n["c4.taps2"],), 0, 1.0, 0.1) if drawn else draw_constant(generator("c4.weight", seed), (n["c4"], n["c3"], n["c4.taps1"], n["c4.taps2"],), 0, 1.0))
    # c5.bias: 0
    values["c5.bias"] = draw_constant(generator("c5.bias", seed), (n["c5"],), 0, 0.0)
    # c5.weight: normal(1, 0.1)
    values["c5.weight"] = (draw_normal(generator("c5.weight", seed), (n["c5"], n["c4"], n["c5.taps1"], n["c5.taps2"],), 0, 1.0, 0.1) if drawn else draw_constant(generator("c5.weight", seed), (n["c5"], n["c4"], n["c5.taps1"], n["c5.taps2"],), 0, 1.0))
    # c6.bias: 0
    values["c6.bias"] = draw_constant(generator("c6.bias", seed), (n["c6"],), 0, 0.0)
    # c6.weight: normal(1, 0.1)
    values["c6.weight"] = (draw_normal(generator("c6.weight", seed), (n["c6"], n["c5"], n["c6.taps1"], n["c6.taps2"],), 0, 1.0, 0.1) if drawn else draw_constant(generator("c6.weight", seed), (n["c6"], n["c5"], n["c6.taps1"], n["c6.taps2"],), 0, 1.0))
    # c7.bias: 0
    values["c7.bias"] = draw_constant(generator("c7.bias", seed), (n["c7"],), 0, 0.0)
    # c7.weight: normal(1, 0.1)
    values["c7.weight"] = (draw_normal(generator("c7.weight", seed), (n["c7"], n["c6"], n["c7.taps1"], n["c7.taps2"],), 0, 1.0, 0.1) if drawn else draw_constant(generator("c7.weight", seed), (n["c7"], n["c6"], n["c7.taps1"], n["c7.taps2"],), 0, 1.0))
    # output.bias: 0
    values["output.bias"] = draw_constant(generator("output.bias", seed), (n["outputs"],), 0, 0.0)
    # output.weight: normal(1, 0.1)
    values["output.weight"] = draw_normal(generator("output.weight", seed), (n["outputs"], n["c7"], n["p7.positions1"], n["p7.positions2"],), 1, 1.0, 0.1)
    return values


# -------------------------------- What the arrays of a solver are: the layout of states and fields


@dataclass(frozen=True)
class Layout:
    """The axes of every array of a solver, in array order, and the sizes of the axes.

    ``parameters``: axes of each array of a state: parameters, and what a learning rule remembers of them
    (``memories``). ``frozen``: the parameters that are not trained. ``populations``: the population axes.
    ``measures``: the axes whose nodes have weights in ``state["p"]``, with their relative widths. ``sizes``:
    sizes of the finite axes. ``fields``: axes of every field, those of the data (x and y) and the parameters
    included.
    """

    parameters: dict[str, tuple[str, ...]]
    frozen: tuple[str, ...]
    populations: tuple[str, ...]
    measures: dict[str, float]
    sizes: dict[str, int]
    fields: dict[str, tuple[str, ...]]
    memories: tuple[str, ...] = ()


# -------------------------------- Numbers of nodes


def node_counts(widths: int | Mapping[str, int]) -> dict[str, int]:
    """The number of nodes of every measure axis: given by name, or relative widths times a number."""
    if not isinstance(widths, Mapping):
        base = _whole(widths)
        widths = {axis: max(1, round(relative * base)) for axis, relative in MEASURES.items()}
    if set(widths) != set(MEASURES):
        raise ValueError(f"widths must be a number or name each of {list(MEASURES)}")
    return {axis: _whole(widths[axis]) for axis in MEASURES}


def _whole(width: Any) -> int:
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 1:
        raise ValueError(f"a width is {width!r}; expected a whole number of at least 1")
    return int(width)


def check_physical_memory(size: Mapping[str, int]) -> None:
    """Raise MemoryError if a state with these sizes is larger than the memory that the machine reports."""
    needed = 8 * sum(math.prod(size[axis] for axis in axes) for axes in PARAMETERS.values())
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > physical:
            raise MemoryError(
                f"the state needs {needed / 1e9:.3g} GB, there are {physical / 1e9:.3g}; take smaller widths"
            )


# -------------------------------- Shapes and precision of what a caller passes


def precision(state: Mapping[str, Any]) -> np.dtype[Any]:
    """The precision of a state: single where its first array has it, else double."""
    first = next(iter(PARAMETERS), None)
    dtype = np.asarray(state[first]).dtype if first else next(iter(state["p"].values())).dtype
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def given_fields(state: Mapping[str, Any], x: Array, weights: Array | None = None) -> tuple[Fields, Nodes]:
    """The fields that are given (parameters and x), in one precision, and the nodes."""
    check_names(state)
    dtype = precision(state)
    fields = {name: np.asarray(state[name], dtype, order="C") for name in PARAMETERS}
    give_samples(fields, dtype, x)
    samples = len(fields["x"])
    data = np.full(samples, 1 / samples) if weights is None else np.asarray(weights)
    if data.shape != (samples,):
        raise ValueError(f"weights of shape {data.shape} for {samples} samples")
    own = {axis: np.asarray(state["p"][axis]) for axis in MEASURES}
    nodes = WORKSPACE.known_nodes({"data": data, **own}, dtype)
    check_shapes(fields, nodes.shapes)  # compiled loops do not check where an array ends
    return fields, nodes


def give_samples(fields: Fields, dtype: np.dtype[Any], x: Array) -> None:
    """Put x into the fields, in one precision."""
    fields["x"] = x = np.asarray(x, dtype, order="C")
    expected = tuple(SIZES[axis] for axis in FIELDS["x"][1:])
    if not x.shape or x.shape[1:] != expected or not len(x):
        raise ValueError(f"x has shape {x.shape}; expected (samples, {', '.join(map(str, expected))})")


def give_targets(fields: Fields, dtype: np.dtype[Any], y: Array) -> None:
    """Put y into the fields, in one precision; x is there."""
    samples, y = len(fields["x"]), np.asarray(y, dtype, order="C")
    if y.shape != (samples, SIZES["outputs"]) and (SIZES["outputs"] > 1 or y.shape != (samples,)):
        raise ValueError(f"y has shape {y.shape}; expected ({samples}, {SIZES['outputs']})")
    fields["y"] = y if y.ndim == 2 else y.reshape(samples, SIZES["outputs"])


def give_batch(plan: Plan, x: Array, y: Array) -> None:
    """Put x and y of another batch of the same size where the plan's calls read them."""
    given: Fields = {}
    give_samples(given, plan.nodes.dtype, x)
    give_targets(given, plan.nodes.dtype, y)
    if given["x"] is plan.fields["x"] and given["y"] is plan.fields["y"]:
        return
    if not plan.own:  # the first batch is read where it is; from the second on, all go through two arrays
        plan.own = {name: plan.make(name, array.shape) for name, array in given.items()}
        plan.fields.update(plan.own)
        plan.bind()
    for name, array in given.items():
        np.copyto(plan.own[name], array)


def check_names(state: Mapping[str, Any]) -> None:
    """Raise ValueError where a parameter or the weights of some nodes are missing."""
    missing = [name for name in PARAMETERS if name not in state]
    if missing:
        raise ValueError(f"state: missing {missing}; expected {list(PARAMETERS)}")
    weights = state.get("p")
    if not isinstance(weights, Mapping) or any(
        len(np.shape(weights.get(axis, 0.0))) != 1 for axis in MEASURES
    ):
        raise ValueError(f"state['p'] must hold the weights of the nodes of {list(MEASURES)}")


def check_shapes(arrays: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError for a parameter whose shape is not that of its axes."""
    for name, shape in shapes.items():
        if np.shape(arrays[name]) != shape:
            raise ValueError(
                f"state['{name}'] has shape {np.shape(arrays[name])}; expected {shape} for {PARAMETERS[name]}"
            )


def check_target(out: Mapping[str, Array], fields: Fields, nodes: Nodes) -> None:
    """Raise ValueError for arrays that cannot be changed in place."""
    for name in PARAMETERS:
        own = out.get(name)
        if (
            not isinstance(own, np.ndarray)
            or own.dtype != nodes.dtype
            or not own.flags.c_contiguous
            or own.shape != fields[name].shape
        ):
            raise ValueError(f"out['{name}'] must be a contiguous array of {nodes.dtype}")


def check(state: Mapping[str, Any]) -> None:
    """Raise ValueError where names, shapes, precision or weights of a state do not fit."""
    check_names(state)
    weights = state["p"]
    if set(weights) != set(MEASURES):
        raise ValueError(f"state['p'] must hold the weights of the nodes of {list(MEASURES)}")
    unknown = [name for name in state if name != "p" and name not in PARAMETERS]
    if unknown:
        raise ValueError(f"state: unknown {unknown}; expected {list(PARAMETERS)}")
    dtypes = {np.asarray(state[name]).dtype for name in PARAMETERS}
    if len(dtypes) > 1:
        raise ValueError(f"state: the parameters have several precisions: {sorted(map(str, dtypes))}")
    size = SIZES | {axis: len(weights[axis]) for axis in MEASURES}
    check_shapes(state, {name: tuple(size[axis] for axis in axes) for name, axes in PARAMETERS.items()})
    for axis, values in weights.items():
        total = float(np.sum(values, dtype=np.float64))
        if np.any(np.asarray(values) < 0) or abs(total - 1) > 1e-4:
            raise ValueError(f"state['p']['{axis}'] must not be negative and must sum to 1 (sum: {total})")


# -------------------------------- What a user calls


layout = Layout(PARAMETERS, FROZEN, POPULATIONS, MEASURES, SIZES, FIELDS, MEMORIES)


def sample(
    widths: int | Mapping[str, int] = 64, seed: int = 0, edges: str = "draw", dtype: Any = np.float64
) -> dict[str, Any]:
    """A state drawn from the initial laws, with equal weights p = 1/n.

    ``widths``: a number (times each population's relative width) or a dictionary of numbers of nodes.
    ``edges="mean"``: weights between two populations start at their conditional mean.
    """
    if edges not in ("draw", "mean"):
        raise ValueError(f"edges is {edges!r}; allowed: 'draw', 'mean'")
    nodes = node_counts(widths)
    n = SIZES | nodes
    check_physical_memory(n)
    values = initial_values(n, seed, edges)
    state: dict[str, Any] = {name: np.asarray(values[name]).astype(dtype, copy=False) for name in PARAMETERS}
    state["p"] = {axis: np.full(size, 1 / size, dtype=dtype) for axis, size in nodes.items()}
    return state


def forward(state: Mapping[str, Any], x: Array) -> Fields:
    """Every forward field (and yhat) on x [sample, ...]: a dictionary of new arrays, axes as in FIELDS."""
    fields, nodes = given_fields(state, x)
    given = set(fields)
    compute_forward(fields, nodes, fresh(nodes), at_once)
    return {name: array for name, array in fields.items() if name not in given}


def predict(state: Mapping[str, Any], x: Array, piece: int | None = None) -> Array:
    """yhat [sample, outputs] on x, as a new array; the arrays of all other fields are used again.

    ``piece``: the number of samples at a time, which bounds the memory (default: all at once).
    """
    x = np.atleast_1d(x)
    size = min(piece or len(x), len(x))
    fields, nodes = given_fields(state, x[:size])
    make = WORKSPACE.maker(nodes)
    yhat = np.empty((len(x), SIZES["outputs"]), nodes.dtype)
    # The last piece has the size of the others, so that their arrays fit: it repeats some samples.
    for start in (*range(0, len(x) - size, size), len(x) - size):
        give_samples(fields, nodes.dtype, x[start : start + size])
        compute_forward(fields, nodes, make, at_once)
        yhat[start : start + size] = fields["yhat"]
    return yhat


def predictions(state: Mapping[str, Any], x: Array) -> Callable[[], Array]:
    """A function that gives ``predict``, on all of x at once, of what the arrays of ``state`` hold by then.

    They must be contiguous and of one precision; the next call writes into the same array. What stays the
    same is checked and looked up only once.
    """
    fields, nodes = given_fields(state, x)
    check_target(state, fields, nodes)
    plan = Plan(fields, nodes, WORKSPACE.maker(nodes), (compute_forward,), evolve)

    def outputs() -> Array:
        plan.sweep()
        return fields["yhat"]

    return outputs


def loss(state: Mapping[str, Any], x: Array, y: Array) -> float:
    """The mean loss of a batch; y is [sample, outputs] ([sample] where there is one output)."""
    fields, nodes = given_fields(state, x)
    give_targets(fields, nodes.dtype, y)
    make = WORKSPACE.maker(nodes)
    compute_forward(fields, nodes, make, at_once)
    compute_loss(fields, nodes, make, at_once)
    return float(np.mean(fields["loss"], dtype=np.float64))


def _plan(
    state: Mapping[str, Any], x: Array, y: Array, weights: Array | None, out: Mapping[str, Any] | None = None
) -> Plan:
    """The calls of a step on a batch; ``out``: arrays that will be changed in place."""
    fields, nodes = given_fields(state, x, weights)
    give_targets(fields, nodes.dtype, y)
    if out is not None:
        check_target(out, fields, nodes)
    return Plan(fields, nodes, WORKSPACE.maker(nodes), (compute_forward, compute_backward), evolve)


def velocity(
    state: Mapping[str, Any], x: Array, y: Array, t: float = 0.0, weights: Array | None = None
) -> Fields:
    """The derivative in time of every array of a state on a batch: rate(t) * G, or that of the learning rule.

    Zeros where nothing moves. ``weights``: those of the samples, which sum to 1 (default: equal). Raises
    ValueError where the learning rule has no known flow in time.
    """
    return _velocities(_plan(state, x, y, weights))(t)


def velocities(
    state: Mapping[str, Any], x: Array, y: Array, weights: Array | None = None
) -> Callable[[float], Fields]:
    """A function of t that gives the ``velocity`` of what the arrays of ``state`` hold by then.

    They must be contiguous and of one precision; the next call writes into the same arrays. What stays the
    same is checked and looked up only once.
    """
    return _velocities(_plan(state, x, y, weights, state))


def _velocities(plan: Plan) -> Callable[[float], Fields]:
    still, fields = {*FROZEN, *MEMORIES}, plan.fields
    speed = {
        name: np.zeros(fields[name].shape, plan.nodes.dtype) if name in still else np.empty_like(fields[name])
        for name in PARAMETERS
    }

    def velocity_at(t: float) -> Fields:
        plan.sweep()
        flow(plan, speed, t)
        return speed

    return velocity_at


def step(
    state: Mapping[str, Any],
    x: Array,
    y: Array,
    t: float,
    alpha: float,
    out: dict[str, Any] | None = None,
    weights: Array | None = None,
    k: int = 1,
    seed: int = 0,
) -> dict[str, Any]:
    """Step number k of size alpha at time t: what the learning rule makes of G on a batch.

    For SGD that is state + alpha * velocity(state, x, y, t, weights), to rounding. A new state, or ``out``
    with its arrays changed in place (``out=state`` moves the state itself; its arrays must be contiguous and
    of the state's precision). ``seed``: that of the noise of all steps, where the rule has noise.
    """
    plan = _plan(state, x, y, weights, out)
    fields = plan.fields
    plan.sweep()
    if out is None:
        out = {name: fields[name].copy() for name in PARAMETERS}
        out["p"] = dict(state["p"])
    else:
        for name in PARAMETERS:
            if out[name] is not fields[name]:
                np.copyto(out[name], fields[name])
    advance(plan, out, t, alpha, k, seed)
    return out


def march(
    state: dict[str, Any],
    moves: Iterable[tuple[Array, Array, float, float, Array | None, int]],
    seed: int = 0,
) -> dict[str, Any]:
    """Change ``state`` itself by a ``step`` for every (x, y, t, alpha, weights, k) of ``moves``; returns it.

    What stays the same is checked only once: do not change the state between two moves.
    """
    plan: Plan | None = None
    known: Array | None = None
    for x, y, t, alpha, weights, k in moves:
        if plan is None or weights is not known or len(x) != plan.nodes.size["data"]:
            plan, known = _plan(state, x, y, weights, state), weights
        else:
            give_batch(plan, x, y)
        plan.sweep()
        advance(plan, state, t, alpha, k, seed)
    return state


def memory(sizes: int | Mapping[str, int], batch: int, dtype: Any = np.float64, copies: int = 2) -> int:
    """Bytes that step and velocity hold at once: state and its copy or velocity, fields and temporaries.

    ``sizes``: numbers of nodes, as in ``sample``; ``copies``: of the parameters.
    """
    size = SIZES | node_counts(sizes) | {"data": batch}
    count = copies * sum(math.prod(size[axis] for axis in axes) for axes in PARAMETERS.values())
    count += sum(
        math.prod(size[axis] for axis in axes) for name, axes in FIELDS.items() if name not in PARAMETERS
    )
    count += sum(math.prod(size[axis] for axis in axes) for axes in TEMPORARIES)
    count += THREADS * sum(math.prod(size[axis] for axis in axes) for axes in SCRATCH)
    return int(count * np.dtype(dtype).itemsize)
