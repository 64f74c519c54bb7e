"""What the README's first screen shows: the curve of its spec as an SVG, and the first line of the verdict.

Run it from the root of the repository: ``python docs/figures/first_screen.py`` (two minutes on two cores).
"""

from __future__ import annotations

from pathlib import Path

import mfderive as mf
from mfderive.report.curves import curve_of
from mfderive.report.figures import draw_training, figure_bytes

HERE = Path(__file__).parent
WIDTHS = (10, 40, 160)
SEEDS = 3


def main() -> None:
    """Solve, train, draw; then check."""
    net = mf.load(HERE / "first_screen.toml")
    paths = [mf.solve(net)]
    for width in WIDTHS:
        paths += mf.simulate(net, width=width, seeds=SEEDS)
    figure = draw_training([curve_of(path) for path in paths], "times", "loss")
    (HERE / "first_screen.svg").write_bytes(figure_bytes(figure, "svg"))
    print(mf.check(net).text.splitlines()[0])


if __name__ == "__main__":
    main()
