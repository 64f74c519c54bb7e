"""One answer to words of other programs, and the pages that answers name."""

from __future__ import annotations

from dataclasses import dataclass

LAYERS = "docs/layers.md"
DENSE = f"{LAYERS}#dense-layers-parameters-laws"
SKIPS = f"{LAYERS}#skips-shared-neurons-several-inputs"
CONVOLUTION = f"{LAYERS}#convolution-and-pooling"
GROUPS = f"{LAYERS}#groups"
NORMALISATION = f"{LAYERS}#normalisation"
RECURRENCE = f"{LAYERS}#recurrence"
OWN_KIND = f"{LAYERS}#a-kind-of-your-own"
TRAINING = "docs/training.md"
RULES = f"{TRAINING}#learning-rules"
OWN_RULE = f"{TRAINING}#a-rule-of-your-own"
SCHEDULES = f"{TRAINING}#schedules"
BESIDE = f"{TRAINING}#weight-decay-noise-clipping-dropout"
FUNCTIONS = f"{LAYERS}#functions"
DATA = "docs/data.md"
CLASSES = f"{DATA}#classes"
UNITS = f"{DATA}#units"
SPEC = "README.md#a-spec-file"


@dataclass(frozen=True)
class Wish:
    """A sentence, and the page that says more; ``words`` are the spellings that it answers."""

    words: tuple[str, ...]
    sentence: str
    page: str


def row(words: str, sentence: str, page: str) -> Wish:
    """An answer to words that are separated by spaces."""
    return Wish(tuple(words.split()), sentence, page)
