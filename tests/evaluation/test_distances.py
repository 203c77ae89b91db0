from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm, svdvals

from radpipe.evaluation import METRICS
from radpipe.evaluation.metrics import frechet, kernel
from radpipe.evaluation.reference import Reference, load_references, save_references

WHOLE = np.arange(0)
DISTANCES = {
    "fd": frechet.to_reference,
    "kid": kernel.to_reference,
    "fd to truth": frechet.to_truth,
    "kid to truth": kernel.to_truth,
}
each_distance = pytest.mark.parametrize("measure", DISTANCES.values(), ids=DISTANCES)


def fd(a: np.ndarray, reference: Reference) -> float:
    return frechet.to_reference(a, reference, [WHOLE]).item()


def kid(a: np.ndarray, reference: Reference) -> float:
    return kernel.to_reference(a, reference, [WHOLE]).item()


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
    found = fd(a, Reference.of(b, {}))
    assert found == pytest.approx(textbook(a, b), rel=1e-6)


def test_nuclear_norm_of_the_centred_features():
    a, b = gaussian(9, 24, 1, shift=2.0), gaussian(30, 24, 2)
    x, y = (m.astype(np.float64) - m.mean(0, dtype=np.float64) for m in (a, b))
    cross = svdvals(x @ y.T).sum() / (8 * 29) ** 0.5
    shift = ((a.astype(np.float64).mean(0) - b.astype(np.float64).mean(0)) ** 2).sum()
    expected = shift + (x**2).sum() / 8 + (y**2).sum() / 29 - 2 * cross
    assert fd(a, Reference.of(b, {})) == pytest.approx(expected, rel=1e-7)


def test_known_distance_of_two_gaussians():
    """Diagonal covariances: |shift|^2 + sum (s - t)^2."""
    s, t = np.array([1.0, 2.0, 0.5]), np.array([2.0, 2.0, 1.0])
    rows = np.random.default_rng(0).normal(size=(4000, 3))
    rows = (rows - rows.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T
    reference = exact_reference(np.array([1.0, 0, 0]), np.diag(t**2))
    found = fd(rows * s, reference)
    assert found == pytest.approx(1 + 1 + 0 + 0.25, abs=1e-9)


@pytest.mark.parametrize("n", [60, 10], ids=["n > d", "n < d"])
def test_rotating_both_sets_changes_nothing(n):
    a, b = gaussian(n, 24, 1), gaussian(80, 24, 2, shift=1)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(24, 24)))
    turned = fd(a @ rotation, Reference.of(b @ rotation, {}))
    assert turned == pytest.approx(fd(a, Reference.of(b, {})), rel=1e-5)


def relu_features(n: int, d: int, scale: float) -> np.ndarray:
    """As pooled activations are: none below 0, a mean far from it."""
    return np.maximum(gaussian(n, d, 3, shift=0.3), 0) * np.float32(scale)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("n", [2, 12, 24, 25, 90])
@pytest.mark.parametrize("measure", [frechet.to_reference, frechet.to_truth, kernel.to_truth])
def test_a_set_is_at_exactly_zero_from_itself(measure, n, scale):
    a = relu_features(n, 24, scale)
    parts = [WHOLE, np.array([1])] if n > 2 and measure is not frechet.to_reference else [WHOLE]
    found = measure(a, Reference.of(a, {}), parts)
    assert found.tolist() == [0.0] * len(parts)
    assert not np.signbit(found).any()


@pytest.mark.parametrize("n", [12, 90])
def test_a_near_equal_set_is_not_at_zero(n):
    """One hundred thousandth of the spread away, which rounding must not swallow: |shift|^2."""
    a = gaussian(n, 24, 1).astype(np.float64)
    shifted = a + 1e-5
    expected = ((shifted.mean(0) - a.mean(0)) ** 2).sum()
    there = Reference(n, a.mean(0), np.cov(a.T), a, {})
    assert frechet.to_truth(shifted, there, [WHOLE]).item() == pytest.approx(expected, rel=1e-3)


@each_distance
@pytest.mark.parametrize("n", [60, 20], ids=["n > d", "n < d"])
def test_replicates_are_the_distances_of_the_rest(measure, n):
    """To the truth a block is left out of both sets, to the reference out of one."""
    a, b = gaussian(n, 24, 1, shift=5.0), gaussian(n, 24, 2)
    blocks = [np.arange(0, 7), np.arange(7, 9), np.arange(9, n, 4)]
    paired = measure in (frechet.to_truth, kernel.to_truth)
    expected = [
        measure(
            np.delete(a, block, axis=0),
            Reference.of(np.delete(b, block, axis=0) if paired else b, {}),
            [WHOLE],
        ).item()
        for block in blocks
    ]
    np.testing.assert_allclose(measure(a, Reference.of(b, {}), blocks), expected, rtol=1e-6)


def test_the_distance_to_the_truth_is_the_textbooks():
    a, b = gaussian(200, 24, 1, shift=0.3, scale=1.4), gaussian(200, 24, 2)
    found = frechet.to_truth(a, Reference.of(b, {}), [WHOLE]).item()
    assert found == pytest.approx(textbook(a, b), rel=1e-6)


def test_kid_to_the_truth_is_the_mean_over_pairs_of_images():
    """Gretton et al. 2012, eq. 4."""
    a, b = gaussian(7, 5, 1, shift=0.5).astype(float), gaussian(7, 5, 2).astype(float)

    def k(x, y):
        return (x @ y / 5 + 1) ** 3

    terms = [
        k(a[i], a[j]) + k(b[i], b[j]) - k(a[i], b[j]) - k(a[j], b[i])
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    found = kernel.to_truth(a, Reference.of(b, {}), [WHOLE]).item()
    assert found == pytest.approx(np.mean(terms), rel=1e-6)


def test_kid_to_the_truth_is_unbiased_for_dependent_pairs():
    """Outputs that differ from their truths but have their distribution: its mean is 0, where the
    estimate for independent sets, which counts an image with its own truth, is far below."""
    paired, independent = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        shared, own, other = rng.normal(size=(3, 20, 6)) * np.array([0.9, 0.4, 0.4])[:, None, None]
        truth = Reference.of((shared + other).astype(np.float32), {})
        paired.append(kernel.to_truth(shared + own, truth, [WHOLE]).item())
        independent.append(kid(shared + own, truth))
    error = np.std(paired) / 300**0.5
    assert abs(np.mean(paired)) < 4 * error
    assert np.mean(independent) < -10 * error


def test_kid_is_the_mean_over_pairs():
    a, b = gaussian(9, 5, 1, shift=0.5).astype(float), gaussian(7, 5, 2).astype(float)

    def k(x, y):
        return (x @ y / 5 + 1) ** 3

    def pairs(m):
        return [k(m[i], m[j]) for i in range(len(m)) for j in range(len(m)) if i != j]

    expected = np.mean(pairs(a)) + np.mean(pairs(b)) - 2 * np.mean([k(x, y) for x in a for y in b])
    assert kid(a, Reference.of(b, {})) == pytest.approx(expected, rel=1e-6)


def test_kid_is_unbiased():
    """The mean over draws of both sets is 0; Fréchet distances of so few rows are far above."""
    values = [
        kid(gaussian(20, 6, seed), Reference.of(gaussian(30, 6, seed + 1000), {}))
        for seed in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 400**0.5
    assert min(values) < 0 < max(values)


def test_the_flag_of_few_images():
    assert "2,048" in METRICS["fid"].note(2047)
    assert METRICS["fid"].note(2048) == METRICS["kid_inception"].note(10) == ""


@each_distance
def test_too_few_images_are_refused(measure):
    with pytest.raises(ValueError, match="two images"):
        measure(gaussian(2, 4, 1), Reference.of(gaussian(2, 4, 0), {}), [np.arange(1)])


def test_a_reference_survives_the_disk_bit_for_bit(tmp_path):
    reference = Reference.of(gaussian(50, 8, 0), {"network": "alexnet", "size": 64}, keep=20)
    assert reference.features.shape == (20, 8) and reference.n == 50
    for name in ("a.npz", "b.npz"):
        save_references(tmp_path / name, {"alexnet": reference})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_references(tmp_path / "a.npz")["alexnet"]
    a = gaussian(30, 8, 1)
    assert fd(a, again) == fd(a, reference)
    assert kid(a, again) == kid(a, reference)
    assert again.details == reference.details
