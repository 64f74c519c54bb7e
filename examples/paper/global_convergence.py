"""Nguyen and Pham (2020): where the conditions of global convergence hold, the loss of the limit goes to 0.

Three layers of weights learn a target on the four corners of a square (0 or 1, by the sign of x1 x2), so that
the law of the data is four points and the loss is known exactly. All conditions on the start hold
(``mfderive conditions examples/paper/specs/zero_loss.toml``), and the loss goes to 0. Started with weights
of 0 in the first layer, whose law has a point for its support, nothing tells x from -x: the weights stay at
0, the output is a constant, and the loss is stuck at 1/8, the least that a constant reaches.

Run it from the root of the repository: ``python examples/paper/global_convergence.py`` (within a minute;
``--full``: more nodes, twice as long a time; ``--figure FILE`` writes the figure elsewhere).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import mfderive as mf

Array = Any
SPEC = Path(__file__).parent / "specs" / "zero_loss.toml"
CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
TARGETS = 0.5 + 0.5 * CORNERS[:, 0] * CORNERS[:, 1]
STUCK = 0.125  # E huber(y - c) is least at c = 1/2: (1/2)^2 / 2
NODES, HORIZON = (64, 256), 150.0
FULL_NODES, FULL_HORIZON = (64, 256, 1024), 300.0


def exact_loss(path: mf.Trajectory, time: float) -> float:
    """The mean over the four corners of huber(yhat - y), which is the law of the data."""
    size = np.abs(path.predict(CORNERS, time)[:, 0] - TARGETS)
    return float(np.where(size <= 1, 0.5 * size**2, size - 0.5).mean())


def curve(path: mf.Trajectory) -> tuple[Array, Array]:
    """Times, and the exact loss at each."""
    times = np.asarray(path.times)
    return times, np.array([exact_loss(path, float(time)) for time in times])


def degenerate(net: mf.Network) -> mf.Network:
    """The same network, whose first layer starts at 0."""
    return net.replace(layers={"h1": {"weight": "0", "bias": "0"}})


def main() -> None:
    """Print conditions and losses, draw the curves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="more nodes, a longer time")
    parser.add_argument(
        "--figure", type=Path, default=Path("global_convergence.png"), help="where the figure goes"
    )
    asked = parser.parse_args()
    nodes, horizon = (FULL_NODES, FULL_HORIZON) if asked.full else (NODES, HORIZON)
    net = mf.load(SPEC)
    curves = {}
    for name, each in (("full support", net), ("started at 0", degenerate(net))):
        found = mf.conditions(each)
        print(f"{name}: {found.answer}{': ' if found.failing else ''}{'; '.join(found.failing)}")
        for count in nodes if name == "full support" else nodes[:1]:
            path = mf.solve(each, method="flow", horizon=horizon, nodes=count)
            curves[f"{name}, {count} nodes"] = times, losses = curve(path)
            told = ", ".join(
                f"{losses[k]:.3g} (t = {times[k]:g})" for k in np.linspace(0, len(times) - 1, 6).astype(int)
            )
            print(f"  {count} nodes: loss {told}", flush=True)
    draw(curves, asked.figure)
    print(f"The figure is in {asked.figure}")


def draw(curves: dict[str, tuple[Array, Array]], file: Path) -> None:
    """The loss over time on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6.5, 4))
    for name, (times, losses) in curves.items():
        axis.plot(times, losses, label=name, ls="-" if name.startswith("full") else "--")
    axis.axhline(STUCK, color="grey", lw=0.8, ls=":", label="the best constant: 1/8")
    axis.set(yscale="log", xlabel="t", ylabel="loss of the limit")
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
