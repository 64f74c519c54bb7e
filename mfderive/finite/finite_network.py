"""A finite-width network: the forward equations of a network, interpreted over arrays.

Written once against an array namespace (numpy, real or complex, JAX or PyTorch) and forward only: gradients
come from complex steps or from automatic differentiation, never from the reverse pass that this room checks.
Every average is plain (weights 1/n); the noise of a weight is drawn once for each pair of neurons.

A term is recognised by its shape alone. Its expression is a product of factors; each factor is evaluated
over its own index variables, and one einsum multiplies and reduces them. A dense layer ``w*u`` is thereby a
matrix product, and a pointwise expression is evaluated as it stands.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..algebra.system import ForwardSystem, draw_noise
from ..algebra.terms import Access, AxisKind, Equation, Index, Role, Term, slot_indices
from ..errors import StateError
from .namespace import Namespace
from .numpy_functions import NUMPY_FUNCTIONS, evaluate_expression
from .patches import gather, scatter_matrix

Array = Any

# The leading axis of arrays that hold many copies of a network, each with another perturbed entry.
REPLICA = Index("replica", "replica")
# The largest number of entries that a factor laid out over its index variables may have at once.
LARGEST_GRID = 2**22


@dataclass(frozen=True)
class Labelled:
    """An array whose axes are index variables, each once."""

    array: Array
    labels: tuple[Index, ...]


class FiniteNetwork:
    """A network of finite width: ``evaluate`` computes all forward fields from parameters and inputs.

    ``system`` is the forward system; noise slots are drawn away. Arrays are laid out as the fields' axes
    say: data fields [sample, neuron, positions...], parameters [target, source, taps...].
    """

    def __init__(self, system: ForwardSystem) -> None:
        """Draw the noise away and split every term into its factors."""
        self.system = draw_noise(system)
        self._factors = {
            id(term): _factors(term) for equation in self.system.forward for term in equation.terms
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Factors belong to the terms of this very system: in a copy they are found again."""
        return FiniteNetwork, (self.system,)

    def sizes(self, shapes: Mapping[str, tuple[int, ...]], samples: int) -> dict[str, int]:
        """Size of every axis, from the shapes of the parameters; StateError where they do not fit."""
        known = {axis.name: axis.size for axis in self.system.axes if axis.size is not None}
        known.update({axis.name: samples for axis in self.system.axes if axis.kind is AxisKind.DATA})
        for parameter in self.system.parameters:
            if parameter.name not in shapes:
                raise StateError(
                    f"the state lacks the parameter '{parameter.name}'. It has: {', '.join(sorted(shapes))}"
                )
            shape = tuple(shapes[parameter.name])
            if len(shape) != len(parameter.axes):
                raise StateError(
                    f"'{parameter.name}' has shape {shape}; its axes are ({', '.join(parameter.axes)})"
                )
            for axis, size in zip(parameter.axes, shape, strict=True):
                if known.setdefault(axis, size) != size:
                    raise StateError(
                        f"'{parameter.name}' has shape {shape}, but its axis '{axis}' has size {known[axis]}"
                        " elsewhere in the network"
                    )
        # No parameter distinguishes the neurons of a population that is left: one stands for all of them.
        return {axis.name: known.get(axis.name, 1) for axis in self.system.axes}

    def evaluate(
        self,
        values: Mapping[str, Array],
        sizes: Mapping[str, int],
        namespace: Namespace,
        *,
        replicated: Iterable[str] = (),
        only: Iterable[str] | None = None,
        until: str | None = None,
        masks: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:
        """All forward fields (and what was given), each laid out as its axes say.

        ``values`` holds parameters, ``x`` and, for the loss, ``y``. Fields named in ``replicated`` have a
        leading replica axis, and so has everything that depends on them. ``only``: evaluate only these
        fields, the rest is in ``values`` already. ``until``: the last field that is needed. ``masks``: what
        fields are multiplied by.
        """
        run = _Run(self, dict(values), sizes, namespace, set(replicated), masks or {})
        wanted = None if only is None else set(only)
        for equation in self.system.forward:
            if wanted is None or equation.field in wanted:
                run.equation(equation)
            if equation.field == until:
                break
        return run.values

    def factors(self, term: Term) -> tuple[float, tuple[tuple[sp.Expr, tuple[sp.Symbol, ...]], ...]]:
        """A term's numeric coefficient and its factors, each with the symbols that it reads."""
        return self._factors[id(term)]

    def dependents(self, name: str) -> list[str]:
        """The computed fields through which the derivative of a field flows, in order of evaluation."""
        reached = {name}
        for equation in self.system.forward:
            frozen = equation.selector or self.system.field[equation.field].role is Role.FROZEN
            reads = {access.field for term in equation.terms for _, access in term.accesses}
            if not frozen and reads & reached:
                reached.add(equation.field)
        return [equation.field for equation in self.system.forward if equation.field in reached]


def _factors(term: Term) -> tuple[float, tuple[tuple[sp.Expr, tuple[sp.Symbol, ...]], ...]]:
    coefficient = 1.0
    factors = []
    for factor in sp.Mul.make_args(term.expression):
        symbols = tuple(symbol for symbol, _ in term.accesses if factor.has(symbol))
        if symbols:
            factors.append((factor, symbols))
        else:
            coefficient *= float(evaluate_expression(factor, {}, NUMPY_FUNCTIONS))
    return coefficient, tuple(factors)


class _Run:
    """One evaluation of the forward equations."""

    def __init__(
        self,
        network: FiniteNetwork,
        values: dict[str, Array],
        sizes: Mapping[str, int],
        namespace: Namespace,
        replicated: set[str],
        masks: Mapping[str, Array],
    ) -> None:
        self.network = network
        self.values = values
        self.sizes = sizes
        self.namespace = namespace
        self.arrays = namespace.arrays
        self.replicated = replicated
        self.masks = masks

    def equation(self, equation: Equation) -> None:
        """Evaluate an equation and store its field."""
        shape = tuple(self.sizes[index.axis] for index in equation.target)
        total: Array = None
        replicas = False
        for term in equation.terms:
            value = self.term(term)
            # A term without the replica axis broadcasts against one that has it: it is the leading axis.
            total = value.array if total is None else total + value.array
            replicas = replicas or REPLICA in value.labels
        if total is None:
            total = self.arrays.zeros(shape, dtype=self.values["x"].dtype)
        if self.network.system.field[equation.field].role is Role.FROZEN or equation.selector:
            total = self.namespace.frozen(total[0] if replicas else total)
            replicas = False
        if equation.selector:
            total = self.first_maximum(total, equation.selector)
        if equation.field in self.masks:
            total = total * self.masks[equation.field]
        self.values[equation.field] = total
        (self.replicated.add if replicas else self.replicated.discard)(equation.field)

    def first_maximum(self, values: Array, trailing: int) -> Array:
        """1 at the first maximum over the trailing axes in row-major order, else 0."""
        flat = values.reshape((*values.shape[: values.ndim - trailing], -1))
        chosen = self.arrays.arange(flat.shape[-1]) == flat.argmax(-1)[..., None]
        return self.arrays.asarray(chosen, dtype=values.dtype).reshape(values.shape)

    def term(self, term: Term) -> Labelled:
        """The value of a term, laid out as [replica?] + the axes of its target."""
        _, factors = self.network.factors(term)
        needed = {symbol for _, symbols in factors for symbol in symbols}
        operands = {symbol: self.operand(access) for symbol, access in term.accesses if symbol in needed}
        largest = max((self.grid_size(term, symbols, operands) for _, symbols in factors), default=0)
        sample = self.sample_index(term)
        if largest > LARGEST_GRID and sample is not None:
            chunk = max(1, LARGEST_GRID * self.sizes[sample.axis] // largest)
            return self.in_pieces(term, operands, sample, chunk)
        return self.reduced(term, operands)

    def operand(self, access: Access) -> Labelled:
        """The values of an access, with one axis for each of its index variables."""
        lead = (REPLICA,) if access.field in self.replicated else ()
        array = self.values[access.field]
        return Labelled(*gather(self.namespace, array, lead, access.slots, self.sizes))

    def grid_size(
        self, term: Term, symbols: tuple[sp.Symbol, ...], operands: Mapping[sp.Symbol, Labelled]
    ) -> int:
        """How many entries a factor has over all its index variables, if that is more than its result."""
        extent: dict[Index, int] = {}
        for symbol in symbols:
            extent.update(zip(operands[symbol].labels, operands[symbol].array.shape, strict=True))
        if len(symbols) == 1 or set(extent) <= {REPLICA, *slot_indices(term.target)}:
            return 0
        return math.prod(extent.values())

    def sample_index(self, term: Term) -> Index | None:
        """The index over the data that leads the target of a term, if there is one."""
        first = term.target[0] if term.target else None
        if isinstance(first, Index) and self.network.system.axis[first.axis].kind is AxisKind.DATA:
            return first
        return None

    def in_pieces(
        self, term: Term, operands: Mapping[sp.Symbol, Labelled], sample: Index, chunk: int
    ) -> Labelled:
        """``reduced`` on at most ``chunk`` samples at a time, so that no grid outgrows the memory."""
        cut = [symbol for symbol, operand in operands.items() if sample in operand.labels]
        rest = {symbol: operand for symbol, operand in operands.items() if symbol not in cut}
        labels = {s: (sample, *(i for i in operands[s].labels if i != sample)) for s in cut}
        replicas = any(REPLICA in operand.labels for operand in operands.values())

        def piece(*arrays: Array) -> Array:
            parts = {s: Labelled(a, labels[s]) for s, a in zip(cut, arrays, strict=True)}
            value = self.reduced(term, {**rest, **parts}, samples=arrays[0].shape[0]).array
            return self.arrays.moveaxis(value, 1, 0) if replicas else value

        moved = tuple(
            self.arrays.moveaxis(operands[s].array, operands[s].labels.index(sample), 0) for s in cut
        )
        value = self.namespace.over_samples(piece, moved, chunk)
        lead = (REPLICA,) if replicas else ()
        return Labelled(self.arrays.moveaxis(value, 0, 1) if replicas else value, lead)

    def reduced(
        self, term: Term, operands: Mapping[sp.Symbol, Labelled], samples: int | None = None
    ) -> Labelled:
        """Multiply the factors of a term and reduce: Mean over measures, Sum over finite axes.

        ``samples`` is the number of samples where it is not the whole batch. The result carries at most
        the label of the replicas; the axes of the target follow.
        """
        coefficient, factors = self.network.factors(term)
        parts = [self.factor(expression, symbols, operands) for expression, symbols in factors]
        present = {label for part in parts for label in part.labels}
        for index in term.reduced:
            is_measure = self.network.system.axis[index.axis].is_measure
            if is_measure and index in present:
                coefficient /= self.sizes[index.axis]
            elif not is_measure and index not in present:
                coefficient *= self.sizes[index.axis]
        lead = (REPLICA,) if REPLICA in present else ()
        wanted = (*lead, *slot_indices(term.target))
        value = self.contract(parts, tuple(label for label in wanted if label in present))
        if coefficient != 1.0:
            value = value * coefficient
        shape = [value.shape[0]] if lead else []
        shape += [self.extent(label, samples) for label in wanted[len(lead) :]]
        value = self.widen(value, [label in present for label in wanted], shape)
        return Labelled(self.scatter(value, lead, term, samples), lead)

    def extent(self, index: Index, samples: int | None) -> int:
        """The size of an index variable, where the data may be cut to ``samples``."""
        kind = self.network.system.axis[index.axis].kind
        return samples if samples is not None and kind is AxisKind.DATA else self.sizes[index.axis]

    def factor(
        self, expression: sp.Expr, symbols: tuple[sp.Symbol, ...], operands: Mapping[sp.Symbol, Labelled]
    ) -> Labelled:
        """A factor of a term over the union of its index variables."""
        if expression.is_Symbol:
            return operands[expression]
        labels = tuple(dict.fromkeys(label for symbol in symbols for label in operands[symbol].labels))
        aligned = {symbol: self.align(operands[symbol], labels) for symbol in symbols}
        return Labelled(evaluate_expression(expression, aligned, self.namespace.functions), labels)

    def align(self, operand: Labelled, labels: tuple[Index, ...]) -> Array:
        """An operand with its axes in the order of ``labels``, of size 1 where it lacks one."""
        order = sorted(range(len(operand.labels)), key=lambda axis: labels.index(operand.labels[axis]))
        array = operand.array if order == sorted(order) else self.arrays.transpose(operand.array, order)
        sizes = iter(array.shape)
        return array.reshape([next(sizes) if label in operand.labels else 1 for label in labels])

    def contract(self, parts: list[Labelled], labels: tuple[Index, ...]) -> Array:
        """The product of the parts, summed over every index that is not in ``labels``."""
        if not parts:
            return self.arrays.ones((), dtype=self.values["x"].dtype)
        if len(parts) == 1 and parts[0].labels == labels:
            return parts[0].array
        # The operand with the leading target index first: a matrix product then needs no transposition.
        rank = {label: position for position, label in enumerate(labels)}
        parts = sorted(parts, key=lambda part: min((rank.get(i, len(rank)) for i in part.labels), default=0))
        letter: dict[Index, str] = {}
        for part in parts:
            for label in part.labels:
                letter.setdefault(label, string.ascii_letters[len(letter)])
        formula = ",".join("".join(letter[label] for label in part.labels) for part in parts)
        result = "".join(letter[label] for label in labels)
        return self.namespace.einsum(f"{formula}->{result}", *(part.array for part in parts))

    def widen(self, value: Array, present: list[bool], shape: list[int]) -> Array:
        """Repeat a value along the axes of the target that it does not depend on."""
        if all(present):
            return value
        return self.arrays.broadcast_to(
            value.reshape([size if here else 1 for here, size in zip(present, shape, strict=True)]), shape
        )

    def scatter(self, value: Array, lead: tuple[Index, ...], term: Term, samples: int | None) -> Array:
        """Add values to the places that affine target slots name; plain targets are left as they are."""
        if all(isinstance(slot, Index) for slot in term.target):
            return value
        parts = [Labelled(value, (*lead, *slot_indices(term.target)))]
        places: list[Index] = []
        for position, slot in enumerate(term.target):
            if isinstance(slot, Index):
                places.append(slot)
                continue
            place = Index(f"place {position}", "place")
            size = self.sizes[self.target_axis(term, position)]
            matrix = self.arrays.asarray(scatter_matrix(slot, size, self.sizes), dtype=value.real.dtype)
            parts.append(Labelled(matrix, (place, *slot_indices((slot,)))))
            places.append(place)
        return self.contract(parts, (*lead, *places))

    def target_axis(self, term: Term, position: int) -> str:
        """The axis of the field that a term of the forward equations adds to, at a position of its target."""
        for equation in self.network.system.forward:
            if any(term is other for other in equation.terms):
                return equation.target[position].axis
        raise KeyError(position)
