"""`radpipe plan`: the bill of a target, before any hour is spent on it."""

from __future__ import annotations

import re
from pathlib import Path

from radpipe.assets import cache_folder
from radpipe.dag import Target
from radpipe.errors import UserError, nearest
from radpipe.params import parse
from radpipe.pipeline import STAGES, Pipeline
from radpipe.plan import bytes as sizes
from radpipe.plan.gpus import gpu
from radpipe.plan.text import Bill, render
from radpipe.plan.work import gather
from radpipe.section import PARAMS
from radpipe.settings import Settings, put

DEFAULT_TARGET = "results/tables/main.csv"


def plan(settings: Settings, names: list[str], gpu_name: str, efficiency: float) -> str:
    """The bill as text, at most 80 columns wide.

    Args:
        settings: of params.yaml.
        names: result files, receipts or stages; none: the main table.
        gpu_name: an entry of the table of GPUs.
        efficiency: share of the GPU's peak that is assumed to be reached, 0..1.

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
        tuple(sizes.disk(pipeline, works)),
        chip,
        efficiency,
        {"cache": sizes.free(cache_folder()), "results": sizes.free(Path("results"))},
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
        UserError: it means none.
    """
    if name == "all":
        return pipeline.report_targets()
    if name in STAGES:
        return [t for t in pipeline.walk(pipeline.report_targets()) if t.stage.name == name]
    path = str(Path(name)).removeprefix("./")
    for stage, entry in STAGES.items():
        for pattern in entry.outputs().values():
            match = re.fullmatch(_expression(pattern), path)
            if match:
                return [_known(pipeline, stage, match.groupdict(), name)]
    examples = [DEFAULT_TARGET, "all", *STAGES]
    meant = nearest(name, examples)
    hint = f"did you mean `{meant}`? " if meant else ""
    raise UserError(
        f"`{name}` is no result of this workflow",
        "radpipe plan",
        f"{hint}name a result file such as {DEFAULT_TARGET}, a receipt, or a stage: "
        + ", ".join(STAGES),
    )


def _expression(pattern: str) -> str:
    """A file pattern with wildcards as a regular expression; a wildcard may come twice."""
    expression, seen = "", set()
    for text, wildcard in re.findall(r"([^{]*)(?:\{(\w+)\})?", pattern):
        expression += re.escape(text)
        if wildcard:
            again = wildcard in seen
            expression += f"(?P={wildcard})" if again else f"(?P<{wildcard}>[A-Za-z0-9_@-]+)"
            seen.add(wildcard)
    return expression


def _known(pipeline: Pipeline, stage: str, wildcards: dict[str, str], name: str) -> Target:
    """The target, if all that it stands on can be made with these settings."""
    target = pipeline.target(stage, **wildcards)
    list(pipeline.walk([target]))
    return target
