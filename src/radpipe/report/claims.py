"""The paper's claims, each with the test that was fixed before the numbers."""

from __future__ import annotations

import math
from functools import partial

from radpipe.ablations import components, lora_rank, method_of, official
from radpipe.evaluation import info
from radpipe.report import printed
from radpipe.report.claim import (
    DISTANCES,
    FAILS,
    HOLDS,
    MARGIN,
    NO_WORSE,
    OPEN,
    UNTESTED,
    VISIBLE,
    WORSE,
    Claim,
    Verdict,
    small,
)  # fmt: skip
from radpipe.report.claims_speed import SPEED
from radpipe.report.evidence import Evidence, in_words
from radpipe.report.results import images_seen, weights_used
from radpipe.report.table import number

PAPER = "paper, ablation"
ABLATIONS = {
    "components": components.ABLATION,
    "lora_rank": lora_rank.ABLATION,
    "official": official.ABLATION,
}


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
    if "rad" not in values or len(values) < 2 + allowed:
        text = f"{info(metric).display} of RAD and of {1 + allowed} others is not there"
        return Verdict(UNTESTED, f"{text} on these masks")
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
    own, other = (weights_used(evidence.job, evidence.dataset, m) for m in (method, unchanged))
    if own and own == other:
        return Verdict(UNTESTED, "with these settings the variant is RAD itself")
    if paired is None:
        return Verdict(UNTESTED, "the ablation was not run, or not scored by LPIPS")
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
    return Verdict(small(-paired.high, -paired.low, MARGIN * mean), text)


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
        return Verdict(small(row["low"], row["high"], VISIBLE), text)

    return Claim(
        f"no_seam_{mask}",
        f"RAD leaves no boundary artefacts on {mask} masks",
        "paper, qualitative comparison",
        "95 % interval of the gradient jump along the hole's edge, output - truth: does not "
        f"hold where it is above 0; else holds where it ends at no more than {VISIBLE:.0f} of 255 "
        "levels, which nobody sees; below 0 is blur, not a seam",
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
