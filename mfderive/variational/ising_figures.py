"""Figures of Ising models: the graphical solution, and the magnetisation over the temperature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..report.figures import INK, new_figure, style
from .ising_model import IsingModel

_MEAN_FIELD, _BETHE, _WITNESS = "#2a788e", "#d1495b", INK


def draw_graphical_solution(result: Any) -> Any:
    """Both sides of m = tanh((k m + B)/T) with all crossings, as Fig. 4 of the survey.

    Where spins differ, k is the largest eigenvalue of J and B the mean field: the equation of a uniform m on
    a graph of that size, and the means of the solutions that were found stand on the diagonal.
    """
    model: IsingModel = result.model
    classes = result.search.classes
    is_alike = classes.count == 1
    coupling = float(classes.couplings[0, 0]) if is_alike else (result.transition_temperature or 0.0)
    field = float(model.fields.mean())
    with style():
        figure, axes = new_figure()
        m = np.linspace(-1.08, 1.08, 481)
        axes.plot(m, m, color=INK, linewidth=1.2, label="m")
        temperatures = [("-", model.temperature, 2.2)]
        if is_alike and coupling > 0 and abs(coupling - model.temperature) > 1e-9:
            temperatures.append((":", coupling, 1.4))
        for line, temperature, width in temperatures:
            inside = f"({coupling:.4g} m {'+' if field > 0 else '-'} {abs(field):.3g})"
            side = f"tanh({inside if field else f'{coupling:.4g} m'} / T),"
            at = "$T = T_c$" if line == ":" else f"T = {temperature:.4g}"
            axes.plot(
                m,
                np.tanh((coupling * m + field) / temperature),
                line,
                color=_MEAN_FIELD,
                linewidth=width,
                label=("" if is_alike else "one m for all: ") + f"{side}  {at}",
            )
        for stability, face in (("stable", _BETHE), ("marginal", "#999999"), ("unstable", "white")):
            means = [one.mean for one in result.solutions if one.stability == stability]
            if is_alike:
                means = [
                    one.mean
                    for one in result.solutions
                    if np.ptp(one.m) < 1e-9 and one.stability == stability
                ]
            if means:
                axes.plot(
                    means,
                    means,
                    "o",
                    color=_BETHE,
                    markerfacecolor=face,
                    markersize=7,
                    label=stability if is_alike else f"mean of the $m_i$, {stability}",
                    zorder=5,
                )
        axes.axhline(0, color=INK, linewidth=0.6, alpha=0.5)
        axes.axvline(0, color=INK, linewidth=0.6, alpha=0.5)
        axes.set_xlabel("magnetisation m")
        axes.set_ylabel("both sides")
        axes.legend(frameon=False, loc="upper left", fontsize=10)
    return figure


def draw_magnetisation(curve: Any) -> Any:
    """m over T by every method, each transition a dotted line."""
    with style():
        figure, axes = new_figure()
        if curve.witness is not None:
            name = "exact ⟨|m|⟩" if curve.is_exact else "Gibbs samples ⟨|m|⟩"
            axes.errorbar(
                curve.temperatures,
                curve.witness,
                None if curve.is_exact else 2 * curve.witness_error,
                fmt="o",
                color=_WITNESS,
                markersize=4,
                linewidth=1.0,
                label=name,
                zorder=5,
            )
        for name, values, colour, at in (
            ("Bethe", curve.bethe, _BETHE, curve.bethe_transition.temperature),
            ("mean field", curve.mean_field, _MEAN_FIELD, curve.transition.temperature),
        ):
            label = name if at is None else f"{name}, $T_c$ = {at:.4g}"
            places = curve.temperatures
            is_inside = at is not None and places.min() <= at <= places.max()
            if (
                is_inside and curve.model.has_no_field
            ):  # the foot of the curve, which no grid of temperatures has
                places, values = np.append(places, at), np.append(values, 0.0)
            order = np.argsort(places)
            axes.plot(places[order], values[order], color=colour, linewidth=2.0, label=label)
            if is_inside:
                axes.axvline(at, color=colour, linewidth=1.1, linestyle=":")
        axes.set_xlabel("temperature  T")
        axes.set_ylabel("magnetisation  m")
        top = max(1.0, float(np.nanmax(curve.mean_field)))
        axes.set_ylim(-0.03, 1.04 * top if math.isfinite(top) else 1.04)
        axes.margins(x=0.02)
        axes.legend(frameon=False, loc="best", fontsize=10)
    return figure
