"""Where the boxes and lines of a network's graph go: from left to right, one column per generation.

A connection over several columns passes through a place of its own in each of them, so that no line crosses
a box. All lines enter their layer horizontally, one under the other, with their labels there; lines bend
only in front of the labels, so that none crosses one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Data = Mapping[str, Any]

BEND = 46.0  # the part of the room between two columns in which lines bend
ARROW = 10.0
GAP = 26.0  # between two boxes of a column
LANE = 16.0  # between two lanes of lines that lead back
_LINE = 14.0  # the height of a line that passes a column
_SWEEPS = 12


@dataclass
class Item:
    """A box, or the place of a passing line, in a column; ``y`` is its middle."""

    key: str
    column: int
    height: float
    node: Data | None = None
    above: float = 0.0  # room for loops over a box
    y: float = 0.0
    before: list[tuple[Item, int]] = field(default_factory=list)  # with the number of the edge
    after: list[tuple[Item, int]] = field(default_factory=list)
    ports: dict[int, float] = field(default_factory=dict)  # edge -> distance from the middle


@dataclass(frozen=True)
class Wire:
    """One edge on the page: its points, whether it bends between them, and where its label ends."""

    edge: Data
    points: tuple[tuple[float, float], ...]
    bends: bool  # curves from column to column; otherwise right angles
    label: tuple[float, float]


@dataclass(frozen=True)
class Box:
    """One node on the page."""

    node: Data
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Boxes and wires, and the size of the whole."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    width: float
    height: float


def arrange(
    graph: Data,
    sizes: Mapping[str, tuple[float, float]],
    labels: Sequence[tuple[float, float]],
    margin: float = 12.0,
) -> Layout:
    """Boxes and wires. ``sizes``: (width, height) by node; ``labels``: (width, height) by edge."""
    place = _Arrangement(graph, sizes, labels, margin)
    place.order()
    place.heights()
    return place.layout()


def generations(graph: Data) -> dict[str, int]:
    """Node -> its column: the longest way to it. What reads a step before has no say."""
    import networkx

    nodes = [node["name"] for node in graph["nodes"]]
    order = networkx.DiGraph()
    order.add_nodes_from(nodes)
    order.add_edges_from((e["source"], e["target"]) for e in graph["edges"] if not e["delay"])
    column: dict[str, int] = {}
    inputs = {node["name"] for node in graph["nodes"] if node["role"] == "input"}
    for name in networkx.lexicographical_topological_sort(order, key=nodes.index):
        first = 0 if name in inputs else 1
        column[name] = max([first, *(column[source] + 1 for source in order.predecessors(name))])
    last = max(column.values())
    outputs = {node["name"] for node in graph["nodes"] if node["role"] == "output"}
    column.update({name: last for name in outputs if last > column[name]})
    return column


class _Arrangement:
    """The state of one layout: items by column, then their heights, then points."""

    def __init__(
        self,
        graph: Data,
        sizes: Mapping[str, tuple[float, float]],
        labels: Sequence[tuple[float, float]],
        margin: float,
    ) -> None:
        self.graph, self.sizes, self.labels, self.margin = graph, sizes, labels, margin
        column = generations(graph)
        self.columns: list[list[Item]] = [[] for _ in range(max(column.values()) + 1)]
        self.items: dict[str, Item] = {}
        self.chains: dict[int, list[Item]] = {}
        # Between two lines that enter one box: room for the higher of their labels.
        self.pitch: dict[str, float] = {}
        entering: dict[str, int] = {}
        for edge, (_, tall) in zip(graph["edges"], labels, strict=True):
            name = edge["target"]
            entering[name] = entering.get(name, 0) + 1
            self.pitch[name] = max(self.pitch.get(name, 0.0), tall)
        for node in graph["nodes"]:
            name = node["name"]
            height = max(sizes[name][1], self.pitch.get(name, 0.0) * entering.get(name, 0))
            item = Item(name, column[name], height, node)
            item.above = LANE * sum(e["source"] == name == e["target"] for e in graph["edges"])
            self.items[name] = item
            self.columns[item.column].append(item)
        for number, edge in enumerate(graph["edges"]):
            if self.items[edge["source"]].column < self.items[edge["target"]].column:
                self._chain(number, edge)

    def _chain(self, number: int, edge: Data) -> None:
        """Join the ends of an edge, through a place in every column between."""
        first, last = self.items[edge["source"]], self.items[edge["target"]]
        chain = [first]
        for column in range(first.column + 1, last.column):
            item = Item(f"{number}@{column}", column, _LINE)
            self.columns[column].append(item)
            chain.append(item)
        chain.append(last)
        for one, other in pairwise(chain):
            one.after.append((other, number))
            other.before.append((one, number))
        self.chains[number] = chain

    # ------------------------------------------------------------------ order and heights

    def order(self) -> None:
        """Sort every column by where its neighbours are, to and fro, so that few lines cross."""
        for items in self.columns:
            # At first, lines that pass stand above the boxes.
            items.sort(key=lambda item: item.node is not None)
        best = [list(items) for items in self.columns]
        fewest = self._crossings()
        for sweep in range(_SWEEPS):
            forth = sweep % 2 == 0
            place = {id(item): k for items in self.columns for k, item in enumerate(items)}
            for items in self.columns if forth else self.columns[::-1]:

                def middle(item: Item, forth: bool = forth, place: dict[int, int] = place) -> float:
                    near = item.before if forth else item.after
                    found = [place[id(other)] for other, _ in near]
                    return sum(found) / len(found) if found else place[id(item)]

                items.sort(key=middle)
                place.update({id(item): k for k, item in enumerate(items)})
            crossings = self._crossings()
            if crossings < fewest:
                fewest, best = crossings, [list(items) for items in self.columns]
        self.columns = best

    def _crossings(self) -> int:
        place = {id(item): k for items in self.columns for k, item in enumerate(items)}
        count = 0
        for items in self.columns:
            ends = [(place[id(a)], place[id(b)]) for a in items for b, _ in a.after]
            count += sum((a - c) * (b - d) < 0 for k, (a, b) in enumerate(ends) for c, d in ends[k + 1 :])
        return count

    def heights(self) -> None:
        """The middle of every item: lines as straight as the order allows."""
        for items in self.columns:
            y = 0.0
            for item in items:
                y += item.above + item.height / 2
                item.y = y
                y += item.height / 2 + GAP
        for sweep in range(4 * _SWEEPS):
            self._ports()
            for items in self.columns if sweep % 2 == 0 else self.columns[::-1]:
                self._settle(items)
        self._ports()

    def _ports(self) -> None:
        """Give every line that enters a box its own height there, in the order of where they come from."""
        loops: dict[str, list[int]] = {}
        for number, edge in enumerate(self.graph["edges"]):
            if number not in self.chains:
                loops.setdefault(edge["target"], []).append(number)
        for item in self.items.values():
            lines = sorted(item.before, key=lambda pair: pair[0].y)
            own = [n for n in loops.get(item.key, []) if self.graph["edges"][n]["source"] == item.key]
            back = [n for n in loops.get(item.key, []) if n not in own]
            numbers = [*own, *(number for _, number in lines), *back]
            item.ports = {
                n: self.pitch[item.key] * (k - (len(numbers) - 1) / 2) for k, n in enumerate(numbers)
            }

    def _settle(self, items: list[Item]) -> None:
        """Move a column's items as near to their neighbours as order and distances allow (least squares)."""
        wanted, weights = [], []
        for item in items:
            pulls = [(other.y - item.ports.get(n, 0.0), other) for other, n in item.before]
            pulls += [(other.y + other.ports.get(n, 0.0), other) for other, n in item.after]
            strength = [8.0 if other.node is None or item.node is None else 1.0 for _, other in pulls]
            total = sum(strength)
            pulled = sum(s * y for s, (y, _) in zip(strength, pulls, strict=True))
            wanted.append(pulled / total if total else item.y)
            weights.append(total or 0.1)
        offsets = [0.0]
        for one, other in pairwise(items):
            offsets.append(offsets[-1] + one.height / 2 + GAP + other.above + other.height / 2)
        shifted = [y - offset for y, offset in zip(wanted, offsets, strict=True)]
        for item, y, offset in zip(items, _increasing(shifted, weights), offsets, strict=True):
            item.y = y + offset

    # ------------------------------------------------------------------ points

    def layout(self) -> Layout:
        """Points on the page."""
        top = min(item.y - item.height / 2 - item.above for items in self.columns for item in items)
        for items in self.columns:
            for item in items:
                item.y += self.margin - top
        bottom = max(item.y + item.height / 2 for items in self.columns for item in items)
        lefts, widths = self._horizontal()
        boxes = tuple(
            Box(node, lefts[item.column], item.y - item.height / 2, widths[item.column], item.height)
            for node in self.graph["nodes"]
            for item in [self.items[node["name"]]]
        )
        wires = []
        for number, edge in enumerate(self.graph["edges"]):
            if number in self.chains:
                wires.append(self._forward(number, lefts, widths))
                continue
            loop = edge["source"] == edge["target"]
            bottom += 0.0 if loop else LANE
            wires.append(self._backward(number, lefts, widths, None if loop else bottom))
        return Layout(
            boxes, tuple(wires), lefts[-1] + widths[-1] + self.margin + BEND / 2, bottom + self.margin
        )

    def _horizontal(self) -> tuple[list[float], list[float]]:
        """The left side and the width of every column; labels stand in front of it."""
        widths = [0.0] * len(self.columns)
        self.rooms = [0.0] * len(self.columns)
        for item in self.items.values():
            widths[item.column] = max(widths[item.column], self.sizes[item.key][0])
        for number, edge in enumerate(self.graph["edges"]):
            column = self.items[edge["target"]].column
            self.rooms[column] = max(self.rooms[column], self.labels[number][0] + ARROW + 6)
        lefts, x = [], self.margin
        for column, width in enumerate(widths):
            x += self.rooms[column] + (BEND if column else 0.0)
            lefts.append(x)
            x += width
        return lefts, widths

    def _forward(self, number: int, lefts: list[float], widths: list[float]) -> Wire:
        chain = self.chains[number]
        points = [(lefts[chain[0].column] + widths[chain[0].column], chain[0].y)]
        for item in chain[1:]:
            y = item.y + item.ports.get(number, 0.0)
            start = lefts[item.column] - self.rooms[item.column]
            points += [(start, y), (lefts[item.column], y)]
            if item.node is None:
                points.append((lefts[item.column] + widths[item.column], y))
        end = points[-1]
        return Wire(self.graph["edges"][number], tuple(points), True, (end[0] - ARROW - 4, end[1]))

    def _backward(self, number: int, lefts: list[float], widths: list[float], lane: float | None) -> Wire:
        """A line that leads back: over its own box, or along a lane under everything."""
        edge = self.graph["edges"][number]
        source, target = self.items[edge["source"]], self.items[edge["target"]]
        if lane is None:
            loops = [n for n in target.ports if n not in self.chains]
            lane = source.y - source.height / 2 - LANE * (loops.index(number) + 1) + 4
        right = lefts[source.column] + widths[source.column]
        left, y = lefts[target.column], target.y + target.ports[number]
        turn = left - self.rooms[target.column] - BEND / 5
        points = [(right, source.y), (right + BEND / 5, source.y), (right + BEND / 5, lane), (turn, lane)]
        points += [(turn, y), (left, y)]
        return Wire(edge, tuple(points), False, (left - ARROW - 4, y))


def _increasing(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest numbers (weighted least squares) that do not decrease."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        mean, total, count = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, length = blocks.pop()
            mean = (mean * total + before * heavy) / (total + heavy)
            total, count = total + heavy, count + length
        blocks.append((mean, total, count))
    return [mean for mean, _, count in blocks for _ in range(count)]
