"""How each function of the closed table looks in generated code.

``scalar`` is code for one number inside a compiled loop, in the precision of its argument; a row with a
``source`` needs that helper function in the file. ``array`` is numpy code in the form that the table's own
``real`` has, used for laws and rates. Kinks follow the conventions of :mod:`mfderive.algebra.functions`,
and nothing overflows where the function itself is finite.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FunctionCode:
    """One row: templates with {0}, {1} for the arguments, helper source, and the helpers it calls."""

    scalar: str
    array: str
    source: str = ""
    needs: tuple[str, ...] = ()


def _helper(
    name: str, arguments: str, array: str, doc: str, *body: str, needs: tuple[str, ...] = ()
) -> FunctionCode:
    lines = [f"def {name}({arguments}):", f'    """{doc}"""', *(f"    {line}" for line in body)]
    holes = ", ".join(f"{{{k}}}" for k in range(len(arguments.split(","))))
    return FunctionCode(f"{name}({holes})", array, "@compiled\n" + "\n".join(lines) + "\n", needs)


def _numpy(name: str) -> FunctionCode:
    return FunctionCode(f"np.{name}({{0}})", f"np.{name}({{0}})")


CODE: dict[str, FunctionCode] = {
    "exp": _numpy("exp"),
    "log": _numpy("log"),
    "sqrt": _numpy("sqrt"),
    "sin": _numpy("sin"),
    "cos": _numpy("cos"),
    "tanh": _numpy("tanh"),
    "abs": FunctionCode("abs({0})", "np.abs({0})"),
    "erf": _helper("erf", "x", "special.erf({0})", "The error function.", "return type(x)(math.erf(x))"),
    "gauss": _helper(
        "gauss",
        "x",
        "(np.exp(-({0}) * ({0})) / np.sqrt(np.pi))",
        "exp(-x^2) / sqrt(pi), half the slope of erf.",
        "return type(x)(0.5641895835477563) * np.exp(-x * x)",
    ),
    "sigmoid": _helper(
        "sigmoid",
        "x",
        "special.expit({0})",
        "1 / (1 + exp(-x)) without overflow.",
        "one = type(x)(1)",
        "if x >= 0:",
        "    return one / (one + np.exp(-x))",
        "small = np.exp(x)",
        "return small / (one + small)",
    ),
    "softplus": _helper(
        "softplus",
        "x",
        "np.logaddexp(0.0, {0})",
        "log(1 + exp(x)) without overflow.",
        "rest = np.log1p(np.exp(-abs(x)))",
        "return x + rest if x > 0 else rest",
    ),
    "normal_cdf": _helper(
        "normal_cdf",
        "x",
        "special.ndtr({0})",
        "The standard normal distribution function.",
        "real = type(x)",
        "return real(0.5) * real(math.erfc(-x * real(0.7071067811865476)))",
    ),
    "normal_pdf": _helper(
        "normal_pdf",
        "x",
        "(np.exp(-0.5 * ({0}) * ({0})) / np.sqrt(2 * np.pi))",
        "The standard normal density.",
        "real = type(x)",
        "return real(0.3989422804014327) * np.exp(-real(0.5) * x * x)",
    ),
    "gelu": _helper(
        "gelu",
        "x",
        "(({0}) * special.ndtr({0}))",
        "x times the standard normal distribution function.",
        "return x * normal_cdf(x)",
        needs=("normal_cdf",),
    ),
    "silu": _helper(
        "silu",
        "x",
        "(({0}) * special.expit({0}))",
        "x sigmoid(x).",
        "return x * sigmoid(x)",
        needs=("sigmoid",),
    ),
    "relu": _helper(
        "relu",
        "x",
        "np.where(({0}) <= 0, 0.0, {0})",
        "x where x > 0, else 0.",
        "return type(x)(0) if x <= 0 else x",
    ),
    "step": _helper(
        "unit_step",
        "x",
        "np.where(({0}) > 0, 1.0, 0.0)",
        "1 where x > 0, else 0: the slope of relu, 0 at 0.",
        "return type(x)(1) if x > 0 else type(x)(0)",
    ),
    "heaviside": _helper(
        "heaviside",
        "x",
        "np.where(({0}) > 0, 1.0, 0.0)",
        "1 where x > 0, else 0.",
        "return type(x)(1) if x > 0 else type(x)(0)",
    ),
    "leaky_relu": _helper(
        "leaky_relu",
        "x",
        "np.where(({0}) > 0, {0}, 0.01 * ({0}))",
        "x where x > 0, else x / 100.",
        "return x if x > 0 else type(x)(0.01) * x",
    ),
    "elu": _helper(
        "elu",
        "x",
        "np.where(({0}) > 0, {0}, np.expm1(np.minimum({0}, 0.0)))",
        "x where x > 0, else exp(x) - 1.",
        "return x if x > 0 else np.expm1(x)",
    ),
    "elu_slope": _helper(
        "elu_slope",
        "x",
        "np.exp(np.minimum({0}, 0.0))",
        "exp(min(x, 0)): the slope of elu on the left, 1 on the right.",
        "return type(x)(1) if x > 0 else np.exp(x)",
    ),
    "sign": _helper(
        "sign",
        "x",
        "np.sign({0})",
        "-1, 0 or 1.",
        "if x > 0:",
        "    return type(x)(1)",
        "return type(x)(-1) if x < 0 else x",
    ),
    "max": _helper(
        "larger",
        "a, b",
        "np.where(({0}) >= ({1}), {0}, {1})",
        "The larger; a tie gives a.",
        "return a if a >= b else b",
    ),
    "min": _helper(
        "smaller",
        "a, b",
        "np.where(({1}) >= ({0}), {0}, {1})",
        "The smaller; a tie gives a.",
        "return a if b >= a else b",
    ),
    "not_less": _helper(
        "not_less",
        "a, b",
        "np.where(({0}) >= ({1}), 1.0, 0.0)",
        "1 where a >= b, else 0.",
        "return type(a)(1) if a >= b else type(a)(0)",
    ),
    "clip": _helper(
        "clip",
        "r, delta",
        "np.clip({0}, -({1}), {1})",
        "r cut to [-delta, delta].",
        "if r > delta:",
        "    return delta",
        "return -delta if r < -delta else r",
    ),
    "huber": _helper(
        "huber",
        "r, delta",
        "np.where(np.abs({0}) <= ({1}), 0.5 * ({0}) * ({0}), ({1}) * (np.abs({0}) - 0.5 * ({1})))",
        "r^2 / 2 inside [-delta, delta], delta (|r| - delta / 2) outside.",
        "half = type(r)(0.5)",
        "if abs(r) <= delta:",
        "    return half * r * r",
        "return delta * (abs(r) - half * delta)",
    ),
}


def helpers(used: set[str]) -> list[str]:
    """Sources of the helper functions that ``used`` functions need, callees first, in table order."""
    wanted = set(used)
    for name in used:
        wanted.update(CODE[name].needs)
    return [row.source for name, row in CODE.items() if name in wanted and row.source]
