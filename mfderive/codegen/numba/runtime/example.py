"""What the generator writes for a network, here by hand for the smallest one.

The other files of this folder are copied into every solver; this one shows what they expect from the
equations, and lets them be imported, checked and tested on their own. The network is
yhat = Mean[beta tanh(h)] with h = w x, three inputs, one output and the squared loss.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ....algebra.law_draws import draw_normal, draw_uniform
from .compilation import Array, Caller, Fields, Maker
from .initial_draws import generator
from .matrix_product import matrix_product
from .node_weights import Nodes
from .planned_calls import Plan

# Axes of every parameter's array.
PARAMETERS: dict[str, tuple[str, ...]] = {"h1.weight": ("h1", "inputs"), "output.weight": ("outputs", "h1")}
FROZEN: tuple[str, ...] = ()
# What a learning rule remembers of parameters.
MEMORIES: tuple[str, ...] = ()
POPULATIONS: tuple[str, ...] = ("h1",)
# Axes whose nodes have weights in state["p"], and their relative widths.
MEASURES: dict[str, float] = {"h1": 1.0}
# Sizes of the finite axes.
SIZES: dict[str, int] = {"inputs": 3, "outputs": 1}
# Axes of every field.
FIELDS: dict[str, tuple[str, ...]] = {
    "x": ("data", "inputs"),
    "y": ("data", "outputs"),
    **PARAMETERS,
    "h1": ("data", "h1"),
    "h1.out": ("data", "h1"),
    "yhat": ("data", "outputs"),
    "loss": ("data",),
    "adj yhat": ("data", "outputs"),
    "adj h1": ("data", "h1"),
}
# Axes of the temporaries, and of those that every thread has for itself, for the memory estimate.
TEMPORARIES: list[tuple[str, ...]] = []
SCRATCH: list[tuple[str, ...]] = []


def compute_forward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """Every forward field that needs no y."""
    n = nodes.size
    # h1(data, h1) = Sum_{inputs}[ h1.weight(h1, inputs)*x(data, inputs) ]
    f["h1"] = make("h1", (n["data"], n["h1"]))
    call(matrix_product, f["h1"], f["x"], f["h1.weight"].T, 1.0)
    # h1.out(data, h1) = tanh(h1(data, h1))
    f["h1.out"] = make("h1.out", (n["data"], n["h1"]))
    call(np.tanh, f["h1"], f["h1.out"])
    # yhat(data, outputs) = Mean_{h1}[ h1.out(data, h1)*output.weight(outputs, h1) ]
    f["yhat"] = make("yhat", (n["data"], n["outputs"]))
    call(matrix_product, f["yhat"], f["h1.out"], f["output.weight"].T, 1.0, nodes.weighting(("h1",)))


def squared_loss(out: Array, yhat: Array, y: Array) -> None:
    """out(i) = Sum_{j}[ (yhat(i, j) - y(i, j))**2 ]"""
    np.sum((yhat - y) ** 2, axis=1, out=out)


def compute_loss(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """The fields that compare the output with y."""
    # loss(data) = Sum_{outputs}[ (yhat(data, outputs) - y(data, outputs))**2 ]
    f["loss"] = make("loss", (nodes.size["data"],))
    call(squared_loss, f["loss"], f["yhat"], f["y"])


def difference(out: Array, a: Array, b: Array) -> None:
    """out(i, j) = 2*a(i, j) - 2*b(i, j)"""
    np.subtract(2 * a, 2 * b, out=out)


def times_slope(out: Array, a: Array) -> None:
    """out(i, j) *= 1 - a(i, j)**2"""
    out *= 1 - a**2


def compute_backward(f: Fields, nodes: Nodes, make: Maker, call: Caller) -> None:
    """D: derivatives of the loss of each sample."""
    n = nodes.size
    # adj yhat(data, outputs) = 2*yhat(data, outputs) - 2*y(data, outputs)
    f["adj yhat"] = make("adj yhat", (n["data"], n["outputs"]))
    call(difference, f["adj yhat"], f["yhat"], f["y"])
    # adj h1(data, h1) = Sum_{outputs}[ adj yhat(data, outputs)*output.weight(outputs, h1) ]
    #     * (1 - h1.out(data, h1)**2)
    f["adj h1"] = make("adj h1", (n["data"], n["h1"]))
    call(matrix_product, f["adj h1"], f["adj yhat"], f["output.weight"], 1.0)
    call(times_slope, f["adj h1"], f["h1.out"])


def evolve(
    f: Fields,
    nodes: Nodes,
    make: Maker,
    call: Caller,
    out: Fields,
    scale: Mapping[str, float],
    keep: Mapping[str, float],
) -> None:
    """out = keep * out + scale * G for every trained parameter."""
    data = nodes.weighting(("data",))
    # d h1.weight(h1, inputs) = Mean_{data}[ -adj h1(data, h1)*x(data, inputs) ]
    call(
        matrix_product,
        out["h1.weight"],
        f["adj h1"].T,
        f["x"],
        lambda: -scale["h1.weight"],
        data,
        lambda: keep["h1.weight"],
    )
    # d output.weight(outputs, h1) = Mean_{data}[ -adj yhat(data, outputs)*h1.out(data, h1) ]
    call(
        matrix_product,
        out["output.weight"],
        f["adj yhat"].T,
        f["h1.out"],
        lambda: -scale["output.weight"],
        data,
        lambda: keep["output.weight"],
    )


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
    return {"h1.weight": 1.0, "output.weight": 1.0 / (1.0 + t)}


def initial_values(n: Mapping[str, int], seed: int, edges: str) -> dict[str, Array]:
    """A draw of every parameter, in float64."""
    n_h, n_in, n_out = n["h1"], n["inputs"], n["outputs"]
    return {
        "h1.weight": draw_normal(generator("h1.weight", seed), (n_h, n_in), 0, 0.0, 1.0),
        "output.weight": draw_uniform(generator("output.weight", seed), (n_out, n_h), 0, -1.0, 1.0),
    }
