"""`radpipe plan`: the bill of a target, before any hour is spent on it."""

from __future__ import annotations

import re
from pathlib import Path

from radpipe.assets import cache_folder
from radpipe.dag import Target
from radpipe.dotted import put
from radpipe.errors import UserError, did_you_mean
from radpipe.lazy import torch
from radpipe.params import parse
from radpipe.pipeline import STAGES, Pipeline
from radpipe.plan import bytes as sizes
from radpipe.plan.gpus import CPU, cpu, gpu
from radpipe.plan.text import Bill, render
from radpipe.plan.work import gather
from radpipe.section import PARAMS
from radpipe.settings import Settings

DEFAULT_TARGET = "results/tables/main.csv"


def plan(
    settings: Settings, names: list[str], gpu_name: str, efficiency: float | None = None
) -> str:
    """The bill as text, at most 80 columns wide.

    Args:
        settings: of params.yaml.
        names: result files, receipts or stages; none: the main table.
        gpu_name: an entry of the table of GPUs, or `cpu`.
        efficiency: share of the GPU's peak that is assumed to be reached, 0..1; None: 0.2 (of
            what convolutions reach on this CPU: 0.4).

    Raises:
        UserError: an unknown target or GPU.
    """
    chip = gpu(gpu_name)
    pipeline = Pipeline(settings)
    names = names or [DEFAULT_TARGET]
    targets = list(dict.fromkeys(t for name in names for t in find(pipeline, name)))
    works = gather(pipeline, targets)
    bill = Bill(
        tuple(names),
        tuple(works),
        tuple(sizes.downloads(pipeline, targets)),
        tuple(sizes.disk(works)),
        chip,
        efficiency or chip.efficiency,
        {"cache": sizes.free(cache_folder()), "results": sizes.free(Path("results"))},
        None if chip.name == CPU or torch.cuda.is_available() else cpu(),
    )
    return render(bill)


def paper(settings: Settings) -> Settings:
    """The settings with the paper's data sets: those that `overrides: [paper]` marks."""
    marked = [name for name, entry in settings.datasets.items() if "paper" in entry.overrides]
    if not marked:
        raise UserError("no data set has `overrides: [paper]`", str(PARAMS), "add it to one")
    raw = settings.model_dump(mode="json")
    put(raw, "run.datasets", marked)
    return parse(raw)


def find(pipeline: Pipeline, name: str) -> list[Target]:
    """The targets that a word on the command line means.

    Args:
        pipeline: of the settings.
        name: a result file or receipt, a stage (all its targets), or `all`.

    Raises:
        UserError: it means none, or one that these settings cannot make.
    """
    if name == "all":
        return pipeline.report_targets()
    if name in STAGES:
        return [t for t in pipeline.walk(pipeline.report_targets()) if t.stage.name == name]
    for stage, entry in STAGES.items():
        for pattern in entry.outputs().values():
            expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[\\w@-]+)", re.escape(pattern))
            match = re.fullmatch(expression, str(Path(name)))
            if match:
                target = pipeline.target(stage, **match.groupdict())
                list(pipeline.walk([target]))  # all that it stands on can be made
                return [target]
    raise UserError(
        f"`{name}` is no result of this workflow",
        "radpipe plan",
        did_you_mean(name, [DEFAULT_TARGET, "all", *STAGES])
        + f"name a result file such as {DEFAULT_TARGET}, a receipt, or a stage: "
        + ", ".join(STAGES),
    )
