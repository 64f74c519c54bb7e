"""The plain columns of muP and NTK in networks that are written by hand, without mfderive: plain sums."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfderive as mf
from mfderive.scaling.width_conventions import Convention
from tests.reduction.specs import document, layer

Array = Any
Forward = Any


def stream(p: Mapping[str, Array], x: Array) -> Array:
    """A residual stream h1 + V tanh(W tanh(h1)), a layer behind it, an output."""
    first = jnp.tanh(x @ p["h1.weight"].T)
    second = first + jnp.tanh(first @ p["inner.weight"].T + p["inner.bias"]) @ p["h2.weight"].T
    return jnp.tanh(second @ p["h3.weight"].T) @ p["output.weight"].T


def flattened(p: Mapping[str, Array], x: Array) -> Array:
    """Two convolutions of three taps, and an output with a weight for each channel and position."""
    padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1)))
    windows = jnp.stack([padded[:, :, t : t + 6] for t in range(3)], axis=-1)
    first = jnp.tanh(jnp.einsum("ckt,skpt->scp", p["c1.weight"], windows) + p["c1.bias"][None, :, None])
    windows = jnp.stack([first[:, :, t : t + 4] for t in range(3)], axis=-1)
    second = jnp.tanh(jnp.einsum("ckt,skpt->scp", p["c2.weight"], windows))
    return jnp.einsum("ocp,scp->so", p["output.weight"], second) + p["output.bias"]


def tied(p: Mapping[str, Array], x: Array) -> Array:
    """An embedding, two hidden layers, the embedding as the output with the 1/n of its column in front."""
    last = jnp.tanh(jnp.tanh(jnp.tanh(x @ p["E"].T) @ p["m.weight"].T) @ p["f.weight"].T)
    return last @ p["E"] / len(p["E"])


NORMAL = "normal(0, 1)"
STREAM = document(
    [
        layer("h1", "x", NORMAL),
        layer("inner", "h1", NORMAL, bias="0"),
        {
            "name": "h2",
            "neurons": "h1",
            "connections": [{"from": "h1", "kind": "skip"}, {"from": "inner", "weight": NORMAL}],
        },
        layer("h3", "h2", NORMAL),
    ],
    {"from": "h3", "weight": NORMAL},
)
CONVOLUTION = {"kind": "convolution", "kernel": [3]}
FLATTENED = document(
    [
        layer("c1", "x", NORMAL, **CONVOLUTION, padding="same", bias="0"),
        layer("c2", "c1", NORMAL, **CONVOLUTION),
    ],
    {"from": "c2", "weight": NORMAL, "bias": "0"},
    data={"kind": "teacher", "dimension": 6, "shape": [1, 6], "target": "tanh(x1 + x2)"},
)
MEANS = {"kind": "gaussian-mixture", "means": [[1.0, 0.0], [-1.0, 0.5]], "deviations": 0.3}
TIED = document(
    [
        layer("e", "x", {"name": "E", "law": NORMAL}),
        layer("m", "e", NORMAL),
        {**layer("f", "m", NORMAL), "neurons": "e"},
    ],
    {"from": "f", "weight": {"name": "E", "transpose": True}},
    data={**MEANS, "labels": [0, 1], "y": "x"},
)
# The shapes of the parameters; n: the width.
CASES: dict[str, tuple[Any, Forward, tuple[int, ...], dict[str, tuple[Any, ...]]]] = {
    "stream": (
        STREAM,
        stream,
        (3,),
        {
            "h1.weight": ("n", 3),
            "inner.weight": ("n", "n"),
            "inner.bias": ("n",),
            "h2.weight": ("n", "n"),
            "h3.weight": ("n", "n"),
            "output.weight": (1, "n"),
        },
    ),
    "flattened": (
        FLATTENED,
        flattened,
        (1, 6),
        {
            "c1.weight": ("n", 1, 3),
            "c1.bias": ("n",),
            "c2.weight": ("n", "n", 3),
            "output.weight": (1, "n", 4),
            "output.bias": (1,),
        },
    ),
    "tied": (TIED, tied, (2,), {"E": ("n", 2), "m.weight": ("n", "n"), "f.weight": ("n", "n")}),
}


@cache
def effects(case: str) -> Any:
    """What steps of each parameter alone do to the output: mean squares by (parameter, rule), compiled."""
    _, forward, shape, _ = CASES[case]
    x = np.random.default_rng(5).standard_normal((8, *shape))

    def found(p: dict[str, Array], rates: dict[str, dict[str, Array]]) -> dict[tuple[str, str], Array]:
        # A residual of 1 at every sample, so that its own scatter is not measured.
        gradient = jax.grad(lambda q: jnp.mean(jnp.sum(forward(q, x), axis=1)))(p)
        steps = {"sgd": gradient, "adam": {name: jnp.sign(own) for name, own in gradient.items()}}
        still = {name: jnp.zeros_like(own) for name, own in p.items()}
        moved = {}
        for rule, by_name in steps.items():
            for name, step in by_name.items():
                alone = {**still, name: rates[rule][name] * step}
                moved[f"{name}, {rule}"] = jnp.mean(jax.jvp(lambda q: forward(q, x), (p,), (alone,))[1] ** 2)
        return moved

    return jax.jit(found)


@pytest.mark.parametrize("convention", [Convention.MUP, Convention.NTK])
@pytest.mark.parametrize("case", CASES)
def test_a_step_of_each_parameter_moves_the_output_by_order_1(case: str, convention: Convention) -> None:
    """Widths 32 and 256, starts and rates of the plain columns, steps of SGD and of the sign (Adam).

    Slopes of the output's change: within a quarter, half of what a wrong factor makes of it.
    """
    spec, _, _, shapes = CASES[case]
    found = mf.scalings(mf.load(spec), plain=True)
    if convention in dict(found.refused):
        assert case == "tied"
        return
    own = {name: found.row[name].factors[convention] for name in shapes}
    populations = {name for row in found.rows for name in row.infinite}
    sizes = []
    for width in (32, 256):
        widths = dict.fromkeys(populations, float(width))
        rates = {
            rule: {name: each.rule[rule].rate.value(widths) for name, each in own.items()}
            for rule in ("sgd", "adam")
        }
        squares = []
        for seed in range(4):
            rng = np.random.default_rng([seed, width])
            p = {}
            for name, axes in shapes.items():
                entries = rng.standard_normal([width if axis == "n" else axis for axis in axes])
                p[name] = own[name].deviation.value(widths) * entries
            squares.append(effects(case)(p, rates))
        sizes.append({key: float(np.sqrt(sum(each[key] for each in squares))) for key in squares[0]})
    slopes = {key: np.log(sizes[1][key] / sizes[0][key]) / np.log(8) for key in sizes[0]}
    assert len(slopes) == 2 * len(shapes)
    assert all(abs(slope) < 0.25 for slope in slopes.values()), slopes
