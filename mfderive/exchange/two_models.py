"""Two models that should be one in two widths: where they differ in something else, and what follows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .operations import ImportProblem
from .spec_of_layers import SpecParts

_REMEDY = "Give one model in two widths"
# What a width may change in the table of a layer or of a connection; laws are estimated of other entries.
_BY_WIDTH = frozenset(("size", "width", "scale", "operation", "weight", "bias", "parameters"))


def differences(one: SpecParts, other: SpecParts) -> Iterator[str]:
    """Notes on numbers that the two have different, as a division by the width makes them.

    Raises ImportProblem where layers of one name read something else, or in another way.
    """
    for left, right in zip((*one.layers, one.output), (*other.layers, other.output), strict=True):
        name = left.get("name", "output")
        for key in sorted((left.keys() | right.keys()) - _BY_WIDTH):
            if _shape(key, left.get(key)) != _shape(key, right.get(key)):
                raise ImportProblem(
                    f"the two models differ at '{name}', {key}: {left.get(key, 'none')!s} and "
                    f"{right.get(key, 'none')!s}. {_REMEDY}"
                )
        texts = [str(table.get("activation", "identity")) for table in (left, right)]
        if texts[0] != texts[1]:
            yield (
                f"numbers in the activation of {name} change with the width: {texts[0]} and {texts[1]}; "
                "the spec has those of the first model"
            )


def check_ends(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """ImportProblem where inputs or outputs of the two have different sizes."""
    for what, size in one.items():
        if size != other[what]:
            raise ImportProblem(f"the two models have different {what}: {size} and {other[what]}. {_REMEDY}")


def _shape(key: str, value: Any) -> Any:
    """What must agree of a value: of an activation its words, of connections all but numbers of the width."""
    if key == "activation":
        return Counter(re.findall(r"[a-zA-Z_]\w*", value or ""))
    if key == "connections":
        return [{k: v for k, v in table.items() if k not in _BY_WIDTH} for table in value or ()]
    return value
