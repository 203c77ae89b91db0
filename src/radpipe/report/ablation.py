"""What the tables of ablations share: a row per variant beside the unchanged RAD."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from radpipe.ablations import Ablation, method_of
from radpipe.job import Job
from radpipe.method import TRUTH, Method
from radpipe.report import printed
from radpipe.report.comparison import compare, long_table, readable
from radpipe.report.needs import ablation_methods, cell_targets
from radpipe.report.results import images_seen
from radpipe.report.table import Table

KEYS = ("run.datasets", "run.masks", "run.ablations", "run.methods", "evaluation.metrics")
CAPTION = (
    "{paper} Each variant differs from the first row only in the settings named in the column "
    "`changes` of the CSV file, and sees as many training images unless they are what varies. In "
    "brackets: 95 % interval; a dagger: the paired difference to the first row excludes zero "
    "(95 %). Bold: best, underlined: second. Truth: the untouched images, scored like a variant."
)


def module(name: str, ablation: Ablation) -> ModuleType:
    """The table of an ablation as if a file of tables/ defined it.

    Args:
        name: the ablation's file.
        ablation: what it defines.
    """
    made = ModuleType(f"radpipe.report.tables.ablation_{name}", ablation.title)
    vars(made).update(
        KEYS=KEYS,
        CAPTION=CAPTION.format(paper=ablation.paper),
        needs=lambda pipeline: cell_targets(pipeline, [*ablation_methods(pipeline, name), TRUTH]),
        build=lambda job: build(job, name, ablation),
    )
    return made


def build(job: Job, name: str, ablation: Ablation) -> Table:
    """The table of an ablation."""
    changes = {
        method_of(name, variant, ablation.method): _in_words(own)
        for variant, own in ablation.variants.items()
    }
    labels = ablation.methods(name) | {TRUTH: printed.label(TRUTH)}
    rows, notes = compare(job, labels, job.settings["run.masks"], ablation.unchanged)
    table = long_table(rows)
    table["variant"] = table["method"].map(labels)
    table["changes"] = table["method"].map(changes).fillna("")
    blocks, same = readable(table, labels, ablation.axis)
    notes = [*_asked_for(job, name), *_budget(job, ablation), *same, *notes]
    caption = CAPTION.format(paper=ablation.paper)
    return Table(ablation.title, table, blocks, caption, tuple(notes))


def _asked_for(job: Job, name: str) -> list[str]:
    if name in job.settings["run.ablations"]:
        return []
    add = f"add `{name}` to `run.ablations` in params.yaml"
    return [f"{printed.NOT_RUN}: the settings do not ask for these variants; {add}."]


def _budget(job: Job, ablation: Ablation) -> list[str]:
    """How long RAD itself was trained for this table, where that is its own training."""
    if not Method.parse(ablation.unchanged).is_variant:
        return []
    datasets = job.settings["run.datasets"]
    seen = {dataset: images_seen(job, dataset, ablation.unchanged) for dataset in datasets}
    who = "RAD" if ablation.varies("training.rad.images") else "RAD and every variant"
    return [
        f"{dataset}: {who} saw {images:,} training images here. "
        "After short trainings a difference is also one in how fast a variant learns."
        for dataset, images in seen.items()
        if images is not None
    ]


def _in_words(changes: Mapping[str, object]) -> str:
    return ", ".join(key if callable(v) else f"{key}: {v}" for key, v in changes.items())
