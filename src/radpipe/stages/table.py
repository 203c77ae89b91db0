"""Stage `table`: build one table, write its files."""

from __future__ import annotations

from radpipe import report
from radpipe.job import Job
from radpipe.stages._report import declared, write

STAGE = declared("table", "csv", "md", "tex", "html")


def run(job: Job) -> None:
    """Write one table (CSV, Markdown, LaTeX, HTML); one also writes headline metrics for DVC."""
    write(job, report.load("table", job.wildcards["name"]).build(job).files())
