"""The list of rooms and files of docs/architecture.md, made of the first sentences of the files themselves.

``python tests/architecture_page.py`` writes the page again.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- files -->\n", "<!-- end of files -->"


def first_sentence(path):
    """The first paragraph of a file's docstring as one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def room_lines(package, room):
    """The table of one room."""
    place = package / room
    files = [package / f"{room}.py"] if not place.is_dir() else sorted(place.rglob("*.py"))
    opening = first_sentence(place / "__init__.py") if place.is_dir() else ""
    lines = [f"### {room}", "", *([opening, ""] if opening else []), "| file | role |", "|---|---|"]
    for path in files:
        if path.name != "__init__.py":
            lines.append(f"| `{path.relative_to(package).as_posix()}` | {first_sentence(path)} |")
    return [*lines, ""]


def page(order):
    """The text of the page as it should be; ``order`` is the list of rooms."""
    package = ROOT / "mfderive"
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    lines = [line for room in order for line in room_lines(package, room)]
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"{END}{after}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from tests.test_architecture import ORDER

    PAGE.write_text(page(ORDER), encoding="utf-8")
