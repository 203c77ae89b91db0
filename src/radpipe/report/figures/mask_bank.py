"""Masks: a sheet of the training bank, the holes of every test family, and their areas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import matplotlib, pandas
from radpipe.masks.bank import Bank
from radpipe.method import DEFAULT
from radpipe.report import images, style
from radpipe.report.printed import BLUE

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.masks")
CAPTION = (
    "White: hole. Training masks from the bank and test masks of every family, at equal distances "
    "through their files; below, the share of masks whose hole is smaller than an area. Do the "
    "training masks cover the shapes and areas of the test masks? Perlin masks have uniform areas "
    "by construction: the dotted diagonal."
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


def draw(job: Job) -> style.Drawing:
    """A band per data set: grids of masks; the distribution of their areas below each."""
    masks = {dataset: read_masks(job, dataset) for dataset in job.settings["run.datasets"]}
    bands = [
        [_sheet(f"{dataset}, {family}", holes) for family, holes in families.items()]
        for dataset, families in masks.items()
    ]
    figure, feet = images.draw(bands, [], LEFT, STRIP)
    rows: list[tuple[str, str, float, float]] = []
    with style.rc():
        for (dataset, families), places in zip(masks.items(), feet, strict=True):
            for (family, holes), place in zip(families.items(), places, strict=True):
                share = holes.mean(axis=(1, 2))
                below = np.array([(share <= area).mean() for area in AREAS])
                _distribution(figure.add_axes(place), below, place is places[0])
                rows += [(dataset, family, *point) for point in zip(AREAS, below, strict=True)]
    columns = ["dataset", "family", "area", "share_smaller"]
    return style.Drawing(figure, pandas.DataFrame(rows, columns=columns), CAPTION)


def read_masks(job: Job, dataset: str) -> dict[str, np.ndarray]:
    """Family -> holes, bool `[N, H, W]`; the training bank first."""
    shards = job.folders("bank", dataset=dataset)
    bank = Bank([f.file(f"{f.receipt.stem}.npz") for f in shards])
    family = shards[0].made.settings["masks.training"]["family"]
    found = {f"training ({family})": bank.masks(np.arange(len(bank)))}
    for mask in job.settings["run.masks"]:
        store = ImageStore(job.folder("holes", dataset=dataset, mask=mask).file("holes.zip"))
        found[mask] = store.read_all()
    return found


def _sheet(title: str, holes: np.ndarray) -> images.Grid:
    chosen = holes[np.linspace(0, len(holes) - 1, ROWS * COLUMNS).astype(int)]
    pictures = (chosen[..., None].repeat(3, axis=3) * 255).astype(np.uint8)
    return images.Grid(title, [], pictures.reshape(ROWS, COLUMNS, *pictures.shape[1:]), gap=128)


def _distribution(axes: matplotlib.axes.Axes, below: np.ndarray, first: bool) -> None:
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    axes.step(AREAS, below, where="post", color=BLUE)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="area of the hole")
    axes.set_xticks([0.25, 0.5, 0.75])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if first else [])
    if first:
        axes.set_ylabel("share of masks")
    axes.tick_params(labelsize=7)
