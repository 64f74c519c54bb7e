"""The page docs/variational.md: its code runs, and says what it says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "variational.md").read_text(encoding="utf-8")


def test_the_code_of_the_page(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, object] = {}
    exec(code, names)
    found = names["found"]
    assert found.best.mean == pytest.approx(0.7755163, abs=5e-8)
    assert (found.transition_temperature, round(found.bethe_transition.temperature, 3)) == (4.0, 2.885)
    assert names["posterior"].is_converged and "q(tau): gamma" in capsys.readouterr().out


def test_figures_are_there():
    for name in re.findall(r"\]\((figures/\S+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / name).read_bytes()[:4] == b"\x89PNG"
