"""States know what they live on: solve and simulate take them there, and refuse what fits nothing."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.algebra.reduced import Reduced
from mfderive.errors import StateError
from mfderive.state.state import State, arrays_on
from tests.reduction.specs import chain


@pytest.fixture(scope="module")
def net():
    return mf.load(chain(3))


@pytest.fixture(scope="module")
def path(net):
    return mf.solve(net, nodes=8, steps=4, evaluation=5)


def test_a_state_reads_like_a_dictionary(path):
    state = path.at()
    assert set(state) == {p.name for p in path.reduced.system.parameters} | {"p"}
    assert len(state) == len(list(state))
    assert state["p"]["h1"].sum() == pytest.approx(1)
    assert dict(state)["h1.weight"] is state["h1.weight"] is state.arrays["h1.weight"]
    assert state.layout is path.reduced and "nodes h1: 8" in repr(state)
    with pytest.raises(KeyError):
        state["h9.weight"]


def test_a_layout_may_wait():
    made = []

    def make():
        made.append(1)
        return Reduced.identity(mf.derive(mf.load(chain(2))))

    state = State({"p": {}}, make)
    assert not made and state.layout is state.layout and made == [1]


def test_solvers_take_states(net, path):
    solver = mf.generate(path.reduced)
    x, y = net.source.batch(1, 3)
    assert np.array_equal(solver.forward(path.at(), x)["yhat"], path.predict(x))
    assert set(solver.step(path.at(), x, y, 0.0, 0.1)) == set(path.at())


def test_a_state_is_solved_on_what_it_lives_on(net, path):
    """Without a word of the caller, and to the bit what resuming at its time gives."""
    onward = mf.solve(net, initial=path.at(), steps=2, evaluation=5)
    assert onward.reduced is path.reduced and onward.loss[0] == path.loss[-1]
    trained = mf.simulate(net, 6, 1, steps=1, evaluation=5, precision="float64")[0]
    whole = mf.solve(net, initial=trained.at(), steps=2, evaluation=5)
    assert whole.passes == () and whole.loss[0] == pytest.approx(trained.loss[-1], rel=1e-12)
    sampled = path.sample(6)
    assert mf.solve(net, initial=sampled, steps=1, evaluation=5).passes == ()


def test_a_dictionary_is_a_state_of_what_is_solved(net, path):
    plain = dict(path.at())
    onward = mf.solve(net, initial=plain, system=path.reduced, steps=2, evaluation=5)
    assert np.array_equal(onward.loss, mf.solve(net, initial=path.at(), steps=2, evaluation=5).loss)
    with pytest.raises(StateError, match=r"weights of population 'h2' are missing.*whole network.*system="):
        mf.solve(net, initial=plain, steps=2)
    drawn = mf.generate(mf.derive(net)).sample(5)
    assert mf.solve(net, initial=drawn, steps=1, evaluation=5).passes == ()
    with pytest.raises(StateError, match=r"reduced by closure and exchangeability"):
        mf.solve(net, initial=drawn, system=path.reduced, steps=1)
    wrong = {**drawn, "h2.weight": drawn["h2.weight"][:-1]}
    with pytest.raises(StateError, match=r"shape \(4, 5\), expected \(5, 5\) for the axes \['h2', 'h1'\]"):
        mf.solve(net, initial=wrong, steps=1)


def test_what_lives_elsewhere_is_refused_with_the_remedy(net, path):
    with pytest.raises(StateError, match=r"limit reduced by closure .* sample\(n\) draws a network"):
        mf.simulate(net, None, 1, initial=path.at())
    whole = path.sample(6)
    with pytest.raises(StateError, match=r"state of the whole network.*reduce\(limit\).restrict\(state\)"):
        mf.solve(net, initial=whole, system=path.reduced)
    assert arrays_on(whole, Reduced.identity(mf.derive(net)))["h1.weight"] is not None
    means = mf.solve(net, reduce=False, edges="mean", widths=6, steps=1, evaluation=5)
    with pytest.raises(StateError, match="reduced by means"):
        mf.simulate(net, None, 1, initial=means.at())


def test_states_come_back_from_files(net, path, tmp_path):
    """A loaded trajectory lives on the same passes; its states go on where they came from."""
    loaded = mf.Trajectory.load(path.save(tmp_path))
    assert loaded.passes == ("closure", "exchangeability") and loaded.at().layout is loaded.reduced
    x = net.source.evaluation(3)[0]
    assert np.array_equal(loaded.predict(x), path.predict(x))
    one, other = path.sample(5, seed=2), loaded.sample(5, seed=2)
    assert all(np.array_equal(one[name], other[name]) for name in one if name != "p")
    means = mf.solve(net, reduce=False, edges="mean", widths=6, steps=1, evaluation=5)
    again = mf.Trajectory.load(means.save(tmp_path / "means"))
    assert again.passes == ("means",)
    assert np.array_equal(again.sample(5)["h2.weight"], means.sample(5)["h2.weight"])
    trained = mf.simulate(net, 6, 1, steps=1, evaluation=5)[0]
    back = mf.Trajectory.load(trained.save(tmp_path / "net"))
    assert np.array_equal(back.predict(x), trained.predict(x))
    with pytest.raises(StateError, match="lives on no reduction"):
        back.reduced  # noqa: B018


def test_a_run_on_a_system_of_its_own_is_not_taken_for_the_networks(net, path, tmp_path):
    own = mf.solve(net, system=path.reduced.system, nodes=8, steps=1, evaluation=5)
    loaded = mf.Trajectory.load(own.save(tmp_path))
    assert np.array_equal(loaded.loss, own.loss)
    with pytest.raises(StateError, match="a system of its own"):
        loaded.predict(net.source.evaluation(3)[0])


def test_a_system_of_its_own_with_equal_shapes_is_seen_by_its_equations(net, path, tmp_path):
    """Another activation predicts otherwise, another deviation samples otherwise; both are refused."""
    x = net.source.evaluation(3)[0]
    for number, layer in enumerate(({"activation": "sin"}, {"weight": "normal(1, 3)"})):
        other = net.replace(layers={"h2": layer})
        own = mf.solve(net, system=mf.reduce(mf.derive(other)), nodes=8, steps=1, evaluation=5)
        assert all(own.at()[name].shape == path.at()[name].shape for name in path.at() if name != "p")
        loaded = mf.Trajectory.load(own.save(tmp_path / str(number)))
        assert np.array_equal(loaded.at()["h1.weight"], own.at()["h1.weight"])
        for question in (lambda: loaded.predict(x), lambda: loaded.sample(5), lambda: loaded.reduced):  # noqa: B023
            with pytest.raises(StateError, match=r"a system of its own.*equations or laws differ.*initial="):
                question()
        # Its arrays go on where the system is said.
        onward = mf.solve(net, system=own.reduced, initial=loaded.at().arrays, steps=1, evaluation=5)
        assert np.array_equal(onward.predict(x, 0.0), own.predict(x))


def test_a_solution_of_a_system_of_its_own_goes_on_for_another_network_only_where_it_is_said(net):
    other = mf.reduce(mf.derive(net.replace(layers={"h2": {"activation": "sin"}})))
    own = mf.solve(net, system=other, nodes=8, steps=1, evaluation=5, seed=4)
    slower = net.replace(training={"steps": 9})
    with pytest.raises(mf.ArgumentError, match=r"a system of its own.*system="):
        mf.solve(slower, resume=own, steps=2)
    onward = mf.solve(slower, resume=own, steps=2, system=other)
    assert onward.at(own.times[-1]) is own.at() and onward.seed == 4
    assert mf.solve(net, resume=own, steps=2).reduced is other


def test_a_state_is_held_against_its_layout(net, path):
    """What is no dictionary, no layout, or does not fit it is refused; what fits is kept as it is."""
    arrays = path.at().arrays
    for wrong in (3, None, [1.0], "h1"):
        with pytest.raises(mf.ArgumentError, match=r"a state .* is needed, found"):
            State(wrong, path.reduced)
    for wrong in (3, None, "limit", net):
        with pytest.raises(mf.ArgumentError, match=r"the layout of a state is .*reduced limit"):
            State(arrays, wrong)
    h1 = arrays["h1.weight"]
    for change, says in (
        ({"h1.weight": h1[:, :2]}, r"'h1.weight'\] has shape"),
        ({"h9": h1}, "no parameter 'h9'"),
        ({3: h1}, "no parameter '3'. Allowed: h1.bias"),
        ({"p": {}}, "'h1' are missing"),
        ({"p": {**arrays["p"], 7: np.ones(1)}}, "no population '7'"),
    ):
        with pytest.raises(StateError, match=says):
            State(arrays | change, path.reduced)
    assert State(arrays, path.reduced).arrays is arrays
    with pytest.raises(StateError, match="'7'"):
        path.sample({7: 3, "h1": 3, "h2": 3, "h3": 3})


def test_what_is_restricted_is_a_state_of_the_whole_limit(path):
    whole = path.sample(5)
    for given, says in (
        ({"a": 1}, r"state\['p'\] is missing"),
        (None, "a state .* is needed, found None"),
        (
            path.at(),
            "a state of the limit reduced by closure and exchangeability, but one of the whole network",
        ),
        (dict(path.at()), "the weights of population 'h2' are missing"),
        ({**whole, "h1.weight": whole["h1.weight"][:, :2]}, "h1.weight"),
    ):
        with pytest.raises(mf.ArgumentError, match=says):
            path.reduced.restrict(given)
