"""Between lazy and rich: the solved limit tends to the linear dynamics of its own tangent kernel."""

import numpy as np
import pytest

import mfderive as mf
from mfderive import lazy_and_rich
from mfderive.cli import main


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


def test_finite_networks_are_trained_beside_it() -> None:
    """They start where the limit does (outputs 0, in pairs), and their loss falls; the figure shows them."""
    found = lazy_and_rich(network(), (1.0,), np.linspace(0, 1, 3), nodes=16, width=30, seeds=2)
    assert found.network_loss.shape == (1, 2, 3)
    np.testing.assert_allclose(found.network_loss[:, :, 0], found.lazy_loss[0], rtol=1e-9)
    assert (np.diff(found.network_loss, axis=2) < 0).all()
    assert "width 30" in found.text and len(found.figure().axes[0].get_lines()) == 3
    with pytest.raises(mf.ArgumentError, match="width"):
        lazy_and_rich(network(), (1.0,), np.linspace(0, 1, 3), nodes=8, width=1)


@pytest.mark.study
def test_finite_networks_approach_the_limit() -> None:
    """At gamma 1 and 0.3, widths 400 to 1600: the mean loss of 6 networks lies within five standard errors
    of the limit, 12/width for the bias and 1% for steps of finite size and the limit's own 512 nodes."""
    times = np.linspace(0, 4, 9)
    for width in (400, 1600):
        found = lazy_and_rich(network(), (1.0, 0.3), times, nodes=512, width=width, seeds=6)
        mean = found.network_loss.mean(axis=1)
        error = found.network_loss.std(axis=1, ddof=1) / np.sqrt(6)
        assert (np.abs(mean - found.loss) <= 5 * error + (12 / width + 0.01) * found.loss).all()


def test_the_command_asks_for_a_figure(capsys) -> None:
    """Flags that belong to --lazy are refused without it, and gammas must be positive."""
    assert main(["signal", "specs/two_layer.toml", "--gammas", "1,0.3"]) == 2
    assert "--lazy FILE" in capsys.readouterr().err
    assert main(["signal", "specs/two_layer.toml", "--lazy", "l.png", "--gammas", "1,-2"]) == 2
    assert "above 0" in capsys.readouterr().err
