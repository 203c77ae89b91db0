"""Intervals: block jackknife for distances of distributions, bootstrap for means over images.

Resampling images with replacement lowers the rank of the features' covariance and pushes a
Fréchet distance up, so that a bootstrap interval need not contain the estimate; leaving blocks
out does not. A jackknife's interval is for the distance at this number of images. Differences
are paired: both methods drop, or draw, the same images.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import t as student


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

    def to_dict(self) -> dict[str, float | int | str]:
        """As plain values."""
        return asdict(self)


def blocks_of(n: int, blocks: int, seed: int) -> list[np.ndarray]:
    """Split image positions 0..n-1 at random into blocks whose sizes differ by one at most.

    Depends on n, blocks and seed alone: methods with the same images drop the same ones.
    """
    order = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(order, min(blocks, n))]


def jackknife(
    value: float, replicates: np.ndarray, n: int, confidence: float = 0.95, note: str = ""
) -> Interval:
    """Interval from leave-one-block-out values.

    Args:
        value: from all images.
        replicates: `[blocks]`, the value without each block.
        n: images.
        confidence: of the interval; Student's t with blocks - 1 degrees of freedom (our choice).
        note: handed on.
    """
    g = len(replicates)
    method = f"block jackknife, {g} blocks, {confidence:.0%}"
    if g < 2:
        return Interval(value, math.nan, math.nan, math.nan, n, method, note or "too few images")
    se = math.sqrt((g - 1) / g * float(((replicates - replicates.mean()) ** 2).sum()))
    half = float(student.ppf((1 + confidence) / 2, g - 1)) * se
    return Interval(value, value - half, value + half, se, n, method, note)


def jackknife_difference(
    value: float,
    replicates: np.ndarray,
    other: float,
    other_replicates: np.ndarray,
    n: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of `value - other`, paired: replicate i of both left out the same images."""
    if replicates.shape != other_replicates.shape:
        raise ValueError("paired replicates must come from the same blocks")
    return jackknife(value - other, replicates - other_replicates, n, confidence)


def bootstrap_mean(
    values: np.ndarray, seed: int, resamples: int = 10_000, confidence: float = 0.95
) -> Interval:
    """Percentile interval of a mean over images.

    Args:
        values: `[N]`; NaN = nothing to measure in that image, left out and not counted in n.
        seed: of the resampling.
        resamples: draws of N images with replacement.
        confidence: of the interval.
    """
    used = np.asarray(values, np.float64)
    used = used[~np.isnan(used)]
    n = len(used)
    method = f"bootstrap over images, {resamples:,} resamplings, {confidence:.0%}"
    value = float(used.mean()) if n else math.nan
    if n < 2 or not math.isfinite(value):
        note = "too few images" if n < 2 else "not finite"
        return Interval(value, math.nan, math.nan, math.nan, n, method, note)
    rng, chunk = np.random.default_rng(seed), max(1, 2_000_000 // n)
    means = np.concatenate(
        [
            used[rng.integers(0, n, (min(chunk, resamples - start), n))].mean(axis=1)
            for start in range(0, resamples, chunk)
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(value, float(low), float(high), float(means.std(ddof=1)), n, method)


def bootstrap_difference(
    values: np.ndarray,
    others: np.ndarray,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the mean of `values - others`, paired: row i of both is the same image."""
    if values.shape != others.shape:
        raise ValueError("paired values must come from the same images")
    return bootstrap_mean(values - others, seed, resamples, confidence)


def extreme(values: np.ndarray) -> Interval:
    """The lowest of the images' values, for what must hold for every image; no interval."""
    used = values[~np.isnan(values)]
    value = float(used.min()) if len(used) else math.nan
    return Interval(value, math.nan, math.nan, math.nan, len(used), "lowest of the images")
