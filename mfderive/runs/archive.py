"""Files of trajectories: one npz that holds everything, with a json beside it for people.

The npz is written to a temporary file and renamed, so that a run which is killed leaves either the old file
or the new one. Its zip checksums find truncation and damage; nothing is ever loaded through pickle.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..algebra.arguments import found, real_array
from ..errors import ArgumentError, DataError, MfError
from ..network.network import Network
from ..samples.resolve import data_digest, resolve
from .trajectory import Checkpoint, Trajectory

Array = Any

FORMAT = "mfderive trajectory 1"
_DOCUMENT = "document"
_CURVES = ("times", "steps", "loss", "error")


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


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Array]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), np.asarray(value)


def _plant(tree: dict[str, Any], path: list[str], value: Array) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def _plain(value: Any) -> Any:
    """Plain data for json out of what a note or a spec may hold; anything else is a fault of the caller."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be stored with a trajectory")


def _data_document(network: Network) -> dict[str, Any]:
    source = network.source
    document: dict[str, Any] = {"seed": int(getattr(source, "seed", 0)), "given": None}
    given = getattr(source, "given", None)
    if given is not None:
        document["given"] = {"digest": given, "rows": source.rows}
    return document


def save_trajectory(path: Trajectory, folder: Path, name: str) -> Path:
    """Write ``<name>.npz`` and ``<name>.json``; returns the path of the npz."""
    arrays: dict[str, Array] = {curve: getattr(path, curve) for curve in _CURVES}
    checkpoints = []
    for number, point in enumerate(path.checkpoints):
        entries = []
        for place, (keys, array) in enumerate(_leaves(point.state)):
            arrays[f"c{number}.{place}"] = array
            entries.append(list(keys))
        checkpoints.append({"time": float(point.time), "step": int(point.step), "keys": entries})
    document = {
        "format": FORMAT,
        "kind": path.kind,
        "title": path.network.title,
        "width": None if path.width is None else int(path.width),
        "seed": int(path.seed),
        "spec": _plain(path.network.document),
        "file": path.network.file,
        "folder": str(Path.cwd()),
        "data": _data_document(path.network),
        "notes": _plain(path.notes),
        "checkpoints": checkpoints,
    }
    text = json.dumps(document, ensure_ascii=False)
    arrays[_DOCUMENT] = np.frombuffer(text.encode(), dtype=np.uint8)
    target = folder / f"{name}.npz"
    write_atomically(target, lambda file: np.savez(file, **arrays))
    curves = {curve: arrays[curve].tolist() for curve in _CURVES}
    readable = json.dumps(_finite({**document, "curves": curves}), ensure_ascii=False, indent=1) + "\n"
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


def _locate(path: Path) -> Path:
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


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The document and the arrays of a trajectory's npz, or MfError."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(bytes(arrays.pop(_DOCUMENT)).decode())
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError) as error:
        raise _damaged(file, error) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise _damaged(file, error) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise MfError(
            f"{file}: this is not a trajectory of format '{FORMAT}' (found {found!r}). Run the spec again"
        )
    return document, arrays


def _damaged(file: Path, error: Exception) -> MfError:
    return MfError(
        f"{file}: this is not a trajectory, or it is truncated or damaged ({type(error).__name__}: {error}). "
        "Run the spec again, or take the file from a backup"
    )


def load_trajectory(path: Path, data: tuple[Array, Array] | None) -> Trajectory:
    """Read a trajectory; see :meth:`Trajectory.load`."""
    if data is not None and not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise ArgumentError(f"data is {found(data)}; it must be a pair of arrays (x, y)")
    file = _locate(path)
    document, arrays = _read(file)
    try:
        checkpoints = tuple(
            _checkpoint(number, entry, arrays) for number, entry in enumerate(document["checkpoints"])
        )
        curves = {curve: arrays[curve] for curve in _CURVES}
        facts = (document["kind"], document["width"], document["seed"], document["notes"], document["data"])
    except (KeyError, TypeError, IndexError) as error:
        raise _damaged(file, error) from error
    kind, width, seed, notes, _ = facts
    network = _rebuild(file, document, data)
    return Trajectory(kind, network, width, seed, **curves, checkpoints=checkpoints, notes=notes)


def _checkpoint(number: int, entry: Mapping[str, Any], arrays: Mapping[str, Array]) -> Checkpoint:
    state: dict[str, Any] = {}
    for place, keys in enumerate(entry["keys"]):
        _plant(state, keys, arrays[f"c{number}.{place}"])
    return Checkpoint(float(entry["time"]), int(entry["step"]), state)


def _same_data(data: tuple[Array, Array], digest: str) -> bool:
    x, y = (
        None if values is None else real_array(name, values) for name, values in zip("xy", data, strict=True)
    )
    return data_digest(x, y) == digest


def _rebuild(file: Path, document: Mapping[str, Any], data: tuple[Array, Array] | None) -> Network:
    """The resolved network out of the stored spec document and, where it needs them, the given arrays."""
    from ..format.reader import parse_document

    given = document["data"]["given"]
    if given is not None and data is None:
        raise DataError(
            f"this run was given its data as arrays ({given['rows']} rows), which are not stored",
            file=str(file),
            remedy="Give them again: Trajectory.load(path, data=(x, y))",
        )
    if given is not None and data is not None and not _same_data(data, given["digest"]):
        raise DataError(
            "the arrays are not those that this run was given", file=str(file), remedy="Check x and y"
        )
    spec = document["file"]
    if spec is not None and not Path(spec).exists():
        spec = str(Path(document["folder"]) / spec)  # as it was called where the run was started
    network = parse_document(document["spec"], file=spec)
    return resolve(network, data=data, seed=document["data"]["seed"])
