"""A network as a file keeps it: the spec, where it was read, and what is needed of its data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..algebra.memo import once
from ..errors import ArgumentError, DataError
from ..format.reader import parse_document
from ..network.network import Network
from ..samples.given import data_digest
from ..samples.resolve import resolve
from .archive import plain

Array = Any
Pair = tuple[Array, Array]
_DECIMALS = 6  # of scaled columns, of size 1, whose last digits depend on the machine


def network_record(network: Network) -> dict[str, Any]:
    """Plain data from which :func:`network_of_record` makes the network again.

    Data is not stored, only its digest and number of rows: of arrays that a caller gave (``given``), and of
    files as the network takes what was read from them (``read``).
    """
    source = network.source
    given = getattr(source, "given", None)
    facts = getattr(source, "facts", None)
    is_file = given is None and facts is not None and facts.is_read
    return {
        "title": network.title,
        "spec": plain(network.document),
        "file": network.file,
        "folder": str(Path.cwd()),
        "data": {
            "seed": int(getattr(source, "seed", 0)),
            "given": None if given is None else {"digest": given, "rows": source.rows},
            "read": {"digest": _read_digest(source), "rows": source.rows} if is_file else None,
        },
    }


@once
def _read_digest(source: Any) -> str:
    """A digest of a sample that was read: rows, labels of classes, and the units of scaled columns."""
    facts, scales = source.facts, (source.facts.scale, source.facts.target_scale)
    units = [[f"{v:.9g}" for v in (*each.offset, *each.unit)] if each else None for each in scales]
    digest = hashlib.sha256(repr((facts.classes and facts.classes.labels, units)).encode())
    for array in (source.x, source.y, *(source.test or ())):
        rounded = array if scales == (None, None) else np.round(array, _DECIMALS) + 0.0  # no -0
        digest.update(str(np.shape(array)).encode())
        digest.update(np.ascontiguousarray(rounded, dtype=np.float64).data)
    return digest.hexdigest()


def network_of_record(record: Mapping[str, Any], data: Pair | None, file: str) -> Network:
    """The resolved network of a record; ``data``: the arrays, where the run was given some.

    Raises DataError, located in ``file``, where arrays are needed and missing or are not the same, and where
    the files that the data was read from have changed since.
    """
    given = record["data"]["given"]
    if given is not None and data is None:
        raise DataError(
            f"this run was given its data as arrays ({given['rows']} rows), which are not stored",
            file=file,
            remedy="Give them again: Trajectory.load(path, data=(x, y))",
        )
    if given is not None and data is not None and not _same_data(data, given["digest"]):
        raise DataError("the arrays are not those that this run was given", file=file, remedy="Check x and y")
    spec = record["file"]
    if spec is not None and not Path(spec).exists():
        spec = str(Path(record["folder"]) / spec)  # as it was called where the run was started
    network = parse_document(record["spec"], spec, tuple(record.get("changed", ())))
    network = resolve(network, data=data, seed=record["data"]["seed"])
    read = record["data"].get("read")  # a file may be older than this entry
    if read is not None and _read_digest(network.source) != read["digest"]:
        rows = network.source.rows
        count = "" if rows == read["rows"] else f" ({read['rows']} rows then, {rows} now)"
        raise DataError(
            f"the data of this run has changed since it was trained on it{count}, so that its classes and "
            "units are not known any more",
            file=file,
            remedy="Put the data back as it was (see [data] in the spec), or run the spec again",
        )
    return network


def check_pair(data: Any) -> None:
    """Raise ArgumentError for data that is not a pair of arrays (or None)."""
    if data is not None and not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise ArgumentError(f"data is {found(data)}; it must be a pair of arrays (x, y)")


def _same_data(data: Pair, digest: str) -> bool:
    return data_digest(data) == digest
