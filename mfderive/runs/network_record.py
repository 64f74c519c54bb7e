"""A network as a file keeps it: the spec, where it was read, and what is needed of its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..algebra.arguments import found
from ..errors import ArgumentError, DataError
from ..format.reader import parse_document
from ..network.network import Network
from ..samples.given import data_digest
from ..samples.resolve import resolve
from .archive import plain

Array = Any
Pair = tuple[Array, Array]


def network_record(network: Network) -> dict[str, Any]:
    """Plain data from which :func:`network_of_record` makes the network again.

    Arrays that a caller gave are not stored, only their digest and number of rows.
    """
    source = network.source
    given = getattr(source, "given", None)
    return {
        "title": network.title,
        "spec": plain(network.document),
        "file": network.file,
        "folder": str(Path.cwd()),
        "data": {
            "seed": int(getattr(source, "seed", 0)),
            "given": None if given is None else {"digest": given, "rows": source.rows},
        },
    }


def network_of_record(record: Mapping[str, Any], data: Pair | None, file: str) -> Network:
    """The resolved network of a record; ``data``: the arrays, where the run was given some.

    Raises DataError, located in ``file``, where arrays are needed and missing or are not the same.
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
    return resolve(network, data=data, seed=record["data"]["seed"])


def check_pair(data: Any) -> None:
    """Raise ArgumentError for data that is not a pair of arrays (or None)."""
    if data is not None and not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise ArgumentError(f"data is {found(data)}; it must be a pair of arrays (x, y)")


def _same_data(data: Pair, digest: str) -> bool:
    return data_digest(data) == digest
