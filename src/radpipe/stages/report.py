"""Stages `table` and `figure`: build one, write its files."""

from __future__ import annotations

from radpipe.files import atomic, write_text
from radpipe.job import Job
from radpipe.report import load


def run(job: Job) -> None:
    """Write one table (CSV, Markdown, LaTeX, HTML, JSON) or one figure (PNG, PDF, CSV)."""
    name = job.wildcards["name"]
    module = load(job.stage, name)
    written = []
    if job.stage == "table":
        for suffix, text in module.build(job).files().items():
            written.append(f"{name}.{suffix}")
            write_text(job.out / written[-1], text)
    else:
        drawing = module.draw(job)
        for suffix, save in drawing.savers().items():
            written.append(f"{name}.{suffix}")
            with atomic(job.out / written[-1]) as temporary:
                save(temporary)
    job.finish(*written)
