"""Scalar code of every function of the closed table: values, kinks, overflow, precision."""

import mpmath
import numpy as np
import pytest
from numba import njit
from scipy import special

from mfderive.algebra.functions import FUNCTIONS
from mfderive.codegen.numba.function_code import CODE
from mfderive.codegen.numba.splice import part, with_callees

# Ties, both signs, and far out where a careless formula overflows (exp itself is left inside its range).
POINTS = [-80.0, -3.3, -1.0, -1e-3, -0.0, 0.0, 1e-3, 0.5, 1.0, 2.7, 80.0]
FAR = [-1e4, 1e4]
UNBOUNDED = {"exp"}
POSITIVE = {"log", "sqrt"}


def build(name, compiled):
    """The scalar function of a row, from the source that goes into a solver."""
    names = {"np": np, "special": special, "Real": float}
    names |= {"compiled": compiled, "compiled_in_order": compiled}
    arguments = ["a", "b"][: FUNCTIONS[name].arity]
    helper = CODE[name].helper
    source = "\n".join(with_callees(part("scalar_functions"), [helper] if helper else []))
    source += f"\n@compiled\ndef scalar({', '.join(arguments)}):\n"
    source += f"    return {CODE[name].scalar.format(*arguments)}\n"
    exec(source, names)
    return names["scalar"]


def pairs(name):
    points = (
        [p for p in POINTS if p > 0] if name in POSITIVE else POINTS + (FAR if name not in UNBOUNDED else [])
    )
    if FUNCTIONS[name].arity == 1:
        return [(a,) for a in points]
    if name in ("huber", "clip"):
        return [(a, delta) for a in points for delta in (1.0, 0.5)]
    return [(a, b) for a in points for b in points]


def test_every_function_has_code():
    """The two tables have the same rows."""
    assert set(CODE) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scalar_code_is_the_table(name):
    """Plain Python and array forms give the table's values; both are a few roundings of exp or erf away."""
    scalar = build(name, lambda function: function)
    for arguments in pairs(name):
        expected = float(FUNCTIONS[name].real(*map(np.float64, arguments)))
        got = float(scalar(*map(np.float64, arguments)))
        assert got == pytest.approx(expected, rel=1e-14, abs=1e-300), arguments
        code = CODE[name].array.format(*(f"np.float64({a!r})" for a in arguments))
        assert float(eval(code, {"np": np, "special": special})) == expected, arguments


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_code_keeps_single_precision(name):
    """Compiled for float32 the result is float32, right to float32's rounding, and no double appears.

    Functions made of exponentials are the exception: in float64 they serve both precisions.
    """
    scalar = build(name, njit(error_model="numpy"))
    for arguments in pairs(name):
        single = [np.float32(a) for a in arguments]
        with np.errstate(all="ignore"):
            expected = float(FUNCTIONS[name].real(*map(np.float64, single)))
        got = scalar(*single)
        limit = (
            8
            * float(np.finfo(np.float32).eps)
            * max(1.0, abs(arguments[0]) if name in ("sin", "cos") else 1.0)
        )
        # exp(-x^2) carries the rounding of its argument, x^2 eps, into the result.
        limit *= max(1.0, min(arguments[0] ** 2, 80.0))
        smallest = float(np.finfo(np.float32).tiny)
        assert float(got) == pytest.approx(expected, rel=limit, abs=max(smallest, limit * 1e-6)) or (
            abs(expected) > np.finfo(np.float32).max and np.isinf(got)
        ), arguments
    functions = part("scalar_functions").functions
    if CODE[name].helper in functions and "compiled_in_order" in functions[CODE[name].helper].source:
        return
    (signature,) = scalar.signatures
    assert str(scalar.overloads[signature].signature.return_type) == "float32"
    parts = scalar.inspect_llvm(signature).split("\ndefine ")[1:]
    loops = [part for part in parts if "PyFloat" not in part and "PyObject" not in part]
    doubles = [line for part in loops for line in part.splitlines() if "double" in line]
    assert loops and not doubles, doubles[:3]


EXACT = {
    "exp": mpmath.exp,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(-abs(x))) + max(x, 0),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "elu_slope": lambda x: mpmath.exp(min(x, 0)),
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
}


@pytest.mark.parametrize("name", EXACT)
def test_exponentials_to_the_last_digits(name):
    """Within 3 units in the last place of float64, by 40 digits; loops that run several numbers at once."""
    scalar = build(name, lambda function: njit(error_model="numpy", fastmath={"contract"})(function))

    @njit(fastmath={"contract", "reassoc"}, error_model="numpy")
    def loop(out, values):
        for i in range(values.shape[0]):
            out[i] = scalar(values[i])

    normal = np.random.default_rng(5).standard_normal(300)
    values = np.concatenate([scale * normal for scale in (1e-6, 0.1, 1.0, 8.0, 200.0)])
    got = np.empty_like(values)
    loop(got, values)
    with mpmath.workdps(40):
        exact = [EXACT[name](mpmath.mpf(float(x))) for x in values]
        off = [abs(float(mpmath.mpf(float(a)) - b)) for a, b in zip(got, exact, strict=True)]
    units = np.spacing(np.abs([float(b) for b in exact]))
    assert np.max(np.array(off) / units) < 3


def test_the_normal_distribution_has_its_small_values():
    """By 40 digits, down to 1e-300: within 8 units in the last place, as its density is."""
    scalar, density = (build(name, lambda function: function) for name in ("normal_cdf", "normal_pdf"))
    for x in np.concatenate([np.linspace(-37.0, 8.0, 91), np.random.default_rng(2).standard_normal(200)]):
        with mpmath.workdps(40):
            z = mpmath.mpf(float(x))
            for found, exact in ((scalar, mpmath.ncdf(z)), (density, mpmath.npdf(z))):
                off = abs(float((mpmath.mpf(float(found(np.float64(x)))) - exact) / exact))
                assert off < 8 * np.finfo(np.float64).eps, (x, off)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_exponentials_where_numbers_end(real):
    """nan stays nan; inf, signed zeros and arguments beyond all exponents give the limits."""
    make = njit(error_model="numpy")
    ends = [real(x) for x in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30)]
    inf = np.inf
    expected = {
        "exp": [np.nan, inf, 0, 1, 1, inf, 0],
        "tanh": [np.nan, 1, -1, 0, -0.0, 1, -1],
        "erf": [np.nan, 1, -1, 0, -0.0, 1, -1],
        "normal_cdf": [np.nan, 1, 0, 0.5, 0.5, 1, 0],
        "sigmoid": [np.nan, 1, 0, 0.5, 0.5, 1, 0],
        "softplus": [np.nan, inf, 0, real(np.log(2)), real(np.log(2)), real(1e30), 0],
        "elu": [np.nan, inf, -1, 0, -0.0, real(1e30), -1],
    }
    for name, values in expected.items():
        scalar = build(name, make)
        np.testing.assert_array_equal([scalar(x) for x in ends], np.array(values, real), err_msg=name)
    assert np.signbit(build("tanh", make)(real(-0.0)))
    # Below the least normal number values are those of float64, too.
    assert build("exp", make)(np.float64(-740.0)) == pytest.approx(4.2e-322, abs=5e-324)
