"""What a run shows of fluctuations: bands of losses, deviations in predicted units, why there are none."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

import mfderive as mf
from mfderive.fluctuation import band
from mfderive.fluctuation import standardised as compared
from mfderive.fluctuation.band import Band, predicted_band
from mfderive.fluctuation.fluctuations import predicted
from mfderive.fluctuation.predictions import predictions
from mfderive.fluctuation.standardised import NETWORKS, standardised

from .material import document, layer

NETWORK = document(
    [layer("h1", "x", "normal(0, 1)")],
    {"from": "h1", "weight": "normal(0.5, 1)"},
    {"kind": "teacher", "dimension": 2, "target": "sin(x1) + x2"},
    steps=80,
    learning_rate=0.02,
    batch_size=100,
)
# One step for four, so that tests are short; what five layers take is 256 nodes and 100 steps.
SIZES = ((128, 20),)
EVALUATION = 128


@pytest.fixture(autouse=True, scope="module")
def short() -> Iterator[None]:
    """Few steps and nodes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(band, "SIZES", SIZES)
        yield


@pytest.fixture(scope="module")
def network() -> mf.Network:
    """Two layers whose labels vary much."""
    return mf.load(NETWORK)


@pytest.fixture(scope="module")
def limit(network) -> mf.Trajectory:
    """Its limit."""
    return mf.solve(network, stated_error=False, evaluation=EVALUATION)


@pytest.fixture(scope="module")
def found(network, limit) -> Band:
    """Its band."""
    result = predicted_band(network, limit)
    assert isinstance(result, Band)
    return result


@pytest.mark.study
def test_longer_steps_and_few_nodes_change_little(network, found) -> None:
    """At the start exactly SGD's; at the end within a fifth of SGD's own steps: what a picture can show.

    A step of 0.08 is off by rate * step of what relaxes at a rate, about a tenth at rates of 1.
    """
    options = {"nodes": 128, "evaluation": 256}
    own = predicted(network, found.found.times[[0, -1]], found.found.x[:2], options, loss=True)
    assert found.merged == 4 and found.found.steps[-1] == 80
    assert found.found.n_variance[0, :2] == pytest.approx(own.n_variance[0], rel=1e-9)
    ratios = found.found.n_variance[-1, :2] / own.n_variance[-1]
    assert np.sqrt([*ratios.ravel(), found.found.loss_n_variance[-1] / own.loss_n_variance[-1]]) == (
        pytest.approx(1.0, abs=0.2)
    )


@pytest.mark.study
def test_networks_lie_within_their_band(network, limit, found) -> None:
    """19 in 20 are to: of 60 at the end at least 50 (fewer come once in a thousand, of a share of 0.95)."""
    low, high = found.interval(100)
    assert (low < found.limit).all() and (found.limit < high).all()
    paths = mf.simulate(network, 100, 60, evaluation=EVALUATION)
    held = [low[-1] <= path.loss[-1] <= high[-1] for path in paths]
    assert sum(held) >= 50
    narrow, wide = (np.subtract(*found.interval(n)[::-1]) for n in (400, 100))
    assert (narrow < 0.6 * wide).all()


@pytest.mark.study
def test_deviations_are_of_the_predicted_size(network, limit, found) -> None:
    """Mean squares of scores over 40 networks, 5 dependent points: within 4 standard errors of one point."""
    result = standardised(network, limit, found.found, [20, 100, 400])
    assert result is not None and result.width == 100 and result.scores.shape == (2, 5, NETWORKS)
    assert result.steps.tolist() == [0, 80]
    assert result.ratio**2 == pytest.approx(1.0, abs=4 * (2 / NETWORKS) ** 0.5)


def test_one_moment_of_many(found) -> None:
    """It is the prediction for that time alone."""
    one = found.found.moment(2)
    assert one.times.tolist() == [found.found.times[2]] and one.loss_n_variance.shape == (1,)
    assert one.n_covariance().shape == (5, 5)
    assert one.n_covariance().diagonal() == pytest.approx(found.found.n_variance[2].ravel())


@pytest.mark.study
def test_the_record_is_plain_data(network, limit, monkeypatch) -> None:
    """It goes through JSON and back; networks are compared at the start alone where more is dear."""
    monkeypatch.setattr(compared, "WORK", 0.0)
    record = predictions(network, limit, [50, 100])
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record["bands"]) == {"50", "100"} and record["reason"] is None
    assert record["networks"]["width"] == 100 and record["networks"]["steps"] == [0] and record["until"]


@pytest.mark.study
def test_reasons(network, limit, monkeypatch) -> None:
    """Clipping, no random labels, another solution, and what takes too long: a kind and its facts each."""

    def kind(given: mf.Network, path: mf.Trajectory) -> str:
        return predictions(given, path, [50])["reason"]["kind"]

    clipped = mf.load({**network.document, "training": {**network.document["training"], "clip": 1.0}})
    assert kind(clipped, limit) == band.REFUSED
    still = [layer("h1", "x", "1")]
    constant = mf.load({**network.document, "layers": still, "output": {"from": "h1", "weight": "1"}})
    assert kind(constant, mf.solve(constant, stated_error=False, evaluation=8)) == band.STILL
    other = mf.load({**network.document, "output": {"from": "h1", "weight": "normal(2, 1)"}})
    assert kind(network, mf.solve(other, steps=3, stated_error=False, evaluation=8)) == band.APART
    monkeypatch.setattr(band, "WORK", 1.0)
    assert kind(network, limit) == band.DEAR
