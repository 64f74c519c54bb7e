"""Small convolutional network

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


TITLE = "Small convolutional network"
DIGEST = "817ff2e12d11c55a2f710bb65d799134936a53bd433ced4571ff40970959ba6f"
# Axes of every array of a state.
PARAMETERS = {
    "c1.bias": ("c1",),
    "c1.weight": ("c1", "channels", "c1.taps"),
    "c2.bias": ("c2",),
    "c2.weight": ("c2", "c1", "c2.taps"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "c2", "c2.positions"),
}
FROZEN = ()
# What a learning rule remembers of parameters.
MEMORIES = ()
POPULATIONS = ("c1", "c2")
# Axes whose nodes have weights in state["p"], and their relative widths.
MEASURES = {
    "c1": 1.0,
    "c2": 1.0,
}
# Sizes of the finite axes.
SIZES = {
    "positions": 12,
    "channels": 1,
    "outputs": 1,
    "c1.positions": 6,
    "c2.positions": 3,
    "c1.taps": 3,
    "c2.taps": 3,
}
# Axes of every field.
FIELDS = {
    "x": ("data", "channels", "positions"),
    "y": ("data", "outputs"),
    "c1.bias": ("c1",),
    "c1.weight": ("c1", "channels", "c1.taps"),
    "c1": ("data", "c1", "c1.positions"),
    "c1.out": ("data", "c1", "c1.positions"),
    "c2.bias": ("c2",),
    "c2.weight": ("c2", "c1", "c2.taps"),
    "c2": ("data", "c2", "c2.positions"),
    "c2.out": ("data", "c2", "c2.positions"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "c2", "c2.positions"),
    "yhat": ("data", "outputs"),
    "loss": ("data",),
    "adj yhat": ("data", "outputs"),
    "adj c2.out": ("data", "c2", "c2.positions"),
    "adj c2": ("data", "c2", "c2.positions"),
    "adj c1.out": ("data", "c1", "c1.positions"),
    "adj c1": ("data", "c1", "c1.positions"),
}
# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.
TEMPORARIES = [
    ("c2", "c2.taps", "c1"),
    ("c1",),
    ("c2",),
    ("outputs",),
]
SCRATCH = [
    ("c2.positions", "c2.taps", "c1"),
    ("channels", "c1.taps", "c1.positions"),
    ("c2.positions", "c2.taps", "c1"),
    ("channels", "c1.taps", "c1.positions"),
    ("c1.positions", "c1"),
    ("c1.positions", "c1"),
    ("c2", "c2.taps", "c1"),
    ("c1.positions", "c1"),
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
def tanh(x: Real) -> Real:
    """The hyperbolic tangent: m / (m + 2) for m = e^(2 |x|) - 1, with the sign of x."""
    t = 2.0 * min(abs(np.float64(x)), 20.0)
    m = expm1(t)
    y = np.copysign(m / (m + 2.0), np.float64(x))
    return x if x != x else type(x)(y)


@compiled
def gather(out, a):
    """out(i, j, k) = a(i, 2 * k + j - 1)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                position1 = 2 * k + j - 1
                v1 = a[i, position1] if 0 <= position1 < a.shape[1] else real(0)
                out[i, j, k] = v1


@compiled
def pointwise_tanh(out, a, b):
    """out(i, j) = tanh(a(i, j) + b(i))"""
    for i in range(out.shape[0]):
        b_i = b[i]
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            v1 = tanh(b_i + a_ij)
            out[i, j] = v1


@compiled
def repeat(gemm, first, last, t1, a, b, c, number3, share3, weights3, d, e):
    """For every s from first to last - 1: 2 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        d_s = d[s]
        gather(t1, a_s)
        product(gemm, small, b_s, c, t1, (b_s.shape[0], b_s.shape[1], c.shape[1] * c.shape[2]), (False, False), number3 * share3, weights3, False)
        pointwise_tanh(d_s, b_s, e)


@compiled
def pointwise(out, a):
    """out(i, j, k) = a(i, k, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                a_ikj = a[i, k, j]
                out[i, j, k] = a_ikj


@compiled
def pointwise_2(out, a):
    """out(i, j) = a(j, i)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ji = a[j, i]
            out[i, j] = a_ji


@compiled
def gather_2(out, a):
    """out(i, j, k) = a(2 * i + j, k)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            position1 = 2 * i + j
            for k in range(out.shape[2]):
                v1 = a[position1, k] if 0 <= position1 < a.shape[0] else real(0)
                out[i, j, k] = v1


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
        product(gemm, small, b_s, c, t1, (b_s.shape[0], b_s.shape[1], c.shape[1] * c.shape[2]), (False, True), number3 * share3, weights3, False)
        pointwise_tanh(d_s, b_s, e)


@compiled
def pointwise_3(out, a):
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
def pointwise_4(out, a, b):
    """out(i, j) = 2*b(i, j) - 2*a(i, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            out[i, j] = -(real(2.0) * a_ij) + (real(2.0) * b_ij)


@compiled
def pointwise_5(out, a, b):
    """out(i, j) = b(i, j)*(1 - a(i, j)**2)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            b_ij = b[i, j]
            a_ij = a[i, j]
            v1 = a_ij * a_ij
            out[i, j] = b_ij * (real(1.0) - v1)


@compiled
def scatter(out, a):
    """out(2 * i + j, k) += 0.3333333333333333*a(i, j, k)"""
    real = out.dtype.type
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            position1 = 2 * i + j
            for k in range(out.shape[1]):
                a_ijk = a[i, j, k]
                if 0 <= position1 < out.shape[0]:
                    out[position1, k] += real(0.3333333333333333) * a_ijk


@compiled
def pointwise_6(out, a):
    """out(i, j) += a(j, i)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ji = a[j, i]
            out[i, j] += a_ji


@compiled
def repeat_3(gemm, first, last, t1, t2, a, b, c, d, e, number5, share5, weights5, f, g):
    """For every s from first to last - 1: 4 loop nests and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        c_s = c[s]
        d_s = d[s]
        f_s = f[s]
        g_s = g[s]
        pointwise_5(a_s, b_s, c_s)
        d_s[...] = 0.0
        product(gemm, small, t1, a_s, e, (t1.shape[0], t1.shape[1] * t1.shape[2], a_s.shape[0]), (True, False), number5 * share5, weights5, False)
        t2[...] = 0.0
        scatter(t2, t1)
        pointwise_6(d_s, t2)
        pointwise_5(f_s, g_s, d_s)


@compiled
def reduce_2(out, a, b):
    """out(i) = Sum_{j, k}[ -a(j, i, k)*b(j) ]"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        total = real(0)
        for j in range(a.shape[0]):
            b_j = b[j]
            v1 = -b_j
            for k in range(a.shape[2]):
                a_jik = a[j, i, k]
                total += v1 * a_jik
        out[i] = total


@compiled
def reduce_3(out, a, b):
    """out(i) = Sum_{j}[ -a(j, i)*b(j) ]"""
    for j in range(a.shape[0]):
        b_j = b[j]
        v1 = -b_j
        for i in range(out.shape[0]):
            a_ji = a[j, i]
            out[i] += v1 * a_ji


@compiled
def repeat_4(gemm, first, last, t1, p, a, b, c, number4, share4, weights4):
    """For every s from first to last - 1: a loop nest and a product."""
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        c_s = c[s]
        gather(t1, a_s)
        product(gemm, small, b, c_s, t1, (b.shape[0], b.shape[1] * b.shape[2], c_s.shape[1]), (False, True), p[s] * number4 * share4, weights4, True)


@compiled
def pointwise_7(out, a):
    """out(i, j, k) += a(i, k, j)"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                a_ikj = a[i, k, j]
                out[i, j, k] += a_ikj


@compiled
def repeat_5(gemm, first, last, t1, t2, t3, p, a, b, number3, share3, weights3, c):
    """For every s from first to last - 1: 2 loop nests and a product."""
    t1[...] = 0.0
    small = small_arguments(a)
    for s in range(first, last):
        a_s = a[s]
        b_s = b[s]
        pointwise_2(t3, a_s)
        gather_2(t2, t3)
        product(gemm, small, t1, b_s, t2, (t1.shape[0], t1.shape[1] * t1.shape[2], b_s.shape[1]), (False, False), p[s] * number3 * share3, weights3, True)
    pointwise_7(c, t1)


# -------------------------------- Equations


def compute_forward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """Every forward field that needs no y."""
    n = nodes.size
    # c1(data, c1, c1.positions) = Sum_{channels, c1.taps}[ c1.weight(c1, channels, c1.taps)*x(data, channels,
    #     2*c1.positions + c1.taps - 1) ]
    f["c1"] = make("c1", (n["data"], n["c1"], n["c1.positions"]))
    # c1.out(data, c1, c1.positions) = tanh(c1.bias(c1) + c1(data, c1, c1.positions))
    f["c1.out"] = make("c1.out", (n["data"], n["c1"], n["c1.positions"]))
    call(together, pieces(repeat, n["data"], (("temporary 1", (n["channels"], n["c1.taps"], n["c1.positions"])),), f["x"], f["c1"], f["c1.weight"], 1.0, *nodes.weighting(("channels", "c1.taps")), f["c1.out"], f["c1.bias"]), nodes, make)
    # c2(data, c2, c2.positions) = Mean_{c1}[ Sum_{c2.taps}[ 0.3333333333333333*c2.weight(c2, c1,
    #     c2.taps)*c1.out(data, c1, 2*c2.positions + c2.taps) ] ]
    f["c2"] = make("c2", (n["data"], n["c2"], n["c2.positions"]))
    # c2.out(data, c2, c2.positions) = tanh(c2.bias(c2) + c2(data, c2, c2.positions))
    f["c2.out"] = make("c2.out", (n["data"], n["c2"], n["c2.positions"]))
    temporary_3_of_1 = make("c2.weight in order 0 2 1", (n["c2"], n["c2.taps"], n["c1"]))
    call(pointwise, temporary_3_of_1, f["c2.weight"])
    call(together, pieces(repeat_2, n["data"], (("temporary 1", (n["c2.positions"], n["c2.taps"], n["c1"])), ("temporary 4", (n["c1.positions"], n["c1"])),), f["c1.out"], f["c2"], temporary_3_of_1, 0.3333333333333333, *nodes.weighting(("c2.taps", "c1")), f["c2.out"], f["c2.bias"]), nodes, make)
    # yhat(data, outputs) = Mean_{c2}[ Sum_{c2.positions}[ c2.out(data, c2,
    #     c2.positions)*output.weight(outputs, c2, c2.positions) ] ] + output.bias(outputs)
    f["yhat"] = make("yhat", (n["data"], n["outputs"]))
    call(pointwise_3, f["yhat"], f["output.bias"])
    call(matrix_product, f["yhat"], matrix(f["c2.out"], 1), matrix(f["output.weight"], 1).T, 1.0, nodes.weighting(("c2", "c2.positions")), 1.0)


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
    call(pointwise_4, f["adj yhat"], f["y"], f["yhat"])
    # adj c2.out(data, c2, c2.positions) = Sum_{outputs}[ adj yhat(data, outputs)*output.weight(outputs, c2,
    #     c2.positions) ]
    f["adj c2.out"] = make("adj c2.out", (n["data"], n["c2"], n["c2.positions"]))
    call(matrix_product, matrix(f["adj c2.out"], 1), f["adj yhat"], matrix(f["output.weight"], 1), 1.0, nodes.weighting(("outputs",)))
    # adj c2(data, c2, c2.positions) = adj c2.out(data, c2, c2.positions)*(1 - c2.out(data, c2,
    #     c2.positions)**2)
    f["adj c2"] = make("adj c2", (n["data"], n["c2"], n["c2.positions"]))
    # adj c1.out(data, c1, 2*c2.positions + c2.taps) += Mean_{c2}[ 0.3333333333333333*c2.weight(c2, c1,
    #     c2.taps)*adj c2(data, c2, c2.positions) ]
    f["adj c1.out"] = make("adj c1.out", (n["data"], n["c1"], n["c1.positions"]))
    # adj c1(data, c1, c1.positions) = adj c1.out(data, c1, c1.positions)*(1 - c1.out(data, c1,
    #     c1.positions)**2)
    f["adj c1"] = make("adj c1", (n["data"], n["c1"], n["c1.positions"]))
    temporary_2_of_2 = make("c2.weight in order 0 2 1", (n["c2"], n["c2.taps"], n["c1"]))
    call(pointwise, temporary_2_of_2, f["c2.weight"])
    call(together, pieces(repeat_3, n["data"], (("temporary 1", (n["c2.positions"], n["c2.taps"], n["c1"])), ("temporary 3", (n["c1.positions"], n["c1"])),), f["adj c2"], f["c2.out"], f["adj c2.out"], f["adj c1.out"], temporary_2_of_2, 1.0, *nodes.weighting(("c2",)), f["adj c1"], f["c1.out"]), nodes, make)


def evolve(f: Fields, nodes: Nodes, make: Maker, call: Caller, out: Fields, scale: Mapping[str, float], keep: Mapping[str, float]) -> None:
    """out = keep * out + scale * G for every trained parameter."""
    n, p = nodes.size, nodes.weights
    updates = Tasks()
    speeds = {}
    # d c1.bias(c1) = Mean_{data}[ Sum_{c1.positions}[ -adj c1(data, c1, c1.positions) ] ]
    speed = speeds["c1.bias"] = make("speed c1.bias", (n["c1"],))
    call(reduce_2, speed, f["adj c1"], p["data"])
    # d c2.bias(c2) = Mean_{data}[ Sum_{c2.positions}[ -adj c2(data, c2, c2.positions) ] ]
    speed = speeds["c2.bias"] = make("speed c2.bias", (n["c2"],))
    call(reduce_2, speed, f["adj c2"], p["data"])
    # d output.bias(outputs) = Mean_{data}[ -adj yhat(data, outputs) ]
    speed = speeds["output.bias"] = make("speed output.bias", (n["outputs"],))
    call(speed.fill, 0.0)
    call(reduce_3, speed, f["adj yhat"], p["data"])
    # d c1.weight(c1, channels, c1.taps) = Mean_{data}[ Sum_{c1.positions}[ -adj c1(data, c1,
    #     c1.positions)*x(data, channels, 2*c1.positions + c1.taps - 1) ] ]
    call(rescale, out["c1.weight"], lambda: keep["c1.weight"])
    updates.append(whole(repeat_4, n["data"], (("temporary 2", (n["channels"], n["c1.taps"], n["c1.positions"])),), p["data"], f["x"], out["c1.weight"], f["adj c1"], lambda: -scale["c1.weight"], *nodes.weighting(("c1.positions",))))
    # d c2.weight(c2, c1, c2.taps) = Mean_{data}[ Sum_{c2.positions}[ (-0.3333333333333333)*c1.out(data, c1,
    #     2*c2.positions + c2.taps)*adj c2(data, c2, c2.positions) ] ]
    call(rescale, out["c2.weight"], lambda: keep["c2.weight"])
    updates.append(whole(repeat_5, n["data"], (("temporary 4", (n["c2"], n["c2.taps"], n["c1"])), ("temporary 2", (n["c2.positions"], n["c2.taps"], n["c1"])), ("temporary 5", (n["c1.positions"], n["c1"])),), p["data"], f["c1.out"], f["adj c2"], lambda: -0.3333333333333333 * scale["c2.weight"], *nodes.weighting(("c2.positions",)), out["c2.weight"]))
    # d output.weight(outputs, c2, c2.positions) = Mean_{data}[ -c2.out(data, c2, c2.positions)*adj yhat(data,
    #     outputs) ]
    call(matrix_product, matrix(out["output.weight"], 1), f["adj yhat"].T, matrix(f["c2.out"], 1), lambda: -scale["output.weight"], nodes.weighting(("data",)), lambda: keep["output.weight"])
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
        "c1.bias": 1.0,
        "c1.weight": 1.0,
        "c2.bias": 1.0,
        "c2.weight": 1.0,
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
    # c1.bias: normal(0, 0.3)
    values["c1.bias"] = draw_normal(generator("c1.bias", seed), (n["c1"],), 0, 0.0, 0.3)
    # c1.weight: normal(0, sqrt(2/fan_in))
    values["c1.weight"] = draw_normal(generator("c1.weight", seed), (n["c1"], n["channels"], n["c1.taps"],), 0, 0.0, 0.816496580927726)
    # c2.bias: 0
    values["c2.bias"] = draw_constant(generator("c2.bias", seed), (n["c2"],), 0, 0.0)
    # c2.weight: normal(0.5, 0.5)
    values["c2.weight"] = (draw_normal(generator("c2.weight", seed), (n["c2"], n["c1"], n["c2.taps"],), 0, 0.5, 0.5) if drawn else draw_constant(generator("c2.weight", seed), (n["c2"], n["c1"], n["c2.taps"],), 0, 0.5))
    # output.bias: 0
    values["output.bias"] = draw_constant(generator("output.bias", seed), (n["outputs"],), 0, 0.0)
    # output.weight: normal(0.3, 0.5)
    values["output.weight"] = draw_normal(generator("output.weight", seed), (n["outputs"], n["c2"], n["c2.positions"],), 1, 0.3, 0.5)
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
