"""The main table: every method on every mask, with intervals and the difference to RAD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radpipe.evaluation import METRICS
from radpipe.report import printed
from radpipe.report.comparison import (
    EVALUATIONS,
    blocks,
    cell_rows,
    footer,
    long_table,
    nested,
    not_run_rows,
    paper_rows,
)
from radpipe.report.results import Cell, cell_targets, describe_weights, read_cell
from radpipe.report.table import Table

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.job import Job
    from radpipe.pipeline import Pipeline

KEYS = ("run.datasets", "run.methods", "run.masks", "evaluation.metrics")
CAPTION = (
    "Every method on the same test images and the same masks. In brackets: 95 % interval at this "
    "number of images. Bold: best, underlined: second best. A dagger: the paired difference to RAD "
    "excludes zero (95 %). Evaluations: passes of the network per image, counted while sampling. "
    "(paper): the number that the paper reports, where it is publicly known."
)


def needs(pipeline: Pipeline) -> list[Target]:
    """Scores and weights of the comparison."""
    return cell_targets(pipeline, list(pipeline.settings.run.methods))


def build(job: Job) -> Table:
    """A row per data set, method, mask and metric; the paper's cells that were not run too."""
    methods = printed.with_papers(job.settings["run.methods"], printed.PAPER_METHODS)
    masks = printed.with_papers(job.settings["run.masks"], printed.PAPER_MASKS)
    rows: list[dict[str, Any]] = []
    cells: list[Cell] = []
    weights: dict[str, str] = {}
    for dataset in job.settings["run.datasets"]:
        for mask in masks:
            rad = read_cell(job, dataset, "rad", mask)
            for method in methods:
                cell = rad if method == "rad" else read_cell(job, dataset, method, mask)
                if cell is None:
                    metrics = _metrics(cells, dataset, job.settings["evaluation.metrics"])
                    rows += not_run_rows(dataset, method, mask, metrics)
                    continue
                key = f"{dataset}, {printed.label(method)}"
                weights.setdefault(key, describe_weights(job, dataset, method))
                cells.append(cell)
                rows += cell_rows(cell, rad, weights[key])
    table = long_table([*rows, *paper_rows(rows)])
    notes = [*footer(cells), *(f"Weights, {key}: {text}." for key, text in weights.items())]
    title = "Inpainting: all methods on all masks"
    return Table(title, table, tuple(blocks(table, {})), CAPTION, tuple(notes), nested(table))


def _metrics(cells: list[Cell], dataset: str, default: list[str]) -> list[str]:
    """Metrics that the data set's other cells have."""
    own = [list(c.rows) for c in cells if c.dataset == dataset]
    return [m for m in (own[0] if own else default) if m in METRICS and m != EVALUATIONS]
