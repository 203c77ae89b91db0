"""Stage `table`: build one table, write its files."""

from __future__ import annotations

from functools import partial

from radpipe import report
from radpipe.files import write_text
from radpipe.job import Job
from radpipe.stages._report import declared, write

STAGE = declared("table")


def run(job: Job) -> None:
    """Write one table (CSV, Markdown, LaTeX, HTML); one also writes headline metrics for DVC."""
    files = report.load("table", job.wildcards["name"]).build(job).files()
    write(job, {suffix: partial(write_text, text=text) for suffix, text in files.items()})
