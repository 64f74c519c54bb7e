"""The folder of a run: everything that one run made, stage by stage, each file whole or not there.

A folder holds ``index.html`` (the page), ``run.json`` (settings, seeds, versions, timings, final losses, how
far the run is), ``spec.toml``, ``equations.txt``, ``equations.tex``, ``equations.html``, ``solver.py``,
``trajectories/`` (npz + json) and ``figures/`` (svg, png). Figures and page can be drawn again from the
folder alone.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..algebra.reduced import LogEntry
from ..algebra.system import LimitSystem
from ..errors import MfError, ResourceError
from ..errors.unreadable import reason
from ..network.network import Network
from ..runs.atomic import is_temporary, write_text
from ..runs.divergence import run_sentences
from ..runs.error_sentences import error_sentences
from ..runs.flow_sentences import flow_sentences
from ..runs.folder_lock import LOCK, owner_record
from ..runs.parts import UNFINISHED
from ..runs.stored import CURVES, read_curves
from ..runs.trajectory import Trajectory
from ..verdict.verdict import Verdict
from .answer_section import inside_bands
from .curves import Curve, curve_of, final_table, widths_of
from .figures import FORMS, write_figures
from .graph import graph_data
from .graph_svg import graph_svg
from .page import PageParts, render_page
from .prediction_figures import write_prediction_figures
from .run_folder import RECORD, open_folder
from .scaling_section import scaling_record
from .summary import summarise
from .verdict_section import write_verdict_figures

FORMAT = 2
_REDUCED = "equations_reduced.html"
_FORMS = {"txt": "text", "tex": "latex", "html": "html"}
_LIBRARIES = ("mfderive", "numpy", "scipy", "numba", "sympy", "jax", "matplotlib")


@dataclass(frozen=True)
class RunResult:
    """What one run has made until now, ready to be written.

    ``solver`` is the file that :func:`mfderive.generate` wrote; ``equations`` maps text, latex and html to
    the printed equations, and "reduced" to the HTML of the reduced ones where these were solved;
    ``reduction`` is the log of the reduction, ``warnings`` what is to be known of the limit; ``spec`` is
    the text of the spec file; ``settings`` what the person chose (flags and defaults), ``timings`` seconds
    by stage; ``predictions`` what :func:`mfderive.fluctuation.predictions.predictions` says of fluctuations;
    ``verdict`` that of a check, if there was one; ``reduced`` the reduced limit, for the drawing of
    the graph (it says which layers are one type). ``missing`` names what is not made yet, and ``stopped``
    says why it never will be.
    """

    network: Network
    limit: LimitSystem
    equations: Mapping[str, str]
    solver: Path | None
    trajectories: Sequence[Trajectory]
    spec: str
    reduction: Sequence[LogEntry] = ()
    warnings: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    predictions: Mapping[str, Any] | None = None
    verdict: Verdict | None = None
    reduced: LimitSystem | None = None
    missing: Sequence[str] = ()
    stopped: str | None = None


def write_run(folder: Path, result: RunResult) -> dict[str, Any]:
    """Write the folder of a run; the record (``run.json``) with ``folder`` and ``page`` added.

    The folder appears complete or not at all. One that is there already is replaced if a run wrote it (or
    if it is empty), else MfError.
    """
    opened = open_folder(folder, overwrite=True)
    try:
        record = write_stage(opened.work, result)
    except BaseException:
        opened.discard()
        raise
    opened.finish()
    return located(record, folder)


def write_stage(folder: Path, result: RunResult, page: bool = True) -> dict[str, Any]:
    """Write what a run has made until now and is not there yet, then record and page; the record.

    Without ``page`` the files and the record alone. Pictures for other programs (png) wait for the last
    stage.
    """
    for trajectory in result.trajectories:
        if not (folder / "trajectories" / f"{trajectory.name}.npz").is_file():
            trajectory.save(folder / "trajectories")
    texts = {f"equations.{ending}": result.equations[form] for ending, form in _FORMS.items()}
    if "reduced" in result.equations:
        texts[_REDUCED] = result.equations["reduced"]
    texts["spec.toml"] = result.spec
    if result.solver is not None:
        texts["solver.py"] = result.solver.read_text(encoding="utf-8")
    for name, text in texts.items():
        if not (folder / name).is_file():
            write_text(folder / name, text)
    if result.verdict is not None:
        result.verdict.save(folder)
    curves = [curve_of(trajectory) for trajectory in result.trajectories]
    record = _record(result, curves, owner_record(folder))
    _write_json(folder / RECORD, record)
    if page:
        _draw(folder, record, curves, ("svg",) if result.missing else FORMS)
    return record


def located(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A record with where it is."""
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
    except ResourceError:
        raise
    except (OSError, KeyError, ValueError, MfError) as problem:
        raise MfError(
            f"{folder}: a file of this run is missing or damaged ({_why(problem)}). Run the spec again"
        ) from problem
    return located(record, folder)


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
        raise MfError(f"{path} is damaged: {reason(problem)}. Run the spec again") from problem
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise MfError(f"{path} is not of format {FORMAT}, which this version reads. Run the spec again")
    return record


def _why(problem: Exception) -> str:
    return str(problem) if isinstance(problem, MfError) else reason(problem)


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries whose code takes part in a run."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _record(result: RunResult, curves: Sequence[Curve], owner: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "owner": owner,
        "network": summarise(result.network, result.limit, widths_of(curves)),
        "graph": graph_data(result.network, result.limit, result.reduced),
        "scalings": scaling_record(result.network),
        "reduction": [{"pass": entry.pass_name, "text": entry.text} for entry in result.reduction],
        "warnings": list(result.warnings),
        "alarms": _alarms(result.trajectories),
        "loss_error": [line for each in result.trajectories for line in error_sentences(each.notes)],
        "flow": [line for each in result.trajectories for line in flow_sentences(each.notes)],
        "status": "stopped" if result.stopped else "running" if result.missing else "finished",
        "missing": list(result.missing),
        "stopped": result.stopped,
        "settings": dict(result.settings),
        "versions": versions(),
        "machine": {"processors": os.cpu_count(), "system": platform.system()},
        "timings": {name: round(seconds, 3) for name, seconds in result.timings.items()},
        "curves": [
            {"name": trajectory.name, "width": curve.width, "seed": curve.seed}
            for trajectory, curve in zip(result.trajectories, curves, strict=True)
        ],
        "final": final_table(curves),
        "predictions": result.predictions,
        "inside_bands": inside_bands(result.predictions, curves),
        "verdict": None if result.verdict is None else result.verdict.data,
    }


def _alarms(trajectories: Sequence[Trajectory]) -> list[str]:
    """What findings say of the runs themselves: of the limit, and of the first network that has any."""
    told: list[str] = []
    networks = [each for each in trajectories if each.kind == "network" and each.findings]
    limits = [each for each in trajectories if each.kind == "limit" and each.findings]
    for each in (*limits, *networks[:1]):
        others = f" and {len(networks) - 1} more" if each.kind == "network" and len(networks) > 1 else ""
        network = f"The network of width {each.width}, seed {each.seed}"
        which = "The limit" if each.kind == "limit" else network
        told += [f"{which}{others}: {sentence}" for sentence in run_sentences(each.findings)]
    return told


def _read_curve(folder: Path, entry: Mapping[str, Any]) -> Curve:
    values = read_curves(folder / "trajectories" / f"{entry['name']}.npz")
    return Curve(entry["width"], entry["seed"], *(values[name] for name in CURVES))


def _draw(
    folder: Path, record: Mapping[str, Any], curves: Sequence[Curve], forms: Sequence[str] = FORMS
) -> None:
    """Figures and page of a folder that holds everything else."""
    drawn = write_figures(curves, folder / "figures", forms) if curves else []
    drawn += write_prediction_figures(record.get("predictions") or {}, curves, folder / "figures", forms)
    if record.get("graph"):
        drawing = graph_svg(record["graph"], record["network"]["title"])
        write_text(folder / "figures" / "graph.svg", drawing)
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
    write_text(folder / "index.html", page)


def _listing(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and not is_temporary(path)]
    names = (path.relative_to(folder) for path in paths if path.name != LOCK)
    return sorted(name.as_posix() for name in names if name.parts[0] not in ("index.html", UNFINISHED))


def _write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
