"""Statistics of features that come in portions."""

from __future__ import annotations

import numpy as np
import pytest

from radpipe.evaluation.reference import Collected, Reference


def rows(n: int, width: int = 7) -> np.ndarray:
    """Float32 features far from zero, where naive sums of squares lose digits."""
    return (1000 + np.random.default_rng(0).standard_normal((n, width))).astype(np.float32)


@pytest.mark.parametrize("portion", [1, 13, 100, 500])
def test_portions_do_not_matter(portion: int) -> None:
    features = rows(500)
    collected = Collected(500, keep=64)
    for start in range(0, 500, portion):
        collected.add(features[start : start + portion])
    found = collected.reference({})
    whole = features.astype(np.float64)
    np.testing.assert_allclose(found.mean, whole.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(whole.T), rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(found.features, Reference.of(features, {}, keep=64).features)
    assert {tuple(row) for row in found.features} <= {tuple(row) for row in features}
    assert len(found.features) == 64


def test_few_rows_are_all_kept_in_order() -> None:
    features = rows(20)
    np.testing.assert_array_equal(Reference.of(features, {}, keep=64).features, features)


def test_memory_does_not_grow_with_the_images() -> None:
    """20 portions of 1,000 rows: only the chosen 100 stay."""
    collected = Collected(20_000, keep=100)
    for _ in range(20):
        collected.add(rows(1000))
    assert sum(len(part) for part in collected.kept) == 100
    assert all(part.base is None for part in collected.kept)  # no view holds a portion


def test_a_wrong_total_is_refused() -> None:
    collected = Collected(10)
    collected.add(rows(9))
    with pytest.raises(ValueError, match="9 rows came instead of 10"):
        collected.reference({})
