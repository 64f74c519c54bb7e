"""The verdict: agrees, disagrees or undecided, with everything it rests on, as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..algebra.arguments import file_path
from ..algebra.findings import Finding, FindingKind
from ..algebra.showing import Shown, names, words, wrapped
from ..runs.atomic import write_together
from .estimates import Slope
from .instability import without_instability
from .judge import Errors, Row, fit_rates, judge_rows, separate_errors
from .measurements import Measurements
from .reason_sentences import reasons, row_reason
from .settings import summary

EXIT_CODES = {"agrees": 0, "disagrees": 1, "undecided": 3}
# The fewest widths that can be extrapolated.
LEAST_WIDTHS = 3


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Shown):
    """Whether finite networks approach the limit, as a test with known error rates (docs/verdict.md).

    ``status`` is "agrees", "disagrees" or "undecided"; ``findings`` are why, or what is needed,
    and ``reasons`` say it in words. ``rows`` hold one observable each, ``rates`` the fitted slopes,
    ``errors`` the separated sizes of the outputs' error.
    """

    title: str
    status: str
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    rates: tuple[Slope, ...]
    errors: Errors
    measured: Measurements = field(repr=False)

    @property
    def agrees(self) -> bool | None:
        """True, False, or None where it is undecided."""
        return {"agrees": True, "disagrees": False, "undecided": None}[self.status]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings in words, a sentence each."""
        return reasons(self.findings)

    @property
    def exit_code(self) -> int:
        """What the command line returns: 0 agrees, 1 disagrees, 3 undecided."""
        return EXIT_CODES[self.status]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dictionary per observable: plain data."""
        return [_row_data(row, self.measured.settings.widths) for row in self.rows]

    @property
    def data(self) -> dict[str, Any]:
        """The whole verdict as plain data, what JSON can hold."""
        return {
            "title": self.title,
            "status": self.status,
            "agrees": self.agrees,
            "reasons": list(self.reasons),
            "findings": [{"kind": str(each.kind), "subjects": list(each.subjects)} for each in self.findings],
            "settings": {
                **summary(self.measured.settings),
                "steps": self.measured.steps,
                "time": float(self.measured.limit.times[-1]),
                "limit nodes": dict(self.measured.nodes),
                "random nodes": self.measured.random_nodes,
            },
            "table": self.table,
            "rates": [_rate_data(rate) for rate in self.rates],
            "errors": {
                **self.errors.parts,
                "bias": self.errors.bias,
                "gradient flow": self.errors.flow,
                "size": self.errors.size,
                "dominating": self.errors.dominating,
            },
            "curves": self.curves,
            "weight laws": {
                name: {
                    str(n): float(d.mean()) for n, d in zip(self.measured.settings.widths, by, strict=True)
                }
                for name, by in self.measured.distances.items()
            },
        }

    @property
    def curves(self) -> dict[str, Any]:
        """Loss against time: the limit's, and mean, lowest and highest over the seeds of every width."""
        limit, networks = self.measured.limit, {}
        for width, paths in zip(self.measured.settings.widths, self.measured.paths, strict=True):
            losses = np.stack([np.interp(limit.times, path.times, path.loss) for path in paths])
            ends = {"mean": losses.mean(axis=0), "low": losses.min(axis=0), "high": losses.max(axis=0)}
            networks[str(width)] = {name: values.tolist() for name, values in ends.items()}
        return {"times": limit.times.tolist(), "limit": limit.loss.tolist(), "networks": networks}

    @property
    def text(self) -> str:
        """The verdict for people: one sentence, the table, rates and errors."""
        from .wording import verdict_text

        return verdict_text(self.data)

    def __str__(self) -> str:
        return self.text

    def _summary(self) -> Iterator[str]:
        settings = self.measured.settings
        yield f"Verdict on '{words(self.title)}': {self.status}"
        widths = names(map(str, settings.widths))
        yield f"  networks of widths {widths} ({settings.seeds} seeds each), {len(self.rows)} observables"
        for reason in reasons(self.findings[:2]):
            yield from list(wrapped(f"  {reason}"))[:2]
        if len(self.findings) > 2:
            yield f"  and {len(self.findings) - 2} more reasons"
        yield "  print(...) writes the table, rates and errors"

    def to_json(self) -> str:
        """The verdict as JSON text."""
        return json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Distances as CSV text: observable, width, distance, scale, "at infinity", bound, status.

        "at infinity" is the distance at infinite width that was found, "bound" what it is surely below.
        Observables without a distance at each width (initial laws of labels) have one line, with no width.
        """
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("observable", "width", "distance", "scale", "at infinity", "bound", "status"))
        widths = self.measured.settings.widths
        for row in self.rows:
            own = (row.scale, row.estimate, row.bound, row.status)
            for width, distance in zip(widths, row.distances, strict=True) if row.distances else [("", "")]:
                writer.writerow((row.name, width, distance, *own))
        for name, by_width in self.measured.distances.items():
            for width, values in zip(widths, by_width, strict=True):
                writer.writerow((f"{name} Wasserstein", width, float(values.mean()), "", "", "", ""))
        return stream.getvalue()

    def save(self, folder: str | Path) -> Path:
        """Write verdict.json and verdict.csv into a folder (made if needed); the path of the JSON file.

        Raises ArgumentError for what is no path, and MfError where the folder cannot be made or written.
        """
        target = file_path("folder", folder)
        texts = {"verdict.csv": self.to_csv().encode(), "verdict.json": self.to_json().encode()}
        files = [(target / name, partial(_write, text)) for name, text in texts.items()]
        write_together(files, sum(map(len, texts.values())))
        return target / "verdict.json"


def _write(content: bytes, file: IO[bytes]) -> None:
    file.write(content)


def judge(measured: Measurements) -> Verdict:
    """The verdict on measurements: the rule of docs/verdict.md, and nothing else."""
    rows, starts = without_instability(judge_rows(measured), measured)
    status, findings = _overall(rows)
    if status == "undecided":
        findings = (*findings, *starts)
    if len(measured.settings.widths) < LEAST_WIDTHS and status != "disagrees":
        status, findings = "undecided", (Finding.of(FindingKind.FEW_WIDTHS, least=LEAST_WIDTHS),)
    return Verdict(
        title=measured.network.title,
        status=status,
        findings=findings,
        rows=rows,
        rates=fit_rates(measured),
        errors=separate_errors(measured),
        measured=measured,
    )


def _overall(rows: Sequence[Row]) -> tuple[str, tuple[Finding, ...]]:
    """One disagreement is enough; otherwise whatever is undecided keeps the whole undecided."""
    for status in ("disagrees", "undecided"):
        found = tuple(row.finding for row in rows if row.status == status and row.finding is not None)
        if found:
            return status, found
    return "agrees", ()


def _row_data(row: Row, widths: Sequence[int]) -> dict[str, Any]:
    tests: Mapping[str, Any] = {
        test.kind: {
            "size": test.deviation.size,
            "noise": test.deviation.noise,
            "threshold": test.deviation.threshold,
            "systematic": test.systematic,
            "p": test.deviation.p,
            "credible": test.credible,
            "rejects": test.rejects,
        }
        for test in row.tests
    }
    return {
        "observable": row.name,
        "meaning": row.words,
        "scale": row.scale,
        "distances": {str(n): d for n, d in zip(widths, row.distances, strict=bool(row.distances))},
        "at_infinity": row.estimate,
        "bound": row.bound,
        "tolerance": row.tolerance,
        "status": row.status,
        "reason": row_reason(row.finding),
        "tests": tests,
    }


def _rate_data(rate: Slope) -> dict[str, Any]:
    return {
        "name": rate.name,
        "slope": -rate.slope,
        "low": -rate.high,
        "high": -rate.low,
        "half_width": rate.half_width,
        "expected": None if rate.expected is None else -rate.expected,
        "told": rate.is_told,
        "as_expected": rate.as_expected,
        "amplitude": rate.amplitude,
        "floor": rate.floor,
        "widths": list(rate.widths),
        "distances": list(rate.distances),
    }
