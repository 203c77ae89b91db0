"""Answers side by side, and the hole coming alive as an animation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from radpipe.inpainting.crop import Piece, Pixels
from radpipe.inpainting.save import write

SIDES = (256, 512)  # a picture shown has a longer side between these, pixels
GAP = 4  # pixels between the tiles of a sheet
FRAMES = 60  # of an animation, at most
FRAME_MS, LAST_MS = 60, 2000  # how long a frame is shown, and the last


def scaled(picture: Pixels, sides: tuple[int, int] = SIDES) -> Image.Image:
    """Small pictures as large squares of pixels, large ones reduced, so that the longer side is
    within about `sides`."""
    image = Image.fromarray(picture)
    longest = max(image.size)
    if longest > sides[1]:
        image.thumbnail((sides[1], sides[1]), Image.Resampling.BOX)
        return image
    factor = math.ceil(sides[0] / longest)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def save_sheet(path: Path, shown: Sequence[Pixels]) -> None:
    """A contact sheet of pictures of one size, row by row."""
    tiles = [scaled(picture) for picture in shown]
    columns = math.ceil(math.sqrt(len(tiles)))
    width, height = tiles[0].width + GAP, tiles[0].height + GAP
    size = (columns * width - GAP, math.ceil(len(tiles) / columns) * height - GAP)
    sheet = Image.new("RGB", size, "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * width, number // columns * height))
    write(sheet, path, format="PNG")


class Film:
    """What the network sees of one picture on its way.

    Args:
        states: how many there will be; at most `FRAMES` of them are kept.
        parts: what is filled.
    """

    def __init__(self, states: int, parts: Sequence[Piece]) -> None:
        self.every, self.count = math.ceil(states / FRAMES), 0
        self.frames: list[Image.Image] = []
        rows = np.concatenate([piece.rows for piece in parts])
        columns = np.concatenate([piece.columns for piece in parts])
        self.seen = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]

    def add(self, make: Callable[[], Pixels]) -> None:
        """Keep a state, or pass it over where there are many."""
        if self.count % self.every == 0:
            self.frames.append(scaled(make()[self.seen]))
        self.count += 1

    def save(self, path: Path, first: Pixels, last: Pixels) -> None:
        """An endless GIF."""
        frames = [scaled(first[self.seen]), *self.frames, scaled(last[self.seen])]
        times = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
        options = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0}
        write(frames[0], path, format="GIF", **options)
