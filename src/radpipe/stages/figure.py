"""Stage `figure`: draw one figure, write its files."""

from __future__ import annotations

from radpipe import report
from radpipe.dag import Stage
from radpipe.files import atomic
from radpipe.job import Job

STAGE = Stage(
    name="figure",
    folder="results/figures",
    extras=tuple(f"{{name}}.{suffix}" for suffix in report.SUFFIXES["figure"]),
    receipt=".receipts/{name}.json",
    values=lambda pipeline, target: report.seen(pipeline, target),
    plugins=lambda pipeline, target: [f"report.figures.{target['name']}"],
    upstream=lambda pipeline, target: report.load("figure", target["name"]).needs(pipeline),
)


def run(job: Job) -> None:
    """Write one figure (PNG, PDF, and the plotted numbers as CSV)."""
    name, written = job.wildcards["name"], []
    for suffix, save in report.load("figure", name).draw(job).savers().items():
        written.append(f"{name}.{suffix}")
        with atomic(job.out / written[-1]) as temporary:
            save(temporary)
    job.finish(*written)
