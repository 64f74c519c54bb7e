"""What fluctuations take beside a solution, in processor time: a reduced five-layer spec.

Run by ``pytest -m benchmark -s -n 0 tests/benchmarks/test_fluctuations_cost.py`` with OMP_NUM_THREADS=1. The
solution is that of the same steps of SGD on the same nodes, without its stated error; compiled code is warm.
The bound of 20 solutions is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import mfderive as mf

STEPS, BOUND = 100, 20
CASES: dict[str, dict[str, Any]] = {
    "outputs at the end": {},
    "outputs and loss at three times": {"share": (1 / 3, 2 / 3, 1.0), "loss": True},
    "outputs and batches at the end": {"batches": True},
}

pytestmark = pytest.mark.benchmark


def least(repetitions: int, function: Callable[[], Any]) -> float:
    """The least processor time of some calls, in seconds."""
    found = []
    for _ in range(repetitions):
        begin = time.process_time()
        function()
        found.append(time.process_time() - begin)
    return min(found)


@pytest.mark.parametrize("name", ["five_layer_gaussians", "five_layer_tanh"])
def test_fluctuations_beside_a_solution(name: str) -> None:
    """At most 20 times the solution, for everything that is asked for at once."""
    network = mf.load(f"specs/{name}.toml")
    end = STEPS * float(network.training.learning_rate)

    def solved() -> Any:
        return mf.solve(network, steps=STEPS, stated_error=False, symmetry=False)

    def predicted(share: tuple[float, ...] = (1.0,), **options: Any) -> Any:
        return mf.fluctuations(network, [end * part for part in share], **options)

    solved()
    mf.fluctuations(network, end / STEPS, loss=True, batches=True)
    whole = least(2, solved)
    for case, options in CASES.items():
        own = least(1, lambda options=options: predicted(**options))
        print(
            f"\n{name}, {case}: {own:.2f} s, {own / whole:.1f} solutions of {whole:.2f} s", end="", flush=True
        )
        assert own < BOUND * whole, case
