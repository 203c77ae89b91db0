"""Masks: a sheet of the training bank, the holes of every test family, and their areas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radpipe.method import DEFAULT
from radpipe.report import mosaic
from radpipe.report.style import BLUE, Drawing, rc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.masks")
CAPTION = (
    "White: hole. Training masks from the bank and test masks of every family, at equal distances "
    "through their files; below, the share of masks whose hole is smaller than an area. Perlin "
    "masks have uniform areas by construction: the dotted diagonal."
)
ROWS, COLUMNS, POINTS = 5, 6, 51
STRIP, LEFT = 260, 90  # dots below and beside the masks, for the axes

AREAS = np.linspace(0, 1, POINTS)


def needs(pipeline: Pipeline) -> list[Target]:
    """The bank of RAD's training and the test masks, of every data set."""
    run = pipeline.settings.run
    found = []
    for dataset in run.datasets:
        bank = pipeline.resolved(dataset).masks.training
        shards = (str(shard) for shard in range(bank.shards))
        found += [
            pipeline.target("bank", dataset=dataset, variant=DEFAULT, shard=s) for s in shards
        ]
        found += [pipeline.target("holes", dataset=dataset, mask=m) for m in run.masks]
    return found


def draw(job: Job) -> Drawing:
    """A band per data set: grids of masks; the distribution of their areas below each."""
    import pandas as pd

    bands: list[list[mosaic.Grid]] = []
    curves, rows = [], []
    for dataset in job.settings["run.datasets"]:
        masks = read_masks(job, dataset)
        grids = []
        for family, holes in masks.items():
            chosen = holes[np.linspace(0, len(holes) - 1, ROWS * COLUMNS).astype(int)]
            images = (chosen[..., None].repeat(3, axis=3) * 255).astype(np.uint8)
            sheet = [list(images[i * COLUMNS : (i + 1) * COLUMNS]) for i in range(ROWS)]
            grids.append(mosaic.Grid(f"{dataset}, {family}", [], sheet, gap=128))
            share = holes.reshape(len(holes), -1).mean(axis=1)
            below = np.array([(share <= x).mean() for x in AREAS])
            curves.append((len(bands), len(grids) - 1, below))
            rows += [(dataset, family, *point) for point in zip(AREAS, below, strict=True)]
        bands.append(grids)
    figure = mosaic.draw(bands, [[] for _ in bands], foot=STRIP, left=LEFT)
    with rc():
        for band, position, below in curves:
            place = mosaic.foot_of(bands, band, position, STRIP, LEFT)
            _distribution(figure, place, below, position)
    columns = ["dataset", "family", "area", "share_smaller"]
    return Drawing(figure, pd.DataFrame(rows, columns=columns), CAPTION)


def read_masks(job: Job, dataset: str) -> dict[str, np.ndarray]:
    """Family -> holes, bool `[N, H, W]`; the training bank first."""
    from radpipe.imagestore import ImageStore
    from radpipe.masks.bank import Bank

    shards = job.folders("bank", dataset=dataset)
    bank = Bank([f.file(f"{f.receipt.stem}.npz") for f in shards])
    family = shards[0].made.settings["masks.training"]["family"]
    found = {f"training ({family})": bank.masks(np.arange(len(bank)))}
    for mask in job.settings["run.masks"]:
        store = ImageStore(job.folder("holes", dataset=dataset, mask=mask).file("holes.zip"))
        found[mask] = store.read_all()
    return found


def _distribution(
    figure: Figure, place: tuple[float, float, float, float], below: np.ndarray, position: int
) -> None:
    axes = figure.add_axes(place)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    axes.step(AREAS, below, where="post", color=BLUE)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xticks([0.25, 0.5, 0.75])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if position == 0 else [])
    axes.set_xlabel("area of the hole")
    if position == 0:
        axes.set_ylabel("share of masks")
    axes.tick_params(labelsize=7)
