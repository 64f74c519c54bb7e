"""What a figure leaves: the drawing (PNG, SVG), its curves (CSV) and the numbers that it stands on (JSON)."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from paper_runs import Curve

from mfderive.report.figures import INK, step_axis, style, width_colours
from mfderive.runs.atomic import write_text

_COLUMNS = ("row", "setting", "split", "width", "seed", "step", "time", "loss", "error")
_DASHES = ("-", ":", "--")
_SAMPLES = {"train": "training", "test": "test"}


def table_of(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """One entry for each row, setting, sample and width: values at the end, and distances from the limit.

    ``distance`` is the mean over seeds of the largest |loss - loss of the limit| over the moments, ``mean
    distance`` that of its average over the moments (evenly in log(step)); nan without a limit.
    """
    entries = []
    for row, setting, split, width in dict.fromkeys((c.row, c.setting, c.split, c.width) for c in curves):
        members = [c for c in curves if (c.row, c.setting, c.split, c.width) == (row, setting, split, width)]
        limits = [c for c in curves if (c.row, c.setting, c.split, c.width) == (row, setting, split, None)]
        gaps = [np.abs(np.subtract(c.loss, limits[0].loss)) for c in members if limits]
        entries.append(
            {
                "row": row,
                "setting": setting,
                "split": split,
                "width": width,
                "seeds": len(members),
                "steps": members[0].steps[-1],
                "loss": float(np.mean([c.loss[-1] for c in members])),
                "error": float(np.mean([c.error[-1] for c in members])),
                "distance": float(np.mean([gap.max() for gap in gaps])) if gaps else float("nan"),
                "mean distance": float(np.mean([gap.mean() for gap in gaps])) if gaps else float("nan"),
            }
        )
    return entries


def slopes_of(table: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How the mean distance from the limit falls with the width: slope of its logarithm, and its order.

    ``ordered``: every width is nearer to the limit than all narrower ones.
    """
    found = []
    for row, setting, split in dict.fromkeys((e["row"], e["setting"], e["split"]) for e in table):
        members = [e for e in table if (e["row"], e["setting"], e["split"]) == (row, setting, split)]
        finite = sorted((e["width"], e["mean distance"]) for e in members if e["width"] is not None)
        if len(finite) < 2 or not all(gap > 0 for _, gap in finite):
            continue
        widths, gaps = np.array(finite).T
        slope = float(np.polyfit(np.log(widths), np.log(gaps), 1)[0])
        ordered = bool((np.diff(gaps) < 0).all())
        found.append({"row": row, "setting": setting, "split": split, "slope": slope, "ordered": ordered})
    return found


def print_numbers(table: Sequence[dict[str, Any]], titles: Sequence[str]) -> None:
    """The table as text: what the figure stands on."""
    for row, title in enumerate(titles):
        entries = [entry for entry in table if entry["row"] == row]
        print(f"\n{title}")
        print(
            f"  {'setting':<16}{'sample':<9}{'n':>6}{'seeds':>6}{'steps':>8}{'loss':>10}{'error':>9}", end=""
        )
        print(f"{'largest':>10}{'mean':>10}   distance of the loss from the limit's")
        for e in entries:
            n = "limit" if e["width"] is None else e["width"]
            gaps = "" if e["width"] is None else f"{e['distance']:>10.4f}{e['mean distance']:>10.4f}"
            print(
                f"  {e['setting']:<16}{e['split']:<9}{n:>6}{e['seeds']:>6}{e['steps']:>8}{e['loss']:>10.4f}"
                f"{e['error']:>9.4f}{gaps}"
            )
        for s in slopes_of(entries):
            order = "wider is nearer throughout" if s["ordered"] else "wider is not nearer throughout"
            print(f"  {s['setting']:<16}{s['split']:<9} mean distance ~ n^{s['slope']:.2f}; {order}")


def write_numbers(folder: Path, document: dict[str, Any], curves: Sequence[Curve], name: str) -> None:
    """``name``.json (the table and how it was made) and ``name``.csv (every curve)."""
    write_document(folder / f"{name}.json", document)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for curve in curves:
        width = "limit" if curve.width is None else curve.width
        for moment in zip(curve.steps, curve.times, curve.loss, curve.error, strict=True):
            writer.writerow([curve.row, curve.setting, curve.split, width, curve.seed, *moment])
    write_text(folder / f"{name}.csv", text.getvalue())


def write_document(file: Path, document: dict[str, Any]) -> None:
    """Numbers as JSON, the folder made where it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(document, indent=1, ensure_ascii=False))


def draw(
    folder: Path,
    name: str,
    title: str,
    rows: Sequence[str],
    panels: Sequence[tuple[str, str]],
    curves: Sequence[Curve],
) -> None:
    """``name``.png and .svg: one row of panels for each row of the figure, the limit in front.

    ``panels``: pairs ("loss" or "error", "train" or "test"). A second setting of a row is dotted.
    """
    from matplotlib.figure import Figure

    with style():
        wide = 4.0 if len(panels) < 3 else 3.1
        size = (wide * len(panels) + 1.6, 2.9 * len(rows) + 0.3)
        figure = Figure(figsize=size, layout="constrained", dpi=110)
        grid = figure.subplots(len(rows), len(panels), squeeze=False)
        samples = {curve.row for curve in curves if curve.split == "train"}  # else the law itself is tested
        for row, heading in enumerate(rows):
            for axes, (value, split) in zip(grid[row], panels, strict=True):
                shown = [curve for curve in curves if (curve.row, curve.split) == (row, split)]
                _panel(axes, shown, value)
                axes.set_ylabel(f"{_SAMPLES[split] if row in samples else 'population'} {value}")
            grid[row][0].set_title(heading, loc="left", fontsize=12)
            _legend(grid[row])
        figure.suptitle(title, fontsize=13)
        folder.mkdir(parents=True, exist_ok=True)
        for form in ("png", "svg"):
            metadata = {"Software": "mfderive"} if form == "png" else {"Date": None}
            figure.savefig(folder / f"{name}.{form}", facecolor="white", metadata=metadata)
            figure.set_layout_engine("none")  # it stays as it was laid out


def _panel(axes: Any, curves: Sequence[Curve], value: str) -> None:
    """One panel: narrow networks first, the limit last and thick; every setting with dashes of its own."""
    if not curves:
        axes.set_axis_off()
        return
    widths = sorted({curve.width for curve in curves if curve.width is not None})
    colours = width_colours(widths) if widths else {}
    dashes = dict(zip(dict.fromkeys(curve.setting for curve in curves), _DASHES, strict=False))
    labelled: set[str] = set()
    for curve in sorted(curves, key=lambda c: (c.width is None, c.width or 0, c.seed)):
        is_limit = curve.width is None
        label = f"{curve.name}, {curve.setting}" if is_limit and len(dashes) > 1 else curve.name
        axes.plot(
            curve.steps,
            getattr(curve, value),
            linestyle=dashes[curve.setting],
            color=INK if is_limit else colours[curve.width],
            linewidth=2.0 if is_limit else 1.2,
            zorder=5 if is_limit else 3,
            label=None if label in labelled else label,
        )
        labelled.add(label)
    axes.grid(True, color=INK, alpha=0.12, linewidth=0.7)
    step_axis(axes, max((curve.steps[-1] for curve in curves), default=1))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("SGD steps")


def _legend(row: Sequence[Any]) -> None:
    """The legend of a row, beside the last of its panels that shows something."""
    shown = [axes for axes in row if axes.get_legend_handles_labels()[0]]
    if shown:
        shown[-1].legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
