"""Signals and critical initialisations in notebooks: their numbers as tables, what they mean as sentences."""

from __future__ import annotations

from html import escape
from typing import Any

from ..algebra.showing import register_html
from ..signals.by_depth import ByDepth
from ..signals.network_signal import NetworkSignal
from ..signals.signal import Critical
from ..signals.signal_result import Signal
from .html import code, html_table, items
from .notebook import fragment


def signal_html(signal: Signal) -> str:
    """Scales and numbers, every fixed point, and sentences."""
    data = signal.data
    skipped = {"title", "names", "scales", "fixed_points", "sentences"}
    numbers = [(code(name), _cell(value)) for name, value in data.items() if name not in skipped]
    points = [
        (kind, _cell(point["at"]), _cell(point["slope"]), "yes" if point["stable"] else "no")
        for kind, found in (("variance", "variances"), ("correlation", "correlations"))
        for point in data["fixed_points"][found]
    ]
    table = html_table(("Fixed point of the", "At", "Slope", "Stable"), points, (1, 2)) if points else ""
    return fragment(
        f"Signals of {signal.title}", html_table(("", ""), numbers, (1,)), table, items(signal.sentences)
    )


def critical_html(critical: Critical) -> str:
    """Every critical point, and the gain."""
    rows = [
        [_cell(point[name]) for name in ("sigma_w2", "sigma_b2", "q_star", "slope_q")]
        for point in critical.data["points"]
    ]
    table = html_table(("sigma_w2", "sigma_b2", "q*", "slope of the variance"), rows, (0, 1, 2, 3))
    gain = f"<p>Deviation of weights: {critical.gain:.9g} / sqrt(fan-in).</p>"
    return fragment(f"Critical initialisation of {critical.title}", table, gain)


def network_html(signal: NetworkSignal) -> str:
    """The equations of a network, and what is known of its repeated part."""
    equations = f"<pre>{escape(signal.equations)}</pre>"
    repeated = "" if signal.repeated is None else signal_html(signal.repeated)
    return fragment(f"Signals of {signal.title} at random weights", equations, repeated)


def depth_html(found: ByDepth) -> str:
    """Kernels by depth as tables."""
    tables = []
    for words, rows in (
        ("Field", found.fields),
        ("Gradient by", found.gradients),
        ("Parameter", found.parameters),
    ):
        cells = [[code(r.name), *(f"{value:.6g}" for value in (r.q1, r.q2, r.q12, r.c))] for r in rows]
        tables.append(html_table((words, "q1", "q2", "q12", "c"), cells, (1, 2, 3, 4)) if rows else "")
    return fragment(f"Two inputs through {found.title}", *tables)


def _cell(value: Any) -> str:
    """A number, a list of numbers or a word; an empty cell for none."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return escape(value if isinstance(value, str) else f"{value:.9g}")


register_html(Signal, signal_html)
register_html(Critical, critical_html)
register_html(NetworkSignal, network_html)
register_html(ByDepth, depth_html)
