"""Arrays for fields and temporaries."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from .compilation import Array, Maker
from .example import PARAMETERS, SIZES
from .node_weights import Nodes


class Workspace(threading.local):
    """Arrays that the next call uses again; they are dropped when sizes or precision change.

    Nodes are remembered, too: from call to call their weights are mostly the same.
    """

    def __init__(self) -> None:
        self.key: Any = None
        self.arrays: dict[tuple[str, tuple[int, ...]], Array] = {}
        self.content: Any = None
        self.nodes: Nodes | None = None

    def known_nodes(self, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> Nodes:
        """The nodes with these weights, the last ones where those had the same."""
        content = dtype, [(each.shape, each.dtype, each.tobytes()) for each in weights.values()]
        if self.nodes is None or content != self.content:
            self.nodes, self.content = Nodes(weights, SIZES, PARAMETERS, dtype), content
        return self.nodes

    def maker(self, nodes: Nodes) -> Maker:
        """A function (name, shape) -> array for calls with these sizes."""
        key = (tuple(nodes.size.items()), np.dtype(nodes.dtype))
        if key != self.key:
            self.key, self.arrays = key, {}

        def make(name: str, shape: tuple[int, ...]) -> Array:
            array = self.arrays.get((name, shape))
            if array is None:
                array = self.arrays[name, shape] = np.empty(shape, nodes.dtype)
            return array

        return make


WORKSPACE = Workspace()


def fresh(nodes: Nodes) -> Maker:
    """A function (name, shape) -> new array."""
    return lambda name, shape: np.empty(shape, nodes.dtype)
