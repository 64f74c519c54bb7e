"""Notebooks as pages: their cells, and what they showed when they ran, as Markdown. Nothing is run.

A line ```` ```{notebook} NAME ```` with its end stands for all of ``examples/notebooks/NAME.ipynb``.
What notebooks elsewhere may hold (widgets, scripts) is not asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "notebooks"
_CALL = re.compile(r"^```\{notebook\} (\w+)\n```$", re.MULTILINE)
_FENCE = "`" * 6  # longer than any in a cell


def with_notebooks(text: str) -> str:
    """A page with the notebooks that it names written out."""
    return _CALL.sub(lambda found: markdown(FOLDER / f"{found[1]}.ipynb"), text)


def markdown(path: Path) -> str:
    """A notebook as Markdown."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return "\n\n".join(part for cell in notebook["cells"] for part in _cell(cell))


def _cell(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield re.sub(r"\((\w+)\.ipynb\)", r"(\1.md)", source)
        return
    yield _fenced("python", source)
    for output in cell["outputs"]:
        yield _shown(output)


def _shown(output: Mapping[str, Any]) -> str:
    """An output in its best form."""
    if output["output_type"] == "stream":
        return _fenced("text", "".join(output["text"]))
    data = {kind: "".join(value) for kind, value in output["data"].items()}
    if "text/html" in data:
        return _fenced("{raw} html", data["text/html"])
    if "image/png" in data:
        source = data["image/png"].replace("\n", "")
        image = f'<img src="data:image/png;base64,{source}" alt="The figure that the cell above draws">'
        return _fenced("{raw} html", image)
    if "text/latex" in data:
        return f"$$\n{data['text/latex'].strip().strip('$').strip()}\n$$"
    return _fenced("text", data["text/plain"])


def _fenced(kind: str, text: str) -> str:
    end = "" if text.endswith("\n") else "\n"
    return f"{_FENCE}{kind}\n{text}{end}{_FENCE}"
