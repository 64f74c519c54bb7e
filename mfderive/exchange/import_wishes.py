"""What a caller says beside a model: which layers grow, laws, data, loss, training; checked on the way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..algebra.arguments import found
from ..errors import ArgumentError

Array = Any


@dataclass(frozen=True)
class Wishes:
    """What a caller says beside the model; see :func:`mfderive.from_onnx`."""

    widths: Mapping[str, str] | tuple[str, ...] | None = None
    laws: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Array, Array] | None = None
    loss: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None


def checked_wishes(widths: Any, laws: Any, data: Any, loss: Any, training: Any) -> Wishes:
    """The arguments of ``from_onnx`` and ``from_torch``; ArgumentError for what has another form."""
    return Wishes(
        _names(widths),
        _table("laws", laws, '{"fc2.weight": "normal(1, 0.1)"}') or {},
        _pair(data),
        _table("loss", loss, '{"kind": "squared"}'),
        _table("training", training, '{"learning_rate": 0.05, "steps": 200}'),
    )


def _names(widths: Any) -> Mapping[str, str] | tuple[str, ...] | None:
    """Names of layers, or a mapping from names to names."""
    if widths is None:
        return None
    is_listed = isinstance(widths, Iterable) and not isinstance(widths, (str, bytes))
    given = [*widths] if is_listed else []
    values = [*given, *widths.values()] if isinstance(widths, Mapping) else given
    if not is_listed or not all(isinstance(name, str) for name in values):
        raise ArgumentError(
            f"widths is {found(widths)}; it must be a list of the names of the layers that grow, as "
            '["fc1", "fc2"], or a mapping from such names to other names'
        )
    return dict(widths) if isinstance(widths, Mapping) else tuple(given)


def _table(name: str, value: Any, example: str) -> Mapping[str, Any] | None:
    """A table with keys that are words."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ArgumentError(f"{name} is {found(value)}; it must be a mapping, as {example}")
    return dict(value)


def _pair(data: Any) -> tuple[Array, Array] | None:
    """Arrays x and y."""
    if data is None:
        return None
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ArgumentError(f"data is {found(data)}; it must be a pair of arrays (x, y)")
    x, y = (np.asarray(each) for each in data)
    return x, y


def check_sizes(x: Array, shape: tuple[int, ...], batch_axis: int) -> None:
    """ArgumentError where x is not [batch, ...] with the sizes that the model reads."""
    wanted: list[Any] = list(shape)
    wanted.insert(batch_axis, "samples")
    sizes = np.shape(x)
    if len(sizes) != len(wanted) or any(
        size != want for size, want in zip(sizes, wanted, strict=True) if want != "samples"
    ):
        raise ArgumentError(
            f"data: x has the shape {list(sizes)}, and the model reads [{', '.join(map(str, wanted))}]"
        )
