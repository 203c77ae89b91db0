"""Perlin noise cut at a level: the masks RAD is trained with.

One octave of the package `noise` (quintic fade), cells of 1 to H pixels, and a level such that
the hole's area is uniform. `noise`'s own `base=` reads beyond its table and is never used; the
seed moves the window over the noise plane instead, which repeats after 256 cells.
"""

from __future__ import annotations

import numpy as np
from noise import pnoise2

SMALLEST = 4
_PERIOD = 256  # cells


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole.

    1. Cell size uniform in {1, ..., size} pixels; the window's offset uniform over the period.
    2. The hole is the k largest values, k uniform in {1, ..., size**2}, so that its area is
       uniform whatever the noise's distribution is. It is never empty: a mask without a hole has
       nothing to learn from.
    3. Equal values, which small cells have, are ranked by chance.
    """
    cell = int(rng.integers(1, size + 1))
    offset = rng.uniform(0, _PERIOD, 2)
    return largest(field(size, cell, offset), rng)


def field(size: int, cell: int, offset: np.ndarray) -> np.ndarray:
    """Perlin noise: float64 `[size, size]` in (-1, 1); `offset` is (x, y) in cells."""
    xs = [float(offset[0] + i / cell) for i in range(size)]
    ys = [float(offset[1] + i / cell) for i in range(size)]
    return np.array([[pnoise2(x, y) for x in xs] for y in ys])


def largest(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The k largest of `[H, W]` as bool `[H, W]`, k uniform in {1, ..., H W}."""
    count = int(rng.integers(1, values.size + 1))
    order = np.lexsort((rng.permutation(values.size), values.ravel()))
    hole = np.zeros(values.size, np.bool_)
    hole[order[values.size - count :]] = True
    return hole.reshape(values.shape)
