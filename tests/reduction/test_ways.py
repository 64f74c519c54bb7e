"""The ways between a limit and its reduction: passes as rows, states there, networks back, findings."""

from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.findings import FindingKind
from mfderive.algebra.reduced import LogEntry, PassResult, Reduced
from mfderive.errors import MfError, StateError
from mfderive.reduction import reduce as reduction
from mfderive.reduction.reduce import Pass, held_at_means, reduced_by
from mfderive.state.ensembles import ensemble_state, plan_ensembles
from mfderive.state.sample import sample_network

from .blowup import blown_up, euler, small_state
from .specs import chain, document, layer


def kernel_spec():
    """Three layers, the second weight inside tanh, so that its noise stays."""
    kernel = {"from": "h1", "operation": "tanh(w * u)", "weight": "normal(1, 0.5)"}
    layers = [
        layer("h1", "x", "normal(0, 1)"),
        {"name": "h2", "activation": "tanh", "bias": "0", "connections": [kernel]},
        layer("h3", "h2", "normal(1, 0.5)"),
    ]
    return document(layers, {"from": "h3", "weight": "normal(1, 0.5)"})


# Of the passes that there are.
NAMES = tuple(each.name for each in reduction.PASSES)


def reduced_of(spec):
    network = mf.load(spec)
    return network, mf.reduce(mf.derive(network))


def test_a_reduced_limit_reads_like_its_system():
    _, reduced = reduced_of(chain(3))
    system = reduced.system
    assert reduced.full.passes == ()
    assert reduced.names == system.passes == NAMES
    for part in ("forward", "backward", "evolution", "scalings"):
        assert getattr(reduced, part) == getattr(system, part)
    assert str(reduced) == str(system)
    assert system._repr_html_() in reduced._repr_html_() and "closure" in reduced._repr_html_()
    assert str(reduced.forward["h2"]) == str(system.forward["h2"])
    assert mf.generate(reduced) is mf.generate(system)


def test_the_limit_itself_is_a_reduction():
    limit = mf.derive(mf.load(chain(3)))
    alone = Reduced.identity(limit)
    assert alone.system is limit and alone.names == alone.log == alone.findings == ()
    state = {"p": {}}
    assert alone.restrict(state) is state and alone.encode(1.0, 2.0) == (1.0, 2.0)


def test_a_pass_that_does_nothing_is_one_row(monkeypatch):
    """The log names it, and everything else is as without it: numbers, samples, a saved run."""
    network = mf.load(chain(3))
    before = mf.solve(network, nodes=8, steps=3, evaluation=5)
    monkeypatch.setattr(reduction, "PASSES", (*reduction.PASSES, Pass("nothing", PassResult)))
    again = mf.load(chain(3))
    reduced = mf.reduce(mf.derive(again))
    assert reduced.names == (*NAMES, "nothing")
    entry = next(entry for entry in reduced.log if entry.pass_name == "nothing")
    assert str(entry) == f"nothing: {entry.text}" and "as before" in entry.text
    after = mf.solve(again, nodes=8, steps=3, evaluation=5)
    assert np.array_equal(before.loss, after.loss)
    one, other = before.sample(5, seed=1), after.sample(5, seed=1)
    assert all(np.array_equal(one[name], other[name]) for name in one if name != "p")


def test_ways_compose_in_order():
    """encode and restrict go through the passes forwards, lift backwards; initial values are gathered."""
    limit = mf.derive(mf.load(chain(3)))

    def passing(name):
        return PassResult(
            limit,
            encode=lambda x, y: ([*x, name], y),
            restrict=lambda state: {**state, name: len(state)},
            lift=lambda network: replace(network, state=[*network.state, name]),
            initial_values=(name, "both"),
        )

    reduced = Reduced.identity(limit).then("one", passing("one")).then("two", passing("two"))
    assert reduced.encode([]) == (["one", "two"], None)
    assert reduced.restrict({}) == {"one": 0, "two": 1}
    network = reduced.lift(mf_network([]))
    assert network.state == ["two", "one"]
    assert reduced.initial_values == ("one", "both", "two")
    assert reduced.system is limit and limit.passes == ()


def mf_network(state):
    from mfderive.algebra.reduced import DrawnNetwork

    return DrawnNetwork(state, {}, {}, lambda name: None)


@pytest.mark.parametrize("spec", [chain(4), kernel_spec()], ids=["closed", "kernel"])
def test_states_restrict_to_what_makes_the_same_steps(spec):
    """A whole state of repeated values restricts, and twenty steps of both systems agree to rounding."""
    network, reduced = reduced_of(spec)
    nodes = small_state(reduced.system, 3, 1, noise=0.1)
    whole = blown_up(reduced.full, reduced.system, nodes)
    if reduced.system.node_axes != reduced.system.populations:
        # Entries that differ from pair to pair have no reduced state; the same for all targets have.
        whole["h2.weight"] = np.repeat(whole["h2.weight"][:1], len(whole["h2.weight"]), axis=0)
    batches = [network.source.batch(k + 1, 4) for k in range(20)]
    small = reduced.restrict(whole)
    expected = reduced.restrict(euler(reduced.full, whole, batches, 0.05))
    found = euler(reduced.system, small, batches, 0.05)
    assert set(found) == set(expected) == {p.name for p in reduced.system.parameters} | {"p"}
    assert set(small["p"]) == {axis.name for axis in reduced.system.node_axes}
    for name, value in expected.items():
        if name != "p":
            np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-12, err_msg=name)


def test_a_state_that_differs_along_what_goes_has_no_reduced_one():
    _, reduced = reduced_of(chain(4))
    drawn = mf.generate(reduced.full).sample(6, seed=1)
    with pytest.raises(StateError, match=r"'h2.weight' differs along 'h2', .*Solve the whole system"):
        reduced.restrict(drawn)


@pytest.mark.parametrize("spec", [chain(4), kernel_spec()], ids=["closed", "kernel"])
def test_a_lifted_network_is_on_the_networks_layout(spec):
    _, reduced = reduced_of(spec)
    state = ensemble_state(reduced.system, plan_ensembles(reduced.system, nodes=8), 0)
    drawn = mf.generate(reduced.full).sample(7)
    network = sample_network(reduced, state, state, 7, 3)
    assert {n: v.shape for n, v in network.items() if n != "p"} == {
        n: v.shape for n, v in drawn.items() if n != "p"
    }
    assert network["p"].keys() == drawn["p"].keys()


def test_a_system_of_a_reduction_alone_cannot_be_sampled():
    network, reduced = reduced_of(chain(3))
    path = mf.solve(network, system=reduced.system, nodes=8, steps=1, evaluation=5)
    with pytest.raises(StateError, match=r"whole result of reduce\(limit\)"):
        path.sample(4)
    assert mf.solve(network, system=reduced, nodes=8, steps=1, evaluation=5).sample(4)["h1.weight"].shape


def test_reductions_by_name():
    limit = mf.derive(mf.load(chain(3)))
    assert reduced_by(limit, ()).system is limit
    assert reduced_by(limit, NAMES) is mf.reduce(limit)
    assert reduced_by(limit, ["means"]) is held_at_means(limit) and held_at_means(limit).system is limit
    # A run that was kept before a pass was added still has its own.
    assert reduced_by(limit, ["closure"]).names == ("closure",)
    with pytest.raises(MfError, match="there is no pass 'closer' of a reduction; known are closure"):
        reduced_by(limit, ["closure", "closer"])


def test_findings_say_what_the_log_says():
    """Kinds and subjects of a deep chain: means, single types, labels, what is left of weights."""
    _, reduced = reduced_of(chain(4))
    found = {(finding.kind, finding.subjects) for finding in reduced.findings}
    assert (FindingKind.CLOSED, ("h2.weight", "h3.weight", "h4.weight")) in found
    assert {(FindingKind.ONE_TYPE, ("h2",)), (FindingKind.ONE_TYPE, ("h3",))} <= found
    labels = {f.subjects: f.facts["labels"] for f in reduced.findings if f.kind is FindingKind.LABELS}
    assert [(label, numbers) for label, numbers, _ in labels[("h1",)]] == [("h1.weight", 3)]
    assert all(isinstance(entry, LogEntry) for entry in reduced.log)
    assert len(reduced.log) > len(reduced.findings)
