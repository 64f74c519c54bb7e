"""Nodes that a coarse solution chooses: few for narrow labels, all of them where functions bend."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.samples.points import standard_points, tensor_points
from mfderive.samples.quadrature import fewer_gauss
from mfderive.solution import node_choice, node_ladders
from mfderive.solution.label_polynomials import LabelPolynomials
from mfderive.solution.node_choice import CHOSEN, CHOSEN_DATA
from mfderive.state.ensemble_plan import Ensemble

# The numbers of the labels of ``wide(3)``, in their order.
NUMBERS = ("w1", "w2", "w3", "output")
DENSE = {"bias": "0", "activation": "tanh"}


def network(law="normal(1, 0.1)", activation="tanh", **training):
    return mf.load(
        {
            "format": 1,
            "title": "labels",
            "data": {"kind": "teacher", "dimension": 1, "target": "sin(x1)", "inputs": "normal(0, 1)"},
            "loss": {"kind": "squared"},
            "layers": [{"name": "h1", "from": "x", "weight": law, **DENSE, "activation": activation}],
            "output": {"from": "h1", "weight": "0.5"},
            "training": {"learning_rate": 0.05, "steps": 20, "batch_size": 10, **training},
        }
    )


def test_narrow_labels_have_few_nodes_and_the_same_loss():
    """w ~ N(1, 0.1): the loss is that of all nodes to 1e-3 of itself, which may lie beyond a degree."""
    net = network()
    path = mf.solve(net, method="flow", stated_error=False)
    full = mf.solve(net, method="flow", nodes=32, stated_error=False)
    assert path.notes[CHOSEN] == {"h1": [path.notes["nodes"]["h1"]]} and path.notes["nodes"]["h1"] < 8
    assert CHOSEN not in full.notes and full.notes["nodes"]["h1"] == 32
    assert np.abs(path.loss / full.loss - 1).max() < 1e-3


@pytest.mark.parametrize(
    ("law", "activation", "options"),
    [
        ("normal(0, 1)", "relu", {}),  # a kink at w x = 0
        ("normal(0, 3)", "tanh", {}),  # steep
        ("normal(1, 0.1)", "tanh", {"nodes": 20}),
        ("normal(1, 0.1)", "tanh", {"nodes": {"h1": 20}}),
        ("normal(1, 0.1)", "tanh", {"rule": "sobol", "nodes": 64}),
        ("normal(1, 0.1)", "tanh", {"method": "euler"}),  # batches
    ],
)
def test_all_nodes_stay(law, activation, options):
    """Where fields bend in the label, where somebody asked for nodes, and on batches."""
    path = mf.solve(network(law, activation), stated_error=False, **{"method": "flow", **options})
    wanted = options.get("nodes", 32)
    assert CHOSEN not in path.notes
    assert path.notes["nodes"]["h1"] == (wanted["h1"] if isinstance(wanted, dict) else wanted)


def test_steps_of_sgd_on_the_law_itself_choose_too_and_a_rule_without_that_flow_does_not():
    """Euler's steps on quadrature nodes lie beside the flow of SGD, and Adam's do not."""
    path = mf.solve(network(), data="quadrature", stated_error=False)
    assert path.notes["nodes"]["h1"] < 8
    other = mf.solve(network(optimizer="adam"), data="quadrature", stated_error=False)
    assert other.notes["nodes"]["h1"] == 32


KINDS = ("normal", "uniform", "rademacher")


def test_polynomials_on_a_tensor_are_known_everywhere():
    """Powers below the nodes of each number, and their products: exact on any points (rounding)."""

    def function(p):
        z, u, s = p.T
        return np.stack([z**5 * u**2, np.where(s < 0.5, 1.0, -1.0) * (1 - z)], axis=1)

    points, _ = tensor_points(KINDS, (6, 3, 2))
    basis = LabelPolynomials.of(KINDS, points, (6, 3, 2))
    others = standard_points(KINDS, "sobol", 32, [1])
    np.testing.assert_allclose(basis.at(others, function(points)), function(others), rtol=1e-9, atol=1e-9)
    assert basis.left((points[:, 0] ** 2)[:, None]) < 1e-12
    kink = np.abs(points[:, 0])[:, None]
    assert basis.left(kink) > 0.01 * basis.size(kink)  # it does not end, though it has no odd degrees


def test_a_fit_on_points_is_exact_for_polynomials_and_sees_what_it_leaves():
    """Total degree 4 in four numbers, of which 256 points tell all products (rounding); |z| is left over."""
    kinds = ("normal", "uniform", "normal", "rademacher")
    points = standard_points(kinds, "sobol", 256, [3])
    basis = LabelPolynomials.of(kinds, points, ())

    def function(p):
        return (p[:, 0] ** 2 * p[:, 2] + p[:, 1] ** 4)[:, None]

    others = standard_points(kinds, "monte-carlo", 32, [5])
    np.testing.assert_allclose(basis.at(others, function(points)), function(others), rtol=1e-8, atol=1e-8)
    assert basis.left(function(points)) < 1e-10 and basis.left(np.abs(points[:, :1])) > 0.05
    assert (
        LabelPolynomials.of(("normal",) * 30, standard_points(("normal",) * 30, "sobol", 64, [3]), ()) is None
    )


def test_nodes_are_shared_out_where_they_do_most():
    """The number that is off by most gets more, until all together are off by no more than is allowed."""
    rungs = {0: {4: 0.0, 3: 1e-6, 2: 2e-4}, 1: {4: 0.0, 3: 1e-6, 2: 5e-5}, 2: {4: 0.0, 3: 1e-2}}
    assert node_ladders.shared(rungs, 3e-4) == {0: 2, 1: 2, 2: 4}
    assert node_ladders.shared(rungs, 1e-4) == {0: 3, 1: 2, 2: 4}
    assert node_ladders.shared({0: {8: 1e-2, 12: 1e-3}}, 3e-4) == {}  # more than was looked at


@pytest.mark.parametrize(
    ("errors", "found"),
    [
        ({8: 1e-9, 6: 1e-6, 5: 1e-3}, [5, 6, 8]),
        ({8: 1e-2, 12: 1e-3, 16: 1e-5, 20: 1e-9}, [8, 12, 16, 20]),
        ({8: 1e-2, 20: 1e-3}, [8, 20]),
    ],
)
def test_a_ladder_goes_down_while_little_is_off_and_up_where_much_is(errors, found):
    assert sorted(node_ladders.descended((3, 4, 5, 6, 8, 12, 16, 20), errors.__getitem__)) == found


@pytest.mark.parametrize(
    ("least", "found"),
    [
        (3, [3, 4, 8]),
        (5, [4, 5, 8]),
        (8, [4, 5, 6, 8]),
        (16, [8, 12, 16, 20]),
        (20, [8, 12, 16, 20]),
        (30, [8, 20]),
    ],
)
def test_the_fewest_nodes_are_found_by_halves(least, found):
    """Fewer than ``least`` are off by too much: few are tried, and ``least`` is found where it is there."""
    ladder = (3, 4, 5, 6, 8, 12, 16, 20)
    tried = node_ladders.fewest(ladder, lambda nodes: 1e-9 if nodes >= least else 1e-2)
    assert sorted(tried) == found
    assert node_ladders.shared({0: tried}, 3e-4).get(0) == (least if least in ladder else None)


def wide(dimension, law, activation="tanh", output="normal(0.5, 0.1)", **training):
    """A two-layer network whose neurons have ``dimension`` input weights and an output weight."""
    x = np.random.default_rng(dimension).standard_normal((24, dimension))
    document = {
        "format": 1,
        "title": "many numbers",
        "data": {"kind": "arrays"},
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": law, "bias": "0", "activation": activation}],
        "output": {"from": "h1", "weight": output},
        "training": {"learning_rate": 0.05, "steps": 20, "batch_size": "all", **training},
    }
    return mf.load(document, data=(x, np.sin(x[:, :1]) + 0.3 * x[:, 1:2] * x[:, 2:3]))


@pytest.mark.parametrize("dimension", [3, 4, 5, 6])
def test_a_tensor_of_few_nodes_takes_the_place_of_sampled_points(dimension):
    """4 to 7 narrow labels: tens of nodes, and a loss within 1e-3 of a scramble of 16 times the points.

    So many points are off by 1e-4 here (two scrambles differ by less). The stated error covers the distance.
    """
    net = wide(dimension, "normal(0.2, 0.08)")
    path = mf.solve(net, method="flow")
    sizes = path.notes[CHOSEN]["h1"]
    assert len(sizes) == dimension + 1 and path.notes["nodes"]["h1"] == np.prod(sizes) <= 300
    fine = mf.solve(net, method="flow", nodes=2**14, rule="sobol", stated_error=False)
    away = np.abs(path.loss - np.interp(path.times, fine.times, fine.loss))
    assert (away <= 1e-3 * fine.loss[0]).all() and (away <= path.loss_error + 1e-4).all()


def test_numbers_that_matter_less_have_fewer_nodes():
    """Output weights are narrow, and outputs linear in them: two nodes, and more for the weights of tanh."""
    net = wide(3, "normal(0.2, 0.08)", output="normal(0.5, 0.01)")
    path = mf.solve(net, method="flow", stated_error=False)
    sizes = dict(zip(NUMBERS, path.notes[CHOSEN]["h1"], strict=True))
    assert sizes["output"] == 2 and max(sizes.values()) > 2


@pytest.mark.parametrize(
    ("law", "activation"), [("normal(0, 1)", "relu"), ("normal(0, 2)", "tanh"), ("sphere(1)", "tanh")]
)
def test_sampled_points_stay_where_no_few_nodes_do(law, activation):
    """Kinks, steep functions, and vectors on a sphere, of which there is no tensor."""
    path = mf.solve(wide(4, law, activation), method="flow", stated_error=False)
    assert CHOSEN not in path.notes and path.notes["nodes"]["h1"] == 1024


def test_fields_that_are_linear_need_two_nodes_for_every_number():
    """Products of linear fields have degree 2 in each number: the loss is that of 5 nodes each, to rounding.

    Only the flow's own products of third degree, in which weights have moved, are beyond that: 1e-4.
    """
    net = wide(3, "normal(0.2, 0.05)", "identity")
    path = mf.solve(net, method="flow", stated_error=False)
    assert path.notes[CHOSEN]["h1"] == [2, 2, 2, 2]
    full = mf.solve(net, method="flow", nodes=625, rule="gauss", stated_error=False)
    assert np.abs(path.loss / np.interp(path.times, full.times, full.loss) - 1).max() < 1e-4


def test_the_law_of_the_data_has_few_nodes_where_fields_are_smooth():
    """Lengths of x in 32 dimensions hardly differ: few nodes of them, and the loss of all to 1e-4."""
    net = mf.load("specs/five_layer_tanh.toml")
    path = mf.solve(net, 0.2, method="flow", stated_error=False)
    assert path.notes[CHOSEN_DATA] <= 8
    full = mf.solve(net, 0.2, method="flow", data_nodes=64, stated_error=False)
    assert np.abs(path.loss / full.loss - 1).max() < 1e-4
    bent = mf.solve(mf.load("specs/five_layer_gaussians.toml"), 0.2, method="flow", stated_error=False)
    assert CHOSEN_DATA not in bent.notes


def test_two_nodes_are_compared_with_three():
    """Numbers of two values stay; a tensor too large for that has no other."""
    plan = Ensemble("h", ("w",), 4, "gauss", 24, (2, 3, 2, 2), (False, False, True, False))
    assert plan.other(fewer_gauss).tensor == (3, 2, 2, 3)
    large = Ensemble("h", ("w",), 10, "gauss", 1024, (2,) * 10, (False,) * 10)
    assert not large.other(fewer_gauss).nodes


@pytest.mark.parametrize(("steps", "chosen"), [(20, False), (4000, True)])
def test_steps_on_batches_choose_where_a_coarse_solution_is_cheap_beside_them(steps, chosen):
    """60 evaluations on up to 64 samples against steps on 10; the horizon is that of 20 steps in both."""
    net = network(steps=steps, learning_rate=1 / steps)
    path = mf.solve(net, stated_error=False, observations=4)
    assert (CHOSEN in path.notes) == chosen


def test_a_coarse_solution_that_cannot_be_followed_says_nothing(monkeypatch):
    """All nodes stay, and the solution itself says what is wrong, if anything is."""

    def lost(*_):
        raise mf.DivergenceError("lost")

    monkeypatch.setattr(node_choice, "FlowRun", lost)
    path = mf.solve(network(), method="flow", stated_error=False)
    assert CHOSEN not in path.notes and path.notes["nodes"]["h1"] == 32


def test_a_coarse_solution_takes_no_more_than_its_part(monkeypatch):
    """Where it needs more evaluations than a fifth of the steps are worth, it ends, and all nodes stay."""
    made = []

    class Counted(node_choice.FlowRun):
        def __init__(self, *given):
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(node_choice, "FlowRun", Counted)
    net = network(steps=4000, learning_rate=1 / 4000)
    assert CHOSEN in mf.solve(net, stated_error=False, observations=4).notes
    needed = made[0].evaluations
    assert needed < made[0].allowed < np.inf
    allowed = made[0].allowed
    monkeypatch.setattr(node_choice, "_SHARE", node_choice._SHARE * 0.6 * needed / allowed)
    monkeypatch.setattr(node_choice, "_EVALUATIONS", 1)
    assert CHOSEN not in mf.solve(net, stated_error=False, observations=4).notes
    assert len(made) == 2


def test_data_of_two_valued_numbers_has_all_its_points():
    """x of signs alone: the four points that there are, as a data set of these four has them, to rounding."""
    document = {
        "format": 1,
        "data": {
            "kind": "teacher",
            "dimension": 2,
            "target": "x1 * x2 + 0.3 * x1",
            "inputs": "rademacher(1)",
        },
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0.5, 0.5)", **DENSE}],
        "output": {"from": "h1", "weight": "normal(0.5, 1)"},
        "training": {"learning_rate": 0.05, "steps": 20, "batch_size": 10},
    }
    x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    points = {**document, "data": {"kind": "arrays"}}
    law = mf.solve(mf.load(document), method="flow", stated_error=False)
    rows = mf.load(points, data=(x, x[:, :1] * x[:, 1:] + 0.3 * x[:, :1]))
    own = mf.solve(rows, method="flow", nodes=law.notes["nodes"]["h1"], stated_error=False)
    assert law.notes["samples_per_step"] == 4
    np.testing.assert_allclose(law.loss, own.loss, rtol=1e-12)


def teacher(dimension, activation="identity", law="normal(0.3, 1)", target="x1 - x3"):
    """A two-layer network on normal inputs of many dimensions, none of which the limit can leave out."""
    return mf.load(
        {
            "format": 1,
            "title": "many inputs",
            "data": {"kind": "teacher", "dimension": dimension, "target": target},
            "loss": {"kind": "squared"},
            "layers": [{"name": "h1", "from": "x", "weight": law, "activation": activation}],
            "output": {"from": "h1", "weight": "normal(0.5, 0.7)"},
            "training": {"learning_rate": 0.05, "steps": 20, "batch_size": 10},
        }
    )


def test_few_nodes_of_a_law_of_many_numbers_take_the_place_of_points():
    """Five inputs of a linear network: three Gauss nodes of each; four of each give the same flow."""
    path = mf.solve(teacher(5), 0.5, method="flow", stated_error=False)
    assert path.notes[CHOSEN_DATA] == 3**5 and path.notes["data"] == "quadrature"
    more = mf.solve(teacher(5), 0.5, method="flow", stated_error=False, data="quadrature", data_nodes=4**5)
    np.testing.assert_allclose(path.loss, more.loss, rtol=1e-9)
    kept = mf.solve(teacher(5), 0.5, method="flow", stated_error=False, data="sobol")
    assert CHOSEN_DATA not in kept.notes and kept.notes["data"] == "sobol"


@pytest.mark.parametrize(("activation", "law"), [("tanh", "normal(0, 2)"), ("relu", "normal(0.3, 1)")])
def test_points_stay_where_few_nodes_of_the_data_do_not_do(activation, law):
    net = teacher(4, activation, law, "sin(3*x1)*x2 + x3*x4")
    path = mf.solve(net, 0.05, method="flow", stated_error=False, nodes=64)
    assert CHOSEN_DATA not in path.notes and path.notes["data"] == "sobol"


@pytest.mark.parametrize("options", [{}, {"tolerance": 0.05}], ids=["chosen", "tolerance"])
def test_what_goes_on_integrates_the_nodes_that_were_chosen(options):
    """In two parts as in one, to the error of steps (rtol 1e-4); 4,096 points would be 3e-3 away."""
    net, x = teacher(5), np.eye(5)
    first = mf.solve(net, 0.25, method="flow", **options)
    both = mf.solve(net, 0.5, method="flow", resume=first)
    whole = mf.solve(net, 0.5, method="flow", **options)
    assert both.notes[CHOSEN_DATA] == first.notes[CHOSEN_DATA] == 3**5
    assert both.notes["samples_per_step"] == first.notes["samples_per_step"]
    np.testing.assert_allclose(both.predict(x), whole.predict(x), atol=2e-4)
