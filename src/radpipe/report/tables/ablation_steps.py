"""Quality against network evaluations for each solver: the Pareto curve."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from radpipe.report import ablation_table
from radpipe.report.comparison import EVALUATIONS
from radpipe.report.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from radpipe.job import Job

KEYS = ablation_table.KEYS
needs = partial(ablation_table.needs, name="steps")


def build(job: Job) -> Table:
    """The shared table, with evaluations and a mark on the Pareto front per row of the CSV."""
    table = ablation_table.build(job, "steps")
    return replace(table, data=with_front(table.data))


def with_front(data: pd.DataFrame) -> pd.DataFrame:
    """Add `evaluations` (per image, counted) and `pareto`: yes where no other variant of the same
    data set, mask and metric is at least as good with no more evaluations and better in one."""
    place = ["dataset", "mask", "method"]
    counts = data[data["metric"] == EVALUATIONS].set_index(place)["value"].to_dict()
    data = data.copy()
    data[EVALUATIONS] = [counts.get(tuple(k)) for k in data[place].itertuples(index=False)]
    data["pareto"] = ""
    measured = data[[isinstance(v, float) for v in data["value"]]]
    measured = measured[measured["metric"] != EVALUATIONS]
    for _, part in measured.groupby(["dataset", "mask", "metric"]):
        sign = 1.0 if part["lower_is_better"].iloc[0] else -1.0
        points = [(sign * v, e) for v, e in zip(part["value"], part[EVALUATIONS], strict=True)]
        marks = ["no" if any(_beats(q, p) for q in points) else "yes" for p in points]
        data.loc[part.index, "pareto"] = marks
    return data


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """`one` is nowhere worse and somewhere better (both smaller is better)."""
    return one[0] <= other[0] and one[1] <= other[1] and one != other
