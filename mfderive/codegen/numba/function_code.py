"""How each function of the closed table looks in generated code.

``scalar`` is code for one number inside a compiled loop, in the precision of its argument; ``helper`` names
the function of :mod:`.runtime.scalar_functions` that it calls. ``array`` is numpy code in the form that the
table's own ``real`` has, used for laws and rates. Kinks follow the conventions of
:mod:`mfderive.algebra.functions`, and nothing overflows where the function itself is finite.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...algebra.functions import SELU_LEFT, SELU_SCALE


@dataclass(frozen=True)
class FunctionCode:
    """One row: templates with {0}, {1} for the arguments, and the helper that ``scalar`` calls ("": none)."""

    scalar: str
    array: str
    helper: str = ""


def _helper(name: str, arity: int, array: str) -> FunctionCode:
    holes = ", ".join(f"{{{k}}}" for k in range(arity))
    return FunctionCode(f"{name}({holes})", array, name)


def _numpy(name: str) -> FunctionCode:
    return FunctionCode(f"np.{name}({{0}})", f"np.{name}({{0}})")


CODE: dict[str, FunctionCode] = {
    "exp": _helper("exp", 1, "np.exp({0})"),
    "log": _numpy("log"),
    "sqrt": _numpy("sqrt"),
    "sin": _numpy("sin"),
    "cos": _numpy("cos"),
    "tanh": _helper("tanh", 1, "np.tanh({0})"),
    "abs": FunctionCode("abs({0})", "np.abs({0})"),
    "erf": _helper("erf", 1, "special.erf({0})"),
    "gauss": _helper("gauss", 1, "(np.exp(-({0}) * ({0})) / np.sqrt(np.pi))"),
    "sigmoid": _helper("sigmoid", 1, "special.expit({0})"),
    "softplus": _helper("softplus", 1, "np.logaddexp(0.0, {0})"),
    "normal_cdf": _helper("normal_cdf", 1, "special.ndtr({0})"),
    "normal_pdf": _helper("normal_pdf", 1, "(np.exp(-0.5 * ({0}) * ({0})) / np.sqrt(2 * np.pi))"),
    "gelu": _helper("gelu", 1, "(({0}) * special.ndtr({0}))"),
    "silu": _helper("silu", 1, "(({0}) * special.expit({0}))"),
    "relu": _helper("relu", 1, "np.where(({0}) <= 0, 0.0, {0})"),
    "step": _helper("unit_step", 1, "np.where(({0}) > 0, 1.0, 0.0)"),
    "heaviside": _helper("heaviside", 1, "np.where(({0}) > 0, 1.0, 0.0)"),
    "leaky_relu": _helper("leaky_relu", 1, "np.where(({0}) > 0, {0}, 0.01 * ({0}))"),
    "elu": _helper("elu", 1, "np.where(({0}) > 0, {0}, np.expm1(np.minimum({0}, 0.0)))"),
    "elu_slope": _helper("elu_slope", 1, "np.exp(np.minimum({0}, 0.0))"),
    "selu": _helper(
        "selu",
        1,
        f"np.where(({{0}}) > 0, {SELU_SCALE} * ({{0}}), {SELU_LEFT} * np.expm1(np.minimum({{0}}, 0.0)))",
    ),
    "selu_slope": _helper(
        "selu_slope", 1, f"np.where(({{0}}) > 0, {SELU_SCALE}, {SELU_LEFT} * np.exp(np.minimum({{0}}, 0.0)))"
    ),
    "sign": _helper("sign", 1, "np.sign({0})"),
    "max": _helper("larger", 2, "np.where(({0}) >= ({1}), {0}, {1})"),
    "min": _helper("smaller", 2, "np.where(({1}) >= ({0}), {0}, {1})"),
    "not_less": _helper("not_less", 2, "np.where(({0}) >= ({1}), 1.0, 0.0)"),
    "clip": _helper("clip", 2, "np.clip({0}, -({1}), {1})"),
    "huber": _helper(
        "huber", 2, "np.where(np.abs({0}) <= ({1}), 0.5 * ({0}) * ({0}), ({1}) * (np.abs({0}) - 0.5 * ({1})))"
    ),
}
