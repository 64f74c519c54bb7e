"""``mfderive coords --train``: a person's own networks from a file, and what may be wrong with it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mfderive as mf
from mfderive.cli import main, widths_command

PAGE = Path(__file__).parents[2] / "docs" / "coordinates.md"
SPEC = "specs/three_layer.toml"
SMALL = ("--widths", "16,32", "--seeds", "2", "--steps", "1")


@pytest.fixture(autouse=True, scope="module")
def read_once() -> Iterator[None]:
    """One network for all checks: what is measured of this program's own is then kept with it."""
    network = mf.load(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widths_command, "load_network", lambda _: network)
        yield


def code(name: str) -> str:
    """The example of the page that is written in a file of this name."""
    (found,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return str(found)


def run(tmp_path: Path, text: str, *words: str, name: str = "") -> int:
    """The exit code of a check of the networks in a file with this text."""
    file = tmp_path / "my_networks.py"
    file.write_text(text, encoding="utf-8")
    given = f"{file}:{name}" if name else str(file)
    return main(["coords", SPEC, "--train", given, *SMALL, "--output", str(tmp_path / "out"), *words])


def test_the_example_of_the_page(tmp_path, capsys) -> None:
    """Right as it stands (0); with one rate that lacks a width its parameter is named (1)."""
    right = code("my_networks.py")
    assert run(tmp_path, right, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faults"] == [] and (tmp_path / "out" / "coordinates.csv").is_file()
    assert "width**2" in right
    assert run(tmp_path, right.replace("width**2", "width"), name="train") == 1
    assert "h2.weight: the learning rate has a wrong power" in capsys.readouterr().out


def test_the_torch_example_of_the_page() -> None:
    """It is Python, and trains what the example in JAX trains; it runs where PyTorch is installed."""
    compile(code("my_torch_networks.py"), "my_torch_networks.py", "exec")


def test_other_forms_and_neighbours(tmp_path, capsys) -> None:
    """Factors inside of the parameters with --plain; a module beside the file can be imported, lazily too."""
    (tmp_path / "neighbour_of_networks.py").write_text("SHARE = 1.0\n")
    text = code("my_networks.py") + (
        "\n\ndef plain(width, seed, steps):\n"
        "    from neighbour_of_networks import SHARE\n"
        "    inside = {'h2.weight': SHARE / width, 'output.weight': SHARE / width}\n"
        "    return {n: v * inside.get(n, 1) for n, v in train(width, seed, steps).items()}\n"
    )
    assert run(tmp_path, text, "--plain", name="plain") == 0
    assert run(tmp_path, text, name="plain") == 1
    assert run(tmp_path, text, "--convention", "mup", name="plain") == 2
    assert "muP" in capsys.readouterr().err


TRAIN = "def train(width, seed, steps):\n"
WRONG = {
    "not Python": ("def train(:\n", "", "line 1: this is not Python"),
    "raises at import": ("x = 1\nimport no_such_module_here\n", "", "line 2: ModuleNotFoundError"),
    "ends the program": ("raise SystemExit(0)\n", "", "__main__"),
    "no such function": (TRAIN + "    return {}\n", "trian", "Did you mean 'train'?"),
    "no function at all": ("train_it = 3\n", "", "It defines no function"),
    "a number": ("train = 3\n", "", "of type int, no function"),
    "other arguments": ("def train(width):\n    return {}\n", "", "train(width, seed, steps)"),
    "raises": (TRAIN + "    {}['h1']\n", "", "line 2: KeyError: 'h1'"),
    "leaves": (TRAIN + "    raise SystemExit\n", "", "sys.exit"),
    "returns nothing": (TRAIN + "    pass\n", "", "must return a dictionary"),
    "unknown name": (TRAIN + "    return {'h1.wieght': [1.0]}\n", "", "h1.weight"),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_are_wrong(tmp_path, capsys, case: str) -> None:
    """One line with the file, the line where there is one, and what is wanted; exit code 2, no fault."""
    text, name, words = WRONG[case]
    assert run(tmp_path, text, name=name) == 2
    error = capsys.readouterr().err
    assert words in error and "fault of the program" not in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nowhere.py", "there is no such file"),
        ("nowhere", "FILE.py:NAME"),
        ("nowhere.py:two words", "FILE.py:NAME"),
        ("tests", "FILE.py:NAME"),
    ],
)
def test_values_that_name_no_file(capsys, value: str, words: str) -> None:
    assert main(["coords", SPEC, "--train", value]) == 2
    assert words in capsys.readouterr().err


def test_flags_of_own_networks_alone(capsys) -> None:
    """Without --train there are none."""
    for words in (["--plain"], ["--convention", "muP"]):
        assert main(["coords", SPEC, *words]) == 2
        assert "--train" in capsys.readouterr().err
