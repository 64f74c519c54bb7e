"""From a parsed network to a resolved one: the data source, and with it every finite size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import DataError
from ..spec.network import Network
from .sources import DataSource, LawSource
from .synthetic import isotropic_gaussians

Array = Any


def resolve(network: Network, data: tuple[Array, Array] | None = None, seed: int = 0) -> Network:
    """The network with ``input_shape``, ``outputs`` and ``source`` filled in."""
    source = _build(network, seed)
    wanted = network.output.outputs
    if wanted is not None and wanted != source.outputs:
        raise DataError(
            f"outputs = {wanted}, but the data has {source.outputs}",
            file=network.file,
            table="output",
            key="outputs",
            remedy="Leave outputs out to take the number from the data",
        )
    return replace(network, input_shape=source.input_shape, outputs=source.outputs, source=source)


def _build(network: Network, seed: int) -> DataSource:
    options = network.data.get
    dimension = int(options["dimension"])
    draw = isotropic_gaussians(dimension, float(options["separation"]))
    return LawSource(draw, (dimension,), 1, seed)
