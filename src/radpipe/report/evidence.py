"""What a claim is tested with: the scores, differences and times of one data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache, cached_property, partial
from typing import Any

from radpipe.evaluation import info
from radpipe.evaluation.intervals import Interval
from radpipe.job import Job
from radpipe.method import TRUTH
from radpipe.report import printed
from radpipe.report.comparison import NEAREST_ZERO
from radpipe.report.results import Cell, difference, pooled_difference, read_cell, read_timing
from radpipe.report.table import number


class Evidence:
    """The results of one data set.

    Attributes:
        job: of the table of claims.
        dataset: which.
        masks: of the run.
        methods: of the comparison.
        cell: method, mask -> its scores, None where it was not run; read once.
    """

    def __init__(self, job: Job, dataset: str) -> None:
        self.job, self.dataset = job, dataset
        self.masks: list[str] = job.settings["run.masks"]
        self.methods: list[str] = job.settings["run.methods"]
        self.cell: Callable[[str, str], Cell | None] = cache(partial(read_cell, job, dataset))

    @property
    def metrics(self) -> list[str]:
        """What was measured on this data set."""
        cell = self.cell(TRUTH, self.masks[0])
        return list(cell.rows) if cell else []

    def values(self, metric: str, mask: str) -> dict[str, float]:
        """Method -> value of a metric, for the comparison's methods that have one."""
        cells = {m: self.cell(m, mask) for m in self.methods}
        found = {m: c.value(metric) for m, c in cells.items() if c is not None}
        return {m: v for m, v in found.items() if not math.isnan(v)}

    def difference(self, method: str, other: str, metric: str, mask: str) -> Interval | None:
        """Paired `method` - `other`; None where it is not known."""
        return difference(self.cell(method, mask), self.cell(other, mask), metric)

    def pooled(self, method: str, other: str, metric: str) -> Interval | None:
        """Paired `method` - `other` over all masks; None where one of them is missing."""
        pairs = [(self.cell(method, mask), self.cell(other, mask)) for mask in self.masks]
        found = [(a, b) for a, b in pairs if a and b and metric in a.scores]
        return pooled_difference(found, metric) if len(found) == len(pairs) else None

    def ahead_of_truth(self, metric: str, masks: Iterable[str], methods: Iterable[str]) -> str:
        """In words, the methods that a metric puts ahead of the untouched images by more than the
        interval of the paired difference; empty where there is none."""
        if metric in NEAREST_ZERO:  # the truth is at 0: nothing can be ahead of it
            return ""
        found, lower = [], info(metric).lower_is_better
        methods = list(methods)
        for mask in masks:
            for method in methods:
                paired = self.difference(method, TRUTH, metric, mask)
                if paired and (paired.high < 0 if lower else paired.low > 0):
                    found.append(f"{printed.label(method)} on {mask} masks {in_words(paired)}")
        return "; ".join(found)

    @cached_property
    def _times(self) -> dict[tuple[str, str], Any]:
        rows = read_timing(self.job).query("dataset == @self.dataset and batch == 1")
        return {(row.method, row.budget): row for row in rows.itertuples()}

    def timed(self, method: str, budget: str) -> Any:
        """The row of the timing table of a method, one image at a time; None where there is
        none."""
        return self._times.get((method, budget))


def in_words(interval: Interval) -> str:
    """`+0.012 [0.004, 0.020]`."""
    sign = "+" if interval.value > 0 else ""
    low, high = number(interval.low), number(interval.high)
    return f"{sign}{number(interval.value)} [{low}, {high}]"
