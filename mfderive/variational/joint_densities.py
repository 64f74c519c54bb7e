"""Joint densities: an Ising model, a Boltzmann machine, a normal law, a mixture of normal laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.arguments import positive_number, real_array, whole_number
from ..errors import ArgumentError, shown
from .ising_model import IsingModel
from .posterior import Posterior, variational_posterior

Array = Any

_I, _J, _K = sp.symbols("i j k", integer=True)
_N, _COMPONENTS = sp.symbols("N K", integer=True, positive=True)


@dataclass(frozen=True, eq=False)
class JointDensity:
    """A log joint density in sympy with the families of its variables and its data.

    What :func:`mfderive.variational_posterior` takes; ``posterior`` hands them over.
    """

    log_joint: sp.Expr
    factors: Mapping[Any, str]
    data: Mapping[Any, Any]

    def posterior(self, **options: Any) -> Posterior:
        """The variational posterior; options and errors are :func:`mfderive.variational_posterior`'s."""
        return variational_posterior(self.log_joint, self.factors, self.data, **options)


def ising_joint(model: IsingModel) -> JointDensity:
    """-beta H of an Ising model, in spins: its posterior is naive mean field, and the ELBO is -F/T."""
    sigma, coupling, field = (sp.IndexedBase(name) for name in ("sigma", "J", "B"))
    beta, end = sp.Symbol("beta", positive=True), (_I, 0, _N - 1)
    pairs = sp.Sum(coupling[_I, _J] * sigma[_I] * sigma[_J], end, (_J, 0, _N - 1))
    data = {coupling: model.dense, field: model.fields, beta: 1 / model.temperature, _N: model.size}
    return JointDensity(beta * (pairs / 2 + sp.Sum(field[_I] * sigma[_I], end)), {sigma: "spin"}, data)


def boltzmann_joint(weights: Any, biases: Any, visible: Mapping[int, int]) -> JointDensity:
    """Hidden units of a Boltzmann machine (0 or 1), given some units: log p = 1/2 h W h + h (W v + b) +
    constants.

    ``weights`` (n, n): symmetric, zero on the diagonal; ``biases`` (n); ``visible``: values 0 or 1 of the
    units that are seen, by their number. The normaliser Z of the machine is left out of the density, so the
    ELBO is a bound of log(Z p(visible)). Raises ArgumentError for other shapes and values.
    """
    matrix, bias = real_array("weights", weights), real_array("biases", biases)
    n = len(bias)
    if bias.ndim != 1 or matrix.shape != (n, n) or np.abs(matrix - matrix.T).max(initial=0) > 1e-12:
        raise ArgumentError(f"weights must be symmetric of shape ({n}, {n}), for the {n} biases")
    if matrix.diagonal().any():
        raise ArgumentError("weights has a diagonal that is not 0; a unit's own weight is its bias")
    wrong = next((u for u, value in visible.items() if not 0 <= u < n or value not in (0, 1)), None)
    if wrong is not None:
        raise ArgumentError(
            f"visible[{shown(wrong)}] must be 0 or 1, and the unit a number from 0 to {n - 1}"
        )
    seen = np.array(sorted(visible), dtype=int)
    hidden = np.setdiff1d(np.arange(n), seen)
    if not len(hidden):
        raise ArgumentError("every unit is visible; a posterior needs a hidden one")
    state = np.array([float(visible[int(unit)]) for unit in seen])
    h, weight, given = (sp.IndexedBase(name) for name in ("h", "W", "b"))
    constant, end = sp.Symbol("c"), (_I, 0, _N - 1)
    density = (
        sp.Sum(weight[_I, _J] * h[_I] * h[_J], end, (_J, 0, _N - 1)) / 2
        + sp.Sum(given[_I] * h[_I], end)
        + constant
    )
    data = {
        weight: matrix[np.ix_(hidden, hidden)],
        given: bias[hidden] + matrix[np.ix_(hidden, seen)] @ state,
        constant: bias[seen] @ state + state @ matrix[np.ix_(seen, seen)] @ state / 2,
        _N: len(hidden),
    }
    return JointDensity(density, {h: "bernoulli"}, data)


def normal_joint(
    x: Any, *, mean: float = 0.0, strength: float = 1e-3, shape: float = 1e-3, rate: float = 1e-3
) -> JointDensity:
    """Draws x (N) of a normal law with unknown mean mu and precision tau.

    Prior: mu given tau normal of mean ``mean`` and precision ``strength`` tau, tau gamma of ``shape`` and
    ``rate`` (Bishop 2006, 10.1.3).
    """
    data = real_array("x", x)
    if data.ndim != 1 or not len(data):
        raise ArgumentError(f"x has shape {list(data.shape)}; it must be a row of numbers")
    draws = sp.IndexedBase("x")
    mu, m0 = sp.symbols("mu m_0", real=True)
    tau, l0, a0, b0 = sp.symbols("tau lambda_0 a_0 b_0", positive=True)
    density = (
        sp.Sum(_log_normal(draws[_I], mu, tau), (_I, 0, _N - 1))
        + _log_normal(mu, m0, l0 * tau)
        + _log_gamma(tau, a0, b0)
    )
    numbers = {
        draws: data,
        _N: len(data),
        m0: float(mean),
        l0: positive_number("strength", strength),
        a0: positive_number("shape", shape),
        b0: positive_number("rate", rate),
    }
    return JointDensity(density, {mu: "normal", tau: "gamma"}, numbers)


def mixture_joint(
    x: Any,
    components: int,
    *,
    concentration: float = 1.0,
    mean: float = 0.0,
    precision: float = 1e-2,
    shape: float = 1.0,
    rate: float = 1.0,
) -> JointDensity:
    """Draws x (N) of a mixture of normal laws: their places z, weights pi, means mu and precisions tau.

    Priors: pi Dirichlet of ``concentration``, mu normal of ``mean`` and ``precision``, tau gamma of ``shape``
    and ``rate``, all independent (Bishop 2006, 10.2, with independent means and precisions).
    """
    data = real_array("x", x)
    if data.ndim != 1 or not len(data):
        raise ArgumentError(f"x has shape {list(data.shape)}; it must be a row of numbers")
    draws, z, weight, mu, tau = (sp.IndexedBase(name) for name in ("x", "z", "pi", "mu", "tau"))
    m0 = sp.Symbol("m_0", real=True)
    alpha, l0, a0, b0 = sp.symbols("alpha_0 lambda_0 a_0 b_0", positive=True)
    each = (_K, 0, _COMPONENTS - 1)
    one = sp.log(weight[_K]) + _log_normal(draws[_I], mu[_K], tau[_K])
    density = (
        sp.Sum(z[_I, _K] * one, (_I, 0, _N - 1), each)
        + sp.loggamma(_COMPONENTS * alpha)
        - _COMPONENTS * sp.loggamma(alpha)
        + sp.Sum((alpha - 1) * sp.log(weight[_K]), each)
        + sp.Sum(_log_normal(mu[_K], m0, l0) + _log_gamma(tau[_K], a0, b0), each)
    )
    numbers = {
        draws: data,
        _N: len(data),
        _COMPONENTS: whole_number("components", components, 2),
        alpha: positive_number("concentration", concentration),
        m0: float(mean),
        l0: positive_number("precision", precision),
        a0: positive_number("shape", shape),
        b0: positive_number("rate", rate),
    }
    return JointDensity(density, {z: "categorical", weight: "dirichlet", mu: "normal", tau: "gamma"}, numbers)


def _log_normal(x: Any, mean: Any, precision: Any) -> Any:
    return sp.log(precision / (2 * sp.pi)) / 2 - precision * (x - mean) ** 2 / 2


def _log_gamma(x: Any, shape: Any, rate: Any) -> Any:
    return shape * sp.log(rate) - sp.loggamma(shape) + (shape - 1) * sp.log(x) - rate * x
