"""RAD's best, median and worst images by LPIPS, and the other methods on them."""

from __future__ import annotations

from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.report import inpainted, style
from radpipe.report.needs import picture_targets

KEYS = ("run.datasets", "run.methods", "run.masks", "evaluation.metrics")
needs = picture_targets
CAPTION = (
    "The images on which RAD has its lowest, median and highest LPIPS, two of each per mask, with "
    "RAD's LPIPS above them; chequered: the hole. Look at the worst ones: how RAD fails, and "
    "whether the others fail there too. Ranked are the first images of the test split, those that "
    "every copy of the results has; nothing else was selected."
)
EACH = 2


def draw(job: Job) -> style.Drawing:
    """A band per data set, a grid per mask."""
    if "rad" not in job.settings["run.methods"]:
        return style.empty("RAD was not run", inpainted.COLUMNS, CAPTION)
    if inpainted.SHOWN not in job.settings["evaluation.metrics"]:
        text = f"nothing to rank by: `evaluation.metrics` does not name `{inpainted.SHOWN}`"
        return style.empty(text, inpainted.COLUMNS, CAPTION)

    def choose(scores: pandas.DataFrame) -> list[tuple[str, str]]:
        own = scores["rad"].to_dict()
        return [(f"{rank}\n{own[i]:.3f}", i) for rank, i in ranked(own)]

    return inpainted.draw(job, choose, CAPTION)


def ranked(scores: dict[str, float]) -> list[tuple[str, str]]:
    """(rank, image id): lowest, around the median, highest; ties by id; no image twice."""
    order = sorted(scores, key=lambda i: (scores[i], i))
    each = min(EACH, max(1, len(order) // 3))
    middle = (len(order) - each) // 2
    picks = {i: "worst" for i in order[-each:]}
    picks |= {i: "median" for i in order[middle : middle + each]}
    picks |= {i: "best" for i in order[:each]}
    return [(picks[i], i) for i in order if i in picks]
