"""Results that tables and figures stand on, as targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from radpipe.ablations import load
from radpipe.method import TRUTH, Method

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline


def comparison_targets(pipeline: Pipeline) -> list[Target]:
    """Scores and weights of the comparison, and the truth's scores."""
    return cell_targets(pipeline, [*pipeline.settings.run.methods, TRUTH])


def ablation_targets(pipeline: Pipeline) -> list[Target]:
    """Scores and weights of every ablation that is run."""
    return cell_targets(pipeline, ablation_methods(pipeline, *pipeline.settings.run.ablations))


def training_targets(pipeline: Pipeline) -> list[Target]:
    """The trainings of the comparison and of the ablations that are run."""
    run = pipeline.settings.run
    return weight_targets(pipeline, [*run.methods, *ablation_methods(pipeline, *run.ablations)])


def quality_time_targets(pipeline: Pipeline) -> list[Target]:
    """Scores of the comparison and the timing."""
    return [*pipeline.cells, *timing_targets(pipeline)]


def picture_targets(pipeline: Pipeline) -> list[Target]:
    """The comparison's scores, with the truths, holes and samples that they were made from."""
    stages = ("data", "holes", "sample")
    read = [t for cell in pipeline.cells for t in pipeline.upstream(cell) if t.stage.name in stages]
    return list(dict.fromkeys([*pipeline.cells, *read]))


def timing_targets(pipeline: Pipeline) -> list[Target]:
    """The timing of every method on every data set."""
    run = pipeline.settings.run
    return [
        pipeline.target("timing", dataset=d, method=m) for d in run.datasets for m in run.methods
    ]


def cell_targets(pipeline: Pipeline, methods: Iterable[str]) -> list[Target]:
    """Scores and weights of some methods on every data set and mask of the settings."""
    methods = list(methods)
    return [*pipeline.cells_of(methods), *weight_targets(pipeline, methods)]


def weight_targets(pipeline: Pipeline, methods: Iterable[str]) -> list[Target]:
    """The networks that some methods run on, on every data set."""
    kinds = [Method.parse(m) for m in methods]
    datasets = pipeline.settings.run.datasets
    found = [w for d in datasets for kind in kinds for w in pipeline.weights(d, kind)]
    return list(dict.fromkeys(found))


def ablation_methods(pipeline: Pipeline, *names: str) -> list[str]:
    """Methods of ablations' cells; of one that is not to be run, those of the comparison."""
    run = pipeline.settings.run
    found = [
        method
        for name in names
        for method in load(name).methods(name)
        if name in run.ablations or method in run.methods
    ]
    return list(dict.fromkeys(found))
