"""Networks as modules of PyTorch, where it is installed: what they compute, their gradients, their training.

Bounds are relative to the largest entry (or 1): 1e-12, some thousand times the rounding of float64, for sums
of at most a few hundred numbers in another order. Steps of training add their rounding: 1e-11 after ten.
"""

import copy
import math
import pickle

import numpy as np
import pytest

import mfderive as mf
from mfderive.finite.rule_step import RuleStep
from mfderive.finite.training_steps import network_ground
from mfderive.scaling.width_conventions import Convention
from tests.reduction.specs import chain

torch = pytest.importorskip("torch")
WIDTH = 4


def close(found, wanted, bound=1e-12):
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=bound * scale)


def randomised(network, seed=0):
    """A module with normal weights, and its state."""
    module = network.to_torch(WIDTH, precision="float64").eval()
    torch.manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module, module.state


def spec_names():
    quick = ("two_layer", "gated", "autoencoder_tied", "layer_norm", "cnn_grouped", "residual_blocks")
    slow = ("attention_positions", "bilinear", "bottleneck", "cnn_small", "cnn_digits", "cnn_nguyen_table1")
    slow += ("deep_supervision", "five_layer_parameters", "gru", "lstm", "recurrent_elman", "residual")
    return [*quick, *(pytest.param(name, marks=pytest.mark.study) for name in slow)]


@pytest.mark.parametrize("name", spec_names())
def test_forward_and_gradients(name):
    """Shipped specs at normal weights: outputs, loss and the gradient of every trained parameter."""
    network = mf.load(f"specs/{name}.toml")
    module, state = randomised(network)
    x, y = network.source.evaluation(3)
    finite = network_ground(network, module.finite)
    close(module(torch.as_tensor(x)).detach().numpy(), finite.fields(state, x)["yhat"])
    module.loss(x, y).backward()
    rule, parameters = module._rule(), dict(module.named_parameters())
    velocity = mf.finite_velocity(network, state, x, y, method="jax")
    for parameter in rule.trained:
        gradient = parameters[parameter.name].grad
        rate = float(parameter.rate.subs("t", 0))
        close(-rate * rule.widths[parameter.name] * gradient.numpy(), velocity[parameter.name])


TRAININGS = {
    "sgd": ({}, lambda groups: torch.optim.SGD(groups)),
    "schedule": ({"schedule": {"kind": "cosine"}}, lambda groups: torch.optim.SGD(groups)),
    "decay": ({"weight_decay": 0.3}, lambda groups: torch.optim.SGD(groups)),
    "momentum": (
        {"optimizer": {"kind": "momentum", "mu": 0.7}},
        lambda groups: torch.optim.SGD(groups),
    ),
    "adam": (
        {"optimizer": {"kind": "adam", "eps": 0.1}, "weight_decay": 0.2},
        lambda groups: torch.optim.Adam(groups),
    ),
    "adamw": (
        {"optimizer": {"kind": "adamw", "eps": 0.1, "beta1": 0.8}, "weight_decay": 0.2},
        lambda groups: torch.optim.AdamW(groups),
    ),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_optimizers_of_torch_make_the_steps_of_the_package(name):
    """Ten steps of a plain loop end where the package's own training ends, on the same batches."""
    changes, make = TRAININGS[name]
    network = mf.load("specs/five_layer_parameters.toml")
    network = network.replace(training={"steps": 10, "batch_size": 8, "learning_rate": 0.3, **changes})
    module = network.to_torch(WIDTH, seed=5, precision="float64")
    (path,) = mf.simulate(network, None, [5], initial=module.state, precision="float64", evaluation=4)
    optimizer = make(module.parameter_groups())
    schedule = module.schedule(optimizer)
    for k in range(1, 11):
        optimizer.zero_grad()
        module.loss(*network.source.batch(k, 8)).backward()
        optimizer.step()
        schedule.step()
    last, start = path.checkpoints[-1].state, path.checkpoints[0].state
    assert path.checkpoints[-1].step == 10
    moved = 0
    for parameter, values in module.named_parameters():
        close(values.detach().numpy(), last[parameter], 1e-11)
        moved += bool(np.abs(last[parameter] - start[parameter]).max() > 1e-6)
    assert moved >= 5


def test_factors_are_those_of_the_table_of_scalings():
    """Rates and epsilon of the groups are the mean-field factors of ``mf.scalings`` at these widths."""
    network = mf.load("specs/residual.toml")
    module = network.to_torch(8)
    rows = mf.scalings(network).row
    for rule in ("sgd", "adam"):
        for group in module.parameter_groups(0.1, rule):
            factors = rows[group["name"]].factors[Convention.MEAN_FIELD].rule[rule]
            assert group["lr"] == pytest.approx(0.1 * at_widths(factors.rate, module.widths))
            for name, factor in factors.constants:
                assert group[name] == pytest.approx(1e-8 * at_widths(factor, module.widths))


def at_widths(product, widths):
    return math.prod(float(widths[name]) ** float(power) for name, power in product.powers)


def test_groups_refuse_what_they_cannot_carry():
    network = mf.load(chain(2))
    module = network.to_torch(3)
    with pytest.raises(mf.ArgumentError, match="greater than 0"):
        module.parameter_groups(-1.0)
    with pytest.raises(mf.ArgumentError, match="no learning rule 'adma'"):
        module.parameter_groups(0.1, "adma")
    with pytest.raises(mf.ArgumentError, match="no constant 'mu'"):
        module.parameter_groups(0.1, "sgd", mu=0.3)
    with pytest.raises(mf.ArgumentError, match="allowed: 0 <= mu < 1"):
        module.parameter_groups(0.1, "momentum", mu=1.5)
    with pytest.raises(mf.ArgumentError, match="parameter_groups"):
        module.schedule(torch.optim.SGD(module.parameters(), lr=0.1))


def test_states_in_and_out():
    """Laws give the same start as simulate; a state, a sample of a limit and a state_dict are taken."""
    network = mf.load(chain(2)).replace(training={"steps": 2, "batch_size": 4})
    (path,) = mf.simulate(network, 5, [3], steps=1, evaluation=4)
    module = network.to_torch(5, seed=3)
    for name, values in module.named_parameters():
        assert values.dtype == torch.float32
        np.testing.assert_array_equal(values.detach().numpy(), path.checkpoints[0].state[name])
    assert [name for name, _ in module.named_parameters()] == list(module.state_dict())
    sample = mf.solve(network, nodes=4, steps=1, evaluation=4).sample(6)
    other = network.to_torch(state=sample, precision="float64")
    assert other.widths == {"h1": 6, "h2": 6}
    again = mf.to_torch(network, 6, precision="float64")
    again.load_state_dict(other.state_dict())
    x = network.source.evaluation(3)[0]
    for twin in (again, copy.deepcopy(other), pickle.loads(pickle.dumps(other))):
        np.testing.assert_array_equal(twin(x).detach().numpy(), other(x).detach().numpy())
    with pytest.raises(mf.StateError, match="populations of sizes"):
        network.to_torch(7, state=sample)
    with pytest.raises(mf.ArgumentError, match="needs a width"):
        network.to_torch()
    with pytest.raises(mf.StateError, match="expected"):
        module(np.zeros((3, 17)))
    with pytest.raises(mf.StateError, match="y has 2"):
        module.loss(x, np.zeros((2, 1)))


def test_frozen_parameters_and_names_of_methods():
    """Rate 0 has no gradient and no group; layers may be called like methods of modules."""
    document = chain(2)
    document["layers"][0] |= {"name": "half", "weight": {"law": "normal(0, 1)", "rate": 0}}
    document["layers"][1]["from"] = "half"
    network = mf.load(document)
    module = network.to_torch(3, precision="float64")
    frozen = [name for name, values in module.named_parameters() if not values.requires_grad]
    assert frozen == ["half.weight"] and module.get_parameter("h2.weight").shape == (3, 3)
    assert "half.weight" not in {group["name"] for group in module.parameter_groups()}
    x = network.source.evaluation(3)[0]
    close(module(x).detach().numpy(), network_ground(network, module.finite).fields(module.state, x)["yhat"])
    assert module.half().state["half.weight"].dtype == np.float16


def test_dropout_acts_in_training_alone():
    """Masks of one neuron: 0 or 1/(1 - q), left out with frequency q within five standard errors."""
    network = mf.load("specs/signal/dropout.toml")
    network = network.replace(training={"dropout": {network.layers[0].name: 0.25}})
    module = network.to_torch(200, precision="float64")
    x = network.source.evaluation(20)[0]
    torch.manual_seed(0)
    (field,) = module.dropout.fields[network.layers[0].name]
    trained, plain = module.fields(x)[field], module.eval().fields(x)[field]
    share = (trained / plain)[plain != 0].detach().numpy()
    assert share.size > 500
    assert set(np.round(share, 9).ravel()) == {0.0, round(1 / 0.75, 9)}
    assert abs((share == 0).mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / share.size)


def test_functions_and_their_derivatives_are_those_of_jax():
    """The whole table on both sides of every kink and on it: values and slopes, relative to 1e-13."""
    import jax

    from mfderive.finite.jax_functions import JAX_FUNCTIONS
    from mfderive.finite.namespace import precision
    from mfderive.finite.torch_functions import TORCH_FUNCTIONS

    assert set(TORCH_FUNCTIONS) == set(JAX_FUNCTIONS)
    points = np.array([-30.0, -2.5, -1.0, -1e-3, 0.0, 1e-3, 0.5, 1.0, 3.0, 25.0, 60.0])
    seconds = np.array([1.0, -2.5, 0.5, 0.0, 0.0, 1.0, 0.5, 2.0, -3.0, 2.0, 1.0])
    two = {"max", "min", "not_less", "huber", "clip", "power"}
    for name, function in TORCH_FUNCTIONS.items():
        x = points[points > 0] if name in ("log", "sqrt", "power") else points
        other = [np.abs(seconds) + 0.5 if name in ("huber", "clip") else seconds] if name in two else []
        other = [each[-len(x) :] for each in other]
        tensor = torch.tensor(x, requires_grad=True)
        value = function(tensor, *map(torch.tensor, other))
        slope = torch.autograd.grad(value.sum(), tensor)[0] if value.requires_grad else torch.zeros(len(x))
        with precision(jax, "float64"):
            arrays = [jax.numpy.asarray(each) for each in (x, *other)]
            wanted = np.asarray(JAX_FUNCTIONS[name](*arrays))
            slopes = np.asarray(jax.grad(lambda *a, n=name: JAX_FUNCTIONS[n](*a).sum())(*arrays))
        np.testing.assert_allclose(value.detach().numpy(), wanted, rtol=1e-13, atol=1e-15, err_msg=name)
        np.testing.assert_allclose(slope.numpy(), slopes, rtol=1e-13, atol=1e-15, err_msg=name)


def test_groups_are_of_the_shapes_at_hand():
    """The widths behind the rates are read off the parameters themselves."""
    module = mf.load(chain(2)).to_torch(7)
    shapes = {name: tuple(values.shape) for name, values in module.named_parameters()}
    widths = RuleStep(module.finite.system, shapes).widths
    groups = {group["name"]: group for group in module.parameter_groups(1.0)}
    assert {name: group["multiplier"] for name, group in groups.items()} == widths
    assert max(widths.values()) == 49
