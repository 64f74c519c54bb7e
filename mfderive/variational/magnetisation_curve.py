"""The magnetisation over the temperature: naive mean field, Bethe, and exact states or samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algebra.arguments import whole_number
from ..algebra.showing import Shown
from ..errors import ArgumentError
from .belief_propagation import bethe_solutions
from .exact_enumeration import MOST_SPINS, enumerate_states
from .gibbs_sampling import gibbs
from .ising_model import IsingModel
from .solution_search import find_solutions
from .transition_temperatures import Transition, bethe_transition, mean_field_transition

Array = Any


@dataclass(frozen=True, eq=False, repr=False)
class MagnetisationCurve(Shown):
    """Sizes of the magnetisation at temperatures (rows): root mean squares of m in the solution of least F.

    ``witness``: <|mean of the spins|> by exact states (``witness_error`` is 0 then) or by samples; both are
    None where couplings of both signs make it meaningless.
    """

    model: IsingModel
    temperatures: Array
    mean_field: Array
    bethe: Array
    witness: Array | None
    witness_error: Array | None
    transition: Transition
    bethe_transition: Transition

    def figure(self) -> Any:
        """A matplotlib Figure: m over T by every method, with the transitions."""
        from .ising_figures import draw_magnetisation

        return draw_magnetisation(self)

    @property
    def is_exact(self) -> bool:
        """Whether the witness is exact rather than sampled."""
        return self.model.size <= MOST_SPINS

    @property
    def data(self) -> dict[str, Any]:
        """The curve as plain data."""
        return {
            "temperatures": self.temperatures.tolist(),
            "mean_field": self.mean_field.tolist(),
            "bethe": self.bethe.tolist(),
            "witness": None if self.witness is None else self.witness.tolist(),
            "witness_error": None if self.witness_error is None else self.witness_error.tolist(),
            "witness_is_exact": self.is_exact,
            "transition_temperature": self.transition.temperature,
            "bethe_transition_temperature": self.bethe_transition.temperature,
        }

    @property
    def text(self) -> str:
        """The curve as a table."""
        name = "exact <|m|>" if self.is_exact else "sampled <|m|>"
        lines = [
            f"  {'T':>8}  {'mean field':>11}  {'Bethe':>11}" + ("" if self.witness is None else f"  {name}")
        ]
        for row, temperature in enumerate(self.temperatures):
            line = f"  {temperature:>8.5g}  {self.mean_field[row]:>11.7f}  {self.bethe[row]:>11.7f}"
            if self.witness is not None and self.witness_error is not None:
                error = "" if self.is_exact else f" ± {self.witness_error[row]:.4f}"
                line += f"  {self.witness[row]:>11.7f}{error}"
            lines.append(line)
        return "\n".join(lines)

    def _summary(self) -> Iterator[str]:
        low, high = self.temperatures.min(), self.temperatures.max()
        yield f"MagnetisationCurve: {len(self.temperatures)} temperatures from {low:g} to {high:g}"


def magnetisation_curve(
    model: IsingModel, temperatures: Any, *, starts: int = 2, sweeps: int = 2048, seed: int = 0
) -> MagnetisationCurve:
    """The magnetisation of a model at several temperatures.

    ``starts``: random starts of the search at each; ``sweeps``: of the sampler, 0 for none.
    Raises ArgumentError unless all temperatures are greater than 0.
    """
    places = np.atleast_1d(np.asarray(temperatures, dtype=float))
    if places.ndim != 1 or not len(places) or not (np.isfinite(places) & (places > 0)).all():
        raise ArgumentError("temperatures must be finite numbers greater than 0, at least one")
    whole_number("sweeps", sweeps, 0)
    has_witness = model.is_ferromagnet and (model.size <= MOST_SPINS or sweeps > 0)
    found, bethe, witness, error = [], [], [], []
    for temperature in places:
        here = model.at(float(temperature))
        found.append(_size(find_solutions(here, starts, seed, 16, minima_only=True).solutions[0].m))
        fixed = bethe_solutions(here, starts=0)[0]
        bethe.append(_size(fixed[0].m) if fixed else np.nan)
        if has_witness and model.size <= MOST_SPINS:
            witness.append(enumerate_states(here).absolute)
            error.append(0.0)
        elif has_witness:
            sampled = gibbs(here, sweeps, seed)
            witness.append(sampled.absolute)
            error.append(sampled.absolute_error)
    return MagnetisationCurve(
        model,
        places,
        np.array(found),
        np.array(bethe),
        np.array(witness) if has_witness else None,
        np.array(error) if has_witness else None,
        mean_field_transition(model),
        bethe_transition(model),
    )


def _size(m: Array) -> float:
    return float(np.sqrt(np.mean(m**2)))
