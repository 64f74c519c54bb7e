"""Attention between positions: each reads the values of all, weighed by a softmax of scalar products."""

from __future__ import annotations

import sympy as sp

from ..algebra.functions import call
from ..algebra.terms import Access, Index
from ..network.values import POSITIVE, TEXT, Key, table
from .kind import ConnectionKind, Positions, Reading, Site


def _positions(site: Site) -> Positions:
    """The layer has the positions of its queries."""
    return site.shape(site.options["queries"]).positions


def _shares(site: Site, row: tuple[Index, ...], there: Index, score: Access) -> Access:
    """The softmax over the positions that are asked; that the largest score is subtracted changes nothing."""
    known = {"s": score}
    s, top = sp.symbols("s top")
    known["first"] = site.field("select", (*row, there), (), s, known, frozen=True, selector=1)
    known["top"] = site.field("top", row, (there,), sp.Symbol("first") * s, known, frozen=True)
    weight = call("exp", s - top)
    known["total"] = site.field("sum", row, (there,), weight, known)
    share = site.field("attention", (*row, there), (), weight / sp.Symbol("total"), known)
    return Access(share.field, (*row, there))


def attention(site: Site) -> Reading:
    """``h(c, p) += Sum_q A(p, q) u(c, q)`` with A(p, .) = softmax of S(p, .).

    ``S(p, q) = scale Mean_c [Q(c, p) K(c, q)]``: a mean over a population, a sum over finite neurons.
    """
    queries, keys = site.options["queries"], site.options["keys"]
    shapes = [site.shape(layer) for layer in (queries, keys)]
    if shapes[0].neurons != shapes[1].neurons:
        raise site.error(
            f"'{queries}' and '{keys}' do not share their neurons",
            key="keys",
            remedy=f'Give one of them neurons = "{queries}", so that each query meets its key',
        )
    if any(shape.groups for shape in (*shapes, site.source, site.own)):
        raise site.error(
            "attention between positions is not known for neurons that come in groups",
            remedy="Read the groups by a convolution with kernel = [1] and without groups first",
        )
    counts = [len(shape.positions) for shape in (*shapes, site.source)]
    sizes = [site.size(*shape.positions) for shape in (shapes[1], site.source)]
    if counts != [1, 1, 1] or sizes[0] != sizes[1]:
        raise site.error(
            f"attention reads one axis of positions, as many of keys as of values, not {counts}: {sizes}",
            remedy="Give the data a shape [channels, positions]; read it by convolutions with kernel = [1]",
        )
    data, own, here = site.target
    there, neuron = site.fresh((*site.source.positions, shapes[0].neurons))
    reads = {
        "q": site.output((data, neuron, here), queries),
        "k": site.output((data, neuron, there), keys),
    }
    product = sp.Symbol("q") * sp.Symbol("k") * sp.sympify(site.options.get("scale", 1))
    share = _shares(
        site, (data, here), there, site.field("score", (data, here, there), (neuron,), product, reads)
    )
    return Reading(
        source=(data, own, there),
        source_neuron=own,
        reduced=(there,),
        factor=sp.Symbol("share"),
        values={"share": share},
    )


ATTENTION = ConnectionKind(
    "dot-attention",
    attention,
    operation="u",
    has_weight=False,
    shares_neurons=True,
    keys=table(
        Key("queries", TEXT, "the layer whose positions ask", required=True),
        Key("keys", TEXT, "the layer, on the same neurons, whose positions are asked", required=True),
        Key("scale", POSITIVE, "factor of the scalar products, which are means over a population; default 1"),
    ),
    layers=("queries", "keys"),
    positions=_positions,
)
