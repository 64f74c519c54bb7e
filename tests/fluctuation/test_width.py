"""The width for an error: the law that it rests on, and networks that are trained there."""

import argparse
from dataclasses import replace

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.cli.width_command import place
from mfderive.fluctuation.deviations import Deviations
from mfderive.fluctuation.fluctuations import predicted
from mfderive.fluctuation.label_draws import LabelDraws
from mfderive.fluctuation.width import POINTS, _answer, _counted, _tried

from .material import document, layer, shipped

NETWORK = document(
    [layer("h1", "x", "normal(0, 1)")],
    {"from": "h1", "weight": "normal(0.5, 1)"},
    {"kind": "teacher", "dimension": 1, "target": "x1"},
)
# What 4,000 draws leave of a quantile: about 3 % in two standard deviations.
SAMPLING = 0.04


@pytest.fixture
def network() -> mf.Network:
    """A small network of one label."""
    return mf.load(NETWORK)


def test_one_output_lies_within_two_standard_deviations(network) -> None:
    """95 % of |N(0, V/n)| are below 1.96 sqrt(V/n), so that n = V (1.96 / error)^2."""
    x = np.array([[0.7]])
    found = predicted(network, np.array([0.1]), x, {"nodes": 30, "evaluation": 4})
    law = Deviations(found, np.zeros((1, 1)))
    expected = 1.96 * found.deviation(100)[0, 0, 0]
    assert law.reach("output", 100) == pytest.approx(expected, rel=SAMPLING)
    width = law.width_for("output", 0.05)
    assert width == pytest.approx(found.n_variance[0, 0, 0] * (1.96 / 0.05) ** 2, rel=2 * SAMPLING)
    assert law.reach("output", width) <= 0.05 < law.reach("output", 0.99 * width)
    assert law.width_for("output", 0.025) == pytest.approx(4 * width, rel=0.01)


def test_a_loss_at_its_least_deviates_quadratically(network) -> None:
    """Where yhat = y the loss has no linear part: its deviation is chi squared, V/n, and not sqrt(V/n)."""
    found = predicted(network, np.array([0.1]), np.array([[0.7]]), {"nodes": 30, "evaluation": 4}, loss=True)
    still = replace(found, loss_influence={})
    law = Deviations(still, found.yhat[0])
    expected = 3.841 * found.n_variance[0, 0, 0] / 50
    assert law.reach("loss", 50) == pytest.approx(expected, rel=2 * SAMPLING)
    assert law.width_for("loss", 0.01) == pytest.approx(expected * 50 / 0.01, rel=0.1)


def test_the_answer_comes_first_and_has_its_reasons(network) -> None:
    """The text names width, share, error, quantity and sources; plain data has the same."""
    answer = mf.width_for(network, 0.05, nodes=30, evaluation=4, t=0.1)
    assert answer.text.startswith(f"From width {answer.width} on, 95% of networks lie within 0.05")
    assert "h1" in answer.text and "bias of order 1/n" in answer.text
    assert ("no promise" in answer.text) == (answer.width < 50)
    assert "no promise" in replace(answer, width=7).text
    assert answer.data["width"] == answer.width and answer.data["sources"] == answer.sources
    assert mf.width_for(network, 0.05, "output", 0.1, nodes=30, evaluation=4).linear == 1.0


class Quadratic:
    """Draws whose distances fall like 1/n, as those of a deviation without a linear part do."""

    def __init__(self, scale: float) -> None:
        self.scale, self.asked = scale, []

    def distances(self, width: int) -> np.ndarray:
        """Of 100 draws 95 are below the scale over the width."""
        self.asked.append(width)
        return self.scale / width * np.linspace(0, 100 / 95, 100)


def test_a_width_is_widened_until_drawn_labels_lie_within(network) -> None:
    """The narrowest of those that suffice, within a factor of 1.3; where the first does it is kept."""
    found = predicted(network, np.array([0.1]), np.array([[0.7]]), {"nodes": 30, "evaluation": 4})
    linear = _answer(found, Deviations(found, np.zeros((1, 1))), "output", 0.05)
    draws = Quadratic(3 * linear.width * 0.05)
    wider = _tried(linear, draws)
    # 92.8 of 100 are asked for, where 95 lie within at 3 times the width: 93 at 2.93 times.
    assert 2.9 < wider.width / linear.width < 2.94 * 1.3 and wider.drawn_inside >= 93
    assert wider.linear_width == linear.width and "by the normal law, too few do" in wider.text
    kept = _tried(linear, Quadratic(0.9 * linear.width * 0.05))
    assert kept.width == linear.width and "too few" not in kept.text


def test_drawn_labels_have_the_predicted_variance(network) -> None:
    """A wide draw is linear: the mean square of its distances is n Var / n, within 4 sqrt(2 / 100)."""
    found = predicted(network, np.array([0.1]), np.array([[0.7]]), {"nodes": 30, "evaluation": 4})
    distances = LabelDraws(found, "output", {"nodes": 30, "evaluation": 4}).distances(10_000)
    ratio = np.mean(np.square(distances)) * 10_000 / found.n_variance[0, 0, 0]
    assert ratio == pytest.approx(1.0, abs=4 * 0.02**0.5)


@pytest.mark.parametrize(
    "change", [{"error": 0}, {"error": -1.0}, {"at": "time"}, {"t": -1}, {"confirm": -1}, {"widths": 3}]
)
def test_bad_arguments_are_refused(network, change) -> None:
    """One clear message for each."""
    with pytest.raises(mf.MfError, match=next(iter(change))):
        mf.width_for(network, **change)


def test_words_after_at() -> None:
    """loss, output and times; anything else is refused with what is allowed."""
    assert [place(w) for w in ("loss", "output", "t=1.5")] == [("at", "loss"), ("at", "output"), ("t", 1.5)]
    for word in ("time", "t=", "t=-1", "t=nan", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError, match="t=NUMBER"):
            place(word)


def test_two_quantities_or_times_are_refused(capsys) -> None:
    """One answer is for one quantity at one time."""
    for twice in (("loss", "output"), ("t=1", "t=2")):
        assert main(["width", "specs/two_layer.toml", *(w for at in twice for w in ("--at", at))]) == 2
        assert "--at says twice" in capsys.readouterr().err


@pytest.mark.study
@pytest.mark.parametrize(
    ("name", "at", "error"),
    [
        ("two_layer", "output", 0.1),
        ("three_layer", "output", 0.05),
        ("residual", "output", 0.05),
        # Its deviations are far from linear in the labels: the normal law says 154, where 61 of 100 do.
        ("autoencoder_tied", "output", 0.01),
        ("two_layer", "loss", 0.05),
    ],
)
def test_networks_of_the_promised_width(name: str, at: str, error: float) -> None:
    """At least 90 of 100 networks lie within the error there, and fewer than 80 at a quarter of the width.

    Errors are so small that the widths are above a hundred: below, what is left out counts
    (docs/fluctuations.md has what came of larger errors).
    """
    network, end = shipped(name, steps=30)
    answer = mf.width_for(network, error, at, end, confirm=100)
    assert answer.inside >= 90
    x, _ = network.source.evaluation(POINTS)
    found = predicted(network, np.array([end]), x, {}, loss=at == "loss")
    narrow = _counted(replace(answer, width=max(1, answer.width // 4)), found, 100)
    assert narrow.inside < 80
