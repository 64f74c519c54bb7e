"""Batch normalisation in specs: kernels of a batch, the growth of gradients, and finite networks written by
hand."""

from math import pi
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.signals.sphere import SphereExpectation
from tests.signals.documents import chain, connection, document

CENTRED = "(h - mean(h, batch))"
NORMALISED = f"{CENTRED} / sqrt(mean({CENTRED}**2, batch))"
SPEC = Path(__file__).parents[2] / "specs" / "signal" / "batch_norm.toml"


def normalised(function="{}", batch=16, count=4, **signal):
    """A chain whose activations normalise a batch."""
    layers = [{"name": "f", "from": "x", "weight": "normal(0, 1)", "repeat": count}]
    layers[0]["activation"] = function.format(NORMALISED)
    return mf.load(document(layers, "f", signal={"sigma_w2": 1.5, "batch": batch, **signal}))


@pytest.mark.parametrize("batch", [4, 12, "infinity"])
def test_growth_of_linear_networks(batch) -> None:
    """Squared gradients grow by (B - 2) / (B - 3), to rounding of the quadrature (row 14 of the published
    values)."""
    wanted = 1.0 if batch == "infinity" else (batch - 2) / (batch - 3)
    assert mf.signal(normalised("{}", batch)).chi_1 == pytest.approx(wanted, rel=1e-10)


def test_growth_of_relu_networks() -> None:
    """pi / (pi - 1) for infinite batches, and the integral over the sphere for others; sigma_w2 cancels."""
    assert mf.signal(normalised("relu({})", "infinity")).chi_1 == pytest.approx(pi / (pi - 1), rel=1e-11)
    for scale in (0.5, 3.0):
        found = mf.signal(normalised("relu({})", 16), sigma_w2=scale)
        assert found.chi_1 == pytest.approx(mf.batch_norm_growth("relu", 16), rel=1e-10)
        assert found.q_star == pytest.approx(scale / 2, rel=1e-10)  # E relu(z)^2 = 1/2, z even on the sphere
        assert found.c_star < 1 / pi and found.xi_q == 0


def test_variance_as_a_difference_of_means_is_the_same() -> None:
    """mean(h^2) - mean(h)^2 is the variance of the batch too: the same numbers, exactly."""
    other = f"tanh({CENTRED} / sqrt(mean(h**2, batch) - mean(h, batch)**2))"
    layers = [{"name": "f", "from": "x", "weight": "normal(0, 1)", "repeat": 4, "activation": other}]
    net = mf.load(document(layers, "f", signal={"sigma_w2": 1.5, "batch": 8}))
    assert mf.signal(net).chi_1 == mf.signal(normalised("tanh({})", 8)).chi_1


def backward_growth(width, seeds, batch, depth, function, slope):
    """Squared gradients by the fields of each layer, [seed, layer], of networks with numpy alone."""
    found = np.empty((seeds, depth))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((2000, batch))
        weights, kept = [], []
        for _ in range(depth):
            size = len(x)
            w = rng.standard_normal((width, size)) / np.sqrt(size)
            h = w @ x
            r = h.std(axis=1, keepdims=True)
            z = (h - h.mean(axis=1, keepdims=True)) / r
            weights.append(w)
            kept.append((z, r))
            x = function(z)
        # Of many outputs with random residuals, which make one matrix of independent numbers.
        gradient = rng.standard_normal((width, batch)) / np.sqrt(width)
        for layer in reversed(range(depth)):
            z, r = kept[layer]
            a = gradient * slope(z)
            gradient = (a - a.mean(axis=1, keepdims=True) - z * (a * z).mean(axis=1, keepdims=True)) / r
            found[seed, layer] = (gradient**2).sum() / batch
            gradient = weights[layer].T @ gradient
    return found


def test_finite_networks_show_the_gradients() -> None:
    """Squared gradients by depth of networks of width 300, sigma_w2 = 1: within five standard errors of 12
    networks, and 6 / n a layer for the bias (theory D: means over networks are off by O(1/n))."""
    batch, depth, width = 8, 4, 300
    runs = backward_growth(
        width, 12, batch, depth, lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)
    )
    net = normalised("relu({})", batch, depth, sigma_w2=1.0)
    kernels = mf.signal(net).by_depth(1.0, correlation=0.0)
    wanted = np.array([row.q1 for row in reversed(kernels.gradients)])
    ratio = runs / wanted
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (np.abs(ratio.mean(axis=0) - 1) <= 5 * error + 6 * depth / width).all(), (
        ratio.mean(axis=0),
        error,
    )
    assert (error < 0.06).all()  # else nothing would be said


def test_fields_of_finite_networks() -> None:
    """Variances and covariances over a batch of 16: E relu(z)^2 and E relu(z) relu(z'), on Monte Carlo draws
    of the sphere, within five standard errors."""
    rng = np.random.default_rng(3)
    h = rng.standard_normal((50_000, 16))
    z = (h - h.mean(axis=1, keepdims=True)) / h.std(axis=1, keepdims=True)
    z = np.maximum(z, 0)
    found = mf.signal(normalised("relu({})", 16, sigma_w2=1.0)).by_depth(1.0)
    row = found.fields[1]
    for sample, value in ((z[:, 0] ** 2, row.q1), (z[:, 0] * z[:, 1], row.q12)):
        assert abs(sample.mean() - value) < 5 * sample.std() / np.sqrt(len(sample))


def test_the_output_is_followed_from_any_batch() -> None:
    """A batch of arrays stands for its averages: the same kernels as of its numbers, to rounding."""
    net = normalised("tanh({})", 8)
    x = np.random.default_rng(0).standard_normal((8, 6))
    products = x @ x.T / 6
    q = np.trace(products) / 8
    pair = (products.sum() - 8 * q) / 56
    signal = mf.signal(net)
    one, two = signal.by_depth(x), signal.by_depth(q, correlation=pair / q)
    assert [r.q12 for r in one.gradients] == pytest.approx([r.q12 for r in two.gradients], rel=1e-12)


def test_blocks_of_residual_networks() -> None:
    """x + W relu(BN(x)): variances and covariances grow by their own amounts, and gradients by the layer's
    growth shared out over what the stream has; the chain's numbers in the formula of theory F, to 1e-9."""
    block = {
        "name": "stream",
        "neurons": "block",
        "connections": [connection("block", kind="skip"), connection("inner")],
    }
    inner = {
        "name": "inner",
        "neurons": "block",
        "connections": [connection("block", kind="skip")],
        "activation": f"relu({NORMALISED})",
    }
    first = {"name": "s", "from": "x", "weight": "normal(0, 1)"}
    group = {"name": "block", "repeat": 3, "from": "s", "layers": [inner, block]}
    net = mf.load(document([first, group], "block", signal={"sigma_w2": 1.0, "batch": 8}))
    found = mf.signal(net).by_depth(1.0, correlation=0.0)
    fields = {row.name: row for row in found.fields}
    chain_row = mf.signal(normalised("relu({})", 8, sigma_w2=1.0)).by_depth(1.0).fields[1]
    assert fields["stream_3"].q1 == pytest.approx(1 + 3 * chain_row.q1, rel=1e-9)
    assert fields["stream_3"].q12 == pytest.approx(3 * chain_row.q12, rel=1e-9)
    gradients = {row.name: row for row in found.gradients}
    growth, apart = mf.batch_norm_growth("relu", 8), chain_row.q1 - chain_row.q12
    for n in (
        1,
        2,
    ):  # only gradients that already sum to 0 over the batch grow by R: compare the last increment
        before, after = gradients[f"stream_{n}"], gradients[f"stream_{n + 1}"]
        stream = fields[f"stream_{n}"]
        centred = after.q1 - after.q12
        added = before.q1 - before.q12 - centred
        assert added > 0
        assert added * (stream.q1 - stream.q12) / apart / centred == pytest.approx(growth, rel=0.2)


def test_code_says_the_same(tmp_path) -> None:
    """The equations as code evaluate to the kernels that this program has."""
    net = normalised("tanh({})", 8)
    found = mf.signal(net)
    names: dict = {}
    exec(compile(found.code, "kernels", "exec"), names)
    depth = found.by_depth(1.0, correlation=0.2)
    keys = {kernel.name for kernel in found.kernels.given}
    given = {(name, *r): value for (name, r), value in depth.values.given.items() if name in keys}
    values = names["kernels"](given, **{str(s): found.scales[str(s)] for s in found.kernels.scales})
    for kernel in found.kernels.computed:
        assert values[kernel.name][2] == pytest.approx(depth.kernel(kernel.name), rel=1e-9)


def test_entries_of_the_sphere() -> None:
    """z z' has the mean -1/(B - 1), z^2 is 1 and z^4 is 3 (B - 1)^2 / (B^2 - 1): moments of the sphere."""
    import sympy as sp

    a, b = sp.symbols("a b")
    for batch in (4, 9):
        assert SphereExpectation(a * b, (a, b), batch).evaluate()[0] == pytest.approx(-1 / (batch - 1))
        assert SphereExpectation(a**2, (a,), batch).evaluate()[0] == pytest.approx(1)
        n = batch - 1
        assert SphereExpectation(a**4, (a,), batch).evaluate()[0] == pytest.approx(3 * n**2 / (n * (n + 2)))


BAD = {
    "added number": ("({c}) / sqrt(mean(({c})**2, batch) + 0.001)", "without a number that is added"),
    "no mean": ("h / sqrt(mean(h**2, batch))", "mean of the batch is not subtracted"),
    "fourth power": ("({c}) / mean(h**4, batch)**(1/4)", "no polynomial of second degree"),
    "beside its own field": (
        "tanh({c} / sqrt(mean(({c})**2, batch))) + h",
        "mean of the batch is not subtracted",
    ),
}


@pytest.mark.parametrize("name", list(BAD))
def test_refusals(name) -> None:
    """What is no function of normalised values is refused in one sentence."""
    text, words = BAD[name]
    layer = {
        "name": "f",
        "from": "x",
        "weight": "normal(0, 1)",
        "activation": text.format(c="h - mean(h, batch)"),
    }
    net = mf.load(document([layer], "f", signal={"sigma_w2": 1.0, "batch": 8}))
    with pytest.raises(mf.MfError, match=words):
        mf.signal(net)


def test_other_ways_refuse_batches() -> None:
    """No limit, no training and no kernels over data; a batch without a size is asked for, and sizes are
    checked."""
    net = mf.load(SPEC)
    for ask in (mf.derive, mf.solve, mf.kernels, lambda n: mf.simulate(n, width=8, seeds=1)):
        with pytest.raises(mf.MfError, match="batch"):
            ask(net)
    with pytest.raises(mf.MfError, match="no sigma_w2 is critical"):
        mf.critical(net)
    with pytest.raises(mf.MfError, match="alike"):
        mf.signal(net).by_depth(1.0, 2.0)
    with pytest.raises(mf.MfError, match="size of a batch is not given"):
        mf.signal(net.replace(signal={"batch": None}))
    with pytest.raises(mf.SpecError, match="only means are taken over a batch"):
        mf.load(
            document(
                [{"name": "f", "from": "x", "weight": "normal(0, 1)", "activation": "sum(h, batch)"}], "f"
            )
        )
    for wrong in (3, 4.5, "all"):
        with pytest.raises(mf.MfError, match="whole number of at least 4"):
            net.replace(signal={"batch": wrong})
    assert mf.signal(mf.load(chain(3, signal={"sigma_w2": 1.0}))).kernels.batch is None
