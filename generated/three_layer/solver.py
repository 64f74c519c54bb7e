"""Three-layer network

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


TITLE = "Three-layer network"
DIGEST = "108591996a8dc630310f00c212641362bf82e954a19102a1f0e39115b58898fa"
# Axes of every array of a state.
PARAMETERS = {
    "h1.weight": ("h1", "inputs"),
    "h2.weight": ("h2", "h1"),
    "output.weight": ("outputs", "h2"),
}
FROZEN = ()
# What a learning rule remembers of parameters.
MEMORIES = ()
POPULATIONS = ("h1", "h2")
# Axes whose nodes have weights in state["p"], and their relative widths.
MEASURES = {
    "h1": 1.0,
    "h2": 1.0,
}
# Sizes of the finite axes.
SIZES = {
    "inputs": 10,
    "outputs": 1,
}
# Axes of every field.
FIELDS = {
    "x": ("data", "inputs"),
    "y": ("data", "outputs"),
    "h1.weight": ("h1", "inputs"),
    "h1": ("data", "h1"),
    "h1.out": ("data", "h1"),
    "h2.weight": ("h2", "h1"),
    "h2": ("data", "h2"),
    "h2.out": ("data", "h2"),
    "output.weight": ("outputs", "h2"),
    "yhat": ("data", "outputs"),
    "loss": ("data",),
    "adj yhat": ("data", "outputs"),
    "adj h2.out": ("data", "h2"),
    "adj h2": ("data", "h2"),
    "adj h1.out": ("data", "h1"),
    "adj h1": ("data", "h1"),
}
# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.
TEMPORARIES = []
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
def log1p_unit(u: Real) -> Real:
    """log(1 + u) for 0 <= u <= 1: the series of 2 artanh(z) for z = u / (2 + u) <= 1/3, rest below 1e-18."""
    z = u / (2.0 + u)
    q = z * z
    p = 1 / 35
    p = p * q + 1 / 33
    p = p * q + 1 / 31
    p = p * q + 1 / 29
    p = p * q + 1 / 27
    p = p * q + 1 / 25
    p = p * q + 1 / 23
    p = p * q + 1 / 21
    p = p * q + 1 / 19
    p = p * q + 1 / 17
    p = p * q + 1 / 15
    p = p * q + 1 / 13
    p = p * q + 1 / 11
    p = p * q + 1 / 9
    p = p * q + 1 / 7
    p = p * q + 1 / 5
    p = p * q + 1 / 3
    return 2.0 * (z * q * p + z)


@compiled_in_order
def sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)) without overflow."""
    small = exp(-abs(np.float64(x)))
    return type(x)((1.0 if x >= 0 else small) / (1.0 + small))


@compiled_in_order
def softplus(x: Real) -> Real:
    """log(1 + exp(x)) without overflow."""
    rest = log1p_unit(exp(-abs(np.float64(x))))
    return type(x)(max(np.float64(x), 0.0) + rest)


@compiled
def pointwise_softplus(out, a):
    """out(i, j) = softplus(a(i, j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            v1 = softplus(a_ij)
            out[i, j] = v1


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
def pointwise(out, a, b):
    """out(i, j) = 2*b(i, j) - 2*a(i, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            out[i, j] = -(real(2.0) * a_ij) + (real(2.0) * b_ij)


@compiled
def pointwise_sigmoid(out, a, b):
    """out(i, j) = b(i, j)*sigmoid(a(i, j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            b_ij = b[i, j]
            a_ij = a[i, j]
            v1 = sigmoid(a_ij)
            out[i, j] = b_ij * v1


# -------------------------------- Equations


def compute_forward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """Every forward field that needs no y."""
    n = nodes.size
    # h1(data, h1) = Sum_{inputs}[ x(data, inputs)*h1.weight(h1, inputs) ]
    f["h1"] = make("h1", (n["data"], n["h1"]))
    call(matrix_product, f["h1"], f["x"], f["h1.weight"].T, 1.0, nodes.weighting(("inputs",)))
    # h1.out(data, h1) = softplus(h1(data, h1))
    f["h1.out"] = make("h1.out", (n["data"], n["h1"]))
    call(pointwise_softplus, f["h1.out"], f["h1"])
    # h2(data, h2) = Mean_{h1}[ h1.out(data, h1)*h2.weight(h2, h1) ]
    f["h2"] = make("h2", (n["data"], n["h2"]))
    call(matrix_product, f["h2"], f["h1.out"], f["h2.weight"].T, 1.0, nodes.weighting(("h1",)))
    # h2.out(data, h2) = softplus(h2(data, h2))
    f["h2.out"] = make("h2.out", (n["data"], n["h2"]))
    call(pointwise_softplus, f["h2.out"], f["h2"])
    # yhat(data, outputs) = Mean_{h2}[ h2.out(data, h2)*output.weight(outputs, h2) ]
    f["yhat"] = make("yhat", (n["data"], n["outputs"]))
    call(matrix_product, f["yhat"], f["h2.out"], f["output.weight"].T, 1.0, nodes.weighting(("h2",)))


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
    call(pointwise, f["adj yhat"], f["y"], f["yhat"])
    # adj h2.out(data, h2) = Sum_{outputs}[ adj yhat(data, outputs)*output.weight(outputs, h2) ]
    f["adj h2.out"] = make("adj h2.out", (n["data"], n["h2"]))
    call(matrix_product, f["adj h2.out"], f["adj yhat"], f["output.weight"], 1.0, nodes.weighting(("outputs",)))
    # adj h2(data, h2) = adj h2.out(data, h2)*sigmoid(h2(data, h2))
    f["adj h2"] = make("adj h2", (n["data"], n["h2"]))
    call(pointwise_sigmoid, f["adj h2"], f["h2"], f["adj h2.out"])
    # adj h1.out(data, h1) = Mean_{h2}[ adj h2(data, h2)*h2.weight(h2, h1) ]
    f["adj h1.out"] = make("adj h1.out", (n["data"], n["h1"]))
    call(matrix_product, f["adj h1.out"], f["adj h2"], f["h2.weight"], 1.0, nodes.weighting(("h2",)))
    # adj h1(data, h1) = adj h1.out(data, h1)*sigmoid(h1(data, h1))
    f["adj h1"] = make("adj h1", (n["data"], n["h1"]))
    call(pointwise_sigmoid, f["adj h1"], f["h1"], f["adj h1.out"])


def evolve(f: Fields, nodes: Nodes, make: Maker, call: Caller, out: Fields, scale: Mapping[str, float], keep: Mapping[str, float]) -> None:
    """out = keep * out + scale * G for every trained parameter."""
    p = nodes.weights
    speeds = {}
    # d h1.weight(h1, inputs) = Mean_{data}[ -adj h1(data, h1)*x(data, inputs) ]
    call(matrix_product, out["h1.weight"], f["adj h1"].T, f["x"], lambda: -scale["h1.weight"], nodes.weighting(("data",)), lambda: keep["h1.weight"])
    # d h2.weight(h2, h1) = Mean_{data}[ -h1.out(data, h1)*adj h2(data, h2) ]
    call(matrix_product, out["h2.weight"], f["adj h2"].T, f["h1.out"], lambda: -scale["h2.weight"], nodes.weighting(("data",)), lambda: keep["h2.weight"])
    # d output.weight(outputs, h2) = Mean_{data}[ -h2.out(data, h2)*adj yhat(data, outputs) ]
    call(matrix_product, out["output.weight"], f["adj yhat"].T, f["h2.out"], lambda: -scale["output.weight"], nodes.weighting(("data",)), lambda: keep["output.weight"])
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
        "h1.weight": 1.0,
        "h2.weight": 1.0,
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
    # h1.weight: normal(0, sqrt(4/10))
    values["h1.weight"] = draw_normal(generator("h1.weight", seed), (n["h1"], n["inputs"],), 0, 0.0, 0.6324555320336759)
    # h2.weight: normal(1, 0.5)
    values["h2.weight"] = (draw_normal(generator("h2.weight", seed), (n["h2"], n["h1"],), 0, 1.0, 0.5) if drawn else draw_constant(generator("h2.weight", seed), (n["h2"], n["h1"],), 0, 1.0))
    # output.weight: normal(1, 0.5)
    values["output.weight"] = draw_normal(generator("output.weight", seed), (n["outputs"], n["h2"],), 1, 1.0, 0.5)
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
