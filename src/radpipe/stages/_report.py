"""What the stages `table` and `figure` share: a target per file of report/."""

from __future__ import annotations

from radpipe import report
from radpipe.dag import Stage
from radpipe.files import atomic
from radpipe.job import Job


def declared(kind: str, *suffixes: str) -> Stage:
    """The stage that makes every table, or every figure.

    Args:
        kind: `table` or `figure`.
        suffixes: of the files that each one is written to.
    """
    return Stage(
        name=kind,
        folder=f"results/{kind}s",
        extras=tuple(f"{{name}}.{suffix}" for suffix in suffixes),
        receipt=".receipts/{name}.json",
        values=lambda pipeline, target: {
            key: pipeline.value(target, key) for key in report.load(kind, target["name"]).KEYS
        },
        plugins=lambda pipeline, target: report.code(kind, target["name"]),
        upstream=lambda pipeline, target: report.load(kind, target["name"]).needs(pipeline),
    )


def write(job: Job, files: dict[str, bytes]) -> None:
    """Write one table or figure: suffix -> content."""
    written = {f"{job.wildcards['name']}.{suffix}": content for suffix, content in files.items()}
    for name, content in written.items():
        with atomic(job.out / name) as temporary:
            temporary.write_bytes(content)
    job.finish(*written)
