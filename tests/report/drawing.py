"""Reads a drawing of a graph back: its texts, boxes and lines with their places on the page.

Words are measured with matplotlib's DejaVu fonts (the widest of those that the drawing asks for); a text
reaches 0.76 of its size above its line and 0.2 below, the extent of ordinary letters there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

NAMESPACE = "{http://www.w3.org/2000/svg}"
SIZES = {"name": 15.0, "words": 12.0, "letter": 14.0, "sub": 10.0}


@dataclass(frozen=True)
class Rectangle:
    """A box on the page."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Rectangle, slack: float = 0.0) -> bool:
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside, by more than the tenths that places are rounded to."""
        return self.left + 0.2 < x < self.right - 0.2 and self.top + 0.2 < y < self.bottom - 0.2

    def inside(self, outer: Rectangle) -> bool:
        return (
            outer.left <= self.left
            and self.right <= outer.right
            and outer.top <= self.top
            and self.bottom <= outer.bottom
        )


@dataclass
class Drawn:
    """One group of the drawing: a node, an edge or a line of the legend."""

    kind: str
    attributes: dict[str, str]
    texts: list[tuple[str, Rectangle]] = field(default_factory=list)
    rectangle: Rectangle | None = None
    points: list[tuple[float, float]] = field(default_factory=list)
    colours: set[str] = field(default_factory=set)
    source: str = ""

    @property
    def words(self) -> str:
        return " ".join(text for text, _ in self.texts)


@cache
def measured(words: str, kind: str) -> float:
    """The width of words in the drawing's fonts."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    serif = kind in ("letter", "sub")
    font = FontProperties(
        family="DejaVu Serif" if serif else "DejaVu Sans",
        style="italic" if serif else "normal",
        weight="bold" if kind == "name" else "normal",
        size=SIZES[kind],
    )
    return float(TextToPath().get_text_width_height_descent(words, font, ismath=False)[0])


def read(svg: str) -> tuple[list[Drawn], Rectangle]:
    """The groups of a drawing, and the page."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    return [_group(element) for element in root.iter(f"{NAMESPACE}g")], Rectangle(0, 0, width, height)


def _group(element: ElementTree.Element) -> Drawn:
    drawn = Drawn(
        element.attrib["class"], dict(element.attrib), source=ElementTree.tostring(element, "unicode")
    )
    for child in element:
        tag = child.tag.removeprefix(NAMESPACE)
        if tag == "text":
            drawn.texts.append(_text(child))
            drawn.colours.add(child.attrib.get("fill", ""))
        elif tag == "rect" and "width" in child.attrib and float(child.attrib["width"]) > 10:
            left, top = float(child.attrib["x"]), float(child.attrib["y"])
            right, bottom = left + float(child.attrib["width"]), top + float(child.attrib["height"])
            drawn.rectangle = Rectangle(left, top, right, bottom)  # the last is the front one
        elif tag == "path":
            drawn.points = sampled(child.attrib["d"])
            drawn.colours.add(child.attrib["stroke"])
        elif tag == "polygon":
            drawn.colours.add(child.attrib["fill"])
    return drawn


def _text(element: ElementTree.Element) -> tuple[str, Rectangle]:
    kind = element.attrib["class"]
    size, x, y = SIZES[kind], float(element.attrib["x"]), float(element.attrib["y"])
    width = measured(element.text or "", kind) if element.text else 0.0
    low = 0.2 * size
    for span in element:
        width += measured(span.text or "", span.attrib["class"])
        low = max(low, float(span.attrib["dy"]) + 0.2 * SIZES["sub"])
    left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[element.attrib.get("text-anchor", "start")]
    return "".join(element.itertext()), Rectangle(left, y - 0.76 * size, left + width, y + low)


def sampled(path: str, count: int = 24) -> list[tuple[float, float]]:
    """Points along a path of M, H, L, C and Q pieces with absolute places; 4 apart on straight ones."""
    points: list[tuple[float, float]] = []
    for letter, numbers in re.findall(r"([MHLCQ])([^MHLCQ]*)", path):
        values = [float(number) for number in numbers.split()]
        if letter == "M":
            points.append((values[0], values[1]))
            continue
        start = points[-1]
        if letter == "H":
            values = [values[0], start[1]]
        corners = [start, *zip(values[::2], values[1::2], strict=True)]
        steps = count if letter in "CQ" else max(2, int(abs(corners[1][0] - start[0]) / 4) + 8)
        points += [_bezier(corners, k / steps) for k in range(1, steps + 1)]
    return points


def _bezier(corners: list[tuple[float, float]], share: float) -> tuple[float, float]:
    while len(corners) > 1:
        corners = [(a + share * (c - a), b + share * (d - b)) for (a, b), (c, d) in pairwise(corners)]
    return corners[0]
