"""Nodes that a coarse solution chooses: few for narrow labels, all of them where functions bend."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.samples.points import tensor_points
from mfderive.solution import node_choice
from mfderive.solution.node_choice import CHOSEN

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
    assert path.notes[CHOSEN] == {"h1": path.notes["nodes"]["h1"]} and path.notes["nodes"]["h1"] < 8
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


def test_the_degree_is_that_of_the_polynomial():
    """Fields of degree 0 to 5 in one number of a tensor of a normal and a uniform one: one more than it."""
    points, weights = [], []
    for kind in ("normal", "uniform"):
        (nodes, own) = tensor_points([kind], (8,))
        points.append(nodes[:, 0])
        weights.append(own)
    bases = []
    for nodes, own in zip(points, weights, strict=True):
        basis, _ = np.linalg.qr(np.sqrt(own)[:, None] * np.vander(nodes, 8, increasing=True))
        bases.append((own, basis / np.sqrt(own)[:, None], False))
    for degree in range(6):
        for number in (0, 1):
            shape = [(8, 1), (1, 8)][number]
            values = np.broadcast_to(points[number].reshape(shape) ** degree, (8, 8)).reshape(64)
            field = np.stack([values, 2 * values])  # [sample, node]
            assert node_choice._degree(field, 1, bases) == degree + 1


def test_a_coarse_solution_that_cannot_be_followed_says_nothing(monkeypatch):
    """All nodes stay, and the solution itself says what is wrong, if anything is."""

    def lost(*_):
        raise mf.DivergenceError("lost")

    monkeypatch.setattr(node_choice, "make_run", lost)
    path = mf.solve(network(), method="flow", stated_error=False)
    assert CHOSEN not in path.notes and path.notes["nodes"]["h1"] == 32
