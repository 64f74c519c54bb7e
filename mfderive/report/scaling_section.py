"""The section of a page about widths: which factor stands where, in three conventions, and the regime."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ..algebra.memo import once
from ..network.network import Network
from ..scaling.scalings import scalings
from .html import code, fold, html_table, items, words

_OPENING = (
    "<p>Powers of the widths that belong on every parameter, so that networks of all widths train alike. "
    "n<sub>h</sub> is the number of neurons of h; a rate is for the plain gradient of the mean loss. The "
    "three conventions differ in how large the entries start and in where a factor stands.</p>"
)


@once
def scaling_record(network: Network) -> dict[str, Any]:
    """The scalings of a network as a run's record has them: plain data, without the reasons."""
    data = scalings(network).data
    rows = [{key: row[key] for key in row if key != "reasons"} for row in data["parameters"]]
    return {**data, "parameters": rows}


def scaling_section(data: Mapping[str, Any] | None) -> str:
    """The regime and one table for each convention; HTML.

    ``data``: what :func:`scaling_record` holds (None: a run of an earlier version).
    """
    if not data:
        return ""
    regime = data["regime"]
    parts = [
        f"<p><b>{escape(str(regime['name']))}.</b> {words(regime['why'])}</p>",
        fold("What would change it", items([each["text"] for each in regime["changes"]])),
        _OPENING,
    ]
    for convention in data["parameters"][0]["conventions"] if data["parameters"] else ():
        refused = data["refused"].get(convention)
        body = f"<p>{words(refused)}</p>" if refused else _table(data, convention)
        parts.append(fold(convention, body))
    if data["sums"]:
        sums = [f"{each['field']}: `{each['factor']['text']}`" for each in data["sums"]]
        parts.append("<h3>Sums without a weight</h3>\n" + items(sums))
    parts.append("<p>Why each factor is what it is: <code>mfderive scalings SPEC</code>.</p>")
    return "\n".join(parts)


def _table(data: Mapping[str, Any], convention: str) -> str:
    # Rules of one degree have one column each of rate, constants and decay.
    columns: dict[str, list[str]] = {}
    for name, rule in data["rules"].items():
        columns.setdefault(str(rule["degree"]), []).append(name)
    rules = list(columns.values())
    headings = ["Parameter", "Does", "In front", "Deviation"]
    for names in rules:
        headings += [f"Rate: {', '.join(names)}", "Decay in g", "Decay beside"]
    rows = []
    for row in data["parameters"]:
        own = row["conventions"][convention]
        forward = dict.fromkeys(_cell(each["factor"]) for each in own["forward"])
        cells = [
            code(row["name"]),
            escape(", ".join(row["parts"])),
            " and ".join(forward) or "–",
            _cell(own["deviation"]),
        ]
        for names in rules:
            rule = own["rules"][names[0]]
            cells += [_cell(rule[key]) for key in ("rate", "decay_coupled", "decay_decoupled")]
        rows.append(cells)
    return html_table(headings, rows)


def _cell(product: Mapping[str, Any] | None) -> str:
    return "–" if product is None else code(product["text"])
