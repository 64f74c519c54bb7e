"""What one step of a solution averages over: a batch of its own, or the same weighted nodes every time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from ..algebra.law_kinds import smooth_numbers
from ..algebra.reduced import Reduced
from ..analysis.bends import has_kinks
from ..network.network import Network
from ..samples.folded import distinct
from ..samples.quadrature import DataNodes, data_nodes
from ..samples.rule_pairs import LEAST, MOST_NUMBERS, Standing, gauss_count, has_rule_pairs, rule_pair
from ..samples.sources import DataSource, LawSource
from ..samples.spaced_nodes import is_spaced, nested_points
from ..samples.standard_law import StandardLaw

Array = Any


@dataclass(frozen=True)
class Feed:
    """Samples and their weights (None: equal) for step k = 1, 2, ...

    ``nodes`` None: batch k of the network's data source, ``offset`` batches later; else these nodes at every
    step. ``rule`` and ``asked`` are the rule and the number of nodes that were asked for.
    """

    network: Network
    nodes: DataNodes | None = field(default=None, repr=False)
    offset: int = 0
    rule: str = "batches"
    asked: int | None = None

    @property
    def samples(self) -> int:
        """The number of samples of a step."""
        if self.nodes is not None:
            return len(self.nodes.x)
        batch = self.network.training.batch_size
        return (self.network.source.rows or 1) if isinstance(batch, str) else batch

    def __call__(self, k: int) -> tuple[Array, Array, Array | None]:
        """x [sample, *input_shape], y [sample, outputs] and weights [sample] of step k."""
        if self.nodes is not None:
            return self.nodes.x, self.nodes.y, self.nodes.weights
        return (*self.network.source.batch(k + self.offset, self.network.training.batch_size), None)


def make_feed(
    network: Network, reduced: Reduced, rule: str, nodes: int | None = None, scramble: int | None = None
) -> Feed:
    """The feed of a rule of :func:`mfderive.samples.quadrature.data_nodes`, or of "batches"."""
    if rule == "batches":
        return Feed(network)
    source = integrated_source(network, reduced)
    found = data_nodes(network, rule, nodes, scramble, source, has_kinks(reduced.system))
    if source is not network.source:  # nodes that differ may be the same to the reduced limit
        found = distinct(found, reduced.encode)
    return Feed(network, found, rule=rule, asked=nodes)


# Equally spaced nodes of one number are as good as so many times more points of a sample.
_PER_NODE = 16


def evaluation_points(network: Network, reduced: Reduced, samples: int) -> tuple[Array, Array, Standing]:
    """x, y on which a solution is evaluated, in the network's own form, and how they stand for the law.

    Those on which networks are evaluated, unless the reduced limit needs to know a single number of a
    sample: then equally spaced nodes of it, a sixteenth of ``samples`` for each component of the law.
    """
    source = integrated_source(network, reduced)
    law, whole = law_of(source), law_of(network.source)
    if law is not None and whole is not None and len(law.kinds) < len(whole.kinds) and is_spaced(law):
        x, y, rule = nested_points(law, samples // _PER_NODE)
        return x.reshape(len(x), *source.input_shape), y, rule
    return (*source.evaluation(samples), source.parts(samples))


def law_evaluation(
    network: Network, reduced: Reduced, samples: int, doublings: int
) -> tuple[Array, Array, Standing] | None:
    """x, y of nodes in place of at least ``samples`` points of evaluation, and how they stand for the law.

    ``doublings`` of the nodes of every number. None where the law has no such nodes: these are for a law of
    its own, which no network needs to share, in up to three numbers.
    """
    source = integrated_source(network, reduced)
    law = law_of(source)
    if law is None or not has_rule_pairs(law):
        return None
    numbers = len(smooth_numbers(law.kinds))
    first = samples / _PER_NODE if numbers == 1 else samples ** (1 / numbers)
    x, y, rule = rule_pair(law, max(LEAST, ceil(first - 1e-9)) * 2**doublings)
    return x.reshape(len(x), *source.input_shape), y, rule


def gauss_evaluation(
    network: Network, reduced: Reduced, samples: int, doublings: int
) -> tuple[Array, Array, Standing] | None:
    """x, y of Gauss nodes in place of points of evaluation, and how they stand for the law.

    As many of each number as make a pair of rules of at most ``samples`` points, and :func:`more_gauss` of
    them. None where functions have kinks, and where the law has no such pair.
    """
    source = integrated_source(network, reduced)
    law = law_of(source)
    count = None if law is None or has_kinks(reduced.system) else gauss_count(law, samples)
    if law is None or count is None:
        return None
    x, y, rule = rule_pair(law, more_gauss(law, count, doublings), spaced=False)
    return x.reshape(len(x), *source.input_shape), y, rule


def more_gauss(law: StandardLaw, count: int, doublings: int) -> int:
    """Gauss nodes of each number after ``doublings``; of many numbers, one more is many times the points."""
    few = len(smooth_numbers(law.kinds)) <= MOST_NUMBERS
    return count * 2**doublings if few else count + doublings


def integrated_source(network: Network, reduced: Reduced) -> DataSource:
    """The network's data; a law of it in as few numbers as the reduced limit needs to know of a sample."""
    source: DataSource = network.source
    given = law_of(source)
    if not isinstance(source, LawSource) or given is None:
        return source
    law = reduced.integrate(given)
    return source if law is given else replace(source, law=law)


def law_of(source: DataSource) -> StandardLaw | None:
    """The law of a source in standard variables, where it is known."""
    return source.law if isinstance(source, LawSource) else None
