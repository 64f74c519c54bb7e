"""The command `signal`, its page, its figures and the table [signal] of specs."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import mfderive as mf
from mfderive.cli import main
from mfderive.report.figures import figure_bytes
from mfderive.report.signal_figures import draw_phase
from mfderive.signals.kernel_system import Part
from mfderive.signals.kernel_text import equations_text
from mfderive.signals.network_signal import scales_of
from mfderive.signals.phase_diagram import phase_diagram
from mfderive.signals.reading import kernel_system
from mfderive.signals.repeated_part import repeated_part
from tests.signals.documents import chain

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")
SHIPPED = sorted((ROOT / "specs" / "signal").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_are_derived(path) -> None:
    """Every shipped spec loads, has scales, and all of its kernels close (of a batch without those of
    parameters); what repeats is found."""
    net = mf.load(path)
    kernels = kernel_system(net)
    open_parts = [] if kernels.batch is None else [Part.PARAMETERS]
    assert [missing.part for missing in kernels.missing] == open_parts
    assert repeated_part(kernels).copies >= 3 and kernels.scales
    assert {"sigma_w2", "sigma_b2"} <= set(scales_of(net, kernels, None, None))
    assert len(kernels.of_part(Part.BACKWARD)) >= 4 and "q₁₂[yhat]" in equations_text(kernels)


def test_the_command(tmp_path, capsys) -> None:
    """Text, JSON, code and figures of one spec; the critical scales; flags before the table."""
    spec, code = str(ROOT / "specs" / "signal" / "dense_tanh.toml"), tmp_path / "kernels.py"
    figures = [tmp_path / "depth.svg", tmp_path / "phase.png"]
    flags = ["--figure", str(figures[0]), "--code", str(code), "--sigma-w2", "1.2", "--json"]
    assert main(["signal", spec, *flags]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["scales"] == {"sigma_w2": 1.2, "sigma_b2": 0.05}
    assert data["by_depth"]["fields"][0]["name"] == "f_1" and data["repeated"]["phase"] == "ordered"
    assert figures[0].stat().st_size > 2000 and "def kernels(given, sigma_w2, sigma_b2)" in code.read_text()
    assert main(["signal", spec, "--latex", "--critical"]) == 0
    assert "sigma_w2 = 1.76095464, sigma_b2 = 0.05" in capsys.readouterr().out
    assert main(["signal", spec, "--phase", "p.pdf"]) == 2
    assert main(["signal", str(ROOT / "specs" / "three_layer.toml")]) == 2
    assert "sigma_w2 is not given" in capsys.readouterr().err


def test_figures_are_drawn() -> None:
    """The phase diagram of an activation with its critical line; the command draws kernels by depth."""
    diagram = phase_diagram("erf", sigma_w2=np.linspace(0.5, 3, 4), sigma_b2=np.linspace(0.01, 0.3, 4))
    drawn = figure_bytes(draw_phase(diagram), "svg").decode()
    assert "critical" in drawn and "variance of weights" in drawn


def test_the_page_is_true() -> None:
    """Its Python runs, and every equation that it quotes is printed by a shipped spec."""
    names: dict = {}
    pieces = [p for p in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "specs/signal" in p]
    assert len(pieces) == 4
    for code in reversed(pieces):
        exec(code.replace('"specs/', f'"{ROOT}/specs/'), names)
    assert names["kernels"].tangent(names["x"]).shape == (4, 4)
    assert names["found"].phase == "ordered"
    assert names["mf"].critical(names["net"], sigma_b2=0.05).sigma_w2 == pytest.approx(1.760954640, abs=1e-8)
    printed = "\n".join(
        equations_text(kernel_system(mf.load(path)))
        for path in SHIPPED
        if path.stem in ("dense_tanh", "residual_reduced", "batch_norm")
    )
    quoted = re.findall(r"^    ((?:q|q₁₂|q̃|Θ)\[.*)$", PAGE, re.M) + re.findall(
        r"`(q\[stream_2\] = .*?)`", PAGE, re.S
    )
    assert len(quoted) == 7
    for line in quoted:
        assert line in printed, line


def test_an_output_without_weights_has_no_gradients() -> None:
    """Said as missing; the forward kernels are there."""
    spec = chain(2)
    del spec["output"]["weight"]
    found = mf.signal(mf.load(spec), sigma_w2=1.0)
    assert "averages neurons without a weight" in found.equations
    depth = found.by_depth(1.0, 1.0, 0.2)
    assert depth.fields and not depth.gradients and not depth.parameters


def test_the_table_is_checked() -> None:
    """Negative variances, unknown keys and unknown parameters are refused with the table's name."""
    for table, message in (
        ({"sigma_w2": -1}, "sigma_w2"),
        ({"sigma_w": 1}, "sigma_w"),
        ({"sigma_w2": 1, "sigma_b2": {"f_9.bias": 1}}, "f_9.bias"),
    ):
        with pytest.raises(mf.SpecError, match=message):
            kernel_system(mf.load(chain(2, signal=table)))
    net = mf.load(chain(2, signal={"sigma_w2": 1.5}))
    for given, expected in ((net, 0.0), (net.replace(signal={"sigma_b2": 0.1}), 0.1)):
        found = scales_of(given, kernel_system(given), None, None)
        assert found == {"sigma_w2": 1.5, "sigma_b2": expected}
