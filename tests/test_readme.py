"""The README's first screen says what the program says: its spec, three of its equations, its figure."""

from pathlib import Path

import mfderive as mf
from mfderive.notation.document import text as written

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "docs" / "figures" / "first_screen.toml"


def test_the_first_screen_is_true():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = text[: text.index("## Two commands")]
    assert f"```toml\n{SPEC.read_text(encoding='utf-8')}```" in first
    printed = [" ".join(line.split()) for line in written(mf.derive(mf.load(SPEC)), "measure").splitlines()]
    shown = [" ".join(line.split()) for line in first.splitlines() if line.startswith("    ")]
    equations = [line for line in shown if line[-1] == ")" and line[-4] == "("]
    assert len(equations) == 3
    assert not [line for line in equations if line not in printed]
    assert (ROOT / "docs" / "figures" / "first_screen.svg").is_file()
