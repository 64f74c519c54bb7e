"""Data that is read: .npz, .npy and .csv files, MNIST's idx format, scikit-learn's digits.

Nothing is loaded through pickle, sizes are checked against the file and against memory before anything is
allocated, and whatever is wrong with a file is a located DataError.
"""

from __future__ import annotations

import csv
import gzip
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..algebra.memory import check_memory
from .data_place import DataPlace

Array = Any

_SMALLER = "Take a part of the data"


@dataclass(frozen=True)
class Rows:
    """What was read: x [n, ...] and y [n] or [n, outputs] (None where the target is the input).

    ``scale`` is the natural range of x for the key ``range``; ``classes``: y holds class numbers 0, 1, ...;
    ``test`` has the arrays of separate test files.
    """

    x: Array
    y: Array | None
    scale: tuple[float, float] | None = None
    classes: bool = False
    test: tuple[Array, Array] | None = None


# --- .npz, .npy, .csv -------------------------------------------------------------------------------------


def read_arrays(options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Kind "arrays": a .npz or .csv ``file`` with x and y inside it, or x and y as .npy files."""
    copy = options.get("y") == "x"
    wanted = {key: options.get(key, key) for key in (("x",) if copy else ("x", "y"))}
    if "file" not in options:
        arrays = {key: _read_npy(name, key, place) for key, name in wanted.items()}
    else:
        path = place.path(options["file"], "file")
        if path.suffix == ".npz":
            arrays = _read_npz(path, wanted, place)
        elif path.suffix == ".csv":
            arrays = _read_csv(path, wanted, place)
        else:
            raise place.error(
                f"'{path.name}' has an unknown ending",
                "file",
                "Allowed: .npz, .csv; for .npy files give x and y",
            )
    return Rows(arrays["x"], arrays.get("y"))


def _damaged(path: Path, error: BaseException, key: str, place: DataPlace) -> Exception:
    return place.error(
        f"'{path}' cannot be read ({type(error).__name__}: {error})",
        key,
        "The file is truncated, damaged or of another format; write or download it again",
    )


def _read_npy(name: Any, key: str, place: DataPlace) -> Array:
    if not isinstance(name, str) or not name.endswith(".npy"):
        raise place.error(
            f"there is no data: no 'file', and '{key}' ({name!r}) is not the path of a .npy file",
            key,
            "Name files, or give arrays: mfderive.load(path, data=(x, y))",
        )
    path = place.path(name, key)
    check_memory(2 * path.stat().st_size, f"Reading '{path}'", _SMALLER)
    try:
        return place.numbers(np.load(path, allow_pickle=False), f"'{path}'", key)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise _damaged(path, error, key, place) from error


def _read_npz(path: Path, wanted: Mapping[str, Any], place: DataPlace) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, error, "file", place) from error
    for key, name in wanted.items():
        if not isinstance(name, str) or name not in sizes:
            raise place.error(
                f"'{path}' has no array {name!r}", key, f"It holds: {', '.join(sorted(sizes)) or 'nothing'}"
            )
    check_memory(2 * sum(sizes[name] for name in wanted.values()), f"Reading '{path}'", _SMALLER)
    arrays = {}
    for key, name in wanted.items():
        try:
            with np.load(path, allow_pickle=False) as loaded:
                values = loaded[name]
        except (OSError, ValueError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
            raise _damaged(path, error, key, place) from error
        arrays[key] = place.numbers(values, f"'{name}' of '{path}'", key)
    return arrays


def _read_csv(path: Path, wanted: Mapping[str, Any], place: DataPlace) -> dict[str, Array]:
    check_memory(8 * path.stat().st_size, f"Reading '{path}'", _SMALLER)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, error, "file", place) from error
    if not lines:
        raise place.error(f"'{path}' is empty", "file")
    headings = [] if all(_is_number(cell) for cell in lines[0][1]) else [cell.strip() for cell in lines[0][1]]
    body = lines[1:] if headings else lines
    if not body:
        raise place.error(f"'{path}' has headings but no rows", "file")
    count = len(lines[0][1])
    for number, row in body:
        if len(row) != count:
            raise place.error(f"line {number} of '{path}' has {len(row)} columns, not {count}", "file")
    arrays = {}
    for key, names in wanted.items():
        columns = [_column(name, headings, count, key, place) for name in _as_list(names)]
        arrays[key] = np.array(
            [[_cell(row, c, number, path, key, place) for c in columns] for number, row in body]
        )
    return arrays


def _as_list(names: Any) -> list[Any]:
    return list(names) if isinstance(names, tuple) else [names]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(name: Any, headings: list[str], count: int, key: str, place: DataPlace) -> int:
    if isinstance(name, int) and 0 <= name < count:
        return name
    if isinstance(name, str) and headings.count(name) == 1:
        return headings.index(name)
    many = "more than one" if headings.count(name) > 1 else "no"
    listed = f"Headings: {', '.join(headings)}" if headings else "It has no headings"
    raise place.error(f"there is {many} column {name!r}", key, f"{listed}; numbers run from 0 to {count - 1}")


def _cell(row: list[str], column: int, line: int, path: Path, key: str, place: DataPlace) -> float:
    if not _is_number(row[column]) or not math.isfinite(float(row[column])):
        raise place.error(
            f"line {line}, column {column} of '{path}' is '{row[column]}', not a finite number", key
        )
    return float(row[column])


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
        raise _damaged(path, error, key, place) from error


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
    check_memory(expected + 2 * 8 * math.prod(shape), f"Reading '{path}' (shape {shape})", _SMALLER)
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
