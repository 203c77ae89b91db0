from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from radpipe.errors import UserError
from radpipe.evaluation import METRICS, info
from radpipe.evaluation.cell import evaluate_cell, networks_for, passes
from radpipe.evaluation.intervals import jackknife_difference
from radpipe.evaluation.reference import build_reference

NAMES = [name for name in METRICS if "vgg" not in name]
IDS = [f"image{i:02d}" for i in range(12)]


@pytest.fixture
def references(setup):
    # more rows than features, so that the covariance has full rank
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)
    images = small.repeat(8, axis=1).repeat(8, axis=2)
    nets = networks_for(NAMES, setup)
    assert set(nets) == {"alexnet"}
    parts = [images[:25], images[25:]]
    return {
        "alexnet": build_reference(parts, sum(map(len, parts)), nets["alexnet"], 16, "test images")
    }


def fill(images: np.ndarray, holes: np.ndarray, seed: int = 0) -> np.ndarray:
    outputs = images.copy()
    noise = np.random.default_rng(seed).integers(0, 256, images.shape).astype(np.uint8)
    outputs[holes] = noise[holes]
    return outputs


def test_every_metric_of_a_cell(setup, references, images, holes):
    done: list[int] = []
    scores = evaluate_cell(
        fill(images, holes), images, holes, IDS, NAMES, references, setup, done.append
    )
    assert sum(done) == 2 * 12 <= passes(NAMES) * 12
    assert list(scores.per_image["image_id"]) == IDS
    per_image = [n for n in NAMES if METRICS[n].kind == "per_image"]
    assert list(scores.per_image.columns) == ["image_id", "hole_area", *per_image]
    assert not scores.per_image.isna().any().any()
    assert scores.intervals["psnr_known"].value == math.inf
    for name in set(scores.intervals) - {"psnr_known"}:
        interval = scores.intervals[name]
        assert interval.low < interval.value < interval.high, name
        assert interval.n == 12 and interval.method
    assert scores.per_image["lpips"].mean() == pytest.approx(scores.intervals["lpips"].value)
    assert "2,048" in scores.intervals["fd_alexnet"].note
    assert scores.features["alexnet"].shape == (12, 256)
    assert scores.details["fd_alexnet"]["reference"] == "test images"
    json.dumps(scores.summary())


def test_inception_metrics_without_weights_are_not_available(setup, references, images, holes):
    scores = evaluate_cell(images, images, holes, IDS, NAMES, references, setup)
    assert set(scores.unavailable) == {"fid", "kid_inception"}
    assert not {"fid", "kid_inception"} & {*scores.intervals, *scores.per_image.columns}
    assert scores.summary()["fid"]["status"] == "not available"
    assert "inception" in str(scores.summary()["fid"]["note"])


def test_the_truth_scores_perfectly(setup, references, images, holes):
    scores = evaluate_cell(images, images, holes, IDS, NAMES, references, setup)
    values = {name: interval.value for name, interval in scores.intervals.items()}
    assert values["lpips"] == values["lpips_authors"] == values["seam"] == 0
    assert values["ssim_hole"] == pytest.approx(1)


def test_batch_size_does_not_count(setup, references, images, holes):
    outputs = fill(images, holes)
    found = [
        evaluate_cell(
            outputs, images, holes, IDS, NAMES, references, dataclasses.replace(setup, batch=batch)
        )
        for batch in (1, 5, 12)
    ]
    for other in found[1:]:
        numbers = found[0].per_image.select_dtypes("number")
        np.testing.assert_allclose(other.per_image[numbers.columns], numbers, atol=1e-6)
        for name, interval in found[0].intervals.items():
            assert other.intervals[name].value == pytest.approx(interval.value, abs=1e-5)


def test_replicates_pair_two_methods(setup, references, images, holes):
    near, far = images.copy(), fill(images, holes)
    near[holes] = (near[holes] * 0.9).astype(np.uint8)
    a, b = (
        evaluate_cell(x, images, holes, IDS, ["fd_alexnet"], references, setup) for x in (near, far)
    )
    difference = jackknife_difference(
        a.intervals["fd_alexnet"].value, a.replicates["fd_alexnet"],
        b.intervals["fd_alexnet"].value, b.replicates["fd_alexnet"], 12,
    )  # fmt: skip
    assert difference.value < 0


@pytest.mark.parametrize("n", [2, 3])
def test_very_few_images_get_a_value_without_an_interval(setup, references, images, holes, n):
    scores = evaluate_cell(
        images[:n], images[:n], holes[:n], IDS[:n], ["fd_alexnet", "kid_alexnet"], references, setup
    )
    interval = scores.intervals["kid_alexnet"]
    assert math.isfinite(interval.value)
    assert math.isnan(interval.low) == (n == 2)


def test_statistics_of_another_kind_are_refused(setup, references, images, holes):
    options = dataclasses.replace(setup.options, feature_size=80)
    other = dataclasses.replace(setup, options=options)
    with pytest.raises(UserError, match="size = 64, the images here 80"):
        evaluate_cell(images, images, holes, IDS, ["fd_alexnet"], references, other)


def test_a_network_that_the_reference_lacks_is_not_available(setup, images, holes):
    scores = evaluate_cell(images, images, holes, IDS, ["fd_alexnet", "seam"], {}, setup)
    row = scores.summary()["fd_alexnet"]
    assert row["status"] == "not available"
    assert "-R reference" in str(row["note"])
    assert scores.summary()["seam"]["status"] == "measured"


def test_unknown_metrics_get_the_nearest_name():
    with pytest.raises(UserError, match="did you mean `lpips`"):
        info("lpipz")


def test_mismatched_arrays_are_refused(setup, images, holes):
    with pytest.raises(ValueError, match="distinct id"):
        evaluate_cell(images, images, holes, ["a"] * 12, ["seam"], {}, setup)
    with pytest.raises(ValueError, match="holes"):
        evaluate_cell(images, images, holes.astype(float), IDS, ["seam"], {}, setup)


def test_every_registered_metric_has_its_class():
    from radpipe.evaluation.cell import _implementation
    from radpipe.evaluation.metrics import DistributionMetric, PerImageMetric

    bases = {"per_image": PerImageMetric, "distribution": DistributionMetric}
    for name, facts in METRICS.items():
        assert facts.name == name and issubclass(_implementation(facts), bases[facts.kind])
        assert bool(facts.network) == (facts.kind == "distribution")
    only_inception = {name for name, facts in METRICS.items() if facts.display in ("FID", "KID")}
    assert only_inception == {n for n, facts in METRICS.items() if facts.network == "inception"}


def test_the_registry_is_read_without_torch():
    code = "import sys, radpipe.evaluation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
