"""Wide: LaMa's thick masks at 256 pixels, scaled.

Strokes (1-5, width up to 105, length up to 210) with weight 1, or rectangles (1-3, side 30-150,
margin 10) with weight 0.3; masks whose hole exceeds half of the image are drawn again.
"""

from __future__ import annotations

import numpy as np

from radpipe.masks._strokes import Rectangles, Strokes, at_most_half

SMALLEST = 16

STROKES = Strokes(fewest=1, most=5, max_width=100, max_length=200)
RECTANGLES = Rectangles(fewest=1, most=3, min_side=30, max_side=150, margin=10)
RECTANGLE_WEIGHT = 0.3


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole."""

    def draw(canvas: np.ndarray) -> None:
        rectangles = rng.random() < RECTANGLE_WEIGHT / (1 + RECTANGLE_WEIGHT)
        (RECTANGLES if rectangles else STROKES).draw(rng, canvas)

    return at_most_half(draw, size)
