"""The closed table of laws that a factor may have: each is one row, an exponential family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import betaln, digamma, expit, gammaln, log_softmax, logsumexp, softmax

Array = Any
# What a factor of a density may be beside one of the statistics, which are numbered from 0: always 1.
CONSTANT = -1


@dataclass(frozen=True)
class Family:
    """q(v) proportional to exp(sum_p eta_p t_p(v)), with statistics t_p and natural parameters eta_p.

    Arrays have the statistics first: natural parameters and means E t_p are (P, ...). Families of vectors
    (``is_vector``) have the components of one draw along the last axis.

    ``recognise``: which statistic a factor of a density is, of the factor and the entry that it is made of;
    ``statistics``: they as expressions; ``means``: E t of eta; ``log_normaliser``: A(eta) of each draw;
    ``is_proper``: whether eta belongs to a law; ``parameters``: usual names and what they are of eta;
    ``start``: natural parameters of given means; ``draw``: random ones; ``words``: what may stand in a log
    density; ``mean``: E v of eta.
    """

    name: str
    is_vector: bool
    statistics: Callable[[sp.Expr], tuple[sp.Expr, ...]]
    recognise: Callable[[sp.Expr, sp.Expr], int | None]
    means: Callable[[Array], Array]
    log_normaliser: Callable[[Array], Array]
    is_proper: Callable[[Array], Array]
    parameters: dict[str, Callable[[Any], Any]]
    start: Callable[[Array], Array]
    draw: Callable[[Any, tuple[int, ...]], Array]
    words: str
    mean: Callable[[Array], Array]

    def entropy(self, natural: Array, means: Array) -> float:
        """The entropy of all draws together: A(eta) - eta . E t."""
        return float(self.log_normaliser(natural).sum() - (natural * means).sum())


def _power(places: Callable[[int], int | None]) -> Callable[[sp.Expr, sp.Expr], int | None]:
    """Recognises powers of the entry by ``places`` of the exponent."""

    def recognise(factor: sp.Expr, entry: sp.Expr) -> int | None:
        base, exponent = factor.as_base_exp()
        if base != entry or not (exponent.is_Integer and exponent > 0):
            return None
        return places(int(exponent))

    return recognise


def _one_of(*makers: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr, sp.Expr], int | None]:
    """Recognises expressions of the entry that are written out."""

    def recognise(factor: sp.Expr, entry: sp.Expr) -> int | None:
        return next((place for place, make in enumerate(makers) if make(entry) == factor), None)

    return recognise


def _normal_means(eta: Array) -> Array:
    variance = -0.5 / eta[1]
    mean = eta[0] * variance
    return np.stack([mean, mean**2 + variance])


def _gamma_means(eta: Array) -> Array:
    shape, rate = eta[0] + 1, -eta[1]
    return np.stack([digamma(shape) - np.log(rate), shape / rate])


_ROWS = (
    Family(
        "spin",
        False,
        lambda v: (v,),
        _power(lambda k: 0 if k % 2 else CONSTANT),
        np.tanh,
        lambda eta: np.logaddexp(eta, -eta)[0],
        lambda eta: np.isfinite(eta[0]),
        {"mean": lambda eta: sp.tanh(eta[0]) if isinstance(eta[0], sp.Basic) else np.tanh(eta[0])},
        lambda mean: np.arctanh(np.clip(mean, -1 + 1e-12, 1 - 1e-12))[None],
        lambda random, shape: 0.1 * random.standard_normal((1, *shape)),
        "powers of {v}, which is +1 or -1",
        lambda eta: np.tanh(eta)[0],
    ),
    Family(
        "bernoulli",
        False,
        lambda v: (v,),
        _power(lambda k: 0),
        expit,
        lambda eta: np.logaddexp(0, eta)[0],
        lambda eta: np.isfinite(eta[0]),
        {"mean": lambda eta: 1 / (1 + sp.exp(-eta[0])) if isinstance(eta[0], sp.Basic) else expit(eta[0])},
        lambda mean: (np.log(np.clip(mean, 1e-12, 1)) - np.log1p(-np.clip(mean, 0, 1 - 1e-12)))[None],
        lambda random, shape: 0.1 * random.standard_normal((1, *shape)),
        "powers of {v}, which is 0 or 1",
        lambda eta: expit(eta)[0],
    ),
    Family(
        "categorical",
        True,
        lambda v: (v,),
        _power(lambda k: 0),
        lambda eta: softmax(eta, axis=-1),
        lambda eta: logsumexp(eta[0], axis=-1),
        lambda eta: np.isfinite(eta[0]),
        {
            "log_probabilities": lambda eta: (
                eta[0] if isinstance(eta[0], sp.Basic) else log_softmax(eta[0], axis=-1)
            )
        },
        lambda mean: np.log(np.maximum(mean, 1e-12))[None],
        lambda random, shape: random.standard_normal((1, *shape)),
        "powers of {v}, one of whose components is 1 and the others 0",
        lambda eta: softmax(eta, axis=-1)[0],
    ),
    Family(
        "normal",
        False,
        lambda v: (v, v**2),
        _power(lambda k: k - 1 if k <= 2 else None),
        _normal_means,
        lambda eta: -(eta[0] ** 2) / (4 * eta[1]) + 0.5 * np.log(np.pi / -eta[1]),
        lambda eta: np.isfinite(eta[0]) & (eta[1] < 0),
        {"mean": lambda eta: eta[0] / (-2 * eta[1]), "precision": lambda eta: -2 * eta[1]},
        lambda mean: np.stack([mean, np.full_like(mean, -0.5)]),
        lambda random, shape: np.stack([random.standard_normal(shape), np.full(shape, -0.5)]),
        "{v} and {v}**2",
        lambda eta: eta[0] / (-2 * eta[1]),
    ),
    Family(
        "gamma",
        False,
        lambda v: (sp.log(v), v),
        _one_of(sp.log, lambda v: v),
        _gamma_means,
        lambda eta: gammaln(eta[0] + 1) - (eta[0] + 1) * np.log(-eta[1]),
        lambda eta: (eta[0] > -1) & (eta[1] < 0),
        {"shape": lambda eta: eta[0] + 1, "rate": lambda eta: -eta[1]},
        lambda mean: np.stack([np.zeros_like(mean), -1 / mean]),
        lambda random, shape: np.stack([np.zeros(shape), np.full(shape, -1.0)]),
        "log({v}) and {v}",
        lambda eta: (eta[0] + 1) / -eta[1],
    ),
    Family(
        "beta",
        False,
        lambda v: (sp.log(v), sp.log(1 - v)),
        _one_of(sp.log, lambda v: sp.log(1 - v)),
        lambda eta: digamma(eta + 1) - digamma(eta.sum(axis=0) + 2),
        lambda eta: betaln(eta[0] + 1, eta[1] + 1),
        lambda eta: (eta[0] > -1) & (eta[1] > -1),
        {"alpha": lambda eta: eta[0] + 1, "beta": lambda eta: eta[1] + 1},
        lambda mean: np.stack([4 * mean - 1, 4 * (1 - mean) - 1]),
        lambda random, shape: random.uniform(0, 1, (2, *shape)),
        "log({v}) and log(1 - {v})",
        lambda eta: (eta[0] + 1) / (eta.sum(axis=0) + 2),
    ),
    Family(
        "dirichlet",
        True,
        lambda v: (sp.log(v),),
        _one_of(sp.log),
        lambda eta: digamma(eta + 1) - digamma((eta + 1).sum(axis=-1, keepdims=True)),
        lambda eta: (gammaln(eta + 1).sum(axis=-1) - gammaln((eta + 1).sum(axis=-1)))[0],
        lambda eta: eta[0] > -1,
        {"concentration": lambda eta: eta[0] + 1},
        lambda mean: (4 * mean.shape[-1] * mean - 1)[None],
        lambda random, shape: random.uniform(0, 1, (1, *shape)),
        "log({v})",
        lambda eta: ((eta + 1) / (eta + 1).sum(axis=-1, keepdims=True))[0],
    ),
)
FAMILIES: dict[str, Family] = {row.name: row for row in _ROWS}
