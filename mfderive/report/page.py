"""The page of a run: one HTML file that needs no network, no script and no other file to be read.

With scripts (``page.js``) widths can be hidden and values read off the curves.

Everything that a user wrote is escaped; the equations come as MathML from :mod:`mfderive.notation`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from .answer_section import answer_section, fluctuation_section
from .equation_links import Links, layer_links, linked_equations
from .figures import RECIPES, inline_svg
from .graph_svg import graph_drawing
from .html import ANSWER, Section, code, document, fold, html_table, items, words
from .scaling_section import scaling_section
from .summary import bytes_text
from .verdict_section import verdict_section

# What may stand beside a learning rule, as the page calls it.
_BESIDE = {"decay": "weight decay", "noise": "noise", "clip": "clipping", "dropout": "dropout"}


@dataclass(frozen=True)
class PageParts:
    """What a page is made of.

    ``record`` is the run's ``run.json``; ``equations`` an HTML fragment with MathML, ``reduced`` the same of
    the reduced limit (empty where none was solved); ``figures`` SVG text by recipe name; ``spec`` the text
    of the spec file; ``files`` paths relative to the folder.
    """

    record: Mapping[str, Any]
    equations: str
    reduced: str
    figures: Mapping[str, str]
    spec: str
    files: Sequence[str]


def render_page(parts: PageParts) -> str:
    """The page as one string. Sections without content are left out."""
    return document(
        str(parts.record["network"]["title"]),
        "Mean-field limit of a neural network",
        _introduction(parts.record),
        _sections(parts),
        str(parts.record["versions"].get("mfderive", "")),
        _state(parts.record),
    )


def _sections(parts: PageParts) -> list[Section]:
    """The answer first, then what a reader asks: what is it, what does it become, is it true, how."""
    links = layer_links(parts.record.get("graph"), parts.equations)
    equations = linked_equations(parts.equations, links)
    return [
        Section(ANSWER, "The answer", answer_section(parts.record, parts.figures)),
        Section("network", "The network", _network(parts.record, links)),
        Section("equations", "Equations of the limit", f'<div class="equations">{equations}</div>'),
        Section("reduction", "What collapses", _reduction(parts, links)),
        Section("warnings", "What to know of this limit", _warnings(parts)),
        Section("verdict", "Is it true?", verdict_section(parts.record.get("verdict"), parts.figures)),
        Section("fluctuations", "How networks deviate", fluctuation_section(parts.record, parts.figures)),
        Section("curves", "Training curves", _curves(parts)),
        Section("scalings", "Widths and rates", scaling_section(parts.record.get("scalings"))),
        Section("final", "Where training ends", _final(parts.record["final"])),
        Section("made", "How this was made", _made(parts)),
        Section("files", "Files of this folder", _files(parts.files)),
    ]


def _introduction(record: Mapping[str, Any]) -> str:
    widths = [row["width"] for row in record["final"] if row["width"] is not None]
    seeds = max((row["seeds"] for row in record["final"] if row["width"] is not None), default=0)
    beside = ""
    if widths:
        listed = ", ".join(str(width) for width in widths)
        beside = (
            f" Networks of {'width' if len(widths) == 1 else 'widths'} n = {listed} "
            f"({seeds} {'seed' if seeds == 1 else 'seeds'} each) were trained beside it on the same batches."
        )
    return (
        "<p>This page shows what the network below becomes when its layers grow infinitely wide and it is "
        f"trained by {_learning(record)}: the equations of that limit, and their solution."
        f"{beside}</p>"
    )


def _learning(record: Mapping[str, Any]) -> str:
    """The learning rule in words, with what stands beside it."""
    parts = {part["part"]: part for part in record["network"]["training"].get("learning", ())}
    chosen = str(parts.get("rule", {}).get("chosen", "sgd"))
    rule = "stochastic gradient descent" if chosen == "sgd" else f"the learning rule {escape(chosen)}"
    beside = [name for part, name in _BESIDE.items() if part in parts]
    listed = " and ".join(filter(None, (", ".join(beside[:-1]), *beside[-1:])))
    return f"{rule} with {listed}" if beside else rule


def _state(record: Mapping[str, Any]) -> str:
    """What a reader must know first: a run that is not finished, and losses that are no training curves."""
    alarms = "".join(f'<p class="alarm">{words(alarm)}</p>' for alarm in record.get("alarms", []))
    missing = [str(each) for each in record.get("missing", [])]
    if not missing:
        return alarms
    listed = ", ".join(missing)
    if record.get("stopped"):
        told = f"This run stopped before its end: {record['stopped']} Missing: {listed}."
    else:
        told = (
            f"This run is not finished. When this page was written ({record['made']}) these were still "
            f"missing: {listed}. If nothing is at work in this folder any more, the run was ended from "
            "outside, and this is what it left."
        )
    return f'{alarms}<p class="alarm">{words(told)}</p>'


def _network(record: Mapping[str, Any], links: Links) -> str:
    summary = record["network"]
    data = dict(summary["data"])
    kind = data.pop("kind")
    options = ", ".join(f"{key} = {value}" for key, value in data.items())
    shape = " × ".join(str(size) for size in summary["inputs"])
    outputs = summary["outputs"]
    opening = (
        f"<p>Inputs of size {escape(shape)}, {escape(str(outputs))} "
        f"{'output' if outputs == 1 else 'outputs'}; loss: {escape(str(summary['loss']))}; "
        f"data: {escape(str(kind))}{f' ({escape(options)})' if options else ''}. "
        "Layers whose size is n grow; an average over a population of neurons becomes an expectation.</p>"
    )
    return "\n".join(
        [
            opening,
            _data(summary),
            graph_figure(record.get("graph"), str(summary["title"]), links),
            fold("Layers", _layers(summary["layers"])),
            fold("Populations", _populations(summary["populations"])),
            fold("Parameters", _parameters(summary["parameters"])),
        ]
    )


def _data(summary: Mapping[str, Any]) -> str:
    """What was found in the data and done to it, and what is to be known of it."""
    facts, warnings = summary.get("facts", []), summary.get("data_warnings", [])
    parts = ["<h3>Data</h3>", items(facts)] if facts else []
    return "\n".join([*parts, *(["<h3>What to know of the data</h3>", items(warnings)] if warnings else [])])


def graph_figure(graph: Mapping[str, Any] | None, title: str, links: Links | None = None) -> str:
    """The drawing of the network's graph as a figure that scrolls sideways where it is wide; HTML.

    ``links``: where nodes lead on a page.
    """
    if not graph:  # a run of an earlier version
        return ""
    # It may shrink a little to fit a page, never so far that its words cannot be read.
    drawing = graph_drawing(graph, f"Graph of {title}", _LEAST_SCALE, links)
    scroll = " It goes on to the right: scroll sideways." if _LEAST_SCALE * drawing.width > _PAGE else ""
    return (
        f'<figure class="graph"><div class="wide">{drawing.svg}</div>\n'
        f"<figcaption>{_GRAPH_CAPTION}{_LEADS if links else ''}{scroll}</figcaption></figure>"
    )


_LEAST_SCALE = 0.8
_PAGE = 984  # the width of the page's text at its widest, in pixels
_GRAPH_CAPTION = (
    "<b>The graph.</b> Data flow from left to right. Letters on the lines are the weights of the equations; "
    "a line without a letter carries values as they are."
)
_LEADS = " A layer leads to its equations, and each equation back to its layer."


def _codes(names: Sequence[str]) -> str:
    return ", ".join(code(name) for name in names)


def _layers(rows: Sequence[Mapping[str, Any]]) -> str:
    return html_table(
        ("Layer", "From", "Neurons", "Activation"),
        [(code(r["name"]), _codes(r["from"]), code(r["neurons"]), code(r["activation"])) for r in rows],
    )


def _populations(rows: Sequence[Mapping[str, Any]]) -> str:
    return html_table(
        ("Population", "Layers that share it", "Relative width"),
        [(code(r["name"]), _codes(r["layers"]), f"{r['width']:g}") for r in rows],
        numbers=(2,),
    )


def _parameters(rows: Sequence[Mapping[str, Any]]) -> str:
    return html_table(
        ("Parameter", "Array", "Law at t = 0", "Rate", "Gradient scaled by widths of"),
        [
            (
                code(r["name"]),
                code(" × ".join(r["axes"]) or "one number"),
                code(r["law"]),
                escape(r["rate"]),
                code(" × ".join(r["scaling"]) or "1"),
            )
            for r in rows
        ],
    )


def _warnings(parts: PageParts) -> str:
    return items(parts.record.get("warnings", []))


# What the passes of the reduction do, by the name under which the log has their lines.
_PASSES = {
    "closure": "Which randomness of single weights averages out",
    "exchangeability": "Which neurons become equal, and what tells the others apart",
    "ensembles": "The nodes that stand for the neurons",
}


def _reduction(parts: PageParts, links: Links) -> str:
    if not parts.reduced:
        return ""
    opening = (
        "<p>In the limit many neurons follow the same path, and much of the initial randomness averages out. "
        "The equations above therefore reduce exactly to smaller ones; these were solved.</p>"
    )
    passes: dict[str, list[str]] = {}
    for entry in parts.record.get("reduction", []):
        passes.setdefault(entry["pass"], []).append(entry["text"])
    log = "\n".join(
        f"<h3>{escape(_PASSES.get(name, name))}</h3>{items(lines)}" for name, lines in passes.items()
    )
    reduced = linked_equations(parts.reduced, links, places=False)
    return f"{opening}\n{log}\n" + fold("The reduced equations", f'<div class="equations">{reduced}</div>')


def _curves(parts: PageParts) -> str:
    figures = parts.figures
    drawn = [
        f"<figure>\n{inline_svg(figures[recipe.name], recipe.name, escape(recipe.title))}\n"
        f"<figcaption><b>{escape(recipe.title)}.</b> {escape(recipe.caption)}</figcaption>\n</figure>"
        for recipe in RECIPES
        if recipe.name in figures
    ]
    if not drawn:
        return ""
    told = items([*parts.record.get("loss_error", []), *parts.record.get("flow", [])])
    opening = (
        "<p>The thick line is the limit; each thin line is one finite network, one seed per line. The wider "
        "the networks, the closer their lines lie to the limit.</p>"
    )
    return f'{opening}\n{told}\n<div class="figures">\n' + "\n".join(drawn) + "\n</div>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _final(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    with_error = any(row["error"] is not None for row in rows)
    headings = ["Width n", "Seeds", "Final loss", "Lowest", "Highest", "Farthest from the limit"]
    cells = []
    for row in rows:
        spread = (_number(row["loss_low"]), _number(row["loss_high"])) if row["seeds"] > 1 else ("–", "–")
        line = [
            "∞ (limit)" if row["width"] is None else str(row["width"]),
            "–" if row["width"] is None else str(row["seeds"]),
            _number(row["loss"]),
            *spread,
            _number(row["distance"]),
        ]
        if with_error:
            line.insert(5, _number(row["error"]))
        cells.append(line)
    if with_error:
        headings.insert(5, "Final error")
    limit = next((number for number, row in enumerate(rows) if row["width"] is None), None)
    note = (
        '<p class="soft">Losses are means over the seeds. The last column is the greatest distance between '
        "the loss curve of a network and that of the limit over the whole run, averaged over the seeds.</p>"
    )
    return html_table(headings, cells, numbers=range(len(headings)), limit_row=limit) + note


def _made(parts: PageParts) -> str:
    record = parts.record
    training = record["network"]["training"]
    schedule = "" if training["schedule"] == "1" else f" · {training['schedule']}"
    rows = [
        ("Learning rate α", escape(f"{training['learning_rate']:g}{schedule}")),
        ("Steps", escape(str(training["steps"]))),
        ("Batch size", escape(str(training["batch_size"]))),
        *(
            (f"Learning: {escape(part['part'])}", escape(part["text"]))
            for part in training.get("learning", ())
        ),
        *((escape(str(key)), escape(_setting(value))) for key, value in record["settings"].items()),
        ("Versions", escape(", ".join(f"{key} {value}" for key, value in record["versions"].items()))),
    ]
    rows += [
        (escape(f"Time: {key}"), escape(f"{value:.1f} s")) for key, value in record.get("timings", {}).items()
    ]
    if record["network"].get("sizes"):
        size = record["network"]["sizes"][-1]
        rows.append(
            (
                "Largest network",
                escape(f"{size['parameters']:,} numbers, {bytes_text(size['bytes'])} in float64"),
            )
        )
    exact = json.dumps({key: record[key] for key in ("settings", "versions")}, indent=2, ensure_ascii=False)
    return (
        fold("Settings, versions, times", html_table(("Setting", "Value"), rows))
        + fold("The spec file", f"<pre>{escape(parts.spec)}</pre>", shown=True)
        + fold("Settings and versions as JSON", f"<pre>{escape(exact)}</pre>")
    )


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = (f"{str(key).replace('_', ' ')} {_setting(one)}" for key, one in value.items())
        return ", ".join(parts) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_setting(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _files(names: Sequence[str]) -> str:
    items = "".join(f'<li><a href="{escape(quote(name))}">{escape(name)}</a></li>' for name in names)
    return f'<ul class="files">{items}</ul>' if items else ""
