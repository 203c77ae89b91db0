"""What the tables of ablations share: a row per variant beside the unchanged RAD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radpipe.ablations import load
from radpipe.report import printed
from radpipe.report.comparison import (
    blocks,
    cell_rows,
    footer,
    long_table,
    nested,
    not_run_rows,
)
from radpipe.report.results import (
    Cell,
    ablation_methods,
    cell_targets,
    describe_weights,
    images_seen,
    read_cell,
)
from radpipe.report.table import Table

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.masks", "run.ablations", "evaluation.metrics")
EXTRA = ("variant", "changes")
CAPTION = (
    "{paper} Each variant differs from RAD only in the settings named in the column `changes` of "
    "the CSV file, and sees as many training images. In brackets: 95 % interval; a dagger: the "
    "paired difference to the unchanged RAD excludes zero (95 %). Bold: best, underlined: second."
)


def needs(pipeline: Pipeline, name: str) -> list[Target]:
    """Scores and weights of the default and, if the ablation is to be run, of its variants."""
    return cell_targets(pipeline, ablation_methods(pipeline, name))


def build(job: Job, name: str) -> Table:
    """A row per data set, variant, mask and metric."""
    ablation = load(name)
    labels = ablation.methods(name)
    rows: list[dict[str, Any]] = []
    cells: list[Cell] = []
    weights: dict[str, str] = {}
    for dataset in job.settings["run.datasets"]:
        for mask in job.settings["run.masks"]:
            unchanged = read_cell(job, dataset, ablation.unchanged, mask)
            for method, label in labels.items():
                extra = {"variant": label, "changes": _changes(ablation.variants, method)}
                cell = read_cell(job, dataset, method, mask)
                if cell is None:
                    metrics = list(cells[0].rows) if cells else job.settings["evaluation.metrics"]
                    rows += [r | extra for r in not_run_rows(dataset, method, mask, metrics)]
                    continue
                key = f"{dataset}, {label}"
                weights.setdefault(key, describe_weights(job, dataset, method))
                cells.append(cell)
                rows += [r | extra for r in cell_rows(cell, unchanged, weights[key])]
    table = long_table(rows, EXTRA)
    notes = [*_budget(job, ablation.unchanged, job.settings["run.datasets"]), *footer(cells)]
    notes += [f"Weights, {key}: {text}." for key, text in weights.items()]
    if name not in job.settings["run.ablations"]:
        add = f"`{name}` to `run.ablations` in params.yaml"
        why = f"{printed.NOT_RUN}: the settings do not ask for these variants"
        notes.insert(0, f"{why}; add {add}.")
    caption = CAPTION.format(paper=ablation.paper)
    readable = tuple(blocks(table, labels, ablation.axis))
    return Table(ablation.title, table, readable, caption, tuple(notes), nested(table))


def _budget(job: Job, unchanged: str, datasets: list[str]) -> list[str]:
    """How long RAD itself was trained for this table, where that is its own training."""
    if "@" not in unchanged:
        return []
    seen = {dataset: images_seen(job, dataset, unchanged) for dataset in datasets}
    return [
        f"{dataset}: RAD and every variant that is trained saw {images:,} training images here. "
        "After short trainings a difference is also one in how fast a variant learns."
        for dataset, images in seen.items()
        if images is not None
    ]


def _changes(variants: Any, method: str) -> str:
    """`key: value` of what a variant changes; empty for the default."""
    _, _, variant = method.partition("-")
    changes = variants.get(variant, {}) if variant else {}
    return ", ".join(f"{key}: {value}" for key, value in changes.items())
