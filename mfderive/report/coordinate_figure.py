"""The figure of a coordinate check: sizes over the width, with the limit's lines and bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..scaling.coordinate_rows import CoordinateRow, CoordinateRows
from ..scaling.coordinates import register_figure
from ..scaling.network_sizes import Measure
from .figures import style

_PANELS = {
    Measure.VALUE: "pre-activations at the start",
    Measure.UPDATE: "their change",
    Measure.FROM_WEIGHTS: "their change, from weights",
    Measure.FROM_INPUTS: "their change, from inputs",
    Measure.START: "parameters at the start",
    Measure.CHANGE: "their change",
}


def draw_coordinates(check: CoordinateRows) -> Any:
    """A matplotlib Figure with a panel for each measure; dots are means over seeds, bands are the limit's."""
    from matplotlib.figure import Figure

    panels = [(title, [r for r in check.rows if r.quantity.measure is m]) for m, title in _PANELS.items()]
    panels = [(title, rows) for title, rows in panels if rows]
    across = min(2, len(panels))
    down = math.ceil(len(panels) / max(across, 1))
    with style():
        figure = Figure(figsize=(6.4 * across, 3.4 * down), layout="constrained")
        for number, (title, rows) in enumerate(panels, start=1):
            axes = figure.add_subplot(down, across, number)
            axes.set_title(title)
            _panel(axes, check.widths, rows)
    return figure


def _panel(axes: Any, widths: Sequence[int], rows: Sequence[CoordinateRow]) -> None:
    from matplotlib import colormaps

    places = np.linspace(0.05, 0.88, max(len(rows), 2))
    for place, row in zip(places, rows, strict=False):
        colour = colormaps["viridis"](place)
        sizes = row.sizes.mean(axis=1)
        if not np.isfinite(sizes).any() or not (sizes > 0).any():
            continue
        label = row.quantity.name if len(rows) <= 12 else None
        axes.plot(widths, np.where(sizes > 0, sizes, np.nan), "o", color=colour, markersize=4, label=label)
        if row.prediction is not None and (row.prediction.line > 0).all():
            low, high = row.prediction.band
            axes.fill_between(
                widths, np.maximum(low, 1e-3 * high), high, color=colour, alpha=0.15, linewidth=0
            )
            axes.plot(widths, row.prediction.line, color=colour, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.minorticks_off()
    axes.set_xlabel("width n")
    axes.set_ylabel("root mean square")
    if len(rows) <= 12:
        axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


register_figure(draw_coordinates)
