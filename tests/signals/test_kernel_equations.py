"""Kernel equations of networks against the formulas of theory F, typed here, and against numbers.md."""

import numpy as np
import pytest

import mfderive as mf
from mfderive.signals.reading import kernel_system
from tests.signals.documents import chain, connection, convolutional, dense, document, residual

W2, B2 = 1.3, 0.2
Q1, Q2, C = 0.9, 1.4, 0.3
# Sums of up to a hundred rounded numbers of size 1.
ROUNDING = 1e-12


def erf_c(q12, q1, q2):
    """E erf(u1) erf(u2) (theory F)."""
    return 2 / np.pi * np.arcsin(2 * q12 / np.sqrt((1 + 2 * q1) * (1 + 2 * q2)))


def erf_slopes(q12, q1, q2):
    """E erf'(u1) erf'(u2) (theory F)."""
    return 4 / np.pi / np.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * q12**2)


def relu_c(q12, q1, q2):
    """E relu(u1) relu(u2) (theory F)."""
    c = np.clip(q12 / np.sqrt(q1 * q2), -1, 1)
    return np.sqrt(q1 * q2) / (2 * np.pi) * (np.sqrt(1 - c * c) + c * (np.pi - np.arccos(c)))


def relu_slopes(q12, q1, q2):
    """E step(u1) step(u2) (theory F)."""
    return (np.pi - np.arccos(np.clip(q12 / np.sqrt(q1 * q2), -1, 1))) / (2 * np.pi)


def followed(spec, x1=Q1, x2=Q2, correlation=C):
    return mf.signal(mf.load(spec), sigma_w2=W2, sigma_b2=B2).by_depth(x1, x2, correlation)


def rows(found):
    """[q1, q2, q12] of every field, gradient and parameter, by name."""
    parts = (found.fields, found.gradients, found.parameters)
    return [{r.name: np.array([r.q1, r.q2, r.q12]) for r in part} for part in parts]


def pairs(function, q):
    """A function of (q12, q1, q2) for input 1 with itself, input 2 with itself, and both."""
    return np.array([function(q[0], q[0], q[0]), function(q[1], q[1], q[1]), function(q[2], q[0], q[1])])


def linear(name, source):
    return {"name": name, "from": source, "weight": "normal(0, 1)", "bias": "0"}


def start():
    return np.array([Q1, Q2, C * np.sqrt(Q1 * Q2)])


@pytest.mark.parametrize(
    ("name", "value", "slopes"), [("erf", erf_c, erf_slopes), ("relu", relu_c, relu_slopes)]
)
def test_dense_chain(name, value, slopes) -> None:
    """q, q12, the gradient recursion and the tangent kernel of a dense chain, to rounding (theory F)."""
    fields, gradients, parameters = rows(followed(chain(4, name)))
    q = W2 * start() + B2
    kernels = [q]
    for _ in range(3):
        kernels.append(W2 * pairs(value, kernels[-1]) + B2)
    d = np.ones(3)
    total = W2 * pairs(value, kernels[-1])
    for number in (4, 3, 2, 1):
        q = kernels[number - 1]
        np.testing.assert_allclose(fields[f"f_{number}"], q, rtol=ROUNDING)
        d = d * W2 * pairs(slopes, q)
        np.testing.assert_allclose(gradients[f"f_{number}"], d, rtol=ROUNDING)
        total = total + d * q  # sigma_w2 E[phi phi'] + sigma_b2 is the kernel itself
    np.testing.assert_allclose(sum(parameters.values()), total, rtol=ROUNDING)


def test_full_residual_network() -> None:
    """p, q, lambda, gamma and the gradients of a fully residual network, to rounding (Yang and
    Schoenholz)."""
    fields, gradients, _ = rows(followed(residual(3, "erf", full=True)))
    p = W2 * start()
    inner = []
    for number in (1, 2, 3):
        q = W2 * p + B2
        inner.append(q)
        p = p + W2 * pairs(erf_c, q)
        np.testing.assert_allclose(fields[f"inner_{number}"], q, rtol=ROUNDING)
        np.testing.assert_allclose(fields[f"stream_{number}"], p, rtol=ROUNDING)
    d = W2 * np.ones(3)
    for number in (3, 2, 1):
        np.testing.assert_allclose(gradients[f"stream_{number}"], d, rtol=ROUNDING)
        d = d * (1 + W2 * W2 * pairs(erf_slopes, inner[number - 1]))
    np.testing.assert_allclose(gradients["s"], d, rtol=ROUNDING)


def test_reduced_residual_network_needs_first_moments() -> None:
    """x + relu(W x + b): E[x relu] = E x E relu enters, and the mean of the stream is carried on, to
    rounding."""
    found = followed(residual(3, "relu", full=False))
    fields, gradients, _ = rows(found)
    p, mean = W2 * start(), np.zeros(2)
    inner = []
    for number in (1, 2, 3):
        q = W2 * p + B2
        inner.append(q)
        own = np.sqrt(q[:2] / (2 * np.pi))  # E relu
        cross = np.array([2 * mean[0] * own[0], 2 * mean[1] * own[1], mean[0] * own[1] + mean[1] * own[0]])
        p, mean = p + cross + pairs(relu_c, q), mean + own
        np.testing.assert_allclose(fields[f"stream_{number}"], p, rtol=ROUNDING)
        np.testing.assert_allclose(found.kernel(f"mean of stream_{number}", 2), mean[1], rtol=ROUNDING)
    d = W2 * np.ones(3)
    for number in (3, 2, 1):
        d = d * (1 + W2 * pairs(relu_slopes, inner[number - 1]))
    np.testing.assert_allclose(gradients["s"], d, rtol=ROUNDING)


def test_an_odd_activation_carries_no_mean() -> None:
    """For odd functions the reduced network has no first moments, and kernels add up without cross terms."""
    found = followed(residual(2, "erf", full=False))
    assert not any(kernel.kind.value == "first" for kernel in found.values.system.computed)
    p = W2 * start()
    for _ in range(2):
        p = p + pairs(erf_c, W2 * p + B2)
    np.testing.assert_allclose(rows(found)[0]["stream_2"], p, rtol=ROUNDING)


def test_convolution_over_pairs_of_positions() -> None:
    """S over pairs of positions with zero padding, the pooled kernel, and gradients backward, to rounding."""
    positions = 5
    x = np.random.default_rng(0).standard_normal((2, 2, positions))
    found = mf.signal(mf.load(convolutional(2, "relu", positions)), sigma_w2=W2, sigma_b2=B2).by_depth(*x)

    def convolved(k, bias):
        total = np.full((positions, positions), bias)
        for a in range(positions):
            for b in range(positions):
                for tap in (-1, 0, 1):
                    if 0 <= a + tap < positions and 0 <= b + tap < positions:
                        total[a, b] += W2 / 3 * k[a + tap, b + tap]
        return total

    def products(s):
        q = [np.diag(s[0]), np.diag(s[1])]
        return [function_over(relu_c, s[n], q[i], q[j]) for n, (i, j) in enumerate(((0, 0), (1, 1), (0, 1)))]

    def function_over(function, s, q, r):
        return function(s, q[:, None], r[None, :])

    inputs = [x[i].T @ x[j] / 2 for i, j in ((0, 0), (1, 1), (0, 1))]
    first = [convolved(k, B2) for k in inputs]
    second = [convolved(k, B2) for k in products(first)]
    for n, (i, j) in enumerate(((1, 1), (2, 2), (1, 2))):
        np.testing.assert_allclose(found.kernel("c_1", i, j), first[n], rtol=ROUNDING)
        np.testing.assert_allclose(found.kernel("c_2", i, j), second[n], rtol=ROUNDING)
    pooled = [k.mean() for k in products(second)]
    np.testing.assert_allclose(rows(found)[0]["pooled"], pooled, rtol=ROUNDING)
    # Backward: St = A^T (slopes o St), from the same gradient of the average at every position.
    q = [np.diag(second[0]), np.diag(second[1])]
    top = W2 / positions**2 * function_over(relu_slopes, second[2], q[0], q[1])
    np.testing.assert_allclose(found.kernel("adj c_2", 1, 2), top, rtol=ROUNDING)
    r = [np.diag(first[0]), np.diag(first[1])]
    below = function_over(relu_slopes, first[2], r[0], r[1]) * convolved(top, 0.0)
    np.testing.assert_allclose(found.kernel("adj c_1", 1, 2), below, rtol=ROUNDING)


def test_dropout() -> None:
    """numbers.md 12: q with 1/p, the pair without; gradients alike."""
    keep = 0.8
    net = chain(3, "relu")
    net["training"]["dropout"] = 1 - keep
    fields, gradients, _ = rows(followed(net))
    q = W2 * start() + B2
    masks = np.array([1 / keep, 1 / keep, 1.0])
    kernels = [q]
    for number in (2, 3):
        q = W2 * masks * pairs(relu_c, q) + B2
        kernels.append(q)
        np.testing.assert_allclose(fields[f"f_{number}"], q, rtol=ROUNDING)
    d = np.ones(3)
    for q in reversed(kernels):
        d = d * W2 * masks * pairs(relu_slopes, q)
    np.testing.assert_allclose(gradients["f_1"], d, rtol=ROUNDING)


def test_masks_inside_a_function() -> None:
    """erf(m u) of a value that was carried on with its mask m: 1/p with probability p, else 0, so that one
    input has p f(u/p) and a pair p^2 f(u1/p) f(u2/p); the slope by u has a factor m.
    """
    keep = 0.7
    carried = {
        "name": "s",
        "neurons": "i",
        "activation": "erf",
        "connections": [connection("i", kind="skip")],
    }
    net = document([dense("i", "x", "h"), carried, dense("c", "s", "h")], "c")
    net["layers"][0].pop("bias"), net["layers"][2].pop("bias")
    net["training"]["dropout"] = 1 - keep
    fields, gradients, _ = rows(followed(net))
    q = W2 * start()
    kept, masks = np.array([keep, keep, keep**2]), np.array([1 / keep, 1 / keep, 1.0])
    np.testing.assert_allclose(fields["s"], masks * q, rtol=ROUNDING)
    np.testing.assert_allclose(fields["c"], W2 * masks * kept * pairs(erf_c, q / keep**2), rtol=ROUNDING)
    below = W2**2 * masks**2 * (kept / keep**2) * pairs(erf_slopes, q / keep**2)
    np.testing.assert_allclose(gradients["i"], below, rtol=ROUNDING)


def test_layer_normalisation_is_a_number() -> None:
    """h / sqrt(mean h^2): the next layer's kernel is that of unit variance and the correlation, to
    rounding."""
    layer = {"name": "n", "from": "x", "weight": "normal(0, 1)"}
    layer["activation"] = "erf((h - mean(h)) / sqrt(mean((h - mean(h))**2)))"
    fields, _, _ = rows(followed(document([layer, dense("f", "n")], "f")))
    expected = W2 * erf_c(np.array([1, 1, C]), 1.0, 1.0) + B2
    np.testing.assert_allclose(fields["f"], expected, rtol=ROUNDING)


def test_recurrent_weights_have_a_covariance_in_time() -> None:
    """h_t = W erf(h_(t-1)) + U x: sums over one weight at several steps are jointly Gaussian, to rounding."""
    layer = {
        "name": "r",
        "steps": 3,
        "activation": "erf",
        "connections": [connection("x"), connection("r", kind="recurrent", weight="normal(0, 1)")],
    }
    spec = document([layer], "r")
    spec["data"] = {"kind": "teacher", "dimension": 12, "target": "x1", "shape": [3, 4]}
    x = np.random.default_rng(1).standard_normal((2, 3, 4))
    found = mf.signal(mf.load(spec), sigma_w2=W2, sigma_b2=B2).by_depth(*x)
    whole = np.concatenate(list(x))  # steps of input 1, then of input 2
    k = W2 * whole @ whole.T / 4
    total = k.copy()
    for _ in range(2):
        q = np.diag(total)
        before = erf_c(total, q[:, None], q[None, :])
        shifted = np.zeros_like(before)
        for i in (0, 3):
            for j in (0, 3):
                shifted[i + 1 : i + 3, j + 1 : j + 3] = before[i : i + 2, j : j + 2]
        total = k + W2 * shifted
    for step in (1, 2, 3):
        expected = [total[step - 1, step - 1], total[step + 2, step + 2], total[step - 1, step + 2]]
        np.testing.assert_allclose(rows(found)[0][f"r.step{step}"], expected, rtol=ROUNDING)


def test_critical_initialisation_of_graphs() -> None:
    """numbers.md 1 and 13: the repeated part of a dense and of a convolutional network are critical alike."""
    for spec in (chain(4), convolutional(4, "tanh", 3)):
        found = mf.critical(mf.load(spec), sigma_b2=0.05)
        np.testing.assert_allclose([found.sigma_w2, found.q_star], [1.760954640, 0.570047882], atol=1e-8)


def test_an_activation_and_its_network_agree() -> None:
    """mf.signal of a chain has the fixed points of mf.signal of its activation, to the solvers' tolerance."""
    one, other = (
        mf.signal(mf.load(chain(4)), sigma_w2=4, sigma_b2=0.05),
        mf.signal("tanh", sigma_w2=4, sigma_b2=0.05),
    )
    for name in ("q_star", "c_star", "chi_1", "xi_q", "xi_c"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-8), name


def test_functions_that_jump_are_no_linear_ones() -> None:
    """The slope of sign is 0, but a stream that carries it is not Gaussian: E tanh(sign + g)^2 is, for g of
    variance W2 + B2, E tanh(1 + g)^2. A bias beside 2 h is one: f(2 h + b) reads a variance of 4 q + B2.
    """
    both = [connection("a", kind="skip"), connection("i", kind="skip")]
    stream = {"name": "s", "neurons": "a", "activation": "tanh", "connections": both}
    inner = linear("i", "a") | {"neurons": "a", "kind": "dense"}
    net = document([dense("a", "x", "sign"), inner, stream, linear("c", "s")], "c")
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    square = weights @ np.tanh(1 + np.sqrt(W2 + B2) * nodes) ** 2 / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(rows(followed(net))[0]["c"][0], W2 * square + B2, rtol=1e-10)
    q = W2 * 4 * start() + B2
    for name, value in (("heaviside", relu_slopes), ("erf", erf_c)):
        first = linear("a", "x") | {"activation": f"{name}(2 * h + b)", "parameters": {"b": "0"}}
        first.pop("bias")
        found = rows(followed(document([first, linear("c", "a")], "c")))[0]["c"]
        np.testing.assert_allclose(found, W2 * pairs(value, q) + B2, rtol=ROUNDING)


@pytest.mark.parametrize("activation", ["sign", "heaviside"])
def test_a_chain_of_jumps_is_what_its_activation_is(activation) -> None:
    """chi_1 is infinite, and nothing is critical; fixed points agree to the solvers' tolerance."""
    net = mf.load(chain(4, activation))
    one, other = (mf.signal(what, sigma_w2=1, sigma_b2=0.1) for what in (net, activation))
    assert one.chi_1 == other.chi_1 == np.inf and one.phase == other.phase
    np.testing.assert_allclose([one.q_star, one.c_star], [other.q_star, other.c_star], rtol=1e-10)
    with pytest.raises(mf.MfError, match="the activation jumps"):
        mf.critical(net, sigma_b2=0.1)


def test_powers_of_fields_are_closed_in_brackets() -> None:
    """The square of 1/u is not a square of z alone."""
    text = str(mf.signal(mf.load(chain(2, "log")), sigma_w2=1.0).equations)
    assert "1/(√q[f_1] z)²" in text and "z**" not in text


def test_the_survey_s_letters() -> None:
    """The equations of a dense chain as text and LaTeX, word for word."""
    found = mf.signal(mf.load(chain(6)), sigma_w2=W2)
    for line in (
        "  q[f_2] = σ_w² ∫Dz tanh(√q[f_1] z)² + σ_b²",
        "  q₁₂[f_2] = σ_w² ∫Dz₁Dz₂ tanh(u₁) tanh(u₂) {f_1} + σ_b²",
        "  q̃[f_2] = σ_w² q̃[f_3] ∫Dz (1 - tanh(√q[f_2] z)²)²",
        "  Θ₁₂[f_2.bias] = σ_b² q̃₁₂[f_2]",
    ):
        assert line in found.equations.splitlines()
    assert r"\mathcal{D}z\, \tanh^{2}{\left(\sqrt{q^{\mathrm{f\_1}}} z \right)} + \sigma_b^2" in found.latex
    assert "gradient independence" in found.equations and "q[f_5] =" not in found.equations


@pytest.mark.parametrize(
    "spec", [chain(3, "erf"), residual(2, "relu", full=False), convolutional(1, "tanh", 2)]
)
def test_generated_code_runs_alone(spec) -> None:
    """The generated module gives the same kernels; its panels of 120 nodes are exact to 1e-11 for these."""
    net = mf.load(spec)
    signal = mf.signal(net, sigma_w2=W2, sigma_b2=B2)
    x = np.random.default_rng(2).standard_normal((2, *net.input_shape))
    found = signal.by_depth(*x)
    assert "mfderive" not in signal.code
    module: dict = {}
    exec(compile(signal.code, "kernels", "exec"), module)
    given = [kernel.name for kernel in signal.kernels.given]
    arrays = {(k, *r): v for (k, r), v in found.values.given.items() if k in given}
    values = module["kernels"](arrays, **signal.scales)
    for kernel in signal.kernels.computed:
        if kernel.is_pair:
            for place, (i, j) in enumerate(((1, 1), (2, 2), (1, 2))):
                np.testing.assert_allclose(
                    values[kernel.name][place], found.kernel(kernel.name, i, j), rtol=1e-10, atol=1e-11
                )


def test_scales_of_single_parameters() -> None:
    """[signal] gives V a variance of its own; the copies still repeat, and flags change the others."""
    spec = residual(3, "erf", full=True)
    own = {f"stream_{k}": {"weight": 0.5} for k in (1, 2, 3)}
    spec["signal"] = {"sigma_w2": {"default": 1.3, **own}, "sigma_b2": 0.2}
    found = mf.signal(mf.load(spec))
    assert found.repeated is not None and found.scales["sigma_w2"] == W2
    p = W2 * Q1
    p = p + 0.5 * erf_c(W2 * p + B2, W2 * p + B2, W2 * p + B2)
    assert found.by_depth(Q1, Q1, 1.0).fields[2].q1 == pytest.approx(p, rel=ROUNDING)
    spec["signal"] = {"sigma_w2": {"default": 1.3, "inner.weight": 0.5}}
    with pytest.raises(mf.SpecError, match=r"no parameter 'inner.weight' that sigma_w2 is the variance of"):
        mf.signal(mf.load(spec))


def test_scales_are_asked_for() -> None:
    """Without [signal] the laws of the spec say nothing of sigma_w2."""
    with pytest.raises(mf.ArgumentError, match=r"sigma_w2 is not given.*\[signal\]"):
        mf.signal(mf.load(chain(2)))


def transposed():
    first = dense("e", "x", weight={"law": "normal(0, 1)"})
    second = dense("f", "e", weight={"law": "normal(0, 1)", "name": "V"})
    third = dense("g", "f", neurons="e", kind="dense", weight={"name": "V", "transpose": True})
    return document([first, second, third], "g")


REFUSED = {
    "transposed": (transposed(), r"'g' \(layer 'g'\) .* reads the weight 'V' transposed"),
    "finite": (
        document([dense("a", "x"), dense("b", "a", size=3), dense("c", "b")], "c"),
        r"'b.out' .* reads b, which has finitely many neurons",
    ),
    "max": (
        document(
            [
                dense("a", "x", kind="convolution", kernel=[2]),
                {"name": "m", "from": "a", "kind": "max-pool", "window": [2]},
                dense("b", "m", kind="convolution", kernel=[1]),
            ],
            "b",
            shape=[1, 6],
        ),
        r"takes a maximum",
    ),
    "nonlinear": (
        document([dense("a", "x"), dense("b", "a", operation="tanh(w * u)")], "b"),
        r"'b' .* is not linear in the weight 'b.weight'",
    ),
    "correlated": (
        document(
            [
                dense("a", "x"),
                {
                    "name": "b",
                    "activation": "h * g * e * tanh(f)",
                    "connections": [connection("a", into=into) for into in ("h", "g", "e", "f")],
                    "neurons": "a",
                },
                {
                    "name": "c",
                    "activation": "tanh(h)",
                    "neurons": "a",
                    "connections": [connection("b", kind="skip"), connection("a", kind="skip")],
                },
                dense("last", "c"),
            ],
            "last",
        ),
        r"jointly Gaussian values in one product is needed",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_close_is_refused(name) -> None:
    """One clear message each, which names the field and what would be needed."""
    spec, message = REFUSED[name]
    with pytest.raises(mf.MfError, match=message):
        kernel_system(mf.load(spec))


def test_a_network_without_repetition_has_no_fixed_points() -> None:
    """Said at the first question, and critical scales are refused."""
    net = mf.load(document([dense("a", "x"), dense("b", "a", "relu")], "b"))
    found = mf.signal(net, sigma_w2=W2)
    assert found.repeated is None and "No part of the network repeats" in found.equations
    for question in (lambda: found.q_star, lambda: mf.critical(net)):
        with pytest.raises(mf.MfError, match="repeat"):
            question()


def test_derivatives_of_a_block_are_exact() -> None:
    """Jacobians of a block with three kernels against central differences of order h^2 = 1e-10."""
    from mfderive.signals.network_map import repeated_map

    block = repeated_map(mf.load(residual(4, "gelu", full=False)))
    scales, h = {"sigma_w2": 0.7, "sigma_b2": 0.1}, 1e-5
    q, k = np.array([0.4, 1.2]), np.array([0.3, 0.5])
    assert len(block.names) == 2
    for number in range(2):
        step = h * np.eye(2)[number]
        one = (block.advance(q + step, scales) - block.advance(q - step, scales)) / (2 * h)
        np.testing.assert_allclose(block.jacobian(q, scales)[:, number], one, atol=1e-8)
    step = h * np.eye(2)[1]
    assert block.names[1] == "stream_2"
    pair = (block.advance_pair(k + step, q, q, scales) - block.advance_pair(k - step, q, q, scales)) / (2 * h)
    np.testing.assert_allclose(block.jacobian_pair(k, q, q, scales)[:, 1], pair, atol=1e-8)
    assert block.gradient_factor(q, scales) > 1
