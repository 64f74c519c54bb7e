"""Arrays for fields and temporaries."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .compilation import Array, Maker
from .node_weights import Nodes


class Workspace(threading.local):
    """Arrays that the next call uses again; they are dropped when sizes or precision change."""

    def __init__(self) -> None:
        self.key: Any = None
        self.arrays: dict[tuple[str, tuple[int, ...]], Array] = {}

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
