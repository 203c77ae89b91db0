"""The one polarity: white = True = 1 = hole = to be generated; black = known.

Masks of other projects are often the other way round (1 = known): convert where they enter.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from radpipe.errors import UserError


def read(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """A user's mask file as a hole.

    Args:
        path: a picture, every pixel pure white (hole) or pure black (known).
        size: (height, width) it must have; None allows any.

    Returns:
        bool `[H, W]`, True = hole.

    Raises:
        UserError: when it is no picture, has grey pixels, another size, or no white pixel.
    """
    try:
        with Image.open(path) as picture:
            levels = _levels(picture, path)
    except FileNotFoundError:
        raise UserError("there is no such mask file", str(path)) from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"the mask is not a readable picture: {error}", str(path)) from None
    if size is not None and levels.shape != tuple(size):
        raise UserError(
            f"the mask is {levels.shape[1]}x{levels.shape[0]} pixels, "
            f"the image is {size[1]}x{size[0]}",
            str(path),
            "resize the mask to the image, without smoothing (nearest neighbour)",
        )
    if not levels.any():
        raise UserError(
            "the mask is all black: white marks the hole",
            str(path),
            "paint what is to be generated white (if black was meant as the hole, invert it)",
        )
    return levels == 255


def _levels(picture: Image.Image, path: Path) -> np.ndarray:
    """Grey levels uint8 `[H, W]`, all 0 or 255, or the refusal."""
    pixels = np.asarray(picture.convert("RGBA"))
    grey = pixels[..., 0]
    if (pixels[..., 3] < 255).any():
        raise UserError(
            "the mask has transparent pixels",
            str(path),
            "save it without an alpha channel, the hole white and the rest black",
        )
    pure = (pixels[..., :3] == grey[..., None]).all(-1) & np.isin(grey, (0, 255))
    if not pure.all():
        row, column = np.argwhere(~pure)[0]
        raise UserError(
            f"the mask has {np.count_nonzero(~pure)} pixels that are neither black nor white "
            f"(the first in row {row}, column {column})",
            str(path),
            "paint the hole pure white (255) and the rest pure black (0), and save it as PNG: "
            "JPEG and smooth brushes make grey edges",
        )
    return grey
