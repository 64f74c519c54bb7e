"""The limit on images of MNIST's size against a network of width 1600 in JAX, four layers, the same steps.

Run by ``pytest -m benchmark -s tests/benchmarks/test_images_cost.py``. ``MFDERIVE_MNIST`` is a folder with
``train-images-idx3-ubyte.gz`` and ``train-labels-idx1-ubyte.gz``; without it pixels are random,
which costs as much. Both see the same batches in float32, compiled code warm. The limit's time is all of
``mf.solve``: nodes, batches, steps, evaluation and its stated error; the network's is its steps alone,
of which 100 are timed.
"""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf

# At twice this rate single steps throw the loss up, at other steps in any two ensembles.
RATE = 0.02
WIDTH, STEPS, PIECE, REPETITIONS = 1600, 2000, 100, 2
NODES = {"h1": 256, "h3": 2048}
ALLOWED = 1 / 10

pytestmark = pytest.mark.benchmark


def images() -> dict[str, Any]:
    """The table [data], and arrays where there are no files."""
    folder = os.environ.get("MFDERIVE_MNIST")
    if folder:
        files = {"images": "train-images-idx3-ubyte.gz", "labels": "train-labels-idx1-ubyte.gz"}
        return {
            "table": {
                "kind": "idx",
                "range": [-1, 1],
                **{key: str(Path(folder, name)) for key, name in files.items()},
            },
            "data": None,
        }
    rng = np.random.default_rng(0)
    return {
        "table": {"kind": "arrays"},
        "data": (rng.random((20000, 784)), rng.integers(0, 10, 20000).astype(float)),
    }


def network() -> Any:
    found = images()
    hidden = {"weight": "normal(1, 0.1)", "bias": "0", "activation": "relu"}
    document = {
        "format": 1,
        "data": found["table"],
        "loss": {"kind": "cross-entropy"},
        "layers": [
            {"name": "h1", "from": "x", **hidden, "weight": "normal(0, sqrt(2/784))"},
            {"name": "h2", "from": "h1", **hidden},
            {"name": "h3", "from": "h2", **hidden},
        ],
        "output": {"from": "h3", "weight": "normal(0, 1)", "bias": "0"},
        "training": {"learning_rate": RATE, "batch_size": 100, "steps": STEPS},
    }
    return mf.load(document, data=found["data"])


def jax_steps(net: Any) -> Any:
    """A function that trains the network by hand for ``PIECE`` steps."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(1)
    sizes = [784, WIDTH, WIDTH, WIDTH, 10]
    factors = [(m if m != 10 else 1) * (n if k else 1) for k, (n, m) in enumerate(pairwise(sizes))]
    batches = [net.source.batch(k, 100) for k in range(1, PIECE + 1)]
    xs = jnp.asarray(np.stack([x.reshape(100, -1) for x, _ in batches]), np.float32)
    ys = jnp.asarray(np.stack([y for _, y in batches]), np.float32)

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        value = x
        for number, (weight, bias) in enumerate(parameters):
            value = value @ weight.T / (WIDTH if number else 1) + bias
            value = value if number == len(sizes) - 2 else jax.nn.relu(value)
        return -(y * jax.nn.log_softmax(value)).sum(1).mean()

    def steps(parameters: Any) -> Any:
        def one(number: Any, current: Any) -> Any:
            slopes = jax.grad(loss)(current, xs[number], ys[number])
            return [
                (weight - RATE * f * dw, bias - RATE * len(bias) * db)
                for (weight, bias), (dw, db), f in zip(current, slopes, factors, strict=True)
            ]

        return jax.lax.fori_loop(0, PIECE, one, parameters)

    start = [
        (jnp.asarray(rng.normal(1.0 if k else 0.0, 0.1, (m, n)), np.float32), jnp.zeros(m, np.float32))
        for k, (n, m) in enumerate(pairwise(sizes))
    ]
    compiled = jax.jit(steps)
    return lambda: jax.block_until_ready(compiled(start))


def test_images_cost_a_tenth_of_a_wide_network() -> None:
    """Prints seconds, the ratio and the stated error; asserts the ratio that is allowed."""
    net = network()
    train = jax_steps(net)
    solve = lambda: mf.solve(net, nodes=NODES, precision="float32")  # noqa: E731
    train(), solve()
    least = {"network": np.inf, "limit": np.inf}
    for _ in range(REPETITIONS):
        for name, run in (("network", train), ("limit", solve)):
            begin = time.perf_counter()
            result = run()
            least[name] = min(least[name], time.perf_counter() - begin)
    path = result
    least["network"] *= STEPS / PIECE
    ratio = least["limit"] / least["network"]
    print(
        f"\n{STEPS} steps of batch 100: network {least['network']:.2f} s, limit {least['limit']:.2f} s "
        f"(1/{1 / ratio:.1f}); loss {path.loss[-1]:.4f}, known to within {path.loss_error[-1]:.2g}"
    )
    assert ratio < ALLOWED
