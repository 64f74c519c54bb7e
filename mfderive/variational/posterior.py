"""Variational posteriors: coordinate ascent derived from a joint log density, factor by factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.arguments import number, whole_number
from ..algebra.showing import Shown, names
from ..errors import ArgumentError, MfError, nearest, shown
from .conditional_printing import Conditional, conditionals
from .contractions import Contraction, contraction
from .density_terms import DensityTerm, Statistic, density_terms
from .exponential_families import FAMILIES, Family

Array = Any


@dataclass(frozen=True, eq=False, repr=False)
class Factor(Shown):
    """The law q of one variable: its family, natural parameters and means E t, both (P, *shape)."""

    name: str
    family: Family
    natural: Array
    means: Array

    @property
    def parameters(self) -> dict[str, Array]:
        """The usual parameters by name, each of the variable's shape."""
        return {name: of(self.natural) for name, of in self.family.parameters.items()}

    @property
    def mean(self) -> Array:
        """E v, of the variable's shape."""
        return self.family.mean(self.natural)

    def _summary(self) -> Iterator[str]:
        yield f"Factor q({self.name}): {self.family.name}, shape {list(self.natural.shape[1:])}"


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Shown):
    """A product of factors that approximates a posterior: ``factors`` by name, and how it was found.

    ``elbo``: the evidence lower bound at the start and after every update, which never falls but by rounding;
    ``bound`` is its value at the end, summed anew. ``sweeps``: sweeps made. ``is_converged``: whether the
    last sweep raised it by less than the tolerance. ``conditionals``: the equations.
    """

    factors: Mapping[str, Factor]
    elbo: Array
    bound: float
    sweeps: int
    is_converged: bool
    conditionals: tuple[Conditional, ...]

    def __getitem__(self, variable: Any) -> Factor:
        """The factor of a variable, by its symbol or name. Raises ArgumentError for others."""
        if str(variable) not in self.factors:
            raise ArgumentError(
                f"there is no factor {shown(str(variable))}. {nearest(str(variable), self.factors)}"
            )
        return self.factors[str(variable)]

    @property
    def text(self) -> str:
        """The updates as equations, one law after the other."""
        return "\n".join(each.text for each in self.conditionals)

    @property
    def latex(self) -> str:
        """The updates as LaTeX, one ``align*`` environment (package amsmath)."""
        rows = " \\\\\n".join(row for each in self.conditionals for row in each.latex_rows)
        return f"\\begin{{align*}}\n{rows}\n\\end{{align*}}\n"

    def _summary(self) -> Iterator[str]:
        yield f"Posterior of {names(self.factors)}: ELBO {self.bound:.10g} after {self.sweeps} sweeps"
        yield "  print(....text) writes the updates; .factors, ['name'].mean, .parameters, .elbo"


class _Model:
    """Terms in numbers, and which of them each factor's law is made of."""

    def __init__(
        self, terms: list[DensityTerm], variables: dict[Any, Family], data: Mapping[Any, Any]
    ) -> None:
        self.terms, self.variables = terms, variables
        sizes = [_sizes(term, data) for term in terms]
        self.shapes = {v: _shape(v, terms, sizes) for v in variables}
        self.contractions: list[Contraction] = []
        for term, known in zip(terms, sizes, strict=True):
            own = known | {
                i: self.shapes[each.variable][axis]
                for each in term.statistics
                for axis, i in enumerate(each.indices)
                if i not in known
            }
            self.contractions.append(contraction(term, own, data))

    @cached_property
    def coupled(self) -> set[Any]:
        """Variables with entries that stand in one term: they are updated one after the other."""
        found = set()
        for term in self.terms:
            every = [each.variable for each in term.statistics]
            found |= {variable for variable in every if every.count(variable) > 1}
        return found

    def natural(
        self, variable: Any, means: Mapping[Any, Array], item: tuple[int, ...] | None = None
    ) -> Array:
        """Natural parameters of a variable's law, given the means of the others; of one draw at ``item``."""
        family, shape = self.variables[variable], self.shapes[variable]
        left = shape if item is None else shape[len(item) :]
        eta = np.zeros((len(family.statistics(sp.Symbol("v"))), *left))
        for each in self.contractions:
            for statistic in each.statistics:
                if statistic.variable == variable:
                    at = {} if item is None else dict(zip(statistic.indices, item, strict=False))
                    eta[statistic.place] += each.value(means, statistic, at)
        return eta

    def elbo(self, factors: Mapping[Any, Factor]) -> float:
        """E_q log p - E_q log q."""
        means = {variable: factor.means for variable, factor in factors.items()}
        expected = sum(float(each.value(means, None, {})) for each in self.contractions)
        return expected + sum(each.family.entropy(each.natural, each.means) for each in factors.values())


def variational_posterior(
    log_joint: Any,
    factors: Mapping[Any, str],
    data: Mapping[Any, Any] | None = None,
    *,
    start: Mapping[Any, Any] | None = None,
    starts: int = 1,
    sweeps: int = 500,
    tolerance: float = 1e-10,
    seed: int = 0,
) -> Posterior:
    """The product of independent laws that is nearest to a posterior, by coordinate ascent on the ELBO.

    ``log_joint``: the log of the joint density, a sympy expression in symbols, ``IndexedBase`` entries and
    ``Sum`` over whole axes, (i, 0, N - 1). ``factors``: variables that are not observed, with the family of
    each: spin, bernoulli, categorical, normal, gamma, beta, dirichlet (the last axis of categorical and
    dirichlet are the components of a draw). ``data``: numbers and arrays of everything else, by symbol or
    name.

    Every entry is a factor of its own. Its law is exp(E log p) over the others: natural parameters are
    derived by collecting the statistics of its family in the log density (``.text``, ``.latex``); what a
    family has no statistic for is refused by name. Entries of a variable that stand together in a term are
    updated one after the other, others all at once, so that no update lowers the ELBO (survey 8.2; Blei et
    al. 2017).

    ``start``: means to start from, by variable; else random ones. ``starts``: so many random starts, the best
    is kept; ``tolerance``: relative gain of the ELBO below which a sweep is the last of at most ``sweeps``.

    Raises ArgumentError for unknown names, families and shapes and for densities that are not conjugate,
    MfError where a law is not proper (a prior is missing).
    """
    variables = _variables(factors)
    numbers = _by_symbol(log_joint, data or {})
    model = _Model(density_terms(log_joint, variables), variables, numbers)
    given = _start(start or {}, model)
    whole_number("starts", starts)
    whole_number("sweeps", sweeps)
    random = np.random.default_rng(whole_number("seed", seed, 0))
    runs = [_ascent(model, given, random, sweeps, number("tolerance", tolerance)) for _ in range(starts)]
    laws, elbo, made, is_done = max(runs, key=lambda run: run[1][-1])
    return Posterior(
        {str(variable): law for variable, law in laws.items()},
        np.array(elbo),
        model.elbo(laws),
        made,
        is_done,
        conditionals(model.terms, variables),
    )


def _ascent(
    model: _Model, given: Mapping[Any, Array], random: Any, sweeps: int, tolerance: float
) -> tuple[dict[Any, Factor], list[float], int, bool]:
    """Sweeps over all factors: those without given means first, so that what is given is used."""
    laws = {}
    for variable, family in model.variables.items():
        drawn = family.draw(random, model.shapes[variable])
        laws[variable] = _law(variable, family, family.start(given[variable]) if variable in given else drawn)
    order = sorted(model.variables, key=lambda variable: variable in given)
    elbo = [model.elbo(laws)]
    for sweep in range(1, sweeps + 1):
        before = elbo[-1]
        for variable in order:
            elbo.append(elbo[-1] + _update(model, laws, variable))
        if elbo[-1] - before <= tolerance * (1 + abs(elbo[-1])):
            return laws, elbo, sweep, True
    return laws, elbo, sweeps, False


def _update(model: _Model, laws: dict[Any, Factor], variable: Any) -> float:
    """Give a variable its best law, given the others, and return by how much that raises the ELBO.

    Entries follow one after the other where they are coupled. As a function of one law q alone the ELBO is
    eta . E_q t + H(q) and a constant, and A(eta) is its largest value.
    """
    family = model.variables[variable]
    means = {each: law.means for each, law in laws.items()}
    if variable not in model.coupled:
        old, laws[variable] = laws[variable], _law(variable, family, model.natural(variable, means))
        return _gain(family, laws[variable].natural, old.natural, old.means)
    natural = laws[variable].natural.copy()
    current = laws[variable].means.copy()
    means[variable] = current
    shape, gain = model.shapes[variable], 0.0
    for item in np.ndindex(shape[: len(shape) - family.is_vector]):
        eta, place = model.natural(variable, means, item), (slice(None), *item)
        gain += _gain(family, eta, natural[place], current[place])
        natural[place] = eta
        current[place] = _law(variable, family, eta).means
    laws[variable] = Factor(str(variable), family, natural, current)
    return gain


def _gain(family: Family, best: Array, natural: Array, means: Array) -> float:
    """What the best law (of natural parameters ``best``) has more than the one that is replaced."""
    reached = float(np.sum(family.log_normaliser(best)))
    return reached - float((best * means).sum()) - family.entropy(natural, means)


def _law(variable: Any, family: Family, natural: Array) -> Factor:
    """A factor of natural parameters. Raises MfError where no law has them."""
    if not np.all(family.is_proper(natural)):
        with np.errstate(all="ignore"):
            bad = ", ".join(
                f"{name} {np.ravel(of(natural))[0]:.4g}" for name, of in family.parameters.items()
            )
        raise MfError(
            f"q({variable}) is no {family.name} law ({bad}): the log density does not fall off. "
            f"Add a prior of {variable}, or look at the signs"
        )
    return Factor(str(variable), family, natural, family.means(natural))


def _variables(factors: Mapping[Any, str]) -> dict[Any, Family]:
    """Variables as sympy names them, with their families."""
    if not isinstance(factors, Mapping) or not factors:
        raise ArgumentError(
            "factors must map every unobserved variable to its family, such as {mu: 'normal'}"
        )
    found = {}
    for variable, family in factors.items():
        if not isinstance(variable, sp.Symbol | sp.IndexedBase):
            raise ArgumentError(f"the variable {shown(variable)} must be a sympy Symbol or IndexedBase")
        if family not in FAMILIES:
            raise ArgumentError(f"{variable} has the family {shown(family)}. {nearest(family, FAMILIES)}")
        found[variable] = FAMILIES[family]
    return found


def _by_symbol(log_joint: Any, data: Mapping[Any, Any]) -> dict[Any, Any]:
    """The data by the names in the density."""
    try:
        expression = sp.sympify(log_joint)
    except (sp.SympifyError, TypeError, AttributeError):
        raise ArgumentError(f"log_joint must be a sympy expression, found {shown(log_joint)}") from None
    inside = {str(each): each for each in expression.atoms(sp.Symbol)}
    inside |= {str(each.base): each.base for each in expression.atoms(sp.Indexed)}
    found = {}
    for name, value in data.items():
        if str(name) not in inside:
            raise ArgumentError(f"the log density has no {shown(str(name))}. {nearest(str(name), inside)}")
        array = np.asarray(value, dtype=float)
        if not np.isfinite(array).all():
            raise ArgumentError(f"{name} is not made of finite numbers")
        found[inside[str(name)]] = array
    return found


def _sizes(term: DensityTerm, data: Mapping[Any, Any]) -> dict[Any, int]:
    """The number of values of every index whose sum says it."""
    found = {}
    for symbol, size in term.sums:
        if size is None:
            continue
        values = {name: data[name] for name in size.free_symbols if name in data}
        value = size.subs(
            {name: float(array) for name, array in values.items() if not np.asarray(array).ndim}
        )
        if value.is_number:
            if value < 1 or abs(value - round(value)) > 1e-9:
                raise ArgumentError(
                    f"the sum over {symbol} has {value} values; it must be a whole number from 1 on"
                )
            found[symbol] = round(value)
        else:
            missing = ", ".join(sorted(map(str, size.free_symbols - set(values))))
            raise ArgumentError(
                f"the sum over {symbol} ends at {size - 1}, but {missing} has no value in `data`"
            )
    return found


def _shape(variable: Any, terms: list[DensityTerm], sizes: list[dict[Any, int]]) -> tuple[int, ...]:
    """The shape of a variable, by the sums over its indices."""
    axes: dict[int, int] = {}
    count, is_found = 0, False
    for term, known in zip(terms, sizes, strict=True):
        for each in term.statistics:
            if each.variable != variable:
                continue
            is_found, count = True, max(count, len(each.indices))
            for axis, index in enumerate(each.indices):
                if index in known and axes.setdefault(axis, known[index]) != known[index]:
                    raise ArgumentError(
                        f"axis {axis} of {variable} has {axes[axis]} entries in one term, "
                        f"{known[index]} in another"
                    )
    if not is_found:
        raise ArgumentError(
            f"the log density does not depend on {variable}; leave it out of factors, or add its prior"
        )
    missing = [axis for axis in range(count) if axis not in axes]
    if missing:
        raise ArgumentError(f"axis {missing[0]} of {variable} is in no Sum, so its size is not known")
    return tuple(axes[axis] for axis in range(count))


def _start(start: Mapping[Any, Any], model: _Model) -> dict[Any, Array]:
    """Means to start from, of the shapes of the variables."""
    known = {str(variable): variable for variable in model.variables}
    found = {}
    for name, value in start.items():
        if str(name) not in known:
            raise ArgumentError(f"start names {shown(str(name))}. {nearest(str(name), known)}")
        array, shape = np.asarray(value, dtype=float), model.shapes[known[str(name)]]
        if array.shape != shape:
            raise ArgumentError(f"start of {name} has shape {list(array.shape)}, the variable {list(shape)}")
        found[known[str(name)]] = array
    return found


__all__ = ["Factor", "Posterior", "Statistic", "variational_posterior"]
