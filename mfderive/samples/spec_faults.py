"""All faults of a spec file at once, each with its line and column: what ``mfderive check-spec`` lists.

The rules are the reader's own (:mod:`mfderive.format.reader`), which keeps what does not depend on each
other; what only data and sizes can tell is asked once the spec can be read.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from textwrap import wrap
from typing import Any
from unicodedata import category, combining, east_asian_width

from ..algebra.arguments import found
from ..errors import ArgumentError, FaultKind, MfError, SpecError
from ..errors.gathering import Faults
from ..format.outline_reading import outline
from ..format.reader import parse_document, spec_content
from ..format.toml_places import Places, Span, line_and_column
from ..format.toml_syntax import document_of, syntax_faults, text_of, text_until_wrong
from ..forward.equations import forward_system
from ..network.network import Network
from ..network.place import Path as Way
from ..network.place import Place
from .resolve import resolve

_WIDTH = 110
_MOST_SHOWN = 100  # characters around carets, of lines that are twice as long
_CUT = "..."
_KEYS = (FaultKind.UNKNOWN_KEY, FaultKind.REFUSED_KEY)


@dataclass(frozen=True)
class SpecFault:
    """One fault of a spec file: its place (lines and columns from 1), its kind, and what is said of it.

    ``length``: how many characters of the line it is about, 0 where no entry of the file is; ``source`` is
    that line. ``table`` and ``key`` are None where there is none.
    """

    file: str
    line: int
    column: int
    length: int
    kind: str
    table: str | None
    key: str | None
    problem: str
    remedy: str | None
    source: str

    @property
    def sentence(self) -> str:
        """What is wrong and what to do."""
        return f"{self.problem}. {self.remedy}" if self.remedy else self.problem

    @property
    def data(self) -> dict[str, Any]:
        """The fault as plain data."""
        return {**asdict(self), "sentence": self.sentence}

    @property
    def text(self) -> str:
        """The fault in the manner of a compiler: its place, its line with carets, and what to do."""
        rows = [f"{self.file}:{self.line}:{self.column}: {self.problem} [{self.kind}]"]
        margin = " " * len(str(self.line))
        if self.length:
            source, carets = _pointed(self.source, self.column - 1, self.length)
            rows += [f"  {self.line} | {source}", f"  {margin} | {carets}"]
        more = ": ".join(part for part in (self.table, self.remedy) if part)
        indent = f"  {margin}   "
        rows += wrap(more, _WIDTH, initial_indent=f"  {margin} = ", subsequent_indent=indent)
        return "\n".join(rows)


def check_spec(path: str | Path, *, data: bool = True) -> list[SpecFault]:
    """All faults of a spec file (TOML) in the order of its lines; none where it can be used.

    Listed is what does not depend on each other: what follows from a fault that is listed is not. With
    ``data`` (default) the samples and all sizes that they decide are looked at too, once the spec itself has
    no fault. A file that cannot be read is a fault as well; nothing is raised for what stands in a file.
    Raises ArgumentError for what is no path.
    """
    if not isinstance(path, str | PathLike) or path == "":
        raise ArgumentError(f"check_spec takes the path of a spec file, not {found(path)}")
    file = str(path)
    try:
        content = spec_content(Path(path), file)
    except SpecError as error:
        return [_fault(error, "", None, file)]
    return content_faults(content, file, data=data)


def content_faults(content: bytes, file: str, *, data: bool = True) -> list[SpecFault]:
    """As :func:`check_spec`, for the bytes of a spec; ``file``: what it is called, and where paths begin."""
    place = Place(file)
    try:
        text = text_of(content, place)
    except SpecError as error:
        text, at = text_until_wrong(content)
        return [_fault(error, text, None if at is None else Span(at, at + 1), file)]
    try:
        document = document_of(text, place)
    except SpecError:
        return [_fault(error, text, span, file) for error, span in syntax_faults(text, place)]
    errors = _errors(document, file, data)
    if not errors:
        return []
    places, ways = Places(text), _ways(document)
    listed = [_fault(each, text, _span(each, text, places, ways), file) for each in errors]
    return sorted(listed, key=lambda fault: (fault.line, fault.column))


def _errors(document: dict[str, Any], file: str, data: bool) -> list[SpecError]:
    """The errors of a document: the reader's, or those of data and sizes."""
    try:
        network = parse_document(document, file)
    except SpecError as error:
        return [error, *error.others]
    if not data:
        return []
    try:
        _check_data(network)
    except SpecError as error:
        return [error]
    except MfError as error:
        return [SpecError(str(error), kind=FaultKind.DATA, path=("data",))]
    return []


def _check_data(network: Network) -> None:
    """What only data and sizes can tell, as :func:`mfderive.load` looks at it."""
    forward_system(resolve(network, None, None))


def _ways(document: dict[str, Any]) -> dict[str, Way]:
    """The ways to tables by what messages call them."""
    ways: dict[str, Way] = {str(name): (name,) for name in document}
    ways |= {f"losses[{number}]": ("losses", number) for number, _ in enumerate(document.get("losses", ()))}
    try:
        known = outline(list(document["layers"]), document["output"], None, Faults())
    except (SpecError, KeyError, TypeError, AttributeError):  # the faults have their ways already
        return ways
    for part in known.parts:
        places = (part.place, *(connection.place for connection in part.connections))
        ways |= {place.table: place.path for place in places}
    return ways


def _span(error: SpecError, text: str, places: Places, ways: dict[str, Way]) -> Span | None:
    """What an error is about in the text; None where that is nothing that stands there."""
    path = error.path
    if not path and error.table is not None:
        path = ways.get(error.table, ())
        path = path if error.key is None else (*path, error.key)
    spot, is_exact = places.spot(path)
    if spot is None:
        return None
    if not is_exact or error.kind in _KEYS:
        return spot.key or spot.value
    if error.word is not None:
        is_name = error.word.isidentifier()
        word = rf"(?<![\w.]){re.escape(error.word)}(?!\w)" if is_name else re.escape(error.word)
        found = re.compile(word).search(text, spot.value.start, spot.value.end)
        if found is not None:
            return Span(found.start(), found.end())
    return spot.value


def _pointed(source: str, start: int, length: int) -> tuple[str, str]:
    """A line as a terminal may show it, and carets under some of its characters.

    Tabs stay; signs that a terminal would obey are shown as a dot, wide ones have two carets, and of a line
    that is too long only what is near the carets is shown.
    """
    end = min(start + length, start + _MOST_SHOWN)
    first = max(start - _MOST_SHOWN // 2, 0) if len(source) > 2 * _MOST_SHOWN else 0
    last = max(end, first + _MOST_SHOWN) if len(source) > 2 * _MOST_SHOWN else len(source)
    ahead, behind = _CUT * (first > 0), _CUT * (last < len(source))
    shown = "".join(sign if sign == "\t" or sign.isprintable() else "·" for sign in source[first:last])
    before = "".join("\t" if sign == "\t" else " " * _columns(sign) for sign in ahead + source[first:start])
    marked = "^" * max(sum(map(_columns, source[start:end])), 1)
    return f"{ahead}{shown}{behind}", before + marked


def _columns(sign: str) -> int:
    """How many columns a character takes in a terminal."""
    if combining(sign) or (category(sign) in ("Mn", "Me") and sign.isprintable()):
        return 0
    return 2 if east_asian_width(sign) in "WF" else 1


def _fault(error: SpecError, text: str, span: Span | None, file: str) -> SpecFault:
    line, column = (1, 1) if span is None else line_and_column(text, span.start)
    source = text.split("\n")[line - 1]
    end = 0 if span is None else max(min(span.end - span.start, len(source) - column + 1), 1)
    return SpecFault(
        file=file,
        line=line,
        column=column,
        length=end,
        kind=str(error.kind),
        table=error.table,
        key=error.key,
        problem=error.problem,
        remedy=error.remedy,
        source=source,
    )
