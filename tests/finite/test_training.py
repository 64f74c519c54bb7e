"""Networks that are trained together: shared between the cores, by one compiled program, each by itself."""

import copy
import pickle

import numpy as np
import pytest

import mfderive as mf
from mfderive.finite import training_steps
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.network_fields import system_of
from mfderive.finite.training import Trainer

STEPS, WIDTH = 7, 12


@pytest.fixture(scope="module")
def net():
    hidden = {"weight": "normal(1, 0.5)", "bias": "0", "activation": "tanh"}
    return mf.load(
        {
            "format": 1,
            "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
            "loss": {"kind": "squared"},
            "layers": [{"name": "h1", "from": "x", **hidden}, {"name": "h2", "from": "h1", **hidden}],
            "output": {"from": "h2", "weight": "normal(1, 0.5)", "bias": "0"},
            "training": {
                "learning_rate": 0.02,
                "batch_size": 10,
                "steps": STEPS,
                "dropout": {"h2": 0.2},
                "noise": {"h1.weight": 0.01, "default": 0},
            },
        }
    )


def ends(paths):
    return [(path.loss, path.checkpoints[-1].state.arrays) for path in paths]


def programs(net):
    """What trains the networks of ``net``, as it is kept."""
    return training_steps._trainers(FiniteNetwork(system_of(net)).system)


def fresh(net, **options):
    """Networks whose programs are compiled anew."""
    programs(net).clear()
    return ends(mf.simulate(net, WIDTH, evaluation=50, precision="float64", **options))


@pytest.mark.parametrize("together", [1, 2])
def test_networks_of_several_calls_are_those_of_one(net, monkeypatch, together) -> None:
    """Five networks by calls of one or two are those of a single call, but for the rounding of float64."""
    whole = fresh(net, seeds=5)
    monkeypatch.setattr(training_steps.TrainingSteps, "together", lambda self: together)
    parts = fresh(net, seeds=5)
    for (loss, state), (other, own) in zip(whole, parts, strict=True):
        np.testing.assert_allclose(other, loss, rtol=1e-12)
        for name in state:
            if name != "p":
                np.testing.assert_allclose(own[name], state[name], rtol=1e-11, atol=1e-13)


def test_large_networks_do_not_depend_on_each_other(net, monkeypatch) -> None:
    """A network with calls of its own ends in the same bits, whatever others are trained beside it."""
    monkeypatch.setattr(training_steps, "_NUMBERS_TOGETHER", 1)
    alone = fresh(net, seeds=[4])[0]
    beside = fresh(net, seeds=[1, 4, 2])[1]
    np.testing.assert_array_equal(alone[0], beside[0])
    for name in alone[1]:
        if name != "p":
            np.testing.assert_array_equal(alone[1][name], beside[1][name])


def test_trainings_of_other_lengths_compile_nothing_new(net, monkeypatch) -> None:
    """More seeds and more or fewer steps of the same width run the program that is there."""
    monkeypatch.setattr(training_steps, "_NUMBERS_TOGETHER", 1)
    traced = []
    loss = Trainer._loss
    monkeypatch.setattr(Trainer, "_loss", lambda self, *given: traced.append(1) or loss(self, *given))
    fresh(net, seeds=2)
    first = len(traced)
    assert first
    for seeds, steps in ((3, 5), (1, STEPS), (2, 70)):
        mf.simulate(net, WIDTH, seeds, steps=steps, evaluation=50, precision="float64")
    assert len(traced) == first
    mf.simulate(net, WIDTH + 1, 1, evaluation=50, precision="float64")
    assert len(traced) > first


def test_copies_of_trained_networks_are_without_programs(net) -> None:
    """A trajectory can be pickled and copied after training, and its copy makes the same steps again."""
    path = mf.simulate(net, WIDTH, 1, evaluation=50)[0]
    assert programs(path.network)
    for other in (pickle.loads(pickle.dumps(path)), copy.deepcopy(path)):
        assert not programs(other.network)
        middle = float(path.times[3])
        for name, value in path.at(middle).arrays.items():
            if name != "p":
                np.testing.assert_array_equal(other.at(middle).arrays[name], value)
