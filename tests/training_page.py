"""The tables of docs/training.md, made of the tables that the program reads.

``python tests/training_page.py`` writes the page again.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "training.md"


def page():
    """The text of the page as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in (
        ("keys", keys()),
        ("rules", rules()),
        ("schedules", schedules()),
        ("beside", beside()),
    ):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + "".join(f"{line}\n" for line in lines) + end + rest.split(end)[1]
    return text


def keys():
    """Every key of [training]."""
    from mfderive.network.tables import TRAINING

    yield from ("| key | value | meaning |", "|---|---|---|")
    for key in TRAINING.values():
        yield f"| `{key.name}` | {key.type.words} | {key.meaning} |"


def rules():
    """Every rule: its step, its flow, its constants and what is known of its limit."""
    from mfderive.algebra.update_rules import RULES

    for row in RULES.values():
        yield from (f"### {row.name}", "", f"{row.doc[0].upper()}{row.doc[1:]}.", "")
        yield from (f"    {name} = {expression}" for name, expression in row.step)
        yield ""
        for constant in row.constants:
            default = "must be given" if constant.default is None else f"default {constant.default:g}"
            yield f"- `{constant.name}`: {constant.meaning}; {constant.allowed}, {default}."
        if row.flow is not None:
            moves = ", ".join(f"d{name}/dt = {expression}" for name, expression in row.flow)
            yield f"- Flow: `{moves}`{', for full batches' if row.flow_needs_all else ''}."
        decay = "stands beside the rule" if row.decoupled else "is added to the gradient"
        yield from (f"- Weight decay {decay}, unless `decoupled` says otherwise.", f"- {row.statement}", "")


def schedules():
    """Every schedule: its formula and its numbers."""
    from mfderive.network.schedules import SCHEDULES

    yield from ("| kind | factor after the warm-up | numbers |", "|---|---|---|")
    for row in SCHEDULES.values():
        numbers = "; ".join(f"`{key.name}`: {key.meaning}" for key in row.keys.values())
        yield f"| `{row.name}`: {row.doc} | `{row.formula}` | {numbers} |"


def beside():
    """What each of the parts beside the rule means for the limit."""
    from mfderive.algebra.learning_words import BESIDE

    yield from (f"- **{name}**: {sentence}" for name, sentence in BESIDE.items())


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")
