"""A verdict in words: from its plain data, so that a saved one reads the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .estimates import LABELS, PAIRS


def verdict_text(data: Mapping[str, Any]) -> str:
    """The verdict of :attr:`Verdict.data` for a terminal."""
    parts = [headline(data), *(f"  {reason}" for reason in data["reasons"]), "", _table(data)]
    if data["rates"]:
        parts += ["", "Distance against width:", *(f"  {line}" for line in rate_lines(data))]
    parts += ["", *error_lines(data)]
    return "\n".join(parts)


def headline(data: Mapping[str, Any]) -> str:
    """The verdict in one sentence, the status first."""
    return f"{data['status']}{grounds(data)}"


def grounds(data: Mapping[str, Any]) -> str:
    """What follows the status in the sentence of the verdict: what was found, how surely, and where."""
    settings = data["settings"]
    widths = ", ".join(str(width) for width in settings["widths"])
    where = f"networks of widths {widths}, {settings['seeds']} seeds each, t = {settings['time']:.3g}"
    level = f"{100 * (1 - settings['level']):.0f} %"
    if data["status"] == "agrees":
        rows = [row for row in data["table"] if row["tolerance"] is not None]
        worst = max(row["bound"] / row["scale"] for row in rows)
        return (
            f": at infinite width, outputs and loss are within {100 * worst:.2g} % of the limit "
            f"({level} certain; {where})"
        )
    if data["status"] == "disagrees":
        return f": networks do not approach this limit ({level} certain; {where})"
    return f" ({where})"


def _table(data: Mapping[str, Any]) -> str:
    widths = data["settings"]["widths"]
    heads = ("observable", "size", *(f"n = {n}" for n in widths), "at infinity", "below", "verdict")
    rows = [
        (
            row["observable"],
            f"{row['scale']:.3g}",
            *(distance(row, n) for n in widths),
            f"{estimate(row):.2g}",
            f"{row['bound']:.2g}",
            row["status"] or "(shown only)",
        )
        for row in data["table"]
    ]
    for name, distances in data["weight laws"].items():
        rows.append((f"{name} W1", "", *(f"{distances[str(n)]:.2g}" for n in widths), "", "", "(shown only)"))
    return plain_table(heads, rows)


def distance(row: Mapping[str, Any], width: int) -> str:
    """The distance at one width, "" where an observable has none."""
    return f"{row['distances'][str(width)]:.2g}" if row["distances"] else ""


def estimate(row: Mapping[str, Any]) -> float:
    """The distance at infinite width that was found: size with the expected noise taken out."""
    test = row["tests"].get(PAIRS) or row["tests"][LABELS]
    return without_noise(test["size"], test["noise"])


def without_noise(size: float, noise: float) -> float:
    """What is left of a root mean square size when the expected noise is taken out."""
    return float(max(size**2 - noise**2, 0.0) ** 0.5)


def plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal: left aligned, two spaces between columns."""
    cells = [tuple(headings), *(tuple(row) for row in rows)]
    spans = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = [
        "  ".join(cell.ljust(span) for cell, span in zip(row, spans, strict=True)).rstrip() for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * span for span in spans), *lines[1:]])


NOT_TOLD = "cannot be told from these networks"


def is_told(rate: Mapping[str, Any]) -> bool:
    """Whether networks tell a slope (verdicts saved by earlier versions do not say that they do not)."""
    return bool(rate.get("told", True))


def rate_lines(data: Mapping[str, Any]) -> list[str]:
    """One line per fitted slope; where networks do not tell it, the interval and no number."""
    fits = {True: ": as expected", False: ": not as expected", None: ""}
    lines = []
    for rate in data["rates"]:
        found = f"n^{rate['slope']:.2f} " if is_told(rate) else NOT_TOLD
        expected = ""
        if rate["expected"] is not None:
            expected = f"; expected {rate['expected']:g}{fits[rate['as_expected']] if is_told(rate) else ''}"
        interval = f"95 % from {rate['low']:.2f} to {rate['high']:.2f}"
        lines.append(f"{rate['name']}: {found} ({interval}{expected})")
    return lines


def error_lines(data: Mapping[str, Any]) -> list[str]:
    """Where the distance from the gradient flow comes from."""
    errors, widest = data["errors"], data["settings"]["widths"][-1]
    size = errors["size"]

    def part(name: str) -> str:
        return f"{errors[name]:.2g} ({100 * errors[name] / size:.2g} %)"

    return [
        f"Errors of the outputs, each alone (their size: {size:.3g}): "
        f"width {widest} {part('width')}, step size {part('step size')}, data {part('data')}, "
        f"ensemble {part('ensemble')}.",
        f"The largest is that of the {errors['dominating']}. "
        f"SGD's limit is {part('gradient flow')} away from the gradient flow.",
    ]
