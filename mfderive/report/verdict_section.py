"""The verdict on a page: its section, and two figures drawn from its plain data.

The limit with the networks' mean and spread shows what agreement looks like; distance against width, with
the fitted and the expected slope, shows how fast it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..runs.atomic import write_text
from ..verdict.wording import NOT_TOLD, distance, estimate, grounds, is_told
from .figures import INK, inline_svg, new_figure, series_name, style, width_colours, write_figure
from .html import Section, code, document, fold, html_table, items, program_version, signed

Data = Mapping[str, Any]


# Dark enough on white and light enough on black.
_SERIES = ("#2f6fb0", "#c2571a", "#3b8a5a", "#8a5aa8")


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
            look = {"color": colours[width], "alpha": 0.18, "linewidth": 0}
            axes.fill_between(times, own["low"], own["high"], gid=series_name(width, "band"), **look)
            look = {"color": colours[width], "linewidth": 1.4, "label": f"n = {width}"}
            axes.plot(times, own["mean"], gid=series_name(width), **look)
        look = {"color": INK, "linewidth": 2.4, "zorder": 5, "label": "limit (n = ∞)"}
        axes.plot(times, curves["limit"], gid=series_name(None), **look)
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
        colours = _SERIES
        for position, rate in enumerate(data["rates"]):
            widths, distances = np.asarray(rate["widths"]), np.asarray(rate["distances"])
            axes.plot(widths, distances, "o", color=colours[position % len(colours)], label=rate["name"])
            last = distances[-1]
            if is_told(rate):
                fit = np.sqrt(rate["amplitude"] * widths ** (2 * rate["slope"]) + rate["floor"])
                axes.plot(widths, fit, color=colours[position % len(colours)], linewidth=1.6)
                last = fit[-1]
            if rate["expected"] is not None:
                # Through the widest width's fit, so that a wrong slope shows at the narrow ones.
                line = last * (widths / widths[-1]) ** rate["expected"]
                axes.plot(widths, line, color=colours[position % len(colours)], linewidth=1.2, linestyle="--")
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
        "Root mean square distance from the limit (points), the fitted law (solid, where the networks tell "
        "it) and the slope that the theory expects (dashed).",
        draw_distance,
    ),
)


def write_verdict_figures(data: Data, folder: Path) -> list[str]:
    """Draw the figures of a verdict into ``folder`` as SVG and PNG; the names of those drawn."""
    drawn = []
    for one in FIGURES:
        figure = one.build(data)
        if figure is None:
            continue
        write_figure(figure, one.name, folder)
        drawn.append(one.name)
    return drawn


def verdict_section(data: Data | None, figures: Mapping[str, str]) -> str:
    """The body of the page's section, HTML; empty where there is no verdict."""
    if not data:
        return ""
    drawn = [
        f"<figure>\n{inline_svg(figures[one.name], one.name, escape(one.title))}\n"
        f"<figcaption><b>{escape(one.title)}.</b> {escape(one.caption)}</figcaption>\n</figure>"
        for one in FIGURES
        if one.name in figures
    ]
    status = str(data["status"])
    parts = [
        f'<p class="verdict {escape(status)}"><b>{escape(status.capitalize())}</b>'
        f"{escape(grounds(data))}.</p>",
        items(data["reasons"]),
        '<div class="figures">\n' + "\n".join(drawn) + "\n</div>" if drawn else "",
        fold("Networks against the limit", _rows(data)),
        _rates(data),
        fold("Where the distance comes from", _errors(data)),
    ]
    return "\n".join(part for part in parts if part)


_TABLE_NOTE = (
    "Root mean square distances of the networks from the limit, width by width; what is left at infinite "
    "width by the best estimate, and what it is below with certainty. Size: that of the observable itself."
)


def _rows(data: Data) -> str:
    widths = data["settings"]["widths"]
    heads = ["Observable", "Size", *(f"n = {n}" for n in widths), "At n = ∞", "Surely below", "Verdict"]
    rows = [
        [
            code(row["observable"]),
            f"{row['scale']:.3g}",
            *(distance(row, n) or "–" for n in widths),
            f"{estimate(row):.2g}",
            f"{row['bound']:.2g}",
            escape(row["status"] or "shown only"),
        ]
        for row in data["table"]
    ]
    meanings = [f"`{row['observable']}`: {row['meaning']}" for row in data["table"] if row.get("meaning")]
    explained = f"<details><summary>What the observables are</summary>{items(meanings)}</details>"
    table = html_table(heads, rows, range(1, len(heads) - 1))
    return f'<p class="soft">{_TABLE_NOTE}</p>{table}{explained if meanings else ""}'


def _rates(data: Data) -> str:
    if not data["rates"]:
        return ""
    fits = {True: "as expected", False: "not as expected"}
    rows = [
        [
            escape(rate["name"]),
            f"n<sup>{signed(rate['slope'])}</sup>" if is_told(rate) else NOT_TOLD,
            f"{signed(rate['low'])} to {signed(rate['high'])}",
            "–" if rate["expected"] is None else f"n<sup>{signed(rate['expected'], 'g')}</sup>",
            fits.get(rate["as_expected"], "–") if is_told(rate) else "–",
        ]
        for rate in data["rates"]
    ]
    heads = ["Distance of", "Goes as", "Exponent, 95 % interval", "Theory", "Found"]
    return fold("How fast networks approach it", html_table(heads, rows))


def _errors(data: Data) -> str:
    """The sources of error, each varied alone, the greatest first."""
    errors, widest = data["errors"], data["settings"]["widths"][-1]
    meaning = {
        "width": f"a network of width {widest} instead of infinitely many neurons",
        "step size": "steps of this learning rate instead of infinitely small ones",
        "data": "these batches instead of others",
        "ensemble": "the nodes with which the limit is computed",
    }
    named = sorted(meaning, key=lambda name: -errors[name])
    rows = [
        [
            f"<b>{name}</b>" if name == errors["dominating"] else name,
            meaning[name],
            f"{errors[name]:.2g}",
            f"{100 * errors[name] / errors['size']:.2g} %",
        ]
        for name in named
    ]
    flow, size = errors["gradient flow"], errors["size"]
    return (
        f'<p class="soft">How far each source alone moves the outputs (their size: {size:.3g}). The limit in '
        f"these steps is {flow:.2g} ({100 * flow / size:.2g} %) away from the gradient flow.</p>"
        + html_table(["Source", "What it is", "Error", "Share of the size"], rows, (2, 3))
    )


def render_verdict(data: Data, figures: Mapping[str, str]) -> str:
    """The page of a check by itself: one HTML file that needs no other."""
    section = Section("verdict", "Is it true?", verdict_section(data, figures))
    introduction = (
        "<p>This page holds networks of finite width, trained step by step, against their mean-field limit "
        "on the same batches.</p>"
    )
    return document(
        str(data["title"]), "Check of a mean-field limit", introduction, [section], program_version()
    )


def write_verdict_page(data: Data, folder: Path) -> Path:
    """Draw the figures and the page of a check into its folder; the page."""
    figures = {
        name: (folder / f"{name}.svg").read_text(encoding="utf-8")
        for name in write_verdict_figures(data, folder)
    }
    page = folder / "index.html"
    write_text(page, render_verdict(data, figures))
    return page
