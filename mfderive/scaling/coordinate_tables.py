"""Coordinate checks as text, plain data and CSV."""

from __future__ import annotations

import csv
import io
from textwrap import fill
from typing import Any

from .coordinate_rows import CoordinateRow, CoordinateRows
from .coordinate_sentences import fault_sentence
from .network_sizes import Measure
from .size_slopes import SizeSlope

_TITLES = {
    Measure.VALUE: "Pre-activations at the start",
    Measure.UPDATE: "Changes of pre-activations",
    Measure.FROM_WEIGHTS: "Changes of pre-activations that come from their weights",
    Measure.FROM_INPUTS: "Changes of pre-activations that come from their inputs",
    Measure.START: "Parameters at the start",
    Measure.SPREAD: "Deviations of entries at the start",
    Measure.FIRST: "Changes of parameters by the first step",
    Measure.CHANGE: "Changes of parameters",
    Measure.SUM: "Terms of pre-activations at the start over those that the network's own parameters make",
    Measure.RATE: "First steps over those that the network's own gradient asks for",
}


def answer(check: CoordinateRows) -> list[str]:
    """What was found, in sentences."""
    found = _of_given_networks(check) if check.given else _of_own_networks(check)
    if check.undropped:
        found.append("The dropout of the spec is left out: networks of this program are trained without it.")
    return found


def _of_given_networks(check: CoordinateRows) -> list[str]:
    """Which factors of a person's own networks are wrong, and what could not be told."""
    found = [fault_sentence(finding) for finding in check.faults]
    if not found:
        found = [f"No factor with a wrong power of the width is found at widths {_listed(check)}."]
    if check.undecided and not check.faults:
        found.append(
            f"The first steps of {', '.join(check.undecided)} scatter too much to tell a wrong rate from "
            "a right one. Let train return the batch of the first step as x and y (the steps are then held "
            "against the gradients of these very networks), or take more seeds."
        )
    if check.unpredicted:
        found.append(f"The limit of this network predicts no sizes: {check.unpredicted}.")
    found += _blown_up(check)
    if check.unmeasured:
        found.append(f"Nothing was returned of {', '.join(check.unmeasured)}: these were not looked at.")
    return found


def _of_own_networks(check: CoordinateRows) -> list[str]:
    """How far networks of this program are where the limit expects them."""
    told = [row for row in check.rows if row.expected is not None and row.slope.value is not None]
    if not told:
        lack = check.unpredicted or "all of them are 0"
        return [f"The limit of this network predicts no sizes: {lack}.", *_blown_up(check)]
    holds = [row for row in told if row.expected is not None and row.slope.holds(row.expected)]
    inside = [row.inside for row in told if row.inside is not None]
    found = [
        f"Of {len(told)} exponents that the limit expects, {len(holds)} lie in the measured interval; "
        f"{sum(inside) / len(inside):.0%} of the sizes lie in its bands."
    ]
    found += [
        f"{row.quantity.name} ({row.quantity.measure.value}): the exponent is {row.slope.text}, expected "
        f"{row.expected:g}."
        for row in told
        if row not in holds
    ]
    return [*found, *_blown_up(check)]


def _blown_up(check: CoordinateRows) -> list[str]:
    """What a rule makes of gradients that are 0 in the limit."""
    names, rule = check.blown_up.parameters, check.blown_up.rule
    if not names:
        return []
    many = len(names) > 1
    return [
        f"The {'gradients' if many else 'gradient'} of {', '.join(names)} {'are' if many else 'is'} 0 in the "
        "limit. Networks have fluctuations there, and these are not small beside the constants of the rule "
        f"({rule}; eps, for example), which makes steps of them that do not fall like them with the width. "
        "What the limit says of sizes after steps holds at widths where they are small, and is not expected "
        "at these. A start that is not stationary (`mfderive scalings`), or larger constants, would mend it."
    ]


def _listed(check: CoordinateRows) -> str:
    return f"{check.widths[0]} to {check.widths[-1]}"


def text(check: CoordinateRows) -> str:
    """The answer, then root mean squares by width with their exponents, as plain text."""
    lines = [f"Coordinate check of {check.title}", ""]
    lines += [fill(line, 112, initial_indent="  - ", subsequent_indent="    ") for line in answer(check)]
    lines += [
        "",
        f"Root mean squares of {check.seeds} networks a width, {check.steps} steps; in brackets what the "
        "limit expects.",
    ]
    for measure, title in _TITLES.items():
        rows = [row for row in check.rows if row.quantity.measure is measure]
        if rows:
            lines += ["", title, *_table(check, rows)]
    return "\n".join(lines)


def _table(check: CoordinateRows, rows: list[CoordinateRow]) -> list[str]:
    relative = any(row.relative is not None for row in rows)
    heads = ["", *(f"n = {width}" for width in check.widths), "exponent", "expected", "in the band"]
    body = [heads + ["beside right networks"] * relative]
    for row in rows:
        line = [row.quantity.text]
        for number in range(len(check.widths)):
            limit = "" if row.prediction is None else f" ({row.prediction.line[number]:.3g})"
            line.append(f"{row.sizes[number].mean():.3g}{limit}")
        expected = "-" if row.expected is None else f"{row.expected:g}"
        inside = "-" if row.inside is None else f"{row.inside:.0%}"
        line += [row.slope.text, expected, inside]
        body.append(line + [row.relative.text if row.relative is not None else "-"] * relative)
    widths = [max(len(line[number]) for line in body) for number in range(len(body[0]))]
    return [
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip()
        for line in body
    ]


def csv_text(check: CoordinateRows) -> str:
    """One line for each size of each network: measure, name, width, seed, size, limit, low, high."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("measure", "name", "width", "network", "size", "limit", "low", "high"))
    for row in check.rows:
        for number, width in enumerate(check.widths):
            told: tuple[Any, ...] = ("", "", "")
            if row.prediction is not None:
                low, high = row.prediction.band
                told = (row.prediction.line[number], low[number], high[number])
            for network, size in enumerate(row.sizes[number]):
                writer.writerow((row.quantity.measure.value, row.quantity.text, width, network, size, *told))
    return stream.getvalue()


def coordinates_data(check: CoordinateRows) -> dict[str, Any]:
    """Everything as plain data, what JSON can hold."""
    return {
        "title": check.title,
        "widths": list(check.widths),
        "networks": check.seeds,
        "steps": check.steps,
        "own": check.given,
        "faults": [
            {
                "kind": str(finding.kind),
                "parameters": list(finding.subjects),
                **finding.facts,
                "text": fault_sentence(finding),
            }
            for finding in check.faults
        ],
        "unmeasured": list(check.unmeasured),
        "undecided": list(check.undecided),
        "unpredicted": check.unpredicted,
        "blown_up": {"parameters": list(check.blown_up.parameters), "power": check.blown_up.power},
        "sizes": [_row(row) for row in check.rows],
    }


def _row(row: CoordinateRow) -> dict[str, Any]:
    data: dict[str, Any] = {
        "measure": row.quantity.measure.value,
        "name": row.quantity.name,
        "term": row.quantity.term,
        "sizes": [[_number(size) for size in own] for own in row.sizes],
        "exponent": _slope(row.slope),
        "expected": row.expected,
        "inside": row.inside,
        "relative": None if row.relative is None else _slope(row.relative),
    }
    if row.prediction is not None:
        low, high = row.prediction.band
        data |= {"limit": row.prediction.line.tolist(), "low": low.tolist(), "high": high.tolist()}
    return data


def _number(value: float) -> float | None:
    import math

    return float(value) if math.isfinite(value) else None


def _slope(slope: SizeSlope) -> dict[str, float] | None:
    if slope.value is None:
        return None
    return {"value": slope.value, "low": slope.low, "high": slope.high}
