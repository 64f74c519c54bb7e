"""Parameter groups without PyTorch: their numbers make the package's own steps."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.exchange import torch_reader
from mfderive.exchange.optimizer_groups import group_rates, parameter_groups
from mfderive.finite.finite_network import FiniteNetwork
from mfderive.finite.rule_step import RuleStep
from mfderive.finite.velocity import finite_step
from mfderive.state.draw import initial_state
from tests.reduction.specs import chain

DECAY = 0.5


@pytest.fixture(scope="module")
def case():
    """A network with decay and a rate in time, a state, its plain gradients and its step."""
    document = chain(2)
    document["layers"][1]["weight"] = {"law": "normal(1, 0.1)", "rate": "exp(-t)"}
    document["training"] |= {
        "weight_decay": DECAY,
        "schedule": {"kind": "exponential", "factor": 0.5, "every": 1},
    }
    network = mf.load(document)
    system = FiniteNetwork(mf.forward_system(network)).system
    state = initial_state(system, 3, seed=1)
    return network, state, RuleStep(system, {n: v.shape for n, v in state.items() if n != "p"})


def test_a_plain_step_of_the_groups_is_the_step_of_the_package(case):
    """theta - lr (gradient + weight_decay theta) is finite_step's theta to 1e-13 (sums of a few products)."""
    network, state, rule = case
    x, y = network.source.batch(1, 6)
    after = finite_step(network, state, x, y, 0.0, 0.2)
    groups = parameter_groups(network, rule, state, 0.2, None, {})
    plain = network.replace(training={"weight_decay": None})
    velocity = mf.finite_velocity(plain, state, x, y)
    for group in groups:
        name, (theta,) = group["name"], group["params"]
        gradient = -velocity[name] / rule.widths[name]
        moved = theta - group["lr"] * (gradient + group["weight_decay"] * theta)
        np.testing.assert_allclose(moved, after[name], rtol=0, atol=1e-13)
        assert np.abs(moved - theta).max() > 1e-6
    assert len(groups) == len(rule.trained) == 5


def test_adam_has_its_rate_and_a_small_epsilon(case):
    network, state, rule = case
    for group in parameter_groups(network, rule, state, 0.2, "adam", {"eps": 1e-4}):
        width = rule.widths[group["name"]]
        assert group["multiplier"] == 1 and group["eps"] == pytest.approx(1e-4 / width)
        assert group["betas"] == (0.9, 0.999)
    with pytest.raises(mf.ArgumentError, match="no constant 'epsilon'"):
        parameter_groups(network, rule, state, 0.2, "adam", {"epsilon": 1e-4})


def test_the_course_of_rates_follows_schedule_and_time(case):
    """Halved at every step by the schedule, and exp(-t) of the time that the rates add up to, at any base."""
    network, state, rule = case
    groups = parameter_groups(network, rule, state, 0.4, None, {})
    courses = dict(zip([g["name"] for g in groups], group_rates(network, rule, groups), strict=True))
    assert [courses["h1.weight"](k) for k in range(3)] == pytest.approx([1, 0.5, 0.25])
    wanted = [1, 0.5 * np.exp(-0.4), 0.25 * np.exp(-0.6)]
    assert [courses["h2.weight"](k) for k in range(3)] == pytest.approx(wanted)
    far = courses["h1.weight"](network.training.steps + 5)
    assert far == pytest.approx(0.5 ** (network.training.steps + 5))


def test_without_torch_the_way_to_install_it_is_said(case, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(torch_reader, "import_module", missing)
    with pytest.raises(mf.MfError, match=r"pip install 'mfderive\[torch\]'"):
        case[0].to_torch(3)
    with pytest.raises(mf.ArgumentError, match="float16"):
        case[0].to_torch(3, precision="float16")
