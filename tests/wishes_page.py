"""The table of words of other programs in docs/layers.md, made of the table that messages are made of.

``python tests/wishes_page.py`` writes the page again.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "layers.md"
BEGIN, END = "<!-- wishes -->\n", "<!-- end of wishes -->"


def page():
    """The text of the page as it should be."""
    from mfderive.errors.wishes import FUNCTION_WISHES, WISHES

    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    rows = [
        f"| {' '.join(f'`{word}`' for word in each.words)}{where} | {each.sentence} |"
        for table, where in ((WISHES, ""), (FUNCTION_WISHES, " as a function"))
        for each in table
    ]
    return before + BEGIN + "\n".join(["| word | answer |", "|---|---|", *rows, ""]) + END + after


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")
