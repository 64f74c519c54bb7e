"""The reduced limit of the five-layer network against a width-800 network in JAX, for the same 3,000 steps.

Run by ``pytest -m benchmark -s tests/benchmarks/test_reduction_cost.py``. Both see the same batches in the
same precision, compiled code warm, on all cores. Solutions of the limit and pieces of the network's training
alternate, and the least time of each counts (times the number of pieces), so that other work on the machine
falls on both alike. The limit's time holds everything that ``mf.solve`` does: it draws nodes and batches,
steps, and evaluates 2000 samples 80 times. The network's holds its steps alone. Derivation and generation of
the solver count as little as JAX's tracing and compilation do.
"""

from __future__ import annotations

import itertools
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.runs.schedule import times as times_of
from tests.radial_reference import Radial

SPEC = Path(__file__).resolve().parents[2] / "specs" / "five_layer_gaussians.toml"
WIDTH, STEPS, PIECES = 800, 3000, 10
# Nodes of the first layer's types and of the output weights: solve's own, and those of tolerance = 1e-2.
CHOICES = {"default": {"h1": 1024, "h4": 32}, "tolerance 1e-2": {"h1": 256, "h4": 16}}
ALLOWED, AIM = 1 / 10, 1 / 20
ACCURACY = 1e-2

pytestmark = pytest.mark.benchmark


class JaxNetwork:
    """The network by hand: scaled SGD in one jitted program for many steps, parameters donated."""

    def __init__(self, network: Any, dtype: Any) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.network, self.dtype = jax, network, dtype
        rng = np.random.default_rng(1)
        sizes = [32, WIDTH, WIDTH, WIDTH, WIDTH, 1]
        laws = [(0.0, 0.25), *[(1.0, 0.1)] * 4]
        draws = [
            mean + deviation * rng.standard_normal((m, n))
            for (n, m), (mean, deviation) in zip(pairwise(sizes), laws, strict=True)
        ]
        # A.5: the product of the widths that index a parameter times its plain gradient.
        weight_factors = [(m if m > 1 else 1) * (n if k else 1) for k, (n, m) in enumerate(pairwise(sizes))]
        bias_factors = sizes[1:]
        self.parameters = (
            [jnp.asarray(w, dtype) for w in draws],
            [jnp.zeros(m, dtype) for m in sizes[1:]],
        )
        rate = network.training.learning_rate

        def outputs(parameters: Any, x: Any) -> Any:
            value, last = x, len(sizes) - 2
            for number, (weight, bias) in enumerate(zip(*parameters, strict=True)):
                value = value @ weight.T / (WIDTH if number else 1) + bias
                value = value if number == last else jax.nn.relu(value)
            return value

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            return ((outputs(parameters, x) - y) ** 2).sum(1).mean()

        def steps(parameters: Any, xs: Any, ys: Any) -> Any:
            def one(number: Any, current: Any) -> Any:
                gradients = jax.grad(loss)(current, xs[number], ys[number])
                return tuple(
                    [p - rate * f * g for p, g, f in zip(group, slopes, factors, strict=True)]
                    for group, slopes, factors in zip(
                        current, gradients, (weight_factors, bias_factors), strict=True
                    )
                )

            return jax.lax.fori_loop(0, len(xs), one, parameters)

        self._steps, self._outputs = jax.jit(steps, donate_argnums=0), jax.jit(outputs)

    def batches(self, first: int, count: int) -> tuple[Any, Any]:
        size = self.network.training.batch_size
        found = [self.network.source.batch(k, size) for k in range(first, first + count)]
        return tuple(np.stack(column).astype(self.dtype) for column in zip(*found, strict=True))

    def warm(self, count: int) -> None:
        copy = self.jax.tree.map(lambda array: array.copy(), self.parameters)
        self.jax.block_until_ready(self._steps(copy, *self.batches(1, count)))

    def advance(self, first: int, count: int) -> float:
        """Train on batches first, first + 1, ...; returns the seconds of the steps."""
        xs, ys = self.batches(first, count)
        begin = time.perf_counter()
        self.parameters = self.jax.block_until_ready(self._steps(self.parameters, xs, ys))
        return time.perf_counter() - begin

    def loss(self, x: Any, y: Any) -> float:
        yhat = np.asarray(self._outputs(self.parameters, x.astype(self.dtype)), dtype=np.float64)
        return float(((yhat - y) ** 2).mean())


def timed_solve(network: Any, prepared: Any, nodes: dict[str, int], dtype: Any) -> tuple[float, Any]:
    system, solver = prepared
    begin = time.perf_counter()
    path = mf.solve(network, nodes=nodes, precision=np.dtype(dtype).name, system=system, solver=solver)
    return time.perf_counter() - begin, path


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_the_limit_costs_a_fraction_of_a_wide_network(dtype: Any) -> None:
    """Asserts that the curves keep to the accuracy, and the allowed fraction for the nodes that it takes.

    Those are the ones that ``solve(tolerance=1e-2)`` chooses; solve's own are four times as many.
    """
    import jax

    network = mf.load(SPEC)
    assert network.training.steps == STEPS and network.training.batch_size == 100
    # Four times the points and another scramble: its own error is less than half of what it measures.
    reference = mf.solve(network, nodes={"h1": 4096, "h4": 64}, seed=99)
    x, y = network.source.evaluation(2000)
    system = mf.reduce(mf.derive(network)).system
    prepared = system, mf.generate(system)
    limit_times: dict[str, list[float]] = {name: [] for name in CHOICES}
    paths: dict[str, Any] = {}
    with jax.enable_x64(dtype == np.float64):
        jax_network = JaxNetwork(network, dtype)
        jax_network.warm(STEPS // PIECES)
        for nodes in CHOICES.values():
            timed_solve(network, prepared, nodes, dtype)
        pieces, losses = [], [jax_network.loss(x, y)]
        for piece in range(PIECES):
            pieces.append(jax_network.advance(1 + piece * STEPS // PIECES, STEPS // PIECES))
            losses.append(jax_network.loss(x, y))
            for name, nodes in CHOICES.items():
                seconds, paths[name] = timed_solve(network, prepared, nodes, dtype)
                limit_times[name].append(seconds)
    times = network.training.learning_rate * np.linspace(0, STEPS, PIECES + 1)
    away = np.abs(losses - np.interp(times, reference.times, reference.loss)).max()
    wide = PIECES * min(pieces)
    rows = {
        name: (min(limit_times[name]), np.abs(paths[name].loss - reference.loss).max()) for name in CHOICES
    }
    print(f"\n{np.dtype(dtype).name}, {os.cpu_count()} cores, t = 3, {STEPS} steps of batch 100")
    print(f"{'':32}{'seconds':>9}{'mean':>9}{'fraction':>10}{'loss curve off by':>19}")
    label = f"network of width {WIDTH} (JAX)"
    print(f"{label:32}{wide:9.2f}{sum(pieces):9.2f}{'1':>10}{away:19.1e}")
    for name, (seconds, distance) in rows.items():
        label, mean = f"limit, {name}", np.mean(limit_times[name])
        print(f"{label:32}{seconds:9.2f}{mean:9.2f}{f'1/{wide / seconds:.0f}':>10}{distance:19.1e}")
    print(f"allowed 1/{1 / ALLOWED:.0f}, aim 1/{1 / AIM:.0f}; loss curve within {ACCURACY}")
    assert all(distance < ACCURACY for _, distance in rows.values())
    assert rows["tolerance 1e-2"][0] < ALLOWED * wide


# Specs, with the reference by hand: solved as ``mf.solve(net, end, method="flow")`` does by itself, or with
# "strides", which make SGD's own steps on the law of the data. The aim is an error of 1e-3 of max(loss, 0.01)
# by 1/200 of the network's time, at best 1/1000.
FLOWS: dict[str, dict[str, Any]] = {
    "five_layer_gaussians": {},
    # Its layers bend at many lengths of x: half of 960 lengths move its losses by 1e-3.
    "five_layer_gaussians_wide_init": {"deviation": 3.0, "last": 200, "lengths": 960},
    "five_layer_tanh": {"deviation": 3.0, "last": 200, "smooth": True},
}
# Rounds of a network's steps and of solutions, in turn.
ROUNDS = 8
# Until then SGD's steps of kinks are made by hand (a few minutes).
LONGEST = 3.0
FLOW_ENDS, FLOW_ALLOWED, FLOW_AIM, FLOW_ACCURACY = (2.0, 10.0), 1 / 40, 1 / 200, 1.5e-3


def reference_losses(end: float, made: dict[str, Any], steps: Any = None) -> Any:
    """The loss of the reduction by hand at all times to the end: steps are small where it falls fast.

    ``steps``: times of SGD's steps, which are made one by one; smooth functions need few lengths.
    """
    from scipy.interpolate import PchipInterpolator

    early, late = 0.1, 0.02
    times = np.concatenate(
        [np.arange(0, 101) * early / 100, np.arange(1, 1 + round((end - early) / late)) * late + early]
    )
    if steps is not None:
        times = steps
    work = Radial(**{"lengths": 60 if made.get("smooth") and steps is not None else 240, **made})
    state, losses = work.start(), []
    for now, then in itertools.pairwise([*times, times[-1]]):
        losses.append(work.pass_through(state)[0])
        state = work.stepped(state, then - now, "rk4" if steps is None else "euler")
    return PchipInterpolator(times, losses)


def expected_losses(network: Any, path: Any, method: str, made: dict[str, Any]) -> Any:
    """What the losses of a solution should be: by hand, but for many of SGD's steps of kinks.

    These take the reduction by hand a quarter of an hour; the program makes them one by one on its nodes.
    """
    end, sgd = float(path.times[-1]), np.asarray(times_of(network.training, int(path.steps[-1])))
    if method == "strides" and end > LONGEST and not made.get("smooth"):
        return mf.solve(network, end, method="euler", data="quadrature", stated_error=False).loss
    return reference_losses(end, made, sgd if method == "strides" else None)(path.times)


@pytest.mark.parametrize("method", ["flow", "strides"])
@pytest.mark.parametrize("spec", FLOWS)
def test_lengths_and_angles_cost_a_small_fraction(spec: str, method: str) -> None:
    """Flows, and SGD's steps, in lengths and angles, against the reduction by hand (radial_reference.py).

    With and without the stated error; derivation and compilation count as little as JAX's do. The network's
    time is that of relu, steps alone. The reference is known to 3e-4: twice as many lengths move it by that.
    """
    import jax

    network = mf.load(SPEC.with_name(f"{spec}.toml"))
    with jax.enable_x64(True):
        wide = JaxNetwork(mf.load(SPEC), np.float64)
        wide.warm(100)
    for end in FLOW_ENDS:
        first = mf.solve(network, end, method=method)
        prepared = {"system": first.reduced, "solver": mf.generate(first.reduced)}
        seconds: dict[bool, list[float]] = {True: [], False: []}
        steps = []
        for number in range(ROUNDS):  # in turn: the speed of a machine changes from minute to minute
            with jax.enable_x64(True):
                steps.append(wide.advance(1 + 100 * number, 100) / 100)
            for stated in (True, False) * 2:
                begin = time.perf_counter()
                mf.solve(network, end, method=method, stated_error=stated, **prepared)
                seconds[stated].append(time.perf_counter() - begin)
        network_seconds = min(steps)
        expected = expected_losses(network, first, method, FLOWS[spec])
        off = np.abs(first.loss - expected)
        relative = (off / np.maximum(expected, 0.01)).max()
        whole = network_seconds * int(first.steps[-1])
        with_error, alone = min(seconds[True]), min(seconds[False])
        print(
            f"\n{spec}, {method} to t = {end:g}: {with_error:.2f} s with its stated error, {alone:.2f} s "
            f"without, width {WIDTH} in JAX {whole:.0f} s: 1/{whole / with_error:.0f} and "
            f"1/{whole / alone:.0f} (aim 1/{1 / FLOW_AIM:.0f}); loss off by {relative:.1e}, "
            f"stated {np.max(first.loss_error):.1e}, true {off.max():.1e}; {first.notes['nodes']}"
        )
        assert relative < FLOW_ACCURACY
        assert (off <= first.loss_error + 3e-4 * np.maximum(expected, 0.01)).all()
        assert with_error < FLOW_ALLOWED * whole
