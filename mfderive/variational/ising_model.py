"""Ising models on graphs: couplings, fields and a temperature, read from what a caller has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.sparse.csgraph import connected_components

from ..algebra.arguments import found, positive_number
from ..algebra.showing import Shown
from ..errors import ArgumentError, shown

Array = Any

# Where dense linear algebra of this many nodes would begin to take minutes.
DENSE_NODES = 2000


# The largest coupling or field in units of T: 1 - tanh of it is nothing from 20 on.
_LARGEST = 1e6


@dataclass(frozen=True, eq=False, repr=False)
class IsingModel(Shown):
    """Spins s_i = +1 or -1 with H = -1/2 sum_ij J_ij s_i s_j - sum_i B_i s_i, at temperature T.

    ``couplings`` is J (n x n, symmetric, zero on the diagonal, sparse), ``fields`` is B (n), ``nodes`` are
    the graph's names in the order of the rows. Boltzmann's constant is 1 (Pandey and Xu 2019, 1.2 and 8.2).
    """

    nodes: tuple[Any, ...]
    couplings: Any
    fields: Array
    temperature: float

    @property
    def size(self) -> int:
        """Number of spins."""
        return len(self.nodes)

    @cached_property
    def dense(self) -> Array:
        """J as an ordinary array (n x n)."""
        return self.couplings.toarray()

    @cached_property
    def edges(self) -> tuple[Array, Array, Array]:
        """Ends i < j and J_ij of every edge with a coupling that is not 0."""
        upper = self.couplings.tocoo()
        kept = upper.row < upper.col
        return upper.row[kept], upper.col[kept], upper.data[kept]

    @cached_property
    def degrees(self) -> Array:
        """Number of neighbours of every spin."""
        return np.diff(self.couplings.indptr)

    @cached_property
    def is_forest(self) -> bool:
        """Whether the edges close no loop."""
        return bool(len(self.edges[0]) == self.size - connected_components(self.couplings, directed=False)[0])

    @property
    def is_ferromagnet(self) -> bool:
        """Whether no coupling is negative."""
        return bool((self.couplings.data > 0).all())

    @property
    def has_no_field(self) -> bool:
        """Whether every B_i is 0, so that with m also -m is a solution."""
        return not self.fields.any()

    @cached_property
    def regular(self) -> tuple[int, float] | None:
        """Degree and coupling, where all spins have equally many neighbours and all couplings are equal."""
        values = np.unique(self.couplings.data)
        if self.size == 0 or len(values) != 1 or len(np.unique(self.degrees)) != 1:
            return None
        return int(self.degrees[0]), float(values[0])

    def at(self, temperature: float) -> IsingModel:
        """The same model at another temperature. Raises ArgumentError unless it is greater than 0, and large
        enough for its energies."""
        return checked(replace(self, temperature=positive_number("T", temperature)))

    def _summary(self) -> Iterator[str]:
        yield f"IsingModel: {self.size} spins, {len(self.edges[0])} edges, T = {self.temperature:g}"


def ising_model(graph: Any, J: Any = 1.0, h: Any = 0.0, T: float = 1.0) -> IsingModel:
    """An Ising model on a networkx graph, or on a symmetric matrix (numpy or scipy.sparse, n x n).

    ``J``: a number for all edges; the name of an edge attribute; an array with a number for each edge in the
    order of ``graph.edges``; a mapping from edges (u, v) to numbers. With a matrix J is a number that
    multiplies its entries. Parallel edges add. ``h``: the field: a number, the name of a node attribute, an
    array with a number for each node in the order of ``graph.nodes``, or a mapping from nodes to numbers.
    ``T``: the temperature, greater than 0.

    Raises ArgumentError where a value is missing or not finite, for directed graphs, for a node that is its
    own neighbour, and for matrices that are not symmetric.
    """
    temperature = positive_number("T", T)
    if hasattr(graph, "nodes") and hasattr(graph, "edges"):
        nodes, couplings = _of_graph(graph, J)
        attributes = dict(graph.nodes(data=True))
    else:
        couplings = _of_matrix(graph, J)
        nodes, attributes = tuple(range(couplings.shape[0])), {}
    if not nodes:
        raise ArgumentError("the graph has no nodes; an Ising model needs at least one spin")
    couplings.sum_duplicates()
    couplings.eliminate_zeros()
    couplings.sort_indices()
    return checked(IsingModel(nodes, couplings, _fields(h, nodes, attributes), temperature))


def checked(model: IsingModel) -> IsingModel:
    """The model, if its energies in units of T are numbers to compute with. Raises ArgumentError if not."""
    largest = max(abs(model.couplings.data).max(initial=0.0), abs(model.fields).max(initial=0.0))
    if not largest <= _LARGEST * model.temperature:
        raise ArgumentError(
            f"couplings or fields of {largest:.3g} at T = {model.temperature:.3g} are T = 0 to rounding, "
            f"where means are no longer functions of T. Take T of at least {largest / _LARGEST:.3g}"
        )
    return model


def _of_graph(graph: Any, J: Any) -> tuple[tuple[Any, ...], Any]:
    """Nodes and couplings of a networkx graph."""
    if graph.is_directed():
        raise ArgumentError(
            "the graph is directed, but a coupling of two spins has no direction. Take graph.to_undirected()"
        )
    nodes = tuple(graph.nodes)
    row = {node: number for number, node in enumerate(nodes)}
    edges = [(first, second, data) for first, second, data in graph.edges(data=True)]
    loop = next((first for first, second, _ in edges if first == second), None)
    if loop is not None:
        raise ArgumentError(
            f"node {shown(loop)} is joined to itself; the square of a spin is 1, so that means nothing. "
            "Remove it: graph.remove_edges_from(networkx.selfloop_edges(graph))"
        )
    values = _edge_values(J, edges)
    ends = np.array([(row[first], row[second]) for first, second, _ in edges], dtype=int).reshape(-1, 2)
    rows, columns = np.concatenate([ends, ends[:, ::-1]]).T
    shape = (len(nodes), len(nodes))
    return nodes, csr_array((np.concatenate([values, values]), (rows, columns)), shape=shape)


def _edge_values(J: Any, edges: list[tuple[Any, Any, dict[str, Any]]]) -> Array:
    """A coupling for every edge."""
    if isinstance(J, str):
        missing = next(((a, b) for a, b, data in edges if J not in data), None)
        if missing is not None:
            raise ArgumentError(
                f"the edge {shown(missing)} has no attribute {shown(J)}, which J names. Set it on all edges, "
                "or give J as a number"
            )
        return _numbers("J", [data[J] for _, _, data in edges], len(edges), "edges")
    if isinstance(J, Mapping):
        missing = next(((a, b) for a, b, _ in edges if (a, b) not in J and (b, a) not in J), None)
        if missing is not None:
            raise ArgumentError(
                f"J has no value for the edge {shown(missing)}; it must have one for each edge"
            )
        return _numbers("J", [J.get((a, b), J.get((b, a))) for a, b, _ in edges], len(edges), "edges")
    return _numbers("J", J, len(edges), "edges")


def _of_matrix(matrix: Any, J: Any) -> Any:
    """Couplings J * matrix."""
    try:
        values = csr_array(matrix, dtype=float) if issparse(matrix) else np.asarray(matrix, dtype=float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ArgumentError(
            f"a networkx graph or a square matrix of couplings is needed, found {found(matrix)}. A graph is "
            "made with networkx, for example networkx.grid_2d_graph(8, 8, periodic=True)"
        )
    if isinstance(J, str | Mapping) or np.asarray(J).ndim:
        raise ArgumentError(
            f"J is {found(J)}; with a matrix it must be a number, which multiplies its entries"
        )
    scaled = csr_array(values * float(_numbers("J", J, 1, "edges")[0]))
    if not np.isfinite(scaled.data).all():
        raise ArgumentError("the matrix of couplings has entries that are not finite numbers")
    if abs(scaled - scaled.T).max() > 1e-12 * max(abs(scaled).max(), 1e-300):
        raise ArgumentError(
            "the matrix of couplings is not symmetric; J_ij and J_ji are one coupling. Take (A + A.T) / 2"
        )
    if scaled.diagonal().any():
        raise ArgumentError(
            "the matrix of couplings has a diagonal that is not 0; set it to 0: a spin has no "
            "coupling to itself"
        )
    return scaled


def _fields(h: Any, nodes: tuple[Any, ...], attributes: Mapping[Any, Mapping[str, Any]]) -> Array:
    """A field for every node."""
    if isinstance(h, str):
        missing = next((node for node in nodes if h not in attributes.get(node, {})), None)
        if missing is not None:
            raise ArgumentError(
                f"the node {shown(missing)} has no attribute {shown(h)}, which h names. Set it on all nodes, "
                "or give h as a number"
            )
        h = [attributes[node][h] for node in nodes]
    elif isinstance(h, Mapping):
        missing = next((node for node in nodes if node not in h), None)
        if missing is not None:
            raise ArgumentError(
                f"h has no value for the node {shown(missing)}; it must have one for each node"
            )
        h = [h[node] for node in nodes]
    return _numbers("h", h, len(nodes), "nodes")


def _numbers(name: str, value: Any, count: int, what: str) -> Array:
    """``count`` finite numbers: one for all, or one for each."""
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        numbers = np.full(1, math.nan)
    if numbers.shape not in ((), (count,)) and not (count == 1 and numbers.shape == (1,)):
        raise ArgumentError(
            f"{name} is {found(value)}; it must be one number, or one for each of the {count} {what}"
        )
    if not np.isfinite(numbers).all():
        raise ArgumentError(f"{name} is {found(value)}; it must be made of finite numbers")
    return np.broadcast_to(numbers, (count,)).copy()
