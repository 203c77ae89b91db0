"""Intervals: block jackknife for distances of distributions, bootstrap for means over images.

Resampling images with replacement lowers the rank of the features' covariance and pushes a
Fréchet distance up, so that a bootstrap interval need not contain the estimate; leaving blocks
out does not. A jackknife's interval is for the distance at this number of images. Differences
are paired: both methods drop, or draw, the same images.

What they cover in simulation (tests/evaluation/test_coverage.py), where they say 95 %: means of
16 values 94 to 96 % (normal, exponential, t with 5 degrees of freedom), 92 % (lognormal); Fréchet
distances of 128 images 97 % for Gaussian features, but 85 % where whole images are outliers
(multivariate t with 5 degrees of freedom): no sample shows the outliers that it does not hold.
Few images and heavy tails are said in a note.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from radpipe.lazy import scipy

CONFIDENCE = 0.95
FEW = 32  # images below which an interval gets a note
EQUAL = 1e-12  # relative difference up to which values are the same: rounding
HEAVY = 1.5  # tail weight above which a distance's interval gets one


@dataclass(frozen=True)
class Resampling:
    """How intervals are made.

    Attributes:
        blocks: of the jackknife.
        draws: resamplings of the bootstrap.
        seed: of both.
    """

    blocks: int = 20
    draws: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class Interval:
    """A value with its uncertainty; NaN where it cannot be said.

    Attributes:
        value: the estimate.
        low, high: ends of the confidence interval.
        se: standard error.
        n: images it is from.
        method: how the interval was made.
        note: what a reader must be warned of, or an empty string.
    """

    value: float
    low: float
    high: float
    se: float
    n: int
    method: str
    note: str = ""

    def excludes(self, value: float) -> bool:
        """True if the interval is known and `value` lies outside: significant at its level."""
        return not math.isnan(self.low) and not self.low <= value <= self.high


def blocks_of(n: int, blocks: int, seed: int) -> list[np.ndarray]:
    """Split image positions 0..n-1 at random into blocks whose sizes differ by one at most.

    Depends on n, blocks and seed alone: methods with the same images drop the same ones.
    """
    order = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(order, min(blocks, n))]


def tail_weight(features: np.ndarray) -> float:
    """How much heavier the tails of rows `[n, d]` are than a Gaussian's, which has 1 (our choice).

    The fourth moment of the rows' distance to their mean over the squared second, relative to a
    Gaussian of the same effective dimension (tr S)^2 / tr S^2. A multivariate t with 5 degrees of
    freedom has 3, of which 128 rows show about 1.9.
    """
    rows = features - features.mean(axis=0, dtype=np.float64)
    squares = (rows**2).sum(axis=1)
    if not squares.any():
        return 1.0
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    dimension = np.trace(gram) ** 2 / (gram**2).sum()
    return float((squares**2).mean() / squares.mean() ** 2 / (1 + 2 / dimension))


def heavy_tails(features: np.ndarray) -> str:
    """A warning about features whose outliers make a distance's interval too short, or nothing."""
    weight = tail_weight(features)
    if weight <= HEAVY:
        return ""
    return f"features with heavy tails ({weight:.1f}; Gaussian: 1): the interval is too short"


def jackknife(value: float, replicates: np.ndarray, n: int, note: str = "") -> Interval:
    """Interval from leave-one-block-out values.

    Args:
        value: from all images.
        replicates: `[blocks]`, the value without each block; Student's t with blocks - 1 degrees
            of freedom (our choice).
        n: images.
        note: handed on.
    """
    g = len(replicates)
    method = f"block jackknife, {g} blocks, {CONFIDENCE:.0%}"
    if g < 2:
        return _unknown(value, n, method, joined(note, "too few images"))
    se = math.sqrt((g - 1) / g * float(((replicates - replicates.mean()) ** 2).sum()))
    # Student's quantile; the same of scipy.stats takes two seconds to import, in every table's job
    half = float(scipy.special.stdtrit(g - 1, (1 + CONFIDENCE) / 2)) * se
    note = joined(note, _few(n) if se else "")
    return Interval(value, value - half, value + half, se, n, method, note)


def jackknife_difference(
    value: float, replicates: np.ndarray, other: float, other_replicates: np.ndarray, n: int
) -> Interval:
    """Interval of `value - other`, paired: replicate i of both left out the same images."""
    if replicates.shape != other_replicates.shape:
        raise ValueError("paired replicates must come from the same blocks")
    return jackknife(value - other, replicates - other_replicates, n)


def bootstrap_mean(values: np.ndarray, seed: int, draws: int = 10_000) -> Interval:
    """Studentised interval of a mean over images (bootstrap-t; Efron and Tibshirani 1993, 12.5).

    Args:
        values: `[N]`; NaN = nothing to measure in that image, left out and not counted in n.
        seed: of the resampling.
        draws: of N images with replacement.
    """
    used = np.asarray(values, np.float64)
    used = used[~np.isnan(used)]
    n = len(used)
    method = f"bootstrap-t over images, {draws:,} resamplings, {CONFIDENCE:.0%}"
    value = float(used.mean()) if n else math.nan
    if n < 2 or not math.isfinite(value):
        return _unknown(value, n, method, "too few images" if n < 2 else "not finite")
    se, smallest = float(used.std(ddof=1)) / math.sqrt(n), EQUAL * float(np.abs(used).max())
    if np.ptp(used) <= smallest:
        return Interval(value, value, value, 0.0, n, method)
    # 1. how many of its own standard errors each resample's mean is off
    rng, chunk = np.random.default_rng(seed), max(1, 2_000_000 // n)
    sizes = [min(chunk, draws - start) for start in range(0, draws, chunk)]
    parts = [_studentised(used[rng.integers(0, n, (k, n))], value, smallest) for k in sizes]
    # 2. so many of the sample's standard errors is its mean off, to the other side
    tails = ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2)
    low, high = value - np.quantile(np.concatenate(parts), tails, method="closest_observation") * se
    if not math.isfinite(low) or not math.isfinite(high):
        return _unknown(value, n, method, "too few different values")
    return Interval(value, float(low), float(high), se, n, method, _few(n))


def _studentised(drawn: np.ndarray, value: float, smallest: float) -> np.ndarray:
    """`[draws, n]` -> `[draws]`; infinite for values that differ by no more than `smallest`, whose
    standard error says nothing."""
    off = drawn.mean(axis=1) - value
    spread = drawn.std(axis=1, ddof=1) / math.sqrt(drawn.shape[1])
    flat = np.ptp(drawn, axis=1) <= smallest
    found: np.ndarray = np.where(flat, np.copysign(np.inf, off), off / np.where(flat, 1, spread))
    return found


def _unknown(value: float, n: int, method: str, note: str) -> Interval:
    return Interval(value, math.nan, math.nan, math.nan, n, method, note)


def _few(n: int) -> str:
    return f"n < {FEW}: the interval is too short for skewed values" if n < FEW else ""


def joined(*notes: str) -> str:
    """Several warnings, of which some may be empty, as one."""
    return "; ".join(note for note in notes if note)


def bootstrap_difference(
    values: np.ndarray, others: np.ndarray, seed: int, draws: int = 10_000
) -> Interval:
    """Interval of the mean of `values - others`, paired: row i of both is the same image."""
    if values.shape != others.shape:
        raise ValueError("paired values must come from the same images")
    return bootstrap_mean(values - others, seed, draws)


def extreme(values: np.ndarray) -> Interval:
    """The lowest of the images' values, for what must hold for every image; no interval."""
    used = values[~np.isnan(values)]
    value = float(used.min()) if len(used) else math.nan
    return Interval(value, math.nan, math.nan, math.nan, len(used), "lowest of the images")
