"""CIFAR-10 in the files of its authors: pickled batches (the "python version") or plain bytes (".bin").

The layout is that of https://www.cs.toronto.edu/~kriz/cifar.html: 3,072 bytes an image, 1,024 for each of
red, green and blue, row by row. Ten classes; any number of images in each file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors.unreadable import UnreadableError
from ..network.data_keys import CIFAR_BATCHES
from .data_place import DataPlace
from .pickled_arrays import read_pickle, text_of
from .rows import Rows

Array = Any

_PIXELS, _CLASSES = 3 * 32 * 32, 10
_BINARY = ".bin"
# The folders that the archives of the authors unpack to.
_UNPACKED = ("cifar-10-batches-py", "cifar-10-batches-bin")
_WHERE = (
    "The files are data_batch_1 to data_batch_5 and test_batch, with the ending .bin in the binary version; "
    "they come from https://www.cs.toronto.edu/~kriz/cifar.html, in an archive that must be unpacked"
)
_KEY = "path"


def read_cifar10(options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Kind "cifar10": images x [n, 3072] of 0 to 255 with labels 0 to 9; test_batch is the test split.

    With the key ``test`` rows of the training files are held out instead, and test_batch is not read.
    """
    folder = place.folder(options[_KEY], _KEY)
    ending = _ending(folder, place)
    chosen = sorted(options.get("batches", range(1, CIFAR_BATCHES + 1)))
    names = [f"data_batch_{number}{ending}" for number in chosen]
    tests = [] if "test" in options else [f"test_batch{ending}"]
    missing = [name for name in (*names, *tests) if not (folder / name).is_file()]
    if missing:
        other = (
            f"Without a test batch write test = 0.1 to hold out rows of the others. {_WHERE}"
            if missing == tests
            else f"To read some of the training files write batches = [1]. {_WHERE}"
        )
        raise place.error(f"'{folder}' has no file '{missing[0]}'", _KEY, other)
    # Bytes as they are read, the same as numbers, and those of the sample.
    size = sum((folder / name).stat().st_size for name in (*names, *tests))
    place.check_memory(
        17 * size, f"reading CIFAR-10 from '{folder}'", _KEY, "Take fewer files: batches = [1]"
    )
    x, y = _joined([_read(folder / name, place) for name in names])
    test = _joined([_read(folder / name, place) for name in tests]) if tests else None
    return Rows(x, y, (0.0, 255.0), True, test, class_names=_class_names(folder, ending))


def _ending(folder: Path, place: DataPlace) -> str:
    """The ending of the files in a folder: none, or that of the binary version."""
    names = {path.name for path in folder.iterdir()}
    for ending in ("", _BINARY):
        if any(f"{name}{ending}" in names for name in ("data_batch_1", "test_batch")) or any(
            f"data_batch_{number}{ending}" in names for number in range(1, CIFAR_BATCHES + 1)
        ):
            return ending
    inside = next((name for name in _UNPACKED if name in names), None)
    if inside:
        raise place.error(
            f"'{folder}' has the files in a folder of its own", _KEY, f"Name '{folder / inside}'"
        )
    if "train" in names and "test" in names:
        raise place.error(
            f"'{folder}' holds other files, perhaps those of CIFAR-100",
            _KEY,
            f'Write its arrays to a .npz file and read that, kind = "arrays". {_WHERE}',
        )
    raise place.error(f"'{folder}' holds no batches of CIFAR-10", _KEY, _WHERE)


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Images and labels of several files as float64."""
    x = np.concatenate([images for images, _ in parts]).astype(np.float64)
    return x, np.concatenate([labels for _, labels in parts]).astype(np.float64)


def _read(path: Path, place: DataPlace) -> tuple[Array, Array]:
    """Images uint8 [n, 3072] and labels [n] of one file."""
    try:
        content = path.read_bytes()
        images, labels = _from_bytes(content) if path.suffix == _BINARY else _from_pickle(content)
        _check(images, labels)
    except (OSError, MemoryError, UnreadableError) as error:
        raise place.damaged(path, error, _KEY) from error
    return images, labels


def _from_bytes(content: bytes) -> tuple[Array, Array]:
    row = 1 + _PIXELS
    if len(content) % row:
        raise UnreadableError(f"it has {len(content)} bytes, and each image with its label takes {row}")
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, row)
    return rows[:, 1:], rows[:, 0]


def _from_pickle(content: bytes) -> tuple[Array, Array]:
    found = read_pickle(content)
    if "data" in found and "fine_labels" in found:
        raise UnreadableError("it is a file of CIFAR-100, which has fine and coarse labels")
    for key in ("data", "labels"):
        if key not in found:
            raise UnreadableError(f"it lacks '{key}'")
    labels = found["labels"]
    if not isinstance(labels, np.ndarray):
        numbers = isinstance(labels, list | tuple) and all(
            isinstance(label, int) and 0 <= label < _CLASSES for label in labels
        )
        if not numbers:
            raise UnreadableError(f"its labels are no list of whole numbers from 0 to {_CLASSES - 1}")
        labels = np.array(labels, dtype=np.uint8)
    return found["data"], labels


def _check(images: Any, labels: Array) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (_PIXELS,):
        found = f"{images.dtype} of shape {images.shape}" if isinstance(images, np.ndarray) else "no array"
        raise UnreadableError(f"its images are {found}, not bytes of shape (images, {_PIXELS})")
    if not len(images):
        raise UnreadableError("it holds no images")
    if labels.shape != (len(images),):
        raise UnreadableError(f"it holds {len(images)} images, but labels of shape {labels.shape}")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= _CLASSES:
        raise UnreadableError(f"its labels are not whole numbers from 0 to {_CLASSES - 1}")


def _class_names(folder: Path, ending: str) -> tuple[str, ...]:
    """What batches.meta calls the classes; none where it is missing or says something else."""
    path = folder / ("batches.meta.txt" if ending else "batches.meta")
    if not path.is_file():
        return ()
    try:
        content = path.read_bytes()
        if ending:
            names = [line.strip() for line in content.decode("utf-8").splitlines() if line.strip()]
        else:
            names = [text_of(name) for name in read_pickle(content).get("label_names", ())]
    except (OSError, UnreadableError, UnicodeDecodeError, TypeError):
        return ()
    return tuple(names) if len(names) == _CLASSES else ()
