"""What a sweep leaves: the table of its settings, their trajectories, and a figure."""

from __future__ import annotations

import csv
import io
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..algebra.arguments import file_path, found
from ..algebra.showing import Shown, names, register_html, words
from ..errors import ArgumentError, MfError, nearest
from ..report.figures import FORMS, figure_bytes, inline_svg
from ..report.html import html_table
from ..report.notebook import fragment
from ..report.sweep_figure import SweepPoint, draw_sweep
from ..runs.atomic import write_bytes, write_text
from ..runs.trajectory import Trajectory
from .grid_values import COLUMNS, Grid, combinations
from .sweep_folder import TABLE, Outcome, read_outcome, read_record
from .sweep_plan import Setting
from .sweep_task import DIVERGED, DONE, FAILED, UNMET

MISSING = "missing"
FIGURE = "figure"
_FEW_ROWS = 30  # of a table in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Shown):
    """The results of a sweep, setting by setting (:func:`mfderive.sweep`; ``Sweep.read(folder)``).

    ``table`` has a row for each setting: its values, ``state`` ("done", "diverged", "not met": its tolerance,
    "failed", "missing"), final ``loss`` and ``error`` (of networks the mean over seeds, and the lowest and
    highest loss), ``t`` and ``steps`` where it ended, ``seconds``, a ``note`` that says why it is not done,
    and its ``folder``. ``load(tau=0.1)`` gives the trajectory of a setting (a list, where networks were
    trained), ``paths`` those of all, by name.
    """

    title: str
    run: str
    set: Mapping[str, Any]
    grid: Grid
    outcomes: tuple[Outcome, ...] = field(repr=False)
    folder: Path | None = None

    @cached_property
    def table(self) -> list[dict[str, Any]]:
        """One dictionary per setting, plain data: numbers that are not finite are None."""
        return [row_of(outcome) for outcome in self.outcomes]

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The values of every setting."""
        return [dict(outcome.setting.values) for outcome in self.outcomes]

    @property
    def is_done(self) -> bool:
        """Whether every setting has numbers that can be trusted."""
        return all(outcome.state == DONE for outcome in self.outcomes)

    @property
    def paths(self) -> dict[str, Any]:
        """The trajectories of all settings that have some, by the settings' names; read when asked for."""
        return {each.setting.name: self._loaded(each) for each in self.outcomes if each.paths or each.files}

    def load(self, setting: Mapping[str, Any] | str | None = None, **values: Any) -> Any:
        """The trajectory of a setting, given by its values, its name, or a row of the table.

        A list of trajectories where networks were trained. Raises ArgumentError for a setting that is not in
        the grid, MfError where it has no trajectory, with the reason.
        """
        outcome = self._outcome(setting, values)
        if not outcome.paths and not outcome.files:
            raise MfError(
                f"the setting {outcome.setting.name} is {outcome.state}: {outcome.note or 'not computed'}"
            )
        return self._loaded(outcome)

    def figure(self) -> Any:
        """A matplotlib Figure: loss curves over one variable, a map of final losses over two, dots over more.

        None where no setting has any numbers.
        """
        points = [
            SweepPoint(each.setting.values, each.state in (DONE, UNMET), row["loss"], each.curves)
            for each, row in zip(self.outcomes, self.table, strict=True)
        ]
        return draw_sweep(self.grid, points)

    @staticmethod
    def read(folder: str | Path) -> Sweep:
        """The sweep of a folder, as far as it is computed. Raises MfError where there is none."""
        target = file_path("folder", folder)
        record = read_record(target)
        grid = {name: tuple(values) for name, values in record["grid"].items()}
        rows = {setting_key(grid, row): row for row in record["table"] or ()}
        outcomes = []
        for values in combinations(grid):
            outcome = read_outcome(target, values)
            if outcome is None:
                row = rows.get(setting_key(grid, values), {"state": MISSING, "note": ""})
                state = FAILED if row["state"] == FAILED else MISSING
                outcome = Outcome(Setting(values, {}), state, row["note"] if state == FAILED else "")
            outcomes.append(outcome)
        return Sweep(record["title"], record["run"], record["set"], grid, tuple(outcomes), target)

    def write_table(self, folder: Path) -> None:
        """Write the table as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*self.grid, *COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.table)
        write_text(folder / TABLE, text.getvalue())

    def write_figure(self, folder: Path) -> Path | None:
        """Write the figure as SVG and PNG; the first file, or None where there is nothing to draw."""
        figure = self.figure()
        files = [folder / f"{FIGURE}.{form}" for form in FORMS]
        if figure is None:
            for file in files:
                file.unlink(missing_ok=True)
            return None
        for file, form in zip(files, FORMS, strict=True):
            write_bytes(file, figure_bytes(figure, form))
        return files[0]

    def _loaded(self, outcome: Outcome) -> Any:
        paths = list(outcome.paths) or [Trajectory.load(file) for file in outcome.files]
        return paths[0] if self.run == "solve" else paths

    def _outcome(self, setting: Any, values: Mapping[str, Any]) -> Outcome:
        if isinstance(setting, str) and not values:
            by_name = {outcome.setting.name: outcome for outcome in self.outcomes}
            if setting not in by_name:
                raise ArgumentError(f"there is no setting {found(setting)}. {nearest(setting, by_name)}")
            return by_name[setting]
        if setting is not None and not isinstance(setting, Mapping):
            raise ArgumentError(f"setting is {found(setting)}; give a dictionary of values, or a name")
        wanted = {**(setting or {}), **values}
        for outcome in self.outcomes:
            if setting_key(self.grid, wanted) == setting_key(self.grid, outcome.setting.values):
                return outcome
        for name, own in self.grid.items():
            if name not in wanted:
                raise ArgumentError(f"the setting has no value of {name}. Its values: {names(map(str, own))}")
            if wanted[name] not in own:
                raise ArgumentError(f"{name} is {found(wanted[name])}; its values: {names(map(str, own))}")
        raise ArgumentError(f"there is no setting {found(wanted)}")

    def _summary(self) -> Iterator[str]:
        count = Counter(outcome.state for outcome in self.outcomes)
        states = ", ".join(
            f"{count[state]} {state}" for state in (DONE, DIVERGED, UNMET, FAILED, MISSING) if count[state]
        )
        yield f"Sweep of '{words(self.title)}': {len(self.outcomes)} settings, {states}"
        for key, value in list(self.set.items())[:2]:
            yield f"  {words(key)} = {words(str(value))}"
        for name, values in list(self.grid.items())[:3]:
            yield f"  {name}: {names(map(str, values))}"
        if self.folder is not None:
            yield f"  folder: {self.folder}"
        yield "  .table, .load(setting), .figure()"


def setting_key(grid: Grid, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of a setting in the order of the grid; numbers of numpy are numbers."""
    return tuple(_plain(values.get(name)) for name in grid)


def _plain(value: Any) -> Any:
    plain = value.item() if callable(getattr(value, "item", None)) else value
    return (type(plain) is bool, plain)


def row_of(outcome: Outcome) -> dict[str, Any]:
    """A row of the table."""
    curves = [curve for curve in outcome.curves if len(curve.loss)]
    losses = np.array([curve.loss[-1] for curve in curves])
    errors = np.array([curve.error[-1] for curve in curves])
    ends = curves[:1]
    return {
        **outcome.setting.values,
        "state": outcome.state,
        "loss": _finite(losses.mean()) if len(losses) else None,
        "loss_low": _finite(losses.min()) if len(losses) else None,
        "loss_high": _finite(losses.max()) if len(losses) else None,
        "error": _finite(errors.mean()) if len(errors) else None,
        "t": float(ends[0].times[-1]) if ends else None,
        "steps": int(ends[0].steps[-1]) if ends else None,
        "seconds": round(outcome.seconds, 3) if outcome.seconds else None,
        "note": outcome.note,
        "folder": str(Path(*outcome.files[0].parts[-3:-1])) if outcome.files else None,
    }


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def sweep_html(sweep: Sweep) -> str:
    """A sweep in a notebook: its figure and its table."""
    figure = sweep.figure()
    drawing = ""
    if figure is not None:
        svg = figure_bytes(figure, "svg").decode()
        name = f"sweep-{zlib.crc32(svg.encode()):08x}"
        drawing = f"<figure>{inline_svg(svg, name, 'Losses of the sweep')}</figure>"
    shown = [*sweep.grid, "state", "loss", "error", "t", "note"]
    numbers = [position for position, name in enumerate(shown) if name in ("loss", "error", "t")]
    cells = [[escape(cell_text(row[name])) for name in shown] for row in sweep.table[:_FEW_ROWS]]
    more = len(sweep.table) - len(cells)
    rest = f"<p>and {more} more settings</p>" if more > 0 else ""
    return fragment(next(iter(sweep._summary())), drawing, html_table(shown, cells, numbers), rest)


def cell_text(value: Any) -> str:
    """A cell of the table for people."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def columns_of(rows: Sequence[Mapping[str, Any]], grid: Grid) -> list[str]:
    """The columns that a terminal shows: those in which something stands, and is not said already."""
    ends = [name for name in ("loss_low", "loss_high") if all(row[name] == row["loss"] for row in rows)]
    shown = [name for name in (*grid, *COLUMNS[:-1]) if name not in ends]
    return [name for name in shown if any(row[name] not in (None, "") for row in rows)]


register_html(Sweep, sweep_html)
