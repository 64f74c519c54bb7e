"""Seconds from a limit to compiled code: cold, warm, and how they grow with depth.

Run: python -m pytest -m benchmark -s tests/benchmarks/test_generate_time.py
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.benchmark

# Runs in a process of its own, so that imports and the caches of numba are counted as a user meets them.
SCRIPT = """
import json, sys, time
start = time.perf_counter()
import numpy as np
import mfderive as mf
depth = int(sys.argv[1])
layers = [{"name": "h1", "from": "x", "weight": "normal(0, 0.3)", "bias": "0", "activation": "relu"}]
for number in range(2, depth):
    layers.append({"name": f"h{number}", "from": f"h{number - 1}", "weight": "normal(1, 0.1)", "bias": "0",
                   "activation": "relu"})
net = mf.load({
    "format": 1,
    "data": {"kind": "isotropic-gaussians", "dimension": 32, "separation": 0.4},
    "loss": {"kind": "squared"},
    "layers": layers,
    "output": {"from": f"h{depth - 1}", "weight": "normal(1, 0.1)", "bias": "0"},
    "training": {"learning_rate": 0.001, "steps": 10},
})
loaded = time.perf_counter()
solver = mf.generate(mf.derive(net))
state = solver.sample(widths=8, seed=0)
x, y = net.source.batch(1, 4)
solver.step(state, x, y, 0.0, 0.001)
done = time.perf_counter()
print(json.dumps([loaded - start, done - loaded]))
"""


def seconds(depth: int, cache: str) -> tuple[float, float]:
    """Seconds for imports with loading, and for derive + generate + compile with the first step."""
    environment = {**os.environ, "MFDERIVE_CACHE": cache}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(depth)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    return first, second


def test_from_limit_to_compiled_code(tmp_path):
    """Five layers: at most 15 s cold (aim 6) and below 2 s warm; at most linear in depth up to 40 layers."""
    cold, warm = {}, {}
    print()
    for depth in (5, 10, 20, 40):
        load, cold[depth] = seconds(depth, str(tmp_path / str(depth)))
        _, warm[depth] = seconds(depth, str(tmp_path / str(depth)))
        print(f"{depth:3d} layers: load {load:.2f} s, cold {cold[depth]:.2f} s, warm {warm[depth]:.2f} s")
    assert cold[5] <= 15
    assert warm[5] < 2
    assert cold[40] <= 8 * cold[5]
