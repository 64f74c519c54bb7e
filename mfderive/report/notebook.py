"""How objects show themselves in notebooks: HTML fragments that need no other file, on light and dark paper.

Entered in :mod:`mfderive.algebra.showing`, which imports this file when something is first shown. Colours are
those of the text around a fragment; everything that comes in as words is escaped.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..algebra.reduced import Reduced
from ..algebra.showing import html_of, register_html
from ..codegen.solver_files import EQUATIONS
from ..codegen.solver_module import SolverModule
from ..errors import MfError
from ..forward.equations import forward_system
from ..network.network import Network
from ..runs.error_sentences import error_sentences
from ..runs.flow_sentences import flow_sentences
from ..runs.trajectory import Trajectory
from ..scaling.scalings import Scalings
from ..verdict.verdict import Verdict
from .curves import curve_of
from .figures import draw_training, figure_bytes, inline_svg
from .graph import graph_data
from .html import code, html_table, items
from .page import graph_figure
from .scaling_section import scaling_section
from .summary import summarise
from .verdict_section import FIGURES, verdict_section

_STYLE = """
.mfderive { --card: rgba(128, 128, 128, .1); color: inherit; max-width: 64rem; overflow-wrap: anywhere; }
.mfderive h3 { font-size: 1.1em; margin: .4em 0; }
.mfderive h4 { font-size: 1em; margin: 1em 0 .3em; }
.mfderive .wide, .mfderive .equations { overflow-x: auto; margin: .5em 0; }
.mfderive table { border-collapse: collapse; color: inherit; }
.mfderive tr, .mfderive th, .mfderive td { background: none; color: inherit; }
.mfderive th, .mfderive td { text-align: left; vertical-align: top; padding: .25em 1em .25em 0; border: 0; }
.mfderive .equations h3:first-child { display: none; }
.mfderive .wide td:first-child { white-space: nowrap; }
.mfderive .wide th, .mfderive .wide td { border-bottom: 1px solid rgba(128, 128, 128, .35); }
.mfderive td.number, .mfderive th.number { text-align: right; font-variant-numeric: tabular-nums; }
.mfderive code, .mfderive pre { background: none; color: inherit; }
.mfderive summary { cursor: pointer; }
.mfderive summary h3 { display: inline; }
.mfderive pre { overflow-x: auto; }
.mfderive figure { margin: .5em 0; max-width: 34rem; }
.mfderive figure.graph { max-width: none; }
.mfderive figure svg { display: block; width: 100%; height: auto; color: inherit; }
.mfderive figcaption, .mfderive .soft { opacity: .75; font-size: .9em; }
.mfderive .alarm { border-left: .25rem solid #b98a3d; padding: .3em .8em; background: var(--card); }
.mfderive .verdict { border-left: .25rem solid #b98a3d; padding: .3em .8em; background: var(--card); }
.mfderive .verdict.agrees { border-color: #3b8a5a; }
.mfderive .verdict.disagrees { border-color: #b3372f; }
"""


def network_html(network: Network) -> str:
    """A network: what it reads and learns, its graph, its layers and parameters."""
    try:
        system = forward_system(network)
    except MfError as problem:  # not resolved, for instance
        return fragment(network.title, f"<pre>{escape(repr(network))}</pre>{items([str(problem)])}")
    summary = summarise(network, system)
    shape = " × ".join(map(str, summary["inputs"]))
    training = summary["training"]
    facts = (
        f"<p>Inputs {escape(shape)}, outputs {summary['outputs']}; loss {escape(str(summary['loss']))}; data "
        f"{escape(str(summary['data']['kind']))}. Training: {training['steps']} steps, learning rate "
        f"{training['learning_rate']:g}, batch size {escape(str(training['batch_size']))}.</p>"
    )
    layers = html_table(
        ("Layer", "From", "Neurons", "Activation"),
        [
            (code(r["name"]), ", ".join(map(code, r["from"])), code(r["neurons"]), code(r["activation"]))
            for r in summary["layers"]
        ],
    )
    parameters = html_table(
        ("Parameter", "Array", "Law at t = 0", "Rate"),
        [
            (code(r["name"]), code(" × ".join(r["axes"]) or "one number"), code(r["law"]), escape(r["rate"]))
            for r in summary["parameters"]
        ],
    )
    graph = graph_figure(graph_data(network, system), network.title)
    return fragment(
        network.title,
        facts,
        items(summary["facts"]),
        items(summary["data_warnings"]),
        graph,
        layers,
        f"<details><summary>Parameters</summary>{parameters}</details>",
    )


def reduced_html(reduced: Reduced) -> str:
    """A reduced limit: what every pass found, and the equations that are left."""
    equations = html_of(reduced.system) or ""
    if not reduced.passes:
        return equations
    by_pass: dict[str, list[str]] = {}
    for entry in reduced.log:
        by_pass.setdefault(entry.pass_name, []).append(entry.text)
    log = "".join(f"<h4>{escape(name)}</h4>{items(lines)}" for name, lines in by_pass.items())
    return fragment(
        f"{reduced.full.title}, reduced by {' and '.join(reduced.names)}",
        log,
        f'<div class="equations">{equations}</div>',
    )


def solver_html(solver: SolverModule) -> str:
    """A solver: its file, its arrays, and the equations that it computes."""
    rows = [
        ("File", code(solver.__file__)),
        ("Nodes", escape(", ".join(solver.layout.measures) or "none")),
        ("Parameters", ", ".join(map(code, solver.layout.parameters))),
    ]
    if solver.limit is not None:
        equations = f'<div class="equations">{html_of(solver.limit)}</div>'
    else:
        equations = f"<details><summary>{EQUATIONS}</summary><pre>{escape(_latex(solver))}</pre></details>"
    return fragment(
        str(getattr(solver, "TITLE", solver.__name__)), html_table(("Solver", ""), rows), equations
    )


def trajectory_html(path: Trajectory) -> str:
    """A run: what is to be known of it, its loss against time, and its numbers."""
    what = "limit" if path.kind == "limit" else f"network of width {path.width}, seed {path.seed}"
    alarms = "".join(f'<p class="alarm">{escape(each)}</p>' for each in path.warnings)
    flow = items([*error_sentences(path.notes), *flow_sentences(path.notes)])
    return fragment(f"{path.network.title}: {what}", alarms, _loss_figure(path), flow, _numbers(path))


def verdict_html(verdict: Verdict) -> str:
    """A verdict: its sentence, its figures and its tables."""
    data = verdict.data
    drawn = {one.name: one.build(data) for one in FIGURES}
    figures = {
        name: figure_bytes(figure, "svg").decode() for name, figure in drawn.items() if figure is not None
    }
    return fragment(verdict.title, verdict_section(data, figures))


def scalings_html(found: Scalings) -> str:
    """Scalings: the regime, and a table for each convention."""
    return fragment(str(found.data["title"]), scaling_section(found.data))


def fragment(title: str, *parts: str) -> str:
    """An object as HTML: its title and its parts, which are HTML already."""
    inside = "\n".join(part for part in parts if part)
    return f'<div class="mfderive"><style>{_STYLE}</style>\n<h3>{escape(title)}</h3>\n{inside}\n</div>'


def _loss_figure(path: Trajectory) -> str:
    if not len(path.times):
        return ""
    svg = figure_bytes(draw_training([curve_of(path)], "times", "loss"), "svg").decode()
    # Several runs may stand in one notebook: identifiers are those of the drawing.
    name = f"loss-{zlib.crc32(svg.encode()):08x}"
    return f"<figure>{inline_svg(svg, name, 'Loss against time')}</figure>"


def _numbers(path: Trajectory) -> str:
    times = [f"{point.time:.6g}" for point in path.checkpoints]
    rows: list[tuple[str, str]] = []
    if len(path.times):
        rows += [
            ("Loss", f"{path.loss[0]:.6g} at the start, {path.loss[-1]:.6g} at the end"),
            ("Time", f"{path.times[0]:.6g} to {path.times[-1]:.6g} in {path.steps[-1]} steps"),
        ]
        if path.error[-1] == path.error[-1]:
            rows.append(("Error", f"{path.error[0]:.4g} at the start, {path.error[-1]:.4g} at the end"))
    rows.append(("States stored at t", ", ".join(_some(times)) or "none"))
    rows += [(name.capitalize(), _note(path.notes[key])) for name, key in _NOTES.items() if key in path.notes]
    return html_table(("", ""), [(escape(name), escape(value)) for name, value in rows])


_NOTES = {
    "method": "method",
    "precision": "precision",
    "nodes": "nodes",
    "neurons": "neurons",
    "data": "data",
}


def _note(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_some([f"{name}: {one}" for name, one in value.items()])) or "none"
    return str(value)


def _some(parts: Sequence[str], most: int = 16) -> Iterable[str]:
    return parts if len(parts) <= most else [*parts[: most - 1], f"... ({len(parts)} in all)"]


def _latex(solver: SolverModule) -> str:
    """The equations of a solver's folder; empty where there are none beside its file."""
    file = Path(str(solver.__file__)).with_name(EQUATIONS)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


register_html(Network, network_html)
register_html(Reduced, reduced_html)
register_html(Scalings, scalings_html)
register_html(SolverModule, solver_html)
register_html(Trajectory, trajectory_html)
register_html(Verdict, verdict_html)
