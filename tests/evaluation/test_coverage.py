"""How often intervals that say 95 % hold the true value: what intervals.py says of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from radpipe.evaluation.intervals import (
    blocks_of,
    bootstrap_mean,
    heavy_tails,
    jackknife,
    jackknife_difference,
)
from radpipe.evaluation.metrics import frechet
from radpipe.evaluation.reference import Reference

pytestmark = pytest.mark.slow

MEANS = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "t, 5 degrees of freedom": (lambda rng, n: rng.standard_t(5, size=n), 0.0),
    "lognormal": (lambda rng, n: rng.lognormal(size=n), np.exp(0.5)),
}


@pytest.mark.parametrize(
    ("name", "n", "low"),
    [
        *((name, n, 0.93) for name in list(MEANS)[:3] for n in (16, 32, 128)),
        ("lognormal", 16, 0.88),
        ("lognormal", 128, 0.91),
    ],
)
def test_the_bootstrap_of_a_mean(name: str, n: int, low: float) -> None:
    draw, mean = MEANS[name]
    held = []
    for seed in range(2000):
        values = draw(np.random.default_rng(seed), n)
        held.append(not bootstrap_mean(values, seed, draws=1000).excludes(mean))
    print(f"{name}, n = {n}: {np.mean(held):.3f}")
    assert low <= np.mean(held) <= 0.975


Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def gaussian(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.normal(size=(n, d))


def outliers(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Multivariate t with 5 degrees of freedom: some whole rows are far out."""
    return rng.normal(size=(n, d)) * (5 / rng.chisquare(5, size=(n, 1))) ** 0.5


@pytest.mark.parametrize(
    ("draw", "n", "d", "low", "high", "warned"),
    [
        (gaussian, 128, 16, 0.94, 1.0, (0.0, 0.02)),
        (gaussian, 128, 64, 0.94, 1.0, (0.0, 0.02)),
        (gaussian, 24, 16, 0.94, 1.0, (0.0, 0.02)),
        (outliers, 128, 16, 0.75, 0.90, (0.8, 1.0)),
        (outliers, 128, 64, 0.80, 0.92, (0.8, 1.0)),
    ],
)
def test_the_jackknife_of_a_frechet_distance(
    draw: Draw, n: int, d: int, low: float, high: float, warned: tuple[float, float]
) -> None:
    """The distance at this n; the intervals that are too short get their note."""
    reference = Reference(10**9, np.zeros(d), np.eye(d), np.zeros((2, d), np.float32), {})
    values, intervals, notes = [], [], []
    for seed in range(400):
        rows = draw(np.random.default_rng(seed), n, d) * 1.2 + 0.1
        parts = [np.arange(0), *blocks_of(n, 16, seed)]
        found = frechet.to_reference(rows, reference, parts)
        values.append(found[0])
        intervals.append(jackknife(found[0], found[1:], n))
        notes.append(bool(heavy_tails(rows)))
    held = np.mean([not interval.excludes(np.mean(values)) for interval in intervals])
    print(f"{draw.__name__}, n = {n}, d = {d}: {held:.3f}, warned {np.mean(notes):.2f}")
    assert low <= held <= high
    assert warned[0] <= np.mean(notes) <= warned[1]


@pytest.mark.parametrize(("draw", "low"), [(gaussian, 0.93), (outliers, 0.80)])
def test_the_jackknife_of_distances_to_the_truth(draw: Draw, low: float) -> None:
    """Two methods' outputs, the truth and something of their own: the difference of distances."""
    n, d, differences, intervals = 128, 16, [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth = Reference.of(draw(rng, n, d), {})
        parts = [np.arange(0), *blocks_of(n, 16, seed)]
        one, two = (
            frechet.to_truth(truth.features + size * draw(rng, n, d), truth, parts)
            for size in (0.5, 0.6)
        )
        differences.append(one[0] - two[0])
        intervals.append(jackknife_difference(one[0], one[1:], two[0], two[1:], n))
    held = np.mean([not interval.excludes(np.mean(differences)) for interval in intervals])
    print(f"difference, {draw.__name__}: {held:.3f}")
    assert low <= held <= 1.0
