"""Sentences about data, made of :class:`DataFacts` and of findings: for `show`, the page and warnings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..algebra.findings import Finding, FindingKind, sentence_of
from ..errors import quoted
from .columns import OneHot
from .data_facts import Classes, DataFacts
from .data_place import few
from .delimited import DELIMITERS, Skipped, TableFormat
from .labels import listed
from .scaling import STANDARDIZE, Scaling

_LISTED = 12
_SKIPPED = {
    "sizes": "it gives the numbers of rows and columns",
    "comment": "it is a comment",
    "skip_rows": "the spec says so",
}


def fact_lines(facts: DataFacts) -> list[str]:
    """What was found in the data and done to it, one sentence per fact."""
    lines: list[str] = []
    if facts.table is not None:
        lines += _table(facts.table, facts.unnamed)
    if facts.inputs is not None and facts.table is not None:
        lines.append(f"inputs: {_names([few(label) for label in facts.inputs.labels])}")
    if facts.inputs is not None:
        lines += [_one_hot(hot) for hot in facts.inputs.one_hot if hot is not None]
    if facts.targets and facts.table is not None:
        lines.append(f"targets: {_names([few(target) for target in facts.targets])}")
    if facts.dropped:
        lines.append(f"{facts.dropped} row{'s' * (facts.dropped > 1)} with missing values left out")
    if facts.ignored:
        count = len(facts.ignored)
        are = "file that is no image was" if count == 1 else "files that are no images were"
        lines.append(f"{count} {are} left out, first {quoted(few(facts.ignored[0]))}")
    if facts.classes is not None and (facts.classes.renamed or facts.classes.names):
        lines.append(_classes(facts.classes))
    for scale, what in ((facts.scale, "inputs"), (facts.target_scale, "targets")):
        if scale is not None and not (what == "targets" and scale is facts.scale):
            lines.append(_scaled(scale, what))
    if facts.split is not None:
        split = facts.split
        held = f", {split.test} for testing" if split.test else ""
        how = " (each class has its share)" if split.stratified else ""
        lines.append(f"rows: {split.training} for training{held}{how}")
    return lines


def _table(form: TableFormat, unnamed: Sequence[str]) -> list[str]:
    found = f"cells separated by {DELIMITERS[form.delimiter]}s"
    heads = "no headings" if form.headings is None else f"headings in line {form.headings}"
    lines = [f"{found}{' (found in the file)' if form.sniffed else ''}, {heads}"]
    lines += [_skipped(line) for line in form.skipped[:3]]
    if len(form.skipped) > 3:
        lines.append(f"{len(form.skipped) - 3} more lines skipped")
    lines += [f"{column} has no heading and no values (or row numbers): not used" for column in unnamed]
    return lines


def _skipped(line: Skipped) -> str:
    return f"line {line.line} ('{line.text}') skipped: {_SKIPPED[line.why]}"


def _names(names: Sequence[str]) -> str:
    cut = [*names[:_LISTED], *([f"… ({len(names)} columns)"] if len(names) > _LISTED else [])]
    return ", ".join(cut)


def _one_hot(hot: OneHot) -> str:
    values = listed(hot.values)
    return f"{quoted(hot.column)} became {len(hot.values)} columns of 0 and 1: {values}"


def _classes(classes: Classes) -> str:
    called = [few(str(label)) for label in classes.labels[:_LISTED]]
    if classes.names:
        called = [f"{label} ({few(name)})" for label, name in zip(called, classes.names, strict=False)]
    if classes.outputs == 1:
        pairs = [f"{label} → {sign}" for label, sign in zip(called, ("-1", "+1"), strict=False)]
        return f"labels: {', '.join(pairs)}"
    some = [f"{label} → {k}" for k, label in enumerate(called)]
    more = [f"… ({len(classes.labels)} classes)"] if len(classes.labels) > _LISTED else []
    return f"labels → outputs (counted from 0): {', '.join([*some, *more])}"


def _scaled(scale: Scaling, what: str) -> str:
    if scale.asked == STANDARDIZE:
        how = "to mean 0 and standard deviation 1"
    else:
        low, high = (0.0, 1.0) if isinstance(scale.asked, str) else scale.asked
        how = f"to {float(low):g} … {float(high):g}"
    units = ", ".join(_size(unit) for unit in scale.unit[:_LISTED])
    units += ", …" if len(scale.unit) > _LISTED else ""
    back = "" if what == "inputs" else "; the loss is that of scaled targets, predict scales back"
    return (
        f"each column of the {what} scaled {how} by the training rows (one unit is {units} of the data){back}"
    )


def _size(value: float) -> str:
    """A size in three digits, large ones as people write them."""
    return f"{value:,.0f}" if 100 <= value < 1e9 else f"{value:.3g}"


# --- findings --------------------------------------------------------------------------------------------


def finding_text(finding: Finding) -> str:
    """What a finding about data says: what was found, what follows, what to do."""
    return sentence_of(_SENTENCES, finding, "samples/data_sentences.py")(finding.facts, finding.subjects)


def _single(facts: Mapping[str, Any], subjects: Sequence[str]) -> str:
    return (
        f"Every label is {few(str(facts['label']))}: there is one class, so that nothing is told apart. "
        "Check the column of labels (y)."
    )


def _many(facts: Mapping[str, Any], subjects: Sequence[str]) -> str:
    column = f" in {few(subjects[0])}" if subjects else ""
    return (
        f"There are {facts['classes']:,} different labels{column} for {facts['rows']:,} rows, each of them a "
        "class with an output of its own. If they are numbers to be learned, take a loss like squared; if "
        "they are names of rows, take another column for y."
    )


def _gap(facts: Mapping[str, Any], subjects: Sequence[str]) -> str:
    labels, out = facts["labels"], facts["left_out"]
    verb = "occur" if len(out) > 1 else "occurs"
    return (
        f"The labels run from {labels[0]} to {labels[-1]}, but {listed(out)} never {verb}: the network has "
        f"{len(labels)} outputs, one for each label that occurs. If there should be more classes, set "
        "outputs in [output] and number the labels from 0."
    )


def _idle(facts: Mapping[str, Any], subjects: Sequence[str]) -> str:
    unused = facts["unused"]
    what, verb = ("outputs", "occur") if len(unused) > 1 else ("output", "occurs")
    which = f"{what} {listed(unused)} (counted from 0) never {verb}"
    return (
        f"outputs = {facts['outputs']}, but the labels show {len(facts['labels'])} classes "
        f"({listed(facts['labels'])}): {which}. Leave 'outputs' out to have one output per class."
    )


def _uneven(facts: Mapping[str, Any], subjects: Sequence[str]) -> str:
    large, small = (
        ", ".join(f"{few(name)} ({_size(size)})" for name, size in facts[key]) for key in ("large", "small")
    )
    return (
        f"Columns of x differ in size by a factor of {_size(facts['factor'])}: the standard deviation is "
        f"large in {large}, small in {small}. Large columns drown the others, and training may not move. "
        'Scale the columns: scale = "standardize" in [data].'
    )


def _large(facts: Mapping[str, Any], subjects: Sequence[str]) -> str:
    lead = (
        f"The first pre-activations ({subjects[0]}) are about {_size(facts['got'])} in size; for inputs of "
        f"size 1 their weights' law gives {_size(facts['expected'])}. Inputs run from {facts['lowest']:g} to "
        f"{facts['highest']:g}"
    )
    if facts["pixels"]:
        return f"{lead}, as pixels do. Bring them to size 1: range = [-1, 1] in [data]."
    columns = ", ".join(f"{few(name)} ({_size(size)})" for name, size in facts["columns"])
    return (
        f'{lead}; the largest are {columns}. Bring them to size 1: scale = "standardize" in [data], or make '
        "the initial weights smaller."
    )


_SENTENCES: dict[str, Callable[[Mapping[str, Any], Sequence[str]], str]] = {
    FindingKind.SINGLE_CLASS: _single,
    FindingKind.MANY_CLASSES: _many,
    FindingKind.LABEL_GAP: _gap,
    FindingKind.IDLE_OUTPUTS: _idle,
    FindingKind.UNEVEN_COLUMNS: _uneven,
    FindingKind.LARGE_INPUTS: _large,
}
