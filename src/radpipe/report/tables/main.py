"""Every method on every mask, with intervals and the difference to RAD."""

from __future__ import annotations

from radpipe.job import Job
from radpipe.method import TRUTH
from radpipe.report import printed
from radpipe.report.comparison import compare, long_table, not_run_row, readable
from radpipe.report.needs import comparison_targets
from radpipe.report.table import Table

KEYS = ("run.datasets", "run.methods", "run.masks", "evaluation.metrics")
CAPTION = (
    "Every method on the same test images and the same masks. In brackets: 95 % interval at this "
    "number of images. Bold: best, underlined: second best. A dagger: the paired difference to RAD "
    "excludes zero (95 %). Truth: the untouched images, scored like a method; a measure in which a "
    "method is better than they are says little here. Evaluations: passes of the network per "
    "image, counted while sampling. (paper): the number that the paper reports, where it is "
    "publicly known."
)
needs = comparison_targets


def build(job: Job) -> Table:
    """A row per data set, method, mask and metric; the paper's cells that were not run too."""
    methods = printed.with_papers(job.settings["run.methods"], printed.PAPER_METHODS)
    masks = printed.with_papers(job.settings["run.masks"], printed.PAPER_MASKS)
    labels = {method: printed.label(method) for method in [*methods, TRUTH]}
    rows, notes = compare(job, labels, masks, "rad")
    there = {(r["dataset"], r["method"], r["mask"], r["metric"]) for r in rows}
    rows += [not_run_row(*place) for place in printed.PAPER_VALUES if place not in there]
    table = long_table(rows)
    blocks, same = readable(table, labels)
    title = "Inpainting: all methods on all masks"
    return Table(title, table, blocks, CAPTION, (*same, *notes))
