"""Extreme: only a box is known, three quarters of the image are the hole."""

from __future__ import annotations

import numpy as np

from radpipe.masks import box

SMALLEST = box.SMALLEST


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole."""
    return ~box.sample(rng, size)
