"""From a spec file or a graph to a resolved network: parse, then learn every size from the data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from ..algebra.arguments import found
from ..errors import ArgumentError, DataWarning, SpecError
from ..format.networkx_graph import from_networkx as parse_graph
from ..format.reader import parse_document, read
from ..forward.equations import forward_system
from ..network.changes import changed_document, changed_keys
from ..network.network import Network, register_changer
from .data_findings import data_findings
from .data_sentences import finding_text
from .resolve import check_batch, resolve

Array = Any


def load(
    spec: str | Path | Mapping[str, Any],
    data: tuple[Array, Array] | None = None,
    *,
    seed: int | None = None,
) -> Network:
    """Load a network from a spec file (TOML), or from a document (a mapping with the same keys).

    ``data``: arrays x [sample, ...] and y [sample] or [sample, outputs] instead of what ``[data]`` names;
    frames and series of pandas or polars too, and labels of any sort (words, truth values, whole numbers).
    ``seed``: the data seed (default: ``data_seed`` of ``[solver]``, else 0). Raises SpecError or DataError,
    which name file, table and key, for anything that is wrong with the spec, its shapes or its data. What a
    person should know of the data before training is a warning (:class:`mfderive.errors.DataWarning`).
    """
    if not isinstance(spec, (str, PathLike, Mapping)) or spec == "":
        raise SpecError(
            f"a spec is the path of a TOML file, or a mapping with its keys, not {found(spec)}",
            remedy="Graphs are read by from_networkx",
        )
    parsed = parse_document(spec, None) if isinstance(spec, Mapping) else read(spec)
    return _resolved(parsed, data, seed)


def from_networkx(graph: Any, data: tuple[Array, Array] | None = None, *, seed: int | None = None) -> Network:
    """Load a network from an ``nx.MultiDiGraph`` whose nodes, edges and graph carry the spec's keys.

    ``data`` and ``seed`` as in :func:`load`. Raises SpecError for what is no such graph and for keys that are
    wrong, DataError for data that cannot be used.
    """
    return _resolved(parse_graph(graph), data, seed)


def _resolved(parsed: Network, data: tuple[Array, Array] | None, seed: int | None, level: int = 4) -> Network:
    network = replace(resolve(parsed, data, seed), given=data)
    # Shapes that only the sizes decide (kernels, ties) are checked now rather than when they are used.
    forward_system(network)
    warn_of_data(network, level)
    return network


def warn_of_data(network: Network, level: int = 2) -> None:
    """Warn of what was found in a network's data; ``level``: whose line the warning names, as in Python's."""
    for finding in data_findings(network):
        warnings.warn(finding_text(finding), DataWarning, stacklevel=level)


def change(network: Network, changes: Mapping[str, Any]) -> Network:
    """The network after changes of its spec, by table: what :meth:`Network.replace` does."""
    document = changed_document(network.document, changes)
    changed = dict.fromkeys((*network.changed, *changed_keys(network.document, changes)))
    parsed = parse_document(document, network.file, tuple(changed))
    if network.source is None:
        return parsed
    if _reads_the_same(network, parsed):
        kept = replace(
            parsed,
            loss=network.loss,
            input_shape=network.input_shape,
            outputs=network.outputs,
            source=network.source,
            given=network.given,
        )
        check_batch(kept)
        forward_system(kept)
        return kept
    if network.source.given is not None and network.given is None:
        raise ArgumentError(
            "the data of this network was given as arrays, which a stored run does not keep, so that they "
            "cannot be read in another way. Load the spec with data=(x, y), and change that network"
        )
    same_seed = _data_seed(network) == _data_seed(parsed)
    return _resolved(parsed, network.given, network.source.seed if same_seed else None, 5)


def _reads_the_same(network: Network, parsed: Network) -> bool:
    """Whether nothing changed on which the data, or how it is read, depends."""
    tables = all(network.document.get(key) == parsed.document.get(key) for key in ("data", "loss"))
    outputs = network.output.outputs == parsed.output.outputs
    return tables and outputs and _data_seed(network) == _data_seed(parsed)


def _data_seed(network: Network) -> int:
    return int(dict(network.solver).get("data_seed", 0))


register_changer(change)
