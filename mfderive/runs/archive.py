"""Files of runs: one npz that holds a document and arrays, with a json beside it for people.

The npz is written to a temporary file and renamed, so that a run which is killed leaves either the old file
or the new one. Its zip checksums find truncation and damage; nothing is ever loaded through pickle.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import MfError

Array = Any
Tree = dict[str, Any]

FORMAT = "mfderive trajectory 2"
_DOCUMENT = "document"


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Call ``write`` with an open file; ``path`` then appears, or is replaced, all at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise MfError(f"{path.parent}: this folder cannot be made: {problem.strerror}") from problem
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def flattened(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Array]]:
    """The arrays of a nested mapping, each with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from (((key, *keys), array) for keys, array in flattened(value))
        else:
            yield (key,), np.asarray(value)


def nested(leaves: Iterable[tuple[Sequence[str], Array]]) -> Tree:
    """The nested dictionary of arrays and the keys that lead to them."""
    tree: Tree = {}
    for keys, array in leaves:
        inner = tree
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = array
    return tree


def plain(value: Any) -> Any:
    """Plain data for json out of what a note or a spec may hold; anything else is a fault of the caller."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be stored with a trajectory")


def write_run(
    folder: Path, name: str, document: Mapping[str, Any], arrays: Mapping[str, Array], shown: Sequence[str]
) -> Path:
    """Write ``<name>.npz``, which holds all, and ``<name>.json``; returns the path of the npz.

    The json has the document (plain data) and, under "curves", the ``shown`` arrays as lists.
    """
    whole = {"format": FORMAT, **document}
    text = json.dumps(whole, ensure_ascii=False)
    stored = {**arrays, _DOCUMENT: np.frombuffer(text.encode(), dtype=np.uint8)}
    target = folder / f"{name}.npz"
    write_atomically(target, lambda file: np.savez(file, **stored))
    curves = {curve: arrays[curve].tolist() for curve in shown}
    readable = json.dumps(_finite({**whole, "curves": curves}), ensure_ascii=False, indent=1) + "\n"
    write_atomically(target.with_suffix(".json"), lambda file: _write(file, readable))
    return target


def _write(file: IO[bytes], text: str) -> None:
    file.write(text.encode())


def _finite(value: Any) -> Any:
    """json has no nan and no infinity: in the readable copy they become null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def locate(path: Path) -> Path:
    """The npz of a trajectory: the file itself, the one beside a json, or the only one in a folder."""
    if path.is_dir():
        found = sorted(path.glob("*.npz"))
        if len(found) != 1:
            listed = ", ".join(file.name for file in found) or "none"
            raise MfError(f"{path}: a folder must hold exactly one trajectory, found {listed}. Name the file")
        return found[0]
    file = path.with_suffix(".npz") if path.suffix == ".json" else path
    if not file.is_file():
        raise MfError(
            f"{file}: there is no such file. A trajectory is what Trajectory.save wrote, <name>.npz"
        )
    return file


def read_run(file: Path) -> tuple[Tree, dict[str, Array]]:
    """The document and the arrays of an npz that :func:`write_run` wrote, or MfError."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(bytes(arrays.pop(_DOCUMENT)).decode())
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError) as error:
        raise damaged(file, error) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise damaged(file, error) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise MfError(
            f"{file}: this is not a trajectory of format '{FORMAT}', which says on what reduction it lives "
            f"(found {found!r}). Run the spec again"
        )
    return document, arrays


def damaged(file: Path, error: Exception) -> MfError:
    """The error that says that a file is not what was written."""
    return MfError(
        f"{file}: this is not a trajectory, or it is truncated or damaged ({type(error).__name__}: {error}). "
        "Run the spec again, or take the file from a backup"
    )
