"""What random specs are made of: functions, operations, laws, rates, losses.

Two vocabularies. The smooth one has all functions, numbers are normal, and no kink is met but at exact
zeros. The coarse one keeps every value a short binary fraction, so that sums are exact in any order,
pre-activations are exactly 0 and maxima tie, and every computation must take the same side.
"""

from dataclasses import dataclass

# {a}: a scalar of the source's neuron, {b}: one of the target's; an entry is used where both exist.
_NAMES = """
tanh relu gelu leaky_relu elu selu abs sin cos erf sigmoid softplus silu sign heaviside exp
"""
FUNCTIONS = tuple(_NAMES.split())
INNER = (
    *(f"{name}({{0}})" for name in FUNCTIONS if name != "exp"),
    "exp(-({0})**2)",
    "exp(tanh({0}))",
    "log(1 + ({0})**2)",
    "sqrt(0.2 + ({0})**2)",
    "huber({0}, 0.5)",
    "({0})**2",
    "({0})**3 / 5",
    "1 / (1 + ({0})**2)",
)
PAIRS = (
    "({0} + {1})",
    "({0} - 0.5 * {1})",
    "{0} * {1}",
    "max({0}, {1})",
    "min({0}, {1})",
    "({0}) / (1 + ({1})**2)",
    "huber({0}, 0.3 + ({1})**2)",
)


@dataclass(frozen=True)
class Vocabulary:
    """The words of one family of random specs."""

    functions: tuple[str, ...]
    inner: tuple[str, ...]
    pairs: tuple[str, ...]
    numbers: tuple[str, ...]
    weighted: tuple[str, ...]  # operations with w
    plain: tuple[str, ...]  # operations without w
    laws: tuple[str, ...]
    linked: tuple[str, ...]  # laws that name an end
    rates: tuple[object, ...]
    losses: tuple[str, ...]


SMOOTH = Vocabulary(
    functions=FUNCTIONS,
    inner=INNER,
    pairs=PAIRS,
    numbers=("0.5", "-0.3", "2", "pi / 4", "1 / 3"),
    weighted=(
        "tanh(w * u)",
        "w * tanh(u)",
        "sin(w) * u",
        "w * h",
        "w * u + 0.3 * w**2",
        "u * w**2",
        "erf(w + u)",
        "softplus(w * u)",
        "relu(w * u)",
        "max(w, u)",
        "huber(w - u, 0.5)",
        "w * u * exp(-h**2)",
        "sigmoid(w) * tanh(u) + 0.1 * u",
        "{a} * w * u",
        "{b} * w * u",
        "tanh(w * u + {b})",
        "w * u + {a} * {b}",
        "sin({a} * w) * u",
    ),
    plain=(
        "u",
        "h",
        "tanh(u)",
        "0.5 * u",
        "u * h",
        "{a} * u",
        "{b} * u",
        "abs(u - {b})",
        "{b} * tanh({a} * u)",
    ),
    laws=(
        "normal(0.4, 1)",
        "normal(0, 0.7)",
        "normal(0, 1 / sqrt(d))",
        "uniform(-1, 1.5)",
        "rademacher(0.7)",
        "0.4",
        "normal(1, 0)",
    ),
    linked=(
        "normal(0.3 * {a} + 0.2, 0.1)",
        "normal({b}, 0.1 + 0.1 * {b}**2)",
        "0.5 * {a} * {b}",
        "uniform({b} - 1, {b} + 1)",
        "rademacher(tanh({a}))",
        "tanh({a})",
    ),
    rates=(0.5, 0, 2, "1 / (1 + t)", "exp(-t)", "0.5 + t**2"),
    losses=(
        "(yhat - y)**4 / 4",
        "log(1 + (yhat - y)**2)",
        "softplus(-y * yhat)",
        "abs(yhat - y)",
        "(yhat[0] - y[0])**2",
        "0.1 * yhat[0] * yhat + (yhat - y)**2",
        "(yhat - y)**2 * exp(-y[0]**2)",
    ),
)

COARSE = Vocabulary(
    functions=("relu", "abs", "sign", "heaviside"),
    inner=(
        "relu({0})",
        "abs({0})",
        "sign({0})",
        "heaviside({0})",
        "huber({0}, 0.5)",
        "({0})**2",
        "max({0}, 0)",
        "min({0}, 0.5)",
    ),
    pairs=("({0} + {1})", "({0} - 0.5 * {1})", "{0} * {1}", "max({0}, {1})", "min({0}, {1})"),
    numbers=("0.5", "1", "-1", "0"),
    weighted=(
        "relu(w * u)",
        "max(w, u)",
        "min(w, u)",
        "abs(w) * u",
        "w * h",
        "huber(w - u, 0.5)",
        "{b} * w * u",
        "max({a}, w * u)",
    ),
    plain=("u", "h", "0.5 * u", "{a} * u", "{b} * u", "max(u, {b})", "abs(u - {b})"),
    laws=("rademacher(0.5)", "rademacher(1)", "0.5", "0"),
    linked=("0.5 * {a}", "rademacher(0.5) ", "{b}"),
    rates=(0.5, 0, 2, "1 / (1 + t)"),
    losses=("abs(yhat - y)", "max(yhat, y)", "(yhat[0] - y[0])**2", "relu(1 - y * yhat)"),
)

# Functions of the coarse vocabulary whose values are no short binary fractions: allowed only last
# and under a smooth loss.
INEXACT = ("leaky_relu", "elu", "selu")
