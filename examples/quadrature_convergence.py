"""A limit in which everything is integrated by quadrature: its loss curve converges at high order.

The network has three hidden layers and two-dimensional inputs. Its labels (the first layer's two weights, the
output weight) and its data (a teacher on a square) are low-dimensional and smooth, so Gauss nodes integrate
all of them, and the fourth-order Runge-Kutta method follows the flow. One number m sets every resolution: m
nodes for each random number and 3 m time steps. With fine time steps the nodes alone converge geometrically;
with all resolutions together the order is that of the time steps, four.

Run: python examples/quadrature_convergence.py [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import mfderive as mf
from mfderive.format.reader import parse_document
from mfderive.samples.resolve import resolve

HORIZON = 2.0
RESOLUTIONS = (2, 4, 6, 8, 12)
STEPS = 3  # time steps for each node of a number
DOCUMENT = {
    "format": 1,
    "title": "Three layers, all integrals by quadrature",
    "data": {"kind": "teacher", "dimension": 2, "inputs": "uniform(-1, 1)", "target": "x1 * x2 + x1 / 2"},
    "loss": {"kind": "squared"},
    "layers": [
        {"name": "h1", "from": "x", "weight": "uniform(-2, 2)", "activation": "tanh"},
        {"name": "h2", "from": "h1", "weight": "normal(1, 0.3)", "bias": "0.2", "activation": "tanh"},
        {"name": "h3", "from": "h2", "weight": "normal(1, 0.3)", "bias": "0", "activation": "tanh"},
    ],
    "output": {"from": "h3", "weight": "uniform(-1, 2)", "bias": "0"},
    "training": {"learning_rate": 0.05, "steps": 40},
    "solver": {"method": "rk4", "data": "quadrature", "evaluation": 500},
}


def loss_curve(m: int, steps: int) -> np.ndarray:
    """The loss at the times 0, T/2 and T with m nodes per number and an even number of time steps."""
    path = mf.solve(
        resolve(parse_document(DOCUMENT), seed=0),
        HORIZON,
        nodes={"h1": m**2, "h3": m},
        data_nodes=m**2,
        step=HORIZON / steps,
        stated_error=False,  # the study is one of errors itself
    )
    return np.interp([0.0, HORIZON / 2, HORIZON], path.times, path.loss)


def errors() -> dict[str, list[float]]:
    """Largest distance of the loss from that at twice the finest resolution, over the three times."""
    exact = loss_curve(2 * RESOLUTIONS[-1], 2 * STEPS * RESOLUTIONS[-1])

    def error(m: int, steps: int) -> float:
        return float(np.abs(loss_curve(m, steps) - exact).max())

    return {
        "all resolutions": [error(m, STEPS * m) for m in RESOLUTIONS],
        "nodes alone": [error(m, 2 * STEPS * RESOLUTIONS[-1]) for m in RESOLUTIONS],
    }


def draw(found: dict[str, list[float]], file: Path) -> None:
    """The figure: errors against resolution, beside a fourth-order line."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    resolutions = np.array(RESOLUTIONS)
    figure, axes = plt.subplots(figsize=(5.5, 4), layout="constrained")
    for (name, values), marker in zip(found.items(), "os", strict=True):
        axes.semilogy(resolutions, values, f"{marker}-", label=name)
    line = found["all resolutions"][-1] * (resolutions / resolutions[-1]) ** -4.0
    axes.semilogy(resolutions, line, "k:", label="fourth order")
    axes.axhline(1e-5, color="0.7", linewidth=1)
    axes.set_xticks(resolutions, labels=[str(m) for m in resolutions])
    axes.set(xlabel="nodes per number, a third of the time steps", ylabel="distance from twice the finest")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def main(folder: Path) -> dict[str, list[float]]:
    """Solve, draw, and print the table."""
    found = errors()
    for m, *row in zip(RESOLUTIONS, *found.values(), strict=True):
        print(f"m = {m:2}: " + ", ".join(f"{n} {e:.1e}" for n, e in zip(found, row, strict=True)))
    folder.mkdir(parents=True, exist_ok=True)
    draw(found, folder / "quadrature_convergence.png")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
