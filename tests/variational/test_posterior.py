"""Variational posteriors: derived updates against formulas by hand and exact sums; refusals by name."""

import networkx as nx
import numpy as np
import pytest
import sympy as sp
from scipy.special import digamma

import mfderive as mf
from mfderive.errors import ArgumentError, MfError
from mfderive.variational.exact_enumeration import enumerate_states
from mfderive.variational.exponential_families import FAMILIES
from mfderive.variational.ising_model import ising_model
from mfderive.variational.joint_densities import boltzmann_joint, ising_joint, mixture_joint, normal_joint
from mfderive.variational.mean_field import coordinate_ascent

i, j, k = sp.symbols("i j k", integer=True)
N, D = sp.symbols("N D", integer=True, positive=True)
mu, tau, rho, s = sp.symbols("mu tau rho s")
x, y, w, F, J = (sp.IndexedBase(name) for name in ("x", "y", "w", "F", "J"))


def is_monotone(found):
    """The ELBO never falls, to rounding of its size, and its steps add up to its value at the end."""
    scale = 1 + np.abs(found.elbo).max()
    assert (np.diff(found.elbo) >= -1e-12 * scale).all()
    return found.bound == pytest.approx(found.elbo[-1], abs=1e-9 * scale)


def test_ising_is_the_same_coordinate_ascent():
    """From one start, the derived updates are the compiled sweeps: means and ELBO agree to rounding."""
    graph = nx.grid_2d_graph(3, 4)
    random = np.random.default_rng(0)
    model = ising_model(graph, random.normal(0.5, 1, graph.number_of_edges()), random.normal(0, 0.3, 12), 1.7)
    start = random.uniform(-0.9, 0.9, 12)
    found = ising_joint(model).posterior(start={"sigma": start}, sweeps=6, tolerance=-1.0)
    by_hand = coordinate_ascent(model, start, sweeps=6, tolerance=-1.0)
    np.testing.assert_allclose(found["sigma"].mean, by_hand.m, atol=1e-13)
    np.testing.assert_allclose(found.elbo, by_hand.elbo, atol=1e-10)
    assert is_monotone(found) and found.bound <= enumerate_states(model).log_z
    assert "tanh(beta*B[i]" in found.text and r"\tanh" in found.latex


@pytest.mark.parametrize("seed", range(4))
def test_boltzmann_machine(seed):
    """Its hidden units given some: below the exact log of the sum; a restricted machine is exact."""
    random = np.random.default_rng(seed)
    n, visible = 8, {0: 1, 2: 0, 5: 1}
    weights = np.triu(random.normal(0, 1, (n, n)), 1)
    weights, biases = weights + weights.T, random.normal(0, 1, n)
    hidden = [unit for unit in range(n) if unit not in visible]
    if seed == 0:
        weights[np.ix_(hidden, hidden)] = 0
    found = boltzmann_joint(weights, biases, visible).posterior(tolerance=1e-15)
    logs, states = [], []
    for number in range(2 ** len(hidden)):
        v = np.array([float(visible.get(unit, 0)) for unit in range(n)])
        v[hidden] = [number >> place & 1 for place in range(len(hidden))]
        logs.append(v @ weights @ v / 2 + biases @ v)
        states.append(v[hidden])
    exact = np.logaddexp.reduce(logs)
    assert is_monotone(found)
    if seed == 0:
        assert found.bound == pytest.approx(exact, abs=1e-12)
        np.testing.assert_allclose(found["h"].mean, np.exp(logs - exact) @ states, atol=1e-12)
    else:
        assert found.bound < exact - 1e-6
        field = weights @ np.array([float(visible.get(u, 0)) for u in range(n)]) + biases
        own = weights[np.ix_(hidden, hidden)] @ found["h"].mean + field[hidden]
        np.testing.assert_allclose(found["h"].mean, 1 / (1 + np.exp(-own)), atol=1e-6)


def test_normal_of_unknown_mean_and_precision():
    """Bishop (10.26) to (10.30), typed here, hold at the end; the bound is below the exact evidence."""
    data = np.random.default_rng(1).normal(2, 0.4, 30)
    m0, l0, a0, b0 = 0.5, 0.2, 1.5, 0.7
    found = normal_joint(data, mean=m0, strength=l0, shape=a0, rate=b0).posterior(tolerance=1e-15)
    mean, precision = found["mu"].parameters.values()
    shape, rate = found["tau"].parameters.values()
    assert shape == pytest.approx(a0 + (30 + 1) / 2)
    assert mean == pytest.approx((l0 * m0 + data.sum()) / (l0 + 30))
    assert precision == pytest.approx((l0 + 30) * shape / rate)
    squares = ((data - mean) ** 2 + 1 / precision).sum() + l0 * ((mean - m0) ** 2 + 1 / precision)
    assert rate == pytest.approx(b0 + squares / 2)
    from scipy.special import gammaln

    lN, aN = l0 + 30, a0 + 15
    bN = b0 + ((data - data.mean()) ** 2).sum() / 2 + l0 * 30 * (data.mean() - m0) ** 2 / (2 * lN)
    exact = gammaln(aN) - gammaln(a0) + a0 * np.log(b0) - aN * np.log(bN) + np.log(l0 / lN) / 2
    exact -= 15 * np.log(2 * np.pi)
    assert is_monotone(found) and exact - 0.1 < found.bound < exact


def test_mixture_of_normal_laws():
    """Two clear groups: the updates written by hand leave the end where it is, and the groups are found."""
    random = np.random.default_rng(2)
    data = np.concatenate([random.normal(-2, 0.5, 40), random.normal(1.5, 0.7, 60)])
    found = mixture_joint(data, 2, concentration=1.5, precision=0.1).posterior(
        start={"mu": [-1.0, 1.0]}, tolerance=1e-15, sweeps=400
    )
    z, pi, m, t = (found[name] for name in ("z", "pi", "mu", "tau"))
    counts = z.mean.sum(axis=0)
    np.testing.assert_allclose(pi.parameters["concentration"], 1.5 + counts, rtol=1e-6)
    np.testing.assert_allclose(m.parameters["precision"], 0.1 + t.mean * counts, rtol=1e-6)
    np.testing.assert_allclose(m.mean, t.mean * (data @ z.mean) / (0.1 + t.mean * counts), rtol=1e-6)
    squares = (data[:, None] - m.mean) ** 2 + 1 / m.parameters["precision"]
    np.testing.assert_allclose(t.parameters["shape"], 1 + counts / 2, rtol=1e-6)
    np.testing.assert_allclose(t.parameters["rate"], 1 + (z.mean * squares).sum(axis=0) / 2, rtol=1e-6)
    alpha, (shape, rate) = pi.parameters["concentration"], t.parameters.values()
    logs = digamma(alpha) - digamma(alpha.sum()) + (digamma(shape) - np.log(rate)) / 2 - t.mean * squares / 2
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    np.testing.assert_allclose(z.mean, weights / weights.sum(axis=1, keepdims=True), atol=1e-6)
    assert is_monotone(found)
    np.testing.assert_allclose(m.mean, [-2, 1.5], atol=0.35)


def test_squares_of_sums():
    """Linear regression, (y - sum_k F_ik w_k)^2: the posterior mean of the weights is the exact one."""
    random = np.random.default_rng(3)
    inputs = random.normal(0, 1, (20, 3))
    targets = inputs @ [1.0, -2.0, 0.5] + random.normal(0, 0.1, 20)
    density = -4 * sp.Sum((y[i] - sp.Sum(F[i, k] * w[k], (k, 0, D - 1))) ** 2, (i, 0, N - 1)) / 2
    density -= sp.Sum(w[k] ** 2, (k, 0, D - 1)) / 2
    found = mf.variational_posterior(
        density, {w: "normal"}, {y: targets, F: inputs, N: 20, D: 3}, tolerance=1e-15
    )
    exact = np.linalg.solve(4 * inputs.T @ inputs + np.eye(3), 4 * inputs.T @ targets)
    np.testing.assert_allclose(found["w"].mean, exact, atol=1e-6)
    np.testing.assert_allclose(
        found["w"].parameters["precision"], 1 + 4 * (inputs**2).sum(axis=0), rtol=1e-12
    )
    assert is_monotone(found)


def test_other_laws_and_fixed_entries():
    """A coin of unknown bias with unseen tosses: beta and Bernoulli, an entry at a fixed place."""
    p, h = sp.Symbol("p"), sp.IndexedBase("h")
    density = 3 * sp.log(p) + sp.log(1 - p) + h[0] * sp.log(p) + (1 - h[0]) * sp.log(1 - p)
    density += sp.Sum(h[i], (i, 0, 1)) / 2 + h[0] * sp.Sum(h[i], (i, 0, 1))
    found = mf.variational_posterior(density, {p: "beta", h: "bernoulli"}, tolerance=1e-15)
    alpha, beta = found["p"].parameters.values()
    toss = found["h"].mean
    assert (alpha, beta) == pytest.approx((4 + toss[0], 2 + 1 - toss[0]))
    odds = digamma(alpha) - digamma(beta) + 0.5 + 1 + toss[1]
    np.testing.assert_allclose(toss, 1 / (1 + np.exp([-odds, -0.5 - toss[0]])), atol=1e-7)
    assert found["p"].mean == pytest.approx(alpha / (alpha + beta)) and is_monotone(found)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_by_its_normaliser(name):
    """Means of the statistics are derivatives of A(eta), entropy at eta is A - eta . E t, starts have their
    means.

    Central differences of step 1e-5: tolerance 1e-7.
    """
    family, random = FAMILIES[name], np.random.default_rng(4)
    eta = family.draw(random, (3,))
    assert np.all(family.is_proper(eta))
    gradient = np.zeros_like(eta)
    for place in np.ndindex(eta.shape):
        step = np.zeros_like(eta)
        step[place] = 1e-5
        rise = np.sum(family.log_normaliser(eta + step)) - np.sum(family.log_normaliser(eta - step))
        gradient[place] = rise / 2e-5
    np.testing.assert_allclose(family.means(eta), gradient, atol=1e-7)
    probabilities = np.array([0.2, 0.5, 0.3])
    law = mf.variational_posterior.__globals__["Factor"]("v", family, family.start(probabilities), None)
    law = type(law)("v", family, law.natural, family.means(law.natural))
    np.testing.assert_allclose(law.mean, probabilities, atol=1e-10)


WRONG = [
    (-(mu**4), {mu: "normal"}, {}, r"depends on mu by mu\*\*4.*not normal.*mu and mu\*\*2"),
    (-tau - 1 / tau, {tau: "gamma"}, {}, r"depends on tau by 1/tau.*not gamma"),
    (-tau * sp.log(tau), {tau: "gamma"}, {}, r"by tau\*log\(tau\)"),
    (-sp.exp(mu) - mu**2, {mu: "normal"}, {}, r"by exp\(mu\)"),
    (-sp.log(1 + tau * rho), {tau: "gamma", rho: "gamma"}, {}, "joins rho and tau"),
    (-sp.sin(mu), {mu: "normal"}, {}, "Declare another family"),
    (-(mu**2), {mu: "gauss"}, {}, "Did you mean|normal"),
    (-(mu**2), {mu: "normal", tau: "gamma"}, {}, "does not depend on tau"),
    (-rho * mu**2, {mu: "normal"}, {}, "rho is neither a declared variable nor among the data"),
    (-(mu**2), {mu: "normal"}, {"sigma": 1.0}, "has no 'sigma'"),
    (-sp.Sum(w[i] ** 2, (i, 0, N - 1)), {w: "normal"}, {}, "N has no value"),
    (-sp.Sum(w[i] ** 2, (i, 1, N)), {w: "normal"}, {N: 3}, "begins at 1"),
    (-sp.Sum(w[i + 1] ** 2, (i, 0, N - 1)), {w: "normal"}, {N: 3}, r"index i \+ 1"),
    (-(w[0] ** 2), {w: "normal"}, {}, "in no Sum"),
    (-sp.Sum(x[i] * w[i] ** 2, (i, 0, N - 1)), {w: "normal"}, {N: 3, x: [1.0, 2.0]}, "axis 0 of x has 2"),
    ("a b", {mu: "normal"}, {}, "sympy expression"),
    (-(mu**2), {"mu": "normal"}, {}, "Symbol or IndexedBase"),
]


@pytest.mark.parametrize(("density", "factors", "data", "words"), WRONG)
def test_refusals(density, factors, data, words):
    with pytest.raises(ArgumentError, match=words):
        mf.variational_posterior(density, factors, data)


def test_improper_laws_and_starts():
    with pytest.raises(MfError, match=r"q\(mu\) is no normal law.*Add a prior of mu"):
        mf.variational_posterior(mu, {mu: "normal"})
    density = mu - mu**2
    with pytest.raises(ArgumentError, match="start of mu has shape"):
        mf.variational_posterior(density, {mu: "normal"}, start={mu: [1.0]})
    found = mf.variational_posterior(density, {mu: "normal"}, start={mu: 3.0})
    assert found["mu"].mean == pytest.approx(0.5) and found.is_converged and "q(mu): normal" in found.text
    with pytest.raises(ArgumentError, match="no factor 'nu'"):
        found["nu"]
