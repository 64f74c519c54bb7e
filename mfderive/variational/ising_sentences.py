"""What is said of an Ising model's mean field: text, tables and plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .exact_enumeration import MOST_SPINS
from .node_classes import MOST_CLASSES
from .solution_search import Promise

_SHOWN = 12  # solutions in the text; the data has all
_PROMISES = {
    Promise.ONE: "T is at least the largest eigenvalue of J, so the free energy is convex, with no other.",
    Promise.ALL: "These are all solutions: the whole cube of magnetisations was searched, up to rounding.",
    Promise.SYMMETRIC: "All solutions that are equal within each class of alike spins are listed.",
    Promise.MINIMUM: "No coupling is negative and the fields have one sign: the first row is the least free "
    "energy of all, and the only solution whose magnetisations all have its sign.",
    Promise.SEARCHED: "Others were looked for from a number of starts; there may be more.",
}


def ising_text(result: Any) -> str:
    """Equations, solutions and their promise, transitions and the methods side by side."""
    model = result.model
    low, high = model.fields.min(), model.fields.max()
    fields = f", B = {low:g}" if low == high else f", B from {low:g} to {high:g}"
    lines = [
        f"Ising model: {model.size} spins, {len(model.edges[0])} edges, T = {model.temperature:g}{fields}",
        "",
        result.equations.text,
        "",
        *_solution_lines(result),
        "",
        *_transition_lines(result),
        "",
        *_method_lines(result),
    ]
    return "\n".join(lines)


def promise_sentences(result: Any) -> list[str]:
    """What is certain of the list of solutions, one sentence each."""
    said = [_PROMISES[promise] for promise in result.promises]
    if result.search.is_cut:
        said.append(f"More than {len(result.solutions)} solutions were found; `most` keeps more.")
    return said


def _solution_lines(result: Any) -> list[str]:
    classes = result.search.classes
    kinds = "all spins are alike" if classes.count == 1 else f"{classes.count} classes of alike spins"
    kinds = kinds if classes.is_coarsest else f"more than {MOST_CLASSES} classes of alike spins"
    lines = [f"Solutions of naive mean field ({kinds}):", ""]
    # Solutions that a symmetry of the graph turns into each other read alike: one row, and how many they are.
    alike = Counter(
        (
            f"{one.mean:.9g}",
            f"{one.m.min():.9g}",
            f"{one.m.max():.9g}",
            f"{one.free_energy:.9g}",
            f"{one.slope:.6g}",
            one.stability,
        )
        for one in result.solutions
    )
    rows = [(*row, str(count)) for row, count in alike.items()]
    lines += _table(["mean m", "least m", "largest m", "F", "slope", "stability", "number"], rows[:_SHOWN])
    if len(rows) > _SHOWN:
        lines.append(f"  ... and {len(rows) - _SHOWN} rows more")
    return [*lines, "", *promise_sentences(result)]


def _transition_lines(result: Any) -> list[str]:
    lines = ["Transition without a field (m = 0 becomes unstable below it):"]
    for name, found in (("mean field", result.transition), ("Bethe", result.bethe_transition)):
        at = "none at T > 0" if found.temperature is None else f"T_c = {found.temperature:.10g}"
        lines.append(f"  {name:<11} {at}{' (closed form)' if found.is_closed and found.temperature else ''}")
    return lines


def method_rows(result: Any) -> list[dict[str, Any]]:
    """Free energy, magnetisation and energy of every method, as data."""
    best = result.best
    rows = [{"method": "mean field", "free_energy": best.free_energy, "mean": best.mean}]
    if result.bethe:
        first = result.bethe[0]
        rows.append({"method": "Bethe", "free_energy": first.free_energy, "mean": first.mean})
    if result.model.size <= MOST_SPINS:
        exact = result.exact()
        rows.append(
            {
                "method": "exact",
                "free_energy": exact.free_energy,
                "mean": float(exact.m.mean()),
                "absolute": exact.absolute,
            }
        )
    return rows


def _method_lines(result: Any) -> list[str]:
    rows = [
        [
            row["method"],
            f"{row['free_energy']:.9g}",
            f"{row['mean']:.7g}",
            f"{row['absolute']:.7g}" if "absolute" in row else "",
        ]
        for row in method_rows(result)
    ]
    lines = ["Methods side by side (of the least free energy; mean field is never below the exact F):", ""]
    lines += _table(["method", "F", "mean m", "<|m|>"], rows)
    if result.bethe_lost:
        lines.append(f"  Belief propagation did not come to rest from {result.bethe_lost} starts.")
    return lines


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns to the right, two spaces between them."""
    widths = [max(len(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
    return [
        "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def ising_data(result: Any) -> dict[str, Any]:
    """Everything as plain data."""
    model = result.model
    return {
        "spins": model.size,
        "edges": len(model.edges[0]),
        "temperature": model.temperature,
        "nodes": [str(node) for node in model.nodes],
        "classes": result.search.classes.count if result.search.classes.is_coarsest else None,
        "equations": {line.name: line.text for line in result.equations.lines},
        "solutions": [
            {
                "mean": one.mean,
                "m": one.m.tolist(),
                "free_energy": one.free_energy,
                "slope": one.slope,
                "stability": one.stability,
            }
            for one in result.solutions
        ],
        "promises": [str(promise) for promise in result.promises],
        "sentences": promise_sentences(result),
        "transition_temperature": result.transition.temperature,
        "bethe_transition_temperature": result.bethe_transition.temperature,
        "bethe": [
            {
                "mean": one.mean,
                "m": one.m.tolist(),
                "free_energy": one.free_energy,
                "slope": one.slope,
                "stability": one.stability,
            }
            for one in result.bethe
        ],
        "methods": method_rows(result),
    }
