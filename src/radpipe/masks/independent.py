"""Independent pixels: the ablation's masks without any region, of the same areas as Perlin's."""

from __future__ import annotations

import numpy as np

from radpipe.masks.perlin import largest

SMALLEST = 4


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole; the area is uniform, the places are chance."""
    return largest(np.zeros((size, size)), rng)
