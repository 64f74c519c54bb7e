"""What commands say on a terminal: tables of curves, of final losses, of what a tolerance reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ROWS = 9  # moments of a curve that a terminal shows


def curve(path: Any) -> list[dict[str, float | None]]:
    """A trajectory as plain data; what is not finite becomes None."""
    import math

    rows = zip(path.times, path.steps, path.loss, path.error, path.loss_error, strict=True)
    return [
        {
            "t": float(time),
            "step": int(step),
            "loss": float(loss) if math.isfinite(loss) else None,
            "error": float(error) if math.isfinite(error) else None,
            "loss_error": float(known) if math.isfinite(known) else None,
        }
        for time, step, loss, error, known in rows
    ]


def told(path: Any) -> list[dict[str, Any]]:
    """What is to be known of a run as plain data: kind, facts, and the sentence that says it."""
    from ..runs.divergence import run_sentences

    return [
        {"kind": str(finding.kind), "facts": dict(finding.facts), "text": text}
        for finding, text in zip(path.findings, run_sentences(path.findings), strict=True)
    ]


def warnings_of(path: Any) -> tuple[str, ...]:
    """Why nothing is learned, where a solution stays where it was. (Divergence is said when it is found.)"""
    return tuple(str(entry["text"]) for entry in path.notes.get("warnings", ()))


def warnings_text(warnings: Sequence[str]) -> str:
    """Warnings beside the numbers that they are about, each in a paragraph."""
    return "".join(f"Warning: {each}\n\n" for each in warnings)


def tolerance_text(reached: Mapping[str, Any]) -> str:
    """What a tolerance led to: the estimate of the error, and the resolutions that give it."""
    from ..report.summary import text_table

    parts = reached["resolutions"].items()
    cells = []
    for name, part in parts:
        first, *_ = part["together"]
        error = _number(part["estimate"]) if name == first else f"within that of {first}"
        cells.append([name, part["level"], error])
    verdict = "met" if reached["met"] else "not met"
    batches = reached["batches"]
    other = "" if batches is None else f"; other batches would move it by up to {_number(batches)}"
    return (
        f"{text_table(('resolution', 'level', 'error'), cells)}\n"
        f"the loss curve is within {_number(reached['estimate'])} of the limit's (tolerance "
        f"{_number(reached['asked'])}: {verdict}){other}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def curve_text(path: Any) -> str:
    """A few moments of a curve as a table."""
    from ..report.summary import text_table

    rows = curve(path)
    chosen = sorted({round(k * (len(rows) - 1) / (ROWS - 1)) for k in range(ROWS)})
    headings = {"t": "t", "step": "step", "loss": "loss", "loss_error": "known to", "error": "error"}
    if all(row["loss_error"] is None for row in rows):
        del headings["loss_error"]
    cells = [[_number(rows[number][key]) for key in headings] for number in chosen]
    return text_table(tuple(headings.values()), cells)


def final_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of final losses by width for a terminal."""
    from ..report.summary import text_table

    cells = [
        [
            "limit" if row["width"] is None else row["width"],
            row["seeds"],
            _number(row["loss"]),
            _number(row["error"]),
            _number(row["distance"]),
        ]
        for row in rows
    ]
    return text_table(("width", "seeds", "final loss", "final error", "farthest from limit"), cells)


def run_text(record: Mapping[str, Any]) -> str:
    """What a finished run says: final losses, the verdict, where the page is."""
    from ..verdict.wording import headline

    seconds = sum(record["timings"].values())
    verdict = f"\n\n{headline(record['verdict'])}" if record.get("verdict") else ""
    return f"{final_text(record['final'])}{verdict}\n\n{seconds:.0f} seconds. The page: {record['page']}"
