"""Every shipped spec agrees with its networks at its own [check] settings: a study, run by name.

``pytest -m study -s tests/verdict/test_shipped.py``
"""

import time
from pathlib import Path

import pytest

import mfderive as mf

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


@pytest.mark.study
@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_shipped_spec_agrees(path):
    """At normal effort, with the widths, seeds and steps that the spec itself asks for."""
    begin = time.perf_counter()
    verdict = mf.check(mf.load(path))
    bounds = ", ".join(f"{row.name} {row.bound / row.scale:.1%}" for row in verdict.rows if row.tolerance)
    slopes = ", ".join(f"{rate.slope:.2f}+-{rate.half_width:.2f} ({rate.name})" for rate in verdict.rates)
    print(f"\n{path.stem}: {verdict.status}, {time.perf_counter() - begin:.0f} s; bounds {bounds}; {slopes}")
    assert verdict.agrees, verdict.reasons
