"""Embeddings: rows of a weight by number are a linear layer without bias on one-hot inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..errors import ArgumentError
from .operations import Graph, Operation, refuse

Array = Any

_REMEDY = "An embedding is a linear layer without bias on one-hot inputs: let it read the inputs as they are"


def with_one_hot_inputs(graph: Graph) -> Graph:
    """The graph of the same model on one-hot inputs, whose last axis is the vocabulary.

    A graph without embeddings stays as it is. Raises ImportProblem where an embedding reads something else
    than the inputs, and where something else reads these.
    """
    embeddings = [operation for operation in graph.operations if operation.kind == "embedding"]
    if not embeddings:
        return graph
    same = {graph.input}
    for operation in graph.operations:
        if operation.kind == "identity" and same.issuperset(operation.inputs):
            same |= {*operation.outputs}
    sizes = {}
    for operation in embeddings:
        weight, indices = operation.inputs
        if indices not in same or weight not in graph.parameters:
            raise refuse(operation, "it takes rows of its weight by numbers that were computed", _REMEDY)
        sizes[operation.name] = len(graph.parameters[weight])
    others = [each for each in graph.operations if each.kind not in ("identity", "embedding")]
    for operation in others:
        if same & {*operation.inputs}:
            raise refuse(operation, "it reads numbers of words, which an embedding reads too", _REMEDY)
    if len(set(sizes.values())) > 1:
        raise refuse(embeddings[-1], f"embeddings of different vocabularies {sizes} read one input", _REMEDY)
    vocabulary = next(iter(sizes.values()))
    operations = tuple(map(_product, graph.operations))
    return replace(graph, shape=(*graph.shape, vocabulary), operations=operations, vocabulary=vocabulary)


def _product(operation: Operation) -> Operation:
    """An embedding as a product of one-hot vectors and its weight."""
    if operation.kind != "embedding":
        return operation
    return replace(operation, kind="matmul", inputs=operation.inputs[::-1])


def one_hot(x: Any, vocabulary: int) -> Array:
    """Numbers of words [...] as one-hot vectors [..., vocabulary] in float64.

    Raises ArgumentError for what is no whole number from 0 to vocabulary - 1.
    """
    words = np.asarray(x)
    wrong = next(_wrong(words, vocabulary), None)
    if wrong is not None:
        raise ArgumentError(
            f"x has the entry {found(wrong)}; numbers of words are whole, from 0 to {vocabulary - 1}"
        )
    return np.eye(vocabulary)[words.astype(np.int64)]


def _wrong(words: Array, vocabulary: int) -> Iterator[Any]:
    with np.errstate(invalid="ignore"):
        right = (words == np.floor(words)) & (words >= 0) & (words < vocabulary)
    yield from words[~right][:1].tolist()
