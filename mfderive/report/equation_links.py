"""Links between the printed equations and the graph: from each equation to its layer, and back.

Plain anchors, which need no script. Which layer an equation belongs to is said by
:func:`mfderive.notation.html` (attribute ``data-layer``); here it gets a cell with a link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

Data = Mapping[str, Any]
# By layer: the identifier of its node in the graph, and that of its first equation.
Links = Mapping[str, tuple[str, str]]

_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_ROW = re.compile(r'<tr(?: data-layer="(?P<layer>[^"]*)")?>')
_OWNER = re.compile(r'data-layer="([^"]*)"')
# A fragment of equations begins with the title, which a page has already; its sections are one level lower.
_TITLE = re.compile(r"<h3>.*?</h3>\n?", re.DOTALL)


def layer_links(graph: Data | None, equations: str) -> dict[str, tuple[str, str]]:
    """The layers that have both a node in the graph and an equation; empty where there is no graph."""
    written = set(_OWNER.findall(equations))
    names = [str(node["name"]) for node in graph["nodes"]] if graph else []
    return {name: (f"layer-{name}", f"equations-{name}") for name in names if escape(name) in written}


def linked_equations(equations: str, links: Links, places: bool = True) -> str:
    """The equations as a section of a page has them, with a link from each to its layer; HTML.

    ``places``: whether links from the graph lead here, which is so for one fragment of a page.
    """
    open_places = {escape(name): place for name, (_, place) in links.items()} if places else {}
    known = {escape(name): node for name, (node, _) in links.items()}

    def row(found: re.Match[str]) -> str:
        layer = found["layer"]
        if layer not in known:
            return f'{found[0]}<td class="of"></td>'
        place = open_places.pop(layer, None)
        begin = f'<tr data-layer="{layer}"' + (f' id="{escape(place)}">' if place else ">")
        link = f'<a href="#{escape(known[layer])}" title="{layer} in the graph">{layer}</a>'
        return f'{begin}<td class="of">{link}</td>'

    def table(found: re.Match[str]) -> str:
        return _ROW.sub(row, found[0]) if set(_OWNER.findall(found[0])) & set(known) else found[0]

    body = _TABLE.sub(table, _TITLE.sub("", equations, count=1))
    return body.replace("<h4>", "<h3>").replace("</h4>", "</h3>")
