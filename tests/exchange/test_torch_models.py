"""Modules of PyTorch, where it is installed: forward and gradients by autograd to 1e-12 of the largest entry.

Both sides are sums of fewer than a hundred products in float64 with derivatives to rounding (autograd there,
complex steps here), so that 1e-12 leaves a few thousand roundings.
"""

import math

import numpy as np
import pytest

import mfderive as mf

torch = pytest.importorskip("torch")
nn = torch.nn
# Exact in the float32 that ONNX keeps constants of nodes in.
EPSILON = 2.0**-10


class Tied(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.encode = nn.Linear(5, n)
        self.back = nn.Parameter(torch.randn(5))

    def forward(self, x):
        return torch.tanh(self.encode(x)) @ self.encode.weight + self.back


class Residual(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.stem = nn.Conv2d(2, n, 3, padding=1)
        self.inner = nn.Conv2d(n, n + 1, 3, padding=1)
        self.norm = nn.BatchNorm2d(n + 1)
        self.outer = nn.Conv2d(n + 1, n, 1)
        self.fc = nn.Linear(n, 2)

    def forward(self, x):
        stream = self.stem(x)
        stream = stream + self.outer(torch.tanh(self.norm(self.inner(stream))))
        return self.fc(nn.functional.silu(stream).mean((2, 3)))


class Gated(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.gate, self.value, self.out = nn.Linear(3, n), nn.Linear(3, n), nn.Linear(n, 2)
        self.norm = nn.LayerNorm(n, eps=EPSILON)

    def forward(self, x):
        return self.out(self.norm(torch.sigmoid(self.gate(x)) * nn.functional.gelu(self.value(x))))


class Heads(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.fc, self.main, self.guess = nn.Linear(3, n), nn.Linear(n, 2), nn.Linear(n, 2)

    def forward(self, x):
        hidden = torch.tanh(self.fc(x))
        return self.main(hidden), self.guess(hidden)


class Transformer(nn.Module):
    """Two heads, each of layers of its own; normalisation in front; a mean over positions at the end."""

    def __init__(self, n=4, heads=2):
        super().__init__()
        self.embed, self.first, self.second = (
            nn.Linear(2, n),
            nn.LayerNorm(n, eps=EPSILON),
            nn.LayerNorm(n, eps=EPSILON),
        )
        parts = [[nn.Linear(n, 3), nn.Linear(n, 3), nn.Linear(n, 5), nn.Linear(5, n)] for _ in range(heads)]
        self.heads = nn.ModuleList([nn.ModuleList(part) for part in parts])
        self.up, self.down, self.out = nn.Linear(n, 6), nn.Linear(6, n), nn.Linear(n, 2)

    def forward(self, x):
        stream = self.embed(x)
        normal = self.first(stream)
        for queries, keys, values, back in self.heads:
            mixed = nn.functional.scaled_dot_product_attention(queries(normal), keys(normal), values(normal))
            stream = stream + back(mixed)
        stream = stream + self.down(nn.functional.gelu(self.up(self.second(stream))))
        return self.out(stream.mean(1))


class Encoder(nn.Module):
    """PyTorch's own block, whose heads are packed in one array."""

    def __init__(self, n=4, **options):
        super().__init__()
        options = {"batch_first": True, "dropout": 0.3, "layer_norm_eps": EPSILON, **options}
        self.embed, self.out = nn.Linear(2, n), nn.Linear(n, 2)
        self.block = nn.TransformerEncoderLayer(n, 2, 5, **options)

    def forward(self, x):
        return self.out(self.block(self.embed(x)).mean(1))


class Attended(nn.Module):
    """Attention of its own layout, [positions, samples, neurons], whose values are not what is asked."""

    def __init__(self, n=6):
        super().__init__()
        self.asked, self.read, self.out = nn.Linear(2, n), nn.Linear(2, n), nn.Linear(n, 2)
        self.mix = nn.MultiheadAttention(n, 3, bias=False)

    def forward(self, x):
        asked, read = (torch.tanh(part(x)).transpose(0, 1) for part in (self.asked, self.read))
        mixed, _ = self.mix(asked, read, read)
        return self.out((mixed + asked).transpose(0, 1).mean(1))


class Last(nn.Module):
    def __init__(self, kind, n=4):
        super().__init__()
        self.cell, self.out = kind(2, n, batch_first=True), nn.Linear(n, 2)

    def forward(self, x):
        return self.out(self.cell(x)[0][:, -1])


def mlp(n=4):
    return nn.Sequential(
        nn.Linear(3, n), nn.ELU(), nn.Dropout(0.5), nn.Linear(n, n + 1), nn.Tanh(), nn.Linear(n + 1, 2)
    )


def normalised(n=4):
    layers = [nn.Linear(3, n), nn.LayerNorm(n, eps=EPSILON), nn.Tanh(), nn.Linear(n, n + 1)]
    return nn.Sequential(*layers, nn.LayerNorm(n + 1, eps=EPSILON), nn.SiLU(), nn.Linear(n + 1, 2))


def cnn(n=3):
    first, second = nn.Conv1d(2, n, 3), nn.Conv1d(n, n, 2)
    return nn.Sequential(
        first, nn.Tanh(), nn.AvgPool1d(2), second, nn.Softplus(), nn.Flatten(), nn.Linear(2 * n, 2)
    )


class Embedded(nn.Module):
    """Two words, each by its row, through a layer of their own."""

    def __init__(self, n=4):
        super().__init__()
        self.table, self.mix, self.out = nn.Embedding(5, n), nn.Linear(n, n), nn.Linear(n, 2)

    def forward(self, x):
        return self.out(torch.tanh(self.mix(self.table(x.long()))).mean(1))


class FrozenHeads(Transformer):
    """The same block with queries and keys that are not trained."""

    def __init__(self):
        super().__init__()
        for queries, keys, _, _ in self.heads:
            for part in (queries, keys):
                part.requires_grad_(False)


MODULES = {
    "mlp": (mlp, (3,)),
    "layer norm": (normalised, (3,)),
    "tied": (Tied, (5,)),
    "cnn": (cnn, (2, 8)),
    "residual cnn": (Residual, (2, 4, 4)),
    "gated, layer norm": (Gated, (3,)),
    "two heads": (Heads, (3,)),
    "transformer": (Transformer, (3, 2)),
    "frozen heads": (FrozenHeads, (3, 2)),
    "words": (Embedded, (2,)),
    "rnn": (lambda: Last(nn.RNN), (3, 2)),
    "lstm": (lambda: Last(nn.LSTM), (3, 2)),
    "gru": (lambda: Last(nn.GRU), (3, 2)),
}

PACKED = {
    "encoder layer": (Encoder, (3, 2)),
    "encoder layer, norms first": (lambda: Encoder(norm_first=True, activation="gelu"), (3, 2)),
    "attended": (Attended, (3, 2)),
}
MODULES |= PACKED


def case(name, seed):
    """A module with random weights in evaluation, and inputs: words are whole numbers."""
    make, shape = MODULES[name]
    torch.manual_seed(seed)
    module = make().double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(4, *shape, dtype=torch.float64)
    return module, torch.floor(x * 2).clip(-2, 2) + 2 if name == "words" else x


@pytest.mark.parametrize("name", MODULES)
def test_forward_and_gradients(name):
    module, x = case(name, 0)
    found = mf.from_torch(module, x)
    outputs = module(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    scale = max(1.0, float(outputs[0].detach().abs().max()))
    np.testing.assert_allclose(found.predict(x), outputs[0].detach().numpy(), rtol=0, atol=1e-12 * scale)
    y = torch.randn_like(outputs[0])
    sum(((out - y) ** 2).sum(1).mean() for out in outputs).backward()
    velocity = mf.finite_velocity(found.network, found.state, found.inputs(x), y.numpy())
    axes = {parameter.name: parameter.axes for parameter in mf.forward_system(found.network).parameters}
    trained = {array: values for array, values in module.named_parameters() if values.requires_grad}
    frozen = {n for n, place in found.places.items() if place.parameter not in (None, *trained)}
    assert bool(frozen) is (name == "frozen heads") and not any(velocity[n].any() for n in frozen)
    seen = {array: np.zeros(parameter.numel()) for array, parameter in trained.items()}
    counts = {array: np.zeros(parameter.numel(), int) for array, parameter in module.named_parameters()}
    for parameter, place in found.places.items():
        if place.parameter in trained:
            widths = math.prod(found.widths.get(axis, 1) for axis in axes[parameter])
            np.add.at(seen[place.parameter], place.index, -velocity[parameter] / widths * place.scale)
        if place.parameter is not None:
            np.add.at(counts[place.parameter], place.index, 1)
    # Nothing that is trained is in the network twice: it would be trained apart.
    assert {number for count in counts.values() for number in count.tolist()} == {1}
    for array, parameter in trained.items():
        wanted = parameter.grad.numpy().ravel()
        np.testing.assert_allclose(seen[array], wanted, rtol=0, atol=1e-12 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("open_batch", [False, True])
@pytest.mark.parametrize("name", [name for name in MODULES if name not in PACKED])
def test_exported_files(name, open_batch, tmp_path):
    """The same modules through ONNX files as PyTorch writes them, which may turn and cut arrays.

    Entries are random, so that each is found by its value; batch normalisation is folded into a weight.
    """
    module, x = case(name, 1)
    axes = {"x": {0: "batch"}} if open_batch else None
    file = tmp_path / "model.onnx"
    torch.onnx.export(
        module, (x,), file, dynamo=False, input_names=["x"], dynamic_axes=axes, opset_version=17
    )
    outputs = module(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    wanted = outputs[0].detach().numpy()
    found = mf.from_onnx(file)
    np.testing.assert_allclose(found.predict(x), wanted, rtol=0, atol=1e-12 * max(1.0, np.abs(wanted).max()))
    y = torch.randn_like(outputs[0])
    sum(((out - y) ** 2).sum(1).mean() for out in outputs).backward()
    velocity = mf.finite_velocity(found.network, found.state, found.inputs(x), y.numpy())
    axes = {parameter.name: parameter.axes for parameter in mf.forward_system(found.network).parameters}
    seen = {}
    for parameter, place in found.places.items():
        widths = math.prod(found.widths.get(axis, 1) for axis in axes[parameter])
        gradient = -velocity[parameter] / widths * place.scale
        for entry, slope in zip(np.ravel(place.values), gradient.ravel(), strict=True):
            seen[float(entry)] = seen.get(float(entry), 0.0) + slope
    missing = set()
    for array, parameter in module.named_parameters():
        if parameter.requires_grad:
            slopes = parameter.grad.ravel().tolist()
            bound = 1e-12 * max(1.0, float(parameter.grad.abs().max()))
            for entry, slope in zip(parameter.ravel().tolist(), slopes, strict=True):
                missing |= set() if entry in seen else {array}
                assert entry not in seen or abs(seen[entry] - slope) <= bound, array
    folded = {"inner.weight", "inner.bias", "norm.weight", "norm.bias"} if name == "residual cnn" else set()
    assert missing == folded


NEWER = ("mlp", "tied", "cnn", "residual cnn", "layer norm", "two heads", "words", "lstm", "gru")


@pytest.mark.parametrize("name", NEWER)
def test_files_of_the_exporter_by_programs(name, tmp_path):
    """The exporter that is PyTorch's own default (it needs onnxscript): forward to 1e-12 of the largest."""
    pytest.importorskip("onnxscript")
    module, x = case(name, 1)
    file = tmp_path / "model.onnx"
    torch.onnx.export(module, (x,), file, dynamo=True, input_names=["x"], verbose=False)
    outputs = module(x)
    wanted = (outputs[0] if isinstance(outputs, tuple) else outputs).detach().numpy()
    found = mf.from_onnx(file).predict(x)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * max(1.0, np.abs(wanted).max()))


class Positions(nn.Module):
    """An embedding of numbers that are computed of the input."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 2)

    def forward(self, x):
        return self.table((x + 1).long())[:, 0]


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.mix(x, x, x, attn_mask=torch.zeros(3, 3), need_weights=False)[0].mean(1)


def words(module):
    module.table.padding_idx = 0
    return module


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.rfft(x).real


def test_the_module_is_left_as_it_was():
    """Parts in training and parts in evaluation stay so; that the module was in training is said."""
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(), nn.Linear(4, 2))
    module[1].eval()
    modes = [part.training for part in module.modules()]
    notes = mf.from_torch(module, torch.zeros(1, 3)).notes
    assert [part.training for part in module.modules()] == modes
    assert any("Dropout: the module is in training" in note for note in notes)


class Averaged(nn.Module):
    """The mean over all steps of a cell, which the spec writes as an average."""

    def __init__(self, n=4):
        super().__init__()
        self.cell, self.out = nn.GRU(2, n, batch_first=True), nn.Linear(n, 2)

    def forward(self, x):
        return self.out(self.cell(x)[0].mean(1))


def test_the_mean_over_steps():
    """Forward to 1e-12 of the largest, as in the other modules."""
    torch.manual_seed(0)
    module, x = Averaged().double(), torch.randn(4, 3, 2, dtype=torch.float64)
    wanted = module(x).detach().numpy()
    np.testing.assert_allclose(mf.from_torch(module, x).predict(x), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("example", "words"),
    [
        (None, "the example is None"),
        ("x", "the example is 'x'"),
        (torch.zeros(2, 5), r"fails at the example of shape \[2, 5\]"),
    ],
)
def test_wrong_examples_are_named(example, words):
    with pytest.raises(mf.MfError, match=words):
        mf.from_torch(mlp(), example)


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2)), (3,), "trains '1.weight'"),
        (lambda: nn.Sequential(nn.Linear(3, 8), nn.GLU(), nn.Linear(4, 2)), (3,), "layer of its own"),
        (Positions, (1,), "one-hot"),
        (lambda: words(Embedded()), (2,), "padding_idx"),
        (Spectrum, (3,), "'fft_rfft' is a fft_rfft"),
        (lambda: Masked(), (3, 4), "'mix' .MultiheadAttention. has a mask"),
        (lambda: nn.Conv1d(2, 4, 2, groups=2), (2, 5), "groups"),
        (lambda: 3, (3,), "not 'int'"),
    ],
)
def test_what_is_refused_is_named(make, shape, words):
    with pytest.raises(mf.MfError, match=words):
        mf.from_torch(make(), torch.zeros(2, *shape))


def test_initialisers_are_named():
    """The start of PyTorch's layers is known by its bounds, those of a Linear with the width in them."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 25), nn.Tanh(), nn.Linear(25, 2))
    nn.init.kaiming_uniform_(module[2].weight, nonlinearity="relu")
    found = mf.from_torch(module, torch.zeros(2, 20))
    assert found.laws["m0.weight"].initialiser == "as nn.Linear and nn.Conv start"
    assert found.laws["m0.weight"].text == f"uniform(-{20**-0.5:.5g}, {20**-0.5:.5g})"
    assert found.laws["m2.weight"].initialiser == "nn.init.kaiming_uniform_"


def test_packed_heads_are_layers_of_half_the_width_and_the_module_stays():
    torch.manual_seed(0)
    module, x = Encoder().double().eval(), torch.randn(4, 3, 2, dtype=torch.float64)
    before = module(x)
    found = mf.from_torch(module, x, Encoder(8).double())
    widths = sorted(found.widths.values())
    assert widths == [2, 2, 2, 2, 4] and len(found.network.layers) == 13
    assert "forward" not in vars(module.block.self_attn) and torch.equal(module(x), before)


def test_an_unknown_module_is_refused_from_its_file_too(tmp_path):
    """Sub-pixel shuffling is no layer here: named with its node by both ways in."""
    module, x = nn.Sequential(nn.Conv2d(1, 4, 1), nn.PixelShuffle(2), nn.Flatten()), torch.zeros(2, 1, 3, 3)
    file = tmp_path / "model.onnx"
    torch.onnx.export(module.eval(), (x,), file, dynamo=False)
    with pytest.raises(mf.MfError, match="is a pixel_shuffle"):
        mf.from_torch(module, x)
    with pytest.raises(mf.MfError, match="is a DepthToSpace"):
        mf.from_onnx(file)


def test_packed_heads_in_a_file_are_refused(tmp_path):
    """A file has the packed program alone: the module itself is to be read."""
    file = tmp_path / "model.onnx"
    torch.onnx.export(Encoder().double().eval(), (torch.zeros(4, 3, 2).double(),), file, dynamo=False)
    with pytest.raises(mf.MfError, match="layers of their own"):
        mf.from_onnx(file)


def test_widths_of_two_modules():
    torch.manual_seed(0)
    found = mf.from_torch(mlp(3), torch.zeros(2, 3), mlp(6))
    assert found.widths == {"m0": 3, "m3": 4}
