"""One step of the unreduced eight-layer convolutional network (Table 1) against JAX jit's SGD step.

Run by ``pytest -m benchmark -s tests/benchmarks/test_convolution_step.py``. 50 filters a layer, batch 50, the
same start and the same batch in the same precision, compiled code warm, on all cores. The repetitions of both
alternate and the least time of each counts, so that other work on the machine falls on both alike. JAX's
network is written by hand for the layout that its compiler prefers on a processor (channels last), and its
parameters are donated. The solver runs as in ``mf.solve``: its own threads share out the samples, and each
product of a sample has one thread of BLAS.
"""

from __future__ import annotations

import math
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.solution.threads import fitting_threads, largest_product

from .timing import least_times

SPEC = Path(__file__).resolve().parents[2] / "specs" / "cnn_nguyen_table1.toml"
FILTERS, BATCH, REPETITIONS = 50, 50, 25
ALPHA = 0.08
ALLOWED = 2.0
# Layer -> stride, and the layers before which a 3 x 3 maximum of stride 2 is taken.
CONVOLUTIONS = {"c1": 2, "c2": 2, "c3": 1, "c4": 1, "c5": 1, "c6": 1, "c7": 1}
POOLED = ("c6", "output")

pytestmark = pytest.mark.benchmark


def jax_step(dtype: Any) -> Callable[[Any, Any, Any], Any]:
    """The jitted step (parameters, x, y) -> parameters; kernels are [height, width, in, out].

    Gradients are scaled by the widths that index a parameter (theory A.5) and by the spec's rates.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    def pooled(value: Any) -> Any:
        low = np.array(-np.inf, dtype)
        return lax.reduce_window(value, low, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")

    def outputs(parameters: Any, x: Any) -> Any:
        value = x
        for name, stride in CONVOLUTIONS.items():
            weight, bias = parameters[name]
            value = pooled(value) if name in POOLED else value
            average = 1 if name == "c1" else weight.shape[0] * weight.shape[1] * weight.shape[2]
            value = lax.conv_general_dilated(
                value, weight, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            value = jax.nn.relu(value / average + bias)
        weight, bias = parameters["output"]
        value = pooled(value).reshape(len(x), -1)
        return value @ weight / value.shape[1] + bias

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return -(y * jax.nn.log_softmax(outputs(parameters, x))).sum(1).mean()

    def step(parameters: Any, x: Any, y: Any) -> Any:
        gradients = jax.grad(loss)(parameters, x, y)
        factors = dict.fromkeys(CONVOLUTIONS, (81.0 * FILTERS**2, 9.0 * FILTERS))
        factors |= {"c1": (9.0 * FILTERS, 9.0 * FILTERS), "c7": (36.0 * FILTERS**2, 4.0 * FILTERS)}
        factors |= {"output": (40.0 * FILTERS, 10.0)}
        return {
            name: tuple(
                p - jnp.asarray(ALPHA * f, dtype) * g
                for p, g, f in zip(parameters[name], gradients[name], factors[name], strict=True)
            )
            for name in parameters
        }

    return jax.jit(step, donate_argnums=0)


def to_jax(state: Any) -> Any:
    """The parameters of a state, channels last."""
    import jax.numpy as jnp

    found = {
        name: (state[f"{name}.weight"].transpose(2, 3, 1, 0), state[f"{name}.bias"]) for name in CONVOLUTIONS
    }
    head = state["output.weight"].transpose(2, 3, 1, 0)
    found["output"] = (head.reshape(-1, head.shape[-1]), state["output.bias"])
    return {name: tuple(jnp.array(value) for value in pair) for name, pair in found.items()}


def largest_difference(state: Any, parameters: Any, start: Any) -> float:
    """The largest difference of the two steps, in units of each parameter's largest change."""
    worst = 0.0
    for name, pair in to_jax(state).items():
        for ours, theirs, before in zip(pair, parameters[name], to_jax(start)[name], strict=True):
            change = np.abs(np.asarray(theirs) - np.asarray(before)).max()
            worst = max(worst, float(np.abs(np.asarray(ours) - np.asarray(theirs)).max() / change))
    return worst


def step_memory(module: Any, state: Any, x: Any, y: Any) -> tuple[int, int]:
    """Bytes that a first step allocates beside fields and parameters, and bytes of the fields."""
    module.WORKSPACE.arrays.clear()
    tracemalloc.start()
    module.step(state, x, y, 0.0, 0.0, out=state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = module.SIZES | {axis: len(p) for axis, p in state["p"].items()} | {"data": len(x)}
    given = {*module.PARAMETERS, "x", "y"}
    held = sum(math.prod(size[a] for a in axes) for name, axes in module.FIELDS.items() if name not in given)
    held *= x.itemsize
    return peak - held, held


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_convolution_step_within_twice_of_jax(dtype: Any, tmp_path: Path) -> None:
    """Prints times and memory; asserts the ratio, equal steps, and no patches of the whole batch.

    The steps agree to rounding, in units of each parameter's largest change: a parameter near 1 is stored to
    one ulp (2e-16, 1.2e-7) and its array changes by 1e-4 or more, which makes 2e-12 and 1e-3; the bounds
    leave a factor for sums of thousands of terms in another order.
    """
    import jax

    network = mf.load(SPEC)
    limit = mf.derive(network)
    module = mf.generate(limit, tmp_path)
    state = module.sample(FILTERS, seed=0, dtype=dtype)
    x, y = (array.astype(dtype) for array in network.source.batch(1, BATCH))
    products = largest_product(draw_noise(limit), dict.fromkeys(module.MEASURES, FILTERS), BATCH)
    with jax.enable_x64(dtype == np.float64), fitting_threads(products):
        step = jax_step(dtype)
        images = jax.numpy.asarray(x.transpose(0, 2, 3, 1))
        current = [step(to_jax(state), images, y)]
        ours = module.step(state, x, y, 0.0, ALPHA)
        off = largest_difference(ours, current[0], state)

        def advance() -> None:
            current[0] = jax.block_until_ready(step(current[0], images, y))

        solver, other = least_times(
            REPETITIONS, lambda: module.step(state, x, y, 0.0, 1e-9, out=state), advance
        )
    beside, held = step_memory(module, state, x, y)
    patches = BATCH * 8 * 8 * FILTERS * 9 * x.itemsize
    print(f"\n{np.dtype(dtype).name}, {os.cpu_count()} cores: {FILTERS} filters, batch {BATCH}")
    print(f"milliseconds, least of {REPETITIONS}: solver {solver * 1e3:.1f}, JAX {other * 1e3:.1f}, ", end="")
    print(f"ratio {solver / other:.2f} (allowed {ALLOWED}); steps differ by {off:.1e} of the change")
    print(f"megabytes: fields {held / 1e6:.1f}, beside them {beside / 1e6:.2f}; ", end="")
    print(f"patches of one layer's whole batch {patches / 1e6:.1f}")
    assert off < (1e-10 if dtype == np.float64 else 2e-2)
    assert beside < patches / 4
    assert solver <= ALLOWED * other
