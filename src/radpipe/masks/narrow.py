"""Narrow: LaMa's thin masks at 256 pixels, scaled: 4-50 strokes, width up to 15, length up to 50.

At 32 pixels the thinnest strokes are thinner than a pixel and leave gaps.
Masks whose hole exceeds half of the image are drawn again.
"""

from __future__ import annotations

import numpy as np

from radpipe.masks._strokes import Strokes, at_most_half

SMALLEST = 16

STROKES = Strokes(fewest=4, most=50, max_width=10, max_length=40)


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole."""
    return at_most_half(lambda canvas: STROKES.draw(rng, canvas), size)
