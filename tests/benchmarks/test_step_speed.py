"""The fused Euler step of the five-layer ReLU network against its own products, and JAX against its own.

Run by ``pytest -m benchmark -s tests/benchmarks``. The machine should be idle: every figure is the least of
many interleaved repetitions, which removes other work only where there are quiet moments.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf

from .timing import least_times

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"
WIDTH, REPETITIONS = 800, 30
# Aims: the step costs at most so much more than its matrix products alone.
AIMS = {1000: 1.3, 100: 1.5}
CASES = [(batch, dtype) for batch in (1000, 100) for dtype in (np.float32, np.float64)]

pytestmark = pytest.mark.benchmark


def solver_times(module: Any, batch: int, dtype: Any) -> tuple[float, float]:
    """Seconds of a step in place, and of its matrix products alone, through the same wrapper."""
    state = module.sample(WIDTH, seed=0, dtype=dtype)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(batch, 32)).astype(dtype), np.ones((batch, 1), dtype)
    calls: list[tuple[Any, Any, Any]] = []
    product, prepare = module.matrix_product, module.prepared_product

    def record(out: Any, left: Any, right: Any, *rest: Any) -> Any:
        calls.append((out, left, right))
        return prepare(out, left, right, *rest)

    module.prepared_product = record
    try:
        module.step(state, x, y, 0.0, 1e-9, out=state)
    finally:
        module.prepared_product = prepare
    outputs = [np.empty_like(out) for out, _, _ in calls]

    def products() -> None:
        for (_, left, right), out in zip(calls, outputs, strict=True):
            product(out, left, right, 1e-3)

    step, pure = least_times(REPETITIONS, lambda: module.step(state, x, y, 0.0, 1e-9, out=state), products)
    return step, pure


def jax_times(batch: int, dtype: Any) -> tuple[float, float]:
    """The same for a jitted SGD step with donated parameters, and for its matrix products jitted alone."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(dtype == np.float64):
        rng = np.random.default_rng(0)
        sizes = [32, WIDTH, WIDTH, WIDTH, WIDTH, 1]
        weights = [jnp.asarray(rng.normal(size=(m, n)), dtype) for n, m in pairwise(sizes)]
        biases = [jnp.zeros(m, dtype) for m in sizes[1:]]
        x, y = jnp.asarray(rng.normal(size=(batch, 32)), dtype), jnp.ones((batch, 1), dtype)

        def loss(parameters: Any) -> Any:
            value = x
            for number, (weight, bias) in enumerate(zip(*parameters, strict=True)):
                value = value @ weight.T / (1 if number == 0 else WIDTH) + bias
                value = value if number == len(sizes) - 2 else jax.nn.relu(value)
            return ((value - y) ** 2).sum(1).mean()

        def update(parameters: Any) -> Any:
            return jax.tree.map(lambda p, g: p - 1e-9 * g, parameters, jax.grad(loss)(parameters))

        fields = [jnp.asarray(rng.normal(size=(batch, size)), dtype) for size in sizes]

        def products(weights: Any, fields: Any) -> Any:
            layers = list(zip(weights, fields, fields[1:], strict=False))
            return (
                [below @ weight.T for weight, below, _ in layers],
                [above @ weight for weight, _, above in layers[1:]],
                [above.T @ below for _, below, above in layers],
            )

        step, pure = jax.jit(update, donate_argnums=0), jax.jit(products)
        current = [step((weights, biases))]
        weights = [jnp.array(weight) for weight in current[0][0]]
        jax.block_until_ready((current, pure(weights, fields)))

        def advance() -> None:
            current[0] = jax.block_until_ready(step(current[0]))

        return tuple(least_times(REPETITIONS, advance, lambda: jax.block_until_ready(pure(weights, fields))))


def kernels() -> str:
    """Which BLAS kernels ran, and on how many threads."""
    from threadpoolctl import threadpool_info

    rows = [row for row in threadpool_info() if row["user_api"] == "blas"]
    return ", ".join(
        f"{Path(row['filepath']).name}: {row['internal_api']} {row.get('version')} "
        f"{row.get('architecture')} on {row['num_threads']} threads"
        for row in rows
    )


def test_step_costs_little_more_than_its_products(tmp_path: Path) -> None:
    """Prints milliseconds and ratios; asserts the aims for the generated step."""
    module = mf.generate(mf.derive(mf.load(SPEC)), tmp_path)
    ratios = {}
    print(f"\n{kernels()}\nwidth {WIDTH}; milliseconds, least of {REPETITIONS}")
    print(f"{'batch':>6}{'precision':>11}{'step':>9}{'products':>10}{'ratio':>7}", end="")
    print(f"{'JAX step':>11}{'products':>10}{'ratio':>7}")
    for batch, dtype in CASES:
        step, pure = solver_times(module, batch, dtype)
        other, other_pure = jax_times(batch, dtype)
        ratios[batch, dtype] = step / pure
        print(
            f"{batch:>6}{np.dtype(dtype).name:>11}{step * 1e3:>9.2f}{pure * 1e3:>10.2f}{step / pure:>7.2f}",
            end="",
        )
        print(f"{other * 1e3:>11.2f}{other_pure * 1e3:>10.2f}{other / other_pure:>7.2f}")
    assert all(ratio < AIMS[batch] for (batch, _), ratio in ratios.items()), ratios
