"""The table ``[data]``: every key checked as far as the spec alone can tell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy as sp

from ..algebra.parser import Names, constant_value
from ..errors import FaultKind, UnknownNameError, nearest_word, quoted, shown
from ..errors.gathering import Faults
from ..network.data_keys import DATA_KINDS, DATA_REFUSED, data_keys
from ..network.network import DataSpec, LawSpec
from ..network.place import Place, other_kinds_keys
from .law_text import read_law

# A coordinate of x in the target of a teacher; up to so many are listed in errors.
_INPUT = re.compile(r"\bx([1-9]\d*)\b", re.ASCII)
_LONGEST_COORDINATE = 10  # characters; a longer name is no coordinate of any data
_FEW = 12
# The number of inputs where the kind says it: 8 x 8 grey pixels, 32 x 32 pixels of three colours.
_KNOWN_SIZES = {"digits": 64, "cifar10": 3 * 32 * 32}
# Keys that name test samples.
_TESTS = (("test_images", "test_labels"), ("test_x", "test_y"))


def read_data(values: Mapping[str, Any], place: Place) -> DataSpec:
    """The data as written. Lists become tuples; expressions stay strings, checked here.

    Raises :class:`SpecError`; what only a file can tell is checked where it is read.
    """
    if "kind" not in values:
        allowed = f"Allowed: {', '.join(DATA_KINDS)}"
        raise place.error("the key 'kind' is missing", "kind", allowed, FaultKind.MISSING_KEY)
    kind = values["kind"]
    if not isinstance(kind, str) or kind not in DATA_KINDS:
        raise place.error(
            f"unknown kind {shown(kind)}", "kind", nearest_word(str(kind), DATA_KINDS), FaultKind.WRONG_VALUE
        )
    faults = Faults()
    options = {key: value for key, value in values.items() if key != "kind"}
    others = other_kinds_keys(kind, {name: data_keys(name) for name in DATA_KINDS}, "data")
    sound = place.sound(options, data_keys(kind), faults, {**others, **DATA_REFUSED.get(kind, {})})
    data = DataSpec(kind, tuple((key, frozen(value)) for key, value in sound.values.items()))
    for check, applies, keys in _CHECKS:
        if applies in (None, kind) and not sound.doubts & keys:
            faults.tried(check, data, place)
    faults.raise_any()
    return data


def _check_tests(data: DataSpec, place: Place) -> None:
    """Test samples have inputs and targets; inputs alone where these are the targets."""
    options = data.get
    for pair in _TESTS:
        given = [key for key in pair if key in options]
        copy = options.get("y") == "x"
        if given and len(given) < len(pair) and not (copy and given == [pair[0]]):
            raise place.error(
                f"'{pair[0]}' and '{pair[1]}' belong together",
                key=given[0],
                remedy="Give both, or leave both out",
            )


def teacher_inputs(data: DataSpec, place: Place | None = None) -> LawSpec:
    """The law of one input coordinate of the kind ``teacher``; default normal(0, 1)."""
    names = Names(unavailable={"source": "inputs have no source", "target": "inputs have no target"})
    return read_law(data.get.get("inputs", "normal(0, 1)"), place or Place(table="data"), "inputs", names)


def teacher_targets(data: DataSpec, place: Place | None = None) -> tuple[sp.Expr, ...]:
    """The targets of the kind ``teacher``, one for each output, in the symbols x1 ... xd."""
    dimension = data.get["dimension"]
    where = place or Place(table="data")
    few = dimension <= _FEW
    inputs = ", ".join(f"x{k + 1}" for k in range(dimension)) if few else f"x1 ... x{dimension}"
    found = []
    for text in _targets(data):
        used = _coordinates(text)
        beyond = sorted(word for word, column in used.items() if column >= dimension)
        if beyond:
            raise where.error(
                f"unknown name {quoted(beyond[0])} in {shown(text)}: the data have {dimension} coordinates",
                key="target",
                remedy=f"Allowed: {inputs}",
                kind=FaultKind.NAME,
                word=beyond[0],
            )
        known = {f"x{k + 1}" for k in range(dimension)} if few else used
        names = Names(plain=frozenset(known), unavailable={"x": f"coordinates are {inputs}"})
        try:
            target = where.expression(text, "target", names)
        except UnknownNameError as error:
            if few:
                raise
            allowed = f"Allowed: {inputs}"
            raise where.error(error.problem, "target", allowed, FaultKind.NAME, word=error.word) from None
        value = constant_value(target)
        if value is not None and not math.isfinite(value):
            raise where.error(f"the target {quoted(text)} is not a finite number", key="target")
        found.append(target)
    return tuple(found)


def teacher_columns(data: DataSpec) -> dict[sp.Symbol, int]:
    """The columns of the inputs that the targets of the kind ``teacher`` read, by their symbols."""
    found = {word: column for text in _targets(data) for word, column in _coordinates(text).items()}
    return {sp.Symbol(word): found[word] for word in sorted(found)}


def _targets(data: DataSpec) -> tuple[str, ...]:
    written = data.get["target"]
    return written if isinstance(written, tuple) else (written,)


def _coordinates(text: str) -> dict[str, int]:
    """The coordinates that a text names, as a spec writes them: x1 is column 0."""
    return {
        found.group(): int(found.group(1)) - 1
        for found in _INPUT.finditer(text)
        if len(found.group()) <= _LONGEST_COORDINATE
    }


def frozen(value: Any) -> Any:
    """Plain data with lists as tuples, tables as tuples of pairs, so that it can be hashed and compared."""
    if isinstance(value, Mapping):
        return tuple((name, frozen(each)) for name, each in value.items())
    return tuple(frozen(each) for each in value) if isinstance(value, list | tuple) else value


def known_inputs(data: DataSpec) -> int | None:
    """The number of inputs d, where the spec alone tells it."""
    options = data.get
    if data.kind in _KNOWN_SIZES:
        return _KNOWN_SIZES[data.kind]
    if data.kind == "gaussian-mixture":
        return len(options["means"][0])
    dimension = options.get("dimension")
    return dimension if isinstance(dimension, int) else None


def _check_shape(data: DataSpec, place: Place) -> None:
    options = data.get
    for key in ("range", "scale", "scale_y"):
        low_high = options.get(key)
        if isinstance(low_high, tuple) and low_high[0] >= low_high[1]:
            raise place.error(f"the range {list(low_high)} is empty", key=key, remedy="Write [low, high]")
    for key in ("scale", "one_hot"):
        if "range" in options and key in options:
            raise place.error(
                f"'range' beside '{key}'",
                key="range",
                remedy="'range' maps all inputs alike, as for pixels; leave it out, and scale columns with "
                "scale = [low, high]",
            )
    shape, size = options.get("shape"), known_inputs(data)
    if shape is not None and size is not None and math.prod(shape) != size:
        raise place.error(
            f"the shape {list(shape)} has {math.prod(shape)} entries, but there are {size} inputs",
            key="shape",
            remedy="Write [channels, positions...] whose product is the number of inputs",
        )


def _counted(entries: Sequence[Any], what: str) -> str:
    return f"{len(entries)} {what}{'s' * (len(entries) != 1)}"


def _check_mixture(data: DataSpec, place: Place) -> None:
    options = data.get
    means = options["means"]
    for number, mean in enumerate(means):
        if len(mean) != len(means[0]):
            raise place.error(
                f"mean {number + 1} has {_counted(mean, 'coordinate')}, but the first has {len(means[0])}",
                key="means",
                remedy="Give every mean the same number of coordinates",
            )
    for key in ("deviations", "weights", "labels"):
        value = options.get(key)
        if isinstance(value, tuple) and len(value) != len(means):
            raise place.error(
                f"there are {_counted(means, 'mean')}, but {_counted(value, key[:-1])}",
                key=key,
                remedy="Give one for each mean",
            )
    labels = options["labels"]
    if isinstance(labels[0], tuple) and len({len(label) for label in labels}) > 1:
        raise place.error(
            "the labels have unequal lengths", key="labels", remedy="Give every label as many numbers"
        )


# What is checked of which kind (None: of all), once the keys that it reads are right in themselves.
_Check = Callable[[DataSpec, Place], object]
_SIZES = frozenset({"dimension", "means"})
_CHECKS: tuple[tuple[_Check, str | None, frozenset[str]], ...] = (
    (_check_shape, None, _SIZES | {"shape", "range", "scale", "scale_y", "one_hot"}),
    (teacher_inputs, "teacher", frozenset({"inputs"})),
    (teacher_targets, "teacher", frozenset({"dimension", "target"})),
    (_check_mixture, "gaussian-mixture", frozenset({"means", "deviations", "weights", "labels"})),
    (_check_tests, None, frozenset(key for pair in _TESTS for key in pair)),
)
