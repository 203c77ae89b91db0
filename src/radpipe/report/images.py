"""Grids of images: every picture element of an image is the same whole number of dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radpipe.lazy import matplotlib
from radpipe.report import style

GAP = 3  # dots between images
BETWEEN = 24  # dots between grids
EDGE = 6  # dots of the border
TITLE, TITLES = 30, 64  # dots above a grid; above one whose columns have titles
AXIS = 52  # dots for the names below an axis
SIDE = 64  # dots that a small image is brought to at least
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Grid:
    """Images in rows and columns.

    Attributes:
        title: above the grid.
        columns: a title per column, may be empty.
        images: `[rows][columns]` uint8 `[H, W, 3]`.
        gap: grey level between the images.
    """

    title: str
    columns: Sequence[str]
    images: Sequence[Sequence[np.ndarray]]
    gap: int = 255


def with_hole(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The image, uint8 `[H, W, 3]`, its hole (bool `[H, W]`, True = hole) as a grey chequer, which
    no photograph contains."""
    side = max(2, image.shape[0] // 16)
    rows, columns = np.indices(hole.shape) // side
    chequer = np.where((rows + columns) % 2, 150, 190).astype(np.uint8)
    return np.where(hole[..., None], chequer[..., None], image)


def join(grid: Grid) -> np.ndarray:
    """One picture of a grid, uint8 `[H, W, 3]`."""
    images = np.array([list(row) for row in grid.images])
    scale = max(1, -(-SIDE // images.shape[2]))
    big = images.repeat(scale, axis=2).repeat(scale, axis=3)
    edges = [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)]
    padded = np.pad(big, edges, constant_values=grid.gap)
    rows, columns, height, width = padded.shape[:4]
    joined = padded.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return joined[:-GAP, :-GAP]


def draw(
    bands: Sequence[Sequence[Grid]], names: Sequence[str], left: int, foot: int = 0
) -> tuple[matplotlib.figure.Figure, list[list[Rectangle]]]:
    """Grids beside each other in bands below each other.

    Args:
        bands: per band its grids, all with the same rows.
        names: a name per row, or none.
        left: dots for the rows' names.
        foot: dots kept free below each band.

    Returns:
        The figure; and per band and grid the free place below, as left, bottom, width, height in
        fractions of the figure, with room for an axis label below and tick labels beside it.
    """
    joined = [[join(grid) for grid in band] for band in bands]
    above = [TITLES if any(any(g.columns) for g in band) else TITLE for band in bands]
    high = [max(picture.shape[0] for picture in band) for band in joined]
    wide = [sum(picture.shape[1] + BETWEEN for picture in band) - BETWEEN for band in joined]
    width = left + max(wide) + EDGE
    height = sum(above) + sum(high) + foot * len(bands) + EDGE
    feet: list[list[Rectangle]] = []
    with style.rc():
        figure = style.canvas(width / style.DPI, height / style.DPI, layout=None)
        top = 0
        for band, pictures, room, rows in zip(bands, joined, above, high, strict=True):
            x, y = left, top + room
            feet.append([])
            for grid, picture in zip(band, pictures, strict=True):
                down, across = picture.shape[:2]
                place = x / width, 1 - (y + down) / height, across / width, down / height
                _place(figure, place, grid, picture, names if x == left else ())
                bottom = 1 - (y + down + foot - AXIS) / height
                feet[-1].append((x / width, bottom, across / width, (foot - AXIS - 20) / height))
                x += across + BETWEEN
            top += room + rows + foot
    return figure, feet


def _place(
    figure: matplotlib.figure.Figure,
    place: Rectangle,
    grid: Grid,
    picture: np.ndarray,
    names: Sequence[str],
) -> None:
    """One grid at its place, with its titles and row names."""
    high, wide = picture.shape[:2]
    axes = figure.add_axes(place)
    axes.imshow(picture, interpolation="none", aspect="auto", extent=(0, wide, high, 0))
    axes.set_axis_off()
    axes.set(xlim=(0, wide), ylim=(high, 0))
    above = -34 if any(grid.columns) else -6
    axes.text(wide / 2, above, grid.title, ha="center", va="bottom", fontweight="bold")
    step = (wide + GAP) / len(grid.images[0])
    for position, text in enumerate(grid.columns):
        x = position * step + (step - GAP) / 2
        axes.text(x, -4, text, ha="center", va="bottom", fontsize=6)
    step = (high + GAP) / len(grid.images)
    for position, text in enumerate(names):
        axes.text(-8, position * step + (step - GAP) / 2, text, ha="right", va="center")


def spread(ids: list[str], count: int) -> list[str]:
    """`count` of the ids at equal distances, all of them if there are fewer."""
    count = min(count, len(ids))
    return [ids[i * len(ids) // count] for i in range(count)]
