"""Random brush strokes and rectangles after LaMa (arXiv 2109.07161), drawn at 256 pixels.

Smaller and larger masks are the drawing resized: a pixel is hole where at least half of it is
covered. So a seed gives the same shapes, of the same area, at every size (our choice).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radpipe.lazy import cv2

FRAME = 256
_SUBPIXEL_BITS = 8


@dataclass(frozen=True)
class Strokes:
    """Polyline strokes. Lengths and widths in pixels of the 256 frame."""

    fewest: int
    most: int
    max_width: int
    max_length: int
    max_angle: int = 4
    max_segments: int = 5

    def draw(self, rng: np.random.Generator, canvas: np.ndarray) -> None:
        """Draw 255 into uint8 `[256, 256]`.

        1. Every stroke starts anywhere and has 1 to `max_segments` segments.
        2. A segment's angle is one of 0..max_angle - 1 radians (+ 0.01), mirrored in every other
           stroke; its length is 10 + [0, max_length), its width 5 + [0, max_width).
        3. Ends are clipped to the frame; the next segment starts there.
        """
        for stroke in range(rng.integers(self.fewest, self.most + 1)):
            start = rng.integers(0, FRAME, 2).astype(np.float64)
            for _ in range(rng.integers(1, self.max_segments + 1)):
                angle = 0.01 + rng.integers(0, self.max_angle)
                angle = 2 * np.pi - angle if stroke % 2 == 0 else angle
                length = 10 + rng.integers(0, self.max_length)
                width = 5 + rng.integers(0, self.max_width)
                end = np.clip(start + length * np.array([np.sin(angle), np.cos(angle)]), 0, FRAME)
                _line(canvas, start, end, int(width))
                start = end


@dataclass(frozen=True)
class Rectangles:
    """Axis-parallel rectangles. Sides and margin in pixels of the 256 frame."""

    fewest: int
    most: int
    min_side: int
    max_side: int
    margin: int

    def draw(self, rng: np.random.Generator, canvas: np.ndarray) -> None:
        """Draw 255 into uint8 `[256, 256]`; sides are in [min_side, max_side]."""
        for _ in range(rng.integers(self.fewest, self.most + 1)):
            sides = rng.integers(self.min_side, self.max_side + 1, 2)
            corner = rng.integers(self.margin, FRAME - self.margin - sides + 1)
            (x0, y0), (x1, y1) = corner, corner + sides
            canvas[y0:y1, x0:x1] = 255


def hole_of(shapes: Strokes | Rectangles, rng: np.random.Generator, size: int) -> np.ndarray:
    """What is drawn, at the mask's size; may be empty where strokes are thinner than a pixel.

    Args:
        shapes: what is drawn.
        rng: the only source of randomness.
        size: side of the mask, pixels.

    Returns:
        bool `[size, size]`, True = hole.
    """
    canvas = np.zeros((FRAME, FRAME), np.uint8)
    shapes.draw(rng, canvas)
    return resize(canvas, size)


def resize(canvas: np.ndarray, size: int) -> np.ndarray:
    """uint8 `[256, 256]` of 0 and 255 -> bool `[size, size]`: at least half covered."""
    method = cv2.INTER_AREA if size <= FRAME else cv2.INTER_LINEAR
    resized: np.ndarray = cv2.resize(canvas, (size, size), interpolation=method)
    return resized >= 128


def _line(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, width: int) -> None:
    """A line with round ends between points (x, y) in pixels, kept to a fraction of a pixel."""
    first, last = np.rint(np.stack([start, end]) * 2**_SUBPIXEL_BITS).astype(int).tolist()
    cv2.line(canvas, first, last, 255, width, cv2.LINE_8, _SUBPIXEL_BITS)
