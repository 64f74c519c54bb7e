"""The paper's eight-layer convolutional network (Table 1) and its exact reduction (theory.md C.2)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import mfderive as mf

SPEC = Path(__file__).parents[2] / "specs" / "cnn_nguyen_table1.toml"


@cache
def limit() -> Any:
    return mf.derive(mf.load(SPEC))


def test_shapes_are_those_of_the_table() -> None:
    """16 x 16, 8 x 8, 8 x 8, 8 x 8, pooled to 4 x 4, 4 x 4, pooled to 2 x 2, and a head of 10 x 4n."""
    system = limit()

    def positions(field: str) -> list[int]:
        return [system.axis[axis].size for axis in system.field[field].axes[2:]]

    found = {name: positions(name) for name in ("c1", "c2", "c3", "c4", "p5", "c6", "p7", "output.weight")}
    assert found == {
        "c1": [16, 16],
        "c2": [8, 8],
        "c3": [8, 8],
        "c4": [8, 8],
        "p5": [4, 4],
        "c6": [4, 4],
        "p7": [2, 2],
        "output.weight": [2, 2],
    }


def test_layers_2_to_6_collapse_to_one_channel() -> None:
    """c1 keeps types in R^27, c7 types by the head in R^(10 x 4); between them every channel is the same."""
    reduced = mf.reduce(limit()).system
    populations = {axis.name for axis in reduced.populations}
    assert populations == {"c1", "c7"}
    for name in ("c2", "c3", "c4", "c5", "p5", "c6"):
        assert not populations & set(reduced.field[name].axes), name
    axes = {parameter.name: parameter.axes for parameter in reduced.parameters}
    assert axes["c1.weight"] == ("c1", "channels", "c1.taps1", "c1.taps2")
    assert axes["c2.weight"] == ("c1", "c2.taps1", "c2.taps2")
    for number in (3, 4, 5, 6):
        assert axes[f"c{number}.weight"] == (f"c{number}.taps1", f"c{number}.taps2")
        assert axes[f"c{number}.bias"] == ()
    assert axes["c7.weight"] == ("c7", "c7.taps1", "c7.taps2")
    assert axes["output.weight"][:2] == ("outputs", "c7")


def test_rates_are_those_of_the_author() -> None:
    """theory.md H7: multiplier of a weight fan_in * fan_in of the next layer, over the widths themselves."""
    rates = {name: float(parameter.rate) for name, parameter in limit().parameter.items()}
    assert rates["c1.weight"] == 9 and rates["c2.weight"] == 81 and rates["c7.weight"] == 9 * 4
    assert rates["c6.bias"] == 9 and rates["c7.bias"] == 4
    assert rates["output.weight"] == 4 * 10 and rates["output.bias"] == 10
