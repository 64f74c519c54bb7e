"""Until when a limit holds: the growth of differences, in a case of closed form, and trained networks."""

from typing import Any

import numpy as np
import pytest

import mfderive as mf
from mfderive.fluctuation.validity import LEFT, validity

from .material import document, layer, shipped

RATE = 0.02
TARGET = {"kind": "teacher", "dimension": 2, "target": "tanh(x1)"}


def saddle(steps: int, mean: float = 0.0) -> mf.Network:
    """Three tanh layers whose hidden weights have mean 0: the limit stays at yhat = 0, networks leave it."""
    hidden = f"normal({mean}, 1)"
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", hidden), layer("h3", "h2", hidden)]
    output = {"from": "h3", "weight": "normal(0, 1)"}
    return mf.load(document(layers, output, TARGET, learning_rate=RATE, batch_size=200, steps=steps))


def closed_rate() -> float:
    """The growth rate at the saddle: sqrt(E B^2 E_w q(w)^2) with q(w) = E_x[2 y tanh(<w, x>)], B = beta.

    At yhat = 0 and h2 = h3 = 0 a neuron of h2 has s' = E[B^2] E_w[q dw2] for s = E_B[B dw3(c, B)], and
    dw2' = q s (theory C.1). E[B^2] = 1; w and x are integrated by Gauss nodes.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    points = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    both = np.outer(weights, weights).ravel()
    q = np.tanh(points @ points.T) @ (both * 2 * np.tanh(points[:, 0]))
    return float(np.sqrt(both @ q**2))


@pytest.fixture(scope="module")
def found() -> Any:
    """The differences along the stay at the saddle."""
    return validity(saddle(1000))


def test_the_rate_at_a_saddle_has_a_closed_form(found) -> None:
    """Batches of 200 make the rate of a step fluctuate by about 10 %, its average over 500 steps by 0.5 %.

    Four of those are allowed.
    """
    late = found.times > 10
    rate = np.polyfit(found.times[late], np.log(found.growth["h2"][late]), 1)[0]
    assert rate == pytest.approx(closed_rate(), rel=0.02)
    assert found.is_unstable and set(found.growth) == {"h2"}  # h3 and its weights see nothing at the start


def test_the_time_grows_with_the_logarithm_of_the_width(found) -> None:
    """By log(10) / (2 lambda) for every factor of 10: late, where one mode is left; 2 % as for the rate."""
    times = [found.until(width) for width in (1e4, 1e5, 1e6)]
    assert np.diff(times) == pytest.approx(np.log(10) / (2 * closed_rate()), rel=0.02)
    assert found.left(1e4)[0] == 0 and found.left(1e4).max() > LEFT
    assert found.until(1e12) is None
    assert "neurons of one type part at about t = " in found.text(100)
    assert "the limit holds up to t = 20" in found.text(10**12)


def departures(widths: list[int], seeds: int, found: Any) -> list[np.ndarray]:
    """When the loss of each network has fallen by a tenth, by width."""
    result = []
    for width in widths:
        steps = round((found.until(width) + 1.5) / RATE)
        times = []
        for path in mf.simulate(saddle(steps), width, seeds, evaluation=64):
            share = path.loss / path.loss[0]
            number = int(np.argmax(share < 0.9))
            assert number, "a network that never left"
            pair = [number, number - 1]
            times.append(np.interp(0.9, share[pair], path.times[pair]))
        result.append(np.array(times))
    return result


@pytest.mark.parametrize(
    ("widths", "seeds"),
    [([20, 80], 12), pytest.param([25, 100, 400], 20, id="study", marks=pytest.mark.study)],
)
def test_networks_leave_when_it_is_said(widths: list[int], seeds: int, found) -> None:
    """The slope of the time of departure against log n is the predicted one, within the scatter of networks.

    Three standard errors of the fitted slope; the level is a convention: a tenth of the loss, within one unit
    of time (half of 1/lambda would be 0.9).
    """
    times = departures(widths, seeds, found)
    means = np.array([own.mean() for own in times])
    errors = np.array([own.std(ddof=1) / seeds**0.5 for own in times])
    said = np.array([found.until(width) for width in widths])
    logs = np.log10(widths)
    lever = (logs - logs.mean()) / np.square(logs - logs.mean()).sum()
    print("departures", means.round(3), "+-", errors.round(3), "said", said.round(3))
    print("slope", lever @ means, "+-", np.sqrt(lever**2 @ errors**2), "said", lever @ said)
    assert abs(lever @ means - lever @ said) < 3 * np.sqrt(lever**2 @ errors**2)
    assert np.abs(means - said).max() < 1.0


def test_where_no_instability_grows() -> None:
    """Hidden weights of mean 1 and a short training: neurons of one type stay alike, at every width."""
    found = validity(mf.load("specs/five_layer_gaussians.toml"), 0.5)
    assert not found.is_unstable and found.until(2) is None
    assert max(own.max() for own in found.growth.values()) == pytest.approx(1.0, abs=0.5)
    assert "No instability grows up to t = 0.5" in found.text(50)


@pytest.mark.study
def test_a_width_says_until_when(monkeypatch) -> None:
    """The answer of `width` has the time; laws that name labels are not followed, and that is said."""
    answer = mf.width_for(saddle(1000), 0.1, "output", 4.0, nodes=16, evaluation=8)
    assert answer.validity is not None and answer.holds_until == answer.data["holds_until"]
    assert answer.validity.text(answer.width) in answer.text
    network, end = shipped("correlated_init", 2)
    answer = mf.width_for(network, 0.5, "output", end, nodes=8, evaluation=8)
    assert answer.holds_until is None and "names labels of its ends" in answer.text


def test_what_takes_too_long_is_refused() -> None:
    """With the operations that it would take."""
    with pytest.raises(mf.MfError, match="at most 10 are spent"):
        validity(saddle(5), most=10)


@pytest.mark.study
def test_memories_have_differences() -> None:
    """With momentum at half of the rate and mu = 1/2 the flow is the same, so are differences, to O(alpha).

    Steps of 0.02 at a rate of 0.57 are off by about 1 % each.
    """
    network = saddle(1000)
    training = {
        **network.document["training"],
        "optimizer": {"kind": "momentum", "mu": 0.5},
        "learning_rate": RATE / 2,
    }
    other = validity(mf.load({**network.document, "training": training}))
    late = other.times > 5
    rate = np.polyfit(other.times[late], np.log(other.growth["h2"][late]), 1)[0]
    assert rate == pytest.approx(2 * closed_rate(), rel=0.05)  # per unit of the sum of learning rates


def test_a_frozen_value_is_every_neurons() -> None:
    """Biases of 0 that stay are none: differences are followed as without them, to rounding."""
    layers = [layer("h1", "x", "normal(0, 1)"), layer("h2", "h1", "normal(0.5, 1)")]
    frozen = [{**each, "bias": {"law": "0", "rate": 0}} for each in layers]
    output = {"from": "h2", "weight": "normal(0, 1)"}
    without, found = (
        validity(mf.load(document(each, output, TARGET, learning_rate=RATE, batch_size=50, steps=40)))
        for each in (layers, frozen)
    )
    for name, growth in without.growth.items():
        np.testing.assert_allclose(found.growth[name], growth, rtol=1e-9)
