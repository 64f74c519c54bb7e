"""The expression parser: what it reads, what it refuses, and that nothing makes it run code or wait."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mfderive.algebra.functions import FUNCTIONS, PUBLIC_FUNCTIONS, call
from mfderive.algebra.laws import End
from mfderive.algebra.local_symbols import LocalSymbol
from mfderive.algebra.parser import AxisReduction, Names, constant_value, parse_call, parse_expression
from mfderive.errors import SpecError
from tests.effort import calls

h, gain, t = sp.symbols("h gain t")
NAMES = Names(
    plain=frozenset({"h", "gain", "t", "y", "yhat"}),
    dotted={"source": frozenset({"w", "b"}), "target": frozenset({"b"})},
    arrays=frozenset({"y", "yhat"}),
    vectors=frozenset({"source.w"}),
    reductions=frozenset({"neurons", "positions"}),
)
READS = {
    "h": h,
    "  h\n + gain ": h + gain,
    "0.1": sp.Rational(1, 10),
    "1e-3 * h": h / 1000,
    "-h ** 2": -(h**2),
    "+h": h,
    "2 / 32": sp.Rational(1, 16),
    "h ** -0.5": h ** sp.Rational(-1, 2),
    "gain * tanh(h + 0.5)": gain * call("tanh", h + sp.Rational(1, 2)),
    "max(h, 0)": call("max", h, sp.Integer(0)),
    "sqrt(pi)": call("sqrt", sp.pi),
    "source.b * target.b": LocalSymbol("b", End.SOURCE) * LocalSymbol("b", End.TARGET),
    "source.w[1]": LocalSymbol("w", End.SOURCE, (1,)),
    "source.w[1, 2]": LocalSymbol("w", End.SOURCE, (1, 2)),
    "y[0] - yhat[0]": LocalSymbol("y", component=(0,)) - LocalSymbol("yhat", component=(0,)),
    "mean(h)": AxisReduction(sp.Symbol("mean"), h, sp.Symbol("neurons")),
    "max(h, positions)": AxisReduction(sp.Symbol("max"), h, sp.Symbol("positions")),
    "softmax(h, positions)": AxisReduction(sp.Symbol("softmax"), h, sp.Symbol("positions")),
    "0.99 ** t": call("exp", t * call("log", sp.Rational(99, 100))),
}


@pytest.mark.parametrize("text", READS)
def test_reads(text: str) -> None:
    assert parse_expression(text, NAMES) == READS[text]


@pytest.mark.parametrize("name", PUBLIC_FUNCTIONS)
def test_every_public_function_can_be_written(name: str) -> None:
    arguments = [h, gain][: FUNCTIONS[name].arity]
    text = f"{name}({', '.join(map(str, arguments))})"
    assert parse_expression(text, NAMES) == call(name, *arguments)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in PUBLIC_FUNCTIONS])
def test_functions_that_arise_as_derivatives_cannot_be_written(name: str) -> None:
    with pytest.raises(SpecError, match="unknown function"):
        parse_expression(f"{name}({', '.join('h' * FUNCTIONS[name].arity)})", NAMES)


REFUSES = {
    "": "empty",
    "   ": "empty",
    "tahn(h)": "Did you mean 'tanh'",
    "gian * h": "Did you mean 'gain'",
    "source.c": "unknown name 'source.c'",
    "source": "unknown name 'source'",
    "source.w": "is a vector",
    "source.w[-1]": "not a whole number",
    "source.w[h]": "not a whole number",
    "source.w[True]": "not a whole number",
    "source.w[0][1]": "not allowed",
    "h[0]": "no components",
    "h.real": "unknown name",
    "h.a.b": "not allowed",
    "tanh": "is a function",
    "tanh(h, h)": "takes 1 argument",
    "max(h)": "over neurons",
    "sum(h)": "over neurons",
    "mean(h, steps)": "unknown axis 'steps'",
    "mean(h, 1)": "unknown axis",
    "mean()": "takes an expression and an axis",
    "h(h)": "unknown function 'h'",
    "(h)(h)": "unknown function 'h'",
    "tanh(h)(h)": "not allowed",
    "9**9**9": "too large",
    "((9**9)**9)**9": "too large",
    "((((2*h)**64)**64)**64)**64": "too large",
    "h ** 65": "Exponents may lie between",
    "(h ** 60) ** 60": "Exponents may lie between",
    "h ** 30 * h ** 40": "too large",
    "10 ** 41": "too large",
    "1e999": "not finite",
    "1e300": "too large",
    "1e-300": "too close to 0",
    "9" * 3000: "too large",
    "1 / 0": "divides by 0",
    "1 / (h - h)": "divides by 0",
    "0 ** -1": "divides by 0",
    "(-1) ** 0.5": "root of a negative",
    "log(-1) * h": "not a finite number",
    "h / sqrt(0)": "not a finite number",
    "h + sqrt(-2)": "not a finite number",
    "exp(90) ** 64 * h": "not a finite number",
    "h ** t": "exponent that is not a number",
    "h ^ 2": r"powers are written \*\*",
    "h # comment": "has no meaning",
    "h == 1": "has no meaning.*heaviside",
    "'h'": "has no meaning",
    "lambda: h": "has no meaning",
    "h; h": "has no meaning",
    "ｈ": "has no meaning",
    "h if t else gain": "is a case.*heaviside",
    "h and t": "is a case.*heaviside",
    "not h": "not allowed",
    "h // 2": "not allowed",
    "[h, t]": "not allowed",
    "(h, t)": "not allowed",
    "tanh(*h)": "not allowed",
    "True": "not allowed",
    "None": "not allowed",
    "...": "not allowed",
    "1j": "not allowed",
    "h h": "not an expression",
    "h +": "not an expression",
    "((h)": "not an expression",
    "__import__(h)": "unknown function",
    "open(h)": "unknown function",
    "exec(h)": "unknown function",
    "().__class__.__bases__": "not allowed",
    "h.__class__": "unknown name",
    "__builtins__": "unknown name",
    "normal(0, 1)": "unknown function 'normal'",
}


@pytest.mark.parametrize("text", REFUSES)
def test_refuses(text: str) -> None:
    with pytest.raises(SpecError, match=REFUSES[text]):
        parse_expression(text, NAMES)


BOMBS = {
    "brackets": "(" * 10_000 + "h" + ")" * 10_000,
    "short brackets": "(" * 1_500 + "h" + ")" * 1_500,
    "calls": "tanh(" * 500 + "h" + ")" * 500,
    "signs": "-" * 3_900 + "h",
    "powers": "**".join(["9"] * 1_000),
    "sum": "+".join(["h"] * 1_900),
    "products": "*".join(["9" * 40] * 60),
    "decimals": "*".join(["0.1234567890123"] * 150),
    "long": "h + " * 100_000 + "h",
    "subscript": "source.w[" + "1," * 1_900 + "1]",
    "nested powers": "(" * 45 + "h" + "**9)" * 45,
    "tower of exponentials": "h * " + "exp(" * 6 + "9" + ")" * 6,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(name: str) -> None:
    """One clear message in 200,000 calls, a tenth of a second, without RecursionError."""
    said: list[str] = []

    def refused() -> None:
        with pytest.raises(SpecError) as caught:
            parse_expression(BOMBS[name], NAMES)
        said.append(str(caught.value))

    assert calls(refused) < 200_000
    assert len(said[0]) < 600


def test_reductions_only_where_allowed() -> None:
    with pytest.raises(SpecError, match="stand in an activation"):
        parse_expression("mean(h)", Names(plain=frozenset({"h"})))


def test_unavailable_names_give_their_reason() -> None:
    names = Names(plain=frozenset({"h"}), unavailable={"w": "a skip has no weight"})
    with pytest.raises(SpecError, match="a skip has no weight"):
        parse_expression("w * h", names)


def test_long_fractions_are_rounded_to_doubles() -> None:
    """Exact fractions would grow without bound; beyond 60 digits the nearest double stands for them."""
    value = parse_expression("*".join(["1.234567890123"] * 8), NAMES)
    assert float(value) == pytest.approx(1.234567890123**8, rel=1e-14)
    assert value.q < 10**60


@pytest.mark.parametrize(
    ("text", "head", "count"), [("normal(0, h)", "normal", 2), ("2 * h", None, 1), ("tanh(h)", None, 1)]
)
def test_calls(text: str, head: str | None, count: int) -> None:
    found, arguments = parse_call(text, {"normal": ("mean", "deviation")}, NAMES)
    assert (found, len(arguments)) == (head, count)


def test_calls_refuse() -> None:
    with pytest.raises(SpecError, match="takes 2 arguments"):
        parse_call("normal(1)", {"normal": ("mean", "deviation")}, NAMES)
    with pytest.raises(SpecError, match="stands alone"):
        parse_call("2 * normal(0, 1)", {"normal": ("mean", "deviation")}, NAMES)
    with pytest.raises(SpecError, match="Did you mean 'normal'"):
        parse_call("norml(0, 1)", {"normal": ("mean", "deviation")}, NAMES)


def test_constant_values() -> None:
    assert constant_value(parse_expression("sqrt(2/32) + 2**0.5 * pi", NAMES)) == pytest.approx(
        0.25 + math.sqrt(2) * math.pi, rel=1e-14
    )
    assert math.isnan(constant_value(call("log", sp.Integer(-1))) or 0.0)
    assert constant_value(h + 1) is None


# --- random expressions -------------------------------------------------------------------------------

_LEAVES = st.sampled_from(["h", "gain", "t", "0.5", "2", "3", "pi"])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda e: f"({e[0]} {e[1]} {e[2]})")
    unary = st.tuples(st.sampled_from(["tanh", "sin", "sigmoid", "abs", "relu", "erf"]), inner)
    power = st.tuples(inner, st.sampled_from(["2", "3"])).map(lambda e: f"{e[0]} ** {e[1]}")
    return binary | unary.map(lambda e: f"{e[0]}({e[1]})") | inner.map(lambda e: f"-({e})") | power


@settings(max_examples=80, deadline=None)
@given(st.recursive(_LEAVES, _grow, max_leaves=8))
def test_values_agree_with_python(text: str) -> None:
    """The tree has the value that Python's own evaluation of the (here harmless) text has.

    Tolerance: at most 8 leaves and about as many functions, each of relative error 2e-16 and amplified at
    most by the value's own magnitude, which is bounded by leaving out what exceeds 1e3 on the way.
    """
    point = {"h": 0.37, "gain": -1.21, "t": 0.83}
    functions = {name: FUNCTIONS[name].real for name in PUBLIC_FUNCTIONS}
    try:
        expected = float(eval(text, {"__builtins__": {}}, {**functions, **point, "pi": math.pi}))
    except OverflowError:
        return
    if not abs(expected) < 1e3:
        return
    try:
        tree = parse_expression(text, NAMES)
    except SpecError as error:
        assert "too large" in str(error)
        return
    value = constant_value(tree.xreplace({sp.Symbol(k): sp.Rational(str(v)) for k, v in point.items()}))
    assert value is not None
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("hgt019.,+-*/()[] ^'_:#\n") | st.characters(), max_size=60))
def test_any_text_gives_an_expression_or_one_message(text: str) -> None:
    try:
        tree = parse_expression(text, NAMES)
    except SpecError as error:
        assert str(error)
        return
    allowed = {sp.Symbol(name) for name in (*NAMES.plain, "mean", "sum", "max", "neurons", "positions")}
    extra = {s for s in tree.free_symbols - allowed if "." not in s.name and "[" not in s.name}
    assert not extra


_SOUP = """h t ( ) [ ] ** * / + - , 9 0 0.1 1e9 tanh( max( mean( source.w[ y[ lambda if else for in not .
__class__ eval( 1e40 64"""
_WORDS = st.sampled_from(_SOUP.split())


@settings(max_examples=200, deadline=2000)
@given(st.lists(_WORDS, max_size=40).map(" ".join))
def test_token_soup_is_answered_quickly(text: str) -> None:
    try:
        parse_expression(text, NAMES)
    except SpecError as error:
        assert str(error)
