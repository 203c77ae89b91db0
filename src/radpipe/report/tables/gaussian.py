"""Every diffusion method on Gaussian data with the exact denoiser, against the closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe.experiments.gaussian import cases_of, compare
from radpipe.job import Job
from radpipe.lazy import pandas, torch
from radpipe.pipeline import Pipeline, Target
from radpipe.progress import bar
from radpipe.report import printed
from radpipe.report.table import Block, Table, number
from radpipe.settings import Gaussian
from radpipe.settings_checks import plugins

if TYPE_CHECKING:
    # the check loads methods by name; named here, a change to one of them makes the table stale
    from radpipe.inpainters import ddrm, mcg, rad, repaint, score_sde  # noqa: F401

KEYS = ("seed", "gaussian")
CAPTION = (
    "Gaussian images, each method with their exact denoiser, so that only the method's own error "
    "is left: distance of the hole's mean and covariance, given the known part, from the closed "
    "form. 0: exact; 1: as far as ignoring the known part. The first row is drawn from the closed "
    "form itself: its errors are the sampling error of the other rows."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """Nothing: the data are made here."""
    return []


def build(job: Job) -> Table:
    """A row per method and settings."""
    torch.set_num_threads(job.threads)
    settings = job.section("gaussian", Gaussian)
    cases = cases_of(plugins("inpainters"), settings.steps)
    with bar(len(cases), "gaussian check", unit="cases") as progress:

        def done(case: str) -> None:
            progress.update()

        data = pandas.DataFrame(compare(cases, settings.samples, job.settings["seed"], done))
    head = ("Method", "Settings", "Evaluations", "Error of the mean", "Error of the covariance")
    rows = tuple(
        (
            printed.label(row.method),
            row.settings,
            number(row.evaluations, 0),
            number(row.mean_error, 3),
            number(row.covariance_error, 3),
        )
        for row in data.itertuples()
    )
    notes = (f"{settings.samples:,} samples per row; predicted images are not clipped.",)
    title = "Methods against the closed form on Gaussian data"
    return Table(title, data, (Block("", head, rows),), CAPTION, notes)
