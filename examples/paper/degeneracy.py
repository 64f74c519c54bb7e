"""Nguyen and Pham (2020): deep networks with independent starts are degenerate; correlated starts escape.

Five layers of weights are trained from two starts. With independent initial values, all neurons of the
two middle layers are one neuron in the limit: every entry of the weight between them moves by the same
amount, and in a network of width n the increments scatter by 1/sqrt(n) of their size. With a start whose
means follow numbers of the neurons at both ends the scatter has a limit other than 0. The script trains
networks of several widths, fits the slope of the scatter over the width, and prints beside it what the
reduction of the limit finds and the scatter that the limit itself has.

Run it from the root of the repository: ``python examples/paper/degeneracy.py`` (about a minute; ``--full``
up to width 1024, half an hour; ``--figure FILE`` writes the figure elsewhere).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mfderive as mf

Array = Any
SPECS = Path(__file__).parent / "specs"
STARTS = {"independent": "degeneracy_iid.toml", "correlated": "degeneracy_diverse.toml"}
# Weights behind the first hidden layer, and the ends at which the reduction of the independent start finds
# equal neurons: over those the increments of a wide network are the same.
EQUAL_ENDS = {"h2.weight": (0,), "h3.weight": (0, 1), "h4.weight": (1,)}
ENDS = {"h2.weight": ("h2", "h1"), "h3.weight": ("h3", "h2"), "h4.weight": ("h4", "h3")}  # target, source
MIDDLE = "h3.weight"
MIDDLE_LAYERS = ("exchangeability: h2:", "exchangeability: h3:")
WIDTHS, SEEDS, NODES = (32, 64, 128, 256), 4, 64
FULL_WIDTHS, FULL_SEEDS = (32, 64, 128, 256, 512, 1024), 8


def scatter(increments: Array, ends: tuple[int, ...], weights: tuple[Array, Array]) -> float:
    """Deviation of increments [target, source] over the neurons at some ends, relative to their size.

    ``weights`` of the target and source neurons sum to 1 each.
    """
    target, source = weights[0][:, None], weights[1][None, :]
    mean = increments
    for end, weight in enumerate((target, source)):
        if end in ends:
            mean = (weight * mean).sum(axis=end, keepdims=True)
    pairs = target * source
    return float(np.sqrt((pairs * (increments - mean) ** 2).sum() / (pairs * increments**2).sum()))


@dataclass(frozen=True)
class Measured:
    """One start: ``scatter`` [width, seed] of each weight, that of the limit, and increments of the middle.

    ``equal``: the layers that the reduction finds to be one neuron each; ``log``: what it says of neurons.
    """

    widths: tuple[int, ...]
    scatter: dict[str, Array]
    of_limit: dict[str, float]
    increments: dict[int, Array]
    limit_increments: Array
    limit_weights: Array
    equal: tuple[str, ...]
    log: tuple[str, ...]

    def slope(self, weight: str) -> tuple[float, float]:
        """The slope of log scatter over log width, and its standard error by the seeds."""
        logs = np.log(self.widths)
        slopes = [np.polyfit(logs, np.log(column), 1)[0] for column in self.scatter[weight].T]
        return float(np.mean(slopes)), float(np.std(slopes, ddof=1) / np.sqrt(len(slopes)))


def increments_of(path: mf.Trajectory, weight: str) -> Array:
    """How far the entries of a weight have moved, [target, source]."""
    return np.asarray(path.at()[weight]) - np.asarray(path.at(0.0)[weight])


def weights_of(state: Any, weight: str) -> tuple[Array, Array]:
    """The weights of the neurons at the two ends of a weight; a network's neurons all count the same."""
    layers = list(ENDS[weight])
    shape = np.asarray(state[weight]).shape
    given = [state["p"].get(name) if "p" in state else None for name in layers]
    uniform = [np.full(size, 1 / size) for size in shape]
    target, source = (u if p is None else np.asarray(p) for p, u in zip(given, uniform, strict=True))
    return target, source


def measure(spec: Path, widths: tuple[int, ...], seeds: int, nodes: int = NODES) -> Measured:
    """Train networks of one start, solve its limit, and ask the reduction about it."""
    net = mf.load(spec)
    reduced = mf.reduce(mf.derive(net))
    path = mf.solve(net, nodes=nodes)
    moved = {weight: increments_of(path, weight) for weight in EQUAL_ENDS}
    of_limit = {}
    for weight, ends in EQUAL_ENDS.items():
        # The limit keeps no slots of neurons that are all equal: they scatter by 0.
        state, whole = path.at(), moved[weight].ndim == 2
        of_limit[weight] = scatter(moved[weight], ends, weights_of(state, weight)) if whole else 0.0
    found: dict[str, list[list[float]]] = {weight: [] for weight in EQUAL_ENDS}
    middle = {}
    for width in widths:
        nets = mf.simulate(net, width, seeds, progress=False)
        for weight, ends in EQUAL_ENDS.items():
            found[weight].append(
                [scatter(increments_of(each, weight), ends, weights_of(each.at(), weight)) for each in nets]
            )
        middle[width] = increments_of(nets[0], MIDDLE).ravel()
    return Measured(
        widths,
        {weight: np.array(rows) for weight, rows in found.items()},
        of_limit,
        middle,
        np.atleast_1d(moved[MIDDLE]).ravel(),
        np.outer(*weights_of(path.at(), MIDDLE)).ravel() if of_limit[MIDDLE] else np.ones(1),
        tuple(mf.conditions(net).collapsed),
        tuple(
            str(line)
            for line in reduced.log
            if str(line).startswith(("exchangeability: h2:", "exchangeability: h3:"))
        ),
    )


def table(name: str, found: Measured) -> str:
    """Scatter by width, slopes and the limit's own scatter, as lines of text."""
    lines = [f"{name} start: equal neurons in the limit: {', '.join(found.equal) or 'none'}"]
    lines += [f"  reduction: {line}" for line in found.log]
    for weight, values in found.scatter.items():
        slope, error = found.slope(weight)
        means = ", ".join(
            f"{value:.4f} (n = {n})" for n, value in zip(found.widths, values.mean(axis=1), strict=True)
        )
        lines.append(f"  {weight}: scatter {means}; limit {found.of_limit[weight]:.4f}")
        lines.append(f"    slope {slope:.3f} +- {error:.3f}")
    return "\n".join(lines)


def draw(results: dict[str, Measured], file: Path) -> None:
    """The scatter over the width, and the increments of the middle weight."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8))
    colours = {"independent": "tab:blue", "correlated": "tab:orange"}
    for name, found in results.items():
        values = found.scatter[MIDDLE]
        axes[0].errorbar(
            found.widths,
            values.mean(axis=1),
            values.std(axis=1, ddof=1),
            fmt="o-",
            color=colours[name],
            label=f"{name}, slope {found.slope(MIDDLE)[0]:.2f}",
        )
        if found.of_limit[MIDDLE]:
            axes[0].axhline(found.of_limit[MIDDLE], color=colours[name], ls=":", label=f"{name}, limit")
    first = results["independent"]
    guide = first.scatter[MIDDLE].mean(axis=1)[0] * np.sqrt(first.widths[0] / np.array(first.widths))
    axes[0].plot(first.widths, guide, "--", color="grey", label="1/sqrt(n)")
    axes[0].set(xscale="log", yscale="log", xlabel="width n", ylabel=f"scatter of the increments of {MIDDLE}")
    axes[0].set_xticks(first.widths, [str(n) for n in first.widths])
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5)
    axes[0].set_yticks(ticks, [str(tick) for tick in ticks])
    axes[0].minorticks_off()
    axes[0].legend(fontsize=8)
    for axis, (name, found) in zip(axes[1:], results.items(), strict=True):
        shown = found.widths[0], found.widths[len(found.widths) // 2], found.widths[-1]
        for width, shade in zip(shown, (0.35, 0.65, 1.0), strict=True):
            axis.hist(
                found.increments[width],
                bins=40,
                density=True,
                alpha=shade,
                color=colours[name],
                label=f"n = {width}",
                histtype="step",
                linewidth=1.5,
            )
        if found.of_limit[MIDDLE]:
            axis.hist(
                found.limit_increments,
                bins=20,
                density=True,
                color="black",
                histtype="step",
                label="limit",
                weights=found.limit_weights,
            )
        else:
            axis.axvline(float(found.limit_increments[0]), color="black", label="limit")
        axis.set(title=f"{name} start", xlabel=f"increment of an entry of {MIDDLE}", ylabel="density")
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Measure both starts, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="widths up to 1024, 8 seeds")
    parser.add_argument("--figure", type=Path, default=Path("degeneracy.png"), help="where the figure goes")
    asked = parser.parse_args()
    widths, seeds = (FULL_WIDTHS, FULL_SEEDS) if asked.full else (WIDTHS, SEEDS)
    results = {}
    for name, spec in STARTS.items():
        results[name] = measure(SPECS / spec, widths, seeds)
        print(table(name, results[name]), flush=True)
    draw(results, asked.figure)
    print(f"The figure is in {asked.figure}")


if __name__ == "__main__":
    main()
