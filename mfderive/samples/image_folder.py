"""A folder of images: one folder for each class, whose name is the label of what is in it."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MfError
from ..errors.unreadable import UnreadableError
from .data_facts import DataFacts
from .data_place import DataPlace
from .rows import Rows

Array = Any

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
# Modes of Pillow: grey images, and those that become red, green and blue; 8 bits a channel at most.
_GREY = ("1", "L", "LA")
_MODES = {"grey": "L", "rgb": "RGB"}
_COLORED = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_CHANNELS = {"grey": 1, "rgb": 3}
# Not to be counted among what was left out: systems write them by themselves.
_UNSEEN = ("thumbs.db", "desktop.ini")
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, MemoryError, struct.error, UnreadableError)

Found = tuple[list[tuple[Path, str]], list[str]]


def read_image_folder(options: Mapping[str, Any], place: DataPlace) -> Rows:
    """Kind "image-folder": images x [n, channels · height · width] of 0 to 255; labels are names of folders.

    Names that are all whole numbers are numbers. ``test_path`` has the test images; without it, rows are held
    out by ``test``. Raises DataError for images of different sizes where no ``size`` is asked for, and for
    files that cannot be read.
    """
    if "test_path" in options and "test" in options:
        raise place.error(
            "'test' beside 'test_path'", "test", "Leave out 'test', or leave out the folder of test images"
        )
    found = {key: _listed(options[key], key, place) for key in ("path", "test_path") if key in options}
    size, color = _form(found, options, place)
    count = sum(len(images) for images, _ in found.values())
    place.check_memory(
        17 * count * _CHANNELS[color] * size[0] * size[1],
        f"reading {count} images of {size[0]} x {size[1]} pixels",
        "size",
        "Ask for smaller ones: size = [height, width]",
    )
    x = {key: _pixels(images, size, color, key, place) for key, (images, _) in found.items()}
    labels = [label for images, _ in found.values() for _, label in images]
    y = _targets(labels)
    training = len(x["path"])
    test = (x["test_path"], y[training:]) if "test_path" in x else None
    if test is not None:
        _check_classes(found, place)
    ignored = tuple(name for _, others in found.values() for name in others)
    return Rows(x["path"], y[:training], (0.0, 255.0), True, test, facts=DataFacts(ignored=ignored))


def _listed(text: str, key: str, place: DataPlace) -> Found:
    """Every image of a folder with its label, in the order of their names; and what is no image."""
    folder = place.folder(text, key)
    images: list[tuple[Path, str]] = []
    others: list[str] = []
    try:
        classes = sorted(
            entry.name for entry in os.scandir(folder) if entry.is_dir() and not _hidden(entry.name)
        )
        loose = [entry.name for entry in os.scandir(folder) if entry.is_file() and _is_image(entry.name)]
        for label in classes:
            names = sorted(entry.name for entry in os.scandir(folder / label) if not _hidden(entry.name))
            own = [(folder / label / name, label) for name in names if _is_image(name)]
            others += [f"{label}/{name}" for name in names if not _is_image(name)]
            if not own:
                raise place.error(
                    f"'{folder / label}' holds no images",
                    key,
                    f"Every folder in '{folder}' is a class; images end in {', '.join(ENDINGS)}",
                )
            images += own
    except OSError as error:
        raise place.damaged(folder, error, key) from error
    if not images or loose:
        what = f"the image '{loose[0]}' beside its classes" if loose and images else "no folders of classes"
        raise place.error(
            f"'{folder}' holds {what}", key, "Each class has a folder of its own there, with its images in it"
        )
    return images, others


def _hidden(name: str) -> bool:
    return name[:1] == "." or name.lower() in _UNSEEN


def _is_image(name: str) -> bool:
    return not _hidden(name) and name.lower().endswith(ENDINGS)


def _form(
    found: Mapping[str, Found], options: Mapping[str, Any], place: DataPlace
) -> tuple[tuple[int, int], str]:
    """(height, width) and "grey" or "rgb", from what is asked for and what the images are."""
    wanted, color = options.get("size"), options.get("color")
    if wanted is not None and color is not None:
        return (wanted[0], wanted[1]), color
    first, size, grey = None, None, True
    for key, (images, _) in found.items():
        for path, _ in images:
            own, mode = _header(path, key, place)
            first, size = (path, own) if size is None else (first, size)
            grey &= mode in _GREY
            if wanted is None and own != size:
                raise place.error(
                    f"'{path}' has {own[0]} x {own[1]} pixels (height x width), but '{first}' "
                    f"{size[0]} x {size[1]}",
                    key,
                    f"To resize them all write size = [{size[0]}, {size[1]}]",
                )
    assert size is not None
    return (wanted[0], wanted[1]) if wanted else size, color or ("grey" if grey else "rgb")


def _header(path: Path, key: str, place: DataPlace) -> tuple[tuple[int, int], str]:
    """(height, width) and mode of an image, without its pixels."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return (image.height, image.width), image.mode
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        raise _unreadable(path, error, key, place) from error


def _pixels(
    images: list[tuple[Path, str]], size: tuple[int, int], color: str, key: str, place: DataPlace
) -> Array:
    """float64 [image, channels · height · width]: all of the first channel, row by row, then the next."""
    from PIL import Image

    height, width = size
    x = np.empty((len(images), _CHANNELS[color], height, width), dtype=np.uint8)
    for number, (path, _) in enumerate(images):
        try:
            with Image.open(path) as image:
                if image.mode not in (*_GREY, *_COLORED):
                    raise UnreadableError(
                        f"its pixels are of mode '{image.mode}', not of at most 8 bits a channel"
                    )
                plain = image.convert(_MODES[color])
                if plain.size != (width, height):
                    plain = plain.resize((width, height), Image.Resampling.BILINEAR)
                x[number] = np.asarray(plain).reshape(height, width, -1).transpose(2, 0, 1)
        except (*_DAMAGED, Image.DecompressionBombError) as error:
            raise _unreadable(path, error, key, place) from error
    return x.reshape(len(images), -1).astype(np.float64)


def _unreadable(path: Path, error: BaseException, key: str, place: DataPlace) -> MfError:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        error = UnreadableError("it is no image of a known format")
    elif isinstance(error, Image.DecompressionBombError):
        error = UnreadableError("it claims to have more pixels than any image of a data set")
    elif isinstance(error, OSError) and error.strerror is None:
        error = UnreadableError("a part of the image is missing or damaged")
    return place.damaged(path, error, key)


def _targets(labels: list[str]) -> Array:
    """Labels as numbers, float64, where all are whole numbers; else as words."""
    if all(label.isascii() and label.isdecimal() for label in labels):
        return np.array([float(label) for label in labels])
    words = np.empty(len(labels), dtype=object)
    words[:] = labels
    return words


def _check_classes(found: Mapping[str, Found], place: DataPlace) -> None:
    """Refuse test images of a class that has no training images: it could not be learned."""
    known = {label for _, label in found["path"][0]}
    unknown = sorted({label for _, label in found["test_path"][0]} - known)
    if unknown:
        raise place.error(
            f"the class '{unknown[0]}' has test images, but no training images",
            "test_path",
            f"The folders of both must have the same names: {', '.join(sorted(known)[:12])}",
        )
