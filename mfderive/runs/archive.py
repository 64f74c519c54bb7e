"""Files of runs: one npz that holds a document and arrays, for trajectories with a json beside it for people.

Both are written to temporary files and renamed, so that a run which is killed leaves either the old ones or
the new ones (:mod:`mfderive.runs.atomic`). Checksums of the zip find truncation and damage; digests of every
array and of the document find what was edited. Nothing is ever loaded through pickle.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import MfError, quoted, shown
from ..errors.unreadable import UnreadableError, reason
from .atomic import write_atomically, write_together

Array = Any
Tree = dict[str, Any]

FORMAT = "mfderive trajectory 2"
_DOCUMENT, _DIGEST = "document", "digest"
_DIGESTS = "digests"  # in the document: of each array
# Of an npz: what every array takes beside its numbers (headers, and entries of the list at the end).
_HEADER = 400
_MOST_NAMED = 3  # arrays that a message names

__all__ = [
    "Archive",
    "damaged",
    "flattened",
    "locate",
    "nested",
    "plain",
    "read_archive",
    "read_run",
    "write_archive",
    "write_atomically",
    "write_run",
]


@dataclass(frozen=True)
class Archive:
    """What a file of a run holds: the document (plain data) and the arrays by name.

    ``edited``: the names of arrays that are not as they were written, and "document" where that is not.
    """

    document: Tree
    arrays: dict[str, Array]
    edited: tuple[str, ...] = ()


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
    whole, stored = _whole(FORMAT, document, arrays)
    target = folder / f"{name}.npz"
    curves = {curve: arrays[curve].tolist() for curve in shown}
    shown_part = {key: value for key, value in whole.items() if key != _DIGESTS}
    readable = json.dumps(_finite({**shown_part, "curves": curves}), ensure_ascii=False, indent=1) + "\n"
    write_together(
        [
            (target, lambda file: np.savez(file, **stored)),
            (target.with_suffix(".json"), lambda file: _write(file, readable)),
        ],
        needed=_size(stored) + len(readable.encode()),
    )
    return target


def write_archive(file: Path, form: str, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write an npz alone that holds a document (plain data) and arrays; ``form``: its format's name."""
    _, stored = _whole(form, document, arrays)
    write_atomically(file, lambda opened: np.savez(opened, **stored), needed=_size(stored))


def _whole(form: str, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> tuple[Tree, Tree]:
    """The document with format and digests, and all that goes into the npz."""
    digests = {key: _digest(array) for key, array in arrays.items()}
    whole = {"format": form, **document, _DIGESTS: digests}
    text = np.frombuffer(json.dumps(whole, ensure_ascii=False).encode(), dtype=np.uint8)
    own = np.frombuffer(bytes.fromhex(_digest(text)), dtype=np.uint8)
    return whole, {**arrays, _DOCUMENT: text, _DIGEST: own}


def _size(stored: Mapping[str, Array]) -> int:
    """The bytes of an npz of these arrays."""
    return sum(np.asarray(array).nbytes + _HEADER for array in stored.values())


def _digest(array: Array) -> str:
    """The digest of an array: its type, its shape and its numbers."""
    found = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{found.dtype.str} {np.shape(array)} ".encode())
    numbers: Any = found.reshape(-1).view(np.uint8) if found.size else b""
    digest.update(numbers)
    return digest.hexdigest()


def _edited(document: Mapping[str, Any], arrays: Mapping[str, Array], text: Array, own: Any) -> list[str]:
    known = document.get(_DIGESTS)
    if not isinstance(known, Mapping):
        return []  # written before there were digests
    edited = [] if own is not None and bytes(own).hex() == _digest(text) else [_DOCUMENT]
    names = [*arrays, *(name for name in known if name not in arrays)]
    return edited + [name for name in names if name not in arrays or known.get(name) != _digest(arrays[name])]


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
    if file.exists() and not file.is_file():
        raise MfError(f"{file}: this is a pipe or a device, not a file. A trajectory is a file, <name>.npz")
    if not file.is_file():
        raise MfError(
            f"{file}: there is no such file. A trajectory is what Trajectory.save wrote, <name>.npz"
        )
    return file


def read_run(file: Path) -> Archive:
    """What an npz that :func:`write_run` wrote holds, or MfError."""
    archive = read_archive(file)
    form = archive.document.get("format")
    if form != FORMAT:
        found = "it names no format" if form is None else f"found {shown(form)}"
        raise MfError(
            f"{file}: this is not a trajectory of format '{FORMAT}', which says on what reduction it lives "
            f"({found}). Run the spec again"
        )
    return archive


def read_archive(file: Path, what: str = "a trajectory") -> Archive:
    """What an npz of this file's functions holds, whatever its format; MfError where it holds nothing whole.

    ``what`` it should be, for the message.
    """
    try:
        with file.open("rb") as opened:
            if not zipfile.is_zipfile(opened):
                raise UnreadableError("it is no zip archive, as npz files are, or its end is missing")
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if _DOCUMENT not in arrays:
            held = ", ".join(map(quoted, sorted(arrays)[:_MOST_NAMED])) or "nothing"
            raise UnreadableError(f"it holds no document of a run (but {held})")
        text, own = arrays.pop(_DOCUMENT), arrays.pop(_DIGEST, None)
        document = json.loads(bytes(text).decode())
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError) as error:
        raise damaged(file, error, what) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise damaged(file, error, what) from error
    if not isinstance(document, dict):
        document = {}
    return Archive(document, arrays, tuple(_edited(document, arrays, text, own)))


def damaged(file: Path, error: Exception, what: str = "a trajectory") -> MfError:
    """The error that says that a file is not what was written."""
    return MfError(
        f"{file}: this is not {what}, or it is truncated or damaged: {reason(error)}. Run the spec again, or "
        "take the file from a backup"
    )
