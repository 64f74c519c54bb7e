"""One block of a network's repeated part as a map of kernels, with exact derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.memo import once
from ..errors import MfError
from ..network.network import Network
from .depth_map import Scales
from .homogeneous import homogeneous
from .kernel_slopes import KernelSlopes, jumps_alike
from .kernel_system import ExpectationAccess, KernelAccess, KernelKind, KernelSystem, Part, Replicas
from .kernel_values import KernelValues
from .reading import kernel_system
from .repeated_part import RepeatedPart, repeated_part

Array = Any
# What stands for the limit of a vanishing variance from above.
VANISHING = 1e-100
# How many blocks two samples of a batch are followed until their covariance changes by less than this.
_MOST_BLOCKS = 400
_AT_REST = 1e-13


@dataclass(frozen=True)
class NetworkMap:
    """A block as a :class:`mfderive.signals.depth_map.DepthMap`.

    ``system`` holds the equations of one block, without positions; ``part`` says which kernels enter and
    leave it, ``backward`` the kernels of the gradients on its two sides, in the same order ((), ()) where
    they do not close.
    """

    system: KernelSystem
    part: RepeatedPart
    backward: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The kernels that a block hands on, as those that enter it are called."""
        return self.part.names

    @property
    def power_series(self) -> bool:
        """Whether the covariance after a block is a power series in that before it without negative
        coefficients."""
        return _is_power_series(self)

    def advance(self, q: Array, scales: Scales) -> Array:
        """The kernels [..., m] of one input after a block."""
        values = self._values(scales, np.shape(q)[:-1], {1: q})
        return np.stack([values(*self._key(name, (1, 1))) for name in self.part.after], axis=-1)

    def advance_pair(self, k12: Array, q1: Array, q2: Array, scales: Scales) -> Array:
        """The kernels [..., m] of two inputs after a block."""
        values = self._values(scales, np.shape(k12)[:-1], {1: q1, 2: q2, 12: k12})
        return np.stack([values(*self._key(name, (1, 2))) for name in self.part.after], axis=-1)

    def jacobian(self, q: Array, scales: Scales) -> Array:
        """d advance_i / d q_j [..., i, j]."""
        q = np.maximum(np.asarray(q, float), VANISHING)
        values = self._values(scales, np.shape(q)[:-1], {1: q})
        return self._slopes(values, (1, 1))

    def jacobian_pair(self, k12: Array, q1: Array, q2: Array, scales: Scales) -> Array:
        """d advance_pair_i / d k12_j [..., i, j] at constant q1, q2."""
        values = self._values(scales, np.shape(k12)[:-1], {1: q1, 2: q2, 12: k12})
        return self._slopes(values, (1, 2))

    def gradient_factor(self, q: Array, scales: Scales) -> Array:
        """By what a block multiplies second moments of gradients [...]: the spectral radius for several;
        nan if unknown, infinite where an activation of the block jumps."""
        q = np.maximum(np.asarray(q, float), VANISHING)
        if _jumps(self):
            scale = np.broadcast_shapes(*(np.shape(value) for value in scales.values()))
            return np.full(np.broadcast_shapes(np.shape(q)[:-1], scale), np.inf)
        before, after = ([(name, r) for name in names for r in self._samples] for names in self.backward)
        states = {1: q} if self.system.batch is None else {1: q, 2: q, 12: self.resting_pair(q, scales)}
        rows = []
        for number in range(len(after)):
            values = self._values(scales, np.shape(q)[:-1], states)
            for other, key in enumerate(after):
                values.given[key] = np.full(values.shape, float(other == number))
            rows.append(np.stack([values(*key) for key in before], axis=-1))
        if not rows:
            return np.full(np.shape(q)[:-1], np.nan)
        matrix = np.stack(rows, axis=-1)
        if len(rows) == 1:
            return matrix[..., 0, 0]
        known = np.isfinite(matrix).all(axis=(-1, -2))
        sizes = np.abs(np.linalg.eigvals(np.where(known[..., None, None], matrix, 0.0))).max(axis=-1)
        return np.where(known, sizes, np.nan)

    @property
    def _samples(self) -> tuple[Replicas, ...]:
        """Which moments of gradients a block multiplies: in a batch those of two samples too."""
        return ((1, 1),) if self.system.batch is None else ((1, 1), (1, 2))

    def resting_pair(self, q: Array, scales: Scales) -> Array:
        """The kernels [..., m] at which any two samples of a batch come to rest, at variances q; nan where
        not."""
        pair = np.zeros(np.shape(q))
        for _ in range(_MOST_BLOCKS):
            last, pair = pair, self.advance_pair(pair, q, q, scales)
            if np.all(np.abs(pair - last) <= _AT_REST * np.abs(q)):
                return pair
        return np.where(np.abs(pair - last) <= _AT_REST * np.abs(q), pair, np.nan)

    # ------------------------------------------------------------------ evaluation

    def _key(self, name: str, replicas: Replicas) -> tuple[str, Replicas]:
        first = self.system.kernel[name].kind is KernelKind.FIRST
        return (name, replicas[:1]) if first else (name, replicas)

    def _values(self, scales: Scales, shape: tuple[int, ...], states: dict[int, Array]) -> KernelValues:
        own = {symbol.name: value for symbol, value in self.system.own_scales}
        known = {**own, **scales}
        numbers = {symbol: np.asarray(known[symbol.name], float) for symbol in self.system.scales}
        shape = np.broadcast_shapes(
            shape, *(n.shape for n in numbers.values()), *(np.shape(s)[:-1] for s in states.values())
        )
        given: dict[tuple[str, Replicas], Array] = {}
        for which, state in states.items():
            state = np.broadcast_to(np.asarray(state, float), (*shape, len(self.names)))
            replicas = {1: (1, 1), 2: (2, 2), 12: (1, 2)}[which]
            for number, name in enumerate(self.names):
                key = self._key(name, replicas)
                if which != 12 or len(key[1]) == 2:
                    given[key] = state[..., number]
                if which == 12:
                    given.setdefault((name, (2, 1)), state[..., number])
        numbers = {symbol: np.broadcast_to(n, shape) for symbol, n in numbers.items()}
        return KernelValues(self.system, numbers, shape, given)

    def _slopes(self, values: KernelValues, replicas: Replicas) -> Array:
        keys = [self._key(name, replicas) for name in self.names]
        slopes = KernelSlopes(values, keys)
        rows = [slopes(*self._key(name, replicas)) for name in self.part.after]
        return np.stack(rows, axis=-2)


def repeated_map(network: Network) -> NetworkMap:
    """The map of a network's repeated part. Raises MfError where nothing repeats, or the kernels do not
    close."""
    found = network_map(kernel_system(network))
    if found is None:
        raise MfError(
            f"no part of '{network.title}' repeats, so that it has no fixed points and no critical "
            f"scales. Its kernels "
            "by depth: mfderive.signal(net).by_depth(x1, x2); a group with 'repeat' makes layers that repeat"
        )
    return found


@once
def network_map(system: KernelSystem) -> NetworkMap | None:
    """The map of a network's repeated part; None where nothing repeats."""
    part = repeated_part(system)
    if part is None:
        return None
    plain = homogeneous(system)
    backward = _backward(plain, part)
    kept = {*part.block, *_between(plain, backward)}
    equations = tuple(e for e in plain.equations if e.kernel in kept)
    scales = {s for e in equations for term in e.terms for s in _scales(system, term.expression.free_symbols)}
    sub = replace(plain, equations=equations, scales=tuple(s for s in plain.scales if s in scales))
    return NetworkMap(sub, part, backward)


def _scales(system: KernelSystem, symbols: set[sp.Symbol]) -> set[sp.Symbol]:
    return symbols & set(system.scales)


def _backward(system: KernelSystem, part: RepeatedPart) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kernels of the gradients by the fields that enter and leave a block, as far as the one needs the
    other."""
    seconds = [
        (system.kernel[a], system.kernel[b])
        for a, b in zip(part.names, part.after, strict=True)
        if system.kernel[a].kind is KernelKind.SECOND and system.kernel[a].first == system.kernel[a].second
    ]
    pairs = [(system.adjoint_of(a), system.adjoint_of(b)) for a, b in seconds]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    before, after = tuple(a for a, _ in known), tuple(b for _, b in known)
    allowed = {*part.names, *part.block, *after}
    if not before or any(name in after for name in before):
        return (), ()
    for name in before:
        if not _closes(system, name, allowed):
            return (), ()
    return before, after


def _closes(system: KernelSystem, name: str, allowed: set[str]) -> bool:
    if name in allowed:
        return True
    if name not in system.same or system.kernel[name].part is not Part.BACKWARD:
        return False
    return all(_closes(system, access.kernel, allowed) for access in system.same[name].accesses)


def _between(system: KernelSystem, backward: tuple[tuple[str, ...], tuple[str, ...]]) -> set[str]:
    """The kernels of gradients that are computed inside a block."""
    found: set[str] = set()
    waiting = list(backward[0])
    while waiting:
        name = waiting.pop()
        if name in found or name in backward[1] or system.kernel[name].part is not Part.BACKWARD:
            continue
        found.add(name)
        waiting += [access.kernel for access in system.same[name].accesses]
    return found


@once
def _jumps(network: NetworkMap) -> bool:
    """Whether values of a block are a function that jumps: backward, its slope counts as 0 wherever it has
    one, which says nothing of inputs that are nearly equal."""
    return any(
        isinstance(meaning, ExpectationAccess)
        and len(meaning.expectation.variables) == 2
        and jumps_alike(meaning.expectation)
        for equation in network.system.equations
        if equation.kernel in network.part.block
        for term in equation.terms
        for _, meaning in term.meanings
    )


@once
def _is_power_series(network: NetworkMap) -> bool:
    if network.system.batch is not None:
        return False
    for equation in network.system.equations:
        if not equation.pair or equation.kernel not in network.part.block:
            continue
        for term in equation.terms:
            if not all(_is_positive(factor, term.meaning) for factor in sp.Mul.make_args(term.expression)):
                return False
    return True


def _is_positive(factor: sp.Expr, meaning: dict[sp.Symbol, Any]) -> bool:
    """Whether a factor is a positive number, a scale, a kernel of two inputs, or E[f(u1) f(u2)]."""
    if factor.is_number:
        return bool(factor > 0)
    if not factor.is_Symbol:
        return False
    what = meaning.get(factor)
    if isinstance(what, KernelAccess):
        return len(what.replicas) == 2
    if isinstance(what, ExpectationAccess):
        u = what.expectation.variables
        integrand = what.expectation.integrand
        if len(u) != 2 or what.constants or what.mean:
            return False
        mine = sp.Mul(*(f for f in sp.Mul.make_args(integrand) if f.has(u[0])))
        theirs = sp.Mul(*(f for f in sp.Mul.make_args(integrand) if f.has(u[1])))
        return bool(mine * theirs == integrand and mine.xreplace({u[0]: u[1]}) == theirs)
    return True
