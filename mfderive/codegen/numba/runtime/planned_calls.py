"""Calls on arrays that stay the same, repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .compilation import Array, Caller, Fields, Maker, Real, compiled
from .matrix_product import matrix_product, prepared_product
from .node_weights import Nodes

Sweep = Callable[[Fields, Nodes, Maker, Caller], None]
Evolution = Callable[[Fields, Nodes, Maker, Caller, Fields, Mapping[str, float], Mapping[str, float]], None]


def at_once(function: Callable[..., Any], *arguments: Any) -> None:
    """A call that is made now."""
    function(*arguments)


def recorded(write: Callable[[Caller], None]) -> list[Callable[[], Any]]:
    """The calls that a sweep makes, to be made later, and again and again."""
    calls: list[Callable[[], Any]] = []

    def call(function: Callable[..., Any], *arguments: Any) -> None:
        is_product = function is matrix_product
        calls.append(prepared_product(*arguments) if is_product else partial(function, *arguments))

    write(call)
    return calls


@compiled
def add_scaled(out: Array, speed: Array, scale: Real, keep: Real) -> None:
    """out(i) = keep * out(i) + scale * speed(i), without the first part where keep is 0."""
    if keep == 0:
        for i in range(out.size):
            out[i] = scale * speed[i]
    else:
        for i in range(out.size):
            out[i] = keep * out[i] + scale * speed[i]


def add_speed(
    out: Array, speed: Array, scale: Mapping[str, float], keep: Mapping[str, float], name: str
) -> None:
    """out = keep * out + scale * speed in place, with the numbers of a parameter; both arrays are flat."""
    add_scaled(out, speed, float(scale[name]), float(keep[name]))


class Plan:
    """The calls of a step on one set of arrays: as long as these serve, nothing is looked up again.

    ``sweeps`` compute the fields that the evolution reads, ``evolve`` is the evolution. Arrays of ``fields``
    may change their values, but nothing else.
    """

    def __init__(
        self, fields: Fields, nodes: Nodes, make: Maker, sweeps: tuple[Sweep, ...], evolve: Evolution
    ) -> None:
        self.fields, self.nodes, self.make = fields, nodes, make
        self.sweeps, self.evolution = sweeps, evolve
        self.scale: dict[str, float] = {}
        self.keep: dict[str, float] = {}
        self.own: Fields = {}  # arrays for x and y of batch after batch
        self.bind()

    def bind(self) -> None:
        """Find the calls, after an array of ``fields`` has been replaced."""
        self.into: Fields | None = None
        self.updates: list[Callable[[], Any]] = []
        self.calls = [
            each
            for sweep in self.sweeps
            for each in recorded(partial(sweep, self.fields, self.nodes, self.make))
        ]

    def sweep(self) -> None:
        """Compute the fields that the evolution reads."""
        for run in self.calls:
            run()

    def evolve(self, into: Fields, scale: Mapping[str, float], keep: Mapping[str, float]) -> None:
        """into = keep * into + scale * G for every trained parameter."""
        if self.into is None or any(into[name] is not array for name, array in self.into.items()):
            self.into = {name: into[name] for name in scale}

            def write(call: Caller, own: Fields = self.into) -> None:
                self.evolution(self.fields, self.nodes, self.make, call, own, self.scale, self.keep)

            self.updates = recorded(write)
        self.scale.update(scale)
        self.keep.update(keep)
        for run in self.updates:
            run()
