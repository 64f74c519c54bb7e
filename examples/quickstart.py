"""The public surface in one minute: from a spec to the limit, its solver, its witness and a finite network.

Run it from the root of the repository: ``python examples/quickstart.py``.
"""

from pathlib import Path

import numpy as np

import mfderive as mf

SPEC = Path(__file__).parent.parent / "specs" / "three_layer.toml"


def main() -> dict[str, float]:
    net = mf.load(SPEC)
    limit = mf.derive(net)
    print(limit)
    print(limit.forward["h2"])  # a sympy tree for display

    reduced = mf.reduce(limit)
    print(*reduced.log, sep="\n")

    # The generated velocity is the scaled gradient of a finite network, to rounding.
    solver = mf.generate(limit)
    state = solver.sample(widths=16, seed=0)
    x, y = net.source.batch(1, 8)
    velocity = solver.velocity(state, x, y)
    witness = mf.finite_velocity(net, state, x, y)
    disagreement = max(float(np.abs(velocity[name] - witness[name]).max()) for name in velocity)
    print(f"generated velocity against complex steps of a network: {disagreement:.1e}")

    # The limit, and networks of growing width on the same batches.
    path = mf.solve(net, steps=100, evaluation=500)
    inputs, _ = net.source.evaluation(500)
    distances = {}
    for width in (16, 64, 256):
        paths = mf.simulate(net, width=width, seeds=4, steps=100, evaluation=500)
        gaps = [trained.predict(inputs) - path.predict(inputs) for trained in paths]
        distances[width] = float(np.sqrt(np.mean(np.square(gaps))))
        print(f"width {width:4d}: distance of the outputs from the limit {distances[width]:.4f}")
    return {"disagreement": disagreement, "narrow": distances[16], "wide": distances[256]}


if __name__ == "__main__":
    main()
