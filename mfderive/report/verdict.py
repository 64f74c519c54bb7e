"""The verdict on a page: its section, and two figures drawn from its plain data.

The limit with the networks' mean and spread shows what agreement looks like; distance against width, with
the fitted and the expected slope, shows how fast it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..check.words import distance, error_lines, estimate, headline
from .figures import INK, figure_bytes, inline_svg, new_figure, style, width_colours

Data = Mapping[str, Any]


@dataclass(frozen=True)
class VerdictFigure:
    """One figure of a verdict: its file name, the sentences of the page, and how to draw it."""

    name: str
    title: str
    caption: str
    build: Callable[[Data], Any]


def draw_spread(data: Data) -> Any:
    """Loss against t: the limit, and for each width the mean over seeds with its spread; a Figure."""
    curves = data["curves"]
    times = np.asarray(curves["times"])
    widths = [int(width) for width in curves["networks"]]
    with style():
        figure, axes = new_figure()
        colours = width_colours(widths)
        for width in sorted(widths):
            own = curves["networks"][str(width)]
            axes.fill_between(times, own["low"], own["high"], color=colours[width], alpha=0.18, linewidth=0)
            axes.plot(times, own["mean"], color=colours[width], linewidth=1.4, label=f"n = {width}")
        axes.plot(times, curves["limit"], color=INK, linewidth=2.4, zorder=5, label="limit (n = ∞)")
        axes.set_xlabel("training time  t = Σα")
        axes.set_ylabel("population loss")
        axes.legend(frameon=False, loc="best")
    return figure


def draw_distance(data: Data) -> Any:
    """Distance against width on logarithmic axes, with fitted and expected slopes; a Figure, or None."""
    if not data["rates"]:
        return None
    with style():
        figure, axes = new_figure()
        colours = width_colours(range(len(data["rates"])))
        for place, rate in enumerate(data["rates"]):
            widths, distances = np.asarray(rate["widths"]), np.asarray(rate["distances"])
            axes.plot(widths, distances, "o", color=colours[place], label=rate["name"])
            fit = np.sqrt(rate["amplitude"] * widths ** (2 * rate["slope"]) + rate["floor"])
            axes.plot(widths, fit, color=colours[place], linewidth=1.6)
            if rate["expected"] is not None:
                # Through the widest width's fit, so that a wrong slope shows at the narrow ones.
                line = fit[-1] * (widths / widths[-1]) ** rate["expected"]
                axes.plot(widths, line, color=colours[place], linewidth=1.2, linestyle="--")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(widths, [str(width) for width in widths])
        axes.minorticks_off()
        axes.set_xlabel("width n")
        axes.set_ylabel("distance from the limit")
        axes.legend(frameon=False, loc="best")
    return figure


FIGURES = (
    VerdictFigure(
        "verdict_spread",
        "The limit and the networks' spread",
        "Mean loss over the seeds of each width; the band holds all of them.",
        draw_spread,
    ),
    VerdictFigure(
        "verdict_distance",
        "Distance against width",
        "Root mean square distance from the limit (points), the fitted law (solid) and the slope that the "
        "theory expects (dashed).",
        draw_distance,
    ),
)


def write_verdict_figures(data: Data, folder: Path) -> list[str]:
    """Draw the figures of a verdict into ``folder`` as SVG and PNG; the names of those drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for one in FIGURES:
        figure = one.build(data)
        if figure is None:
            continue
        for form in ("svg", "png"):
            (folder / f"{one.name}.{form}").write_bytes(figure_bytes(figure, form))
        drawn.append(one.name)
    return drawn


def verdict_section(
    data: Data | None,
    figures: Mapping[str, str],
    table: Callable[[Sequence[str], Sequence[Sequence[str]]], str],
) -> str:
    """The body of the page's section, HTML; empty where there is no verdict. ``table`` makes HTML tables."""
    if not data:
        return ""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in data["reasons"])
    items = [
        f"<figure>\n{inline_svg(figures[one.name], one.name, escape(one.title))}\n"
        f"<figcaption><b>{escape(one.title)}.</b> {escape(one.caption)}</figcaption>\n</figure>"
        for one in FIGURES
        if one.name in figures
    ]
    parts = [
        f"<p><b>{escape(headline(data))}.</b></p>",
        f"<ul>{reasons}</ul>" if reasons else "",
        '<div class="figures">\n' + "\n".join(items) + "\n</div>" if items else "",
        _rows(data, table),
        _rates(data, table),
        "".join(f"<p>{escape(line)}</p>" for line in error_lines(data)),
    ]
    return "\n".join(part for part in parts if part)


def _rows(data: Data, table: Callable[[Sequence[str], Sequence[Sequence[str]]], str]) -> str:
    widths = data["settings"]["widths"]
    heads = ["Observable", "Size", *(f"n = {n}" for n in widths), "At n = ∞", "Surely below", "Verdict"]
    rows = [
        [
            f"<code>{escape(row['observable'])}</code>",
            f"{row['scale']:.3g}",
            *(distance(row, n) for n in widths),
            f"{estimate(row):.2g}",
            f"{row['bound']:.2g}",
            escape(row["status"] or "shown only"),
        ]
        for row in data["table"]
    ]
    return table(heads, rows)


def _rates(data: Data, table: Callable[[Sequence[str], Sequence[Sequence[str]]], str]) -> str:
    if not data["rates"]:
        return ""
    rows = [
        [
            escape(rate["name"]),
            f"{rate['slope']:.2f}",
            f"{rate['low']:.2f} to {rate['high']:.2f}",
            f"{rate['expected']:g}",
        ]
        for rate in data["rates"]
    ]
    return table(["Distance of", "Slope", "95 % interval", "Expected"], rows)
