"""Two-layer networks with known solutions: linear (E1) and quadratic (E2) dynamics, and statics (E7)."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from .common import (
    CLOCK,
    EPSILON,
    Limit,
    State,
    document,
    fitted_order,
    gauss_hermite_sample,
    limit_of,
    random_weights,
)

LINEAR = document(
    [{"name": "h1", "from": "x", "weight": "normal(0, 1)"}], {"from": "h1", "weight": "normal(0, 1)"}
)
QUADRATIC = document(
    [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "h ** 2"}], {"from": "h1"}
)
QUADRATIC_BIAS = {**QUADRATIC, "output": {"from": "h1", "bias": "0"}}
HORIZON = 0.8


def reference(rate, start, horizon=HORIZON):
    """The end of an ordinary differential equation, to about 1e-12 (orders of magnitude below all else)."""
    solution = solve_ivp(lambda _, z: rate(z), (0, horizon), start, method="DOP853", rtol=1e-13, atol=1e-14)
    return solution.y[:, -1]


# --- E1: linear -----------------------------------------------------------------------------------------


@cache
def isotropic(dimension: int) -> tuple[Limit, np.ndarray]:
    """yhat = E[beta <w, x>] on rows +-sqrt(d) e_i, so that E xx^T = I exactly, with y = <a, x>."""
    x = np.sqrt(dimension) * np.vstack([np.eye(dimension), -np.eye(dimension)])
    a = np.random.default_rng(5).standard_normal(dimension) + 1.0
    return limit_of(LINEAR, x, x @ a), a


def aligned_state(a: np.ndarray) -> State:
    """Unequally weighted nodes with M a || a and u || a: components across a come in pairs +-."""
    rng = np.random.default_rng(6)
    along, beta = rng.standard_normal(4), rng.standard_normal(4)
    across = rng.standard_normal((4, len(a)))
    across -= np.outer(across @ a, a) / (a @ a)
    w = np.concatenate([np.outer(along, a) / np.linalg.norm(a) + sign * across for sign in (1, -1)])
    p = np.tile(random_weights(rng, 4) / 2, 2)
    return {"h1.weight": w, "output.weight": np.tile(beta, 2)[None], "p": {"h1": p}}


def linear_closed_form(state: State, a: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray, float]:
    """theory.md E1: (beta + w_par, beta - w_par, loss) at time t of the program's clock."""
    size, time = float(np.linalg.norm(a)), CLOCK * t
    beta, along, p = state["output.weight"][0], state["h1.weight"] @ a / size, state["p"]["h1"]
    plus, minus = p @ (beta + along) ** 2, p @ (beta - along) ** 2
    kappa = np.sqrt(4 * size**2 + plus * minus)
    upper, lower = (2 * size + kappa) / plus, (2 * size - kappa) / plus
    decay = (1 - upper) / (1 - lower) * np.exp(-kappa * time)
    z = (upper - lower * decay) / (1 - decay)
    u = (plus * z - minus / z) / 4
    return (beta + along) * np.sqrt(z), (beta - along) / np.sqrt(z), (size - u) ** 2


def linear_error(limit: Limit, a: np.ndarray, steps: int, method: str) -> float:
    """The largest error of a neuron, and of the loss, against the closed form."""
    state = aligned_state(a)
    path = limit.path(state, HORIZON, steps, method)
    end, along = path.at(), path.at()["h1.weight"] @ a / np.linalg.norm(a)
    plus, minus, loss = linear_closed_form(state, a, HORIZON)
    beta = end["output.weight"][0]
    across = end["h1.weight"] - np.outer(along, a) / np.linalg.norm(a)
    across0 = state["h1.weight"] - np.outer(state["h1.weight"] @ a, a) / (a @ a)
    errors = (beta + along - plus, beta - along - minus, across - across0, path.loss[-1] - loss)
    return max(float(np.max(np.abs(error))) for error in errors)


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize(
    ("method", "steps", "order"), [("euler", (100, 200, 400), 1), ("rk4", (16, 32, 64), 4)]
)
def test_linear_closed_form(dimension: int, method: str, steps: tuple[int, ...], order: int) -> None:
    """E1, every neuron: the error falls with the order of the method (fitted; tolerance 0.25).

    The next power of the step changes the fitted slope by the ratio of the two error terms, here below
    that tolerance; the finest error itself is below 5e-3 (Euler, step 0.002) and 1e-6 (RK4, step 0.0125).
    """
    limit, a = isotropic(dimension)
    errors = [linear_error(limit, a, n, method) for n in steps]
    assert fitted_order(steps, errors) == pytest.approx(order, abs=0.25)
    assert errors[-1] < {"euler": 5e-3, "rk4": 1e-6}[method]


def test_linear_moments_in_general_position() -> None:
    """E1 without alignment: the moments u = E[beta w], S = E beta^2, M = E ww^T close on themselves.

    Any data, E xx^T = Sigma, E[yx] = b: e = b - Sigma u. The tolerance is Richardson's estimate of the
    RK4 error, the difference of two resolutions / 15, times 2.
    """
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((9, 3)), rng.standard_normal(9)
    limit = limit_of(LINEAR, x, y)
    p = random_weights(rng, 6)
    state = {
        "h1.weight": rng.standard_normal((6, 3)),
        "output.weight": rng.standard_normal((1, 6)),
        "p": {"h1": p},
    }
    sigma, target = x.T @ x / 9, x.T @ y / 9

    def moments(at: State) -> np.ndarray:
        w, beta = at["h1.weight"], at["output.weight"][0]
        return np.concatenate([(p * beta) @ w, [p @ beta**2], np.ravel((w.T * p) @ w)])

    def rate(z: np.ndarray) -> np.ndarray:
        u, s, m = z[:3], z[3], z[4:].reshape(3, 3)
        e = target - sigma @ u
        change = [(m + s * np.eye(3)) @ e, [2 * u @ e], np.ravel(np.outer(u, e) + np.outer(e, u))]
        return CLOCK * np.concatenate(change)

    expected = reference(rate, moments(state))
    coarse, fine = (moments(limit.end(state, HORIZON, n)) for n in (40, 80))
    estimate = float(np.max(np.abs(fine - coarse))) / 15
    assert estimate < 1e-6
    np.testing.assert_allclose(fine, expected, rtol=0, atol=2 * estimate + 1e-11)


# --- E2: quadratic --------------------------------------------------------------------------------------


def square_loss_limit(dimension: int) -> tuple[Limit, float]:
    x = gauss_hermite_sample(dimension)
    return limit_of(QUADRATIC, x, 0.7 * (x**2).sum(axis=1)), 0.7


def spread_state(dimension: int, m: float, seed: int = 8) -> State:
    """Nodes of unequal weights and lengths on the axes with E ww^T = m I exactly."""
    rng = np.random.default_rng(seed)
    p = random_weights(rng, 2 * dimension)
    directions = np.vstack([np.eye(dimension), -np.eye(dimension)])
    share = np.tile(rng.uniform(0.3, 0.7, dimension), 2)
    share[dimension:] = 1 - share[:dimension]  # how much of m I each of the two nodes of an axis carries
    return {"h1.weight": directions * np.sqrt(share * m / p)[:, None], "p": {"h1": p}}


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize(
    ("method", "steps", "order"), [("euler", (400, 800, 1600), 1), ("rk4", (40, 80, 160), 4)]
)
def test_quadratic_logistic(dimension: int, method: str, steps: tuple[int, ...], order: int) -> None:
    """E2, isotropic: M = m I with m = q / (1 + (q/m0 - 1) exp(-4 (d+2) q t)); order fitted within 0.25.

    x carries all moments of N(0, I) up to degree 5, and the drift and the loss need degree 4.
    """
    limit, q = square_loss_limit(dimension)
    m0, horizon = 0.2, 0.25
    state = spread_state(dimension, m0)
    expected = q / (1 + (q / m0 - 1) * np.exp(-4 * (dimension + 2) * q * CLOCK * horizon))
    errors = []
    for n in steps:
        end = limit.end(state, horizon, n, method)
        found = (end["h1.weight"].T * end["p"]["h1"]) @ end["h1.weight"]
        errors.append(float(np.max(np.abs(found - expected * np.eye(dimension)))))
    assert fitted_order(steps, errors) == pytest.approx(order, abs=0.25)
    assert errors[-1] < {"euler": 1e-3, "rk4": 1e-8}[method]


def test_quadratic_in_general_position() -> None:
    """E2 for any M and Q: M' = -2 (K M + M K), K = 2E + tr(E) I, E = M - Q. Tolerance: Richardson / 15."""
    rng = np.random.default_rng(9)
    x = gauss_hermite_sample(2)
    target = np.array([[0.8, 0.3], [0.3, -0.2]])
    limit = limit_of(QUADRATIC, x, np.einsum("zi,ij,zj->z", x, target, x))
    p = random_weights(rng, 5)
    state = {"h1.weight": 0.5 * rng.standard_normal((5, 2)), "p": {"h1": p}}

    def second_moment(at: State) -> np.ndarray:
        return np.ravel((at["h1.weight"].T * p) @ at["h1.weight"])

    def rate(z: np.ndarray) -> np.ndarray:
        m = z.reshape(2, 2)
        error = m - target
        k = 2 * error + np.trace(error) * np.eye(2)
        return np.ravel(-2 * CLOCK * (k @ m + m @ k))

    horizon = 0.2
    expected = reference(rate, second_moment(state), horizon)
    coarse, fine = (second_moment(limit.end(state, horizon, n)) for n in (50, 100))
    estimate = float(np.max(np.abs(fine - coarse))) / 15
    assert estimate < 1e-6
    np.testing.assert_allclose(fine, expected, rtol=0, atol=2 * estimate + 1e-11)


def test_two_isotropic_gaussians() -> None:
    """E2, classification yhat = c + E<w, x>^2 of two isotropic Gaussians: two equations for (c, m).

    Tolerance: Richardson's estimate of the RK4 error, difference / 15, times 2.
    """
    d, gap, m0, c0 = 2, 0.4, 0.1, 0.3
    x = np.vstack([gauss_hermite_sample(d, 1 + gap), gauss_hermite_sample(d, 1 - gap)])
    y = np.repeat([1.0, -1.0], len(x) // 2)
    limit = limit_of(QUADRATIC_BIAS, x, y)
    state = {**spread_state(d, m0), "output.bias": np.array([c0])}
    upper, lower = (1 + gap) ** 2, (1 - gap) ** 2
    s1, s2 = (upper + lower) / 2, (upper**2 + lower**2) / 2

    def rate(z: np.ndarray) -> np.ndarray:
        c, m = z
        slope = c * s1 + m * (d + 2) * s2 - (upper - lower) / 2
        return CLOCK * np.array([-(c + m * d * s1), -4 * m * slope])

    def found(steps: int) -> np.ndarray:
        end = limit.end(state, 0.5, steps)
        m = (end["h1.weight"].T * end["p"]["h1"]) @ end["h1.weight"]
        assert np.max(np.abs(m - m[0, 0] * np.eye(d))) < 1e-12  # M stays a multiple of I
        return np.array([end["output.bias"][0], m[0, 0]])

    coarse, fine = found(50), found(100)
    estimate = float(np.max(np.abs(fine - coarse))) / 15
    assert estimate < 1e-6
    np.testing.assert_allclose(fine, reference(rate, [c0, m0], 0.5), rtol=0, atol=2 * estimate + 1e-11)


def test_weighted_samples_are_repeated_samples() -> None:
    """Gauss-Hermite nodes with their weights move the state as repeated rows do (36 terms)."""
    limit, _ = square_loss_limit(2)
    nodes, counts = np.unique(limit.x, axis=0, return_counts=True)
    targets = 0.7 * (nodes**2).sum(axis=1)
    assert len(nodes) == 9
    state = spread_state(2, 0.2)
    expected = limit.velocity(state)["h1.weight"]
    found = limit.solver.velocity(state, nodes, targets, weights=counts / 36)["h1.weight"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=36 * EPSILON * np.abs(expected).max())


# --- E7: statics ----------------------------------------------------------------------------------------

TANH = document(
    [{"name": "h1", "from": "x", "weight": "normal(0.5, 1)", "activation": "tanh"}],
    {"from": "h1", "weight": "uniform(0, 2)"},
)
STATICS_X = np.array([[1.0, -0.4], [0.3, 0.9], [-1.2, 0.5]])
STATICS_Y = np.array([0.4, -0.2, 0.1])


@cache
def statics() -> Limit:
    return limit_of(TANH, STATICS_X, STATICS_Y)


def sample_loss(limit: Limit, state: State) -> float:
    return float(np.mean((limit.prediction(state) - limit.y) ** 2))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_statics_by_enumeration(width: int) -> None:
    """E7 to rounding: theta uniform on 3 types; the mean over all 3^n draws of a network of width n.

    E loss_n = loss + E_x Var(sigma) / n. Sums of at most 81 numbers of order one: tolerance 81 epsilon.
    """
    limit = statics()
    rng = np.random.default_rng(10)
    w, beta = rng.standard_normal((3, 2)), rng.standard_normal(3)

    def state(types: list[int]) -> State:
        uniform = {"h1": np.full(len(types), 1 / len(types))}
        return {"h1.weight": w[types], "output.weight": beta[types][None], "p": uniform}

    losses = [sample_loss(limit, state(list(types))) for types in product(range(3), repeat=width)]
    units = beta * np.tanh(STATICS_X @ w.T)
    expected = sample_loss(limit, state([0, 1, 2])) + units.var(axis=1).mean() / width
    assert np.mean(losses) == pytest.approx(expected, abs=81 * EPSILON)


@pytest.mark.parametrize("width", [2, 8, 64])
def test_statics_of_drawn_networks(width: int) -> None:
    """E7 over the program's own draws: the mean loss lies in its Monte Carlo interval.

    w ~ N(0.5, 1), beta ~ uniform(0, 2): E beta = 1, E beta^2 = 4/3; <w, x> is normal, so the two moments of
    tanh are one-dimensional Gauss-Hermite sums. The interval is 4 standard errors of 2000 fixed seeds
    (odds of a false alarm below 1e-4); 1/n itself is 10 or more of them at widths 2 and 8.
    """
    limit = statics()
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    h = 0.5 * STATICS_X.sum(axis=1)[:, None] + np.linalg.norm(STATICS_X, axis=1)[:, None] * nodes
    first, second = np.tanh(h) @ weights, np.tanh(h) ** 2 @ weights
    limit_loss = np.mean((STATICS_Y - first) ** 2)
    expected = limit_loss + np.mean(4 / 3 * second - first**2) / width
    losses = [sample_loss(limit, limit.solver.sample(widths=width, seed=seed)) for seed in range(2000)]
    error = np.std(losses) / np.sqrt(len(losses))
    assert np.mean(losses) == pytest.approx(expected, abs=4 * error)
    if width <= 8:
        assert expected - limit_loss > 10 * error
