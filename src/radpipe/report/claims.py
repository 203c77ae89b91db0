"""The paper's claims, each with the test that was fixed before the numbers.

Every test has three ends: the claim holds, it does not, or the interval leaves it open. A claim
that needs a difference is open where the interval of the paired difference contains 0. A claim of
no difference has a margin: it holds where the whole interval lies within it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from radpipe.ablations import components, lora_rank, method_of, official
from radpipe.evaluation import info
from radpipe.report import printed
from radpipe.report.evidence import Evidence, in_words
from radpipe.report.results import images_seen
from radpipe.report.table import number

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot tell"
UNTESTED = "not tested"
BEHIND = "not tested: the measure ranks the truth behind"

FACTOR = 100  # "up to 100 times faster"
FEW = 25  # network evaluations of RAD in the claim of speed at a small budget
MARGIN = 0.05  # of the other's LPIPS: what counts as no worse (our choice)
VISIBLE = 1.0  # 8-bit levels along an edge: below it no seam is seen (our choice)
DISTANCES = ("fid_truth", "fd_alexnet", "fd_alexnet_truth")  # measures in FID's place
WORSE = (
    "95 % interval of the paired LPIPS difference variant - RAD: holds where it is above 0; does "
    "not hold where it is below 0"
)
NO_WORSE = (
    f"95 % interval of the paired LPIPS difference {{0}} - {{1}}: holds where it is at most "
    f"{100 * MARGIN:.0f} % of the LPIPS of {{1}}{{2}}; does not hold where it is above 0"
)
PAPER = "paper, ablation"
ABLATIONS = {
    "components": components.ABLATION,
    "lora_rank": lora_rank.ABLATION,
    "official": official.ABLATION,
}
OFFICIAL = method_of("official", "repaint", "repaint")  # RePaint at its official budget


class Verdict(NamedTuple):
    """What came out, and our numbers in words."""

    outcome: str
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
        metric: the measure that it is judged by; empty for one of time.
        masks: judged on; none: all of the run.
        methods: ranked; none: all of the run.
    """

    name: str
    statement: str
    source: str
    test: str
    judge: Callable[[Evidence], Verdict]
    metric: str = ""
    masks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    def verdict(self, evidence: Evidence) -> Verdict:
        """The test, unless the measure puts a method ahead of the truth."""
        if self.metric:
            masks, methods = self.masks or evidence.masks, self.methods or evidence.methods
            ahead = evidence.ahead_of_truth(self.metric, masks, methods)
            if ahead:
                return Verdict(BEHIND, f"{info(self.metric).display}, method - truth: {ahead}")
        return self.judge(evidence)


def claims(evidence: Evidence) -> list[Claim]:
    """All claims, on the masks of a run and the paper's, for what was measured."""
    masks = printed.with_papers(evidence.masks, printed.PAPER_MASKS)
    metrics = ["fid", "lpips", *(m for m in DISTANCES if m in evidence.metrics)]
    return [
        *(best_on(metric, mask) for mask in masks for metric in metrics),
        *SPEED,
        *PARTS,
        *(no_seam(mask) for mask in masks),
        Claim(
            "known_pixels",
            "RAD leaves known pixels as they are, without pasting them back",
            "paper, method",
            "the PSNR of the known pixels is infinite for every image and mask",
            untouched,
            "psnr_known",
        ),
    ]


def best_on(metric: str, mask: str) -> Claim:
    """RAD is the best on a mask; the paper is second best on wide masks (FFHQ)."""
    allowed = 1 if mask == "wide" else 0
    place, but = ("best or second best", "all but one") if allowed else ("best", "all")
    display, own = info(metric).display, metric in {"fid", "lpips"}
    return Claim(
        f"{metric}_{mask}",
        f"RAD has the {place} {display} on {mask} masks"
        + ("" if own else " (our measure in FID's place)"),
        "paper, main table" if own else "after the paper's main table",
        f"95 % intervals of the paired differences in {display}, RAD - each other method run: "
        f"holds where {but} are below 0; does not hold where {allowed + 1} or more are above 0",
        partial(_rank, metric=metric, mask=mask, allowed=allowed),
        metric,
        (mask,),
    )


def _rank(evidence: Evidence, metric: str, mask: str, allowed: int) -> Verdict:
    values = evidence.values(metric, mask)
    if "rad" not in values or len(values) < 2:
        return Verdict(UNTESTED, f"{info(metric).display} was not measured on these masks")
    others = sorted((m for m in values if m != "rad"), key=lambda m: values[m])
    paired = {m: evidence.difference("rad", m, metric, mask) for m in others}
    better = [m for m, found in paired.items() if found and found.low > 0]
    worse = [m for m, found in paired.items() if found and found.high < 0]
    shown = ", ".join(f"{printed.label(m)} {number(values[m])}" for m in others[:3])
    text = (
        f"RAD {number(values['rad'])}; {len(better)} of {len(others)} are better, {len(worse)} "
        f"worse, the others within the interval; first: {shown}"
    )
    first = paired[others[0]]
    text += f"; RAD - {printed.label(others[0])}: {in_words(first)}" if first else ""
    if len(others) - len(worse) <= allowed:
        return Verdict(HOLDS, text)
    return Verdict(FAILS if len(better) > allowed else OPEN, text)


def speed(evidence: Evidence) -> Verdict:
    """Seconds per image of RePaint over RAD's, both at their official budgets, one image each."""
    ratio, text = speed_up(evidence, "official", "official")
    if math.isnan(ratio):
        return Verdict(UNTESTED, "RAD or RePaint was not timed at its official budget")
    text += f"; at the budgets of this run {speed_up(evidence, 'run', 'run')[1]}"
    return Verdict(HOLDS if ratio >= FACTOR else FAILS, text)


def speed_at_few(evidence: Evidence) -> Verdict:
    """RAD at this run's budget, if that is small, against RePaint at its official one."""
    ratio, text = speed_up(evidence, "run", "official")
    rad = evidence.timed("rad", "run")
    if rad is None or math.isnan(ratio):
        return Verdict(UNTESTED, "RAD, or RePaint at its official budget, was not timed")
    if rad.evaluations > FEW:
        count = number(rad.evaluations, 0)
        return Verdict(UNTESTED, f"RAD has {count} evaluations in this run, more than {FEW}")
    measured = all(evidence.cell(OFFICIAL, mask) for mask in evidence.masks)
    quality = no_worse_than_repaint(evidence, OFFICIAL if measured else "repaint")
    if quality.outcome == UNTESTED:
        return quality
    outcome = quality.outcome if ratio >= FACTOR else FAILS
    return Verdict(outcome, f"{text}; {quality.numbers}")


def speed_up(evidence: Evidence, rad: str, repaint: str) -> tuple[float, str]:
    """Seconds of RePaint over RAD's at two budgets, and in words; NaN where one was not timed."""
    slow, fast = evidence.timed("repaint", repaint), evidence.timed("rad", rad)
    if slow is None or fast is None:
        return math.nan, "not timed"
    ratio = float(slow.seconds_median / fast.seconds_median)
    both = ", ".join(
        f"{row.label} {number(row.evaluations, 0)} evaluations in {number(row.seconds_median)} s"
        for row in (slow, fast)
    )
    return ratio, f"{number(ratio)} times: {both}, on {fast.device}"


def no_worse_than_repaint(evidence: Evidence, repaint: str = "repaint") -> Verdict:
    """LPIPS of RAD at the budget of this run against RePaint's at one, mask by mask."""
    found, outcomes, counts = [], [], ""
    for mask in evidence.masks:
        rad, other = evidence.cell("rad", mask), evidence.cell(repaint, mask)
        paired = evidence.difference("rad", repaint, "lpips", mask)
        if paired is None or not rad or not other:
            return Verdict(UNTESTED, "LPIPS of RAD and of RePaint is not there on every mask")
        outcomes.append(_small(paired.low, paired.high, MARGIN * other.value("lpips")))
        found.append(f"{mask} {in_words(paired)}")
        counts = f"{number(rad.evaluations, 0)} and {number(other.evaluations, 0)} evaluations, "
        counts += f"{paired.n:,} images"
    text = f"LPIPS, RAD - RePaint: {', '.join(found)}; {counts}"
    return Verdict(max(outcomes, key=(HOLDS, OPEN, FAILS).index), text)


def _small(low: float, high: float, margin: float) -> str:
    """Whether something is no larger than a margin: an interval above 0 says that it is not."""
    return FAILS if low > 0 else HOLDS if high <= margin else OPEN


SPEED = (
    Claim(
        "speed",
        "RAD is up to 100 times faster than the state of the art",
        "paper, abstract",
        f"RePaint at its official budget (2,410 evaluations) takes at least {FACTOR} times the "
        "seconds of RAD at its official budget (100 evaluations), one image at a time, "
        "measured in one process",
        speed,
    ),
    Claim(
        "speed_at_few_evaluations",
        f"RAD with at most {FEW} evaluations is {FACTOR} times faster than RePaint at its "
        "official budget, with no worse LPIPS",
        "after the paper's abstract; the budget is our choice",
        f"RePaint at its official budget takes at least {FACTOR} times the seconds of RAD at "
        f"the budget of this run, which is at most {FEW} evaluations, one image at a time, "
        "measured in one process; and the next claim holds with RePaint at its official budget, "
        "if that was sampled (ablation `official`)",
        speed_at_few,
        "lpips",
    ),
    Claim(
        "speed_without_loss",
        "RAD is faster with no worse LPIPS than RePaint",
        "paper, main table",
        NO_WORSE.format("RAD", "RePaint", " on every mask")
        + " on one (RePaint at the budget of this run)",
        no_worse_than_repaint,
        "lpips",
    ),
)


def part(name: str, ablation: str, variant: str, worse: bool, statement: str, source: str) -> Claim:
    """What an ablation's variant does to the LPIPS, against RAD trained on as many images.

    Args:
        name, statement, source: of the claim.
        ablation, variant: which.
        worse: the claim is that the variant is worse; else, that RAD is no worse than it.
    """
    method, unchanged = method_of(ablation, variant), ABLATIONS[ablation].unchanged
    judge = partial(_part, method=method, unchanged=unchanged, worse=worse)
    test = WORSE if worse else NO_WORSE.format("RAD", "variant", "")
    return Claim(name, statement, source, test, judge, "lpips", methods=(method, unchanged))


def _part(evidence: Evidence, method: str, unchanged: str, worse: bool) -> Verdict:
    paired = evidence.pooled(method, unchanged, "lpips")
    if paired is None:
        return Verdict(UNTESTED, "the ablation was not run")
    text = f"LPIPS, variant - RAD: {in_words(paired)} over {paired.n:,} images and all masks"
    seen = images_seen(evidence.job, evidence.dataset, unchanged)
    text += f", both trained on {seen:,} images" if seen is not None else ""
    for metric in (m for m in ("fid", *DISTANCES) if m in evidence.metrics):
        found = {k: evidence.difference(method, unchanged, metric, k) for k in evidence.masks}
        shown = [f"{mask} {in_words(one)}" for mask, one in found.items() if one]
        text += f"; {info(metric).display}: {', '.join(shown)}" if shown else ""
    if worse:
        return Verdict(HOLDS if paired.low > 0 else FAILS if paired.high < 0 else OPEN, text)
    cells = [evidence.cell(method, mask) for mask in evidence.masks]
    mean = sum(cell.value("lpips") for cell in cells if cell) / len(cells)
    return Verdict(_small(-paired.high, -paired.low, MARGIN * mean), text)


OURS = "our test; the paper uses rank 16"
# name, ablation, variant, whether it is said to be worse, statement, source
_PARTS: tuple[tuple[str, str, str, bool, str, str], ...] = (
    ("spatial_embedding", "components", "no_spatial_embedding", True,
     "Without the spatial noise embedding RAD is worse", PAPER),
    ("independent_masks", "components", "independent_masks", True,
     "Trained on masks of independent pixels RAD is worse", PAPER),
    ("perlin_masks", "components", "box_masks", True,
     "Perlin masks are best: trained on boxes RAD is worse", PAPER),
    ("from_scratch", "components", "from_scratch", False,
     "Training all weights from scratch on as many images is not better than LoRA", PAPER),
    ("inverse_map", "components", "no_inverse_map", True,
     "Without the inverse map, with the raw noise map instead, RAD is worse",
     "our test of a part of the method"),
    ("loss_region", "components", "loss_on_all_pixels", True,
     "With the loss over all pixels, not the noisy ones alone, RAD is worse",
     "our test of our own choice"),
    ("lower_rank", "lora_rank", "rank_4", True, "With an adapter of rank 4 RAD is worse", OURS),
    ("higher_rank", "lora_rank", "rank_64", False,
     "With an adapter of rank 64 RAD is not better", OURS),
    ("all_weights", "lora_rank", "all_weights", False,
     "Training all weights instead of an adapter is not better", OURS),
)  # fmt: skip
PARTS = tuple(part(*row) for row in _PARTS)


def no_seam(mask: str) -> Claim:
    """No step along the hole's edge beyond the truth's."""

    def judge(evidence: Evidence) -> Verdict:
        rad = evidence.cell("rad", mask)
        row = rad.rows.get("seam", {}) if rad else {}
        if row.get("low") is None:
            return Verdict(UNTESTED, "RAD's seam was not measured")
        others = {m: v for m, v in evidence.values("seam", mask).items() if m != "rad"}
        shown = ", ".join(f"{printed.label(m)} {number(v)}" for m, v in others.items())
        own = f"{number(float(row['value']))} [{number(row['low'])}, {number(row['high'])}]"
        text = f"{own} {row['unit']}" + (f"; others: {shown}" if shown else "")
        return Verdict(_small(row["low"], row["high"], VISIBLE), text)

    return Claim(
        f"no_seam_{mask}",
        f"RAD leaves no boundary artefacts on {mask} masks",
        "paper, qualitative comparison",
        "95 % interval of the gradient jump along the hole's edge, output - truth: holds where it "
        f"is at most {VISIBLE:.0f} of 255 levels, which nobody sees; does not hold where it is "
        "above 0; below 0 is blur, not a seam",
        judge,
        "seam",
        (mask,),
    )


def untouched(evidence: Evidence) -> Verdict:
    """PSNR of the known pixels is infinite for every image."""
    values = {mask: evidence.values("psnr_known", mask) for mask in evidence.masks}
    own = {mask: found["rad"] for mask, found in values.items() if "rad" in found}
    if not own:
        return Verdict(UNTESTED, "the known pixels' PSNR was not measured")
    text = ", ".join(f"{mask} {number(value)}" for mask, value in own.items())
    return Verdict(HOLDS if all(map(math.isinf, own.values())) else FAILS, f"lowest, dB: {text}")
