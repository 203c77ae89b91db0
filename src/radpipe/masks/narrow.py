"""Narrow: LaMa's thin masks at 256 pixels, scaled: 4-51 strokes, width 5-14, length 10-49.

LaMa's configuration says 4 to 50 strokes; its generator draws up to one more.
At 32 pixels the thinnest strokes are thinner than a pixel and leave gaps.
"""

from __future__ import annotations

import numpy as np

from radpipe.masks._strokes import Strokes, hole_of

SMALLEST = 16
LIMITED = True

STROKES = Strokes(fewest=4, most=51, max_width=10, max_length=40)


def sample(rng: np.random.Generator, size: int) -> np.ndarray:
    """One hole: bool `[size, size]`, True = hole."""
    return hole_of(STROKES, rng, size)
