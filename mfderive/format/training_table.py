"""The table ``[training]``: steps and rates, the learning rule with its constants, what stands beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import sympy as sp

from ..algebra.parser import Names, constant_value
from ..algebra.update_rules import RULES
from ..errors import FaultKind, nearest, nearest_word, quoted, shown
from ..errors.gathering import Faults
from ..network.names import INPUT, OUTPUT
from ..network.network import Training
from ..network.place import Place
from ..network.schedules import SCHEDULES, STEP, schedule_factor
from ..network.tables import TRAINING
from ..network.training_keys import DEFAULT, KIND, by_parameter, rule_keys
from ..network.values import SCHEDULE_ROUNDING, Table
from .outline import Outline

_WORD = re.compile(r"[A-Za-z][\w-]+", re.ASCII)
# What schedules are checked with where the number of steps is wrong itself: more than any of them needs.
_SOME_STEPS = 2**31
_OWN_RULE = "A rule of your own is entered with mfderive.register_rule before the spec is loaded"


def read_training(values: Mapping[str, Any], place: Place, known: Outline) -> Training:
    """The training with every number in its range; names of parameters are checked once they are known.

    Raises the first fault, with the others that do not depend on it.
    """
    faults = Faults()
    sound = place.sound(values, TRAINING, faults)
    values = sound.values
    if "decoupled" in values and "weight_decay" not in values and "weight_decay" not in sound.doubts:
        faults.add(
            place.error(
                "'decoupled' stands without 'weight_decay'",
                key="decoupled",
                remedy="It says how weight decay acts: give weight_decay too, or remove it",
            )
        )
    steps = values.get("steps", _SOME_STEPS)
    schedule = sp.Integer(1)
    if "schedule" in values:
        schedule = faults.tried(_schedule, values["schedule"], steps, place)
    rule = faults.tried(_rule, values.get("optimizer", "sgd"), place)
    decay = faults.tried(values_by_parameter, values, "weight_decay", place)
    noise = faults.tried(values_by_parameter, values, "noise", place)
    dropout: tuple[tuple[str, float], ...] | None = ()
    if "dropout" in values:
        dropout = faults.tried(_dropout, values["dropout"], place, known)
    faults.raise_any()
    return Training(
        learning_rate=float(values["learning_rate"]),
        steps=steps,
        batch_size=values.get("batch_size", 100),
        schedule=schedule,
        optimizer=rule[0] if rule else "",
        constants=rule[1] if rule else (),
        weight_decay=decay or (),
        decoupled=values.get("decoupled"),
        noise=noise or (),
        clip=float(values["clip"]) if "clip" in values else None,
        dropout=dropout or (),
    )


def _kind(value: Any, kinds: Mapping[str, Any], what: str, key: str, place: Place) -> str:
    """The kind that a name or a table states; ``what`` is what they are kinds of."""
    if isinstance(value, Mapping) and KIND not in value:
        found = f"the table {quoted(key)} has no 'kind'"
        raise place.error(found, f"{key}.{KIND}", nearest("", kinds), FaultKind.MISSING_KEY)
    kind: Any = value[KIND] if isinstance(value, Mapping) else value.strip()
    if not isinstance(kind, str) or kind not in kinds:
        where = f"{key}.{KIND}" if isinstance(value, Mapping) else key
        remedy = nearest_word(str(kind), kinds)
        own = f". {_OWN_RULE}" if kinds is RULES else ""
        raise place.error(f"unknown {what} {shown(kind)}", where, f"{remedy}{own}", FaultKind.WRONG_VALUE)
    return str(kind)


def _numbers(value: Any, keys: Table, place: Place) -> dict[str, Any]:
    """What stands beside ``kind``, checked; a name alone has nothing beside it."""
    beside = (
        {name: each for name, each in value.items() if name != KIND} if isinstance(value, Mapping) else {}
    )
    place.check(beside, keys)
    return beside


# --- the learning rule --------------------------------------------------------------------------------


def _rule(value: Any, place: Place) -> tuple[str, tuple[tuple[str, float], ...]]:
    """The name of the rule, and all of its constants in the order of its row."""
    name = _kind(value, RULES, "learning rule", "optimizer", place)
    row = RULES[name]
    for each in row.constants:
        if each.default is None and (not isinstance(value, Mapping) or each.name not in value):
            raise place.error(
                f"the learning rule '{name}' needs its constant '{each.name}'",
                key="optimizer",
                remedy=f'Write optimizer = {{ kind = "{name}", {each.name} = ... }}, {each.meaning}: '
                f"{each.allowed}",
            )
    given = _numbers(value, rule_keys(row), place.inside(f"optimizer '{name}'", "optimizer"))
    return name, tuple(
        (each.name, float(given.get(each.name, each.default or 0.0))) for each in row.constants
    )


def values_by_parameter(values: Mapping[str, Any], key: str, place: Place) -> tuple[tuple[str, float], ...]:
    """A number for all parameters (""), or numbers by parameter, as :class:`Training` has them."""
    value = values.get(key, {})
    named: dict[str, float] = {}
    for name, number in by_parameter(value if isinstance(value, Mapping) else {DEFAULT: value}):
        if name in named:
            raise place.error(f"{quoted(name)} is given twice", key=key, remedy="Give it once")
        named[name] = float(number)
    return tuple(("" if name == DEFAULT else name, number) for name, number in named.items())


def _dropout(value: Any, place: Place, known: Outline) -> tuple[tuple[str, float], ...]:
    """The probability for each hidden layer that has one."""
    populations = [name for name in known.layers if not known.is_finite(name)]
    if not isinstance(value, Mapping):
        if not populations and known.is_complete:
            raise place.error(
                "no layer is infinitely wide, so that dropout has no neurons to leave out",
                key="dropout",
                remedy="Remove it, or give a layer no 'size'",
            )
        return tuple((name, float(value)) for name in populations)
    for name in value:
        key = f"dropout.{name}"
        if name in (INPUT, OUTPUT):
            what = "the inputs are data" if name == INPUT else "the output is the prediction"
            raise place.error(
                f"dropout leaves out neurons of hidden layers, and {what}",
                key=key,
                remedy=nearest("", populations),
            )
        if name not in known.layers and not known.is_complete:
            continue
        if name not in known.layers:
            raise place.error(f"there is no layer {quoted(name)}", key=key, remedy=nearest(name, populations))
        if known.is_finite(name):
            raise place.error(
                f"{quoted(name)} is a finite layer: masks of so few neurons do not average out, and would "
                "change the limit",
                key=key,
                remedy=nearest("", populations),
            )
    return tuple((name, float(each)) for name, each in value.items())


# --- schedules ----------------------------------------------------------------------------------------


def is_schedule(value: Any) -> bool:
    """Whether a value is a schedule of the table: its name, or a table."""
    return isinstance(value, Mapping) or (isinstance(value, str) and value.strip() in SCHEDULES)


def read_schedule(value: Any, steps: int, number: sp.Expr, place: Place, key: str) -> sp.Expr:
    """The factor of the step ``number`` by a schedule of the table, given by its name or as a table."""
    row = SCHEDULES[_kind(value, SCHEDULES, "schedule", key, place)]
    inner = place.inside(f"{key} '{row.name}'", key)
    numbers = _numbers(value, row.keys, inner)
    warmup, length = numbers.get("warmup", 0), numbers.get("steps", steps)
    if "steps" in row.keys and warmup >= length:
        raise inner.error(
            f"the warm-up of {warmup} steps leaves none of the {length} steps",
            key="warmup",
            remedy="Take fewer",
        )
    at, factors = numbers.get("at", ()), numbers.get("factors", ())
    if len(at) != len(factors):
        raise inner.error(
            f"'at' has {len(at)} entries and 'factors' {len(factors)}",
            key="factors",
            remedy="Give one factor for each step after which the rate changes",
        )
    if any(before >= after for before, after in pairwise(at)):
        raise inner.error(f"the steps {list(at)} do not rise", key="at", remedy="Write each once, in order")
    return schedule_factor(row, numbers, steps, number)


def refuse_word(text: str, place: Place, key: str, argument: str) -> None:
    """Refuse a single word, which is no schedule of the table and no expression either."""
    word = text.strip()
    if _WORD.fullmatch(word) and word != "pi":
        remedy = f"{nearest_word(word, SCHEDULES)}, or an expression in {argument}"
        raise place.error(f"unknown schedule {quoted(word)}", key=key, remedy=remedy)


def _schedule(value: Any, steps: int, place: Place) -> sp.Expr:
    """The schedule of the learning rate, an expression in k."""
    if is_schedule(value):
        return read_schedule(value, steps, STEP, place, "schedule")
    refuse_word(value, place, "schedule", "the step k")
    schedule = place.expression(value, "schedule", Names(plain=frozenset({STEP.name})))
    _check_schedule(schedule, value, place)
    return schedule


def _check_schedule(schedule: sp.Expr, text: str, place: Place) -> None:
    if constant_value(schedule) == 0:
        raise place.error(
            "the schedule is 0, so that nothing is ever trained",
            key="schedule",
            remedy="Leave the key out for a constant rate, or write a factor that is positive at some step k",
        )
    for step in (1, 2):
        value = constant_value(schedule.xreplace({STEP: sp.Integer(step)}))
        if value is None or not math.isfinite(value) or value < -SCHEDULE_ROUNDING:
            raise place.error(
                f"the schedule {quoted(text)} is {value} at k = {step}",
                key="schedule",
                remedy="It must be finite and not negative for every k = 1, 2, ...; max(e, 0) cuts e off",
            )
