"""Data that is read: .npz, .npy and text tables, MNIST's idx format, scikit-learn's digits.

Nothing is loaded through pickle, sizes are checked against the file and against memory before anything is
allocated, and whatever is wrong with a file is a located DataError.
"""

from __future__ import annotations

import difflib
import gzip
import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import quoted, shown
from ..errors.unreadable import UnreadableError
from .columns import Chosen
from .data_facts import DataFacts
from .data_place import SMALLER, DataPlace, RowNames, few
from .delimited import DELIMITERS, TextTable, column_of, read_table
from .given import given_rows, target_values
from .rows import Rows, rows_of_columns

Array = Any

_LISTED, _LONGEST = 12, 60


# --- .npz, .npy, text tables ------------------------------------------------------------------------------


TABLE_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_TABLE_KEYS = ("skip_rows", "delimiter", "headings")
_ARRAY_KEYS = ("test_x", "test_y")


def read_arrays(options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Kind "arrays": a ``file`` (.npz, or a text table) with x and y inside it, or x and y as .npy files."""
    copy = options.get("y") == "x"
    wanted = {key: options.get(key, key) for key in (("x",) if copy else ("x", "y"))}
    wanted |= {key: options[key] for key in ("test_x", "test_y") if key in options}
    missing = options.get("missing")
    if "file" not in options:
        _refuse(_TABLE_KEYS, options, "text tables", "a .npy file", place)
        arrays = {key: _read_npy(name, key, place, missing) for key, name in wanted.items()}
        return _array_rows(arrays, options, place)
    path = place.path(options["file"], "file")
    if path.name.endswith(TABLE_ENDINGS):
        _refuse(_ARRAY_KEYS, options, "arrays", "a text table", place)
        return read_columns(path, options, place)
    if path.suffix != ".npz":
        raise place.error(
            f"'{path.name}' has an unknown ending",
            "file",
            f"Allowed: .npz, {', '.join(TABLE_ENDINGS)}; for .npy files give x and y. Tables of other "
            "programs (.xlsx, .parquet, .json) must be exported as csv first",
        )
    _refuse(_TABLE_KEYS, options, "text tables", "a .npz file", place)
    return _array_rows(_read_npz(path, wanted, place, missing), options, place)


def _refuse(
    keys: Iterable[str], options: Mapping[str, Any], others: str, what: str, place: DataPlace
) -> None:
    """Refuse the keys of one sort of file where there is another."""
    for key in keys:
        if key in options:
            raise place.error(f"'{key}' is for {others}, and this is {what}", key, "Remove the key")


def _array_rows(arrays: Mapping[str, Array], options: Mapping[str, Any], place: DataPlace) -> Rows:
    x, y = arrays["x"], arrays.get("y")
    for key, array in arrays.items():
        if array.ndim == 0:
            raise place.error(
                f"the array for '{key}' is a single number (its shape is ())",
                key,
                "Expected [sample, inputs] for x, and [sample] or [sample, outputs] for y",
            )
    rows = given_rows((x, y), options, place)
    return replace(rows, test=_test_arrays(arrays, rows, options, place)) if "test_x" in arrays else rows


def _sort(array: Array) -> str:
    """What each row of x or y is, in words."""
    what = {"f": "numbers", "b": "truth values"}.get(array.dtype.kind, "words")
    return what if array.ndim == 1 else f"{what} [{', '.join(map(str, array.shape[1:]))}] in each row"


def _test_arrays(
    arrays: Mapping[str, Array], rows: Rows, options: Mapping[str, Any], place: DataPlace
) -> tuple[Array, Array | None]:
    """The test samples that a file has beside the others, without rows that are to be left out."""
    for key in ("test", "one_hot"):
        if key in options:
            raise place.error(f"'{key}' beside 'test_x'", key, "Leave out one of them")
    tests = given_rows((arrays["test_x"], arrays.get("test_y")), options, place)
    for key, one, other in (("test_x", rows.x, tests.x), ("test_y", rows.y, tests.y)):
        if one is not None and other is not None and _sort(one) != _sort(other):
            raise place.error(
                f"'{key}' holds {_sort(other)}, but '{key[-1]}' {_sort(one)}",
                key,
                "Test samples must be like the others",
            )
    if not len(tests.x) or (tests.y is not None and len(tests.y) != len(tests.x)):
        found = 0 if tests.y is None else len(tests.y)
        raise place.error(
            f"there are {len(tests.x)} rows of test inputs, but {found} of test targets",
            "test_x",
            "Both must have one row per sample, at least one",
        )
    return tests.x, tests.y


def _read_npy(name: Any, key: str, place: DataPlace, missing: str | None) -> Array:
    if not isinstance(name, str) or not name.endswith(".npy"):
        raise place.error(
            f"there is no data: no 'file', and '{key}' ({shown(name)}) is not the path of a .npy file",
            key,
            "Name files, or give arrays: mfderive.load(path, data=(x, y))",
        )
    path = place.path(name, key)
    try:
        with path.open("rb") as file:
            _check_header(file, path.stat().st_size, f"'{path}'", key, place)
        return _checked(np.load(path, allow_pickle=False), f"'{path}'", key, place, missing)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise place.damaged(path, error, key) from error


def _read_npz(
    path: Path, wanted: Mapping[str, Any], place: DataPlace, missing: str | None
) -> dict[str, Array]:
    """The arrays that are wanted; what their headers claim is held against memory before any is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise place.damaged(path, error, "file") from error
    for key, name in wanted.items():
        if not isinstance(name, str) or name not in entries:
            raise place.error(
                f"'{path}' has no array {shown(name)}",
                key,
                _name_one(sorted(entries), key),
            )
    needed = 2 * sum(entries[name].file_size for name in wanted.values())
    place.check_memory(needed, f"reading '{path}'", "file", SMALLER)
    arrays = {}
    for key, name in wanted.items():
        what = f"{quoted(name)} of '{path}'"
        try:
            with zipfile.ZipFile(path) as archive, archive.open(entries[name]) as file:
                _check_header(file, entries[name].file_size, what, key, place)
            with np.load(path, allow_pickle=False) as loaded:
                values = loaded[name]
        except (OSError, ValueError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
            raise place.damaged(path, error, key) from error
        arrays[key] = _checked(values, what, key, place, missing)
    return arrays


def _name_one(names: list[str], key: str) -> str:
    """Which arrays a file holds, and how one of them is named."""
    if not names:
        return "It holds nothing"
    same = [name for name in names if name.lower() == key]
    others = same or [name for name in names if name.lower() != "x"]
    example = (others or names)[0 if key == "x" else -1]
    meaning = " (the target is then the input)" if key == "y" and example == "x" else ""
    return f'It holds: {", ".join(map(few, names))}. Name one: {key} = "{few(example)}"{meaning}'


def _check_header(file: Any, size: int, what: str, key: str, place: DataPlace) -> None:
    """Refuse an array by what its header says: Python objects, more memory than is free, too few bytes.

    ``size`` is the number of bytes from the header on. Raises ValueError for what is no array.
    """
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in reader:
        return  # names of fields that are not ASCII: no array of numbers, which is said when it is read
    shape, _, kind = reader[version](file)
    if kind.hasobject:
        raise place.error(
            f"{what} holds Python objects, which cannot be read safely (unpickling them could run any code)",
            key,
            "Save numbers: np.savez(file, x=np.asarray(x, dtype=float)); words as np.asarray(y, dtype=str)",
        )
    bytes_declared = math.prod(shape) * kind.itemsize
    # The array itself, and its copy in float64.
    needed = bytes_declared + 8 * math.prod(shape)
    place.check_memory(needed, f"reading {what} (shape {shape})", key, SMALLER)
    held = size - file.tell()
    if held < bytes_declared:
        raise UnreadableError(f"its shape {shape} needs {bytes_declared} bytes, but it holds {held}")


def _checked(values: Array, what: str, key: str, place: DataPlace, missing: str | None) -> Array:
    """Numbers that are finite, or, for y, labels."""
    if key in ("y", "test_y"):
        return target_values(values, what, key, place, missing)
    return place.numbers(values, what, key, missing)


def read_columns(path: Path, options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Columns of a text table; x left out: all columns but those of y."""
    place.check_memory(8 * path.stat().st_size, f"reading '{path}'", "file", SMALLER)
    table = read_table(path, options, place)
    y = None if options.get("y") == "x" else _numbers_of(options.get("y", "y"), table, "y", place)
    unnamed: tuple[str, ...] = ()
    if "x" in options or "x" in table.headings:
        x = _numbers_of(options.get("x", "x"), table, "x", place)
    else:
        x = [number for number in range(table.count) if number not in (y or ())]
        idle = [number for number in x if _says_nothing(table, number)]
        unnamed = tuple(f"column {number + 1}" for number in idle)
        x = [number for number in x if number not in idle]
        if not x:
            raise place.error(
                f"'{path}' has no column beside those of y",
                "x",
                f"The cells are separated by {DELIMITERS[table.format.delimiter]}s; if that is wrong, set "
                "'delimiter'",
            )
    columns = {number: column_of(table, number, "x", place) for number in x}
    targets = {number: columns.get(number) or column_of(table, number, "y", place) for number in y or ()}
    lines = np.array([number for number, _ in table.lines])
    chosen = Chosen(
        tuple(columns[number] for number in x),
        None if y is None else tuple(targets[number] for number in y),
        RowNames(lines),
        f"'{path}'",
    )
    # Files that begin with their sizes name the classes there, and have them in their last column.
    names = table.format.classes if y == [table.count - 1] else ()
    rows = rows_of_columns(chosen, options, place, DataFacts(table=table.format, unnamed=unnamed))
    return replace(rows, class_names=names)


def _says_nothing(table: TextTable, number: int) -> bool:
    """Whether a column without a heading, in a table with headings, is empty or only numbers the rows."""
    if table.heading(number) != "":
        return False
    cells = [cells[number].strip() for _, cells in table.lines]
    return not any(cells) or any(cells == [str(row + start) for row in range(len(cells))] for start in (0, 1))


def _numbers_of(names: Any, table: TextTable, key: str, place: DataPlace) -> list[int]:
    """The columns that a key names, counted from 0."""
    every = list(names) if isinstance(names, (tuple, list)) else [names]
    return [_number_of(name, table, key, place) for name in every]


def _number_of(name: Any, table: TextTable, key: str, place: DataPlace) -> int:
    headings, count = table.headings, table.count
    if isinstance(name, int) and 0 <= name < count:
        return name
    if isinstance(name, str) and headings.count(name) == 1:
        return headings.index(name)
    same = [number for number, heading in enumerate(headings) if heading == name]
    if same:
        columns = ", ".join(str(number + 1) for number in same[:_LISTED])
        numbers = " or ".join(f"{key} = {number}" for number in same[:2])
        raise place.error(
            f"{len(same)} columns have the heading {shown(name)} (columns {columns} of '{table.path}')",
            key,
            f"Name one by its number, counted from 0 ({numbers}), or give each its own heading in the file",
        )
    if headings:
        listed = f"Headings: {', '.join(map(few, headings[:_LISTED]))}{', …' * (count > _LISTED)}"
        near = difflib.get_close_matches(str(name)[:_LONGEST], headings, n=1)
        listed = f"Did you mean '{near[0]}'? {listed}" if near else listed
    else:
        listed = "The table has no headings"
    if count == 1:
        listed += f"; if cells are not separated by {DELIMITERS[table.format.delimiter]}s, set 'delimiter'"
    one = 0 if key == "x" else count - 1
    example = f"{key} = {one}" if not headings else f'{key} = "{few(headings[one])}"'
    raise place.error(
        f"there is no column {shown(name)}",
        key,
        f"{listed}; numbers run from 0 to {count - 1}. Name a column, for example {example}",
    )


# --- idx --------------------------------------------------------------------------------------------------

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 8


def read_idx(path: Path, key: str, place: DataPlace) -> Array:
    """An array in MNIST's idx format: two zero bytes, a type code, the number of axes, sizes, values."""
    try:
        opener: Any = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            return _parse_idx(file, path, key, place)
    except (OSError, EOFError, zlib.error) as error:
        raise place.damaged(path, error, key) from error


def _parse_idx(file: IO[bytes], path: Path, key: str, place: DataPlace) -> Array:
    head = file.read(4)
    axes = head[3] if len(head) == 4 else 0
    if head[:2] != b"\0\0" or len(head) < 4 or head[2] not in _IDX_TYPES or not 1 <= axes <= _MOST_AXES:
        raise place.error(
            f"'{path}' is not an idx file (it starts with {head!r})",
            key,
            "MNIST's files are: name-idx3-ubyte[.gz]",
        )
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise place.error(f"'{path}' ends within its header", key, "Download it again")
    shape = tuple(int(n) for n in np.frombuffer(sizes, dtype=">u4"))
    kind = np.dtype(_IDX_TYPES[head[2]])
    expected = math.prod(shape) * kind.itemsize
    needed = expected + 2 * 8 * math.prod(shape)
    place.check_memory(needed, f"reading '{path}' (shape {shape})", key, SMALLER)
    # One byte more than expected: it must not be there, and reading past the end checks gzip's checksum.
    values = file.read(expected + 1)
    if len(values) != expected:
        found = f"only {len(values)}" if len(values) < expected else "more"
        raise place.error(
            f"'{path}' should hold {expected} bytes for its shape {shape}, but holds {found}",
            key,
            "The file is truncated or damaged; download it again",
        )
    return np.frombuffer(values, dtype=kind).reshape(shape).astype(kind.newbyteorder("="))


def _read_images(
    options: Mapping[str, Any], images: str, labels: str, place: DataPlace
) -> tuple[Array, Array]:
    x = read_idx(place.path(options[images], images), images, place)
    y = read_idx(place.path(options[labels], labels), labels, place)
    if y.ndim != 1:
        raise place.error(f"the labels have shape {y.shape}", labels, "Expected one label for each image")
    if len(x) != len(y):
        raise place.error(f"there are {len(x)} images but {len(y)} labels", labels, "Take files of one set")
    return x, y


def read_idx_set(options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Kind "idx": flattened images with class labels, with test files or without."""
    images, y = _read_images(options, "images", "labels", place)
    integer = images.dtype.kind in "iu"
    scale = (0.0, float(np.iinfo(images.dtype).max)) if integer else None
    test = None
    if ("test_images" in options) != ("test_labels" in options):
        missing = "test_labels" if "test_images" in options else "test_images"
        raise place.error(f"'{missing}' is missing", missing, "Give both test files or none")
    if "test_images" in options:
        if "test" in options:
            raise place.error(
                "'test' beside test files", "test", "Leave out 'test', or leave out the test files"
            )
        test_images, test_y = _read_images(options, "test_images", "test_labels", place)
        if test_images.shape[1:] != images.shape[1:]:
            raise place.error(
                f"test images have shape {test_images.shape[1:]}, images {images.shape[1:]}", "test_images"
            )
        test_x = place.numbers(test_images.reshape(len(test_images), -1), "test_images", "test_images")
        test = (test_x, place.numbers(test_y, "test_labels", "test_labels"))
    x = place.numbers(images.reshape(len(images), -1), "images", "images")
    return Rows(x, place.numbers(y, "labels", "labels"), scale, True, test)


# --- digits -----------------------------------------------------------------------------------------------


def read_digits() -> Rows:
    """Kind "digits": scikit-learn's 1797 images of 8 x 8 pixels (0 to 16), flattened, ten classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Rows(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), (0.0, 16.0), True)
