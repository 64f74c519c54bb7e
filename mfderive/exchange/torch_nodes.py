"""What reads the nodes of an exported PyTorch program: names, arguments, shapes, the table of readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .operations import ImportProblem, Operation, entering, name_of_weight

Array = Any


@dataclass
class ProgramReader:
    """One program, node by node. ``names``: values by node (of tuples: by node and place).

    ``frozen``: names of parameters that are not trained.
    """

    parameters: dict[str, Array]
    constants: dict[str, Array]
    names: dict[Any, str]
    operations: list[Operation] = field(default_factory=list)
    frozen: set[str] = field(default_factory=set)
    count: int = 0

    def between(self) -> str:
        """A name for a value that only this reader sees."""
        self.count += 1
        return f"//{self.count}"

    def value(self, argument: Any) -> str:
        """The name of an argument: of a node, or of a number, which becomes a constant."""
        if argument in self.names:
            return self.names[argument]
        if isinstance(argument, (int, float)):
            name = self.between()
            self.constants[name] = np.asarray(float(argument))
            return name
        raise ImportProblem(f"the argument {argument!r} is neither a value nor a number")

    def fixed_values(self) -> set[str]:
        """The names of values that are known without the input, so far."""
        found = {*self.parameters, *self.constants}
        for operation in self.operations:
            if found.issuperset(operation.inputs):
                found |= {*operation.outputs}
        return found

    def array(self, argument: Any) -> Array:
        """An argument that must be known."""
        name = self.value(argument)
        found = {**self.parameters, **self.constants}.get(name)
        if found is None:
            raise ImportProblem(f"the argument '{name}' depends on the input, but must be known")
        return found

    def add(
        self, kind: str, node: Any, inputs: Iterable[str], outputs: Iterable[str], **options: Any
    ) -> None:
        """One operation of the graph."""
        inputs = tuple(inputs)
        # A weight that stands in a product transposed is named in the option "called".
        weights = [name for name in (options.pop("called", ""), *inputs) if name in self.parameters]
        name = name_of_weight(weights[0]) if weights else str(node.name)
        self.operations.append(Operation(kind, name, word_of(node), inputs, tuple(outputs), options))

    def refuse(self, node: Any, problem: str, remedy: str) -> ImportProblem:
        """The error for one node."""
        return ImportProblem(f"node '{node.name}' ({word_of(node)}): {problem}. {remedy}")

    def out(self, node: Any) -> str:
        """The name of what a node makes."""
        self.names[node] = str(node.name)
        return str(node.name)


def word_of(node: Any) -> str:
    """What PyTorch calls the operation of a node: linear, conv2d, without the mark of acting in place."""
    schema = getattr(node.target, "_schema", None)
    whole = node.target.__name__ if schema is None else schema.name
    space, _, word = whole.rpartition("::")
    return str(word.rstrip("_") or word) if space in ("", "aten") else str(whole)


def arguments(node: Any, *defaults: Any) -> list[Any]:
    """The arguments of a node behind the first, in the order of its schema, with defaults."""
    schema = node.target._schema.arguments
    given = {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
    given |= dict(node.kwargs)
    names = [argument.name for argument in schema][1 : 1 + len(defaults)]
    return [given.get(name, default) for name, default in zip(names, defaults, strict=False)]


def shape_of(node: Any) -> tuple[int, ...]:
    """The shape of what a node makes, with the example's batch."""
    return tuple(int(size) for size in node.meta["val"].shape)


def per_axis(value: Any, many: int) -> list[int]:
    """A number, or a list of one or of all, as a list with one entry for each axis."""
    values = list(value) if isinstance(value, Sequence) else [value]
    return [int(each) for each in (values * many if len(values) == 1 else values)]


def inserted_ones(old: Sequence[int], new: Sequence[int]) -> tuple[int, ...] | None:
    """The places of the axes of size 1 that a new shape has more than an old one; None if that is not all."""
    places, position = [], 0
    for place, size in enumerate(new):
        if position < len(old) and old[position] == size:
            position += 1
        elif size == 1:
            places.append(place)
        else:
            return None
    return tuple(places) if position == len(old) else None


Read = Callable[[ProgramReader, Any], None]
READERS: dict[str, Read] = {}
# Enters what reads nodes of some operations.
reads = entering(READERS)
