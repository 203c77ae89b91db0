"""What the stages `table` and `figure` share: what they declare, and how files are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from radpipe import report
from radpipe.dag import Stage
from radpipe.files import atomic
from radpipe.job import Job


def declared(kind: str) -> Stage:
    """The stage of all tables, or of all figures."""
    return Stage(
        name=kind,
        folder=f"results/{kind}s",
        extras=tuple(f"{{name}}.{suffix}" for suffix in report.SUFFIXES[kind]),
        receipt=".receipts/{name}.json",
        values=report.seen,
        plugins=lambda pipeline, target: [f"report.{kind}s.{target['name']}"],
        upstream=lambda pipeline, target: report.load(kind, target["name"]).needs(pipeline),
    )


def write(job: Job, savers: Mapping[str, Callable[[Path], object]]) -> None:
    """Write a table's or a figure's files: suffix -> what writes one."""
    written = {f"{job.wildcards['name']}.{suffix}": save for suffix, save in savers.items()}
    for name, save in written.items():
        with atomic(job.out / name) as temporary:
            save(temporary)
    job.finish(*written)
