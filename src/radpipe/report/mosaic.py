"""Grids of images: every picture element of an image is the same whole number of dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radpipe.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 3  # dots between images
BETWEEN = 24  # dots between grids
LEFT, EDGE = 150, 6  # dots for row names and the border
TITLE, TITLES = 30, 64  # dots above a grid; above one whose columns have titles
AXIS = 52  # dots for the names below an axis
SIDE = 64  # dots that a small image is brought to at least


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
    """One picture of a grid."""
    height, width = grid.images[0][0].shape[:2]
    scale = max(1, -(-SIDE // height))
    rows, columns = len(grid.images), len(grid.images[0])
    step = (height * scale + GAP, width * scale + GAP)
    picture = np.full((rows * step[0] - GAP, columns * step[1] - GAP, 3), grid.gap, np.uint8)
    for r, row in enumerate(grid.images):
        for c, image in enumerate(row):
            big = image.repeat(scale, axis=0).repeat(scale, axis=1)
            y, x = r * step[0], c * step[1]
            picture[y : y + big.shape[0], x : x + big.shape[1]] = big
    return picture


def draw(
    bands: Sequence[Sequence[Grid]],
    names: Sequence[Sequence[str]],
    foot: int = 0,
    left: int = LEFT,
) -> Figure:
    """Grids beside each other in bands below each other.

    Args:
        bands: per band its grids, all with the same rows.
        names: per band a name per row, or none.
        foot: dots kept free below each band, for `foot_of`.
        left: dots for the rows' names.
    """
    size, boxes = _boxes(bands, foot, left)
    with style.rc():
        figure = style.canvas(size[0] / style.DPI, size[1] / style.DPI, layout=None)
        for band, row, own in zip(bands, boxes, names, strict=True):
            for position, (grid, box) in enumerate(zip(band, row, strict=True)):
                _place(figure, grid, box, size, own if position == 0 else [])
    return figure


def foot_of(
    bands: Sequence[Sequence[Grid]], band: int, position: int, foot: int, left: int
) -> tuple[float, float, float, float]:
    """Place of the free space below a grid as left, bottom, width, height in figure fractions;
    with room for an axis label below and tick labels beside it."""
    size, boxes = _boxes(bands, foot, left)
    x, y, wide, high = boxes[band][position]
    bottom = y + high + foot - AXIS
    return x / size[0], 1 - bottom / size[1], wide / size[0], (foot - AXIS - 20) / size[1]


Box = tuple[int, int, int, int]


def _boxes(
    bands: Sequence[Sequence[Grid]], foot: int, left: int
) -> tuple[tuple[int, int], list[list[Box]]]:
    """Size of the figure and of each grid (left, top, width, height), dots from the top left."""
    boxes, top = [], 0
    for band in bands:
        row, x = [], left
        above = TITLES if any(any(grid.columns) for grid in band) else TITLE
        for grid in band:
            high, wide = join(grid).shape[:2]
            row.append((x, top + above, wide, high))
            x += wide + BETWEEN
        boxes.append(row)
        top += above + max(box[3] for box in row) + foot
    width = max(row[-1][0] + row[-1][2] for row in boxes) + EDGE
    return (width, top + EDGE), boxes


def _place(
    figure: Figure, grid: Grid, box: Box, size: tuple[int, int], names: Sequence[str]
) -> None:
    """One grid in its box, with its titles and row names."""
    left, top, wide, high = box
    place = (left / size[0], 1 - (top + high) / size[1], wide / size[0], high / size[1])
    axes = figure.add_axes(place)
    axes.imshow(join(grid), interpolation="none", aspect="auto", extent=(0, wide, high, 0))
    axes.set_axis_off()
    axes.set_xlim(0, wide)
    axes.set_ylim(high, 0)
    above = -34 if any(grid.columns) else -6
    axes.text(wide / 2, above, grid.title, ha="center", va="bottom", fontweight="bold")
    step = (wide + GAP) / len(grid.images[0])
    for position, text in enumerate(grid.columns):
        x = position * step + (step - GAP) / 2
        axes.text(x, -4, text, ha="center", va="bottom", fontsize=6)
    step = (high + GAP) / len(grid.images)
    for position, text in enumerate(names):
        axes.text(-8, position * step + (step - GAP) / 2, text, ha="right", va="center")
