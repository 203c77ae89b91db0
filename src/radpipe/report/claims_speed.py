"""The claims about speed, with their price in quality."""

from __future__ import annotations

from typing import NamedTuple

from radpipe.ablations import method_of
from radpipe.report.claim import (
    FAILS,
    HOLDS,
    MARGIN,
    NO_WORSE,
    OPEN,
    ORDER,
    UNTESTED,
    Claim,
    Verdict,
    small,
)  # fmt: skip
from radpipe.report.evidence import Evidence, in_words
from radpipe.report.table import number

FACTOR = 100  # "up to 100 times faster"
FEW = 25  # network evaluations of RAD in the claim of speed at a small budget
OFFICIAL = method_of("official", "repaint", "repaint")  # RePaint at its official budget
TIMED = (
    " (holds or does not where the quartiles, and the change of the machine's speed between the "
    "two jobs, leave no doubt)"
)


class SpeedUp(NamedTuple):
    """Seconds of RePaint over RAD's.

    Attributes:
        ratio: of the medians.
        low, high: of the quartiles, widened by the change of the machine's speed between the jobs.
        text: in words.
    """

    ratio: float
    low: float
    high: float
    text: str

    def verdict(self, factor: float) -> str:
        """Whether RAD is at least so many times as fast."""
        return HOLDS if self.low >= factor else FAILS if self.high < factor else OPEN


def speed(evidence: Evidence) -> Verdict:
    """Seconds per image of RePaint over RAD's, both at their official budgets, one image each."""
    found, own = (speed_up(evidence, budget, budget) for budget in ("official", "run"))
    if found is None:
        return Verdict(UNTESTED, "RAD or RePaint was not timed at its official budget")
    text = found.text + (f"; at the budgets of this run {own.text}" if own else "")
    return Verdict(found.verdict(FACTOR), text)


def speed_at_few(evidence: Evidence) -> Verdict:
    """RAD at this run's budget, if that is small, against RePaint at its official one."""
    found, rad = speed_up(evidence, "run", "official"), evidence.timed("rad", "run")
    if found is None:
        return Verdict(UNTESTED, "RAD, or RePaint at its official budget, was not timed")
    if rad.evaluations > FEW:
        count = number(rad.evaluations, 0)
        return Verdict(UNTESTED, f"RAD has {count} evaluations in this run, more than {FEW}")
    measured = all(evidence.cell(OFFICIAL, mask) for mask in evidence.masks)
    quality = no_worse_than_repaint(evidence, OFFICIAL if measured else "repaint")
    if quality.outcome == UNTESTED:
        return quality
    outcome = max(quality.outcome, found.verdict(FACTOR), key=ORDER.index)
    return Verdict(outcome, f"{found.text}; {quality.numbers}")


def faster_without_loss(evidence: Evidence) -> Verdict:
    """RAD against RePaint at the budgets of this run: seconds and LPIPS."""
    found, quality = speed_up(evidence, "run", "run"), no_worse_than_repaint(evidence)
    if found is None or quality.outcome == UNTESTED:
        return quality if found else Verdict(UNTESTED, "RAD or RePaint was not timed")
    outcome = max(quality.outcome, found.verdict(1), key=ORDER.index)
    return Verdict(outcome, f"{found.text}; {quality.numbers}")


def speed_up(evidence: Evidence, rad: str, repaint: str) -> SpeedUp | None:
    """Seconds of RePaint over RAD's at two budgets; None where one was not timed, or the two on
    different kinds of device."""
    slow, fast = evidence.timed("repaint", repaint), evidence.timed("rad", rad)
    if slow is None or fast is None or slow.device != fast.device:
        return None
    works = slow.calibration_seconds, fast.calibration_seconds
    change = max(works) / min(works)
    ratio = float(slow.seconds_median / fast.seconds_median)
    low = float(slow.seconds_q25 / fast.seconds_q75) / change
    high = float(slow.seconds_q75 / fast.seconds_q25) * change
    both = ", ".join(
        f"{row.label} {number(row.evaluations, 0)} evaluations in {number(row.seconds_median)} s"
        for row in (slow, fast)
    )
    text = f"{number(ratio)} [{number(low)}, {number(high)}] times: {both}, on {fast.device}"
    return SpeedUp(ratio, low, high, text)


def no_worse_than_repaint(evidence: Evidence, repaint: str = "repaint") -> Verdict:
    """LPIPS of RAD at the budget of this run against RePaint's at one, mask by mask."""
    found, outcomes, counts = [], [], ""
    for mask in evidence.masks:
        rad, other = evidence.cell("rad", mask), evidence.cell(repaint, mask)
        paired = evidence.difference("rad", repaint, "lpips", mask)
        if paired is None or not rad or not other:
            return Verdict(UNTESTED, "LPIPS of RAD and of RePaint is not there on every mask")
        outcomes.append(small(paired.low, paired.high, MARGIN * other.value("lpips")))
        found.append(f"{mask} {in_words(paired)}")
        counts = f"{number(rad.evaluations, 0)} and {number(other.evaluations, 0)} evaluations, "
        counts += f"{paired.n:,} images"
    text = f"LPIPS, RAD - RePaint: {', '.join(found)}; {counts}"
    return Verdict(max(outcomes, key=ORDER.index), text)


SPEED = (
    Claim(
        "speed",
        "RAD is up to 100 times faster than the state of the art",
        "paper, abstract",
        f"RePaint at its official budget (2,410 evaluations) takes at least {FACTOR} times the "
        f"seconds of RAD at its official budget (100 evaluations), one image at a time{TIMED}",
        speed,
    ),
    Claim(
        "speed_at_few_evaluations",
        f"RAD with at most {FEW} evaluations is {FACTOR} times faster than RePaint at its "
        "official budget, with no worse LPIPS",
        "after the paper's abstract; the budget is our choice",
        f"RePaint at its official budget takes at least {FACTOR} times the seconds of RAD at "
        f"the budget of this run, which is at most {FEW} evaluations, one image at a time{TIMED}; "
        "and its LPIPS is as in the next claim, of RePaint at its official budget if that was "
        "sampled (ablation `official`)",
        speed_at_few,
        "lpips",
    ),
    Claim(
        "speed_without_loss",
        "RAD is faster with no worse LPIPS than RePaint",
        "paper, main table",
        "at the budgets of this run RePaint takes more seconds than RAD, one image at a time"
        f"{TIMED}; and the {NO_WORSE.format('RAD', 'RePaint', ' on every mask')} on one",
        faster_without_loss,
        "lpips",
    ),
)
