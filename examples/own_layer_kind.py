"""A layer kind of your own: self-attention between positions, stated as a forward equation alone.

The kind ``attention`` reads three layers. With queries Q and keys K on one population, and values V,

    S(p, q) = Mean_c [ Q(c, p) K(c, q) ],  A(p, .) = softmax of S(p, .),  h(c, p) += Sum_q A(p, q) V(c, q).

Derivation, reduction, generated solver and finite networks follow from these lines; none of them knows the
kind. Run it from anywhere: ``python examples/own_layer_kind.py``.
"""

import numpy as np
import sympy as sp

import mfderive as mf
from mfderive.algebra.functions import call
from mfderive.algebra.terms import Access
from mfderive.network.values import TEXT, Key, table


def positions(site):
    """The layer has the positions of its queries."""
    return site.shape(site.options["queries"]).positions


def attention(site):
    """The forward equation: which values are read, with which factor, and what is summed."""
    queries, keys = site.options["queries"], site.options["keys"]
    if site.shape(queries).neurons != site.shape(keys).neurons:
        raise site.error("queries and keys must have the same neurons", key="keys")
    data, _, here = site.target
    there, neuron = site.fresh((*site.source.positions, site.shape(queries).neurons))
    row = (data, here)

    # The scores S(p, q), and the softmax over q; the largest score is subtracted, which changes nothing.
    q, k, s = sp.symbols("q k s")
    products = {
        "q": site.output((data, neuron, here), queries),
        "k": site.output((data, neuron, there), keys),
    }
    scores = {"s": site.field("score", (*row, there), (neuron,), q * k, products)}
    first = site.field("select", (*row, there), (), s, scores, frozen=True, selector=1)
    scores["first"] = first
    scores["top"] = site.field("top", row, (there,), sp.Symbol("first") * s, scores, frozen=True)
    weight = call("exp", s - sp.Symbol("top"))
    scores["total"] = site.field("sum", row, (there,), weight, scores)
    share = site.field("attention", (*row, there), (), weight / sp.Symbol("total"), scores)

    own = site.target[1]
    return mf.Reading(
        source=(data, own, there),
        source_neuron=own,
        reduced=(there,),
        factor=sp.Symbol("share"),
        values={"share": Access(share.field, (*row, there))},
    )


mf.register_kind(
    mf.ConnectionKind(
        "attention",
        attention,
        operation="u",
        has_weight=False,
        shares_neurons=True,
        keys=table(
            Key("queries", TEXT, "the layer whose positions ask", required=True),
            Key("keys", TEXT, "the layer, on the same neurons, whose positions are asked", required=True),
        ),
        layers=("queries", "keys"),
        positions=positions,
    )
)


def projection(name, deviation, **keys):
    """A layer that reads the tokens position by position."""
    convolution = {"kind": "convolution", "kernel": [1], "weight": f"normal(0.5, {deviation})"}
    return {"name": name, "from": "tokens", **convolution, **keys}


SPEC = {
    "format": 1,
    "title": "Self-attention",
    "data": {
        "kind": "teacher",
        "dimension": 12,
        "shape": [3, 4],
        "target": "tanh(x1 * x6) + 0.5 * x9",
    },
    "loss": {"kind": "squared"},
    "layers": [
        {
            "name": "tokens",
            "from": "x",
            "kind": "convolution",
            "kernel": [1],
            "weight": "normal(0, 1)",
            "activation": "tanh",
        },
        projection("asked", 2),
        projection("answers", 2, neurons="asked"),
        projection("content", 1),
        {
            "name": "mixed",
            "from": "content",
            "kind": "attention",
            "queries": "asked",
            "keys": "answers",
            "bias": "normal(0, 0.5)",
            "activation": "tanh",
        },
    ],
    "output": {"from": "mixed", "weight": "normal(0.5, 1)", "bias": "0"},
    "training": {"learning_rate": 0.05, "batch_size": 50, "steps": 100},
    "check": {"widths": [16, 32, 64], "seeds": 8, "steps": 10, "nodes": 64, "evaluation": 60},
}


def main() -> dict[str, float | bool | None]:
    net = mf.load(SPEC)
    limit = mf.derive(net)
    print(limit)
    reduced = mf.reduce(limit)
    print(*reduced.log, sep="\n")

    # The generated velocity is the scaled gradient of a finite network, to rounding.
    solver = mf.generate(limit)
    state = solver.sample(widths=8, seed=0)
    x, y = net.source.batch(1, 6)
    velocity = solver.velocity(state, x, y)
    witness = mf.finite_velocity(net, state, x, y)
    disagreement = max(float(np.abs(velocity[name] - witness[name]).max()) for name in velocity)
    print(f"generated velocity against complex steps of a network: {disagreement:.1e}")

    # The limit, and a wide network beside it on the same batches.
    path = mf.solve(net, nodes=128, evaluation=200)
    trained = mf.simulate(net, width=128, seeds=1, evaluation=200)[0]
    print(f"loss of the limit {path.loss[0]:.3f} -> {path.loss[-1]:.3f}, of a network {trained.loss[-1]:.3f}")

    # Do networks approach it? Within 20 % of the outputs' size, with eight networks of each width.
    verdict = mf.check(net, tolerance=0.2)
    print(verdict.text)
    return {"disagreement": disagreement, "agrees": verdict.agrees}


if __name__ == "__main__":
    main()
