"""The graph of a network as an SVG drawing, from the plain data of :mod:`mfderive.report.graph`.

The drawing has no identifiers, no script and no measured fonts: widths of words are upper bounds, so that
boxes hold their words in any font a reader's machine may choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from ..network.names import MAIN
from ..notation.letters import Letter, letter_of
from .graph import FOLD, MANY_TYPES, ONE_TYPE, folded
from .graph_layout import ARROW, Box, Layout, Wire, arrange

Data = Mapping[str, Any]

_NAME, _WORDS, _SUBSCRIPT = 15.0, 12.0, 10.0  # font sizes
_ROW = 16.0
_PADDING = 12.0
_ONE_LINE = 18  # letters
_LEADING = 14.0
_LETTER_ROOM = 26.0  # above a line
_CORNER = 8.0
# Weights that are used more than once, and populations of several layers: one colour each, in turn.
_TIED = ("#c2410c", "#7c3aed", "#0f766e", "#be185d", "#4d7c0f", "#1d4ed8")
_SHARED = ("#5b8db8", "#b98a3d", "#6a9b6e", "#a3749c", "#8a8f5a", "#b5706a")
# Upper bounds of advance widths in ems, from DejaVu Sans, the widest of the fonts below.
_ADVANCES = {0.29: "ijl", 0.43: "tfr.,:;'|()[] I", 0.88: "wM&#+<=>^~−×·", 1.02: "mW@%→∞…⋯⊤"}
_ADVANCE = {sign: share for share, signs in _ADVANCES.items() for sign in signs}
_STYLE = """
.graph-drawing { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.graph-drawing .name { font-size: 15px; font-weight: 600; }
.graph-drawing .words { font-size: 12px; }
.graph-drawing .letter { font-size: 14px; font-style: italic; }
.graph-drawing .letter { font-family: "STIX Two Text", Georgia, "DejaVu Serif", serif; }
.graph-drawing .sub { font-size: 10px; }
"""


@dataclass(frozen=True)
class Drawing:
    """A drawing: one ``svg`` element, and its width in pixels."""

    svg: str
    width: int


def graph_svg(graph: Data, title: str = "") -> str:
    """The drawing as one ``svg`` element that can stand in a page or in a file of its own."""
    return graph_drawing(graph, title).svg


def graph_drawing(
    graph: Data,
    title: str = "",
    least_scale: float | None = None,
    links: Mapping[str, tuple[str, str]] | None = None,
) -> Drawing:
    """The drawing with its width; ``least_scale``: it may shrink to fit a page, by no more than this.

    ``links``: by the name of a node its own identifier and where it leads to.
    """
    shown = folded(graph)
    colours = _Colours(shown)
    sizes = {node["name"]: _box_size(node) for node in shown["nodes"]}
    labels = [(_label_width(edge), _label_height(edge)) for edge in shown["edges"]]
    layout = arrange(shown, sizes, labels)
    legend, width, height = _legend(shown, colours, layout)
    parts = [
        *(_wire(wire, colours) for wire in layout.wires),
        *(_linked(box.node, _box(box, colours), links or {}) for box in layout.boxes),
        *legend,
    ]
    label = f' aria-label="{escape(title)}"' if title else ""
    room = round(width)
    role = "group" if links else "img"  # an image has no links in it for a screen reader
    style = f'style="min-width:{least_scale * room:.0f}px;max-width:{room}px" ' if least_scale else ""
    svg = (
        f'<svg {style}xmlns="http://www.w3.org/2000/svg" class="graph-drawing" role="{role}"{label} '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'fill="currentColor" color="#121417">\n<style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )
    return Drawing(svg, room)


def text_width(words: str, size: float) -> float:
    """An upper bound of the width of words in ordinary fonts of a size."""
    share: float = sum(_ADVANCE.get(sign, 0.8 if sign.isupper() else 0.65) for sign in words)
    return share * size


class _Colours:
    """Colours by tied weight and by shared population, in the order in which they appear."""

    def __init__(self, graph: Data) -> None:
        tied = dict.fromkeys(edge["weight"] for edge in graph["edges"] if edge["tied"])
        shared = dict.fromkeys(node["population"] for node in graph["nodes"] if node["shared"])
        self.tied = {name: _TIED[k % len(_TIED)] for k, name in enumerate(tied)}
        self.shared = {name: _SHARED[k % len(_SHARED)] for k, name in enumerate(shared)}


# ---------------------------------------------------------------------------------------- words


def _lines(node: Data) -> list[str]:
    """What stands in a box under the name."""
    lines = [node["neurons"]]
    if node["types"]:
        lines.append(node["types"])
    if node["positions"]:
        lines.append(f"{' × '.join(str(size) for size in node['positions'])} positions")
    if node["steps"]:
        lines.append(f"{node['steps']} steps")
    if node["activation"]:
        lines.append(node["activation"])
    return lines


def _title(node: Data) -> str:
    return {"input": "x", "output": "ŷ", FOLD: "⋯"}.get(node["role"], str(node["name"]))


def _box_size(node: Data) -> tuple[float, float]:
    lines = _lines(node)
    widest = max([1.15 * text_width(_title(node), _NAME), *(text_width(line, _WORDS) for line in lines)])
    return widest + 2 * _PADDING, _NAME + _ROW * len(lines) + 2 * _PADDING


def _letter_width(letter: Letter | None) -> float:
    if letter is None:
        return 0.0
    below: float = sum(_letter_width(part) * _SUBSCRIPT / _NAME + 4 for part in letter.subscript)
    return text_width(letter.base, _NAME) + below


def _label_width(edge: Data) -> float:
    letter = None if edge["letter"] is None else letter_of(edge["letter"])
    above = _letter_width(letter) + (9 if edge["transposed"] else 0)
    return max([above, *(text_width(line, _WORDS) for line in _word_lines(edge))])


def _label_height(edge: Data) -> float:
    """The room from one line that enters a box to the next."""
    return _LETTER_ROOM + _LEADING * max(1, len(_word_lines(edge)))


def _word_lines(edge: Data) -> list[str]:
    """The words of an edge, on one line where they are short."""
    joined = ", ".join(edge["words"])
    return [joined] if joined and len(joined) <= _ONE_LINE else list(edge["words"])


def _letter_text(letter: Letter, transposed: bool) -> str:
    """A letter with its subscripts (one level, those of subscripts stand behind them) as tspans."""
    below = ",".join(_flat(part) for part in letter.subscript)
    text = escape(letter.base)
    if below:
        text += f'<tspan class="sub" dy="4">{escape(below)}</tspan>'
    if transposed:
        text += f'<tspan class="sub" dy="{-9 if below else -5}">⊤</tspan>'
    return text


def _flat(letter: Letter) -> str:
    return letter.base + "".join(_flat(part) for part in letter.subscript)


# ---------------------------------------------------------------------------------------- shapes


def _text(x: float, y: float, kind: str, content: str, anchor: str = "start", colour: str = "") -> str:
    paint = f' fill="{colour}"' if colour else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{paint}>{content}</text>'


def _rectangle(box: Box, shift: float, corner: float, more: str) -> str:
    return (
        f'<rect x="{box.left + shift:.1f}" y="{box.top - shift:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{corner:.0f}" {more}/>'
    )


_OUTLINE = 'fill="var(--card, #f7f8fa)" stroke="currentColor"'


def _box(box: Box, colours: _Colours) -> str:
    """A node: stacked where its neurons are of many types, dashed where it is finite, with its words."""
    node = box.node
    finite = node["role"] == "finite"
    rounded = box.height / 2 if node["role"] in ("input", "output") else 2 if finite else _CORNER
    rounded = min(rounded, 18)
    dashed = (
        ' stroke-dasharray="5 3"' if finite else ' stroke-dasharray="2 4"' if node["role"] == FOLD else ""
    )
    parts = [f"<title>{escape(_tooltip(node))}</title>"]
    if node["types"] == MANY_TYPES:
        parts.append(_rectangle(box, 4, rounded, f'{_OUTLINE} stroke-opacity="0.55"'))
    parts.append(_rectangle(box, 0, rounded, _OUTLINE + dashed))
    if node["shared"]:
        colour = colours.shared[node["population"]]
        parts.append(
            f'<rect x="{box.left + 5:.1f}" y="{box.top + 8:.1f}" width="4" height="{box.height - 16:.1f}" '
            f'rx="2" fill="{colour}"/>'
        )
    lines, middle = _lines(node), box.left + box.width / 2
    y = box.top + (box.height - _NAME - _ROW * len(lines)) / 2 + _NAME - 2
    parts.append(_text(middle, y, "name", escape(_title(node)), "middle"))
    for number, line in enumerate(lines, start=1):
        parts.append(_text(middle, y + _ROW * number + 1, "words", escape(line), "middle"))
    return f'<g class="node" data-node="{escape(node["name"])}">{"".join(parts)}</g>'


def _linked(node: Data, drawn: str, links: Mapping[str, tuple[str, str]]) -> str:
    """A node that leads somewhere; one that stands for several layers leads where the first of them does."""
    own = [links[name] for name in node.get("layers") or [node["name"]] if name in links]
    for place, _ in reversed(own):
        drawn = f'<g id="{escape(place)}">{drawn}</g>'
    return f'<a href="#{escape(own[0][1])}">{drawn}</a>' if own else drawn


def _tooltip(node: Data) -> str:
    if node["role"] == FOLD:
        return ", ".join(node["layers"])
    return ", ".join([node["name"], *_lines(node)])


def _wire(wire: Wire, colours: _Colours) -> str:
    """An edge: its line with an arrow head, the weight's letter above it and the words below."""
    edge = wire.edge
    colour = colours.tied.get(edge["weight"], "") if edge["tied"] else ""
    stroke = colour or "currentColor"
    dashed = ' stroke-dasharray="6 4"' if edge["delay"] else ""
    path = _curved(wire.points) if wire.bends else _cornered(wire.points)
    x, y = wire.points[-1]
    tip = f"{x:.1f},{y:.1f} {x - ARROW:.1f},{y - 4:.1f} {x - ARROW:.1f},{y + 4:.1f}"
    thick = 1.4 if edge["weight"] else 1.1
    parts = [
        f"<title>{escape(_edge_tooltip(edge))}</title>",
        f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="{thick}"{dashed}/>',
        f'<polygon points="{tip}" fill="{stroke}"/>',
    ]
    end, level = wire.label
    if edge["letter"] is not None:
        content = _letter_text(letter_of(edge["letter"]), edge["transposed"])
        parts.append(_text(end, level - 8, "letter", content, "end", colour))
    for number, line in enumerate(_word_lines(edge)):
        parts.append(_text(end, level + 13 + _LEADING * number, "words", escape(line), "end", colour))
    tied = f' data-tied="{escape(edge["weight"])}"' if edge["tied"] else ""
    return (
        f'<g class="edge" data-from="{escape(edge["source"])}" data-to="{escape(edge["target"])}" '
        f'data-weight="{escape(edge["weight"] or "")}"{tied}>{"".join(parts)}</g>'
    )


def _edge_tooltip(edge: Data) -> str:
    weight = (
        f", weight {edge['weight']}{' transposed' if edge['transposed'] else ''}" if edge["weight"] else ""
    )
    return f"{edge['source']} to {edge['target']}: {edge['kind']}{weight}"


def _curved(points: Sequence[tuple[float, float]]) -> str:
    """Bends from one side to the next, straight lines between."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (a, b), (c, d) in pairwise(points):
        half = (a + c) / 2
        path.append(
            f"H{c:.1f}" if abs(b - d) < 0.05 else f"C{half:.1f} {b:.1f} {half:.1f} {d:.1f} {c:.1f} {d:.1f}"
        )
    return "".join(path)


def _cornered(points: Sequence[tuple[float, float]]) -> str:
    """Straight lines with rounded corners."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        ends = []
        for other in (before, after):
            away = (other[0] - corner[0], other[1] - corner[1])
            long = max(abs(away[0]), abs(away[1])) or 1.0
            step = min(_CORNER, long / 2) / long
            ends.append((corner[0] + step * away[0], corner[1] + step * away[1]))
        (a, b), (c, d) = ends
        path.append(f"L{a:.1f} {b:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {c:.1f} {d:.1f}")
    path.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(path)


# ---------------------------------------------------------------------------------------- legend


def _legend(graph: Data, colours: _Colours, layout: Layout) -> tuple[list[str], float, float]:
    """The lines under the drawing that say what its signs mean; their elements, and the size of all."""
    entries = list(_entries(graph, colours))
    widest = max((40 + text_width(words, _WORDS) for _, words in entries), default=0.0)
    width = max(layout.width, widest + 24, 320.0)
    # Side by side, but never wider than a page: a long drawing is scrolled, its legend should not be.
    room = min(width, 900.0)
    parts, x, y = [], 12.0, layout.height + 22
    for sample, words in entries:
        before = 36 if sample else 0
        wide = before + text_width(words, _WORDS) + 24
        if x > 12 and x + wide > room:
            x, y = 12.0, y + 24
        drawn = sample.format(x=x, y=y, end=x + 26, top=y - 8)
        parts.append(f'<g class="legend">{drawn}{_text(x + before, y + 4, "words", escape(words))}</g>')
        x += wide
    return parts, width, y + 18 if entries else layout.height


def _sample_line(more: str) -> str:
    return '<path d="M{x:.1f} {y:.1f}H{end:.1f}" fill="none" ' + more + "/>"


def _sample_box(more: str) -> str:
    return '<rect x="{x:.1f}" y="{top:.1f}" width="22" height="14" ' + more + "/>"


def _entries(graph: Data, colours: _Colours) -> list[tuple[str, str]]:
    """(sample, words) of what occurs in the drawing; samples have places for x, y, end and top."""
    nodes, edges = graph["nodes"], graph["edges"]
    round_box = f'rx="4" {_OUTLINE}'
    stacked = _sample_box(round_box + ' stroke-opacity="0.55" transform="translate(3 -3)"')
    transposed = (
        '<text class="letter" x="{x:.1f}" y="{y:.1f}" dy="5">W<tspan class="sub" dy="-5">⊤</tspan></text>'
    )
    ink = 'stroke="currentColor"'
    rows = [
        (MANY_TYPES in (n["types"] for n in nodes), stacked + _sample_box(round_box), _MANY),
        (ONE_TYPE in (n["types"] for n in nodes), _sample_box(round_box), _ONE),
        (
            any(n["role"] == "finite" for n in nodes),
            _sample_box(f'rx="1" {_OUTLINE} stroke-dasharray="5 3"'),
            "finite layer: summed over, not averaged",
        ),
        *((True, _bar(colour), _same_neurons(nodes, name)) for name, colour in colours.shared.items()),
        *(
            (
                True,
                _sample_line(f'stroke="{colour}" stroke-width="2"'),
                f"tied: one weight, {name}, used more than once",
            )
            for name, colour in colours.tied.items()
        ),
        (any(e["transposed"] for e in edges), transposed, "the weight is read backwards (transposed)"),
        (
            any(e["delay"] for e in edges),
            _sample_line(f'{ink} stroke-dasharray="6 4"'),
            "reads an earlier step",
        ),
        (
            any(e["into"] != MAIN for e in edges),
            "",
            "into g: adds to the pre-activation g, which the activation reads beside h",
        ),
        (any(e.get("strided") for e in edges), "", "/2: stride 2"),
    ]
    return [(sample, words) for there, sample, words in rows if there]


_MANY = "neurons of many types in the limit"
_ONE = "all neurons become the same in the limit: one type"


def _bar(colour: str) -> str:
    return '<rect x="{x:.1f}" y="{top:.1f}" width="4" height="16" rx="2" fill="' + colour + '"/>'


def _same_neurons(nodes: Sequence[Data], population: str) -> str:
    layers = [node["name"] for node in nodes if node["population"] == population]
    listed = ", ".join(layers) if len(layers) <= 4 else f"{layers[0]}, {layers[1]} … {layers[-1]}"
    return f"the same neurons: {listed}"
