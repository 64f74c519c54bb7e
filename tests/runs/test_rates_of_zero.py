"""A learning rate of 0 is legal: time stands still for that step, in the limit and in networks alike."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.errors import MfError, SpecError
from mfderive.format.reader import parse_document
from mfderive.runs.schedule import alphas, times
from tests.format.documents import changed

COSINE = "0.5 * (1 + cos(pi * k / 4))"
ROOT = np.sqrt(0.5)


def network(schedule: str, **training):
    document = changed("training.schedule", schedule)
    document["training"] |= {"steps": 4, "learning_rate": 0.1, **training}
    return mf.load(document)


def test_a_cosine_ends_at_zero() -> None:
    training = network(COSINE).training
    rates = 0.1 * np.array([(1 + ROOT) / 2, 0.5, (1 - ROOT) / 2, 0.0])
    np.testing.assert_allclose(alphas(training), rates, rtol=1e-14, atol=0)
    assert alphas(training)[-1] == 0 and times(training)[-1] == times(training)[-2]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("max(1 - k / 3, 0)", [2 / 3, 1 / 3, 0, 0]),
        ("k - 1", [0, 1, 2, 3]),
        ("1 - 0.9 * heaviside(k - 2)", [1, 1, 0.1, 0.1]),
        # Negative by rounding alone: 0.1 + 0.2 - 0.3 in doubles, as a long schedule may end.
        ("(0.1 * k + 0.2 - 0.3) * (k - 1)", [0, 0.1, 0.4, 0.9]),
    ],
)
def test_schedules_with_zeros(schedule, expected) -> None:
    np.testing.assert_allclose(alphas(network(schedule).training), 0.1 * np.array(expected), atol=1e-16)


def test_what_is_negative_by_rounding_is_zero_and_what_is_negative_is_refused() -> None:
    tiny = network("heaviside(2 - k) - 1e-17 * heaviside(k - 1)").training
    assert alphas(tiny).tolist() == [0.1, 0.0, 0.0, 0.0]
    with pytest.raises(SpecError, match=r"the learning rate of step 3 is -0\.1"):
        alphas(network("2 - k").training)
    with pytest.raises(SpecError, match="nothing is ever trained"):
        network("0")
    with pytest.raises(SpecError, match=r"heaviside\(e\), which is 1 where e > 0"):
        network("1 if k < 100 else 0.1")


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_the_limit_moves_as_far_as_time_does(method) -> None:
    """A step of rate 0 changes no loss; a warm-up from 0 has a time step of its own."""
    path = mf.solve(network("k - 1"), method=method, nodes=8)
    np.testing.assert_allclose(path.times[-1], 0.6, rtol=1e-14)
    assert np.isfinite(path.loss).all() and path.loss[-1] != path.loss[0]
    if method == "euler":
        np.testing.assert_allclose(path.times, [0, 0, 0.1, 0.3, 0.6], atol=1e-15)
        assert path.loss[1] == path.loss[0]


def test_networks_move_as_far_as_time_does() -> None:
    path = mf.simulate(network(COSINE), 8, 1)[0]
    limit = mf.solve(network(COSINE), nodes=8)
    np.testing.assert_array_equal(path.times, limit.times)
    assert path.loss[-1] == path.loss[-2] and limit.loss[-1] == limit.loss[-2]


def test_a_path_with_a_step_of_rate_zero_is_kept_and_read_again(tmp_path) -> None:
    path = mf.solve(network(COSINE), nodes=8)
    again = mf.Trajectory.load(path.save(tmp_path))
    np.testing.assert_array_equal(again.times, path.times)
    x = path.network.source.batch(1, 3)[0]
    np.testing.assert_array_equal(again.predict(x), path.predict(x))


def test_a_horizon_counts_only_the_time_that_passes() -> None:
    assert mf.solve(network("heaviside(k - 2)"), horizon=0.2, nodes=8).steps[-1] == 4


def test_where_time_never_passes_this_is_said() -> None:
    still = network("heaviside(k - 9)")
    path = mf.solve(still, nodes=8)
    assert path.times.tolist() == [0.0] * 5 and np.all(path.loss == path.loss[0])
    with pytest.raises(MfError, match="every learning rate is 0 up to the last step"):
        mf.solve(still, method="rk4", nodes=8)


def test_the_reader_takes_a_schedule_that_begins_with_zero() -> None:
    assert parse_document(changed("training.schedule", "k - 1")).training.steps == 10
