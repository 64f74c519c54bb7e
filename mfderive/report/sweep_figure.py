"""The figure of a sweep: loss curves over one variable, a map of final losses over two, dots over more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..algebra.showing import words
from .curves import Curve, thinned
from .figures import INK, new_figure, style

Values = Mapping[str, Any]

# So many curves are told apart by a legend; more have a bar of colours.
_LEGEND = 8
_LONGEST = 24  # characters of a value
# Losses that differ by more are drawn on a logarithmic scale.
_DECADES = 30.0
_LOSS, _FINAL = "population loss", "final population loss"
_CLOCKS = {"times": "training time  t = Σα", "steps": "steps"}


@dataclass(frozen=True)
class SweepPoint:
    """One setting: values by variable, whether its numbers can be trusted, its final loss, its curves."""

    values: Values
    is_done: bool
    loss: float | None
    curves: tuple[Curve, ...] = field(default=(), repr=False)


def draw_sweep(variables: Mapping[str, Sequence[Any]], points: Sequence[SweepPoint]) -> Any:
    """A matplotlib Figure of a sweep over these variables; None where no setting has any numbers."""
    if not any(point.curves for point in points):
        return None
    with style():
        if len(variables) == 1:
            return _curves(*next(iter(variables.items())), points)
        if len(variables) == 2:
            return _map(variables, points)
        return _dots(variables, points)


def _colours(count: int) -> list[Any]:
    """A colour for each of some values in their order, the ends of the map left out."""
    from matplotlib import colormaps

    places = [0.45] if count == 1 else np.linspace(0.05, 0.88, count)
    return [colormaps["viridis"](place) for place in places]


def _label(value: Any) -> str:
    """A value as a figure writes it: short, and a text as nothing but a text."""
    if isinstance(value, float):
        return f"{value:.3g}"
    text = words(str(value), _LONGEST).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # else matplotlib leaves it out of legends


def _is_scale(values: Sequence[Any]) -> bool:
    """Whether the values are numbers that have an order on an axis."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _ordered(values: Sequence[Any]) -> list[Any]:
    return sorted(values) if _is_scale(values) else list(values)


def _is_logarithmic(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > _DECADES * min(values)


def _curves(name: str, values: Sequence[Any], points: Sequence[SweepPoint]) -> Any:
    """The loss on its way for every value; what is not to be trusted is dashed and leaves the axes."""
    figure, axes = new_figure()
    order = _ordered(values)
    colours = dict(zip(map(repr, order), _colours(len(order)), strict=True))
    trusted = [curve for point in points if point.is_done for curve in point.curves if len(curve.times)]
    clock = _clock(trusted)
    for point in sorted(points, key=lambda one: order.index(one.values[name])):
        value = point.values[name]
        label = f"{_label(value)}{'' if point.is_done else ' (diverged)'}"
        for curve in map(thinned, point.curves):
            axes.plot(
                getattr(curve, clock),
                np.where(np.isfinite(curve.loss), curve.loss, np.nan),
                color=colours[repr(value)],
                linewidth=1.6 if curve.is_limit else 1.1,
                linestyle="-" if point.is_done else "--",
                label=label,
            )
            label = "_"
    axes.set_xlabel(_CLOCKS[clock])
    axes.set_ylabel(_LOSS)
    axes.margins(x=0.02)
    if trusted:
        last = max(float(getattr(curve, clock)[-1]) for curve in trusted)
        axes.set_xlim(-0.02 * last, 1.02 * last)
        _loss_axis(axes, [loss for curve in trusted for loss in curve.loss[np.isfinite(curve.loss)].tolist()])
    if len(values) <= _LEGEND:
        axes.legend(title=name, frameon=False, loc="best", handlelength=1.6)
    else:
        _value_bar(figure, axes, name, order)
    return figure


def _clock(curves: Sequence[Curve]) -> str:
    """What the curves are drawn against: time, or steps where only these are what the runs have in common.

    Runs of one number of steps at different learning rates end at different times.
    """
    times = {round(float(curve.times[-1]), 9) for curve in curves}
    steps = {int(curve.steps[-1]) for curve in curves}
    return "steps" if len(steps) == 1 < len(times) else "times"


def _loss_axis(axes: Any, losses: Sequence[float]) -> None:
    """An axis that the trusted losses fill, whatever the others did."""
    low, high = min(losses), max(losses)
    if low > 0 and high > _DECADES * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.4, high * 1.4)
        axes.set_ylabel(f"{axes.get_ylabel()} (logarithmic)")
    elif low >= 0:
        axes.set_ylim(0.0, (high or 1.0) * 1.06)


def _value_bar(figure: Any, axes: Any, name: str, order: Sequence[Any]) -> None:
    """The colours of many values: one block for each."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    colours = ListedColormap(_colours(len(order)))
    edges = np.arange(len(order) + 1) - 0.5
    bar = figure.colorbar(ScalarMappable(BoundaryNorm(edges, len(order)), colours), ax=axes, label=name)
    shown = np.unique(np.linspace(0, len(order) - 1, _LEGEND).round().astype(int))
    bar.set_ticks(shown, labels=[_label(order[position]) for position in shown])
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)


def _map(variables: Mapping[str, Sequence[Any]], points: Sequence[SweepPoint]) -> Any:
    """Final losses as a map, one cell for each setting; cells without a number to trust are hatched."""
    from matplotlib.colors import LogNorm, Normalize

    figure, axes = new_figure()
    axes.grid(False)
    (across, columns), (up, rows) = ((name, _ordered(values)) for name, values in variables.items())
    losses = np.full((len(rows), len(columns)), np.nan)
    for point in points:
        if point.is_done and point.loss is not None:
            losses[rows.index(point.values[up]), columns.index(point.values[across])] = point.loss
    known = losses[np.isfinite(losses)]
    if len(known):
        low, high = float(known.min()), float(known.max())
        norm = LogNorm if _is_logarithmic(known.tolist()) else Normalize
        image = axes.imshow(losses, origin="lower", aspect="auto", cmap="viridis", norm=norm(low, high))
        bar = figure.colorbar(image, ax=axes, label=_FINAL)
        bar.outline.set_visible(False)
    for row, column in np.argwhere(~np.isfinite(losses)):
        axes.add_patch(_hatched(column, row))
    if losses.size <= 60:
        _cell_numbers(axes, losses)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    for axis, name, values in ((axes.xaxis, across, columns), (axes.yaxis, up, rows)):
        places = np.unique(np.linspace(0, len(values) - 1, min(len(values), 10)).round().astype(int))
        axis.set_ticks(places, labels=[_label(values[place]) for place in places])
        axis.set_label_text(name)
    return figure


def _hatched(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="///", edgecolor=INK, linewidth=0.0, alpha=0.45
    )


def _cell_numbers(axes: Any, losses: Any) -> None:
    """The losses as numbers in their cells, in ink or in white, whichever is read on the cell's colour."""
    image = axes.images[0] if axes.images else None
    for (row, column), loss in np.ndenumerate(losses):
        if image is not None and math.isfinite(loss):
            red, green, blue, _ = image.cmap(image.norm(loss))
            light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.55
            axes.text(
                column,
                row,
                f"{loss:.3g}",
                ha="center",
                va="center",
                fontsize=9,
                color="#000000" if light else "#ffffff",
            )


def _dots(variables: Mapping[str, Sequence[Any]], points: Sequence[SweepPoint]) -> Any:
    """Final losses against the first variable, a colour for each value of the second."""
    figure, axes = new_figure()
    (across, columns), (second, values) = ((n, _ordered(v)) for n, v in list(variables.items())[:2])
    numeric = _is_scale(columns)
    colours = _colours(len(values))
    known = []
    for position, value in enumerate(values):
        own = [p for p in points if p.is_done and p.loss is not None and p.values[second] == value]
        x = [p.values[across] if numeric else columns.index(p.values[across]) for p in own]
        axes.plot(x, [p.loss for p in own], "o", color=colours[position], label=_label(value), alpha=0.8)
        known += [p.loss for p in own if p.loss is not None]
    if numeric and _is_logarithmic(columns):
        axes.set_xscale("log")
    if not numeric:
        axes.set_xticks(range(len(columns)), labels=[_label(value) for value in columns])
    axes.set_xlabel(across)
    axes.set_ylabel(_FINAL)
    if known:
        _loss_axis(axes, known)
    if len(values) <= _LEGEND:
        axes.legend(title=second, frameon=False, loc="best")
    else:
        _value_bar(figure, axes, second, values)
    return figure
