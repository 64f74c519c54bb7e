"""What a person should know of data before training: columns of very different size, far too large inputs.

The first pre-activations are judged by the second moments of the weights' laws: for independent entries of
mean m and variance v, E h^2 = v sum x_i^2 + m^2 (sum x_i)^2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..algebra.findings import Finding, FindingKind
from ..algebra.laws import Variable
from ..algebra.losses import Targets
from ..algebra.terms import AxisKind, Term
from ..errors import MfError
from ..network.data_keys import DATA_SIZES
from .columns import Inputs
from .labels import asked_targets

if TYPE_CHECKING:
    from ..algebra.system import ForwardSystem
    from ..network.network import Network

Array = Any

UNEVEN = 100.0  # deviations of columns that differ by more are said
TOO_LARGE = 5.0  # so many times what the law expects, and at least this in itself
_NAMED = 3  # columns that a finding names
_DRAWS = 4096  # entries by which the moments of a law are estimated
_ROWS = 2000  # samples by which those of the data are
_BYTE = 255


def uneven_columns(x: Array, inputs: Inputs | None) -> tuple[Finding, ...]:
    """Columns of numbers whose standard deviations differ by more than ``UNEVEN``; x [row, column]."""
    if x.ndim != 2 or len(x) < 2:
        return ()
    deviations = x.std(axis=0)
    moving = deviations > 1e-12 * np.abs(x).max(axis=0)
    if inputs is not None:
        moving &= inputs.is_number
    columns = np.flatnonzero(moving)
    if len(columns) < 2:
        return ()
    columns = columns[np.argsort(deviations[columns], kind="stable")]
    small, large = columns[0], columns[-1]
    if deviations[large] <= UNEVEN * deviations[small]:
        return ()
    names = _names(x.shape[1], inputs)
    top = [int(c) for c in columns[::-1][:_NAMED] if deviations[c] > UNEVEN * deviations[small]]
    low = [int(c) for c in columns[:_NAMED] if UNEVEN * deviations[c] < deviations[large]]
    return (
        Finding.of(
            FindingKind.UNEVEN_COLUMNS,
            *(names[c] for c in top),
            large=tuple((names[c], float(deviations[c])) for c in top),
            small=tuple((names[c], float(deviations[c])) for c in low),
            factor=float(deviations[large] / deviations[small]),
        ),
    )


def _names(count: int, inputs: Inputs | None) -> tuple[str, ...]:
    return inputs.names if inputs is not None else tuple(f"column {c + 1}" for c in range(count))


def size_keys(network: Network) -> tuple[str, ...]:
    """Keys of ``[data]`` that would bring inputs and targets to size 1, as far as they are not used yet.

    A law states its size in keys of its own; of files and arrays columns are scaled, and pixels have a range.
    """
    source, kind, options = network.source, network.data.kind, network.data.get
    facts = getattr(source, "facts", None)
    if facts is None:
        return ()
    if kind in DATA_SIZES:
        return () if facts.is_read else DATA_SIZES[kind]
    scaled = {"range", "scale"} & options.keys()
    inputs = () if scaled else ("range",) if facts.pixels is not None else ("scale",)
    numbers = asked_targets(network.loss) is Targets.NUMBERS and facts.classes is None
    own = numbers and options.get("y") != "x" and "scale_y" not in options
    return (*inputs, "scale_y") if own else inputs


def data_findings(network: Network) -> tuple[Finding, ...]:
    """All findings about the data of a resolved network: those of its facts, and too large inputs."""
    facts = getattr(network.source, "facts", None)
    return () if facts is None else (*facts.findings, *large_inputs(network))


def large_inputs(network: Network) -> tuple[Finding, ...]:
    """The first layer whose pre-activations are far larger than its law expects of inputs of size 1.

    Only a fixed sample that was read or given is looked at: a law of data states its own size.
    """
    from ..forward.equations import forward_system

    source = network.source
    if source.rows is None or not source.facts.is_read:
        return ()
    try:
        system = forward_system(network)
    except MfError:
        return ()  # whoever asks for the equations says why
    x = source.x[:_ROWS].reshape(min(len(source.x), _ROWS), -1)
    squares, means = float((x**2).mean()), x.mean(axis=1)
    for equation in system.forward:
        for term in equation.terms:
            moments = _product_moments(term, system)
            if moments is None:
                continue
            fan, mean, variance = moments
            expected = math.sqrt(fan * (variance + mean**2))
            got = math.sqrt(fan * variance * squares + mean**2 * float((fan**2 * means**2).mean()))
            if got > TOO_LARGE * max(expected, 1.0):
                return (_large(network, equation.field, expected, got, x),)
    return ()


def _product_moments(term: Term, system: ForwardSystem) -> tuple[int, float, float] | None:
    """For a sum of c * weight * x: number of summands, mean and variance of c * weight. None for others."""
    names = {access.field: symbol for symbol, access in term.accesses}
    weights = [variable for variable in system.parameters if variable.name in names]
    if set(names) != {"x", *(w.name for w in weights)} or len(weights) != 1 or not term.reduced:
        return None
    factor = term.expression / (names["x"] * names[weights[0].name])
    moments = _moments(weights[0], system)
    if not factor.is_number or moments is None:
        return None
    mean, variance = moments
    fan = math.prod(system.axis[index.axis].size or 1 for index in term.reduced)
    return fan, float(factor) * mean, float(factor) ** 2 * variance


def _moments(weight: Variable, system: ForwardSystem) -> tuple[float, float] | None:
    """Mean and variance of an entry of a weight; None where its law names other parameters."""
    if weight.law.references:
        return None
    row, arguments = weight.law.row, [np.float64(float(argument)) for argument in weight.law.arguments]
    sizes = [system.axis[axis].size for axis in weight.axes]
    neurons = max(1, _DRAWS // math.prod(size or 1 for size in sizes))
    shape = tuple(size if size is not None else neurons for size in sizes)
    neuron = next((p for p, a in enumerate(weight.axes) if system.axis[a].kind is AxisKind.POPULATION), 0)
    values = row.draw(np.random.default_rng(0), shape, neuron, *arguments)
    return float(weight.law.mean), float(np.mean((values - float(weight.law.mean)) ** 2))


def _large(network: Network, field: str, expected: float, got: float, x: Array) -> Finding:
    facts = network.source.facts
    share = (x**2).mean(axis=0)
    top = np.argsort(-share, kind="stable")[:_NAMED]
    names = _names(x.shape[1], facts.inputs)
    low, high = float(x.min()), float(x.max())
    pixels = facts.pixels is not None or (low >= 0 and 100 < high <= _BYTE and not np.any(x % 1))
    return Finding.of(
        FindingKind.LARGE_INPUTS,
        field,
        expected=expected,
        got=got,
        lowest=low,
        highest=high,
        pixels=pixels,
        columns=() if pixels else tuple((names[c], float(np.sqrt(share[c]))) for c in top),
    )
