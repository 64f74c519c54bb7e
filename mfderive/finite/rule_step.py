"""One step of a learning rule on the arrays of a finite network, in the arithmetic of numpy or of JAX."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from ..algebra.laws import TIME, Variable
from ..algebra.system import ForwardSystem
from ..algebra.terms import AxisKind
from ..algebra.update_rules import ALPHA, GRADIENT, NOW, STEP, THETA, XI
from ..algebra.visitor import Rewriting
from ..errors import ArgumentError
from .namespace import NUMPY, Namespace
from .numpy_functions import NUMPY_FUNCTIONS, evaluate_expression

Array = Any
Arrays = dict[str, Any]

_CLOCK = frozenset({ALPHA, XI, NOW, STEP})


class _Beforehand(Rewriting):
    """Expressions with a symbol for every largest part that reads alpha, xi, t and k alone: ``clocks``."""

    def __init__(self) -> None:
        super().__init__()
        self.clocks: dict[sp.Expr, sp.Symbol] = {}

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        """The expression, which is visited where only a part of it can be computed beforehand."""
        if not expression.free_symbols & _CLOCK:
            return expression
        if expression.free_symbols <= _CLOCK:
            return self.clocks.setdefault(expression, sp.Symbol(f"clock {len(self.clocks)}"))
        return super().__call__(expression)

    def visit_add(self, node: sp.Expr) -> sp.Expr:
        """A sum, whose summands of the clock alone, numbers among them, are one part."""
        own = [part for part in node.args if part.free_symbols <= _CLOCK]
        rest = [self(part) for part in node.args if not part.free_symbols <= _CLOCK]
        return node.func(self(node.func(*own)), *rest) if own else node.func(*rest)

    def visit_mul(self, node: sp.Expr) -> sp.Expr:
        """A product, likewise."""
        return self.visit_add(node)


class RuleStep:
    """What the learning rule of a network makes of its gradients, for arrays of given shapes.

    ``trained`` are the parameters that it moves, ``moving`` the names of these and of their memories.
    Whatever a step reads of alpha, xi, t and k alone is computed beforehand, for all steps and in float64
    (:meth:`table`): in float32, 1 - beta2**k would lose four of its seven digits at k = 1.
    """

    def __init__(self, system: ForwardSystem, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.system, self.learning = system, system.learning
        self.trained = tuple(parameter for parameter in system.parameters if not parameter.is_frozen)
        self.memories = {
            parameter.name: {system.field[v.name].part: v.name for v in system.memories_of[parameter.name]}
            for parameter in self.trained
        }
        self.moving = tuple(name for p in self.trained for name in (p.name, *self.memories[p.name].values()))
        self.widths = {p.name: width_factor(system, p, shapes[p.name]) for p in self.trained}
        self.decay, self.noise = dict(self.learning.decay), dict(self.learning.noise)
        self.shapes = shapes
        beforehand = _Beforehand()
        self.program = tuple((name, beforehand(line)) for name, line in self.learning.program)
        self.clocks = beforehand.clocks

    # ------------------------------------------------------------------ steps

    def table(self, alphas: Array, times: Array, numbers: Array, share: float = 1.0) -> Array:
        """What steps read beside arrays, float64 [step, trained parameter, entry].

        Step ``numbers[i]`` (counted from 1) has size ``alphas[i]`` and begins at ``times[i]``. The entries
        are those of the program, then alpha xi lambda (decoupled decay) and sqrt(2 T alpha xi) (noise); of
        plain descent the first one is alpha xi (product of widths). ``share``: which part of a step is made.
        """
        sizes = share * alphas
        found = np.zeros((len(alphas), len(self.trained), len(self.clocks) + 2))
        for position, parameter in enumerate(self.trained):
            name = parameter.name
            rates = evaluate_expression(parameter.rate, {TIME: times}, NUMPY_FUNCTIONS)
            if self.learning.is_plain:
                found[:, position, 0] = share * (alphas * rates * self.widths[name])
                continue
            values = {ALPHA: sizes, XI: rates, NOW: times, STEP: numbers.astype(np.float64)}
            for entry, clock in enumerate(self.clocks):
                found[:, position, entry] = evaluate_expression(clock, values, NUMPY_FUNCTIONS)
            found[:, position, -2] = self.decay.get(name, 0.0) * sizes * rates
            # A schedule that ends at 0 may miss it by rounding, to either side.
            found[:, position, -1] = np.sqrt(2.0 * self.noise.get(name, 0.0) * np.maximum(sizes * rates, 0.0))
        return found

    def after(
        self,
        arrays: Mapping[str, Array],
        gradients: Mapping[str, Array],
        row: Array,
        draws: Mapping[str, Array],
        namespace: Namespace,
    ) -> Arrays:
        """The trained parameters and their memories after a step.

        ``gradients``: of the batch-mean loss, by trained parameter; ``row`` the step's part of
        :meth:`table`; ``draws``: the standard normal numbers of every parameter with noise.
        """
        if self.learning.is_plain:
            return {
                p.name: arrays[p.name] - row[position, 0] * gradients[p.name]
                for position, p in enumerate(self.trained)
            }
        scaled = self._scaled(gradients, namespace)
        moved: Arrays = {}
        for position, parameter in enumerate(self.trained):
            name, clock = parameter.name, row[position]
            values = self._values(name, arrays, scaled[name])
            values |= {symbol: clock[entry] for entry, symbol in enumerate(self.clocks.values())}
            for assigned, line in self.program:
                values[sp.Symbol(assigned)] = evaluate_expression(line, values, namespace.functions)
            after = values[THETA]
            if self.learning.decoupled and name in self.decay:
                after = after - clock[-2] * arrays[name]
            if name in self.noise:
                after = after + clock[-1] * draws[name]
            moved[name] = _like(arrays[name], after, namespace)
            for part, memory in self.memories[name].items():
                moved[memory] = _like(arrays[memory], values[sp.Symbol(part)], namespace)
        return moved

    def draws(self, number: int, seed: int) -> Arrays:
        """The noise of step ``number``: for every parameter that has noise a function of seed and name.

        Other programs can draw the same: standard_normal(shape) of
        ``default_rng([seed, crc32(f"noise {name}"), number])``.
        """
        return {
            name: np.random.default_rng([seed, zlib.crc32(f"noise {name}".encode()), number]).standard_normal(
                self.shapes[name]
            )
            for name in self.noise
        }

    # ------------------------------------------------------------------ flow

    def flow(
        self,
        arrays: Mapping[str, Array],
        gradients: Mapping[str, Array],
        rates: Mapping[str, float],
        t: float,
    ) -> Arrays:
        """The derivatives in time of the trained parameters and their memories, in numpy and without noise.

        ``rates``: xi(t) by trained parameter. Raises ArgumentError where the rule has no known flow.
        """
        if self.learning.is_plain:
            return {name: -rates[name] * self.widths[name] * gradients[name] for name in self.moving}
        program = self.learning.flow_program
        if program is None:
            raise ArgumentError(
                f"no flow is known of the learning rule '{self.learning.rule}': only its steps can be made "
                "(finite_step, simulate)"
            )
        scaled = self._scaled(gradients, NUMPY)
        speed: Arrays = {name: np.zeros(arrays[name].shape) for name in self.moving}
        for parameter in self.trained:
            name = parameter.name
            values = self._values(name, arrays, scaled[name]) | {XI: rates[name], NOW: t}
            names = {THETA.name: name, **self.memories[name]}
            for moved, line in program:
                speed[names[moved]] += evaluate_expression(line, values, NUMPY_FUNCTIONS)
            if self.learning.decoupled and name in self.decay:
                speed[name] -= rates[name] * self.decay[name] * arrays[name]
        return speed

    # ------------------------------------------------------------------ what both read

    def _scaled(self, gradients: Mapping[str, Array], namespace: Namespace) -> Arrays:
        """g = product of widths * gradient, all of it shortened to the norm ``clip`` in L2(P)."""
        scaled = {name: width * gradients[name] for name, width in self.widths.items()}
        clip = self.learning.clip
        if clip is None or not scaled:
            return scaled
        # The mean over populations and the sum over finite axes: the sum over entries, by the widths.
        square = sum((g * g).sum() / self.widths[name] for name, g in scaled.items())
        # min(1, clip / norm), which is 1 where the norm is 0.
        factor = clip / namespace.arrays.maximum(namespace.arrays.sqrt(square), clip)
        return {name: factor * g for name, g in scaled.items()}

    def _values(self, name: str, arrays: Mapping[str, Array], gradient: Array) -> dict[sp.Symbol, Array]:
        """What the program reads of one parameter: itself, g with coupled decay, and its memories."""
        theta = arrays[name]
        if not self.learning.decoupled and name in self.decay:
            gradient = gradient + self.decay[name] * theta
        memories = {sp.Symbol(part): arrays[memory] for part, memory in self.memories[name].items()}
        return {THETA: theta, GRADIENT: gradient, **memories}


def _like(array: Array, value: Array, namespace: Namespace) -> Array:
    """A value that may be a single number or of another type, as an array like the one it follows."""
    arrays = namespace.arrays
    return arrays.broadcast_to(arrays.asarray(value, dtype=array.dtype), array.shape)


def width_factor(system: ForwardSystem, parameter: Variable, shape: tuple[int, ...]) -> int:
    """The product of the widths of the population slots of a parameter, read off its array's shape."""
    return math.prod(
        size
        for axis, size in zip(parameter.axes, shape, strict=True)
        if system.axis[axis].kind is AxisKind.POPULATION
    )
