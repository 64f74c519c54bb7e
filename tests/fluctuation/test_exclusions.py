"""What is drawn once in every network, what training descends beside the output's loss, what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.finite.network_fields import system_of
from mfderive.fluctuation.band import Band, predicted_band
from mfderive.fluctuation.common_draws import trained
from mfderive.fluctuation.fluctuations import prepared
from mfderive.fluctuation.readout import differentiated
from mfderive.limit.masses import output_loss_gradient
from mfderive.state.draw import common_draws

from .material import document, layer

OPTIONS: dict[str, Any] = {"nodes": 32, "evaluation": 8}
TWO = [layer("h1", "x", "normal(0, 1)", bias="normal(0, 0.5)"), layer("h2", "h1", "normal(0.5, 0.3)")]
OUT = {"from": "h2", "weight": "normal(0.5, 1)"}
RANDOM_BIAS = document([TWO[0]], {"from": "h1", "weight": "normal(0.5, 1)", "bias": "normal(0, 1)"})


def test_networks_share_with_the_limit_what_belongs_to_no_neuron() -> None:
    """The bias of the output is that of the limit, to float32, in every network; their weights differ.

    Outputs then deviate by sqrt(n Var / n): at a width of 100 the root mean square of 16 standardised
    deviations is 1 within 4 / sqrt(2 * 16), where biases of their own give 10.
    """
    network = mf.load(RANDOM_BIAS)
    assert common_draws(system_of(network)) == ("output.bias",)
    x = np.array([[0.5, -0.3, 1.0]])
    found = mf.fluctuations(network, 0.0, x, nodes=256, evaluation=8)
    paths = trained(network, 100, 16, {}, steps=1, evaluation=1, checkpoints=2)
    _, start, _ = prepared(network, 0.0, OPTIONS)
    for path in paths[:3]:
        np.testing.assert_allclose(path.checkpoints[0].state["output.bias"], start["output.bias"], rtol=1e-6)
    outputs = np.array([path.fields(x, 0.0)["yhat"][0, 0] for path in paths])
    scores = (outputs - found.yhat[0, 0, 0]) / found.deviation(100)[0, 0, 0]
    assert np.sqrt(np.mean(scores**2)) == pytest.approx(1.0, abs=4 / np.sqrt(32))
    assert len(set(outputs)) == 16


def test_labels_around_what_belongs_to_no_neuron() -> None:
    """A law that names such a number is drawn around the common one: at width 4000 its mean is that number
    within 4 deviations, 0.3 / sqrt(4000), in every network and in the limit."""
    head = {"name": "guess", "from": "h1", "size": 1, "weight": "1", "bias": "normal(0, 3)"}
    after = {"name": "h2", "from": "guess", "weight": "normal(source.bias, 0.3)", "activation": "tanh"}
    network = mf.load(document([TWO[0], head, after], OUT))
    assert common_draws(system_of(network)) == ("guess.bias",)
    limit = mf.solve(network, steps=1, nodes=64, evaluation=8, seed=5).checkpoints[0].state
    paths = mf.simulate(network, 4000, 2, steps=1, evaluation=8, common_seed=5)
    states = [path.checkpoints[0].state for path in paths]
    for state in states:
        np.testing.assert_allclose(state["guess.bias"], limit["guess.bias"], rtol=1e-6)
        assert state["h2.weight"].mean() == pytest.approx(limit["guess.bias"][0], abs=4 * 0.3 / np.sqrt(4000))
    assert not np.array_equal(states[0]["h2.weight"], states[1]["h2.weight"])


def test_a_check_holds_networks_against_the_limit_of_their_own_bias() -> None:
    """At the start outputs are off by at most 1.12 / sqrt(n), the deviation of the output's weights: by 0.11
    at width 100, and over eight networks by less than 1.8 times that (chi2 at 0.999). Biases of their own
    would put them 1.4 apart."""
    verdict = mf.check(mf.load(RANDOM_BIAS), widths=[25, 50, 100], seeds=8, steps=2)
    row = next(each for each in verdict.table if each["observable"] == "outputs at t = 0")
    assert row["distances"]["100"] < 1.8 * 0.112


def test_what_is_drawn_once_is_said() -> None:
    """By the answer of a width, and by the summary; a band is around networks that share the limit's draw."""
    network = mf.load(RANDOM_BIAS)
    answer = mf.width_for(network, 0.5, "output", 0.0, confirm=5, **OPTIONS)
    assert "output.bias" in answer.text and "limit's own draw" in answer.text
    assert answer.inside >= 3  # of five at 0.95 each, in 99.9 % of cases
    assert "output.bias" in repr(mf.fluctuations(network, 0.0, **OPTIONS))
    band = predicted_band(network, mf.solve(network, steps=1, evaluation=8, seed=3))
    assert isinstance(band, Band) and (band.found.n_variance > 0).all()
    plain = mf.load(document([TWO[0]], OUT | {"from": "h1"}))
    assert common_draws(system_of(plain)) == () and "own draw" not in repr(
        mf.fluctuations(plain, 0.0, **OPTIONS)
    )


def test_the_masks_of_dropout_are_said_to_be_left_out() -> None:
    """The prediction is that without dropout, and says so."""
    network = mf.load(document(TWO, OUT, dropout=0.3))
    found, without = (
        mf.fluctuations(each, 0.1, **OPTIONS) for each in (network, mf.load(document(TWO, OUT)))
    )
    np.testing.assert_array_equal(found.n_variance, without.n_variance)
    assert "masks of dropout" in repr(found) and "dropout" not in repr(without)


def test_the_loss_is_that_of_the_output_alone() -> None:
    """Where training descends losses on inner layers, too, the loss that deviates is the one that is shown.

    A head that the output does not read changes nothing at the start: n Var of the loss is that of the
    network without it, to rounding. Its loss on the same layers would add its own part.
    """
    head = {"name": "guess", "from": "h1", "size": 1, "weight": "1", "bias": "0"}
    with_head = document([*TWO, head], OUT) | {
        "losses": [{"from": "guess", "kind": "huber", "delta": 0.5, "weight": 2.0}]
    }
    found, without = (
        mf.fluctuations(mf.load(each), 0.0, loss=True, **OPTIONS) for each in (with_head, document(TWO, OUT))
    )
    assert found.loss is not None and without.loss is not None
    assert found.loss_n_variance is not None and without.loss_n_variance is not None
    np.testing.assert_allclose(found.loss, without.loss, rtol=1e-12)
    np.testing.assert_allclose(found.loss_n_variance, without.loss_n_variance, rtol=1e-10)
    later = mf.fluctuations(mf.load(with_head), 0.1, loss=True, **OPTIONS)
    assert_derivative_by_parameters(mf.load(with_head))
    assert later.loss_n_variance is not None and later.loss_n_variance[0] > 0


def assert_derivative_by_parameters(network: mf.Network) -> None:
    """The gradient of the output's loss by the output weights is its difference, to h^2 and rounding / h."""
    stepper, state, _ = prepared(network, 0.0, OPTIONS)
    reduced, module = stepper.problem.reduced, stepper.problem.module
    x, y = reduced.encode(*network.source.evaluation(8))
    gradient = output_loss_gradient(reduced.system)
    slopes = differentiated(reduced.system, gradient, state, (x, y), 0).sensitivity
    h, rng = 1e-5, np.random.default_rng(0)
    for name in ("output.weight", "guess.weight"):
        along = rng.standard_normal(state[name].shape)
        losses = [
            np.mean((module.predict(state | {name: state[name] + s * along}, x) - y) ** 2) for s in (h, -h)
        ]
        (own,) = system_of(network).population_slots(name)
        axes = reduced.system.field[name].axes
        weights = state["p"][own].reshape([-1 if axis == own else 1 for axis in axes])
        assert np.sum(slopes[name] * along * weights) == pytest.approx(
            (losses[0] - losses[1]) / (2 * h), rel=1e-6, abs=1e-9
        )


def test_noise_that_averages_out_is_no_obstacle() -> None:
    """Fresh noise on weights between wide layers leaves the limit, and with it every prediction, as it is."""
    noisy = mf.load(document(TWO, OUT, noise={"h2.weight": 0.01}))
    found, without = (mf.fluctuations(each, 0.1, **OPTIONS) for each in (noisy, mf.load(document(TWO, OUT))))
    np.testing.assert_array_equal(found.n_variance, without.n_variance)
    for name in ("h1.weight", "output.weight"):
        with pytest.raises(mf.MfError, match="fresh noise"):
            mf.fluctuations(mf.load(document(TWO, OUT, noise={name: 0.01})), 0.1, **OPTIONS)


def test_where_a_width_is_no_answer_it_is_refused() -> None:
    """No infinite layer, labels without a part in the outputs, an error that no width reaches."""
    sized = mf.load(document([layer("h1", "x", "normal(0, 1)", size=3)], OUT | {"from": "h1"}))
    with pytest.raises(mf.ArgumentError, match="no layer is infinitely wide"):
        mf.width_for(sized, 0.1, **OPTIONS)
    layers = [layer("h1", "x", "1"), layer("h2", "h1", "normal(0.5, 1)")]
    single = mf.load(document(layers, OUT | {"weight": "1"}))
    with pytest.raises(mf.ArgumentError, match=r"order 1/n, which is not derived"):
        mf.width_for(single, 0.1, "output", 0.1, **OPTIONS)
    with pytest.raises(mf.ArgumentError, match="Ask for a larger error"):
        mf.width_for(mf.load(document(TWO, OUT)), 1e-9, "output", 0.0, **OPTIONS)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"x": [["a", "b", "c"]]}, "x is"),
        ({"x": np.full((1, 3), np.nan)}, "not finite"),
        ({"bias": 1}, "bias is 1"),
        ({"loss": 3}, "loss is 3"),
        ({"batches": "no"}, "batches is 'no'"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_solved(change: dict[str, Any], match: str) -> None:
    """One message for each."""
    with pytest.raises(mf.MfError, match=match):
        mf.fluctuations(mf.load(document(TWO, OUT)), 0.1, **change)


def test_no_width_and_no_moment_of_nowhere() -> None:
    """Widths are whole numbers of at least 1, moments those that there are."""
    found = mf.fluctuations(mf.load(document(TWO, OUT)), 0.0, **OPTIONS)
    widths: list[Any] = [0, -4, 2.5]
    for width in widths:
        with pytest.raises(mf.ArgumentError, match="width is"):
            found.deviation(width)
    with pytest.raises(mf.ArgumentError, match="there are 1 times"):
        found.moment(1)


def test_a_limit_that_diverges_is_no_answer() -> None:
    """Nothing is said of networks where the limit has left the finite numbers: when, and what to do."""
    layers = [layer("h1", "x", "normal(1, 1)", "h**3"), layer("h2", "h1", "normal(1, 0.2)", "h**3")]
    network = mf.load(document(layers, OUT, learning_rate=5.0, steps=9))
    with pytest.raises(mf.DivergenceError, match=r"diverged by t = 45.*smaller learning rate"):
        mf.fluctuations(network, **OPTIONS)
    with pytest.raises(mf.DivergenceError, match="diverged by"):
        mf.width_for(network, 0.1, **OPTIONS)
    assert np.isfinite(mf.fluctuations(network, 0.0, **OPTIONS).n_variance).all()
