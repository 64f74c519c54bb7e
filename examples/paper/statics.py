"""Section 4.1 and appendix B of Nguyen (2019): inf over W against inf over rho, and their distance over n.

Two layers on the paper's isotropic Gaussians, where both sides of Eq. (4) are computed, and three layers
where inf over rho is known. Run it from the root of the repository: ``python examples/paper/statics.py`` (a
minute; ``--full``: larger widths, too). Every width is written when it is done: the same command goes on.
"""

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from paper_figures import whole_flag, widths_flag
from paper_output import write_document
from paper_runs import once
from statics_multilayer import Realised
from statics_two_layer import Cosines

import mfderive as mf
from mfderive.report.figures import INK, style

SHORT, FULL = (4, 8, 16, 32, 64), (4, 8, 16, 32, 64, 128, 256)
DRAWS, STARTS = 200, 3
UNCHECKED = (
    "inf over W is not computable in general: what is shown is the best of a few local minima, an upper "
    "bound. From below it is bounded by inf over ρ (54): the true distance lies between 0 and what is shown;",
    "that 1/n cannot be beaten is no statement of the paper: trained networks do better than drawn ones;",
    "the paper proves (64), the order n^(-1/2), for several layers; 1/n is what is measured, and what "
    "docs/theory.md derives for a smooth loss.",
)


def two_layers(n: int, seed: int = 0, draws: int = DRAWS, starts: int = STARTS) -> dict[str, Any]:
    """Distances from inf over rho at width n: of drawn networks, predicted (V/n), of the best one found."""
    problem, random = cosines(), np.random.default_rng([seed, n])
    least = problem.optimum[0]
    drawn = [problem.loss(*problem.draw(n, random))[0] - least for _ in range(draws)]
    best = min(problem.best(*problem.spread(n, random)) for _ in range(starts)) - least
    return {"n": n, **_mean(drawn), "predicted": problem.variance / n, "best": best}


def three_layers(
    problem: Realised, n: int, seed: int = 0, draws: int = DRAWS, starts: int = STARTS
) -> dict[str, Any]:
    """The same where inf over rho is 0 and nothing is predicted."""
    states = [problem.draw(n, 1000 * seed + number) for number in range(draws)]
    best = min(problem.best(state) for state in states[:starts])
    return {"n": n, **_mean([problem.loss(state) for state in states]), "best": best}


@cache
def cosines() -> Cosines:
    """The problem of two layers; its optimum is found once."""
    return Cosines()


@cache
def realised() -> Realised:
    """The problem of three layers; its limit is solved once."""
    return Realised()


def _mean(values: Sequence[float]) -> dict[str, float]:
    """The mean of independent draws with its standard error."""
    return {"drawn": float(np.mean(values)), "error": float(np.std(values, ddof=1) / np.sqrt(len(values)))}


def slope(entries: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Slope of log(mean distance of drawn networks) over log n, least squares, with its standard error.

    Every point weighs by its own standard error, relative to its value.
    """
    x, y = np.log([entry["n"] for entry in entries]), np.log([entry["drawn"] for entry in entries])
    weights = np.array([entry["drawn"] / entry["error"] for entry in entries])
    design = np.stack([x, np.ones_like(x)], 1) * weights[:, None]
    found = np.linalg.lstsq(design, y * weights, rcond=None)[0]
    return float(found[0]), float(np.sqrt(np.linalg.inv(design.T @ design)[0, 0]))


def _print(title: str, entries: Sequence[dict[str, Any]], least: str) -> None:
    print(f"\n{title}\n  inf over ρ: {least}")
    print(f"  {'n':>5}{'drawn from ρ':>14}{'± (s.e.)':>10}{'times n':>10}{'V/n':>10}{'best found':>12}")
    for e in entries:
        predicted = f"{e['predicted']:>10.4f}" if "predicted" in e else f"{'':>10}"
        print(f"  {e['n']:>5}{e['drawn']:>14.5f}{e['error']:>10.5f}{e['n'] * e['drawn']:>10.3f}", end="")
        print(f"{predicted}{e['best']:>12.2e}")
    if len(entries) > 1:
        found, error = slope(entries)
        best = np.polyfit(np.log([e["n"] for e in entries]), np.log([e["best"] for e in entries]), 1)[0]
        print(f"  drawn: distance ~ n^{found:.3f}, standard error {error:.3f}; best found ~ n^{best:.2f}")


def _draw(file: Path, panels: Sequence[tuple[str, Sequence[dict[str, Any]]]]) -> None:
    """Distances over n, both axes logarithmic, one panel for each problem; PNG and SVG."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(9.4, 3.9), layout="constrained", dpi=110)
        for axes, (title, entries) in zip(figure.subplots(1, len(panels)), panels, strict=True):
            n = np.array([entry["n"] for entry in entries])
            drawn = np.array([entry["drawn"] for entry in entries])
            errors = [2 * entry["error"] for entry in entries]
            axes.errorbar(n, drawn, errors, fmt="o", color="#31688e", label="mean of networks drawn from ρ")
            if "predicted" in entries[0]:
                line, label = [entry["predicted"] for entry in entries], "V/n, exact"
            else:
                line, label = drawn[-1] * n[-1] / n, "slope −1"
            axes.plot(n, line, color=INK, linewidth=1.6, label=label)
            axes.plot(n, [e["best"] for e in entries], "v--", color="#35b779", label="best network found")
            axes.set(xscale="log", yscale="log", xlabel="width n", ylabel="distance from inf over ρ")
            axes.set_xticks(n, [str(width) for width in n])
            axes.minorticks_off()
            axes.set_title(title, loc="left", fontsize=12)
            axes.grid(True, color=INK, alpha=0.12, linewidth=0.7)
            axes.legend(frameon=False, fontsize=9)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file.with_suffix(".png"), facecolor="white", metadata={"Software": "mfderive"})
        figure.savefig(file.with_suffix(".svg"), facecolor="white", metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Compute both problems at every width, print, draw and write them; returns the numbers."""
    parser = argparse.ArgumentParser(prog="python examples/paper/statics.py", description=__doc__)
    parser.add_argument("--full", action="store_true", help="widths up to 256")
    parser.add_argument(
        "--output", type=Path, default=Path("runs") / "statics", help="a folder (%(default)s)"
    )
    parser.add_argument("--widths", type=widths_flag, help="widths of the networks, such as 4,8,16")
    parser.add_argument("--seed", type=whole_flag, default=1, help="seed of all draws (%(default)s)")
    flags = parser.parse_args(arguments)
    widths = flags.widths or (FULL if flags.full else SHORT)
    problem = realised()

    def kept(kind: str, n: int, make: Any) -> Any:
        place = flags.output / "curves" / f"{kind}-n{n}-seed{flags.seed}.json"
        return once(place, f"{mf.__version__} {kind} {n} {flags.seed} {DRAWS} {STARTS}", make)

    try:
        two = [kept("two", n, lambda n=n: two_layers(n, flags.seed)) for n in widths]
        three = [kept("three", n, lambda n=n: three_layers(problem, n, flags.seed)) for n in widths]
        least, bound = cosines().optimum[:2]
        _print(
            "Two layers of cosines, isotropic Gaussians, Eq. (4)", two, f"{least:.6f} (known to {bound:.1e})"
        )
        _print("Three layers of tanh, appendix B", three, "0 (the labels are the limit's outputs)")
        state = problem.draw(widths[0], 0)
        gap = abs(problem.witness(state) - problem.loss(state))
        print(f"  the law of a network's own neurons has the network's loss (54): difference {gap:.1e}")
        print("\nWhat cannot be checked:", *UNCHECKED, sep="\n  - ")
        document = {
            "inf over rho": least,
            "known to": bound,
            "two layers": two,
            "three layers": three,
            "54": gap,
        }
        write_document(flags.output / "statics.json", {**document, "unchecked": UNCHECKED})
        _draw(flags.output / "statics", (("two layers, Eq. (4)", two), ("three layers, App. B", three)))
    except mf.MfError as error:
        parser.exit(2, f"statics: {error}\n")
    print(f"\n{flags.output / 'statics'}.png, .svg, .json")
    return document


if __name__ == "__main__":
    main()
