"""Text tables (.csv, .tsv, also compressed by gzip): what separates the cells, which lines are no data.

What was found is kept (:class:`TableFormat`) and said; every finding can be overruled by a key of the spec.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ..algebra.showing import Shown
from ..errors import quoted
from ..errors.unreadable import reason
from .columns import Column
from .data_place import DataPlace, few

Array = Any
Line = tuple[int, list[str]]  # number from 1, cells

# Comma last: in other files it may stand inside of cells. SPACES: any run of spaces and tabs.
SPACES = " "
DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", SPACES: "space"}
MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})  # in small letters
_SNIFFED = 500  # lines that decide about the delimiter and the headings
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Skipped:
    """A line that is no data: its number from 1, its text, and why it was left out.

    ``classes``: the names of classes that a line of sizes gives after the numbers of rows and columns.
    """

    line: int
    text: str
    why: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class TableFormat(Shown):
    """How a text table was read: its delimiter (a key of DELIMITERS), its line of headings, lines left out.

    ``sniffed``: the delimiter was found, not given. ``classes``: what the file calls the classes 0, 1, 2, ...
    of its last column (none where that is not y).
    """

    delimiter: str
    sniffed: bool
    headings: int | None
    skipped: tuple[Skipped, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class TextTable(Shown):
    """A text table: its headings (empty: none), its lines of cells, and how it was read."""

    path: Path
    headings: tuple[str, ...]
    lines: Sequence[Line]
    format: TableFormat

    @property
    def count(self) -> int:
        """The number of columns."""
        return len(self.lines[0][1])

    def heading(self, column: int) -> str | None:
        """The heading of a column that is counted from 0."""
        return self.headings[column] if self.headings else None


def read_table(path: Path, options: Mapping[str, Any], place: DataPlace) -> TextTable:
    """Read a text table; ``delimiter``, ``headings`` and ``skip_rows`` of ``options`` overrule what is found.

    Raises DataError for what is no table: not text, empty, lines of unequal length.
    """
    skip = options.get("skip_rows")
    try:
        with _open(path) as file:
            first = list(islice(file, (skip or 0) + _SNIFFED))[skip or 0 :]
        delimiter = options.get("delimiter") or sniffed_delimiter(first)
        with _open(path) as file:
            lines = list(_cells(file, delimiter))
        if any("\n" in cell or "\r" in cell for _, cells in lines for cell in cells):
            _check_quotes(path, delimiter, place)
    except UnicodeDecodeError as error:
        raise place.error(
            f"'{path}' cannot be read as text (byte {error.start} is not UTF-8)",
            "file",
            "Save it as UTF-8 text; tables of Excel and other programs must be exported as csv first",
        ) from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise place.error(
            f"'{path}' cannot be read: {reason(error)}", "file", "It is damaged or no table"
        ) from None
    lines, headings, skipped = _without_extras(lines, delimiter, skip)
    if not lines:
        raise place.error(
            *(
                (
                    f"'{path}' has no line after {skip}",
                    "skip_rows",
                    "Skip fewer: these are all its lines",
                )
                if skip
                else (f"'{path}' is empty", "file", "Write the table into it, or name another file")
            )
        )
    number, line = lines[0]
    if options.get("headings") is False:
        headings = None
    elif headings is None and (options.get("headings") or _has_headings(lines)):
        headings, lines = (number, line), lines[1:]
    if not lines:
        raise place.error(
            f"'{path}' has headings but no rows", "file", "Write the rows into it, or name another file"
        )
    _check_lengths(path, headings, lines, delimiter, place)
    form = TableFormat(
        delimiter,
        "delimiter" not in options,
        headings[0] if headings else None,
        skipped,
        next((line.classes for line in skipped if line.classes), ()),
    )
    names = tuple(cell.strip() for cell in headings[1]) if headings else ()
    return TextTable(path, names, lines, form)


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8-sig")
    return path.open(newline="", encoding="utf-8-sig")


def _check_quotes(path: Path, delimiter: str, place: DataPlace) -> None:
    """Cells over several lines are legal where their quotes are; a quote that is missing swallows rows."""
    with _open(path) as file:
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True)
        begin = 1
        try:
            for _ in reader:
                begin = reader.line_num + 1
        except csv.Error:
            raise place.error(
                f"the quotes of lines {begin} to {reader.line_num} of '{path}' do not fit: a cell that opens "
                "with a quote runs over these lines",
                "file",
                'Close it with a quote at its end, or take it away; within quotes a quote is doubled: ""',
            ) from None


def _cells(file: Any, delimiter: str) -> Iterator[Line]:
    """The lines that are not blank, as cells."""
    if delimiter == SPACES:
        split: Iterator[Line] = ((number, line.split()) for number, line in enumerate(file, 1))
    else:
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=delimiter != "\t")
        split = ((reader.line_num, cells) for cells in reader)
    return ((number, cells) for number, cells in split if cells and cells != [""])


def sniffed_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that splits the greatest part of some lines into the same number of cells, two or more.

    A comma where none does: the table has one column.
    """
    best, found = 0.0, ","
    for delimiter in DELIMITERS:
        widths = Counter(len(cells) for _, cells in _cells(lines, delimiter))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        # What splits everything equally is better than spaces, which may stand between words.
        share = count / widths.total() if width > 1 else 0.0
        if share > best and not (delimiter == SPACES and best > 0.5):
            best, found = share, delimiter
    return found


def _without_extras(
    lines: list[Line], delimiter: str, skip: int | None
) -> tuple[list[Line], Line | None, tuple[Skipped, ...]]:
    """The lines without those that are no data, headings that stand in a comment, and what was left out."""
    lines, remarks = _without_remarks(lines)
    text = {number: ("," if delimiter == SPACES else delimiter).join(cells) for number, cells in lines[:50]}
    if skip is not None:
        out = [number for number, _ in lines if number <= skip]
        left = tuple(Skipped(number, few(text.get(number, "")), "skip_rows") for number in out[:50])
        return [line for line in lines if line[0] > skip], None, (*left, *remarks)
    skipped, headings = [], None
    comments = 0
    while comments < len(lines) and lines[comments][1][0].startswith("#"):
        comments += 1
    for number, _ in lines[:comments]:
        skipped.append(Skipped(number, few(text.get(number, "")), "comment"))
    if 0 < comments < len(lines):
        number, cells = lines[comments - 1]
        bare = [cells[0].lstrip("# "), *cells[1:]]
        bare = bare[1:] if not bare[0] and len(bare) > 1 else bare  # "# a b": the mark is a cell of its own
        if len(bare) == len(lines[comments][1]) > 1 and not any(map(is_number, bare)):
            headings = (number, bare)
            skipped.pop()
    lines = lines[comments:]
    if lines and _gives_sizes(lines):
        number, cells = lines[0]
        names = tuple(cell.strip() for cell in cells[2:])
        named = names if names and not any(is_number(name) or is_missing(name) for name in names) else ()
        skipped.append(Skipped(number, few(text.get(number, "")), "sizes", named))
        lines = lines[1:]
    return lines, headings, (*skipped, *remarks)


def _without_remarks(lines: list[Line]) -> tuple[list[Line], tuple[Skipped, ...]]:
    """Comments below the first line of the table: they begin with # and have not the cells of the others."""
    first = next((row for row, (_, cells) in enumerate(lines) if not cells[0].startswith("#")), len(lines))
    if not any(cells[0].startswith("#") for _, cells in lines[first:]):
        return lines, ()
    usual = Counter(len(cells) for _, cells in lines[first:]).most_common(1)[0][0]
    kept, out = lines[:first], []
    for number, cells in lines[first:]:
        if cells[0].startswith("#") and len(cells) != usual:
            out.append(Skipped(number, few(" ".join(cells)), "comment"))
        else:
            kept.append((number, cells))
    return kept, tuple(out)


def _gives_sizes(lines: Sequence[Line]) -> bool:
    """Whether the first line gives the numbers of rows and of columns (and perhaps names of the classes)."""
    first, rest = lines[0][1], len(lines) - 1
    if len(first) < 2 or not rest or not (first[0].strip().isdecimal() and first[1].strip().isdecimal()):
        return False
    width = Counter(len(cells) for _, cells in lines[1:]).most_common(1)[0][0]
    fits = int(first[0]) in (rest, rest - 1) and int(first[1]) in (width, width - 1)
    return fits and (len(first) != width or any(not is_number(cell) for cell in first[2:]))


def is_number(text: str) -> bool:
    """Whether a cell is a number as Python writes it (also inf and nan)."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_missing(text: str) -> bool:
    """Whether a cell says that nothing is known."""
    return text.strip().lower() in MISSING


def _has_headings(lines: Sequence[Line]) -> bool:
    """Whether the first line names the columns.

    It does if it has a word over a column of numbers; where no column has numbers, if it has no number.
    """
    first, rest = lines[0][1], [cells for _, cells in lines[1 : 1 + _SNIFFED]]
    if not rest:
        return not all(is_number(cell) for cell in first)
    numbers = [_mostly_numbers([cells[c] for cells in rest if c < len(cells)]) for c in range(len(first))]
    if any(numbers):
        return any(
            is_column and not is_number(cell) and not is_missing(cell)
            for cell, is_column in zip(first, numbers, strict=True)
        )
    return not any(is_number(cell) for cell in first)


def _mostly_numbers(cells: Sequence[str]) -> bool:
    """Whether more than half of the cells that are not missing are numbers."""
    known = [cell for cell in cells if not is_missing(cell)]
    return 2 * sum(map(is_number, known)) > len(known)


def _check_lengths(
    path: Path, headings: Line | None, lines: Sequence[Line], delimiter: str, place: DataPlace
) -> None:
    every = [*([headings] if headings else []), *lines]
    count = len(every[0][1])
    odd = next(((number, cells) for number, cells in every if len(cells) != count), None)
    if odd is None:
        return
    number, cells = odd
    usual, times = Counter(len(cells) for _, cells in every).most_common(1)[0]
    remedy = f"The cells are separated by {DELIMITERS[delimiter]}s; every line needs as many as the first"
    if usual != count and all(len(cells) == usual for _, cells in every[len(every) - times :]):
        last = every[len(every) - times - 1][0]
        number, count, cells = every[0][0], usual, every[0][1]
        if last == number:
            remedy = f"If line {last} is no data, leave it out: skip_rows = {last}"
            remedy += f"; if it has headings, there must be {usual}"
        else:
            remedy = f"If the lines up to line {last} are no data, leave them out: skip_rows = {last}"
    columns = f"{len(cells)} column{'s' * (len(cells) != 1)}"
    raise place.error(f"line {number} of '{path}' has {columns}, not {count}", "file", remedy)


def column_of(table: TextTable, number: int, key: str, place: DataPlace) -> Column:
    """One column (counted from 0) as numbers or words.

    Raises DataError for a cell that is neither finite nor missing, or not of the kind of the others.
    """
    cells = [cells[number].strip() for _, cells in table.lines]
    name = table.heading(number)
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        values = _mixed(cells)
    column = Column(number, name, values, table.headings.count(name or "") > 1)
    if not column.is_words and np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        raise place.error(f"{_cell(table, column, row)}, not a finite number", key, "Correct the cell")
    if not column.is_words:
        return column
    return _words(table, column, key, place)


def _mixed(cells: Sequence[str]) -> Array:
    """Numbers with gaps as float64, anything else as text with None for gaps."""
    if all(is_number(cell) or is_missing(cell) for cell in cells):
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in cells])
    values = np.empty(len(cells), dtype=object)
    values[:] = [None if is_missing(cell) else cell for cell in cells]
    return values


def _cell(table: TextTable, column: Column, row: int) -> str:
    line, cells = table.lines[row]
    return f"line {line}, {column} of '{table.path}' is {quoted(cells[column.number].strip())}"


def _words(table: TextTable, column: Column, key: str, place: DataPlace) -> Column:
    """A column of words, unless its words look like slips in a column of numbers."""
    known = [(row, cell) for row, cell in enumerate(column.values) if cell is not None]
    wrong = [row for row, cell in known if not is_number(cell)]
    commas = [row for row in wrong if _DECIMAL_COMMA.fullmatch(column.values[row])]
    if 2 * (len(known) - len(wrong) + len(commas)) < len(known):
        return column
    if commas:
        example = column.values[commas[0]]
        raise place.error(
            f"{_cell(table, column, commas[0])}: a number with a comma",
            key,
            f"Write a point before decimals ({example.replace(',', '.')}) and nothing between thousands: "
            "export the table again with English numbers",
        )
    numbers = len(known) - len(wrong)
    part = "most" if 2 * numbers > len(known) else "half"
    others = f"not a number like {part} of this column ({numbers} of {len(known)})"
    raise place.error(
        f"{_cell(table, column, wrong[0])}, {others}",
        key,
        "Correct the cell; missing values are written as an empty cell, NA, nan or ?",
    )
