"""Code of the evolution: velocities of all parameters, or the update of a fused Euler step.

The schedule says which parameters are updated in place; every other velocity has an array of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...tensor.instructions import Each, Fill, Gemm
from ...tensor.scheduling import TARGET, Update
from .sweep import Sweep


def write_evolution(sweep: Sweep, updates: Iterable[Update]) -> None:
    """The body of ``evolve(f, nodes, make, call, out, scale, keep)``."""
    updates = tuple(updates)
    first = len(sweep.lines)
    sweep.lines.append("    speeds = {}")
    for update in updates:
        if not update.in_place:
            _write_speed(sweep, update)
    deferred = [_write_in_place(sweep, update) for update in updates if update.in_place]
    if any(deferred):
        # Updates of different parameters write to different arrays, so they may run side by side.
        sweep.lines.insert(first, "    updates = Tasks()")
        sweep.call("    ", "together", ["updates", "nodes", "make"])
    sweep.lines += [
        "    for name, speed in speeds.items():",
        "        call(add_speed, out[name].reshape(-1), speed.reshape(-1), scale, keep, name)",
    ]


def _write_speed(sweep: Sweep, update: Update) -> None:
    name, equation = update.parameter, update.equation
    sweep.comment(equation)
    axes = tuple(index.axis for index in equation.target)
    sweep.temporaries.add((f"speed {name}", axes))
    shape = sweep.shape(axes)
    sweep.lines.append(f'    speed = speeds["{name}"] = make("speed {name}", {shape})')
    sweep.names[TARGET] = "speed"
    sweep.instructions(update.instructions)


def _write_in_place(sweep: Sweep, update: Update) -> bool:
    """Code of an update in place; returns whether it is deferred, to run beside others."""
    name = update.parameter
    sweep.comment(update.equation)
    alone = sum(isinstance(instruction, Each) for instruction in update.instructions) == 1
    deferred = False
    sweep.names[TARGET] = f'out["{name}"]'
    factor, keep = f'scale["{name}"]', f'keep["{name}"]'
    for instruction in update.instructions:
        if isinstance(instruction, Fill) and instruction.out == TARGET:
            sweep.call("    ", "rescale", [f'out["{name}"]', sweep.late(keep)])
            keep = ""
        elif isinstance(instruction, Each) and alone and not instruction.is_independent:
            sweep.lines.append(f"    updates.append(whole({sweep.task(instruction, factor)}))")
            deferred, keep = True, ""
        else:
            sweep.instructions((instruction,), 1, factor, keep)
            if isinstance(instruction, Gemm | Each):
                keep = ""
    return deferred
