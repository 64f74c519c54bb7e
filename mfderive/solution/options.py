"""What a solution needs to know beside the network: arguments, then ``[solver]``, then defaults.

The options themselves stand in :mod:`mfderive.network.solve_options`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from numbers import Real
from textwrap import fill
from typing import Any, TypeVar

from ..algebra.arguments import NETWORK, exclusive, instance
from ..errors import ArgumentError, SpecError, nearest_word, quoted
from ..errors.quoting import listed
from ..network.network import Network
from ..network.solve_options import ADAPTIVE, DATA_RULES, ENDS, EVENTS, OPTIONS, SolveOptions

F = TypeVar("F", bound=Callable[..., Any])
Given = SolveOptions | float | None


def resolve_options(network: Network, options: Given = None, **changes: Any) -> SolveOptions:
    """The options of a solution: changes (None: no change) of ``options``.

    Where no ``options`` are given they are those of the network's ``[solver]``, and defaults where it is
    silent. A number in their place is the horizon. ``horizon`` among the changes replaces ``steps``, and the
    other way round; ``nodes`` given are those of the full ensemble where the limit is not reduced.

    Raises ArgumentError for an option that does not exist, for a value that it cannot have and for an option
    that would have no effect; SpecError where ``[solver]`` contradicts itself.
    """
    instance(network, Network, "a network", NETWORK)
    chosen = chosen_options(options, changes)
    base = options if isinstance(options, SolveOptions) else _stated(network)
    if any(name in chosen for name in ENDS):
        base = replace(base, horizon=None, steps=None)
    found = replace(base, **chosen)
    _check_use(found, chosen)
    if not found.reduce and "nodes" in chosen:
        found = replace(found, widths=chosen["nodes"])
    return found


def chosen_options(options: Given, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a caller chose, checked: changes that are not None, and what ``options`` has beside defaults."""
    for name in changes:
        if name not in OPTIONS:
            advice = nearest_word(name, [*OPTIONS, *_PARTS])
            raise ArgumentError(f"solve has no option {quoted(name)}. {advice}")
    chosen = {name: OPTIONS[name].checked(value) for name, value in changes.items() if value is not None}
    exclusive(**{name: chosen.get(name) for name in ENDS})
    if options is None:
        return chosen
    if isinstance(options, Real) and not isinstance(options, bool):
        exclusive(**{name: chosen.get(name) for name in ENDS if name != "horizon"}, horizon=options)
        if "horizon" in chosen:
            raise ArgumentError(f"horizon is given twice, as {options} and as {chosen['horizon']}")
        return {**chosen, "horizon": OPTIONS["horizon"].checked(options)}
    instance(options, SolveOptions, "options: a SolveOptions", "Or give single options, such as horizon=3.0")
    set_there = {
        name: getattr(options, name)
        for name, option in OPTIONS.items()
        if getattr(options, name) != option.default
    }
    if any(name in chosen for name in ENDS):
        set_there = {name: value for name, value in set_there.items() if name not in ENDS}
    return {**set_there, **chosen}


# Arguments of solve that are no options: objects and what a terminal shows.
_PARTS = ("initial", "resume", "system", "solver", "progress", "keep")


def _stated(network: Network) -> SolveOptions:
    """The options of ``[solver]``."""
    # Frozen as it is in a network, a table by name is a tuple of pairs.
    stated: dict[str, Any] = {
        name: dict(value) if OPTIONS[name].by_name and isinstance(value, tuple) else value
        for name, value in network.solver
        if name in OPTIONS
    }
    if set(ENDS) <= set(stated):
        raise SpecError(
            "horizon and steps both say when to stop",
            file=network.where,
            table="solver",
            key="horizon",
            remedy="Leave one of them out",
        )
    return SolveOptions(**stated)


def _check_use(options: SolveOptions, chosen: Mapping[str, Any]) -> None:
    """Raise ArgumentError for what a caller gave and nothing would read."""
    full = "the full ensemble (reduce=False)"
    if options.reduce and "widths" in chosen:
        raise ArgumentError(
            f"widths are the nodes of {full}, but this limit is reduced before it is solved. Give nodes, the "
            "nodes of the reduced system's ensembles, or reduce=False"
        )
    if options.reduce and "edges" in chosen:
        raise ArgumentError(
            f"edges says how the weights of {full} start, but this limit is reduced before it is solved. "
            "Leave edges out, or give reduce=False"
        )
    if not options.reduce:
        exclusive(nodes=chosen.get("nodes"), widths=chosen.get("widths"))
        if "rule" in chosen:
            raise ArgumentError(
                f"rule chooses the nodes of the reduced system, but {full} is drawn from the laws. Leave one "
                "of them out"
            )
    _check_steps(options, chosen)
    batches = options.data == "batches" or (options.data is None and options.method not in ADAPTIVE)
    if options.data_nodes is not None and batches:
        fixed = ", ".join(rule for rule in DATA_RULES if rule != "batches")
        raise ArgumentError(
            f"data_nodes is {options.data_nodes}, but every step takes a batch of its own (batch_size in "
            f"[training]). Set data to one of {fixed}, or leave data_nodes out"
        )


def _check_steps(options: SolveOptions, chosen: Mapping[str, Any]) -> None:
    """Raise ArgumentError for what a caller gave of steps and ends that the method would not read."""
    if options.method != "rk4" and "step" in chosen:
        why = (
            f"{options.method} chooses its steps by rtol and atol"
            if options.method in ADAPTIVE
            else "euler makes the steps of SGD (learning_rate in [training])"
        )
        raise ArgumentError(f"step is {options.step}, but {why}. Leave step out, or take the method rk4")
    for name in ("rtol", "atol", *EVENTS):
        if options.method not in ADAPTIVE and name in chosen:
            raise ArgumentError(
                f"{name} is {chosen[name]:g}, but only the methods {listed([*ADAPTIVE])} read it, and the "
                f"method is {options.method}. Leave {name} out, or take one of them"
            )
        if name in EVENTS and options.tolerance is not None and getattr(options, name) is not None:
            raise ArgumentError(
                f"tolerance refines a curve up to its end, but {name} ends each refinement at another time. "
                "Leave one of them out"
            )


def takes_options(function: F) -> F:
    """A function whose ``**changes`` are options: its signature and its docstring list them one by one."""
    own = inspect.signature(function)
    named = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    rest = [each for each in named if each.kind is each.KEYWORD_ONLY]
    options = [
        inspect.Parameter(entry.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=entry.type)
        for entry in fields(SolveOptions)
    ]
    first = named[: len(named) - len(rest)]
    vars(function)["__signature__"] = own.replace(parameters=[*first, *options, *rest])
    lines = [
        fill(f"{name}: {option.meaning}.", 100, initial_indent="    ", subsequent_indent="        ")
        for name, option in OPTIONS.items()
    ]
    function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Options:", "", *lines])
    return function
