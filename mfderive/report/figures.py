"""Figures of a run: one recipe per figure, drawn the same way to the byte every time.

The limit stands in front of the finite widths, as in Fig. 5 of the paper (Nguyen 2019): thick and black,
with one thin line per seed behind it, coloured by width. Figures carry no date and no random identifiers.
To add a figure, append a :class:`Recipe` to :data:`RECIPES`; the page and the folder follow.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..runs.atomic import write_bytes
from .curves import Curve, thinned, widths_of

# The ink is a colour that occurs nowhere else, so that a page may replace it by its own text colour.
INK = "#121417"
_SIZE = (6.0, 3.9)  # inches
_STYLE = {
    "svg.hashsalt": "mfderive",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 12.0,
    "axes.labelsize": 13.0,
    "axes.titlesize": 13.0,
    "legend.fontsize": 11.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "path.simplify": True,
}
_LABEL = {
    "times": "training time  t = Σα",
    "steps": "steps (logarithmic)",
    "loss": "population loss",
    "error": "classification error",
}
# What figures are written as.
FORMS = ("svg", "png")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Recipe:
    """One figure: its file name, the sentences of the page, and how to draw it.

    ``build`` returns a matplotlib Figure, or None where the curves do not hold what the figure shows.
    """

    name: str
    title: str
    caption: str
    build: Callable[[Sequence[Curve]], Any]


def _training_figure(horizontal: str, vertical: str) -> Callable[[Sequence[Curve]], Any]:
    def build(curves: Sequence[Curve]) -> Any:
        if vertical == "error" and not any(curve.has_error for curve in curves):
            return None
        return draw_training(curves, horizontal, vertical)

    return build


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "loss_steps",
        "Loss against steps",
        "Loss on the evaluation sample; the step axis is logarithmic, with step 0 to its left.",
        _training_figure("steps", "loss"),
    ),
    Recipe(
        "error_steps",
        "Error against steps",
        "Fraction of the evaluation sample that is misclassified.",
        _training_figure("steps", "error"),
    ),
    Recipe(
        "loss_time",
        "Loss against training time",
        "The same loss against t, the sum of the learning rates: the clock of the limit.",
        _training_figure("times", "loss"),
    ),
    Recipe(
        "error_time",
        "Error against training time",
        "The same error against t.",
        _training_figure("times", "error"),
    ),
)


def new_figure() -> tuple[Any, Any]:
    """A figure and its only axes, in the style of the report (to be called within :func:`style`)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(True, color=INK, alpha=0.12, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def style() -> Any:
    """The context in which figures are drawn and saved."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def width_colours(widths: Sequence[int]) -> dict[int, Any]:
    """A colour for each width: light for narrow networks, dark for wide ones.

    The ends of the map are left out, so that every line shows on white and on black paper.
    """
    from matplotlib import colormaps

    places = [0.5] if len(widths) == 1 else np.linspace(0.9, 0.32, len(widths))
    return {width: colormaps["viridis"](place) for width, place in zip(sorted(widths), places, strict=True)}


def draw_training(curves: Sequence[Curve], horizontal: str, vertical: str) -> Any:
    """Loss or error (``vertical``) against times or steps (``horizontal``); a matplotlib Figure."""
    widths = widths_of(curves)
    with style():
        figure, axes = new_figure()
        colours = width_colours(widths)
        labelled: set[Any] = set()
        # Narrow networks first, the limit last: what is drawn later lies in front.
        ordered = sorted(curves, key=lambda c: (c.is_limit, c.width or 0, c.seed or 0))
        for number, curve in enumerate(ordered):
            points = thinned(curve)
            x, y = getattr(points, horizontal), getattr(points, vertical)
            label = None
            if curve.width not in labelled:
                label = _LIMIT if curve.is_limit else f"n = {curve.width}"
                labelled.add(curve.width)
            look = (
                {"color": INK, "linewidth": 2.3, "zorder": 5}
                if curve.width is None
                else {"color": colours[curve.width], "linewidth": 1.1, "alpha": 0.9, "zorder": 3}
            )
            name = series_name(curve.width, number)
            axes.plot(x, np.where(np.isfinite(y), y, np.nan), label=label, gid=name, **look)
            if vertical == "loss" and points.band is not None:
                named = None if _BAND in labelled else _BAND
                labelled.add(_BAND)
                look = {"color": INK, "alpha": 0.22, "linewidth": 0, "zorder": 4, "label": named}
                axes.fill_between(x, *points.band, gid=f"{name}-band", **look)
        axes.set_xlabel(_LABEL[horizontal])
        axes.set_ylabel(_LABEL[vertical])
        if horizontal == "steps":
            step_axis(axes, max((float(curve.steps[-1]) for curve in curves if len(curve.steps)), default=1))
        else:
            axes.margins(x=0.02)
        shown = [getattr(curve, vertical) for curve in curves]
        if vertical == "loss":
            shown += [curve.band[1] for curve in curves if curve.band is not None]
        value_axis(axes, shown, vertical)
        if labelled:
            _legend(axes)
    return figure


def series_name(width: int | None, member: Any = "mean") -> str:
    """The identifier of a line in a drawing, which the script of a page finds it by.

    ``width`` is None for the limit; ``member`` tells lines of one width apart.
    """
    return f"series-{'limit' if width is None else f'n{width}'}-{member}"


_LIMIT, _BAND = "limit (n = ∞)", "stated error of the limit"


def step_axis(axes: Any, last: float) -> None:
    """A logarithmic axis from step 1 on, with step 0 (which has no logarithm) on a short linear piece."""
    from matplotlib.ticker import FixedLocator, FuncFormatter

    axes.set_xscale("symlog", linthresh=1.0, linscale=0.25)
    decades = np.arange(0, int(np.floor(np.log10(max(last, 1.0)))) + 1)
    axes.xaxis.set_major_locator(FixedLocator([0.0, *(10.0**decades)]))
    minor = [digit * 10.0**decade for decade in decades for digit in range(2, 10)]
    axes.xaxis.set_minor_locator(FixedLocator([place for place in minor if place <= last]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))
    axes.set_xlim(-0.12, max(last, 1.0) * 1.15)


def _power_of_ten(value: float) -> str:
    if value < 1e4:
        return f"{value:.0f}"
    return "10" + str(round(np.log10(value))).translate(_SUPERSCRIPT)


def value_axis(axes: Any, series: list[Any], vertical: str) -> None:
    """Linear from 0; logarithmic where a loss falls by more than two decades and stays positive."""
    values = np.concatenate([np.asarray(one)[np.isfinite(one)] for one in series] or [np.zeros(0)])
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if vertical == "loss" and low > 0 and high > 100 * low:
        axes.set_yscale("log")
        axes.set_ylabel(_LABEL[vertical] + " (logarithmic)")
    elif low >= 0:
        axes.set_ylim(0.0, (high or 1.0) * 1.06)


def _legend(axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    # The limit leads, with its error; the widths follow in ascending order.
    order = sorted(range(len(labels)), key=lambda k: (labels[k] != _LIMIT, labels[k] != _BAND, k))
    legend = axes.legend(
        [handles[k] for k in order],
        [labels[k] for k in order],
        loc="best",
        frameon=False,
        handlelength=1.6,
    )
    for line in legend.get_lines():
        line.set_linewidth(2.8)


def figure_bytes(figure: Any, form: str) -> bytes:
    """The figure as ``svg`` (no date, fixed identifiers, transparent) or ``png`` (white paper)."""
    stream = io.BytesIO()
    with style():
        if form == "svg":
            figure.savefig(
                stream, format="svg", transparent=True, metadata={"Date": None, "Creator": "mfderive"}
            )
            return _with_axes(stream.getvalue().decode("utf-8"), figure.axes).encode("utf-8")
        figure.savefig(stream, format="png", dpi=160, facecolor="white", metadata={"Software": "mfderive"})
    return stream.getvalue()


def _with_axes(svg: str, every: Sequence[Any]) -> str:
    """A drawing whose axes say what they measure, so that values can be read off its lines.

    ``data-x`` and ``data-y``: the kind of the scale, its limits, for ``symlog`` (base 10) the length and the
    share of its linear piece, and behind a bar the label.
    """
    for number, axes in enumerate(every, start=1):
        facts = {"x": axes.xaxis, "y": axes.yaxis}
        told = [f'data-{name}="{escape(_scale(axis))}"' for name, axis in facts.items()]
        svg = svg.replace(f'<g id="axes_{number}">', f'<g id="axes_{number}" {" ".join(told)}>', 1)
    return svg


def _scale(axis: Any) -> str:
    scale = axis.get_transform()
    more = [scale.linthresh, scale.linscale] if axis.get_scale() == "symlog" else []
    numbers = " ".join(f"{value:.9g}" for value in (*axis.get_view_interval(), *more))
    return f"{axis.get_scale()} {numbers}|{axis.get_label_text()}"


def write_figure(figure: Any, name: str, folder: Path, forms: Sequence[str] = FORMS) -> None:
    """Write a figure into ``folder`` in all forms.

    The places of its parts are found once, for the first form: finding them takes as long as drawing.
    """
    for form in forms:
        write_bytes(folder / f"{name}.{form}", figure_bytes(figure, form))
        figure.set_layout_engine("none")


def write_figures(curves: Sequence[Curve], folder: Path, forms: Sequence[str] = FORMS) -> list[str]:
    """Draw every recipe that applies into ``folder`` as SVG and PNG; the names of the figures drawn."""
    drawn: list[str] = []
    for recipe in RECIPES:
        figure = recipe.build(curves)
        if figure is None:
            continue
        write_figure(figure, recipe.name, folder, forms)
        drawn.append(recipe.name)
    return drawn


def inline_svg(svg: str, name: str, label: str) -> str:
    """An SVG file as an element of a page: own identifiers, the page's ink, a label for screen readers."""
    body = svg[svg.index("<svg") :]
    # A style element would reach the whole page; the page's own style has the same rule.
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(xlink:href|href)="#', rf'\1="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
    # The page sets the size; the view box keeps the proportions.
    head, rest = body.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{label}">{rest}'
