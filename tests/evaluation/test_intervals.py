from __future__ import annotations

import math

import numpy as np
import pytest

from radpipe.evaluation.intervals import (
    blocks_of,
    bootstrap_difference,
    bootstrap_mean,
    extreme,
    heavy_tails,
    jackknife,
    jackknife_difference,
    tail_weight,
)
from radpipe.evaluation.metrics import frechet
from radpipe.evaluation.reference import Reference

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
        parts = [np.arange(0), *blocks_of(N, 20, seed)]
        values = [frechet.to_reference(x, REFERENCE, parts) for x in simulate(seed)]
        found.append([(v[0], v[1:]) for v in values])
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
        draws = [
            frechet.to_reference(rows[rng.integers(0, N, N)], REFERENCE, [np.arange(0)]).item()
            for _ in range(60)
        ]
        missed += two[0] < np.quantile(draws, 0.025)
    assert missed >= 5


@pytest.mark.parametrize("n", [16, 120])
def test_bootstrap_intervals_cover_a_mean(n):
    inside = []
    for seed in range(300):
        values = np.random.default_rng(seed).exponential(size=n)
        inside.append(not bootstrap_mean(values, seed, draws=400).excludes(1.0))
    assert 0.92 <= np.mean(inside) <= 0.98


def test_the_bootstrap_of_many_normal_values_is_students_interval():
    values = np.random.default_rng(0).normal(size=2000)
    found = bootstrap_mean(values, seed=1)
    assert found.se == pytest.approx(values.std(ddof=1) / 2000**0.5)
    assert found.low == pytest.approx(values.mean() - 1.96 * found.se, abs=0.1 * found.se)
    assert found.high == pytest.approx(values.mean() + 1.96 * found.se, abs=0.1 * found.se)


def test_the_bootstrap_follows_scale_shift_and_seed():
    values = np.random.default_rng(0).exponential(size=40)
    found, moved = bootstrap_mean(values, seed=1), bootstrap_mean(3 * values - 2, seed=1)
    assert moved.low == pytest.approx(3 * found.low - 2)
    assert moved.high == pytest.approx(3 * found.high - 2)
    assert found.high - found.value > found.value - found.low  # the long tail is above
    assert found == bootstrap_mean(values, seed=1)
    assert found != bootstrap_mean(values, seed=2)


def test_equal_values_have_no_width_and_nearly_all_equal_ones_no_interval():
    flat = bootstrap_mean(np.full(40, 0.1), 0)
    assert flat.low == flat.value == flat.high and flat.se == 0
    lone = np.zeros(40)
    lone[7] = 1.0
    assert math.isnan(bootstrap_mean(lone, 0).low) and bootstrap_mean(lone, 0).note


def test_few_images_get_a_note():
    values = np.random.default_rng(0).normal(size=40)
    assert "n < 32" in bootstrap_mean(values[:31], 0).note
    assert bootstrap_mean(values[:32], 0).note == ""
    assert jackknife(1.0, values[:8], 31, "biased").note.startswith("biased; n < 32")
    assert jackknife(1.0, values[:8], 32).note == ""


@pytest.mark.parametrize(("n", "d"), [(400, 16), (100, 256)])
def test_the_weight_of_tails(n, d):
    """1 for a Gaussian of any shape, (nu - 2) / (nu - 4) for a multivariate t: 3 at nu = 5."""
    rng = np.random.default_rng(0)
    mixing = np.exp(rng.normal(size=d))
    rows = rng.normal(size=(n, d)) * mixing
    assert tail_weight(rows) == pytest.approx(1, abs=0.15)
    assert heavy_tails(rows) == "" and heavy_tails(np.ones((n, d))) == ""
    outliers = rows * (5 / rng.chisquare(5, size=(n, 1))) ** 0.5
    assert 1.5 < tail_weight(outliers) < 5
    assert "heavy tails" in heavy_tails(outliers)
    assert tail_weight(100 * outliers + 7) == pytest.approx(tail_weight(outliers))


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
