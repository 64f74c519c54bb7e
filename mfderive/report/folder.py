"""The folder of a run: everything that one run made, written at once or not at all.

A folder holds ``index.html`` (the page), ``run.json`` (settings, seeds, versions, timings, final losses),
``spec.toml``, ``equations.txt``, ``equations.tex``, ``equations.html``, ``solver.py``, ``trajectories/``
(npz + json) and ``figures/`` (svg, png). Figures and page can be drawn again from the folder alone.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..algebra.reduced import LogEntry
from ..algebra.system import LimitSystem
from ..errors import MfError
from ..network.network import Network
from ..runs.trajectory import Trajectory
from ..verdict.verdict import Verdict
from .curves import Curve, curve_of, final_table, widths_of
from .figures import write_figures
from .graph import graph_data
from .graph_svg import graph_svg
from .page import PageParts, render_page
from .summary import summarise
from .verdict_section import write_verdict_figures

FORMAT = 2
RECORD = "run.json"
_REDUCED = "equations_reduced.html"
_LIBRARIES = ("mfderive", "numpy", "scipy", "numba", "sympy", "jax", "matplotlib")
_CURVE_ARRAYS = ("times", "steps", "loss", "error")


@dataclass(frozen=True)
class RunResult:
    """What one run made, ready to be written.

    ``solver`` is the file that :func:`mfderive.generate` wrote; ``equations`` maps text, latex and html to
    the printed equations, and "reduced" to the HTML of the reduced ones where these were solved;
    ``reduction`` is the log of the reduction, ``warnings`` what is to be known of the limit; ``spec`` is
    the text of the spec file; ``settings`` what the person chose (flags and defaults), ``timings`` seconds
    by stage; ``verdict`` that of a check, if there was one; ``reduced`` the reduced limit, for the drawing of
    the graph (it says which layers are one type).
    """

    network: Network
    limit: LimitSystem
    equations: Mapping[str, str]
    solver: Path
    trajectories: Sequence[Trajectory]
    spec: str
    reduction: Sequence[LogEntry] = ()
    warnings: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None
    reduced: LimitSystem | None = None


def write_run(folder: Path, result: RunResult) -> dict[str, Any]:
    """Write the folder of a run; the record (``run.json``) with ``folder`` and ``page`` added.

    The folder appears complete or not at all. One that is there already is replaced if a run wrote it (or
    if it is empty), else MfError.
    """
    curves = [curve_of(trajectory) for trajectory in result.trajectories]
    with _fresh_folder(folder) as staging:
        for trajectory in result.trajectories:
            trajectory.save(staging / "trajectories")
        for ending, form in (("txt", "text"), ("tex", "latex"), ("html", "html")):
            (staging / f"equations.{ending}").write_text(result.equations[form], encoding="utf-8")
        if "reduced" in result.equations:
            (staging / _REDUCED).write_text(result.equations["reduced"], encoding="utf-8")
        shutil.copyfile(result.solver, staging / "solver.py")
        (staging / "spec.toml").write_text(result.spec, encoding="utf-8")
        record = _record(result, curves)
        if result.verdict is not None:
            result.verdict.save(staging)
        _write_json(staging / RECORD, record)
        _draw(staging, record, curves)
    return {**record, "folder": str(folder), "page": str(folder / "index.html")}


def rebuild(folder: Path) -> dict[str, Any]:
    """Draw figures and page again from the folder of a run alone; the record, as :func:`write_run` gives it.

    Raises MfError where the folder is none of a run or a file of it is missing or damaged.
    """
    record = read_record(folder)
    try:
        curves = [_read_curve(folder, entry) for entry in record["curves"]]
        record["final"] = final_table(curves)
        _draw(folder, record, curves)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
        raise MfError(
            f"{folder}: a file of this run is missing or damaged ({problem}). Run the spec again"
        ) from problem
    return {**record, "folder": str(folder), "page": str(folder / "index.html")}


def read_record(folder: Path) -> dict[str, Any]:
    """The ``run.json`` of a folder. Raises MfError where there is none, or one of another format."""
    path = folder / RECORD
    if not path.is_file():
        raise MfError(
            f"{folder} is not the folder of a run: it has no {RECORD}. `mfderive run SPEC` makes one"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise MfError(f"{path} is damaged ({problem}). Run the spec again") from problem
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise MfError(f"{path} is not of format {FORMAT}, which this version reads. Run the spec again")
    return record


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries whose code takes part in a run."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _record(result: RunResult, curves: Sequence[Curve]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "network": summarise(result.network, result.limit, widths_of(curves)),
        "graph": graph_data(result.network, result.limit, result.reduced),
        "reduction": [{"pass": entry.pass_name, "text": entry.text} for entry in result.reduction],
        "warnings": list(result.warnings),
        "settings": dict(result.settings),
        "versions": versions(),
        "machine": {"processors": os.cpu_count(), "system": platform.system()},
        "timings": {name: round(seconds, 3) for name, seconds in result.timings.items()},
        "curves": [
            {"name": trajectory.name, "width": curve.width, "seed": curve.seed}
            for trajectory, curve in zip(result.trajectories, curves, strict=True)
        ],
        "final": final_table(curves),
        "verdict": None if result.verdict is None else result.verdict.data,
    }


def _read_curve(folder: Path, entry: Mapping[str, Any]) -> Curve:
    path = folder / "trajectories" / f"{entry['name']}.npz"
    with np.load(path, allow_pickle=False) as arrays:
        values = [np.asarray(arrays[name], dtype=np.float64) for name in _CURVE_ARRAYS]
    return Curve(entry["width"], entry["seed"], *values)


def _draw(folder: Path, record: Mapping[str, Any], curves: Sequence[Curve]) -> None:
    """Figures and page of a folder that holds everything else."""
    drawn = write_figures(curves, folder / "figures")
    if record.get("graph"):
        drawing = graph_svg(record["graph"], record["network"]["title"])
        (folder / "figures" / "graph.svg").write_text(drawing, encoding="utf-8")
    if record.get("verdict"):
        drawn += write_verdict_figures(record["verdict"], folder / "figures")
    reduced = folder / _REDUCED
    page = render_page(
        PageParts(
            record=record,
            equations=(folder / "equations.html").read_text(encoding="utf-8"),
            reduced=reduced.read_text(encoding="utf-8") if reduced.is_file() else "",
            figures={
                name: (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8") for name in drawn
            },
            spec=(folder / "spec.toml").read_text(encoding="utf-8"),
            files=_listing(folder),
        )
    )
    partial = folder / "index.html.partial"
    partial.write_text(page, encoding="utf-8")
    partial.replace(folder / "index.html")


def _listing(folder: Path) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not path.startswith("index.html"))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def _fresh_folder(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its place when the block ends well, and vanishes otherwise."""
    check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield staging
        staging.chmod(0o755)
        if folder.exists():
            # A folder cannot be replaced in one move: the old one steps aside first.
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.replace(aside / "run")
            staging.replace(folder)
            shutil.rmtree(aside)
        else:
            staging.replace(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Raise MfError unless a run may write ``folder``: it is new, empty, or the folder of an earlier run."""
    if folder.is_dir() and ((folder / RECORD).is_file() or not any(folder.iterdir())):
        return
    if folder.exists():
        raise MfError(
            f"{folder} exists and is not the folder of an earlier run, so it is left alone. "
            "Give another folder with --output"
        )
