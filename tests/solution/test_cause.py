"""Values that leave the finite numbers: the message names the function, what it was given, layer and time."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sympy as sp

import mfderive as mf
from mfderive.algebra.departure import departure_of
from mfderive.algebra.functions import call
from mfderive.errors import DivergenceError
from mfderive.format.reader import parse_document
from mfderive.runs.last_finite import MOST_STEPS, last_finite
from mfderive.samples.resolve import resolve

DEFINED = "Take a function that is defined for all numbers"


def network(activation, law="normal(0, 1)", offset=None, rate=0.05, steps=20):
    layer = {"name": "h1", "from": "x", "weight": law, "activation": activation}
    if offset is not None:
        layer["parameters"] = {"b": offset}
    document = {
        "format": 1,
        "title": "Roots",
        "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.5},
        "loss": {"kind": "squared"},
        "layers": [layer],
        "output": {"from": "h1", "weight": "normal(1, 0.1)"},
        "training": {"learning_rate": rate, "batch_size": 10, "steps": steps},
    }
    return resolve(parse_document(document))


def said(run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DivergenceError) as found:
            run()
    return str(found.value)


@pytest.mark.parametrize("name", ["sqrt", "log"])
def test_a_function_that_is_asked_outside_of_its_domain_at_the_start(name):
    for run in (
        lambda: mf.solve(network(f"{name}(h)")),
        lambda: mf.simulate(network(f"{name}(h)"), 8, 1),
    ):
        text = said(run)
        assert f"'h1.out' of layer 'h1' asks for {name}(-" in text and "which is no real number" in text
        assert "t = 0" in text and DEFINED in text and "learning rate" not in text


@pytest.mark.parametrize("name", ["sqrt", "log"])
def test_and_in_training_at_the_step_that_does_it(name):
    """The parameters are nan a step later; the steps are made again to find what made them so."""
    made = network(f"{name}(h + b)", "0", "0.2", rate=0.5, steps=100)
    for run in (lambda: mf.solve(made), lambda: mf.simulate(made, 8, 1)):
        text = said(run)
        assert "diverged by t =" in text and "(step " in text and "last finite loss" in text
        assert f"asks for {name}(-" in text and "layer 'h1'" in text and DEFINED in text


def test_derivatives_quotients_and_what_is_only_too_large():
    text = said(lambda: mf.solve(network("sqrt(h*h)", "0")))
    assert "the derivative 'adj h1' of layer 'h1' asks for a division by 0" in text and "step 1" in text
    text = said(lambda: mf.solve(network("1/h", "0")))
    assert "'h1.out' of layer 'h1' asks for a division by 0" in text and DEFINED in text
    text = said(lambda: mf.solve(network("exp(h)", rate=5)))
    assert "exp(" in text and "beyond the largest number" in text and "smaller learning rate" in text
    text = said(lambda: mf.solve(network("exp(exp(h))")))
    assert "not finite where it starts" in text and "beyond the largest number" in text


def test_the_step_is_the_first_one_whose_values_are_not_finite():
    """Observed at both ends alone: traced to the step. (The evaluation sample may show it a step earlier.)"""
    made = network("sqrt(h + b)", "0", "0.2", rate=0.05, steps=400)
    coarse = said(lambda: mf.solve(made, observations=2))
    fine = said(lambda: mf.solve(made, observations=400))
    steps = [int(text.split("(step ")[1].split(")")[0]) for text in (coarse, fine)]
    assert steps[1] <= steps[0] <= steps[1] + 1 < 20


H = sp.Symbol("h")


@pytest.mark.parametrize(
    ("expression", "value", "text", "overflow"),
    [
        (call("sqrt", H), -4.0, "sqrt(-4), which is no real number", False),
        (call("log", H), 0.0, "log(0), which is infinite", False),
        (call("log", H), -1.0, "log(-1), which is no real number", False),
        (call("exp", call("exp", H)), 7.0, "exp(1097), which is beyond the largest number", True),
        (1 / H, 0.0, "a division by 0", False),
        (H ** sp.Rational(3, 2), -1.0, "(-1)^1.5, which is no real number", False),
        (H**3, 1e200, "(1e+200)^3, which is beyond the largest number", True),
        (2 * H + 1, 1e308, "the product of 2 and 1e+308, which is beyond the largest number", True),
        (1 + call("sqrt", H - 5), 1.0, "sqrt(-4), which is no real number", False),
    ],
)
def test_the_first_operation_that_leaves_the_finite_numbers(expression, value, text, overflow):
    found = departure_of(expression, {H: np.array([5.5, value])})
    assert found.text == text and found.is_overflow is overflow
    assert departure_of(expression, {H: np.array([5.5])}) is None


def test_the_last_finite_state_is_found_by_bisection():
    made = []

    def advance(state, first, last):
        made.append(last - first)
        value = state["w"] + last - first
        return {"w": np.where(value > 37, np.nan, value), "p": {}}

    number, state = last_finite(advance, {"w": np.array(3.0), "p": {}}, 3, 1003)
    assert (number, float(state["w"])) == (37, 37.0) and sum(made) < 1100
    assert last_finite(advance, {"w": np.array(0.0), "p": {}}, 0, MOST_STEPS + 1) is None


def test_what_a_step_makes_of_gradients_is_no_matter_of_a_state():
    """A state whose fields and gradients are finite, and a decay that reads the size of the step."""
    layer = {"name": "h1", "from": "x", "weight": "uniform(-1, 1)", "bias": "0", "activation": "softplus"}
    network = mf.load(
        {
            "format": 1,
            "title": "Too fast",
            "data": {
                "kind": "teacher",
                "dimension": 2,
                "inputs": "normal(0, 1)",
                "target": ["x1", "x2"],
                "noise": 0.2,
            },
            "loss": {"kind": "expression", "expression": "(y - yhat)**4"},
            "layers": [layer],
            "output": {"from": "h1", "weight": "1", "bias": "0"},
            "training": {"learning_rate": 0.05, "steps": 20, "batch_size": 20, "weight_decay": 0.2},
        }
    )
    options = {"method": "rk4", "step": 0.1, "data": "quadrature", "data_nodes": 27, "nodes": 64}
    with pytest.raises(DivergenceError, match=r"diverged by t = 0\.\d \(step \d\).*smaller learning rate"):
        mf.solve(network, 0.4, evaluation=40, **options)
