"""Fresh noise of every step."""

from __future__ import annotations

import zlib

import numpy as np

from .compilation import Array


def normal_draws(out: Array, parameter: str, seed: int, k: int) -> Array:
    """Fill an array with standard normal numbers for the entries of a parameter: a function of seed and k."""
    draws = np.random.default_rng([seed, zlib.crc32(f"noise {parameter}".encode()), k])
    out[...] = draws.standard_normal(out.shape)
    return out
