"""Expressions as people write them, read safely into sympy.

The text becomes a Python syntax tree (:mod:`ast`), which is only looked at, never run; every node that is
not on the short list here is refused. Functions are those of the closed table
(:mod:`mfderive.algebra.functions`), numbers are exact, and length, depth and the size of numbers are
limited *before* anything is computed, so that no text can make the program work or wait.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from ..errors import FaultKind, SpecError, UnknownNameError, nearest, nearest_function, nearest_word, quoted
from ..errors.wishes import wish
from .functions import FUNCTIONS, PUBLIC_FUNCTIONS, ClosedFunction, call
from .laws import End
from .local_symbols import local_symbol
from .syntax import CASES, syntax_tree

MAX_EXPONENT = 64
# Numbers stay between 10^-MAX_DIGITS and 10^MAX_DIGITS, and fractions longer than MAX_FRACTION are rounded.
MAX_DIGITS = 40
MAX_FRACTION = 10**60
_LARGEST = sp.Integer(10) ** MAX_DIGITS

REDUCTIONS = ("mean", "sum", "max", "softmax")
NEURONS = "neurons"


class AxisReduction(sp.Function):
    """``mean(e)``, ``mean(e, positions)``, ``max(e, positions)``, ``softmax(e, positions)`` in an activation.

    Arguments: the operation as a Symbol (mean, sum, max, softmax), the expression, the axis as a Symbol
    (neurons, positions, steps). Only the forward equations read it: there it becomes a field of its own.
    """

    nargs = 3

    @property
    def operation(self) -> str:
        """mean, sum, max or softmax."""
        return str(self.args[0])

    @property
    def axis(self) -> str:
        """What is reduced: neurons, positions or steps."""
        return str(self.args[2])


@dataclass(frozen=True)
class Names:
    """What an expression may say beside numbers, ``pi`` and the functions of the closed table.

    ``plain`` are names as they stand (``h``, ``gain``, ``t``). ``dotted`` gives for a base what may follow
    the dot (``{"source": {"gain", "w"}}``). Names in ``arrays`` (dotted ones written whole) may have a
    subscript of literal integers (``y[0]``), those in ``vectors`` must (``source.w[1, 2]``).
    ``reductions`` are the axes over which ``mean(e, axis)`` and its like may run; ``neurons`` allows
    ``mean(e)``. ``unavailable`` gives the reason why a known name is not allowed here.
    """

    plain: frozenset[str] = frozenset()
    dotted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    arrays: frozenset[str] = frozenset()
    vectors: frozenset[str] = frozenset()
    reductions: frozenset[str] = frozenset()
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def written(self) -> list[str]:
        """Every name that may be written, for error messages."""
        ends = [f"{base}.{name}" for base, names in self.dotted.items() for name in sorted(names)]
        return sorted(self.plain) + ends


def parse_expression(text: str, names: Names) -> sp.Expr:
    """The expression in ``text`` as a sympy tree in symbols that are named as they are written.

    Those with an end of a connection or a component are :class:`mfderive.algebra.local_symbols.LocalSymbol`.

    Decimals are exact fractions (``0.1`` is 1/10). Raises :class:`SpecError` with what was found, the
    nearest allowed name and a remedy.
    """
    return _Reader(text, names).expression(syntax_tree(text))


def parse_call(
    text: str, heads: Mapping[str, Sequence[str]], names: Names
) -> tuple[str | None, tuple[sp.Expr, ...]]:
    """``head(e1, e2)`` as ``("head", (e1, e2))``, if it is one of ``heads`` (name -> names of arguments).

    Any other text is one expression: ``(None, (e,))``. Raises as :func:`parse_expression`.
    """
    tree = syntax_tree(text)
    reader = _Reader(text, names, heads=tuple(heads))
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in heads):
        return None, (reader.expression(tree),)
    head, wanted = tree.func.id, heads[tree.func.id]
    count = len(wanted)
    if len(tree.args) != count:
        raise SpecError(
            f"{head} takes {count} argument{'s' * (count != 1)}, but {quoted(text)} has {len(tree.args)}",
            remedy=f"Write {head}({', '.join(wanted)})",
        )
    return head, tuple(reader.expression(argument) for argument in tree.args)


def constant_value(expression: sp.Expr) -> float | None:
    """The value of an expression without symbols (nan where it has none), or None if it has symbols."""
    if expression.free_symbols or expression.has(AxisReduction):
        return None
    if isinstance(expression, ClosedFunction):
        values = [constant_value(argument) for argument in expression.args]
        with np.errstate(all="ignore"):
            return float(FUNCTIONS[type(expression).__name__].real(*values))
    if expression.args:
        values = [sp.Float(constant_value(argument), 17) for argument in expression.args]
        expression = expression.func(*values)
    value = complex(expression.evalf(17))
    return value.real if value.imag == 0 else float("nan")


class _Reader:
    """Turns the nodes of one syntax tree into sympy; everything that is not named here is refused."""

    def __init__(self, text: str, names: Names, heads: tuple[str, ...] = ()) -> None:
        self.text = quoted(text)
        self.names = names
        self.heads = heads

    def within(self, name: str) -> str:
        """Where a name stands, unless it is all there is."""
        return "" if self.text == quoted(name) else f" in {self.text}"

    def expression(self, node: ast.expr) -> sp.Expr:
        """The value of a node, with its numbers checked."""
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.scalar(node.id)
        if isinstance(node, ast.Attribute):
            return self.scalar(self.dotted(node))
        if isinstance(node, ast.Subscript):
            return self.subscript(node)
        if isinstance(node, ast.UnaryOp):
            return self.sign(node)
        if isinstance(node, ast.BinOp):
            return self.bounded(self.binary(node))
        if isinstance(node, ast.Call):
            return self.function(node)
        raise self.refused(node)

    def refused(self, node: ast.AST) -> SpecError:
        """The error for a piece of syntax that expressions do not have."""
        found = quoted(ast.unparse(node)) if isinstance(node, ast.expr) else f"'{type(node).__name__}'"
        place = "" if found == self.text else f" in {self.text}"
        if isinstance(node, ast.IfExp | ast.Compare | ast.BoolOp):
            return SpecError(f"{found}{place} is a case, which expressions do not have", remedy=CASES.strip())
        return SpecError(
            f"{found}{place} is not allowed",
            remedy="An expression has numbers, names, + - * / **, brackets, and functions: "
            + ", ".join(PUBLIC_FUNCTIONS),
        )

    def number(self, node: ast.Constant) -> sp.Expr:
        """A number, exactly as its decimal is written."""
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refused(node)
        if isinstance(value, float) and value - value != 0:
            raise SpecError(f"a number in {self.text} is not finite")
        return self.bounded(sp.Integer(value) if isinstance(value, int) else sp.Rational(repr(value)))

    def bounded(self, value: sp.Expr) -> sp.Expr:
        """The value, if the numbers and powers at its top are within the limits."""
        if not isinstance(value, sp.Expr) or value.has(sp.nan, sp.zoo, sp.oo, sp.I):
            raise SpecError(f"{self.text} contains a constant that is not a finite real number")
        if value.is_Rational:
            return self.short(value)
        parts = value.args if value.is_Add or value.is_Mul else ()
        for part in (value, *parts):
            if part.is_Rational:
                self.short(part)
            else:
                self.finite(part)
            if part.is_Pow and part.exp.is_Rational and abs(part.exp) > MAX_EXPONENT:
                raise self.large_power(part.exp)
        return value

    def short(self, value: sp.Rational) -> sp.Rational:
        """A number of bounded size; a fraction too long to be meant exactly is rounded to a double."""
        if value != 0 and not 1 / _LARGEST <= abs(value) <= _LARGEST:
            limits = f"limits 1e{MAX_DIGITS} and 1e-{MAX_DIGITS}"
            raise SpecError(f"a number in {self.text} is too large or too close to 0 ({limits})")
        long = abs(value.p) > MAX_FRACTION or value.q > MAX_FRACTION
        return sp.Rational(repr(float(value))) if long else value

    def finite(self, value: sp.Expr) -> sp.Expr:
        """The value, unless it is a constant without a real value of bounded size, as log(-1) is."""
        number = constant_value(value)
        if number is not None and not abs(number) <= float(_LARGEST):
            raise SpecError(
                f"a constant in {self.text} is not a finite number of at most 1e{MAX_DIGITS}",
                remedy="Check its roots, logarithms, exponentials and divisions",
            )
        return value

    def large_power(self, exponent: sp.Expr) -> SpecError:
        """The error for a power that would be too large to compute with."""
        shown = quoted(str(exponent)) if abs(exponent) < _LARGEST else "its exponent"
        return SpecError(
            f"a power in {self.text} is too large: {shown} is beyond {MAX_EXPONENT}",
            remedy=f"Exponents may lie between -{MAX_EXPONENT} and {MAX_EXPONENT}",
        )

    def scalar(self, name: str) -> sp.Expr:
        """A name without a subscript."""
        value = self.name(name)
        if name in self.names.vectors:
            raise SpecError(
                f"{quoted(name)}{self.within(name)} is a vector",
                remedy=f"Name one of its components, for instance {name}[0]",
            )
        return value

    def name(self, name: str, component: tuple[int, ...] = ()) -> sp.Expr:
        """A plain or dotted name, or one of its components."""
        if name == "pi":
            return sp.pi
        if name in self.names.plain:
            return local_symbol(name, component=component)
        base, dot, attribute = name.partition(".")
        if dot and attribute in self.names.dotted.get(base, frozenset()):
            return local_symbol(attribute, End(base), component)
        raise self.unknown(name)

    def unknown(self, name: str) -> SpecError:
        """The error for a name that is not allowed here, with the reason where it is known."""
        base = name.partition(".")[0]
        for known in (name, base):
            if known in self.names.unavailable:
                reason = self.names.unavailable[known]
                problem = f"{quoted(name)}{self.within(name)} is not allowed: {reason}"
                return SpecError(problem, kind=FaultKind.NAME, word=name)
        if name in PUBLIC_FUNCTIONS or name in self.heads or name in REDUCTIONS:
            what = "law" if name in self.heads else "function"
            problem = f"'{name}'{self.within(name)} is a {what}"
            return SpecError(problem, remedy=f"Write {name}(...)", word=name)
        # A dotted name may be a module's (nn.ReLU), a bare one that of another program's law (he_normal).
        hint = nearest_word if name != base else nearest_function if self.heads else nearest
        return UnknownNameError(
            f"unknown name {quoted(name)}{self.within(name)}",
            remedy=hint(name, [*self.names.written, *self.heads, "pi"]),
            word=name,
        )

    def dotted(self, node: ast.Attribute) -> str:
        """``base.attribute``; longer chains are refused."""
        if not isinstance(node.value, ast.Name):
            raise self.refused(node)
        return f"{node.value.id}.{node.attr}"

    def subscript(self, node: ast.Subscript) -> sp.Expr:
        """``name[1]`` or ``name[1, 2]`` with literal integers."""
        value = node.value
        if not isinstance(value, ast.Name | ast.Attribute):
            raise self.refused(node)
        name = value.id if isinstance(value, ast.Name) else self.dotted(value)
        self.name(name)
        if name not in self.names.arrays | self.names.vectors:
            problem = f"{quoted(name)} in {self.text} has no components"
            raise SpecError(problem, remedy=f"Write {name}", kind=FaultKind.NAME, word=name)
        entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        numbers = []
        for entry in entries:
            number = entry.value if isinstance(entry, ast.Constant) else None
            if isinstance(number, bool) or not isinstance(number, int) or number >= 10**9:
                raise SpecError(
                    f"a subscript in {self.text} is not a whole number",
                    remedy=f"Components are numbered from 0: {name}[0]",
                )
            numbers.append(number)
        if not numbers:
            raise self.refused(node)
        return self.name(name, tuple(numbers))

    def sign(self, node: ast.UnaryOp) -> sp.Expr:
        """``-e`` and ``+e``."""
        if isinstance(node.op, ast.USub):
            return -self.expression(node.operand)
        if isinstance(node.op, ast.UAdd):
            return self.expression(node.operand)
        raise self.refused(node)

    def binary(self, node: ast.BinOp) -> sp.Expr:
        """``+ - * /`` and ``**``."""
        if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
            raise self.refused(node)
        left, right = self.expression(node.left), self.expression(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Pow):
            return self.power(left, right)
        if right == 0:
            raise SpecError(f"{self.text} divides by 0")
        return left / right

    def power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        """``base ** exponent``, never computed before it is known to be small."""
        if exponent.is_Rational:
            if abs(exponent) > MAX_EXPONENT:
                raise self.large_power(exponent)
            if base == 0 and exponent <= 0:
                raise SpecError(f"{self.text} divides by 0")
            if base.is_Rational and base < 0 and exponent.q != 1:
                raise SpecError(f"{self.text} takes a root of a negative number")
            return base**exponent
        if base.is_Rational and base > 0:
            # b^e = exp(e log b): the derivative with respect to e stays inside the closed table.
            return call("exp", exponent * call("log", base))
        raise SpecError(
            f"a power in {self.text} has an exponent that is not a number",
            remedy="Write exp(exponent * log(base)), which says where it is defined",
        )

    def function(self, node: ast.Call) -> sp.Expr:
        """A function of the closed table, or a reduction along an axis of the layer."""
        if isinstance(node.func, ast.Attribute) and wish(ast.unparse(node.func)):  # nn.relu(h)
            raise self.unknown_function(ast.unparse(node.func), PUBLIC_FUNCTIONS)
        if not isinstance(node.func, ast.Name):
            raise self.refused(node)
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.refused(node)
        name, arguments = node.func.id, node.args
        if name in REDUCTIONS and self.is_reduction(name, arguments):
            return self.reduction(name, arguments)
        if name in self.heads:
            raise SpecError(
                f"{name}(...) in {self.text} is a law, and a law stands alone",
                remedy="Change its arguments instead: for 2 * normal(0, 1) write normal(0, 2)",
            )
        if name not in PUBLIC_FUNCTIONS:
            allowed = {*PUBLIC_FUNCTIONS, *self.heads, *(REDUCTIONS if self.names.reductions else ())}
            raise self.unknown_function(name, allowed)
        arity = FUNCTIONS[name].arity
        if len(arguments) != arity:
            raise SpecError(
                f"{name} takes {arity} argument{'s' * (arity != 1)}, but has {len(arguments)} in {self.text}",
                remedy=f"Write {name}({', '.join('abc'[:arity])})",
            )
        return self.finite(call(name, *(self.expression(argument) for argument in arguments)))

    def unknown_function(self, name: str, allowed: Iterable[str]) -> SpecError:
        """The error for a function that is not in the closed table."""
        remedy = nearest_function(name, allowed)
        return SpecError(f"unknown function {quoted(name)} in {self.text}", remedy=remedy, word=name)

    def is_reduction(self, name: str, arguments: list[ast.expr]) -> bool:
        """Whether ``name(arguments)`` runs along an axis (``max(a, b)`` of two expressions does not)."""
        if name != "max" or len(arguments) != 2:
            return True
        axes = ("positions", "steps", NEURONS)
        return isinstance(arguments[1], ast.Name) and arguments[1].id in axes

    def reduction(self, name: str, arguments: list[ast.expr]) -> sp.Expr:
        """``mean(e)`` over the layer's neurons, or ``name(e, axis)`` along a finite axis."""
        axes = self.names.reductions
        if not axes and not self.names.unavailable.keys() & {NEURONS}:
            raise SpecError(
                f"{name}(...) over an axis in {self.text} is not allowed here",
                remedy="Averages over neurons or positions stand in an activation, where the layer has them",
            )
        if len(arguments) not in (1, 2):
            raise SpecError(f"{name} takes an expression and an axis in {self.text}")
        axis = NEURONS
        if len(arguments) == 2:
            axis = arguments[1].id if isinstance(arguments[1], ast.Name) else ast.unparse(arguments[1])
        if axis in self.names.unavailable:
            reason = self.names.unavailable[axis]
            problem = f"{name} over {axis} in {self.text} is not allowed: {reason}"
            raise SpecError(problem, kind=FaultKind.NAME, word=axis)
        if axis not in axes:
            problem = f"unknown axis {quoted(axis)} in {self.text}"
            raise SpecError(problem, remedy=nearest(axis, axes), kind=FaultKind.NAME, word=axis)
        if axis == NEURONS and name != "mean":
            raise SpecError(
                f"{name} over neurons in {self.text} is not allowed: only averages over neurons have a limit",
                remedy=f"Write mean(...), or {name}(..., positions)",
            )
        return AxisReduction(sp.Symbol(name), self.expression(arguments[0]), sp.Symbol(axis))
