"""Fixed images: input, each method, truth, a block per mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe.report import inpainted, mosaic
from radpipe.report.style import Drawing

if TYPE_CHECKING:
    from radpipe.job import Job

KEYS = ("run.datasets", "run.methods", "run.masks", "evaluation.figure_images")
needs = inpainted.needs
CAPTION = (
    "Images at equal distances through the test split, chosen before any result; chequered: the "
    "hole. The same images, masks and seeds for every method."
)


def draw(job: Job) -> Drawing:
    """A band per data set, a grid per mask."""
    import pandas as pd

    bands, row_names, rows = [], [], []
    for dataset in job.settings["run.datasets"]:
        grids = []
        for mask in job.settings["run.masks"]:
            images = inpainted.Images(job, dataset, mask)
            chosen = spread(images.ids, job.settings["evaluation.figure_images"])
            grids.append(images.grid(f"{dataset}, {mask}", chosen, []))
            rows += images.numbers(chosen)
        bands.append(grids)
        row_names.append(images.row_names)
    data = pd.DataFrame(rows, columns=list(inpainted.COLUMNS))
    return Drawing(mosaic.draw(bands, row_names), data, CAPTION)


def spread(ids: list[str], count: int) -> list[str]:
    """`count` of the ids at equal distances, all of them if there are fewer."""
    count = min(count, len(ids))
    return [ids[i * len(ids) // count] for i in range(count)]
