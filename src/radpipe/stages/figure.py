"""Stage `figure`: draw one figure, write its files."""

from __future__ import annotations

from radpipe import report
from radpipe.job import Job
from radpipe.stages._report import declared, write

STAGE = declared("figure")


def run(job: Job) -> None:
    """Write one figure (PNG, PDF, and the plotted numbers as CSV)."""
    write(job, report.load("figure", job.wildcards["name"]).draw(job).savers())
