"""Fixed images: input, each method, truth, a block per mask."""

from __future__ import annotations

from radpipe.job import Job
from radpipe.report import images, inpainted
from radpipe.report.needs import picture_targets
from radpipe.report.style import Drawing

KEYS = ("run.datasets", "run.methods", "run.masks", "evaluation.figure_images")
needs = picture_targets
CAPTION = (
    "Top row: the input, its hole chequered; then what each method makes of it; last the truth. "
    "Look for seams, blur and invented shapes. Images at equal distances through the "
    "first of the test split, those that every copy of the results has, chosen before any result; "
    "the same images, masks and seeds for every method."
)


def draw(job: Job) -> Drawing:
    """A band per data set, a grid per mask."""
    count = job.settings["evaluation.figure_images"]
    return inpainted.draw(
        job, lambda scores: [("", i) for i in images.spread(list(scores.index), count)], CAPTION
    )
