"""Four answers of RAD for one hole: how much they differ, and that each is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.report import images, style
from radpipe.report.style import Drawing

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks")
COLUMNS = ("dataset", "mask", "image", "draws", "mean_pixel_spread")
CAPTION = (
    "RAD's answers for one hole from four seeds, beside the input and the truth: each should be "
    "whole, and they should differ more where less is known. Images at equal distances through the "
    "split, chosen before any result. The CSV file has the standard deviation over the draws, in "
    "8-bit levels, as a mean over the hole."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """The draws, and what they were made from."""
    run = pipeline.settings.run
    if "rad" not in run.methods:
        return []
    made = [pipeline.target("draws", dataset=dataset) for dataset in run.datasets]
    read = [t for one in made for t in pipeline.upstream(one) if t.stage.name in ("data", "holes")]
    return [*made, *read]


def draw(job: Job) -> Drawing:
    """A band per data set, a grid per mask: a row per image."""
    if not job.folders("draws"):
        return style.empty("`run.methods` does not name RAD", COLUMNS, CAPTION)
    bands, rows = [], list[tuple[object, ...]]()
    for folder in job.folders("draws"):
        dataset, store = folder.wildcards["dataset"], ImageStore(folder.file("draws.zip"))
        split = folder.made.settings["evaluation.split"]
        truths = ImageStore(job.folder("data", dataset=dataset).file(f"{split}.zip"))
        # names are <mask>.<draw>.<image>
        places = [name.split(".", 2) for name in store.ids]
        band = []
        for mask in job.settings["run.masks"]:
            holes = ImageStore(job.folder("holes", dataset=dataset, mask=mask).file("holes.zip"))
            lines = []
            for image in dict.fromkeys(i for m, _, i in places if m == mask):
                truth, hole = truths.read(image), holes.read(image)
                own = [name for name, (m, _, i) in zip(store.ids, places, strict=True)
                       if (m, i) == (mask, image)]  # fmt: skip
                answers = np.stack([store.read(name) for name in own])
                lines.append([images.with_hole(truth, hole), *answers, truth])
                spread = float(answers.astype(float).std(axis=0)[hole].mean())
                rows.append((dataset, mask, image, len(own), spread))
            titles = ["input", *(f"draw {n + 1}" for n in range(len(lines[0]) - 2)), "truth"]
            band.append(images.Grid(f"{dataset}, {mask}", titles, lines))
        bands.append(band)
    figure, _ = images.draw(bands, [], images.EDGE)
    return Drawing(figure, pandas.DataFrame(rows, columns=list(COLUMNS)), CAPTION)
