"""Independent draws from the laws of initial values."""

from __future__ import annotations

import zlib

import numpy as np


def generator(name: str, seed: int) -> np.random.Generator:
    """The random generator of one parameter: its draws do not depend on which others exist."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
