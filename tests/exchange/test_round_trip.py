"""A network as a module of PyTorch and back: the same equations, the same state, the same velocities.

A module has neither laws nor data, loss and training: they are given; layers are named after their weights.
"""

import numpy as np
import pytest

import mfderive as mf

torch = pytest.importorskip("torch")

# Specs of which also the text of all equations is the same.
SAME_TEXT = (
    "two_layer",
    "layer_norm",
    "digits",
    "five_layer_tanh",
    "five_layer_gaussians",
    "bottleneck",
    "three_layer",
)
# Specs whose import is written otherwise: an operation as part of an activation, parameters by other names.
SAME_VELOCITY = ("gated", "autoencoder_tied", "residual", "residual_blocks", "bilinear", "correlated_init")
SLOW = ("three_layer", "five_layer_gaussians", "digits", "bottleneck", "bilinear", "residual_blocks")
# Windows, steps, heads and operations on pairs are sums there whose layers cannot be told any more.
ONE_WAY = {
    "cnn_small": "stack",
    "recurrent_elman": "index_select",
    "attention_positions": "stack",
    "five_layer_parameters": "array of shape",
}


def marked(names):
    return [pytest.param(name, marks=pytest.mark.study if name in SLOW else ()) for name in names]


def there_and_back(name, laws=False):
    """The network, its module at normal weights, inputs, and the import in two widths."""
    network = mf.load(f"specs/{name}.toml")
    modules = [network.to_torch(width, precision="float64").eval() for width in (4, 8)]
    torch.manual_seed(0)
    for parameter in modules[0].parameters():
        torch.nn.init.normal_(parameter)
    data = network.source.evaluation(12)
    texts = {each.name: each.law.text for each in mf.forward_system(network).parameters} if laws else {}
    tables = {key: network.document[key] for key in ("loss", "training")}
    found = mf.from_torch(modules[0], data[0], modules[1], laws=texts, data=data, **tables)
    return network, modules[0], data, found


@pytest.mark.parametrize("name", marked(SAME_TEXT))
def test_equations_have_the_same_text(name):
    network, _, _, found = there_and_back(name, laws=True)
    ours, theirs = (str(mf.derive(each)).split("\n", 1) for each in (network, found.network))
    assert (ours[0], theirs[0]) == (network.title, "FiniteModule")
    assert theirs[1] == ours[1] and len(ours[1]) > 1000


@pytest.mark.parametrize("name", marked(SAME_TEXT + SAME_VELOCITY))
def test_velocities_are_the_same(name):
    """Of every trained parameter, entry by entry, to 1e-12 of the largest (sums in another order)."""
    network, module, (x, y), found = there_and_back(name)
    assert {*found.widths.values()} == {4}
    ours = mf.finite_velocity(network, module.state, x, y)
    theirs = mf.finite_velocity(found.network, found.state, found.inputs(x), y)
    seen = set()
    for parameter, place in found.places.items():
        # The state is the module's own: what it divides by the width is an average here.
        np.testing.assert_array_equal(
            place.state.ravel(), module.state[place.parameter].ravel()[place.index.ravel()]
        )
        wanted = ours[place.parameter].ravel()[place.index.ravel()]
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(theirs[parameter].ravel(), wanted, rtol=0, atol=1e-12 * scale)
        seen.add(place.parameter)
    # What no equation reads is not in the program.
    assert all(not ours[missing].any() for missing in {*ours} - seen)


@pytest.mark.parametrize("name", ONE_WAY)
def test_what_has_no_way_back_is_refused_by_name(name):
    with pytest.raises(mf.MfError, match=ONE_WAY[name]):
        there_and_back(name)


def test_a_mean_that_a_module_takes_is_no_scale():
    """Division by the width is the average over it; another factor stays in the activation."""

    class Mean(torch.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.first, self.second = torch.nn.Linear(3, 5), torch.nn.Linear(5, 4, bias=False)
            self.third = torch.nn.Linear(4, 2)
            self.factor = factor

        def forward(self, x):
            h = torch.tanh(self.first(x))
            second = torch.einsum("sn,mn->sm", h, self.second.weight)
            return self.third(torch.tanh(self.factor * second))

    x = torch.zeros(2, 3, dtype=torch.float64)
    mean, other = (mf.from_torch(Mean(factor).double(), x) for factor in (1 / 5, 1 / 4))
    assert mean.places["second.weight"].scale == 1 and other.places["second.weight"].scale == 5
    assert [each.network.layers[1].written for each in (mean, other)] == ["tanh", "tanh(0.25*h)"]
