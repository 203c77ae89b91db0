"""Box: one square hole of half the image's side (at 256: 128 x 128).

The top-left corner is uniform in [0, size/2 - 1] (at 256: [0, 127]), as the authors have it.
"""

from __future__ import annotations

import numpy as np

SMALLEST = 4


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole."""
    side = size // 2
    top, left = rng.integers(0, size - side, 2)
    hole = np.zeros((size, size), np.bool_)
    hole[top : top + side, left : left + side] = True
    return hole
