"""The log says what collapsed, the true reason, and the cost before and after."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import Finding, FindingKind
from mfderive.algebra.reduced import PassResult
from mfderive.analysis.dependencies import dependencies, reason
from mfderive.reduction import reduce as reduce_file
from mfderive.reduction.cost import compared_sizes, cost
from mfderive.reduction.reduce import PASSES, Pass
from mfderive.state.ensembles import ensemble_state, plan_ensembles

from .blowup import euler
from .specs import chain, document, layer

SPECS = Path(__file__).parents[2] / "specs"


def log(spec) -> str:
    return "\n".join(map(str, mf.reduce(mf.derive(mf.load(spec))).log))


def test_five_layers():
    """Theory C.3: the first population by its weights, two single types, the last by the output weights."""
    text = log(SPECS / "five_layer_gaussians.toml")
    assert "closure: h2.weight, h3.weight, h4.weight: random entries are replaced by their mean" in text
    assert (
        "h1: the neurons differ by the initial values of h1.weight (32 numbers): h1 reads h1.weight\n" in text
    )
    for name in ("h2", "h3"):
        assert (
            f"{name}: every neuron is the same: 1 type, because {name}.bias starts at 0 everywhere, " in text
        )
    assert (
        "h4: the neurons differ by the initial values of output.weight (1 number): h4 reads h4.weight, which "
        "is trained with D of h4, which reads output.weight" in text
    )
    assert "h3.weight: 1 value for all pairs, moving together" in text
    assert "h2.weight: 1 value for each source neuron in 'h1'" in text
    assert "h4.weight: 1 value for each target neuron in 'h4'" in text


def test_frozen_weights_carry_no_labels_back():
    """With h2.weight frozen, h2 does not feel the output weights; its D still does."""
    frozen = chain(2, hidden={"law": "normal(1, 0.1)", "rate": 0})
    text = log(frozen)
    assert "h2: every neuron is the same" in text
    assert "D of h2 differs by output.weight too: D of h2 reads output.weight" in text


def test_laws_that_name_an_end_are_a_reason():
    text = log(SPECS / "correlated_init.toml")
    assert "h2 reads h2.weight, which starts at values that follow h2.gain" in text


def test_populations_share_labels():
    text = log(SPECS / "residual.toml")
    line = next(line for line in text.splitlines() if "states of the same neurons" in line)
    assert line.startswith("exchangeability: s0, s1, s2 ")
    for label in (
        "s0.weight (10 numbers)",
        "s1.gate (1 number)",
        "s1.b (1 number)",
        "output.weight (1 number)",
    ):
        assert label in line


def test_convolutions_collapse_channels():
    """Between convolutions with constant biases all channels are one; kernels have one value a tap."""

    def convolution(name, source, weight):
        connection = {"from": source, "kind": "convolution", "weight": weight, "kernel": [2]}
        return {"name": name, "activation": "tanh", "bias": "0", "connections": [connection]}

    layers = [convolution("c1", "x", "normal(0, 1)"), convolution("c2", "c1", "normal(0.5, 0.1)")]
    layers += [convolution("c3", "c2", "normal(0.5, 0.1)"), layer("h4", "c3", "normal(0.2, 1)")]
    data = {"kind": "teacher", "dimension": 5, "target": "x1", "shape": [1, 5]}
    text = log(document(layers, {"from": "h4", "weight": "normal(1, 1)"}, data=data))
    assert "c2: every channel is the same: 1 type" in text and "c3: every channel is the same" in text
    assert "c3.weight: 2 values for all pairs, moving together" in text


def test_chains_end_at_their_label():
    """Every chain starts at its field, ends at its label, and each step is one that the equations make."""
    for path in sorted(SPECS.glob("*.toml"))[:6]:
        system = mf.reduce(mf.derive(mf.load(path))).system
        found = dependencies(system)
        for (name, place), labels in found.labels.items():
            for label in labels:
                chain_ = found.chain((name, place), label)
                assert chain_[0] == name and chain_[-1] == label
                for one, other in pairwise(chain_):
                    reads = {
                        a.field
                        for e in system.equations
                        if e.field == one
                        for t in e.terms
                        for _, a in t.accesses
                    }
                    law = system.parameter[one].law.references if one in system.parameter else ()
                    follows = {reference.parameter for _, reference in law} | {f"d {one}"}
                    assert other in reads | follows


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_cost_of_a_chain(depth):
    """Values counted by hand; work 6 (n d + (depth - 1) n^2 + n) operations, plus terms of order n."""
    limit = mf.derive(mf.load(chain(depth)))
    n, d = 1000, 3
    found = cost(limit, compared_sizes(limit, plan_ensembles(limit)))
    assert found.values == n * d + (depth - 1) * n * n + depth * n + n
    leading = 6 * (n * d + (depth - 1) * n * n + n)
    assert leading < found.work < leading + 30 * depth * n
    assert "with 1000 nodes per population" in log(chain(depth))


def test_collapse_is_cheaper():
    reduced = mf.reduce(mf.derive(mf.load(chain(4)))).system
    nodes = {name: plan.nodes for name, plan in plan_ensembles(reduced).items()}
    assert cost(reduced, nodes).work < 20_000 * 3


def kernel(operation: str, rate: int = 1):
    """Two layers with an operation of one's own between them; all neurons of the second are equal."""
    weight = {"law": "normal(1, 0.5)", "rate": rate}
    connections = [{"from": "h1", "weight": weight, "operation": operation}]
    layers = [layer("h1", "x", "normal(0, 1)")]
    layers.append({"name": "h2", "activation": "tanh", "bias": "0", "connections": connections})
    layers.append(layer("h3", "h2", {"law": "normal(1, 0.1)", "rate": 0}, bias="0"))
    return document(layers, {"from": "h3", "weight": "1"})


def test_frozen_weights_and_kernels_are_counted_truly():
    """A frozen kernel has a value for every node of its noise, and does not move."""
    text = log(kernel("tanh(w * u)", rate=0))
    assert (
        "h2.weight: 1 value for each of the 24 noise nodes (by default), the same for all pairs, frozen"
        in text
    )
    assert "h3.weight: 1 value for all pairs, frozen" in text
    moving = log(kernel("tanh(w * u)"))
    assert "h2.weight: 1 value for each source neuron in 'h1' and each of the 24 noise nodes" in moving
    assert "moving together" not in text + moving


def test_affine_in_disguise():
    """Powers of a weight may cancel: (w + 1)^2 - w^2 = 2 w + 1 needs the mean alone, and the same one."""
    disguised, plain = (
        mf.reduce(mf.derive(mf.load(kernel(operation))))
        for operation in ("((w + 1)**2 - w**2) * u", "(2 * w + 1) * u")
    )
    assert FindingKind.KEPT_NOISE not in {finding.kind for finding in disguised.findings}
    assert [axis.name for axis in disguised.system.axes] == [axis.name for axis in plain.system.axes]
    batches = [mf.load(kernel("w * u")).source.batch(k + 1, 8) for k in range(5)]
    ends = []
    for system in (disguised.system, plain.system):
        start = ensemble_state(system, plan_ensembles(system, nodes=27), 0)
        ends.append(euler(system, start, batches, 0.05))
    # The same numbers in another order of operations: rounding alone.
    np.testing.assert_allclose(ends[0]["h2.weight"], ends[1]["h2.weight"], rtol=1e-12)
    assert "does not enter affinely" in log(kernel("((w + 1)**2 - w) * u"))


def test_ensembles_are_those_of_default():
    """A limit does not know [solver]: what its log says of nodes holds unless a spec chooses others."""
    spec = chain(3) | {"solver": {"nodes": 7}}
    assert "ensembles: by default h1: " in log(spec)


def test_a_pass_is_one_row_with_its_sentences(monkeypatch):
    """A pass that finds something of a kind of its own; without a sentence the message says where it goes."""

    def found(system):
        return PassResult(system, (Finding.of("odd layers", "h1", count=1),))

    def said(system, finding):
        return f"{finding.subjects[0]}: {finding.facts['count']} odd layer of '{system.title}'"

    for number, sentences in enumerate(({"odd layers": said}, {})):
        monkeypatch.setattr(reduce_file, "PASSES", (*PASSES, Pass("odd", found, sentences)))
        limit = mf.derive(mf.load(chain(2) | {"title": f"Net {number}"}))
        if sentences:
            assert "odd: h1: 1 odd layer of 'Net 0'" in map(str, mf.reduce(limit).log)
            assert mf.reduce(limit).names[-1] == "odd"
        else:
            with pytest.raises(mf.MfError, match=r"kind 'odd layers'; add one to the row of the pass 'odd'"):
                mf.reduce(limit)


def test_reasons_that_differ_at_their_end_are_said_once():
    """Reasons are merged by what they say before their last field, not by their words."""
    text = log(SPECS / "gated.toml")
    assert "h2 reads h1.b and h2.carry; h1 reads h1.weight.x; h1.g reads h1.weight.x.g; h2 reads" in text
    limit = mf.derive(mf.load(chain(2)))
    one, other = (reason(limit, ("h2", name)) for name in ("h2.bias", limit.adjoint_of["h1"]))
    assert (one.start, one.end, other.start, other.end) == ("h2 reads", "h2.bias", "h2 reads", "D of h1")
    assert str(reason(limit, ("h2",))) == "h2"
