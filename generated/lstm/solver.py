"""LSTM on sequences

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
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
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


TITLE = "LSTM on sequences"
DIGEST = "2eb1390b6094f6e1985dadc85014e1432e8616a50b8417a328fbf5f4791aadff"
# Axes of every array of a state.
PARAMETERS = {
    "cell.b_f": ("cell",),
    "cell.b_i": ("cell",),
    "cell.b_g": ("cell",),
    "cell.weight.x.f": ("cell", "inputs"),
    "cell.weight.r.f": ("cell", "cell"),
    "cell.weight.x.i": ("cell", "inputs"),
    "cell.weight.r.i": ("cell", "cell"),
    "cell.weight.x.g": ("cell", "inputs"),
    "cell.weight.r.g": ("cell", "cell"),
    "r.b_o": ("cell",),
    "r.weight.x": ("cell", "inputs"),
    "r.weight.r": ("cell", "cell"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "cell"),
}
FROZEN = ()
# What a learning rule remembers of parameters.
MEMORIES = ()
POPULATIONS = ("cell",)
# Axes whose nodes have weights in state["p"], and their relative widths.
MEASURES = {
    "cell": 1.0,
}
# Sizes of the finite axes.
SIZES = {
    "steps": 4,
    "inputs": 2,
    "outputs": 1,
}
# Axes of every field.
FIELDS = {
    "x": ("data", "steps", "inputs"),
    "y": ("data", "outputs"),
    "cell.b_f": ("cell",),
    "cell.b_i": ("cell",),
    "cell.b_g": ("cell",),
    "cell.weight.x.f": ("cell", "inputs"),
    "cell.weight.r.f": ("cell", "cell"),
    "cell.weight.x.i": ("cell", "inputs"),
    "cell.weight.r.i": ("cell", "cell"),
    "cell.weight.x.g": ("cell", "inputs"),
    "cell.weight.r.g": ("cell", "cell"),
    "cell.step1.past": ("data", "cell"),
    "cell.step1.f": ("data", "cell"),
    "cell.step1.i": ("data", "cell"),
    "cell.step1.g": ("data", "cell"),
    "cell.step1.out": ("data", "cell"),
    "r.b_o": ("cell",),
    "r.weight.x": ("cell", "inputs"),
    "r.weight.r": ("cell", "cell"),
    "r.step1": ("data", "cell"),
    "r.step1.o": ("data", "cell"),
    "r.step1.out": ("data", "cell"),
    "cell.step2.past": ("data", "cell"),
    "cell.step2.f": ("data", "cell"),
    "cell.step2.i": ("data", "cell"),
    "cell.step2.g": ("data", "cell"),
    "cell.step2.out": ("data", "cell"),
    "r.step2": ("data", "cell"),
    "r.step2.o": ("data", "cell"),
    "r.step2.out": ("data", "cell"),
    "cell.step3.past": ("data", "cell"),
    "cell.step3.f": ("data", "cell"),
    "cell.step3.i": ("data", "cell"),
    "cell.step3.g": ("data", "cell"),
    "cell.step3.out": ("data", "cell"),
    "r.step3": ("data", "cell"),
    "r.step3.o": ("data", "cell"),
    "r.step3.out": ("data", "cell"),
    "cell.step4.past": ("data", "cell"),
    "cell.step4.f": ("data", "cell"),
    "cell.step4.i": ("data", "cell"),
    "cell.step4.g": ("data", "cell"),
    "cell.step4.out": ("data", "cell"),
    "r.step4": ("data", "cell"),
    "r.step4.o": ("data", "cell"),
    "r.step4.out": ("data", "cell"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "cell"),
    "yhat": ("data", "outputs"),
    "loss": ("data",),
    "adj yhat": ("data", "outputs"),
    "adj r.step4.out": ("data", "cell"),
    "adj r.step4.o": ("data", "cell"),
    "adj r.step4": ("data", "cell"),
    "adj cell.step4.out": ("data", "cell"),
    "adj cell.step4.g": ("data", "cell"),
    "adj cell.step4.i": ("data", "cell"),
    "adj cell.step4.f": ("data", "cell"),
    "adj cell.step4.past": ("data", "cell"),
    "adj r.step3.out": ("data", "cell"),
    "adj r.step3.o": ("data", "cell"),
    "adj r.step3": ("data", "cell"),
    "adj cell.step3.out": ("data", "cell"),
    "adj cell.step3.g": ("data", "cell"),
    "adj cell.step3.i": ("data", "cell"),
    "adj cell.step3.f": ("data", "cell"),
    "adj cell.step3.past": ("data", "cell"),
    "adj r.step2.out": ("data", "cell"),
    "adj r.step2.o": ("data", "cell"),
    "adj r.step2": ("data", "cell"),
    "adj cell.step2.out": ("data", "cell"),
    "adj cell.step2.g": ("data", "cell"),
    "adj cell.step2.i": ("data", "cell"),
    "adj cell.step2.f": ("data", "cell"),
    "adj cell.step2.past": ("data", "cell"),
    "adj r.step1.out": ("data", "cell"),
    "adj r.step1.o": ("data", "cell"),
    "adj r.step1": ("data", "cell"),
    "adj cell.step1.out": ("data", "cell"),
    "adj cell.step1.g": ("data", "cell"),
    "adj cell.step1.i": ("data", "cell"),
    "adj cell.step1.f": ("data", "cell"),
    "adj cell.step1.past": ("data", "cell"),
}
# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.
TEMPORARIES = [
    ("cell",),
    ("cell",),
    ("cell",),
    ("outputs",),
    ("cell",),
    ("data", "inputs"),
    ("data", "inputs"),
    ("data", "inputs"),
    ("data", "inputs"),
]
SCRATCH = []


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


# -------------------------------- Compiled loops of the equations


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
def expm1(t: Real) -> Real:
    """e^t - 1 for -40 <= t <= 40."""
    shifted = nearest_power(t)
    power = two_to(shifted)
    return power * expm1_near(t, shifted - 6755399441055744.0) + (power - 1.0)


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


@compiled_in_order
def tanh(x: Real) -> Real:
    """The hyperbolic tangent: m / (m + 2) for m = e^(2 |x|) - 1, with the sign of x."""
    t = 2.0 * min(abs(np.float64(x)), 20.0)
    m = expm1(t)
    y = np.copysign(m / (m + 2.0), np.float64(x))
    return x if x != x else type(x)(y)


@compiled_in_order
def sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)) without overflow."""
    small = exp(-abs(np.float64(x)))
    return type(x)((1.0 if x >= 0 else small) / (1.0 + small))


@compiled
def pointwise(out, a):
    """out(i, j) = a(i, 0, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            v1 = a[i, 0, j] if 0 <= 0 < a.shape[1] else real(0)
            out[i, j] = v1


@compiled
def pointwise_sigmoid_tanh(out, a, b, c, d, e, f, g):
    """out(i, j) = d(i, j)*sigmoid(a(i, j) + e(j)) + sigmoid(c(i, j) + g(j))*tanh(b(i, j) + f(j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            d_ij = d[i, j]
            a_ij = a[i, j]
            e_j = e[j]
            v1 = sigmoid(a_ij + e_j)
            c_ij = c[i, j]
            g_j = g[j]
            v2 = sigmoid(c_ij + g_j)
            b_ij = b[i, j]
            f_j = f[j]
            v3 = tanh(b_ij + f_j)
            out[i, j] = (d_ij * v1) + (v2 * v3)


@compiled
def pointwise_2(out, a):
    """out(i, j) = a(i, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            out[i, j] = a_ij


@compiled
def pointwise_sigmoid_tanh_2(out, a, b, c):
    """out(i, j) = sigmoid(b(i, j) + c(j))*tanh(a(i, j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            b_ij = b[i, j]
            c_j = c[j]
            v1 = sigmoid(b_ij + c_j)
            a_ij = a[i, j]
            v2 = tanh(a_ij)
            out[i, j] = v1 * v2


@compiled
def pointwise_3(out, a):
    """out(i, j) = a(i, 1, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            v1 = a[i, 1, j] if 0 <= 1 < a.shape[1] else real(0)
            out[i, j] = v1


@compiled
def pointwise_4(out, a):
    """out(i, j) = a(i, 2, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            v1 = a[i, 2, j] if 0 <= 2 < a.shape[1] else real(0)
            out[i, j] = v1


@compiled
def pointwise_5(out, a):
    """out(i, j) = a(i, 3, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            v1 = a[i, 3, j] if 0 <= 3 < a.shape[1] else real(0)
            out[i, j] = v1


@compiled
def pointwise_6(out, a):
    """out(i, j) = a(j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_j = a[j]
            out[i, j] = a_j


@compiled
def reduce(out, a, b):
    """out(i) = Sum_{j}[ (b(i, j) - a(i, j))**2 ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        total = real(0)
        for j in range(a.shape[1]):
            b_ij = b[i, j]
            a_ij = a[i, j]
            v1 = b_ij - a_ij
            v2 = v1 * v1
            total += v2
        out[i] = total


@compiled
def pointwise_7(out, a, b):
    """out(i, j) = 2*b(i, j) - 2*a(i, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            out[i, j] = -(real(2.0) * a_ij) + (real(2.0) * b_ij)


@compiled
def pointwise_sigmoid_tanh_3(out, a, b, c, d):
    """out(i, j) = c(i, j)*(1 - sigmoid(b(i, j) + d(j)))*sigmoid(b(i, j) + d(j))*tanh(a(i, j))"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            c_ij = c[i, j]
            b_ij = b[i, j]
            d_j = d[j]
            v1 = sigmoid(b_ij + d_j)
            a_ij = a[i, j]
            v2 = tanh(a_ij)
            out[i, j] = c_ij * (real(1.0) - v1) * v1 * v2


@compiled
def pointwise_sigmoid_tanh_4(out, a, b, c, d):
    """out(i, j) = c(i, j)*(1 - tanh(a(i, j))**2)*sigmoid(b(i, j) + d(j))"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            c_ij = c[i, j]
            a_ij = a[i, j]
            v1 = tanh(a_ij)
            v2 = v1 * v1
            b_ij = b[i, j]
            d_j = d[j]
            v3 = sigmoid(b_ij + d_j)
            out[i, j] = c_ij * (real(1.0) - v2) * v3


@compiled
def pointwise_sigmoid_tanh_5(out, a, b, c, d, e):
    """out(i, j) = c(i, j)*(1 - tanh(a(i, j) + d(j))**2)*sigmoid(b(i, j) + e(j))"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            c_ij = c[i, j]
            a_ij = a[i, j]
            d_j = d[j]
            v1 = tanh(a_ij + d_j)
            v2 = v1 * v1
            b_ij = b[i, j]
            e_j = e[j]
            v3 = sigmoid(b_ij + e_j)
            out[i, j] = c_ij * (real(1.0) - v2) * v3


@compiled
def pointwise_sigmoid_tanh_6(out, a, b, c, d, e):
    """out(i, j) = c(i, j)*(1 - sigmoid(b(i, j) + e(j)))*sigmoid(b(i, j) + e(j))*tanh(a(i, j) + d(j))"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            c_ij = c[i, j]
            b_ij = b[i, j]
            e_j = e[j]
            v1 = sigmoid(b_ij + e_j)
            a_ij = a[i, j]
            d_j = d[j]
            v2 = tanh(a_ij + d_j)
            out[i, j] = c_ij * (real(1.0) - v1) * v1 * v2


@compiled
def pointwise_sigmoid(out, a, b, c, d):
    """out(i, j) = b(i, j)*c(i, j)*(1 - sigmoid(a(i, j) + d(j)))*sigmoid(a(i, j) + d(j))"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            b_ij = b[i, j]
            c_ij = c[i, j]
            a_ij = a[i, j]
            d_j = d[j]
            v1 = sigmoid(a_ij + d_j)
            out[i, j] = b_ij * c_ij * (real(1.0) - v1) * v1


@compiled
def pointwise_sigmoid_2(out, a, b, c):
    """out(i, j) = b(i, j)*sigmoid(a(i, j) + c(j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            b_ij = b[i, j]
            a_ij = a[i, j]
            c_j = c[j]
            v1 = sigmoid(a_ij + c_j)
            out[i, j] = b_ij * v1


@compiled
def pointwise_8(out, a, b):
    """out(i, j) = a(i, j) + b(i, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            out[i, j] = a_ij + b_ij


@compiled
def reduce_2(out, a, b):
    """out(i) = Sum_{j}[ -a(j, i)*b(j) ]"""
    for j in range(a.shape[0]):
        b_j = b[j]
        v1 = -b_j
        for i in range(out.shape[0]):
            a_ji = a[j, i]
            out[i] += v1 * a_ji


@compiled
def reduce_3(out, a, b):
    """out(i) += Sum_{j}[ -a(j, i)*b(j) ]"""
    for j in range(a.shape[0]):
        b_j = b[j]
        v1 = -b_j
        for i in range(out.shape[0]):
            a_ji = a[j, i]
            out[i] += v1 * a_ji


# -------------------------------- Equations


def compute_forward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """Every forward field that needs no y."""
    n = nodes.size
    # cell.step1.past(data, cell) = 0
    f["cell.step1.past"] = make("cell.step1.past", (n["data"], n["cell"]))
    call(f["cell.step1.past"].fill, 0.0)
    # cell.step1.f(data, cell) = Sum_{inputs}[ cell.weight.x.f(cell, inputs)*x(data, 0, inputs) ]
    f["cell.step1.f"] = make("cell.step1.f", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise, temporary_1, f["x"])
    call(matrix_product, f["cell.step1.f"], temporary_1, f["cell.weight.x.f"].T, 1.0, nodes.weighting(("inputs",)))
    # cell.step1.i(data, cell) = Sum_{inputs}[ cell.weight.x.i(cell, inputs)*x(data, 0, inputs) ]
    f["cell.step1.i"] = make("cell.step1.i", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise, temporary_1, f["x"])
    call(matrix_product, f["cell.step1.i"], temporary_1, f["cell.weight.x.i"].T, 1.0, nodes.weighting(("inputs",)))
    # cell.step1.g(data, cell) = Sum_{inputs}[ cell.weight.x.g(cell, inputs)*x(data, 0, inputs) ]
    f["cell.step1.g"] = make("cell.step1.g", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise, temporary_1, f["x"])
    call(matrix_product, f["cell.step1.g"], temporary_1, f["cell.weight.x.g"].T, 1.0, nodes.weighting(("inputs",)))
    # cell.step1.out(data, cell) = cell.step1.past(data, cell)*sigmoid(cell.b_f(cell) + cell.step1.f(data,
    #     cell)) + sigmoid(cell.b_i(cell) + cell.step1.i(data, cell))*tanh(cell.b_g(cell) + cell.step1.g(data,
    #     cell))
    f["cell.step1.out"] = make("cell.step1.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh, f["cell.step1.out"], f["cell.step1.f"], f["cell.step1.g"], f["cell.step1.i"], f["cell.step1.past"], f["cell.b_f"], f["cell.b_g"], f["cell.b_i"])
    # r.step1(data, cell) = cell.step1.out(data, cell)
    f["r.step1"] = make("r.step1", (n["data"], n["cell"]))
    call(pointwise_2, f["r.step1"], f["cell.step1.out"])
    # r.step1.o(data, cell) = Sum_{inputs}[ r.weight.x(cell, inputs)*x(data, 0, inputs) ]
    f["r.step1.o"] = make("r.step1.o", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise, temporary_1, f["x"])
    call(matrix_product, f["r.step1.o"], temporary_1, f["r.weight.x"].T, 1.0, nodes.weighting(("inputs",)))
    # r.step1.out(data, cell) = sigmoid(r.b_o(cell) + r.step1.o(data, cell))*tanh(r.step1(data, cell))
    f["r.step1.out"] = make("r.step1.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_2, f["r.step1.out"], f["r.step1"], f["r.step1.o"], f["r.b_o"])
    # cell.step2.past(data, cell) = cell.step1.out(data, cell)
    f["cell.step2.past"] = make("cell.step2.past", (n["data"], n["cell"]))
    call(pointwise_2, f["cell.step2.past"], f["cell.step1.out"])
    # cell.step2.f(data, cell) = Sum_{inputs}[ cell.weight.x.f(cell, inputs)*x(data, 1, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.f(cell, cell')*r.step1.out(data, cell') ]
    f["cell.step2.f"] = make("cell.step2.f", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_1, f["x"])
    call(matrix_product, f["cell.step2.f"], temporary_1, f["cell.weight.x.f"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step2.f"], f["r.step1.out"], f["cell.weight.r.f"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step2.i(data, cell) = Sum_{inputs}[ cell.weight.x.i(cell, inputs)*x(data, 1, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.i(cell, cell')*r.step1.out(data, cell') ]
    f["cell.step2.i"] = make("cell.step2.i", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_1, f["x"])
    call(matrix_product, f["cell.step2.i"], temporary_1, f["cell.weight.x.i"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step2.i"], f["r.step1.out"], f["cell.weight.r.i"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step2.g(data, cell) = Sum_{inputs}[ cell.weight.x.g(cell, inputs)*x(data, 1, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.g(cell, cell')*r.step1.out(data, cell') ]
    f["cell.step2.g"] = make("cell.step2.g", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_1, f["x"])
    call(matrix_product, f["cell.step2.g"], temporary_1, f["cell.weight.x.g"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step2.g"], f["r.step1.out"], f["cell.weight.r.g"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step2.out(data, cell) = cell.step2.past(data, cell)*sigmoid(cell.b_f(cell) + cell.step2.f(data,
    #     cell)) + sigmoid(cell.b_i(cell) + cell.step2.i(data, cell))*tanh(cell.b_g(cell) + cell.step2.g(data,
    #     cell))
    f["cell.step2.out"] = make("cell.step2.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh, f["cell.step2.out"], f["cell.step2.f"], f["cell.step2.g"], f["cell.step2.i"], f["cell.step2.past"], f["cell.b_f"], f["cell.b_g"], f["cell.b_i"])
    # r.step2(data, cell) = cell.step2.out(data, cell)
    f["r.step2"] = make("r.step2", (n["data"], n["cell"]))
    call(pointwise_2, f["r.step2"], f["cell.step2.out"])
    # r.step2.o(data, cell) = Sum_{inputs}[ r.weight.x(cell, inputs)*x(data, 1, inputs) ] + Mean_{cell'}[
    #     r.weight.r(cell, cell')*r.step1.out(data, cell') ]
    f["r.step2.o"] = make("r.step2.o", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_1, f["x"])
    call(matrix_product, f["r.step2.o"], temporary_1, f["r.weight.x"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["r.step2.o"], f["r.step1.out"], f["r.weight.r"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # r.step2.out(data, cell) = sigmoid(r.b_o(cell) + r.step2.o(data, cell))*tanh(r.step2(data, cell))
    f["r.step2.out"] = make("r.step2.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_2, f["r.step2.out"], f["r.step2"], f["r.step2.o"], f["r.b_o"])
    # cell.step3.past(data, cell) = cell.step2.out(data, cell)
    f["cell.step3.past"] = make("cell.step3.past", (n["data"], n["cell"]))
    call(pointwise_2, f["cell.step3.past"], f["cell.step2.out"])
    # cell.step3.f(data, cell) = Sum_{inputs}[ cell.weight.x.f(cell, inputs)*x(data, 2, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.f(cell, cell')*r.step2.out(data, cell') ]
    f["cell.step3.f"] = make("cell.step3.f", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_1, f["x"])
    call(matrix_product, f["cell.step3.f"], temporary_1, f["cell.weight.x.f"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step3.f"], f["r.step2.out"], f["cell.weight.r.f"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step3.i(data, cell) = Sum_{inputs}[ cell.weight.x.i(cell, inputs)*x(data, 2, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.i(cell, cell')*r.step2.out(data, cell') ]
    f["cell.step3.i"] = make("cell.step3.i", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_1, f["x"])
    call(matrix_product, f["cell.step3.i"], temporary_1, f["cell.weight.x.i"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step3.i"], f["r.step2.out"], f["cell.weight.r.i"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step3.g(data, cell) = Sum_{inputs}[ cell.weight.x.g(cell, inputs)*x(data, 2, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.g(cell, cell')*r.step2.out(data, cell') ]
    f["cell.step3.g"] = make("cell.step3.g", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_1, f["x"])
    call(matrix_product, f["cell.step3.g"], temporary_1, f["cell.weight.x.g"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step3.g"], f["r.step2.out"], f["cell.weight.r.g"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step3.out(data, cell) = cell.step3.past(data, cell)*sigmoid(cell.b_f(cell) + cell.step3.f(data,
    #     cell)) + sigmoid(cell.b_i(cell) + cell.step3.i(data, cell))*tanh(cell.b_g(cell) + cell.step3.g(data,
    #     cell))
    f["cell.step3.out"] = make("cell.step3.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh, f["cell.step3.out"], f["cell.step3.f"], f["cell.step3.g"], f["cell.step3.i"], f["cell.step3.past"], f["cell.b_f"], f["cell.b_g"], f["cell.b_i"])
    # r.step3(data, cell) = cell.step3.out(data, cell)
    f["r.step3"] = make("r.step3", (n["data"], n["cell"]))
    call(pointwise_2, f["r.step3"], f["cell.step3.out"])
    # r.step3.o(data, cell) = Sum_{inputs}[ r.weight.x(cell, inputs)*x(data, 2, inputs) ] + Mean_{cell'}[
    #     r.weight.r(cell, cell')*r.step2.out(data, cell') ]
    f["r.step3.o"] = make("r.step3.o", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_1, f["x"])
    call(matrix_product, f["r.step3.o"], temporary_1, f["r.weight.x"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["r.step3.o"], f["r.step2.out"], f["r.weight.r"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # r.step3.out(data, cell) = sigmoid(r.b_o(cell) + r.step3.o(data, cell))*tanh(r.step3(data, cell))
    f["r.step3.out"] = make("r.step3.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_2, f["r.step3.out"], f["r.step3"], f["r.step3.o"], f["r.b_o"])
    # cell.step4.past(data, cell) = cell.step3.out(data, cell)
    f["cell.step4.past"] = make("cell.step4.past", (n["data"], n["cell"]))
    call(pointwise_2, f["cell.step4.past"], f["cell.step3.out"])
    # cell.step4.f(data, cell) = Sum_{inputs}[ cell.weight.x.f(cell, inputs)*x(data, 3, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.f(cell, cell')*r.step3.out(data, cell') ]
    f["cell.step4.f"] = make("cell.step4.f", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, f["cell.step4.f"], temporary_1, f["cell.weight.x.f"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step4.f"], f["r.step3.out"], f["cell.weight.r.f"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step4.i(data, cell) = Sum_{inputs}[ cell.weight.x.i(cell, inputs)*x(data, 3, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.i(cell, cell')*r.step3.out(data, cell') ]
    f["cell.step4.i"] = make("cell.step4.i", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, f["cell.step4.i"], temporary_1, f["cell.weight.x.i"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step4.i"], f["r.step3.out"], f["cell.weight.r.i"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step4.g(data, cell) = Sum_{inputs}[ cell.weight.x.g(cell, inputs)*x(data, 3, inputs) ] +
    #     Mean_{cell'}[ cell.weight.r.g(cell, cell')*r.step3.out(data, cell') ]
    f["cell.step4.g"] = make("cell.step4.g", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, f["cell.step4.g"], temporary_1, f["cell.weight.x.g"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["cell.step4.g"], f["r.step3.out"], f["cell.weight.r.g"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # cell.step4.out(data, cell) = cell.step4.past(data, cell)*sigmoid(cell.b_f(cell) + cell.step4.f(data,
    #     cell)) + sigmoid(cell.b_i(cell) + cell.step4.i(data, cell))*tanh(cell.b_g(cell) + cell.step4.g(data,
    #     cell))
    f["cell.step4.out"] = make("cell.step4.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh, f["cell.step4.out"], f["cell.step4.f"], f["cell.step4.g"], f["cell.step4.i"], f["cell.step4.past"], f["cell.b_f"], f["cell.b_g"], f["cell.b_i"])
    # r.step4(data, cell) = cell.step4.out(data, cell)
    f["r.step4"] = make("r.step4", (n["data"], n["cell"]))
    call(pointwise_2, f["r.step4"], f["cell.step4.out"])
    # r.step4.o(data, cell) = Sum_{inputs}[ r.weight.x(cell, inputs)*x(data, 3, inputs) ] + Mean_{cell'}[
    #     r.weight.r(cell, cell')*r.step3.out(data, cell') ]
    f["r.step4.o"] = make("r.step4.o", (n["data"], n["cell"]))
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, f["r.step4.o"], temporary_1, f["r.weight.x"].T, 1.0, nodes.weighting(("inputs",)))
    call(matrix_product, f["r.step4.o"], f["r.step3.out"], f["r.weight.r"].T, 1.0, nodes.weighting(("cell",)), 1.0)
    # r.step4.out(data, cell) = sigmoid(r.b_o(cell) + r.step4.o(data, cell))*tanh(r.step4(data, cell))
    f["r.step4.out"] = make("r.step4.out", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_2, f["r.step4.out"], f["r.step4"], f["r.step4.o"], f["r.b_o"])
    # yhat(data, outputs) = Mean_{cell}[ r.step4.out(data, cell)*output.weight(outputs, cell) ] +
    #     output.bias(outputs)
    f["yhat"] = make("yhat", (n["data"], n["outputs"]))
    call(pointwise_6, f["yhat"], f["output.bias"])
    call(matrix_product, f["yhat"], f["r.step4.out"], f["output.weight"].T, 1.0, nodes.weighting(("cell",)), 1.0)


def compute_loss(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """The fields that compare the output with y."""
    n = nodes.size
    # loss(data) = Sum_{outputs}[ (yhat(data, outputs) - y(data, outputs))**2 ]
    f["loss"] = make("loss", (n["data"],))
    call(reduce, f["loss"], f["y"], f["yhat"])


def compute_backward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """D: derivatives of the loss of each sample."""
    n = nodes.size
    # adj yhat(data, outputs) = 2*yhat(data, outputs) - 2*y(data, outputs)
    f["adj yhat"] = make("adj yhat", (n["data"], n["outputs"]))
    call(pointwise_7, f["adj yhat"], f["y"], f["yhat"])
    # adj r.step4.out(data, cell) = Sum_{outputs}[ adj yhat(data, outputs)*output.weight(outputs, cell) ]
    f["adj r.step4.out"] = make("adj r.step4.out", (n["data"], n["cell"]))
    call(matrix_product, f["adj r.step4.out"], f["adj yhat"], f["output.weight"], 1.0, nodes.weighting(("outputs",)))
    # adj r.step4.o(data, cell) = adj r.step4.out(data, cell)*(1 - sigmoid(r.b_o(cell) + r.step4.o(data,
    #     cell)))*sigmoid(r.b_o(cell) + r.step4.o(data, cell))*tanh(r.step4(data, cell))
    f["adj r.step4.o"] = make("adj r.step4.o", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_3, f["adj r.step4.o"], f["r.step4"], f["r.step4.o"], f["adj r.step4.out"], f["r.b_o"])
    # adj r.step4(data, cell) = adj r.step4.out(data, cell)*(1 - tanh(r.step4(data,
    #     cell))**2)*sigmoid(r.b_o(cell) + r.step4.o(data, cell))
    f["adj r.step4"] = make("adj r.step4", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_4, f["adj r.step4"], f["r.step4"], f["r.step4.o"], f["adj r.step4.out"], f["r.b_o"])
    # adj cell.step4.out(data, cell) = adj r.step4(data, cell)
    f["adj cell.step4.out"] = make("adj cell.step4.out", (n["data"], n["cell"]))
    call(pointwise_2, f["adj cell.step4.out"], f["adj r.step4"])
    # adj cell.step4.g(data, cell) = adj cell.step4.out(data, cell)*(1 - tanh(cell.b_g(cell) +
    #     cell.step4.g(data, cell))**2)*sigmoid(cell.b_i(cell) + cell.step4.i(data, cell))
    f["adj cell.step4.g"] = make("adj cell.step4.g", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_5, f["adj cell.step4.g"], f["cell.step4.g"], f["cell.step4.i"], f["adj cell.step4.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step4.i(data, cell) = adj cell.step4.out(data, cell)*(1 - sigmoid(cell.b_i(cell) +
    #     cell.step4.i(data, cell)))*sigmoid(cell.b_i(cell) + cell.step4.i(data, cell))*tanh(cell.b_g(cell) +
    #     cell.step4.g(data, cell))
    f["adj cell.step4.i"] = make("adj cell.step4.i", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_6, f["adj cell.step4.i"], f["cell.step4.g"], f["cell.step4.i"], f["adj cell.step4.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step4.f(data, cell) = cell.step4.past(data, cell)*adj cell.step4.out(data, cell)*(1 -
    #     sigmoid(cell.b_f(cell) + cell.step4.f(data, cell)))*sigmoid(cell.b_f(cell) + cell.step4.f(data,
    #     cell))
    f["adj cell.step4.f"] = make("adj cell.step4.f", (n["data"], n["cell"]))
    call(pointwise_sigmoid, f["adj cell.step4.f"], f["cell.step4.f"], f["cell.step4.past"], f["adj cell.step4.out"], f["cell.b_f"])
    # adj cell.step4.past(data, cell) = adj cell.step4.out(data, cell)*sigmoid(cell.b_f(cell) +
    #     cell.step4.f(data, cell))
    f["adj cell.step4.past"] = make("adj cell.step4.past", (n["data"], n["cell"]))
    call(pointwise_sigmoid_2, f["adj cell.step4.past"], f["cell.step4.f"], f["adj cell.step4.out"], f["cell.b_f"])
    # adj r.step3.out(data, cell) = Mean_{cell'}[ r.weight.r(cell', cell)*adj r.step4.o(data, cell') ] +
    #     Mean_{cell'}[ cell.weight.r.g(cell', cell)*adj cell.step4.g(data, cell') ] + Mean_{cell'}[
    #     cell.weight.r.i(cell', cell)*adj cell.step4.i(data, cell') ] + Mean_{cell'}[ cell.weight.r.f(cell',
    #     cell)*adj cell.step4.f(data, cell') ]
    f["adj r.step3.out"] = make("adj r.step3.out", (n["data"], n["cell"]))
    call(matrix_product, f["adj r.step3.out"], f["adj r.step4.o"], f["r.weight.r"], 1.0, nodes.weighting(("cell",)))
    call(matrix_product, f["adj r.step3.out"], f["adj cell.step4.g"], f["cell.weight.r.g"], 1.0, nodes.weighting(("cell",)), 1.0)
    call(matrix_product, f["adj r.step3.out"], f["adj cell.step4.i"], f["cell.weight.r.i"], 1.0, nodes.weighting(("cell",)), 1.0)
    call(matrix_product, f["adj r.step3.out"], f["adj cell.step4.f"], f["cell.weight.r.f"], 1.0, nodes.weighting(("cell",)), 1.0)
    # adj r.step3.o(data, cell) = adj r.step3.out(data, cell)*(1 - sigmoid(r.b_o(cell) + r.step3.o(data,
    #     cell)))*sigmoid(r.b_o(cell) + r.step3.o(data, cell))*tanh(r.step3(data, cell))
    f["adj r.step3.o"] = make("adj r.step3.o", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_3, f["adj r.step3.o"], f["r.step3"], f["r.step3.o"], f["adj r.step3.out"], f["r.b_o"])
    # adj r.step3(data, cell) = adj r.step3.out(data, cell)*(1 - tanh(r.step3(data,
    #     cell))**2)*sigmoid(r.b_o(cell) + r.step3.o(data, cell))
    f["adj r.step3"] = make("adj r.step3", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_4, f["adj r.step3"], f["r.step3"], f["r.step3.o"], f["adj r.step3.out"], f["r.b_o"])
    # adj cell.step3.out(data, cell) = adj cell.step4.past(data, cell) + adj r.step3(data, cell)
    f["adj cell.step3.out"] = make("adj cell.step3.out", (n["data"], n["cell"]))
    call(pointwise_8, f["adj cell.step3.out"], f["adj cell.step4.past"], f["adj r.step3"])
    # adj cell.step3.g(data, cell) = adj cell.step3.out(data, cell)*(1 - tanh(cell.b_g(cell) +
    #     cell.step3.g(data, cell))**2)*sigmoid(cell.b_i(cell) + cell.step3.i(data, cell))
    f["adj cell.step3.g"] = make("adj cell.step3.g", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_5, f["adj cell.step3.g"], f["cell.step3.g"], f["cell.step3.i"], f["adj cell.step3.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step3.i(data, cell) = adj cell.step3.out(data, cell)*(1 - sigmoid(cell.b_i(cell) +
    #     cell.step3.i(data, cell)))*sigmoid(cell.b_i(cell) + cell.step3.i(data, cell))*tanh(cell.b_g(cell) +
    #     cell.step3.g(data, cell))
    f["adj cell.step3.i"] = make("adj cell.step3.i", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_6, f["adj cell.step3.i"], f["cell.step3.g"], f["cell.step3.i"], f["adj cell.step3.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step3.f(data, cell) = cell.step3.past(data, cell)*adj cell.step3.out(data, cell)*(1 -
    #     sigmoid(cell.b_f(cell) + cell.step3.f(data, cell)))*sigmoid(cell.b_f(cell) + cell.step3.f(data,
    #     cell))
    f["adj cell.step3.f"] = make("adj cell.step3.f", (n["data"], n["cell"]))
    call(pointwise_sigmoid, f["adj cell.step3.f"], f["cell.step3.f"], f["cell.step3.past"], f["adj cell.step3.out"], f["cell.b_f"])
    # adj cell.step3.past(data, cell) = adj cell.step3.out(data, cell)*sigmoid(cell.b_f(cell) +
    #     cell.step3.f(data, cell))
    f["adj cell.step3.past"] = make("adj cell.step3.past", (n["data"], n["cell"]))
    call(pointwise_sigmoid_2, f["adj cell.step3.past"], f["cell.step3.f"], f["adj cell.step3.out"], f["cell.b_f"])
    # adj r.step2.out(data, cell) = Mean_{cell'}[ r.weight.r(cell', cell)*adj r.step3.o(data, cell') ] +
    #     Mean_{cell'}[ cell.weight.r.g(cell', cell)*adj cell.step3.g(data, cell') ] + Mean_{cell'}[
    #     cell.weight.r.i(cell', cell)*adj cell.step3.i(data, cell') ] + Mean_{cell'}[ cell.weight.r.f(cell',
    #     cell)*adj cell.step3.f(data, cell') ]
    f["adj r.step2.out"] = make("adj r.step2.out", (n["data"], n["cell"]))
    call(matrix_product, f["adj r.step2.out"], f["adj r.step3.o"], f["r.weight.r"], 1.0, nodes.weighting(("cell",)))
    call(matrix_product, f["adj r.step2.out"], f["adj cell.step3.g"], f["cell.weight.r.g"], 1.0, nodes.weighting(("cell",)), 1.0)
    call(matrix_product, f["adj r.step2.out"], f["adj cell.step3.i"], f["cell.weight.r.i"], 1.0, nodes.weighting(("cell",)), 1.0)
    call(matrix_product, f["adj r.step2.out"], f["adj cell.step3.f"], f["cell.weight.r.f"], 1.0, nodes.weighting(("cell",)), 1.0)
    # adj r.step2.o(data, cell) = adj r.step2.out(data, cell)*(1 - sigmoid(r.b_o(cell) + r.step2.o(data,
    #     cell)))*sigmoid(r.b_o(cell) + r.step2.o(data, cell))*tanh(r.step2(data, cell))
    f["adj r.step2.o"] = make("adj r.step2.o", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_3, f["adj r.step2.o"], f["r.step2"], f["r.step2.o"], f["adj r.step2.out"], f["r.b_o"])
    # adj r.step2(data, cell) = adj r.step2.out(data, cell)*(1 - tanh(r.step2(data,
    #     cell))**2)*sigmoid(r.b_o(cell) + r.step2.o(data, cell))
    f["adj r.step2"] = make("adj r.step2", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_4, f["adj r.step2"], f["r.step2"], f["r.step2.o"], f["adj r.step2.out"], f["r.b_o"])
    # adj cell.step2.out(data, cell) = adj cell.step3.past(data, cell) + adj r.step2(data, cell)
    f["adj cell.step2.out"] = make("adj cell.step2.out", (n["data"], n["cell"]))
    call(pointwise_8, f["adj cell.step2.out"], f["adj cell.step3.past"], f["adj r.step2"])
    # adj cell.step2.g(data, cell) = adj cell.step2.out(data, cell)*(1 - tanh(cell.b_g(cell) +
    #     cell.step2.g(data, cell))**2)*sigmoid(cell.b_i(cell) + cell.step2.i(data, cell))
    f["adj cell.step2.g"] = make("adj cell.step2.g", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_5, f["adj cell.step2.g"], f["cell.step2.g"], f["cell.step2.i"], f["adj cell.step2.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step2.i(data, cell) = adj cell.step2.out(data, cell)*(1 - sigmoid(cell.b_i(cell) +
    #     cell.step2.i(data, cell)))*sigmoid(cell.b_i(cell) + cell.step2.i(data, cell))*tanh(cell.b_g(cell) +
    #     cell.step2.g(data, cell))
    f["adj cell.step2.i"] = make("adj cell.step2.i", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_6, f["adj cell.step2.i"], f["cell.step2.g"], f["cell.step2.i"], f["adj cell.step2.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step2.f(data, cell) = cell.step2.past(data, cell)*adj cell.step2.out(data, cell)*(1 -
    #     sigmoid(cell.b_f(cell) + cell.step2.f(data, cell)))*sigmoid(cell.b_f(cell) + cell.step2.f(data,
    #     cell))
    f["adj cell.step2.f"] = make("adj cell.step2.f", (n["data"], n["cell"]))
    call(pointwise_sigmoid, f["adj cell.step2.f"], f["cell.step2.f"], f["cell.step2.past"], f["adj cell.step2.out"], f["cell.b_f"])
    # adj cell.step2.past(data, cell) = adj cell.step2.out(data, cell)*sigmoid(cell.b_f(cell) +
    #     cell.step2.f(data, cell))
    f["adj cell.step2.past"] = make("adj cell.step2.past", (n["data"], n["cell"]))
    call(pointwise_sigmoid_2, f["adj cell.step2.past"], f["cell.step2.f"], f["adj cell.step2.out"], f["cell.b_f"])
    # adj r.step1.out(data, cell) = Mean_{cell'}[ r.weight.r(cell', cell)*adj r.step2.o(data, cell') ] +
    #     Mean_{cell'}[ cell.weight.r.g(cell', cell)*adj cell.step2.g(data, cell') ] + Mean_{cell'}[
    #     cell.weight.r.i(cell', cell)*adj cell.step2.i(data, cell') ] + Mean_{cell'}[ cell.weight.r.f(cell',
    #     cell)*adj cell.step2.f(data, cell') ]
    f["adj r.step1.out"] = make("adj r.step1.out", (n["data"], n["cell"]))
    call(matrix_product, f["adj r.step1.out"], f["adj r.step2.o"], f["r.weight.r"], 1.0, nodes.weighting(("cell",)))
    call(matrix_product, f["adj r.step1.out"], f["adj cell.step2.g"], f["cell.weight.r.g"], 1.0, nodes.weighting(("cell",)), 1.0)
    call(matrix_product, f["adj r.step1.out"], f["adj cell.step2.i"], f["cell.weight.r.i"], 1.0, nodes.weighting(("cell",)), 1.0)
    call(matrix_product, f["adj r.step1.out"], f["adj cell.step2.f"], f["cell.weight.r.f"], 1.0, nodes.weighting(("cell",)), 1.0)
    # adj r.step1.o(data, cell) = adj r.step1.out(data, cell)*(1 - sigmoid(r.b_o(cell) + r.step1.o(data,
    #     cell)))*sigmoid(r.b_o(cell) + r.step1.o(data, cell))*tanh(r.step1(data, cell))
    f["adj r.step1.o"] = make("adj r.step1.o", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_3, f["adj r.step1.o"], f["r.step1"], f["r.step1.o"], f["adj r.step1.out"], f["r.b_o"])
    # adj r.step1(data, cell) = adj r.step1.out(data, cell)*(1 - tanh(r.step1(data,
    #     cell))**2)*sigmoid(r.b_o(cell) + r.step1.o(data, cell))
    f["adj r.step1"] = make("adj r.step1", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_4, f["adj r.step1"], f["r.step1"], f["r.step1.o"], f["adj r.step1.out"], f["r.b_o"])
    # adj cell.step1.out(data, cell) = adj cell.step2.past(data, cell) + adj r.step1(data, cell)
    f["adj cell.step1.out"] = make("adj cell.step1.out", (n["data"], n["cell"]))
    call(pointwise_8, f["adj cell.step1.out"], f["adj cell.step2.past"], f["adj r.step1"])
    # adj cell.step1.g(data, cell) = adj cell.step1.out(data, cell)*(1 - tanh(cell.b_g(cell) +
    #     cell.step1.g(data, cell))**2)*sigmoid(cell.b_i(cell) + cell.step1.i(data, cell))
    f["adj cell.step1.g"] = make("adj cell.step1.g", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_5, f["adj cell.step1.g"], f["cell.step1.g"], f["cell.step1.i"], f["adj cell.step1.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step1.i(data, cell) = adj cell.step1.out(data, cell)*(1 - sigmoid(cell.b_i(cell) +
    #     cell.step1.i(data, cell)))*sigmoid(cell.b_i(cell) + cell.step1.i(data, cell))*tanh(cell.b_g(cell) +
    #     cell.step1.g(data, cell))
    f["adj cell.step1.i"] = make("adj cell.step1.i", (n["data"], n["cell"]))
    call(pointwise_sigmoid_tanh_6, f["adj cell.step1.i"], f["cell.step1.g"], f["cell.step1.i"], f["adj cell.step1.out"], f["cell.b_g"], f["cell.b_i"])
    # adj cell.step1.f(data, cell) = cell.step1.past(data, cell)*adj cell.step1.out(data, cell)*(1 -
    #     sigmoid(cell.b_f(cell) + cell.step1.f(data, cell)))*sigmoid(cell.b_f(cell) + cell.step1.f(data,
    #     cell))
    f["adj cell.step1.f"] = make("adj cell.step1.f", (n["data"], n["cell"]))
    call(pointwise_sigmoid, f["adj cell.step1.f"], f["cell.step1.f"], f["cell.step1.past"], f["adj cell.step1.out"], f["cell.b_f"])


def evolve(f: Fields, nodes: Nodes, make: Maker, call: Caller, out: Fields, scale: Mapping[str, float], keep: Mapping[str, float]) -> None:
    """out = keep * out + scale * G for every trained parameter."""
    n, p = nodes.size, nodes.weights
    speeds = {}
    # d cell.b_f(cell) = Mean_{data}[ -adj cell.step4.f(data, cell) ] + Mean_{data}[ -adj cell.step3.f(data,
    #     cell) ] + Mean_{data}[ -adj cell.step2.f(data, cell) ] + Mean_{data}[ -adj cell.step1.f(data, cell)
    #     ]
    speed = speeds["cell.b_f"] = make("speed cell.b_f", (n["cell"],))
    call(speed.fill, 0.0)
    call(reduce_2, speed, f["adj cell.step4.f"], p["data"])
    call(reduce_3, speed, f["adj cell.step3.f"], p["data"])
    call(reduce_3, speed, f["adj cell.step2.f"], p["data"])
    call(reduce_3, speed, f["adj cell.step1.f"], p["data"])
    # d cell.b_i(cell) = Mean_{data}[ -adj cell.step4.i(data, cell) ] + Mean_{data}[ -adj cell.step3.i(data,
    #     cell) ] + Mean_{data}[ -adj cell.step2.i(data, cell) ] + Mean_{data}[ -adj cell.step1.i(data, cell)
    #     ]
    speed = speeds["cell.b_i"] = make("speed cell.b_i", (n["cell"],))
    call(speed.fill, 0.0)
    call(reduce_2, speed, f["adj cell.step4.i"], p["data"])
    call(reduce_3, speed, f["adj cell.step3.i"], p["data"])
    call(reduce_3, speed, f["adj cell.step2.i"], p["data"])
    call(reduce_3, speed, f["adj cell.step1.i"], p["data"])
    # d cell.b_g(cell) = Mean_{data}[ -adj cell.step4.g(data, cell) ] + Mean_{data}[ -adj cell.step3.g(data,
    #     cell) ] + Mean_{data}[ -adj cell.step2.g(data, cell) ] + Mean_{data}[ -adj cell.step1.g(data, cell)
    #     ]
    speed = speeds["cell.b_g"] = make("speed cell.b_g", (n["cell"],))
    call(speed.fill, 0.0)
    call(reduce_2, speed, f["adj cell.step4.g"], p["data"])
    call(reduce_3, speed, f["adj cell.step3.g"], p["data"])
    call(reduce_3, speed, f["adj cell.step2.g"], p["data"])
    call(reduce_3, speed, f["adj cell.step1.g"], p["data"])
    # d r.b_o(cell) = Mean_{data}[ -adj r.step4.o(data, cell) ] + Mean_{data}[ -adj r.step3.o(data, cell) ] +
    #     Mean_{data}[ -adj r.step2.o(data, cell) ] + Mean_{data}[ -adj r.step1.o(data, cell) ]
    speed = speeds["r.b_o"] = make("speed r.b_o", (n["cell"],))
    call(speed.fill, 0.0)
    call(reduce_2, speed, f["adj r.step4.o"], p["data"])
    call(reduce_3, speed, f["adj r.step3.o"], p["data"])
    call(reduce_3, speed, f["adj r.step2.o"], p["data"])
    call(reduce_3, speed, f["adj r.step1.o"], p["data"])
    # d output.bias(outputs) = Mean_{data}[ -adj yhat(data, outputs) ]
    speed = speeds["output.bias"] = make("speed output.bias", (n["outputs"],))
    call(speed.fill, 0.0)
    call(reduce_2, speed, f["adj yhat"], p["data"])
    # d cell.weight.x.f(cell, inputs) = Mean_{data}[ -x(data, 3, inputs)*adj cell.step4.f(data, cell) ] +
    #     Mean_{data}[ -x(data, 2, inputs)*adj cell.step3.f(data, cell) ] + Mean_{data}[ -x(data, 1,
    #     inputs)*adj cell.step2.f(data, cell) ] + Mean_{data}[ -x(data, 0, inputs)*adj cell.step1.f(data,
    #     cell) ]
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, out["cell.weight.x.f"], f["adj cell.step4.f"].T, temporary_1, lambda: -scale["cell.weight.x.f"], nodes.weighting(("data",)), lambda: keep["cell.weight.x.f"])
    temporary_3 = make("temporary 3", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_3, f["x"])
    call(matrix_product, out["cell.weight.x.f"], f["adj cell.step3.f"].T, temporary_3, lambda: -scale["cell.weight.x.f"], nodes.weighting(("data",)), 1.0)
    temporary_5 = make("temporary 5", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_5, f["x"])
    call(matrix_product, out["cell.weight.x.f"], f["adj cell.step2.f"].T, temporary_5, lambda: -scale["cell.weight.x.f"], nodes.weighting(("data",)), 1.0)
    temporary_7 = make("temporary 7", (n["data"], n["inputs"]))
    call(pointwise, temporary_7, f["x"])
    call(matrix_product, out["cell.weight.x.f"], f["adj cell.step1.f"].T, temporary_7, lambda: -scale["cell.weight.x.f"], nodes.weighting(("data",)), 1.0)
    # d cell.weight.r.f(cell, cell') = Mean_{data}[ -adj cell.step4.f(data, cell)*r.step3.out(data, cell') ] +
    #     Mean_{data}[ -adj cell.step3.f(data, cell)*r.step2.out(data, cell') ] + Mean_{data}[ -adj
    #     cell.step2.f(data, cell)*r.step1.out(data, cell') ]
    call(matrix_product, out["cell.weight.r.f"], f["adj cell.step4.f"].T, f["r.step3.out"], lambda: -scale["cell.weight.r.f"], nodes.weighting(("data",)), lambda: keep["cell.weight.r.f"])
    call(matrix_product, out["cell.weight.r.f"], f["adj cell.step3.f"].T, f["r.step2.out"], lambda: -scale["cell.weight.r.f"], nodes.weighting(("data",)), 1.0)
    call(matrix_product, out["cell.weight.r.f"], f["adj cell.step2.f"].T, f["r.step1.out"], lambda: -scale["cell.weight.r.f"], nodes.weighting(("data",)), 1.0)
    # d cell.weight.x.i(cell, inputs) = Mean_{data}[ -x(data, 3, inputs)*adj cell.step4.i(data, cell) ] +
    #     Mean_{data}[ -x(data, 2, inputs)*adj cell.step3.i(data, cell) ] + Mean_{data}[ -x(data, 1,
    #     inputs)*adj cell.step2.i(data, cell) ] + Mean_{data}[ -x(data, 0, inputs)*adj cell.step1.i(data,
    #     cell) ]
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, out["cell.weight.x.i"], f["adj cell.step4.i"].T, temporary_1, lambda: -scale["cell.weight.x.i"], nodes.weighting(("data",)), lambda: keep["cell.weight.x.i"])
    temporary_3 = make("temporary 3", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_3, f["x"])
    call(matrix_product, out["cell.weight.x.i"], f["adj cell.step3.i"].T, temporary_3, lambda: -scale["cell.weight.x.i"], nodes.weighting(("data",)), 1.0)
    temporary_5 = make("temporary 5", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_5, f["x"])
    call(matrix_product, out["cell.weight.x.i"], f["adj cell.step2.i"].T, temporary_5, lambda: -scale["cell.weight.x.i"], nodes.weighting(("data",)), 1.0)
    temporary_7 = make("temporary 7", (n["data"], n["inputs"]))
    call(pointwise, temporary_7, f["x"])
    call(matrix_product, out["cell.weight.x.i"], f["adj cell.step1.i"].T, temporary_7, lambda: -scale["cell.weight.x.i"], nodes.weighting(("data",)), 1.0)
    # d cell.weight.r.i(cell, cell') = Mean_{data}[ -adj cell.step4.i(data, cell)*r.step3.out(data, cell') ] +
    #     Mean_{data}[ -adj cell.step3.i(data, cell)*r.step2.out(data, cell') ] + Mean_{data}[ -adj
    #     cell.step2.i(data, cell)*r.step1.out(data, cell') ]
    call(matrix_product, out["cell.weight.r.i"], f["adj cell.step4.i"].T, f["r.step3.out"], lambda: -scale["cell.weight.r.i"], nodes.weighting(("data",)), lambda: keep["cell.weight.r.i"])
    call(matrix_product, out["cell.weight.r.i"], f["adj cell.step3.i"].T, f["r.step2.out"], lambda: -scale["cell.weight.r.i"], nodes.weighting(("data",)), 1.0)
    call(matrix_product, out["cell.weight.r.i"], f["adj cell.step2.i"].T, f["r.step1.out"], lambda: -scale["cell.weight.r.i"], nodes.weighting(("data",)), 1.0)
    # d cell.weight.x.g(cell, inputs) = Mean_{data}[ -x(data, 3, inputs)*adj cell.step4.g(data, cell) ] +
    #     Mean_{data}[ -x(data, 2, inputs)*adj cell.step3.g(data, cell) ] + Mean_{data}[ -x(data, 1,
    #     inputs)*adj cell.step2.g(data, cell) ] + Mean_{data}[ -x(data, 0, inputs)*adj cell.step1.g(data,
    #     cell) ]
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, out["cell.weight.x.g"], f["adj cell.step4.g"].T, temporary_1, lambda: -scale["cell.weight.x.g"], nodes.weighting(("data",)), lambda: keep["cell.weight.x.g"])
    temporary_3 = make("temporary 3", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_3, f["x"])
    call(matrix_product, out["cell.weight.x.g"], f["adj cell.step3.g"].T, temporary_3, lambda: -scale["cell.weight.x.g"], nodes.weighting(("data",)), 1.0)
    temporary_5 = make("temporary 5", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_5, f["x"])
    call(matrix_product, out["cell.weight.x.g"], f["adj cell.step2.g"].T, temporary_5, lambda: -scale["cell.weight.x.g"], nodes.weighting(("data",)), 1.0)
    temporary_7 = make("temporary 7", (n["data"], n["inputs"]))
    call(pointwise, temporary_7, f["x"])
    call(matrix_product, out["cell.weight.x.g"], f["adj cell.step1.g"].T, temporary_7, lambda: -scale["cell.weight.x.g"], nodes.weighting(("data",)), 1.0)
    # d cell.weight.r.g(cell, cell') = Mean_{data}[ -adj cell.step4.g(data, cell)*r.step3.out(data, cell') ] +
    #     Mean_{data}[ -adj cell.step3.g(data, cell)*r.step2.out(data, cell') ] + Mean_{data}[ -adj
    #     cell.step2.g(data, cell)*r.step1.out(data, cell') ]
    call(matrix_product, out["cell.weight.r.g"], f["adj cell.step4.g"].T, f["r.step3.out"], lambda: -scale["cell.weight.r.g"], nodes.weighting(("data",)), lambda: keep["cell.weight.r.g"])
    call(matrix_product, out["cell.weight.r.g"], f["adj cell.step3.g"].T, f["r.step2.out"], lambda: -scale["cell.weight.r.g"], nodes.weighting(("data",)), 1.0)
    call(matrix_product, out["cell.weight.r.g"], f["adj cell.step2.g"].T, f["r.step1.out"], lambda: -scale["cell.weight.r.g"], nodes.weighting(("data",)), 1.0)
    # d r.weight.x(cell, inputs) = Mean_{data}[ -x(data, 3, inputs)*adj r.step4.o(data, cell) ] + Mean_{data}[
    #     -x(data, 2, inputs)*adj r.step3.o(data, cell) ] + Mean_{data}[ -x(data, 1, inputs)*adj
    #     r.step2.o(data, cell) ] + Mean_{data}[ -x(data, 0, inputs)*adj r.step1.o(data, cell) ]
    temporary_1 = make("temporary 1", (n["data"], n["inputs"]))
    call(pointwise_5, temporary_1, f["x"])
    call(matrix_product, out["r.weight.x"], f["adj r.step4.o"].T, temporary_1, lambda: -scale["r.weight.x"], nodes.weighting(("data",)), lambda: keep["r.weight.x"])
    temporary_3 = make("temporary 3", (n["data"], n["inputs"]))
    call(pointwise_4, temporary_3, f["x"])
    call(matrix_product, out["r.weight.x"], f["adj r.step3.o"].T, temporary_3, lambda: -scale["r.weight.x"], nodes.weighting(("data",)), 1.0)
    temporary_5 = make("temporary 5", (n["data"], n["inputs"]))
    call(pointwise_3, temporary_5, f["x"])
    call(matrix_product, out["r.weight.x"], f["adj r.step2.o"].T, temporary_5, lambda: -scale["r.weight.x"], nodes.weighting(("data",)), 1.0)
    temporary_7 = make("temporary 7", (n["data"], n["inputs"]))
    call(pointwise, temporary_7, f["x"])
    call(matrix_product, out["r.weight.x"], f["adj r.step1.o"].T, temporary_7, lambda: -scale["r.weight.x"], nodes.weighting(("data",)), 1.0)
    # d r.weight.r(cell, cell') = Mean_{data}[ -adj r.step4.o(data, cell)*r.step3.out(data, cell') ] +
    #     Mean_{data}[ -adj r.step3.o(data, cell)*r.step2.out(data, cell') ] + Mean_{data}[ -adj
    #     r.step2.o(data, cell)*r.step1.out(data, cell') ]
    call(matrix_product, out["r.weight.r"], f["adj r.step4.o"].T, f["r.step3.out"], lambda: -scale["r.weight.r"], nodes.weighting(("data",)), lambda: keep["r.weight.r"])
    call(matrix_product, out["r.weight.r"], f["adj r.step3.o"].T, f["r.step2.out"], lambda: -scale["r.weight.r"], nodes.weighting(("data",)), 1.0)
    call(matrix_product, out["r.weight.r"], f["adj r.step2.o"].T, f["r.step1.out"], lambda: -scale["r.weight.r"], nodes.weighting(("data",)), 1.0)
    # d output.weight(outputs, cell) = Mean_{data}[ -r.step4.out(data, cell)*adj yhat(data, outputs) ]
    call(matrix_product, out["output.weight"], f["adj yhat"].T, f["r.step4.out"], lambda: -scale["output.weight"], nodes.weighting(("data",)), lambda: keep["output.weight"])
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
        "cell.b_f": 1.0,
        "cell.b_i": 1.0,
        "cell.b_g": 1.0,
        "cell.weight.x.f": 1.0,
        "cell.weight.r.f": 1.0,
        "cell.weight.x.i": 1.0,
        "cell.weight.r.i": 1.0,
        "cell.weight.x.g": 1.0,
        "cell.weight.r.g": 1.0,
        "r.b_o": 1.0,
        "r.weight.x": 1.0,
        "r.weight.r": 1.0,
        "output.bias": 1.0,
        "output.weight": 1.0,
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
    # cell.b_f: normal(1, 0.3)
    values["cell.b_f"] = draw_normal(generator("cell.b_f", seed), (n["cell"],), 0, 1.0, 0.3)
    # cell.b_i: normal(0, 0.3)
    values["cell.b_i"] = draw_normal(generator("cell.b_i", seed), (n["cell"],), 0, 0.0, 0.3)
    # cell.b_g: normal(0, 0.3)
    values["cell.b_g"] = draw_normal(generator("cell.b_g", seed), (n["cell"],), 0, 0.0, 0.3)
    # cell.weight.x.f: normal(0, 1)
    values["cell.weight.x.f"] = draw_normal(generator("cell.weight.x.f", seed), (n["cell"], n["inputs"],), 0, 0.0, 1.0)
    # cell.weight.r.f: normal(0.5, 0.5)
    values["cell.weight.r.f"] = (draw_normal(generator("cell.weight.r.f", seed), (n["cell"], n["cell"],), 0, 0.5, 0.5) if drawn else draw_constant(generator("cell.weight.r.f", seed), (n["cell"], n["cell"],), 0, 0.5))
    # cell.weight.x.i: normal(0, 1)
    values["cell.weight.x.i"] = draw_normal(generator("cell.weight.x.i", seed), (n["cell"], n["inputs"],), 0, 0.0, 1.0)
    # cell.weight.r.i: normal(0.5, 0.5)
    values["cell.weight.r.i"] = (draw_normal(generator("cell.weight.r.i", seed), (n["cell"], n["cell"],), 0, 0.5, 0.5) if drawn else draw_constant(generator("cell.weight.r.i", seed), (n["cell"], n["cell"],), 0, 0.5))
    # cell.weight.x.g: normal(0, 1)
    values["cell.weight.x.g"] = draw_normal(generator("cell.weight.x.g", seed), (n["cell"], n["inputs"],), 0, 0.0, 1.0)
    # cell.weight.r.g: normal(1, 0.5)
    values["cell.weight.r.g"] = (draw_normal(generator("cell.weight.r.g", seed), (n["cell"], n["cell"],), 0, 1.0, 0.5) if drawn else draw_constant(generator("cell.weight.r.g", seed), (n["cell"], n["cell"],), 0, 1.0))
    # r.b_o: normal(0, 0.3)
    values["r.b_o"] = draw_normal(generator("r.b_o", seed), (n["cell"],), 0, 0.0, 0.3)
    # r.weight.x: normal(0, 1)
    values["r.weight.x"] = draw_normal(generator("r.weight.x", seed), (n["cell"], n["inputs"],), 0, 0.0, 1.0)
    # r.weight.r: normal(0.5, 0.5)
    values["r.weight.r"] = (draw_normal(generator("r.weight.r", seed), (n["cell"], n["cell"],), 0, 0.5, 0.5) if drawn else draw_constant(generator("r.weight.r", seed), (n["cell"], n["cell"],), 0, 0.5))
    # output.bias: 0
    values["output.bias"] = draw_constant(generator("output.bias", seed), (n["outputs"],), 0, 0.0)
    # output.weight: normal(0.5, 1)
    values["output.weight"] = draw_normal(generator("output.weight", seed), (n["outputs"], n["cell"],), 1, 0.5, 1.0)
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
