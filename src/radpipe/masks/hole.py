"""The one polarity: white = True = 1 = hole = to be generated; black = known.

Masks of other projects are often the other way round (1 = known): convert where they enter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radpipe import pictures
from radpipe.errors import UserError

THRESHOLD = 128  # grey level from which a pixel is white, of 0 to 255
_ONE_PAINT = 16  # levels by which the pixels of one paint may differ


@dataclass(frozen=True)
class Hole:
    """A hole and how it was found.

    Attributes:
        mask: bool `[H, W]`, True = hole.
        notes: what a user should know of how the mask was understood.
    """

    mask: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def read(path: Path, size: tuple[int, int] | None = None, **options: bool | int) -> Hole:
    """A user's mask file as a hole; see `find`.

    Raises:
        UserError: it cannot be read, or `find` refuses it.
    """
    return find(pictures.read(path, "mask"), size, str(path), **options)  # type: ignore[arg-type]


def find(
    mask: pictures.Picture,
    size: tuple[int, int] | None = None,
    where: str = "",
    threshold: int = THRESHOLD,
    invert: bool = False,
    resize: bool = False,
) -> Hole:
    """The hole that a mask marks.

    White is the hole. Where a mask is transparent in places, these decide: paint of one bright
    colour on nothing marks the hole (as in IOPaint, and as diffusers reads it); otherwise what was
    erased is the hole (as in OpenAI's image edits and InvokeAI).

    Args:
        mask: the decoded mask.
        size: (height, width) it must have; None allows any.
        where: what to call the mask in messages.
        threshold: level from which a pixel is white, 1 to 255.
        invert: black (or what the rules above keep) is the hole.
        resize: bring a mask of another size to `size`, nearest pixel, instead of refusing it.

    Raises:
        UserError: another size, no hole, or transparency that contradicts the colours.
    """
    levels, notes = _levels(mask, where)
    if size is not None and levels.shape != tuple(size):
        if not resize:
            raise UserError(
                f"the mask is {levels.shape[1]}x{levels.shape[0]} pixels, "
                f"the image is {size[1]}x{size[0]}",
                where,
                "resize the mask to the image without smoothing (nearest neighbour): "
                "--resize-mask does",
            )
        notes.append(f"mask resized from {levels.shape[1]}x{levels.shape[0]}")
        shape = (size[1], size[0])
        levels = np.asarray(Image.fromarray(levels).resize(shape, Image.Resampling.NEAREST))
    if grey := int(np.count_nonzero((levels > 0) & (levels < 255))):
        share = f"{grey / levels.size:.1%}"
        notes.append(f"{grey} grey pixels of the mask ({share}) decided at level {threshold}")
    hole = (levels >= threshold) != invert
    if not hole.any():
        least, most = int(levels.min()), int(levels.max())
        raise UserError(
            f"the mask marks no hole: its levels are {least} to {most} of 255, "
            f"and {'less than' if invert else 'at least'} {threshold} marks the hole",
            where,
            "paint what is to be generated white; if black was meant as the hole: --invert; "
            "if white is darker than that: --threshold",
        )
    return Hole(hole, tuple(notes))


def _levels(mask: pictures.Picture, where: str) -> tuple[NDArray[np.uint8], list[str]]:
    """Grey levels uint8 `[H, W]`, 255 = hole, by colour or by transparency."""
    colour = np.asarray(Image.fromarray(mask.rgb).convert("L"))
    alpha, notes = mask.alpha, list(mask.notes)
    if alpha is None or alpha.min() == alpha.max():
        return colour, notes
    visible = alpha >= max(1, int(alpha.max()) // 2)
    paint = mask.rgb[visible].astype(int)
    least, most = paint.min(0), paint.max(0)
    if most.max() > 2 * _ONE_PAINT and (most - least).max() <= _ONE_PAINT:
        alpha = np.rint(alpha * (255 / alpha.max())).astype(np.uint8)  # paint may be translucent
        return alpha, [*notes, "by the mask's alpha channel: the paint is the hole"]
    pure = np.isin(colour[visible], (0, 255)).all() and most.max() > 0
    if pure:
        raise UserError(
            "the mask is white, black and transparent: which of them is the hole is unclear",
            where,
            "save it without an alpha channel, the hole white and the rest black",
        )
    return 255 - alpha, [*notes, "by the mask's alpha channel: what is transparent is the hole"]
