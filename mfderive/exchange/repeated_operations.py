"""Operations that a model carries out twice on the same values, carried out once.

A module that is called twice on one input computes the same twice, and its program says so twice. As two
layers both would have a copy of what is trained, and the copies would be trained apart.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import sympy as sp

from .operations import Graph, Operation


def without_repetitions(graph: Graph) -> Graph:
    """The same graph, in which equal operations on equal values are one; outputs keep their names."""
    known: dict[Hashable, Operation] = {}
    same: dict[str, str] = {}
    kept = []
    for operation in graph.operations:
        inputs = tuple(same.get(name, name) for name in operation.inputs)
        operation = replace(operation, inputs=inputs)
        key = _said(operation)
        first = known.setdefault(key, operation)
        if first is operation or {*operation.outputs} & {*graph.outputs}:
            kept.append(operation)
        else:
            same.update(zip(operation.outputs, first.outputs, strict=True))
    return replace(graph, operations=tuple(kept))


def _said(operation: Operation) -> Hashable:
    """What an operation does, and to what; functions are the same if their expressions are."""
    options = dict(operation.options)
    apply = options.pop("apply", None)
    symbols = [sp.Symbol(f"x{place}") for place in range(len(operation.inputs))]
    expression = None if apply is None else apply(*symbols)
    return operation.kind, operation.inputs, len(operation.outputs), expression, repr(sorted(options.items()))
