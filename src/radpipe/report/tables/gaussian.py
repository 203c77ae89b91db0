"""Every diffusion method on Gaussian data with the exact denoiser, against the closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.report import printed
from radpipe.report.table import Block, Table, entries, number

if TYPE_CHECKING:
    from radpipe.dag import Target

    # the check loads methods by name; named here, a change to one of them makes the table stale
    from radpipe.inpainters import ddrm, mcg, rad, repaint, score_sde  # noqa: F401
    from radpipe.pipeline import Pipeline

KEYS: tuple[str, ...] = ()
CAPTION = (
    "Gaussian images, each method with their exact denoiser, so that only the method's own error "
    "is left: distance of the hole's mean and covariance, given the known part, from the closed "
    "form. 0: exact; 1: as far as ignoring the known part. The first row is drawn from the closed "
    "form itself: its errors are the sampling error of the other rows."
)
SHOWN: dict[str, Callable[[Any], str]] = {
    "Method": lambda row: printed.label(row.method),
    "Settings": lambda row: row.settings,
    "Evaluations": lambda row: number(row.evaluations, 0),
    "Error of the mean": lambda row: number(row.mean_error, 3),
    "Error of the covariance": lambda row: number(row.covariance_error, 3),
}


def needs(pipeline: Pipeline) -> list[Target]:
    """The check of this run."""
    return [pipeline.target("gaussian")]


def build(job: Job) -> Table:
    """A row per method and settings."""
    folder = job.folder("gaussian")
    data = pandas.read_csv(folder.file("gaussian.csv"), keep_default_na=False)
    samples = folder.made.settings["gaussian"]["samples"]
    block = Block("", tuple(SHOWN), entries(data, SHOWN))
    notes = (f"{samples:,} samples per row; predicted images are not clipped.",)
    title = "Methods against the closed form on Gaussian data"
    return Table(title, data, (block,), CAPTION, notes)
