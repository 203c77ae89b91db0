"""What a network of fixed size sees of a picture of any size: a square around each hole.

Pixels of the hole never reach the network: where squares are made smaller, a pixel that any of
the hole falls into belongs to the hole; where they are made larger, the hole is first filled with
its nearest known pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radpipe.errors import UserError
from radpipe.lazy import scipy

Crop = Literal["auto", "whole", "none"]
Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
CONTEXT = 2  # side of the square: so many times the hole's longer side [our choice]
NEAR = 1 / 16  # holes nearer than this share of the picture's longer side are one [our choice]


@dataclass(frozen=True)
class Piece:
    """A hole, or several close together, and what is shown to the network.

    Attributes:
        rows, columns: indices of the pixels that are shown; mirrored at the picture's border.
        box: rows and columns of the picture that hold the hole.
        offset: where `box` begins in what is shown.
        hole: bool, of the size of `box`: the pixels that are replaced.
        side: of the network's square in pixels; None: all is shown as it is.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    box: tuple[slice, slice]
    offset: tuple[int, int]
    hole: Mask
    side: int | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the network's picture."""
        return (self.side, self.side) if self.side else (len(self.rows), len(self.columns))

    @property
    def reduction(self) -> float:
        """How many pixels of the picture one of the network's stands for, along a side."""
        return len(self.rows) / self.shape[0]

    def show(self, picture: Pixels, unknown: Mask) -> tuple[Pixels, Mask]:
        """The network's picture, uint8 `[S, S, 3]`, and its hole, bool `[S, S]`.

        Args:
            picture: uint8 `[H, W, 3]`.
            unknown: bool `[H, W]`: all pixels that are not known yet.
        """
        shown = np.ix_(self.rows, self.columns)
        seen, hidden = picture[shown], unknown[shown]
        if self.reduction == 1:
            return seen, hidden
        kernel = Image.Resampling.BOX
        if self.reduction < 1:
            seen, kernel = _nearest_known(seen, hidden), Image.Resampling.LANCZOS
        share = Image.fromarray(hidden.astype(np.float32)).resize(self.shape, Image.Resampling.BOX)
        small = Image.fromarray(seen).resize(self.shape, kernel)
        return np.asarray(small), np.asarray(share) > 1e-6

    def put(self, answer: Pixels, picture: Pixels) -> None:
        """Replace the hole in `picture` by the network's answer, uint8 `[S, S, 3]`."""
        if self.reduction != 1:
            size = (len(self.columns), len(self.rows))
            answer = np.asarray(Image.fromarray(answer).resize(size, Image.Resampling.LANCZOS))
        (top, left), (height, width) = self.offset, self.hole.shape
        inner = answer[top : top + height, left : left + width]
        picture[self.box][self.hole] = inner[self.hole]


def pieces(hole: Mask, side: int | None, crop: Crop, where: str = "") -> list[Piece]:
    """What to inpaint, one after the other, from the top of the picture down.

    Args:
        hole: bool `[H, W]`, True = hole.
        side: of the network in pixels; None: it takes any size, and the picture is one piece.
        crop: auto: a square around each separate hole; whole: the whole picture, mirrored up to a
            square; none: the picture must have the network's size.
        where: what to call the picture in messages.

    Raises:
        UserError: crop is none and the picture has another size.
    """
    (height, width), longest = hole.shape, max(hole.shape)
    everything = (slice(0, height), slice(0, width))
    if side is None or hole.shape == (side, side):
        return [_piece(everything, hole, hole.shape, hole.shape, side)]
    if crop == "none":
        raise UserError(
            f"the picture is {width}x{height} pixels, the network wants {side}x{side}",
            where,
            f"crop it to a square and resize it to {side}x{side}, or leave out --crop none",
        )
    if crop == "whole":
        return [_piece(everything, hole, (longest, longest), hole.shape, side)]
    near = max(side // 2, round(longest * NEAR))
    labels, _ = scipy.ndimage.label(scipy.ndimage.maximum_filter(hole, size=near), np.ones((3, 3)))
    labels[~hole] = 0
    found = []
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        part = labels[box] == number
        length = _length(max(part.shape), side, hole.shape)
        found.append(_piece(box, part, (length, length), hole.shape, side))
    return found


def _length(hole: int, side: int, shape: tuple[int, ...]) -> int:
    """Side of the square around a hole: with context, inside the picture where there is some."""
    inside = min(shape)
    return min(max(side, CONTEXT * hole), inside if 4 * hole <= 3 * inside else max(shape))


def _piece(
    box: tuple[slice, slice],
    hole: Mask,
    lengths: tuple[int, ...],
    shape: tuple[int, ...],
    side: int | None,
) -> Piece:
    """The piece that shows so many rows and columns around a box."""
    starts = [_start(*of) for of in zip(box, lengths, shape, strict=True)]
    rows, columns = (_mirrored(*of) for of in zip(starts, lengths, shape, strict=True))
    offset = (box[0].start - starts[0], box[1].start - starts[1])
    return Piece(rows, columns, box, offset, hole, side)


def _start(part: slice, length: int, limit: int) -> int:
    """Where a stretch around a part starts that lies inside 0..limit, or around all of it."""
    if length > limit:
        return (limit - length) // 2
    middle = part.start - (length - (part.stop - part.start)) // 2
    return min(max(middle, 0), limit - length)


def _mirrored(start: int, length: int, limit: int) -> NDArray[np.int64]:
    """Indices from `start` on; those outside 0..limit mirrored at the border."""
    index = np.arange(start, start + length) % (2 * limit)
    return np.minimum(index, 2 * limit - 1 - index)


def _nearest_known(picture: Pixels, unknown: Mask) -> Pixels:
    """The hole filled with the colour of the nearest known pixel; grey where none is known."""
    if unknown.all():
        return np.full_like(picture, 128)
    nearest: Any = scipy.ndimage.distance_transform_edt(
        unknown, return_distances=False, return_indices=True
    )
    return np.asarray(picture[tuple(nearest)])
