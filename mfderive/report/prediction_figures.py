"""Figures of predicted fluctuations: the limit with bands and networks, and deviations against their law."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from .curves import Curve, thinned, widths_of
from .figures import (
    FORMS,
    INK,
    new_figure,
    series_name,
    step_axis,
    style,
    value_axis,
    width_colours,
    write_figure,
)

Data = Mapping[str, Any]
BAND, HISTOGRAM, QUANTILES = "loss_band", "deviations_histogram", "deviations_quantiles"
_STEPS = "steps (logarithmic)"
_SCORE = "deviation / predicted standard deviation"


@dataclass(frozen=True)
class PredictionFigure:
    """One figure: its file name, the sentences of the page, and how to draw it (None: nothing to draw)."""

    name: str
    title: str
    caption: str
    build: Callable[[Data, Sequence[Curve]], Any]


def draw_band(data: Data, curves: Sequence[Curve]) -> Any:
    """Loss against steps: the limit, the networks of each width, and the band in which they are to lie.

    Where nothing is predicted the band is what the networks themselves cover. None without a limit.
    """
    limits = [curve for curve in curves if curve.is_limit and len(curve.loss)]
    if not limits:
        return None
    widths = widths_of(curves)
    with style():
        figure, axes = new_figure()
        colours = width_colours(widths)
        shown = [limits[0].loss]
        for width in widths:
            own = [curve for curve in curves if curve.width == width]
            steps, low, high = _interval(data, limits[0], own)
            look = {"color": colours[width], "alpha": 0.25, "linewidth": 0, "zorder": 2}
            name = series_name(width, "band")
            axes.fill_between(steps, low, high, label=f"n = {width}", gid=name, **look)
            shown += [low, high]
            for number, curve in enumerate(own):
                points = thinned(curve)
                look = {"color": colours[width], "linewidth": 1.1, "zorder": 3}
                axes.plot(points.steps, points.loss, gid=series_name(width, number), **look)
                shown.append(curve.loss)
        for number, curve in enumerate(limits):
            points = thinned(curve)
            look = {"color": INK, "linewidth": 2.0, "zorder": 5, "label": "limit (n = ∞)"}
            axes.plot(points.steps, points.loss, gid=series_name(None, number), **look)
        axes.set_xlabel(_STEPS)
        axes.set_ylabel("population loss")
        step_axis(axes, max(float(curve.steps[-1]) for curve in curves if len(curve.steps)))
        if _spans_decades(shown):
            value_axis(axes, shown, "loss")
        handles, labels = axes.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda k: (k != len(labels) - 1, k))
        legend = axes.legend([handles[k] for k in order], [labels[k] for k in order], frameon=False)
        for patch in legend.get_patches():
            patch.set_alpha(0.7)
    return figure


def _spans_decades(shown: Sequence[Any]) -> bool:
    """Whether losses need a logarithmic axis; on a linear one that begins at 0 bands would be thin lines."""
    finite = np.concatenate([np.asarray(one)[np.isfinite(one)] for one in shown])
    return bool(len(finite) and 0 < 100 * finite.min() < finite.max())


def _interval(data: Data, limit: Curve, own: Sequence[Curve]) -> tuple[Any, Any, Any]:
    """Steps, lowest and highest loss of the band of one width."""
    points = thinned(limit)
    band = data.get("bands", {}).get(str(own[0].width))
    if band is None:
        at = [np.interp(points.times, curve.times, curve.loss) for curve in own]
        return points.steps, np.min(at, axis=0), np.max(at, axis=0)
    # What is predicted at a few times is how far to go from the limit; in between it is smooth in log(step).
    places = np.log1p(np.asarray(data["steps"], float))
    centre = np.asarray(data["limit"])
    sides = [
        points.loss + np.interp(np.log1p(points.steps), places, np.asarray(band[side]) - centre)
        for side in ("low", "high")
    ]
    return points.steps, *sides


def draw_histogram(data: Data, _: Sequence[Curve]) -> Any:
    """The histogram of standardised deviations at the last time, with the density of the predicted law."""
    found = data.get("networks")
    if not found:
        return None
    scores = np.asarray(found["scores"][-1]).ravel()
    reach = max(3.5, float(np.abs(scores).max()) * 1.02)
    with style():
        figure, axes = new_figure()
        edges = np.linspace(-reach, reach, 2 * max(6, round(len(scores) ** 0.5)) // 2 + 1)
        axes.hist(scores, edges, density=True, color="#2f6fb0", alpha=0.55, label=_networks(found))
        places = np.linspace(-reach, reach, 200)
        axes.plot(places, stats.norm.pdf(places), color=INK, linewidth=2.3, label="predicted law")
        axes.set_xlabel(_SCORE)
        axes.set_ylabel("density")
        axes.set_ylim(0.0, axes.get_ylim()[1] * 1.25)  # room for the legend
        axes.legend(frameon=False, loc="upper left", ncols=1)
    return figure


def draw_quantiles(data: Data, _: Sequence[Curve]) -> Any:
    """Quantiles of standardised deviations, point by point, against those of the predicted law."""
    found = data.get("networks")
    if not found:
        return None
    series = np.sort(np.asarray(found["scores"][-1]), axis=1)
    count = series.shape[1]
    rank = np.arange(1, count + 1)
    law = stats.norm.ppf((rank - 0.5) / count)
    # The k-th smallest of independent numbers is the quantile of a number of the law Beta(k, count + 1 - k).
    low, high = (stats.norm.ppf(stats.beta.ppf(p, rank, count + 1 - rank)) for p in (0.025, 0.975))
    with style():
        figure, axes = new_figure()
        axes.fill_between(
            law, low, high, color=INK, alpha=0.14, linewidth=0, label="95 % of samples of the law"
        )
        axes.plot(law, law, color=INK, linewidth=1.4)
        for number, own in enumerate(series):
            label = _networks(found) if number == 0 else None
            axes.plot(law, own, "o", markersize=3.6, alpha=0.75, color="#2f6fb0", label=label)
        axes.set_xlabel("quantiles of the predicted law")
        axes.set_ylabel("quantiles of networks")
        axes.legend(frameon=False, loc="upper left")
    return figure


def _networks(found: Data) -> str:
    return f"{found['count']} networks, n = {found['width']}"


FIGURES = (
    PredictionFigure(
        BAND,
        "The limit, networks, and the band in which they lie",
        "The thick line is the limit, each thin line one network.",
        draw_band,
    ),
    PredictionFigure(
        HISTOGRAM,
        "Deviations of networks in units of the predicted ones",
        "Outputs of trained networks minus the limit, √n (ŷₙ − ŷ), over √(n Var), all points together.",
        draw_histogram,
    ),
    PredictionFigure(
        QUANTILES,
        "Quantiles of deviations against the predicted law",
        "One row of dots for each point; on the line networks follow the law, in the band up to chance.",
        draw_quantiles,
    ),
)


def write_prediction_figures(
    data: Data, curves: Sequence[Curve], folder: Path, forms: Sequence[str] = FORMS
) -> list[str]:
    """Draw the figures that apply into ``folder``; the names of those drawn."""
    drawn = []
    for one in FIGURES:
        figure = one.build(data, curves)
        if figure is not None:
            write_figure(figure, one.name, folder, forms)
            drawn.append(one.name)
    return drawn
