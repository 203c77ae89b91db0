"""Wide: LaMa's thick masks at 256 pixels, scaled.

Strokes (1-6, width 5-104, length 10-209) with weight 1, or rectangles (1-3, side 30-150, margin
10) with weight 0.3. LaMa's configuration says 1 to 5 strokes; its generator draws up to one more.
"""

from __future__ import annotations

import numpy as np

from radpipe.masks._strokes import Rectangles, Strokes, hole_of

SMALLEST = 16
LIMITED = True

STROKES = Strokes(fewest=1, most=6, max_width=100, max_length=200)
RECTANGLES = Rectangles(fewest=1, most=3, min_side=30, max_side=150, margin=10)
RECTANGLE_WEIGHT = 0.3


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole."""
    rectangles = rng.random() < RECTANGLE_WEIGHT / (1 + RECTANGLE_WEIGHT)
    return hole_of(RECTANGLES if rectangles else STROKES, rng, size)
