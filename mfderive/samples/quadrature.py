"""Weighted nodes for the law of the data: Gauss nodes, quasi-Monte Carlo points, a fixed sample.

A law of data is a mixture of components, each a smooth transform of independent standard variables; nodes
and weights for these variables are nodes and weights for x and y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, log2, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..algebra.law_kinds import LAWS, Standard, smooth_numbers
from ..algebra.laws import Law, LawKind
from ..algebra.memory import check_memory
from ..algebra.showing import Shown
from ..errors import MfError, nearest
from ..network.solve_options import DATA_RULES
from .points import standard_points, tensor_points, transform
from .sources import FIXED_SAMPLE, DataSource, DrawnSource, LawSource, SampleSource, generator
from .spaced_nodes import is_spaced
from .standard_law import StandardLaw

if TYPE_CHECKING:
    from ..network.network import Network

Array = Any

# Gauss nodes of each standard number, by how many there are; more numbers have no quadrature.
NODES_EACH = {0: 1, 1: 64, 2: 32, 3: 16}
SOBOL_NODES = 4096
SAMPLE_NODES = 2000
# The part of sampled points that a coarser rule takes, where errors are to be compared.
SAMPLED_PART = 4


@dataclass(frozen=True, repr=False)
class DataNodes(Shown):
    """x [node, *input_shape] and y [node, outputs] with weights [node] that sum to 1."""

    x: Array
    y: Array
    weights: Array


def data_nodes(
    network: Network,
    rule: str,
    nodes: int | None = None,
    seed: int | None = None,
    source: DataSource | None = None,
    kinks: bool = False,
) -> DataNodes:
    """Nodes for the law of a network's data, or of ``source`` in its place.

    ``sample``: the data set itself, or ``nodes`` fixed draws of a law; ``sobol``: scrambled Sobol points
    (rounded up to a power of 2 a component); ``quadrature``: a tensor of Gauss nodes, at least ``nodes`` a
    component (which laws of more than three numbers need to be told), or equally spaced ones for a single
    number of which functions with ``kinks`` are integrated. ``seed``: of the scramble (None: the data seed).

    Raises MfError for a rule that does not exist or does not fit the data.
    """
    allowed = [known for known in DATA_RULES if known != "batches"]
    if rule not in allowed:
        raise MfError(f"the rule for the data is '{rule}'. {nearest(rule, allowed)}")
    if nodes is not None and nodes < 1:
        raise MfError(f"the data cannot have {nodes} nodes; at least 1 is needed")
    source = source or network.source
    if isinstance(source, DrawnSource):
        source = source.sample
    if isinstance(source, SampleSource):
        return _data_set(source, rule, nodes)
    if not isinstance(source, LawSource):
        raise MfError(f"data of the type {type(source).__name__} has no fixed nodes; take data = 'batches'")
    _check_memory(source, rule, nodes)
    if rule == "sample":
        x, y = source.draw(generator(source.seed, FIXED_SAMPLE), nodes or SAMPLE_NODES)
        return _equal(x, y)
    if source.law is None:
        raise MfError("this law of data has no standard variables; take data = 'batches' or 'sample'")
    key = source.seed if seed is None else seed
    return _law_nodes(source.law, rule, nodes, key, kinks and is_spaced(source.law))


def default_rule(source: DataSource) -> str:
    """The rule for an average over the law of a source where none is asked for.

    The data set itself; Gauss nodes where the law has them, else Sobol points, else fixed draws.
    """
    if not isinstance(source, LawSource) or source.law is None:
        return "sample"
    try:
        _tensor(source.law, None)
    except MfError:
        return "sobol"
    return "quadrature"


def coarser_count(source: DataSource, rule: str, nodes: int | None = None) -> int | None:
    """How many nodes to ask for in place of ``nodes`` for the same rule with fewer; 0: there are no fewer.

    A quarter of points and draws; Gauss nodes as :func:`fewer_gauss` has them. None where nodes are the law
    itself: the rows of a data set, numbers of two values.
    """
    if not isinstance(source, LawSource):
        return None
    if rule == "sample":
        return (nodes or SAMPLE_NODES) // SAMPLED_PART
    if rule == "sobol" or source.law is None:
        return int(2 ** ceil(log2(nodes or SOBOL_NODES))) // SAMPLED_PART
    smooth = smooth_numbers(source.law.kinds)
    if not smooth:
        return None
    sizes = _tensor(source.law, nodes)
    return prod(fewer_gauss(n) if k in smooth else n for k, n in enumerate(sizes))


def node_count(law: StandardLaw, each: int) -> int:
    """Nodes of each component of a law with so many of every number, two where it takes two values."""
    smooth = len(smooth_numbers(law.kinds))
    return int(each**smooth * 2 ** (len(law.kinds) - smooth))


def fewer_gauss(nodes: int) -> int:
    """Two thirds of the Gauss nodes of a number, to the nearest of the other parity; 0: there are no fewer.

    A single node is the centre of the law and sees nothing of its width, so two have no fewer. A kink at the
    centre of the law lies between two of an even number of nodes, and on one of an odd number: the errors
    then have opposite signs.
    """
    others = [n for n in range(2, nodes) if (nodes - n) % 2]
    return min(others, key=lambda n: abs(3 * n - 2 * nodes), default=0)


def _check_memory(source: LawSource, rule: str, nodes: int | None) -> None:
    """Raise ResourceError for more nodes than memory can hold."""
    rounding, components = (2, len(source.law.odds)) if rule != "sample" and source.law else (1, 1)
    count = rounding * components * (nodes or 1)
    needed = 4 * 8 * count * prod(source.input_shape)
    check_memory(needed, f"Data of {nodes} nodes ({rule})", "Take fewer data_nodes")


def _data_set(source: SampleSource, rule: str, nodes: int | None) -> DataNodes:
    if rule != "sample":
        raise MfError(
            f"the data is a fixed sample of {source.rows} rows, and its law is that sample: there is nothing "
            f"for '{rule}' to integrate. Take data = 'sample', which uses every row"
        )
    if nodes is not None and nodes != source.rows:
        raise MfError(
            f"the data is a fixed sample of {source.rows} rows, but data_nodes is {nodes}. Leave it out"
        )
    return _equal(*source.batch(1, "all"))


def _equal(x: Array, y: Array) -> DataNodes:
    return DataNodes(x, y, np.full(len(x), 1 / len(x)))


def _law_nodes(law: StandardLaw, rule: str, nodes: int | None, seed: int, spaced: bool) -> DataNodes:
    parts = []
    for component, odds in enumerate(law.odds):
        if rule == "sobol":
            count = 2 ** ceil(log2(nodes or SOBOL_NODES))
            points = standard_points(law.kinds, "sobol", count, [seed, FIXED_SAMPLE, component])
            weights = np.full(len(points), 1 / len(points))
        else:
            points, weights = tensor_points(law.kinds, _tensor(law, nodes), spaced)
        parts.append((*law.values(component, points), odds * weights))
    x, y, weights = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return DataNodes(x, y, weights / weights.sum())


def _tensor(law: StandardLaw, nodes: int | None) -> tuple[int, ...]:
    """Gauss nodes of each number: two for two values."""
    pairs = sum(LAWS[kind].standard is Standard.PAIR for kind in law.kinds)
    smooth = len(law.kinds) - pairs
    vectors = not all(LAWS[kind].has_gauss_nodes for kind in law.kinds)
    if vectors:
        raise MfError(
            "there is no quadrature for this data: its samples lie on a sphere, and quadrature needs "
            "independent numbers. Take data = 'sobol'"
        )
    if nodes is None and smooth not in NODES_EACH:
        raise MfError(
            f"quadrature has no default for samples of {smooth} random numbers, only up to "
            f"{max(NODES_EACH)}. Take data = 'sobol', or say how many nodes: data_nodes = {3**smooth} has "
            "three for every number, for example"
        )
    each = NODES_EACH.get(smooth, 1)
    if nodes is not None and smooth:
        each = max(1, ceil((nodes / 2**pairs) ** (1 / smooth) - 1e-9))
    sizes = tuple(2 if LAWS[kind].standard is Standard.PAIR else each for kind in law.kinds)
    if prod(sizes) > 10**7:
        raise MfError(f"a tensor of {prod(sizes)} data nodes is too large; take fewer")
    return sizes


# ---------------------------------------------------------------------------------------- the laws of data


def isotropic_gaussians_law(dimension: int, separation: float) -> StandardLaw:
    """y = +1 and -1 with equal odds; x given y is N(0, (1 + y * separation)^2 I) (Nguyen 2019, 4.2.1)."""

    return StandardLaw((LawKind.NORMAL,) * dimension, (0.5, 0.5), partial(_isotropic_values, separation))


def _isotropic_values(separation: float, component: int, standard: Array) -> tuple[Array, Array]:
    y = 1.0 - 2.0 * component
    return (1 + y * separation) * standard, np.full((len(standard), 1), y)


def gaussian_mixture_law(means: Array, deviations: Array, odds: Array, labels: Array) -> StandardLaw:
    """Component j has probability odds[j]; x given j is N(means[j], deviations[j]^2 I), y = labels[j]."""

    values = partial(_mixture_values, means, deviations, labels)
    return StandardLaw((LawKind.NORMAL,) * means.shape[1], tuple(map(float, odds)), values)


def _mixture_values(
    means: Array, deviations: Array, labels: Array, component: int, standard: Array
) -> tuple[Array, Array]:
    y = np.repeat(labels[component][None, :], len(standard), axis=0)
    return means[component] + deviations[component] * standard, y


def teacher_law(
    dimension: int,
    law: Law,
    arguments: Sequence[Array],
    targets: Callable[[Array], Array],
    outputs: int,
    noise: float,
) -> StandardLaw:
    """Coordinates independent with law ``law``; y = targets(x) + N(0, noise^2), [node, outputs]."""
    kinds = () if law.kind is LawKind.CONSTANT else (law.kind,) * dimension
    errors = (LawKind.NORMAL,) * (outputs if noise else 0)
    values = partial(_teacher_values, dimension, law, tuple(arguments), targets, noise)
    return StandardLaw((*kinds, *errors), (1.0,), values)


def _teacher_values(
    dimension: int,
    law: Law,
    arguments: tuple[Array, ...],
    targets: Callable[[Array], Array],
    noise: float,
    component: int,
    standard: Array,
) -> tuple[Array, Array]:
    if law.kind is LawKind.CONSTANT:
        x, errors = np.full((len(standard), dimension), float(arguments[0])), standard
    else:
        x = transform(law, arguments, standard[:, :dimension])
        errors = standard[:, dimension:]
    y = targets(x)
    return x, (y + noise * errors if noise else y)
