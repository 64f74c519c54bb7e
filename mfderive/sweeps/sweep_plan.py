"""What a sweep is to do: its network, what is set, the grid and the options of the runs, all checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import prod
from typing import Any

from ..algebra.arguments import NETWORK, by_name, choice, found, instance, whole_number
from ..errors import ArgumentError, nearest_word, quoted
from ..network.network import Network
from ..network.solve_options import ENDS, OPTIONS
from ..network.tables import TRAINING
from ..runs.archive import plain
from ..runs.problem_facts import as_facts, network_facts
from ..solution.options import resolve_options
from .dotted_keys import Parts, changes_of, check_keys, fitting
from .grid_values import Grid, Values, check_variables, checked_grid, combinations, filled, setting_name

RUNS = ("solve", "simulate")
# Settings that are begun without a word: more of them are more often a slip than a wish.
MOST = 1000
_TOP, _SOLVER = ("training", "solver"), "solver"


@dataclass(frozen=True)
class Setting:
    """One point of the grid: the values of the variables, and the changes of the network that they make."""

    values: Values
    changes: Mapping[str, Any] = field(repr=False)

    @cached_property
    def name(self) -> str:
        """What the setting is called, also as a folder."""
        return setting_name(self.values)


@dataclass(frozen=True)
class Plan:
    """A sweep before it begins. ``set``: values with ``{name}`` by dotted key; ``options``: of every run."""

    network: Network
    set: Mapping[str, Any]
    grid: Grid
    run: str
    options: Mapping[str, Any]
    keys: Mapping[str, Parts]

    @property
    def count(self) -> int:
        """The number of settings."""
        return prod(map(len, self.grid.values()))

    def settings(self) -> Iterator[Setting]:
        """Every setting, the last variable changing fastest."""
        document = self.network.document
        for values in combinations(self.grid):
            at_keys = {
                parts: fitting(document, parts, filled(self.set[key], values))
                for key, parts in self.keys.items()
            }
            yield Setting(values, changes_of(document, at_keys))

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What makes this sweep and no other one, as plain data: all but the values of the grid."""
        return as_facts(
            {
                **network_facts(self.network),
                "solver": plain(self.network.document.get(_SOLVER, {})),
                "run": self.run,
                "options": plain(self.options),
                "set": plain(self.set),
                "variables": sorted(self.grid),
            }
        )

    def digest(self, setting: Setting) -> str:
        """What a setting's result depends on, beside the version of the program."""
        text = json.dumps([self.facts, dict(sorted(setting.values.items()))], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def make_plan(network: Any, set: Any, grid: Any, run: Any, options: Mapping[str, Any], most: Any) -> Plan:
    """The plan of a sweep. Raises ArgumentError for anything in it that no setting could carry out."""
    instance(network, Network, "a network", NETWORK)
    kind = choice("run", run, RUNS)
    if not isinstance(set, Mapping) or not set:
        has = f"set is {found(set)}; say" if set else "a sweep must be told"
        raise ArgumentError(
            f'{has} what the grid changes, for instance set={{"layers.h2.weight": "normal(1, {{tau}})"}} (on '
            'the command line --set "layers.h2.weight=normal(1, {tau})")'
        )
    values = checked_grid(grid)
    keys = check_keys(network.document, set)
    check_variables(set, values)
    _check_count(values, whole_number("most", most))
    given = {name: value for name, value in options.items() if value is not None}
    _check_conflicts(keys, given)
    training = {name: value for name, value in given.items() if name in TRAINING and name != "steps"}
    own = {name: value for name, value in given.items() if name not in training}
    if training:
        network = network.replace(training=training)
    checked = _solve_options(network, own) if kind == "solve" else _simulate_options(own)
    return Plan(network, dict(set), values, kind, checked, keys)


def _check_count(grid: Grid, most: int) -> None:
    count = prod(map(len, grid.values()))
    if count > most:
        sizes = " x ".join(f"{len(values)} ({name})" for name, values in grid.items())
        raise ArgumentError(
            f"the grid has {count} settings, {sizes}, and a sweep begins at most {most} of them. Take fewer "
            f"values, or allow more: most={count} (--most {count})"
        )


def _check_conflicts(keys: Mapping[str, Parts], options: Mapping[str, Any]) -> None:
    """Raise ArgumentError where an option of every run would hide what is set."""
    for key, parts in keys.items():
        for name in options:
            ends = name in ENDS and parts[1:2] and parts[1] in ENDS
            if parts[0] in _TOP and (parts[1] == name or ends):
                raise ArgumentError(
                    f"{name} is given for every run, so that set {quoted(key)} would change nothing. Leave "
                    "one of them out"
                )


def _solve_options(network: Network, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of ``solve``, checked as it does; objects of one call (a state, a solver) are none."""
    for name in options:
        if name not in OPTIONS:
            raise ArgumentError(
                f"the runs of a sweep (solve) have no option {quoted(name)}. "
                f"{nearest_word(name, [*OPTIONS, *TRAINING])}"
            )
    resolve_options(network, **options)
    return {name: OPTIONS[name].checked(value) for name, value in options.items()}


def _width(name: str, value: Any) -> Any:
    return by_name(whole_number, name, value)


def _seeds(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple | range) and value:
        return [whole_number(f"{name}[{position}]", seed, 0) for position, seed in enumerate(value)]
    return whole_number(name, value)


_SIMULATE: Mapping[str, Callable[[str, Any], Any]] = {
    "width": _width,
    "seeds": _seeds,
    "first_seed": partial(whole_number, least=0),
    **{name: OPTIONS[name].allowed.check for name in (*ENDS, "precision", "evaluation", "checkpoints")},
}


def _simulate_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of ``simulate``, checked as it does."""
    for name in options:
        if name not in _SIMULATE:
            raise ArgumentError(
                f"the runs of a sweep (simulate) have no option {quoted(name)}. "
                f"{nearest_word(name, [*_SIMULATE, *TRAINING])}"
            )
    if "width" not in options:
        raise ArgumentError("networks need a width: give width=100 (--width 100)")
    if all(name in options for name in ENDS):
        raise ArgumentError("horizon and steps cannot both be given. Leave one of them out")
    return {name: _SIMULATE[name](name, value) for name, value in options.items()}
