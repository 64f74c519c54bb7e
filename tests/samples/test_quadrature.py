"""Weighted nodes of the data's law: exact moments, the data set itself, and refusals."""

import numpy as np
import pytest

from mfderive.errors import MfError
from mfderive.format.reader import parse_document
from mfderive.samples.quadrature import data_nodes
from mfderive.samples.resolve import resolve


def network(data, **changes):
    document = {
        "format": 1,
        "title": "Data",
        "data": data,
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"}],
        "output": {"from": "h1", "weight": "normal(1, 0.1)"},
        "training": {"learning_rate": 0.1, "steps": 10},
    }
    return resolve(parse_document(document | changes), seed=3)


GAUSSIANS = {"kind": "isotropic-gaussians", "dimension": 2, "separation": 0.4}
MIXTURE = {
    "kind": "gaussian-mixture",
    "means": [[1.0, 0.0], [-1.0, 2.0]],
    "deviations": [0.5, 0.25],
    "weights": [3.0, 1.0],
    "labels": [1, -1],
}
TEACHER = {"kind": "teacher", "dimension": 2, "target": ["x1 * x2", "x1**2"], "noise": 0.3}


def moments(nodes):
    """E x1, E x1^2, E x1^2 x2^2, E y, E y x1^2."""
    x, y, p = nodes.x, nodes.y[:, 0], nodes.weights
    functions = (x[:, 0], x[:, 0] ** 2, (x[:, 0] * x[:, 1]) ** 2, y, y * x[:, 0] ** 2)
    return np.array([p @ values for values in functions])


# By hand: Gaussians s = 1.4, 0.6 with odds 1/2; mixture with odds 3/4, 1/4.
EXACT = {
    "gaussians": [0, (1.96 + 0.36) / 2, (1.96**2 + 0.36**2) / 2, 0, (1.96 - 0.36) / 2],
    "mixture": [
        0.75 - 0.25,
        0.75 * 1.25 + 0.25 * 1.0625,
        0.75 * 1.25 * 0.25 + 0.25 * 1.0625 * 4.0625,
        0.5,
        0.75 * 1.25 - 0.25 * 1.0625,
    ],
}


@pytest.mark.parametrize(("name", "data"), [("gaussians", GAUSSIANS), ("mixture", MIXTURE)])
def test_quadrature_is_exact_for_polynomials(name, data):
    """Three Gauss nodes per number integrate polynomials of degree 5 in it, to rounding."""
    nodes = data_nodes(network(data), "quadrature", 9)
    assert len(nodes.x) == 18 and nodes.weights.sum() == pytest.approx(1, abs=1e-14)
    assert moments(nodes) == pytest.approx(EXACT[name], abs=1e-13)


@pytest.mark.parametrize(("name", "data"), [("gaussians", GAUSSIANS), ("mixture", MIXTURE)])
def test_sobol_points_beat_random_draws(name, data):
    """2^12 scrambled points: within 1/n^(3/4) times a deviation of order 5; random draws have 1/sqrt(n)."""
    nodes = data_nodes(network(data), "sobol", 4000)
    assert len(nodes.x) == 2 * 4096
    assert moments(nodes) == pytest.approx(EXACT[name], abs=5 / 4096**0.75)
    other = data_nodes(network(data), "sobol", 4000, seed=8)
    assert not np.array_equal(nodes.x, other.x)


def test_teacher_with_noise_has_a_number_for_each_error():
    """x1, x2 and two errors: E y_k^2 = E target^2 + 0.09; four numbers have no quadrature."""
    single = network({**TEACHER, "target": "x1 * x2"})
    nodes = data_nodes(single, "quadrature", 27)
    assert nodes.x.shape == (27, 2) and nodes.y.shape == (27, 1)
    assert nodes.weights @ nodes.y[:, 0] ** 2 == pytest.approx(1.09, abs=1e-12)
    assert nodes.weights @ (nodes.y[:, 0] * nodes.x[:, 0] * nodes.x[:, 1]) == pytest.approx(1, abs=1e-12)
    with pytest.raises(MfError, match="4 random numbers"):
        data_nodes(network(TEACHER), "quadrature")
    sobol = data_nodes(network(TEACHER), "sobol", 4096)
    assert sobol.weights @ sobol.y[:, 1] ** 2 == pytest.approx(3.09, abs=0.1)


@pytest.mark.parametrize("law", ["uniform(-1, 2)", "rademacher(2)", "0.5"])
def test_laws_of_inputs(law):
    """E x1^2 = 1 for uniform(-1, 2), 4 for signs of size 2, 1/4 for a constant; two nodes sum a sign."""
    nodes = data_nodes(
        network({"kind": "teacher", "dimension": 2, "target": "x1", "inputs": law}), "quadrature"
    )
    wanted = {"uniform(-1, 2)": 1.0, "rademacher(2)": 4.0, "0.5": 0.25}[law]
    assert nodes.weights @ nodes.x[:, 0] ** 2 == pytest.approx(wanted, abs=1e-12)
    assert {"rademacher(2)": 4, "0.5": 1}.get(law, len(nodes.x)) == len(nodes.x)


def test_shape_and_labels_are_prepared_as_for_batches():
    """Class numbers become one column per class, and x gets its shape."""
    net = network(
        {**MIXTURE, "labels": [1, 0], "shape": [2, 1]},
        loss={"kind": "cross-entropy"},
        layers=[
            {"name": "h1", "activation": "tanh"}
            | {"connections": [{"from": "x", "kind": "convolution", "kernel": [1], "weight": "normal(0, 1)"}]}
        ],
    )
    nodes = data_nodes(net, "quadrature", 4)
    x, y = net.source.batch(1, 5)
    assert nodes.x.shape[1:] == x.shape[1:] and nodes.y.shape[1:] == y.shape[1:]
    assert nodes.weights @ nodes.y == pytest.approx([0.25, 0.75])


def test_samples():
    """A fixed sample is the data set itself, row by row; of a law it is so many draws, always the same."""
    fixed = network({**GAUSSIANS, "samples": 12})
    nodes = data_nodes(fixed, "sample")
    assert np.array_equal(nodes.x, fixed.source.batch(1, "all")[0]) and len(nodes.x) == 12
    law = network(GAUSSIANS)
    once, again = (data_nodes(law, "sample", 7) for _ in range(2))
    assert len(once.x) == 7 and np.array_equal(once.x, again.x)


def test_refusals_say_what_to_do():
    fixed = network({**GAUSSIANS, "samples": 12})
    with pytest.raises(MfError, match="data = 'sample'"):
        data_nodes(fixed, "quadrature")
    with pytest.raises(MfError, match="12 rows"):
        data_nodes(fixed, "sample", 5)
    with pytest.raises(MfError, match="quadrature"):
        data_nodes(network(GAUSSIANS), "quadratur")
    with pytest.raises(MfError, match="at least 1"):
        data_nodes(network(GAUSSIANS), "sobol", 0)
    with pytest.raises(MfError, match="32 random numbers"):
        data_nodes(network({**GAUSSIANS, "dimension": 32}), "quadrature")
    with pytest.raises(MfError, match="sphere"):
        data_nodes(
            network({"kind": "teacher", "dimension": 2, "target": "x1", "inputs": "sphere(1)"}), "quadrature"
        )
