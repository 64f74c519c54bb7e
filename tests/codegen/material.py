"""Networks that between them need every contraction plan, states with unequal weights, and comparisons."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.codegen.generate import SOLVER, load_solver
from mfderive.codegen.numba.module import solver_source
from mfderive.tensor.interpreter import interpret

Array = Any
SPECS = Path(__file__).resolve().parents[2] / "specs"

_HEAD = """
format = 1
title = "{name}"
[data]
kind = "teacher"
{shape}
[loss]
kind = "{loss}"
"""
_TAIL = """
[training]
learning_rate = 0.1
batch_size = 10
steps = 10
"""
_FLAT = 'dimension = 3\ntarget = "x1 - x2"'
_LINE = 'dimension = 18\ntarget = "x1 - x2"\nshape = [2, 9]'

_BODIES: dict[str, tuple[str, str, str]] = {
    # A rate in t, a frozen gain, a factor outside the reduction, and a weight inside tanh.
    "gate_and_operation": (
        _FLAT,
        "squared",
        """
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "tanh(h)"
[[layers]]
name = "h2"
activation = "gain * elu(h + b)"
parameters.gain = { law = "normal(1, 0.2)", rate = 0 }
parameters.b = { law = "normal(0, 1)", rate = "1/(1 + t)" }
[[layers.connections]]
from = "h1"
weight = "normal(0.3, 1)"
operation = "target.gain * w * u"
[[layers.connections]]
from = "h1"
weight = "normal(0.3, 1)"
operation = "tanh(w * u)"
[[layers.connections]]
from = "h1"
weight = "normal(0.3, 1)"
operation = "w**2 * softplus(u)"
[output]
from = "h2"
outputs = 1
weight = "normal(1, 0.1)"
bias = "0"
""",
    ),
    # Inside one population, used twice, and tied to the transposed weight of another pair.
    "tied_transposed": (
        _FLAT,
        "huber",
        """
[[layers]]
name = "a"
from = "x"
weight = "normal(0, 1)"
activation = "tanh"
[[layers]]
name = "b"
activation = "sigmoid"
[[layers.connections]]
from = "a"
weight = { name = "T", law = "normal(0.2, 1)" }
[[layers]]
name = "c"
neurons = "a"
activation = "tanh(h)"
[[layers.connections]]
from = "b"
weight = { name = "T", transpose = true }
[[layers.connections]]
from = "a"
kind = "skip"
[[layers.connections]]
from = "a"
weight = { name = "V", law = "normal(0.2, 1)" }
[[layers]]
name = "e"
neurons = "a"
activation = "gelu"
[[layers.connections]]
from = "c"
weight = { name = "V" }
[output]
from = "e"
outputs = 1
weight = "normal(1, 0.1)"
""",
    ),
    "norm_and_bottleneck": (
        _FLAT,
        "squared",
        """
[[layers]]
name = "h1"
from = "x"
weight = "normal(0, 1)"
activation = "tanh(gain * (h - mean(h)) / sqrt(mean((h - mean(h))**2) + 0.01))"
parameters.gain = "normal(1, 0.2)"
[[layers]]
name = "narrow"
size = 2
from = "h1"
weight = "normal(0.5, 1)"
activation = "silu"
[[layers]]
name = "h2"
from = "narrow"
weight = "normal(0.5, 1)"
bias = "0.1"
activation = "leaky_relu"
[output]
from = "h2"
outputs = 1
weight = "normal(1, 0.1)"
""",
    ),
    # Strided and padded convolutions, a position-wise maximum, softmax over positions, a dense head.
    "convolutions": (
        _LINE,
        "squared",
        """
[[layers]]
name = "c1"
activation = "relu(h + b)"
parameters.b = "normal(0, 0.3)"
[[layers.connections]]
from = "x"
kind = "convolution"
weight = "normal(0, 1)"
kernel = [3]
stride = [2]
padding = [1]
[[layers]]
name = "c2"
activation = "h * softmax(h, positions) + max(h, positions)"
[[layers.connections]]
from = "c1"
kind = "convolution"
weight = "normal(0.5, 1)"
kernel = [3]
padding = "same"
[output]
from = "c2"
outputs = 1
weight = "normal(1, 0.3)"
bias = "0"
""",
    ),
}
MATERIAL = tuple(_BODIES)


def limit(name: str) -> Any:
    """The limit of one of the networks above, or of a shipped spec."""
    if name not in _BODIES:
        return mf.derive(mf.load(SPECS / f"{name}.toml"))
    shape, loss, body = _BODIES[name]
    text = _HEAD.format(name=name, shape=shape, loss=loss) + body + _TAIL
    return mf.derive(mf.load(tomllib.loads(text)))


def write_solver(system: Any, folder: Path, compiled: bool = True) -> Any:
    """Only the solver of a system, imported (generate writes the equations too)."""
    (folder / SOLVER).write_text(solver_source(draw_noise(system)), encoding="utf-8")
    return load_solver(folder, compiled)


def weighted_case(module: Any, seed: int = 0, width: int = 5, samples: int = 4) -> tuple[Any, ...]:
    """State with unequal weights (one of them 0), x, y and unequal weights of the samples."""
    rng = np.random.default_rng(seed)
    layout = module.layout
    state = module.sample({axis: width + n for n, axis in enumerate(layout.measures)}, seed)
    for axis, values in state["p"].items():
        weights = rng.random(len(values))
        weights[1] = 0.0
        state["p"][axis] = weights / weights.sum()
    x = rng.normal(size=(samples, *(layout.sizes[axis] for axis in layout.fields["x"][1:])))
    y = rng.normal(size=(samples, layout.sizes["outputs"]))
    data = rng.random(samples)
    return state, x, y, data / data.sum()


def cast(state: Any, dtype: Any) -> Any:
    """The state in another precision (new arrays)."""
    result = {name: value.astype(dtype) for name, value in state.items() if name != "p"}
    result["p"] = {axis: values.astype(dtype) for axis, values in state["p"].items()}
    return result


def worst_error(system: Any, speed: Any, rates: Any, case: tuple[Any, ...], **options: Any) -> float:
    """Largest |velocity - plain interpreter| over the same equations with every factor made positive."""
    state, x, y, weights = case
    values, magnitudes = interpret(system, state, x, y, weights)
    worst = 0.0
    for name, rate in rates.items():
        error = np.abs(speed[name] - rate * values[system.velocity_of[name]]).max()
        worst = max(worst, float(error / max(magnitudes[system.velocity_of[name]].max(), 1e-300)))
    return worst
