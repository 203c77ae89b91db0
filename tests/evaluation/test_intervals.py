from __future__ import annotations

import math

import numpy as np
import pytest

from radpipe.evaluation.frechet import Frechet
from radpipe.evaluation.intervals import (
    blocks_of,
    bootstrap_difference,
    bootstrap_mean,
    extreme,
    jackknife,
    jackknife_difference,
)
from radpipe.evaluation.metrics import Setup
from radpipe.evaluation.reference import Reference

FRECHET = Frechet(Setup({}, cache=None))  # type: ignore[arg-type]  # takes nothing from it
D, N, RUNS = 12, 150, 120
REFERENCE = Reference(10**9, np.zeros(D), np.eye(D), np.zeros((2, D), np.float32), {})


def test_blocks_hold_each_image_once_and_depend_on_the_seed_alone():
    blocks = blocks_of(103, 20, seed=1)
    assert sorted(np.concatenate(blocks)) == list(range(103))
    assert {len(block) for block in blocks} == {5, 6}
    again, other = blocks_of(103, 20, seed=1), blocks_of(103, 20, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(blocks, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(blocks, other, strict=True))
    assert len(blocks_of(4, 20, seed=1)) == 4


def test_the_jackknife_of_a_mean_is_the_textbook_standard_error():
    values = np.random.default_rng(0).normal(size=40)
    replicates = np.array([np.delete(values, i).mean() for i in range(40)])
    found = jackknife(values.mean(), replicates, 40)
    assert found.se == pytest.approx(values.std(ddof=1) / 40**0.5)
    assert found.high - found.value == pytest.approx(found.value - found.low)
    assert found.high - found.value == pytest.approx(2.0227 * found.se, rel=1e-4)


def simulate(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two methods on the same images: what they share, and what the second adds."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(N, D)) * 1.2 + 0.1
    return shared, shared + 0.3 * rng.normal(size=(N, D)) + 0.05


@pytest.fixture(scope="module")
def runs():
    found = []
    for seed in range(RUNS):
        blocks = blocks_of(N, 20, seed)
        one, two = simulate(seed)
        found.append(
            [(FRECHET.distance(x, REFERENCE), FRECHET.replicates(x, REFERENCE, blocks))
             for x in (one, two)]
        )  # fmt: skip
    return found


def test_jackknife_intervals_cover_the_distance_at_this_n(runs):
    target = np.mean([one[0] for one, _ in runs])
    inside = [not jackknife(*one, N).excludes(target) for one, _ in runs]
    assert np.mean(inside) >= 0.9


def test_paired_jackknife_intervals_cover_the_difference_and_are_shorter(runs):
    target = np.mean([one[0] - two[0] for one, two in runs])
    paired = [jackknife_difference(*one, *two, N) for one, two in runs]
    assert np.mean([not p.excludes(target) for p in paired]) >= 0.88
    unpaired = [math.hypot(jackknife(*one, N).se, jackknife(*two, N).se) for one, two in runs]
    assert np.mean([p.se for p in paired]) < 0.7 * np.mean(unpaired)


def test_why_not_the_bootstrap_for_a_frechet_distance(runs):
    """Resampled sets are farther away than the set they come from, so percentiles miss it."""
    missed = 0
    for seed, (_, two) in enumerate(runs[:10]):
        rows = simulate(seed)[1]
        rng = np.random.default_rng(seed)
        draws = [FRECHET.distance(rows[rng.integers(0, N, N)], REFERENCE) for _ in range(60)]
        missed += two[0] < np.quantile(draws, 0.025)
    assert missed >= 5


def test_bootstrap_intervals_cover_a_mean():
    inside = []
    for seed in range(300):
        values = np.random.default_rng(seed).exponential(size=120)
        inside.append(not bootstrap_mean(values, seed, resamples=400).excludes(1.0))
    assert 0.9 <= np.mean(inside) <= 0.98


def test_bootstrap_standard_error_and_seed():
    values = np.random.default_rng(0).normal(size=200)
    found = bootstrap_mean(values, seed=1)
    assert found.se == pytest.approx(values.std() / 200**0.5, rel=0.03)
    assert found == bootstrap_mean(values, seed=1)
    assert found != bootstrap_mean(values, seed=2)


def test_pairing_removes_what_images_share():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=100) * 5
    a, b = hard + rng.normal(size=100) * 0.1 + 0.2, hard + rng.normal(size=100) * 0.1
    assert bootstrap_difference(a, b, 0).excludes(0)
    assert bootstrap_difference(a, b, 0).value == pytest.approx(bootstrap_mean(a - b, 0).value)
    with pytest.raises(ValueError, match="same images"):
        bootstrap_difference(a, b[1:], 0)


def test_what_cannot_be_said_is_nan():
    infinite = bootstrap_mean(np.array([1.0, math.inf, 2.0]), 0)
    assert infinite.value == math.inf and math.isnan(infinite.low) and infinite.note
    gaps = bootstrap_mean(np.array([1.0, math.nan, 3.0]), 0)
    assert gaps.value == 2 and gaps.n == 2
    empty = bootstrap_mean(np.array([math.nan]), 0)
    assert math.isnan(empty.value) and empty.n == 0 and not empty.excludes(0)
    assert math.isnan(jackknife(1.0, np.zeros(0), 3).low)
    assert extreme(np.array([math.inf, 40.0, math.nan])).value == 40
