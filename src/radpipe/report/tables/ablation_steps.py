"""Quality against network evaluations for each solver; the CSV file marks the Pareto front."""

from __future__ import annotations

from dataclasses import replace

from radpipe.ablations.steps import ABLATION
from radpipe.job import Job
from radpipe.lazy import pandas
from radpipe.report.ablation import module
from radpipe.report.comparison import EVALUATIONS
from radpipe.report.table import Table

SHARED = module("steps", ABLATION)
KEYS, CAPTION, needs = SHARED.KEYS, SHARED.CAPTION, SHARED.needs


def build(job: Job) -> Table:
    """The shared table, with evaluations and a mark on the Pareto front per row of the CSV."""
    table: Table = SHARED.build(job)
    return replace(table, data=with_front(table.data))


def with_front(data: pandas.DataFrame) -> pandas.DataFrame:
    """Add `evaluations` (per image, counted) and `pareto`: yes where no other variant of the same
    data set, mask and metric ranks at least as high with no more evaluations and is better in one.
    """
    place = ["dataset", "mask", "method"]
    counts = data[data["metric"] == EVALUATIONS].set_index(place)["value"]
    data = data.join(counts.rename(EVALUATIONS), on=place).assign(pareto="")
    ranked = data[data["rank"].notna() & (data["metric"] != EVALUATIONS)]
    for _, part in ranked.groupby(["dataset", "mask", "metric"]):
        points = list(zip(part["rank"], part[EVALUATIONS], strict=True))
        marks = ["no" if any(_beats(q, p) for q in points) else "yes" for p in points]
        data.loc[part.index, "pareto"] = marks
    return data


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """`one` is nowhere worse and somewhere better (both smaller is better)."""
    return one[0] <= other[0] and one[1] <= other[1] and one != other
