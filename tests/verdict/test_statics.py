"""Two layers at t = 0: the exact formula E7 of the theory, and the slope -1/2, for widths 2 to 2048."""

import numpy as np
import pytest

from mfderive.finite.network_fields import network_fields, system_of
from mfderive.format.reader import parse_document
from mfderive.samples.resolve import resolve
from mfderive.state.draw import initial_state
from mfderive.verdict.estimates import fit_slope

WIDTHS = tuple(2**k for k in range(1, 12))
SEEDS = 24
SAMPLES = 300


@pytest.fixture(scope="module")
def outputs():
    """yhat [seed, sample] of networks of every width, the limit, the variance of one neuron, and y."""
    document = {
        "format": 1,
        "data": {"kind": "isotropic-gaussians", "dimension": 4, "separation": 0.4},
        "loss": {"kind": "squared"},
        "layers": [{"name": "h1", "from": "x", "weight": "normal(0, 0.7)", "activation": "relu"}],
        "output": {"from": "h1", "weight": "normal(1, 0.5)"},
        "training": {"learning_rate": 0.1, "steps": 1},
    }
    net = resolve(parse_document(document, None), None, 0)
    system = system_of(net)
    x, y = net.source.evaluation(SAMPLES)
    networks = {
        n: np.stack(
            [
                network_fields(system, initial_state(system, n, s), x)["yhat"][:, 0]
                for s in range(1, SEEDS + 1)
            ]
        )
        for n in WIDTHS
    }
    # One neuron beta * relu(w.x), w.x ~ N(0, q): E relu = sqrt(q / 2 pi), E relu^2 = q / 2, E beta^2 = 1.25.
    q = 0.49 * (x**2).sum(axis=1)
    limit = np.sqrt(q / (2 * np.pi))
    variance = (1 + 0.25) * q / 2 - limit**2
    return networks, limit, variance, y[:, 0]


def test_the_loss_exceeds_the_limit_by_variance_over_n(outputs):
    """E (y - yhat_n)^2 = (y - yhat)^2 + Var / n exactly at every n (E7).

    At each width the excess is the mean of 24 independent seeds; five of their standard errors pass.
    """
    networks, limit, variance, y = outputs
    for n, yhat in networks.items():
        excess = ((yhat - y) ** 2).mean(axis=1) - ((limit - y) ** 2).mean()
        error = excess.std(ddof=1) / np.sqrt(SEEDS)
        assert abs(excess.mean() - variance.mean() / n) < 5 * error, n


def test_the_slope_is_one_half(outputs):
    """Distance of outputs ~ n^(-1/2) over three decades; the standard error of the slope is about 0.012."""
    networks, limit, variance, _ = outputs
    squares = [((networks[n] - limit) ** 2).mean(axis=1) for n in WIDTHS]
    found = fit_slope("outputs", WIDTHS, squares, 0.0, 0.5)
    assert abs(found.slope - 0.5) < 0.05 and found.half_width < 0.05
    assert np.isclose(found.amplitude, variance.mean(), rtol=0.4)
