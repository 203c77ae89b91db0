"""What a claim is tested with: the scores, differences and times of one data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from radpipe.report import printed
from radpipe.report.comparison import METRICS
from radpipe.report.results import Cell, difference, images_seen, read_cell, require_same_images
from radpipe.report.table import number

if TYPE_CHECKING:
    import pandas as pd

    from radpipe.evaluation.intervals import Interval
    from radpipe.job import Job

Outcome = Literal["holds", "does not hold", "not tested at this scale"]
HOLDS: Outcome = "holds"
FAILS: Outcome = "does not hold"
UNTESTED: Outcome = "not tested at this scale"


@dataclass(frozen=True)
class Verdict:
    """What came out, and our numbers in words."""

    outcome: Outcome
    numbers: str


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and how it is tested.

    Attributes:
        name: short name.
        statement: the claim.
        source: where it is made.
        test: the test in words, decided before the numbers.
        judge: the test.
    """

    name: str
    statement: str
    source: str
    test: str
    judge: Callable[[Evidence], Verdict]


@dataclass(frozen=True)
class Evidence:
    """The results of one data set."""

    job: Job
    dataset: str
    _cells: dict[tuple[str, str], Cell | None] = field(default_factory=dict)

    @cached_property
    def timing(self) -> pd.DataFrame:
        """The rows of timing.csv of this data set."""
        from radpipe.report.tables.timing import read_timing

        rows = read_timing(self.job)
        return rows[rows["dataset"] == self.dataset]

    def cell(self, method: str, mask: str) -> Cell | None:
        """A cell, None where it was not run; read once."""
        if (method, mask) not in self._cells:
            self._cells[method, mask] = read_cell(self.job, self.dataset, method, mask)
        return self._cells[method, mask]

    def values(self, metric: str, mask: str) -> dict[str, float]:
        """Method -> value of a metric, for the comparison's methods that have one."""
        cells = {m: self.cell(m, mask) for m in self.job.settings["run.methods"]}
        found = {m: c.value(metric) for m, c in cells.items() if c is not None}
        return {m: v for m, v in found.items() if not math.isnan(v)}

    def pooled(self, method: str, metric: str, other: str) -> Interval | None:
        """Paired difference `method` - `other` of a per-image metric, averaged over the masks.

        An image counts once: its differences on the masks are averaged before images are drawn.
        """
        import numpy as np

        from radpipe.evaluation.intervals import bootstrap_difference

        pairs = [
            (self.cell(method, m), self.cell(other, m)) for m in self.job.settings["run.masks"]
        ]
        found = [(a, b) for a, b in pairs if a and b and metric in a.scores]
        if len(found) < len(pairs):
            return None
        for cell, second in found:
            require_same_images(cell, second)
        mine, theirs = (
            np.mean([pair[side].scores[metric].to_numpy(float) for pair in found], axis=0)
            for side in (0, 1)
        )
        first = found[0][1]
        return bootstrap_difference(mine, theirs, first.seed, first.resamples)

    def differences(self, method: str, metric: str, other: str) -> list[str]:
        """Per mask: the difference `method` - `other` in words."""
        found = []
        for mask in self.job.settings["run.masks"]:
            cell, second = self.cell(method, mask), self.cell(other, mask)
            paired = difference(cell, second, metric) if cell and second else None
            if paired is not None:
                found.append(f"{mask} {in_words(paired)}")
        return found


def in_words(interval: Interval) -> str:
    """`+0.012 [0.004, 0.020]`."""
    sign = "+" if interval.value > 0 else ""
    low, high = number(interval.low), number(interval.high)
    return f"{sign}{number(interval.value)} [{low}, {high}]"


def best_on(metric: str, mask: str, rank: int) -> Claim:
    """RAD has rank `rank` or better on a mask."""
    display = METRICS[metric].display
    place = "best" if rank == 1 else "best or second best"

    def judge(evidence: Evidence) -> Verdict:
        values = evidence.values(metric, mask)
        if "rad" not in values or len(values) < 2:
            return Verdict(UNTESTED, f"{display} was not measured on these masks")
        order = sorted(values, key=lambda m: values[m])
        place = sum(values[m] < values["rad"] for m in values) + 1
        shown = ", ".join(f"{printed.label(m)} {number(values[m])}" for m in order[:3])
        text = f"RAD {number(values['rad'])}, rank {place} of {len(values)}; first: {shown}"
        rad, first = evidence.cell("rad", mask), evidence.cell(order[0], mask)
        if order[0] != "rad" and rad and first:
            paired = difference(rad, first, metric)
            text += f"; RAD - {printed.label(order[0])}: {in_words(paired)}" if paired else ""
        return Verdict(HOLDS if place <= rank else FAILS, text)

    stand_in = "" if metric in {"fid", "lpips"} else " (our measure in FID's place)"
    return Claim(
        f"{metric}_{mask}",
        f"RAD has the {place} {display} on {mask} masks{stand_in}",
        "paper, main table" if not stand_in else "after the paper's main table",
        f"at most {rank - 1} of the methods run has a lower {display}"
        if rank > 1
        else f"no method run has a lower {display}",
        judge,
    )


def worse_without(
    variant: str,
    name: str,
    statement: str,
    ablation: str = "components",
    source: str = "paper, ablation",
) -> Claim:
    """An ablation's variant has a higher LPIPS than the unchanged RAD."""
    test = "95 % interval of the paired LPIPS difference, variant - RAD, is above 0"
    judge = _ablation(ablation, variant, lambda paired: paired.low > 0)
    return Claim(name, statement, source, test, judge)


def not_better(
    variant: str,
    name: str,
    statement: str,
    ablation: str = "components",
    source: str = "paper, ablation",
) -> Claim:
    """An ablation's variant does not have a lower LPIPS than the unchanged RAD."""
    test = "95 % interval of the paired LPIPS difference, variant - RAD, is not below 0"
    judge = _ablation(ablation, variant, lambda paired: paired.high >= 0)
    return Claim(name, statement, source, test, judge)


def _ablation(
    name: str, variant: str, holds: Callable[[Interval], bool]
) -> Callable[[Evidence], Verdict]:
    """Judge a variant by its pooled LPIPS difference to RAD trained on as many images."""
    from radpipe.ablations import load

    method = f"rad@{name}-{variant}"

    def judge(evidence: Evidence) -> Verdict:
        unchanged = load(name).unchanged
        paired = evidence.pooled(method, "lpips", unchanged)
        if paired is None:
            return Verdict(UNTESTED, f"the ablation `{name}` was not run")
        text = f"LPIPS, variant - RAD: {in_words(paired)} over {paired.n:,} images and all masks"
        seen = images_seen(evidence.job, evidence.dataset, unchanged)
        text += f", both trained on {seen:,} images" if seen is not None else ""
        for metric in ("fid", "fd_alexnet"):
            parts = evidence.differences(method, metric, unchanged)
            if parts:
                text += f"; {METRICS[metric].display}: {', '.join(parts)}"
        return Verdict(HOLDS if holds(paired) else FAILS, text)

    return judge


class Time(NamedTuple):
    """A row of timing.csv, one image at a time."""

    method: str
    evaluations: float
    seconds: float
    device: str


def timed(evidence: Evidence, method: str, budget: str) -> Time | None:
    """How long a method took for one image; None where that was not timed."""
    rows = evidence.timing
    own = rows[(rows["method"] == method) & (rows["budget"] == budget) & (rows["batch"] == 1)]
    if own.empty:
        return None
    row = own.iloc[0]
    return Time(method, float(row["evaluations"]), float(row["seconds_median"]), row["device"])


def seconds_of(slow: Time, fast: Time) -> tuple[float, str]:
    """(ratio of the seconds, both budgets and times in words)."""
    ratio = slow.seconds / fast.seconds
    parts = [
        f"{printed.label(t.method)} {number(t.evaluations, 0)} evaluations in {number(t.seconds)} s"
        for t in (slow, fast)
    ]
    return ratio, f"{number(ratio)} times: {', '.join(parts)}, on {fast.device}"
