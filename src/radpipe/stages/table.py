"""Stage `table`: build one table, write its files."""

from __future__ import annotations

from radpipe import report
from radpipe.dag import Stage
from radpipe.files import write_text
from radpipe.job import Job

STAGE = Stage(
    name="table",
    folder="results/tables",
    extras=tuple(f"{{name}}.{suffix}" for suffix in report.SUFFIXES["table"]),
    receipt=".receipts/{name}.json",
    values=lambda pipeline, target: report.seen(pipeline, target),
    plugins=lambda pipeline, target: [f"report.tables.{target['name']}"],
    upstream=lambda pipeline, target: report.load("table", target["name"]).needs(pipeline),
)


def run(job: Job) -> None:
    """Write one table (CSV, Markdown, LaTeX, HTML); one also writes headline metrics for DVC."""
    name, written = job.wildcards["name"], []
    for suffix, text in report.load("table", name).build(job).files().items():
        written.append(f"{name}.{suffix}")
        write_text(job.out / written[-1], text)
    job.finish(*written)
