"""The bytes of generated files, their folder, and functions shared by equal equations."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

import mfderive as mf
from mfderive.algebra.system import draw_noise
from mfderive.codegen.digest import digest
from mfderive.codegen.generate import cache_directory, generate, load_solver
from mfderive.codegen.numba.module import solver_source

from .material import MATERIAL, SPECS, limit

_SCRIPT = """
import hashlib, sys
from tests.codegen.material import limit
from mfderive.algebra.system import draw_noise
from mfderive.codegen.numba.module import solver_source
for name in sys.argv[1:]:
    print(hashlib.sha256(solver_source(draw_noise(limit(name))).encode()).hexdigest())
"""


def test_bytes_do_not_depend_on_the_process():
    """Two processes with different hash seeds (the order of sets and of sympy's symbols) write the same."""
    names = [*MATERIAL, "five_layer_parameters", "cnn_small", "digits"]
    outputs = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *names],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1 and len(outputs.pop().split()) == len(names)


def test_files_and_manifest(tmp_path):
    """Three files; the manifest holds digests and the generator's version; a second run touches nothing."""
    system = limit("three_layer")
    module = generate(system, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert names == ["equations.tex", "manifest.json", "solver.py"]
    assert digest(system) == module.DIGEST and digest(system) in (tmp_path / "manifest.json").read_text()
    stamps = {name: (tmp_path / name).stat().st_mtime_ns for name in names}
    assert generate(system, tmp_path) is module
    assert stamps == {name: (tmp_path / name).stat().st_mtime_ns for name in names}
    text = (tmp_path / "solver.py").read_text()
    assert str(tmp_path) not in text and "mfderive" not in re.findall(r"^(?:from|import) (\w+)", text, re.M)


def test_cache_follows_the_environment(tmp_path, monkeypatch):
    """Without a folder the solver goes to the cache, under its digest."""
    monkeypatch.setenv("MFDERIVE_CACHE", str(tmp_path / "cache"))
    system = limit("two_layer")
    module = generate(system)
    assert cache_directory() == tmp_path / "cache"
    assert digest(system)[:32] in str(module.__file__) and str(tmp_path) in str(module.__file__)


def test_an_edited_file_is_imported_anew(tmp_path):
    """The module's name comes from the content: edits by hand take effect."""
    generate(limit("two_layer"), tmp_path)
    first = load_solver(tmp_path, compiled=False)
    path = tmp_path / "solver.py"
    path.write_text(path.read_text().replace('TITLE = "', 'TITLE = "edited: '))
    edited = load_solver(tmp_path, compiled=False)
    assert f"edited: {first.TITLE}" == edited.TITLE


def test_a_missing_solver_is_named(tmp_path):
    """Loading a folder without a solver says so."""
    with pytest.raises(mf.MfError, match="no solver"):
        load_solver(tmp_path)


def deep(layers):
    """A spec of equal layers."""
    rows = [{"name": "h1", "from": "x", "weight": "normal(0, 1)", "bias": "0", "activation": "relu"}]
    rows += [
        {"name": f"h{n}", "from": f"h{n - 1}", "weight": "normal(1, 1)", "bias": "0", "activation": "relu"}
        for n in range(2, layers + 1)
    ]
    return mf.load(
        {
            "format": 1,
            "title": "deep",
            "data": {"kind": "isotropic-gaussians", "dimension": 3, "separation": 0.4},
            "loss": {"kind": "squared"},
            "layers": rows,
            "output": {"from": f"h{layers}", "weight": "normal(1, 1)", "bias": "0"},
            "training": {"learning_rate": 0.1, "batch_size": 10, "steps": 10},
        }
    )


def test_equal_layers_share_their_functions():
    """Forty equal layers need no more compiled functions than four; layer numbers of two digits included."""
    functions = [
        re.findall(r"@compiled\ndef (\w+)", solver_source(mf.derive(deep(layers)))) for layers in (4, 40)
    ]
    assert functions[0] == functions[1]


def test_an_edited_file_is_replaced_only_on_request(tmp_path):
    """Edits by hand survive a second run, which names the file; other systems may follow unedited ones."""
    generate(limit("two_layer"), tmp_path)
    generate(limit("three_layer"), tmp_path)  # nothing was edited, so nothing is lost
    for name in ("solver.py", "equations.tex"):
        path = tmp_path / name
        written = path.read_text()
        path.write_text(written + "# mine\n")
        with pytest.raises(mf.MfError, match=rf"{name} was edited .*overwrite=True"):
            generate(limit("three_layer"), tmp_path)
        assert path.read_text() == written + "# mine\n"
        generate(limit("three_layer"), tmp_path, overwrite=True)
        assert path.read_text() == written
    (tmp_path / "manifest.json").unlink()
    generate(limit("three_layer"), tmp_path)  # the bytes are right, whoever wrote them
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(mf.MfError, match="edited"):
        generate(limit("two_layer"), tmp_path)


def test_what_cannot_be_imported_or_written_says_so(tmp_path):
    (tmp_path / "solver.py").write_text("def broken(:\n")
    with pytest.raises(mf.MfError, match=r"line 1: this is not Python"):
        load_solver(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(mf.MfError, match=r"cannot be made: .*file is a file"):
        generate(limit("two_layer"), tmp_path / "file")


def test_comments_show_no_bound_of_padding():
    """A maximum over a padded window is written as one over what is inside, in comments and docstrings."""
    source = solver_source(limit("cnn_nguyen_table1"))
    words = [line for line in source.splitlines() if line.lstrip().startswith(("#", '"""'))]
    assert len(words) > 100
    assert not [line for line in words if re.search(r"0{12}|e\+?30", line)]
    assert sum("inside" in line and line.endswith("= 1") for line in words) >= 2


TITLES = (
    'x"; import os; os.remove("all") #',
    'x"\nimport os\n#',
    '"""\nimport os\n"""',
    '"',
    '""x""',
    "\\",
    'x\\"',
    "{title} %s",
    "a\x00b\x1b[31m\u2028c\ud800",
    "",
)


@pytest.mark.parametrize("title", TITLES)
def test_no_title_can_run_code(title):
    """A title is a user's words: a solver holds it as one string and in a docstring, and nowhere else."""
    system = draw_noise(limit("three_layer"))
    plain = ast.parse(solver_source(system, "0"))
    tree = ast.parse(solver_source(replace(system, title=title), "0"))
    told = [ast.unparse(node) for node in plain.body[1:]], [ast.unparse(node) for node in tree.body[1:]]
    differing = [new for old, new in zip(*told, strict=True) if old != new]
    assert len(differing) == 1 and differing[0].startswith("TITLE = ")
    assert ast.literal_eval(differing[0].removeprefix("TITLE = ")).strip()


def test_a_layer_may_be_called_as_what_solvers_import():
    """Its name stands in strings and comments, which import nothing; a law that needs scipy does."""
    document = tomllib.loads((SPECS / "two_layer.toml").read_text())
    document["layers"][0]["name"] = document["output"]["from"] = "special"
    wanted = "from scipy import special"
    assert wanted not in solver_source(draw_noise(mf.derive(mf.load(document))))
    document["layers"][0]["parameters"] = {"gain": {"law": "1", "rate": "erf(t)"}}
    document["layers"][0]["activation"] = "gain * tanh(h)"
    del document["layers"][0]["bias"]
    assert wanted in solver_source(draw_noise(mf.derive(mf.load(document))))
