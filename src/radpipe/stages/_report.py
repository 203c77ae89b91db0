"""What the stages `table` and `figure` share: a target per file of report/."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from radpipe import report
from radpipe.dag import Stage
from radpipe.evaluation import info
from radpipe.files import atomic
from radpipe.inpainters import load as load_method
from radpipe.job import Job

if TYPE_CHECKING:
    from radpipe.pipeline import Pipeline


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
            **{key: pipeline.value(target, key) for key in report.load(kind, target["name"]).KEYS},
            "names": _names(pipeline, report.load(kind, target["name"])),
        },
        plugins=lambda pipeline, target: [
            *report.code(kind, target["name"]),
            *(f"ablations.{name}" for name in _ablations(pipeline, kind, target["name"])),
        ],
        upstream=lambda pipeline, target: report.load(kind, target["name"]).needs(pipeline),
    )


def _names(pipeline: Pipeline, made: ModuleType) -> dict[str, list[str]]:
    """How what a report shows is printed: no part of what methods and metrics compute, but of it.

    Methods where it may see them; metrics where it stands on scores.
    """
    settings, names = pipeline.settings, dict[str, list[str]]()
    if "run.methods" in made.KEYS:
        kinds = {name: load_method(name) for name in settings.run.methods}
        names |= {name: [kind.label, kind.colour, kind.marker] for name, kind in kinds.items()}
    if any(target.stage.name == "evaluate" for target in made.needs(pipeline)):
        metrics = {name: info(name) for name in settings.evaluation.metrics}
        names |= {name: [metric.display, metric.unit] for name, metric in metrics.items()}
    return names


def _ablations(pipeline: Pipeline, kind: str, name: str) -> list[str]:
    """The ablations whose titles and labels a report prints."""
    shown = "run.ablations" in report.load(kind, name).KEYS
    return list(pipeline.settings.run.ablations) if shown else []


def write(job: Job, files: dict[str, bytes]) -> None:
    """Write one table or figure: suffix -> content."""
    written = {f"{job.wildcards['name']}.{suffix}": content for suffix, content in files.items()}
    for name, content in written.items():
        with atomic(job.out / name) as temporary:
            temporary.write_bytes(content)
    job.finish(*written)
