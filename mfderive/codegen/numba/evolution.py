"""Code of the evolution: velocities of all parameters, or the fused update of a step.

A parameter whose velocity consists of matrix products that read no trained parameter is updated in place by
BLAS (beta = 1): a step needs no array of its size. Every other velocity is computed into an array of its
own before any parameter changes, because it may read what the step changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...algebra.system import LimitSystem
from ...algebra.terms import Equation
from ...tensor.contraction import plan_equation
from ...tensor.instructions import Allocate, Each, Loop, Product, Select, Step, Zero
from .sweep import Sweep, reads

TARGET = "target"  # the name of the array that a velocity is added to
SPEED = "speed"  # the name of an array for a velocity


def updates_in_place(system: LimitSystem, equation: Equation, steps: Iterable[Step]) -> bool:
    """Whether a velocity can be added to its parameter directly."""
    trained = {p.name for p in system.parameters if not p.is_frozen}
    return not reads(equation) & trained and all(_writes_by_products(step) for step in steps)


def _writes_by_products(step: Step) -> bool:
    if isinstance(step, Each):
        return all(_writes_by_products(inner) for inner in step.body)
    if isinstance(step, (Loop, Select)):
        return step.out != TARGET
    return isinstance(step, (Product, Allocate, Zero))


def write_evolution(sweep: Sweep) -> None:
    """The body of ``_evolution(f, nodes, make, out, scale, add)``."""
    system = sweep.system
    table = {equation.field: equation for equation in system.evolution}
    direct: list[tuple[str, Equation, tuple[Step, ...]]] = []
    first = len(sweep.lines)
    sweep.lines.append("    speeds = {}")
    for parameter in system.parameters:
        if parameter.is_frozen:
            continue
        equation = table[system.velocity_of[parameter.name]]
        steps = plan_equation(system, equation, TARGET)
        if updates_in_place(system, equation, steps):
            direct.append((parameter.name, equation, steps))
        else:
            _write_speed(sweep, parameter.name, equation)
    deferred = [_write_update(sweep, name, equation, steps) for name, equation, steps in direct]
    if any(deferred):
        # Updates of several parameters touch nothing in common: they run side by side.
        sweep.lines.insert(first, "    updates = []")
        sweep.lines.append("    together(updates, nodes, make)")
    sweep.lines += [
        "    for name, speed in speeds.items():",
        "        speed *= scale[name]",
        "        if add:",
        "            out[name] += speed",
    ]


def _write_speed(sweep: Sweep, name: str, equation: Equation) -> None:
    sweep.comment(equation)
    axes = tuple(index.axis for index in equation.target)
    sweep.temporaries.add((f"speed {name}", axes))
    shape = sweep.shape(axes)
    sweep.lines.append(
        f'    speed = speeds["{name}"] = make("speed {name}", {shape}) if add else out["{name}"]'
    )
    sweep.names[SPEED] = "speed"
    sweep.steps(plan_equation(sweep.system, equation, SPEED))


def _write_update(sweep: Sweep, name: str, equation: Equation, steps: tuple[Step, ...]) -> bool:
    """Code of an update in place; whether it is put off, to run beside others."""
    sweep.comment(equation)
    alone = sum(isinstance(step, Each) for step in steps) == 1
    deferred = False
    sweep.names[TARGET] = f'out["{name}"]'
    factor, add = f'scale["{name}"]', "add"
    for step in steps:
        if isinstance(step, Zero) and step.out == TARGET:
            sweep.lines += ["    if not add:", f'        out["{name}"].fill(0.0)']
            add = ""
        elif isinstance(step, Each) and alone and not step.is_independent:
            sweep.lines.append(f"    updates.append(whole({sweep.task(step, factor)}))")
            deferred, add = True, ""
        else:
            sweep.steps((step,), 1, factor, add)
            if isinstance(step, (Product, Each)):
                add = ""
    return deferred
