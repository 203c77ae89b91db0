from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm, svdvals

from radpipe.evaluation.frechet import Frechet
from radpipe.evaluation.kid import Kid
from radpipe.evaluation.metrics import Setup
from radpipe.evaluation.reference import Reference, load_references, save_references

SETUP = Setup({}, cache=None)  # type: ignore[arg-type]  # distances take nothing from it


def gaussian(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d)) / d**0.5
    return (rng.normal(size=(n, d)) @ mixing * scale + shift).astype(np.float32)


def exact_reference(mean: np.ndarray, covariance: np.ndarray) -> Reference:
    return Reference(10**9, mean, covariance, np.zeros((2, len(mean)), np.float32), {})


def textbook(a: np.ndarray, b: np.ndarray) -> float:
    """Heusel et al. 2017, eq. 6, with SciPy's matrix square root."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return shift + np.trace(s) + np.trace(t) - 2 * np.trace(sqrtm(s @ t).real)


@pytest.mark.parametrize("n", [200, 12], ids=["n > d", "n < d"])
def test_agrees_with_the_textbook(n):
    a, b = gaussian(n, 24, 1, shift=0.3, scale=1.4), gaussian(300, 24, 2)
    found = Frechet(SETUP).distance(a, Reference.of(b, {}))
    assert found == pytest.approx(textbook(a, b), rel=1e-6)


def test_nuclear_norm_of_the_centred_features():
    a, b = gaussian(9, 24, 1, shift=2.0), gaussian(30, 24, 2)
    x, y = (m.astype(np.float64) - m.mean(0, dtype=np.float64) for m in (a, b))
    cross = svdvals(x @ y.T).sum() / (8 * 29) ** 0.5
    shift = ((a.astype(np.float64).mean(0) - b.astype(np.float64).mean(0)) ** 2).sum()
    expected = shift + (x**2).sum() / 8 + (y**2).sum() / 29 - 2 * cross
    assert Frechet(SETUP).distance(a, Reference.of(b, {})) == pytest.approx(expected, rel=1e-7)


def test_known_distance_of_two_gaussians():
    """Diagonal covariances: |shift|^2 + sum (s - t)^2."""
    s, t = np.array([1.0, 2.0, 0.5]), np.array([2.0, 2.0, 1.0])
    rows = np.random.default_rng(0).normal(size=(4000, 3))
    rows = (rows - rows.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T
    reference = exact_reference(np.array([1.0, 0, 0]), np.diag(t**2))
    found = Frechet(SETUP).distance(rows * s, reference)
    assert found == pytest.approx(1 + 1 + 0 + 0.25, abs=1e-9)


@pytest.mark.parametrize("n", [60, 10])
def test_zero_for_itself_and_under_rotation(n):
    a = gaussian(n, 24, 1)
    assert Frechet(SETUP).distance(a, Reference.of(a, {})) == pytest.approx(0, abs=1e-5)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(24, 24)))
    b = gaussian(80, 24, 2, shift=1)
    plain = Frechet(SETUP).distance(a, Reference.of(b, {}))
    turned = Frechet(SETUP).distance(a @ rotation, Reference.of(b @ rotation, {}))
    assert turned == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("metric", [Frechet(SETUP), Kid(SETUP)], ids=["frechet", "kid"])
@pytest.mark.parametrize("n", [60, 20], ids=["n > d", "n < d"])
def test_replicates_are_the_distances_of_the_rest(metric, n):
    a, reference = gaussian(n, 24, 1, shift=5.0), Reference.of(gaussian(90, 24, 2), {})
    blocks = [np.arange(0, 7), np.arange(7, 9), np.arange(9, n, 4)]
    expected = [metric.distance(np.delete(a, block, axis=0), reference) for block in blocks]
    np.testing.assert_allclose(metric.replicates(a, reference, blocks), expected, rtol=1e-6)


def test_kid_is_the_mean_over_pairs():
    a, b = gaussian(9, 5, 1, shift=0.5).astype(float), gaussian(7, 5, 2).astype(float)

    def k(x, y):
        return (x @ y / 5 + 1) ** 3

    def pairs(m):
        return [k(m[i], m[j]) for i in range(len(m)) for j in range(len(m)) if i != j]

    expected = np.mean(pairs(a)) + np.mean(pairs(b)) - 2 * np.mean([k(x, y) for x in a for y in b])
    assert Kid(SETUP).distance(a, Reference.of(b, {})) == pytest.approx(expected, rel=1e-6)


def test_kid_is_unbiased():
    reference = Reference.of(gaussian(4000, 6, 0), {})
    values = [Kid(SETUP).distance(gaussian(20, 6, seed), reference) for seed in range(1, 301)]
    # Fréchet distances of so few rows are all far above zero; these scatter around it
    assert abs(np.mean(values)) < 4 * np.std(values) / 300**0.5 + 0.01
    assert min(values) < 0 < max(values)


def test_the_flag_of_few_images():
    assert "2,048" in Frechet(SETUP).note(2047)
    assert Frechet(SETUP).note(2048) == ""
    assert Kid(SETUP).note(10) == ""


def test_too_few_images_are_refused():
    reference = Reference.of(gaussian(30, 4, 0), {})
    with pytest.raises(ValueError, match="two images"):
        Frechet(SETUP).distance(gaussian(1, 4, 1), reference)
    with pytest.raises(ValueError, match="two images"):
        Kid(SETUP).distance(gaussian(1, 4, 1), reference)


def test_a_reference_survives_the_disk_bit_for_bit(tmp_path):
    reference = Reference.of(gaussian(50, 8, 0), {"network": "alexnet", "size": 64}, keep=20)
    assert reference.features.shape == (20, 8) and reference.n == 50
    for name in ("a.npz", "b.npz"):
        save_references(tmp_path / name, {"alexnet": reference})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_references(tmp_path / "a.npz")["alexnet"]
    a = gaussian(30, 8, 1)
    for metric in (Frechet(SETUP), Kid(SETUP)):
        assert metric.distance(a, again) == metric.distance(a, reference)
    assert again.details == reference.details
