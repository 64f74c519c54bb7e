"""Two-layer network on isotropic Gaussians

Mean-field limit of the network above, written by mfderive (generator 3). This file needs numpy, numba and scipy alone;
it may be read, edited and run again.

A state is a dictionary: an array for every parameter (axes in PARAMETERS) and state["p"], the weights of the
nodes of every population, which sum to 1. Arrays of data are [sample, neuron, positions...]. Time is the sum
of the learning rates.
"""

import math
import os
import threading
import zlib

import numpy as np
from scipy.linalg import blas

# A loader may set COMPILED to False beforehand: then the loops below run as plain Python.
COMPILED = globals().get("COMPILED", True)
if COMPILED:
    from numba import njit

    compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
else:

    def compiled(function):
        """The function itself."""
        return function


# Threads that share the work of one step.
THREADS = min(os.cpu_count() or 1, 8)

TITLE = "Two-layer network on isotropic Gaussians"
DIGEST = "bbc364228b75075b4f0d2d0713325906fb7a640863468667f27912c7fd9a82e1"
# Axes of every parameter's array.
PARAMETERS = {
    "h1.bias": ("h1",),
    "h1.weight": ("h1", "inputs"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "h1"),
}
FROZEN = ()
POPULATIONS = ("h1",)
# Axes whose nodes have weights in state["p"], and their relative widths.
MEASURES = {
    "h1": 1.0,
}
# Sizes of the finite axes.
SIZES = {
    "inputs": 20,
    "outputs": 1,
}
# Axes of every field.
FIELDS = {
    "x": ("data", "inputs"),
    "y": ("data", "outputs"),
    "h1.bias": ("h1",),
    "h1.weight": ("h1", "inputs"),
    "h1": ("data", "h1"),
    "h1.out": ("data", "h1"),
    "output.bias": ("outputs",),
    "output.weight": ("outputs", "h1"),
    "yhat": ("data", "outputs"),
    "loss": ("data",),
    "adj yhat": ("data", "outputs"),
    "adj h1.out": ("data", "h1"),
    "adj h1": ("data", "h1"),
}
# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.
TEMPORARIES = [
    ("h1",),
    ("outputs",),
]
SCRATCH = []


# ---------------------------------------------------------------- helpers


class Nodes:
    """Sizes of all axes and the weights of the nodes of measures; ``equal`` holds a weight shared by all nodes."""

    def __init__(self, weights, dtype):
        self.weights = {axis: np.ascontiguousarray(values, dtype) for axis, values in weights.items()}
        self.equal = {axis: float(values[0]) for axis, values in self.weights.items() if np.all(values == values[0])}
        self.size = SIZES | {axis: len(values) for axis, values in self.weights.items()}
        self.dtype = dtype
        self.known = {}

    def weighting(self, axes):
        """The factor and the weights (None where all are equal) of a mean or sum over axes together."""
        if axes not in self.known:
            self.known[axes] = self._weighting(axes)
        return self.known[axes]

    def _weighting(self, axes):
        factor = math.prod(self.equal.get(axis, 1.0) for axis in axes)
        if all(axis in self.equal or axis not in self.weights for axis in axes):
            return factor, None
        weights = np.ones(1, self.dtype)
        for axis in axes:
            varies = axis in self.weights and axis not in self.equal
            own = self.weights[axis] if varies else np.ones(self.size[axis], self.dtype)
            weights = np.multiply.outer(weights, own).ravel()
        return factor, weights


def matrix(array, split):
    """An array as a matrix whose rows are its first ``split`` axes; shares memory."""
    return array.reshape(math.prod(array.shape[:split]), math.prod(array.shape[split:]))


def matrix_product(out, left, right, factor, weighting=(1.0, None), add=False):
    """out = factor * left @ diag(weights) @ right, or out += that; in place, without a pass of its own.

    Operands are matrices, each contiguous by rows or by columns, so that BLAS reads them where they lie.
    Weights that are not equal scale the smaller operand.
    """
    shared, weights = weighting
    factor = float(factor * shared)
    if weights is not None and left.size <= right.size:
        left = left * weights
    elif weights is not None:
        right = right * weights[:, None]
    if not COMPILED:
        out[...] = factor * (left @ right) + (out if add else 0)
        return
    if not out.flags.f_contiguous:
        out, left, right = out.T, right.T, left.T
    gemm = blas.dgemm if out.dtype == np.float64 else blas.sgemm
    a, b = left.flags.f_contiguous, right.flags.f_contiguous
    gemm(
        factor,
        left if a else left.T,
        right if b else right.T,
        beta=1.0 if add else 0.0,
        c=out,
        trans_a=not a,
        trans_b=not b,
        overwrite_c=True,
    )


class Workspace(threading.local):
    """Arrays that are used again in the next call; they are given up when sizes or precision change."""

    def __init__(self):
        self.key, self.arrays = None, {}

    def maker(self, nodes):
        """A function (name, shape) -> array for calls with these sizes."""
        key = (tuple(nodes.size.items()), np.dtype(nodes.dtype))
        if key != self.key:
            self.key, self.arrays = key, {}

        def make(name, shape):
            array = self.arrays.get((name, shape))
            if array is None:
                array = self.arrays[name, shape] = np.empty(shape, nodes.dtype)
            return array

        return make


WORKSPACE = Workspace()


def fresh(nodes):
    """A function (name, shape) -> new array."""
    return lambda name, shape: np.empty(shape, nodes.dtype)



@compiled
def relu(x):
    """x where x > 0, else 0."""
    return type(x)(0) if x <= 0 else x


@compiled
def unit_step(x):
    """1 where x > 0, else 0: the slope of relu, 0 at 0."""
    return type(x)(1) if x > 0 else type(x)(0)


@compiled
def pointwise_relu(out, a, b):
    """out(i, j) = relu(a(i, j) + b(j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_j = b[j]
            v1 = relu(a_ij + b_j)
            out[i, j] = v1


@compiled
def pointwise(out, a):
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
def pointwise_2(out, a, b):
    """out(i, j) = 2*b(i, j) - 2*a(i, j)"""
    real = out.dtype.type
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            a_ij = a[i, j]
            b_ij = b[i, j]
            out[i, j] = -(real(2.0) * a_ij) + (real(2.0) * b_ij)


@compiled
def pointwise_step(out, a, b, c):
    """out(i, j) = b(i, j)*step(a(i, j) + c(j))"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            b_ij = b[i, j]
            a_ij = a[i, j]
            c_j = c[j]
            v1 = unit_step(a_ij + c_j)
            out[i, j] = b_ij * v1


@compiled
def reduce_2(out, a, b):
    """out(i) = Sum_{j}[ -a(j, i)*b(j) ]"""
    for j in range(a.shape[0]):
        b_j = b[j]
        v1 = -b_j
        for i in range(out.shape[0]):
            a_ji = a[j, i]
            out[i] += v1 * a_ji


# ---------------------------------------------------------------- equations


def _forward(f, nodes, make):
    """Every forward field that needs no y."""
    n = nodes.size
    # h1(data, h1) = Sum_{inputs}[ x(data, inputs)*h1.weight(h1, inputs) ]
    f["h1"] = make("h1", (n["data"], n["h1"]))
    matrix_product(f["h1"], f["x"], f["h1.weight"].T, 1.0, nodes.weighting(("inputs",)))
    # h1.out(data, h1) = relu(h1(data, h1) + h1.bias(h1))
    f["h1.out"] = make("h1.out", (n["data"], n["h1"]))
    pointwise_relu(f["h1.out"], f["h1"], f["h1.bias"])
    # yhat(data, outputs) = Mean_{h1}[ h1.out(data, h1)*output.weight(outputs, h1) ] + output.bias(outputs)
    f["yhat"] = make("yhat", (n["data"], n["outputs"]))
    pointwise(f["yhat"], f["output.bias"])
    matrix_product(f["yhat"], f["h1.out"], f["output.weight"].T, 1.0, nodes.weighting(("h1",)), add=True)


def _loss(f, nodes, make):
    """What compares the output with y."""
    n = nodes.size
    # loss(data) = Sum_{outputs}[ (yhat(data, outputs) - y(data, outputs))**2 ]
    f["loss"] = make("loss", (n["data"],))
    reduce(f["loss"], f["y"], f["yhat"])


def _backward(f, nodes, make):
    """D: derivatives of the loss of each sample."""
    n = nodes.size
    # adj yhat(data, outputs) = 2*yhat(data, outputs) - 2*y(data, outputs)
    f["adj yhat"] = make("adj yhat", (n["data"], n["outputs"]))
    pointwise_2(f["adj yhat"], f["y"], f["yhat"])
    # adj h1.out(data, h1) = Sum_{outputs}[ adj yhat(data, outputs)*output.weight(outputs, h1) ]
    f["adj h1.out"] = make("adj h1.out", (n["data"], n["h1"]))
    matrix_product(f["adj h1.out"], f["adj yhat"], f["output.weight"], 1.0, nodes.weighting(("outputs",)))
    # adj h1(data, h1) = adj h1.out(data, h1)*step(h1(data, h1) + h1.bias(h1))
    f["adj h1"] = make("adj h1", (n["data"], n["h1"]))
    pointwise_step(f["adj h1"], f["h1"], f["adj h1.out"], f["h1.bias"])


def _evolution(f, nodes, make, out, scale, add):
    """out = scale * G for every trained parameter, or out += that (add)."""
    n, p = nodes.size, nodes.weights
    speeds = {}
    # d h1.bias(h1) = Mean_{data}[ -adj h1(data, h1) ]
    speed = speeds["h1.bias"] = make("speed h1.bias", (n["h1"],)) if add else out["h1.bias"]
    speed.fill(0.0)
    reduce_2(speed, f["adj h1"], p["data"])
    # d output.bias(outputs) = Mean_{data}[ -adj yhat(data, outputs) ]
    speed = speeds["output.bias"] = make("speed output.bias", (n["outputs"],)) if add else out["output.bias"]
    speed.fill(0.0)
    reduce_2(speed, f["adj yhat"], p["data"])
    # d h1.weight(h1, inputs) = Mean_{data}[ -adj h1(data, h1)*x(data, inputs) ]
    matrix_product(out["h1.weight"], f["adj h1"].T, f["x"], -scale["h1.weight"], nodes.weighting(("data",)), add=add)
    # d output.weight(outputs, h1) = Mean_{data}[ -h1.out(data, h1)*adj yhat(data, outputs) ]
    matrix_product(out["output.weight"], f["adj yhat"].T, f["h1.out"], -scale["output.weight"], nodes.weighting(("data",)), add=add)
    for name, speed in speeds.items():
        speed *= scale[name]
        if add:
            out[name] += speed


def rates(t):
    """The rate of every trained parameter at time t: d(parameter)/dt = rate * G."""
    return {
        "h1.bias": 1.0,
        "h1.weight": 1.0,
        "output.bias": 1.0,
        "output.weight": 1.0,
    }


# ---------------------------------------------------------------- what a user calls


def _precision(state):
    first = next(iter(PARAMETERS), None)
    dtype = np.asarray(state[first]).dtype if first else next(iter(state["p"].values())).dtype
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def _begin(state, x, y=None, weights=None):
    """Fields that are given (parameters, x, y), in one precision, and the nodes."""
    dtype = _precision(state)
    fields = {name: np.asarray(state[name], dtype, order="C") for name in PARAMETERS}
    _check_shapes(fields, state["p"])  # compiled loops do not look where an array ends
    _give_samples(fields, dtype, x, y)
    samples = len(fields["x"])
    data = np.full(samples, 1 / samples) if weights is None else weights
    if len(data) != samples:
        raise ValueError(f"{len(data)} weights for {samples} samples")
    return fields, Nodes({"data": data} | {axis: state["p"][axis] for axis in MEASURES}, dtype)


def _give_samples(fields, dtype, x, y=None):
    """x and y become fields, in one precision."""
    fields["x"] = x = np.asarray(x, dtype, order="C")
    samples = len(x)
    expected = tuple(SIZES[axis] for axis in FIELDS["x"][1:])
    if x.shape[1:] != expected or not samples:
        raise ValueError(f"x has shape {x.shape}; expected (samples, {', '.join(map(str, expected))})")
    if y is not None:
        y = np.asarray(y, dtype, order="C")
        if y.shape != (samples, SIZES["outputs"]) and (SIZES["outputs"] > 1 or y.shape != (samples,)):
            raise ValueError(f"y has shape {y.shape}; expected ({samples}, {SIZES['outputs']})")
        fields["y"] = y.reshape(samples, SIZES["outputs"])


def _check_shapes(arrays, weights):
    size = SIZES | {axis: len(weights[axis]) for axis in MEASURES}
    for name, axes in PARAMETERS.items():
        shape = tuple(size[axis] for axis in axes)
        if np.shape(arrays[name]) != shape:
            raise ValueError(f"state['{name}'] has shape {np.shape(arrays[name])}; expected {shape} for {axes}")


def forward(state, x):
    """Every forward field (and yhat) on x [sample, ...]: a dictionary of new arrays, axes as in FIELDS."""
    fields, nodes = _begin(state, x)
    given = set(fields)
    _forward(fields, nodes, fresh(nodes))
    return {name: array for name, array in fields.items() if name not in given}


def predict(state, x, piece=None):
    """yhat [sample, outputs] on x, as a new array; all other fields go into arrays that are used again.

    ``piece``: so many samples at a time, which bounds the memory (default: all at once).
    """
    size = min(piece or len(x), len(x))
    fields, nodes = _begin(state, x[:size])
    make = WORKSPACE.maker(nodes)
    yhat = np.empty((len(x), SIZES["outputs"]), nodes.dtype)
    # The last piece has the size of the others, so that their arrays fit: it repeats some samples.
    for start in (*range(0, len(x) - size, size), len(x) - size):
        _give_samples(fields, nodes.dtype, x[start : start + size])
        _forward(fields, nodes, make)
        yhat[start : start + size] = fields["yhat"]
    return yhat


def loss(state, x, y):
    """The mean loss of a batch; y is [sample, outputs] ([sample] where there is one output)."""
    fields, nodes = _begin(state, x, y)
    make = WORKSPACE.maker(nodes)
    _forward(fields, nodes, make)
    _loss(fields, nodes, make)
    return float(np.mean(fields["loss"], dtype=np.float64))


def _sweep(state, x, y, weights):
    """All fields that the evolution reads: forward, then backward."""
    fields, nodes = _begin(state, x, y, weights)
    make = WORKSPACE.maker(nodes)
    _fill(fields, nodes, make)
    return fields, nodes, make


def _fill(fields, nodes, make):
    _forward(fields, nodes, make)
    _backward(fields, nodes, make)


def velocity(state, x, y, t=0.0, weights=None):
    """d(parameter)/dt = rate(t) * G on a batch, for every parameter (zeros where it is frozen).

    ``weights``: those of the samples, which sum to 1 (default: equal).
    """
    fields, nodes, make = _sweep(state, x, y, weights)
    speed = {
        name: np.zeros(fields[name].shape, nodes.dtype) if name in FROZEN else np.empty_like(fields[name])
        for name in PARAMETERS
    }
    _evolution(fields, nodes, make, speed, rates(t), False)
    return speed


def step(state, x, y, t, alpha, out=None, weights=None):
    """One explicit Euler step: state + alpha * velocity(state, x, y, t, weights), to rounding.

    A new state, or ``out`` with its arrays changed in place (``out=state`` moves the state itself; its
    arrays must be contiguous and of the state's precision).
    """
    fields, nodes, make = _sweep(state, x, y, weights)
    if out is None:
        out = {name: fields[name].copy() for name in PARAMETERS}
        out["p"] = dict(state["p"])
    else:
        _check_target(out, fields, nodes)
        for name in PARAMETERS:
            if out[name] is not fields[name]:
                np.copyto(out[name], fields[name])
    _evolution(fields, nodes, make, out, _scales(t, alpha), True)
    return out


def march(state, moves):
    """Move ``state`` itself by one ``step`` for every (x, y, t, alpha, weights) of ``moves``; returns it.

    What stays the same is looked at once: do not change the state between two moves.
    """
    fields, nodes, make, known = {}, None, None, None
    for x, y, t, alpha, weights in moves:
        if nodes is None or weights is not known or len(x) != nodes.size["data"]:
            fields, nodes = _begin(state, x, y, weights)
            _check_target(state, fields, nodes)
            make, known = WORKSPACE.maker(nodes), weights
        else:
            _give_samples(fields, nodes.dtype, x, y)
        _fill(fields, nodes, make)
        _evolution(fields, nodes, make, state, _scales(t, alpha), True)
    return state


def _check_target(out, fields, nodes):
    for name in PARAMETERS:
        own = out[name]
        if own.dtype != nodes.dtype or not own.flags.c_contiguous or own.shape != fields[name].shape:
            raise ValueError(f"out['{name}'] must be a contiguous array of {nodes.dtype}")


def _scales(t, alpha):
    return {name: float(alpha * rate) for name, rate in rates(t).items()}


def check(state):
    """Raise ValueError where names, shapes, precision or weights of a state do not fit."""
    weights = state.get("p")
    if weights is None or set(weights) != set(MEASURES):
        raise ValueError(f"state['p'] must hold the weights of the nodes of {list(MEASURES)}")
    unknown = [name for name in state if name != "p" and name not in PARAMETERS]
    missing = [name for name in PARAMETERS if name not in state]
    if unknown or missing:
        raise ValueError(f"state: unknown {unknown}, missing {missing}; expected {list(PARAMETERS)}")
    dtypes = {np.asarray(state[name]).dtype for name in PARAMETERS}
    if len(dtypes) > 1:
        raise ValueError(f"state: the parameters have several precisions: {sorted(map(str, dtypes))}")
    _check_shapes(state, weights)
    for axis, values in weights.items():
        total = float(np.sum(values, dtype=np.float64))
        if np.any(np.asarray(values) < 0) or abs(total - 1) > 1e-4:
            raise ValueError(f"state['p']['{axis}'] must not be negative and must sum to 1 (sum: {total})")


def memory_estimate(sizes, batch, dtype=np.float64, copies=2):
    """Bytes that step and velocity hold at once: state and its copy or velocity, fields and temporaries.

    ``sizes``: nodes of each population (a number or a dictionary); ``copies``: of the parameters.
    """
    size = SIZES | _node_counts(sizes) | {"data": batch}
    count = copies * sum(math.prod(size[axis] for axis in axes) for axes in PARAMETERS.values())
    count += sum(math.prod(size[axis] for axis in axes) for name, axes in FIELDS.items() if name not in PARAMETERS)
    count += sum(math.prod(size[axis] for axis in axes) for axes in TEMPORARIES)
    count += THREADS * sum(math.prod(size[axis] for axis in axes) for axes in SCRATCH)
    return count * np.dtype(dtype).itemsize


# ---------------------------------------------------------------- initial values


def _node_counts(widths):
    if not isinstance(widths, dict):
        base = _whole(widths)
        widths = {axis: max(1, round(relative * base)) for axis, relative in MEASURES.items()}
    if set(widths) != set(MEASURES):
        raise ValueError(f"widths must be a number or name each of {list(MEASURES)}")
    return {axis: _whole(widths[axis]) for axis in MEASURES}


def _whole(width):
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 1:
        raise ValueError(f"a width is {width!r}; expected a whole number of at least 1")
    return int(width)


def _check_memory(size):
    """Raise MemoryError where a state with these sizes is larger than the memory that the machine says it has."""
    needed = 8 * sum(math.prod(size[axis] for axis in axes) for axes in PARAMETERS.values())
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise MemoryError(f"the state needs {needed / 1e9:.3g} GB, there are {memory / 1e9:.3g}; take smaller widths")


def _draw(kind, arguments, name, shape, seed, neuron=0):
    """Independent entries of one law, in float64, by a generator that belongs to the parameter."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if kind == "normal":
        values = rng.standard_normal(shape)
        values *= arguments[1]
        values += arguments[0]
        return values
    if kind == "uniform":
        values = rng.random(shape)
        values *= arguments[1] - arguments[0]
        values += arguments[0]
        return values
    if kind == "rademacher":
        return np.broadcast_to(arguments[0] * (1 - 2 * rng.integers(0, 2, shape)), shape).astype(np.float64)
    if kind == "sphere":
        values = rng.standard_normal(shape)
        others = tuple(axis for axis in range(len(shape)) if axis != neuron)
        norm = np.sqrt(np.sum(values * values, axis=others, keepdims=True))
        return arguments[0] * values / norm
    return np.broadcast_to(np.asarray(arguments[0], dtype=np.float64), shape).copy()


def sample(widths=64, seed=0, edges="draw", dtype=np.float64):
    """A state drawn from the initial laws, with equal weights p = 1/n.

    ``widths``: a number (times each population's relative width) or a dictionary of numbers of nodes.
    ``edges="mean"``: weights between two populations start at their conditional mean.
    """
    if edges not in ("draw", "mean"):
        raise ValueError(f"edges is {edges!r}; allowed: 'draw', 'mean'")
    nodes = _node_counts(widths)
    n = SIZES | nodes
    _check_memory(n)
    values = {}
    # h1.bias: 0
    values["h1.bias"] = _draw("constant", (0.0,), "h1.bias", (n["h1"],), seed)
    # h1.weight: normal(0, sqrt(2/20))
    values["h1.weight"] = _draw("normal", (0.0, 0.31622776601683794,), "h1.weight", (n["h1"], n["inputs"],), seed)
    # output.bias: 0
    values["output.bias"] = _draw("constant", (0.0,), "output.bias", (n["outputs"],), seed)
    # output.weight: normal(1, 0.1)
    values["output.weight"] = _draw("normal", (1.0, 0.1,), "output.weight", (n["outputs"], n["h1"],), seed)
    state = {name: np.asarray(values[name]).astype(dtype, copy=False) for name in PARAMETERS}
    state["p"] = {axis: np.full(size, 1 / size, dtype=dtype) for axis, size in nodes.items()}
    return state
