"""Between lazy and rich: the solved limit tends to the linear dynamics of its own tangent kernel."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.signals.lazy_and_rich import lazy_and_rich


def network(outputs=1, weight="normal(0, 1)", **tables):
    """Two layers on eight samples; with two outputs these have a bias."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 3))
    y = np.stack([np.sin(2 * x[:, 0]), np.cos(x[:, 0])][:outputs], axis=1)
    layer = {
        "name": "h1",
        "from": "x",
        "weight": "normal(0, 1)",
        "bias": "normal(0, 1)",
        "activation": "tanh",
    }
    bias = {"bias": {"law": "0.3", "rate": 0.5}} if outputs > 1 else {}
    document = {
        "format": 1,
        "data": {"kind": "arrays"},
        "loss": {"kind": "squared"},
        "layers": [layer],
        "output": {"from": "h1", "weight": weight, **bias},
        "training": {"learning_rate": 0.1, "batch_size": "all", "steps": 40},
        **tables,
    }
    return mf.load(document, data=(x, y))


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_limit_becomes_lazy(outputs) -> None:
    """The distance from the linear dynamics falls as gamma²: slopes between three small gammas are 2 to 0.15.

    With neurons in pairs of opposite sign the terms of odd order in gamma cancel. What the slope is off by
    is of order gamma² too: some tenths at gamma = 0.1, and 0.3² of it, below 0.15, from 0.03 on.
    """
    found = lazy_and_rich(network(outputs), (1.0, 0.03, 0.015, 0.0075), np.linspace(0, 4, 5), nodes=16)
    slopes = np.diff(np.log(found.distance[1:])) / np.diff(np.log(found.gammas[1:]))
    np.testing.assert_allclose(slopes, 2, atol=0.15)
    # At gamma = 1 features move: the distance is no small part of what training changes.
    assert found.distance[0] > 0.02 * np.sqrt(np.mean((found.lazy[-1] - found.lazy[0]) ** 2))
    np.testing.assert_allclose(found.lazy[0], 0.3 * (outputs > 1), atol=1e-12)
    np.testing.assert_allclose(found.loss[:, 0], found.lazy_loss[0], rtol=1e-9)
    lines = found.figure().axes[0].get_lines()
    np.testing.assert_array_equal(lines[-1].get_ydata(), found.lazy_loss)
    assert len(lines) == 5


def test_what_is_refused() -> None:
    """Each with one message that says what to do."""
    with pytest.raises(mf.MfError, match=r"normal\(1, 0.1\), which is not symmetric.*Take a symmetric"):
        lazy_and_rich(network(weight="normal(1, 0.1)"))
    with pytest.raises(mf.MfError, match=r"plain gradient flow.*the spec has the loss 'huber'"):
        lazy_and_rich(network(loss={"kind": "huber"}))
    with pytest.raises(mf.ArgumentError, match=r"times must end at a finite time after 0"):
        lazy_and_rich(network(), times=[0.0])
    with pytest.raises(mf.ArgumentError, match=r"gammas is -1.0"):
        lazy_and_rich(network(), [1.0, -1.0])
