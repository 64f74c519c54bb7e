"""Figures of signals: kernels and gradients by depth, the phase diagram, lazy and rich training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..signals.by_depth import ByDepth, DepthRow, register_depth_figure
from ..signals.lazy_and_rich import LazyAndRich, register_lazy_figure
from ..signals.phase_diagram import PhaseDiagram
from .figures import INK, new_figure, style

_BLUE, _ORANGE, _GREEN = "#2f6db3", "#d9822b", "#3b8f5a"
# So many names of layers stand on an axis; of more only some do.
_MOST_NAMES = 12


def draw_by_depth(found: ByDepth) -> Any:
    """A matplotlib Figure: variances and correlation of two inputs above, sizes of gradients below."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 6.4), layout="constrained")
        upper, lower = figure.subplots(2, 1)
        _variances(upper, found.fields)
        _gradients(lower, found.fields, found.gradients)
        return figure


def _variances(axes: Any, rows: Sequence[DepthRow]) -> None:
    places = np.arange(len(rows))
    axes.grid(True, color=INK, alpha=0.12, linewidth=0.7)
    axes.plot(places, [r.q1 for r in rows], "o-", color=_BLUE, label="q of input 1")
    axes.plot(places, [r.q2 for r in rows], "s--", color=_BLUE, alpha=0.6, label="q of input 2")
    _logarithmic(axes, [r.q1 for r in rows] + [r.q2 for r in rows])
    axes.set_ylabel("variance q", color=_BLUE)
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    other.plot(places, [r.c for r in rows], "^-", color=_ORANGE, label="correlation c")
    other.set_ylabel("correlation c", color=_ORANGE)
    other.set_ylim(min(0.0, min(r.c for r in rows)) - 0.05, 1.05)
    lines = [*axes.get_lines(), *other.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], frameon=False, loc="best")
    _names(axes, [r.name for r in rows])


def _gradients(axes: Any, fields: Sequence[DepthRow], rows: Sequence[DepthRow]) -> None:
    order = {row.name: place for place, row in enumerate(fields)}
    known = sorted((row for row in rows if row.name in order), key=lambda row: order[row.name])
    axes.grid(True, color=INK, alpha=0.12, linewidth=0.7)
    if known:
        places = [order[row.name] for row in known]
        axes.plot(places, [r.q1 for r in known], "o-", color=_GREEN, label="input 1")
        axes.plot(places, [r.q2 for r in known], "s--", color=_GREEN, alpha=0.6, label="input 2")
        _logarithmic(axes, [r.q1 for r in known] + [r.q2 for r in known])
        axes.legend(frameon=False, loc="best")
    axes.set_ylabel("squared gradient of the output")
    axes.set_xlim(-0.4, len(fields) - 0.6)
    _names(axes, [r.name for r in fields])


def _logarithmic(axes: Any, values: Sequence[float]) -> None:
    positive = [v for v in values if v > 0]
    if positive and len(positive) == len(values) and max(positive) > 20 * min(positive):
        axes.set_yscale("log")


def _names(axes: Any, names: Sequence[str]) -> None:
    step = max(1, -(-len(names) // _MOST_NAMES))
    places = range(0, len(names), step)
    turned = sum(len(names[p]) for p in places) > 60
    labels = [names[p].replace("$", r"\$") for p in places]
    axes.set_xticks(list(places), labels, rotation=35 if turned else 0, ha="right" if turned else "center")


def draw_phase(diagram: PhaseDiagram) -> Any:
    """A matplotlib Figure of a phase diagram: log of chi_1 as colour, the critical line, depth scales as
    contours."""
    with style():
        figure, axes = new_figure()
        axes.grid(False)
        growth = np.log(np.maximum(diagram.chi_1, 1e-12))
        reach = float(np.nanmax(np.abs(np.clip(growth, -1.0, 1.0)))) or 1.0
        image = axes.pcolormesh(
            diagram.sigma_w2,
            diagram.sigma_b2,
            growth,
            cmap="RdBu_r",
            vmin=-reach,
            vmax=reach,
            shading="auto",
            rasterized=True,
        )
        bar = figure.colorbar(image, ax=axes)
        bar.set_label("log χ₁  (blue: ordered, red: chaotic)")
        depths = np.where(np.isfinite(diagram.xi_c), diagram.xi_c, np.nan)
        if np.isfinite(depths).sum() > 4:
            lines = axes.contour(
                diagram.sigma_w2,
                diagram.sigma_b2,
                depths,
                levels=[2, 5, 10, 20],
                colors=INK,
                linewidths=0.8,
                alpha=0.6,
            )
            axes.clabel(lines, fmt=r"$\xi_c$ = %g", fontsize=9)
        if len(diagram.line_w2):
            axes.plot(
                diagram.line_w2, diagram.line_b2, color="black", linewidth=2.4, label="critical: χ₁ = 1"
            )
            axes.legend(frameon=True, framealpha=0.85, loc="upper left")
        axes.set_xlim(diagram.sigma_w2.min(), diagram.sigma_w2.max())
        axes.set_ylim(diagram.sigma_b2.min(), diagram.sigma_b2.max())
        axes.set_xlabel(r"variance of weights  $\sigma_w^2$")
        axes.set_ylabel(r"variance of biases  $\sigma_b^2$")
        return figure


def draw_lazy_and_rich(found: LazyAndRich) -> Any:
    """A matplotlib Figure: the training loss for every gamma, and of the linear dynamics, dashed."""
    with style():
        from matplotlib import colormaps

        figure, axes = new_figure()
        axes.grid(True, color=INK, alpha=0.12, linewidth=0.7)
        places = np.linspace(0.05, 0.85, max(len(found.gammas), 2))
        for number, (place, gamma, loss) in enumerate(zip(places, found.gammas, found.loss, strict=False)):
            color = colormaps["viridis"](place)
            axes.plot(found.times, loss, color=color, label=f"γ = {gamma:g}")
            if found.network_loss is not None:
                mean = found.network_loss[number].mean(axis=0)
                words = f"networks of width {found.width}" if number == 0 else None
                axes.plot(found.times, mean, "o", markersize=3, markevery=2, color=color, label=words)
        axes.plot(found.times, found.lazy_loss, "--", color="black", label="linear dynamics (γ → 0)")
        axes.set_yscale("log")
        axes.set_xlabel("training time  t / γ²")
        axes.set_ylabel("training loss")
        axes.legend(frameon=False)
        return figure


register_depth_figure(draw_by_depth)
register_lazy_figure(draw_lazy_and_rich)
