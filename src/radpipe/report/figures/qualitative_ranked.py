"""RAD's best, median and worst images by LPIPS, and the other methods on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe.report import inpainted, mosaic, style
from radpipe.report.style import Drawing

if TYPE_CHECKING:
    from radpipe.job import Job

KEYS = ("run.datasets", "run.methods", "run.masks")
needs = inpainted.needs
CAPTION = (
    "The images on which RAD has its lowest, median and highest LPIPS, two of each per mask, with "
    "RAD's LPIPS above them; chequered: the hole. Nothing else was selected."
)
EACH = 2


def draw(job: Job) -> Drawing:
    """A band per data set, a grid per mask."""
    import pandas as pd

    if "rad" not in job.settings["run.methods"]:
        return style.empty("RAD was not run", inpainted.COLUMNS, CAPTION)
    bands, row_names, rows = [], [], []
    for dataset in job.settings["run.datasets"]:
        grids = []
        for mask in job.settings["run.masks"]:
            images = inpainted.Images(job, dataset, mask)
            scores = {i: images.score("rad", i) for i in images.ids}
            chosen = ranked(scores)
            titles = [f"{rank}\n{scores[i]:.3f}" for rank, i in chosen]
            grids.append(images.grid(f"{dataset}, {mask}", [i for _, i in chosen], titles))
            rows += images.numbers([i for _, i in chosen])
        bands.append(grids)
        row_names.append(images.row_names)
    data = pd.DataFrame(rows, columns=list(inpainted.COLUMNS))
    return Drawing(mosaic.draw(bands, row_names), data, CAPTION)


def ranked(scores: dict[str, float]) -> list[tuple[str, str]]:
    """(rank, image id): lowest, around the median, highest; ties by id; no image twice."""
    order = sorted(scores, key=lambda i: (scores[i], i))
    each = min(EACH, max(1, len(order) // 3))
    middle = (len(order) - each) // 2
    picks = [("best", i) for i in order[:each]]
    picks += [("median", i) for i in order[middle : middle + each]]
    picks += [("worst", i) for i in order[-each:]]
    seen: set[str] = set()
    return [(r, i) for r, i in picks if not (i in seen or seen.add(i))]  # type: ignore[func-returns-value]
