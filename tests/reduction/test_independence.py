"""E9: deviations of hidden weights do not enter the limit, and networks approach the same one."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.codegen.digest import digest
from mfderive.runs.evaluation import evaluate_loss_error
from mfderive.state.ensembles import ensemble_state, plan_ensembles

from .specs import chain, document, layer


def reduced_chain(deviation, output="normal(1, 0.5)"):
    return mf.reduce(
        mf.derive(
            mf.load({**chain(4, f"normal(1, {deviation})"), "output": {"from": "h4", "weight": output}})
        )
    ).system


def test_hidden_deviations_do_not_enter():
    """From 0.1 to 2: the same equations, laws and digest; only the log remembers."""
    small, large = reduced_chain(0.1), reduced_chain(2)
    assert small == large
    assert digest(small) == digest(large)
    first, second = (ensemble_state(s, plan_ensembles(s, nodes=16), 0) for s in (small, large))
    for name in small.parameter:
        np.testing.assert_array_equal(first[name], second[name])


def test_output_deviation_enters():
    """The law of the output weights is a label's: it does change the reduced system."""
    assert digest(reduced_chain(0.1)) != digest(reduced_chain(0.1, output="normal(1, 2)"))


@pytest.mark.study
@pytest.mark.parametrize("deviation", [0.1, 2])
def test_networks_approach_the_common_limit(deviation):
    """Width 100 to 1600: the mean squared distance of outputs to the reduced solution falls as 1/width.

    The slope of the logarithm of the root mean square over four seeds and all samples is -1/2; the labels of
    a width change all outputs together, so that it scatters by some 0.15.
    """
    layers = [layer("h1", "x", "normal(0, 1)", bias="0")]
    layers += [layer(f"h{k}", f"h{k - 1}", f"normal(1, {deviation})", bias="0") for k in (2, 3, 4)]
    network = mf.load(document(layers, {"from": "h4", "weight": "normal(1, 0.5)"}))
    reduced = mf.reduce(mf.derive(network)).system
    state = ensemble_state(
        reduced, plan_ensembles(reduced, nodes={"h1": 4096, "h4": 32}, rule={"h1": "sobol"}), 0
    )
    solver = mf.generate(reduced)
    for k in range(30):
        x, y = network.source.batch(k + 1, 20)
        state = solver.step(state, x, y, k * 0.05, 0.05)
    inputs, targets = network.source.evaluation(200)
    expected = solver.forward(state, inputs)["yhat"]
    assert np.isfinite(evaluate_loss_error(network, expected, targets)[0])
    widths, distances = (100, 200, 400, 800, 1600), []
    for width in widths:
        runs = mf.simulate(network, width, 6, steps=30, evaluation=200)
        distances.append(np.sqrt(np.mean([(run.predict(inputs) - expected) ** 2 for run in runs])))
    slope = np.polyfit(np.log(widths), np.log(distances), 1)[0]
    assert -0.75 < slope < -0.3 and distances[-1] < 0.4 * distances[0]
