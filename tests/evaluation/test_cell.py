from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from radpipe.errors import UserError
from radpipe.evaluation import METRICS, info
from radpipe.evaluation.cell import CellScores, evaluate_cell, passes
from radpipe.evaluation.features import network
from radpipe.evaluation.intervals import jackknife_difference
from radpipe.evaluation.reference import Reference

NAMES = [name for name in METRICS if "vgg" not in name]
INCEPTION = {"fid", "fid_truth", "kid_inception", "kid_inception_truth"}
IDS = [f"image{i:02d}" for i in range(12)]


@pytest.fixture
def references(setup):
    # more rows than features, so that the covariance has full rank
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)
    images = small.repeat(8, axis=1).repeat(8, axis=2)
    net = network("alexnet", setup)
    return {
        "alexnet": Reference.of(net.extract(images, 16), {**net.details, "reference": "images"})
    }


@pytest.fixture
def evaluate(setup, references, resampling):
    """Scores of outputs, with whatever else is not given as it is everywhere."""

    def run(outputs, truths, holes, names=NAMES, ids=IDS, **changes) -> CellScores:
        given = {"references": references, "setup": setup, "resampling": resampling, **changes}
        return evaluate_cell(outputs, truths, holes, ids, names, **given)

    return run


def fill(images: np.ndarray, holes: np.ndarray, seed: int = 0) -> np.ndarray:
    outputs = images.copy()
    noise = np.random.default_rng(seed).integers(0, 256, images.shape).astype(np.uint8)
    outputs[holes] = noise[holes]
    return outputs


def test_every_metric_of_a_cell(evaluate, images, holes):
    done: list[int] = []
    scores = evaluate(fill(images, holes), images, holes, on_step=done.append)
    # per image, AlexNet's features of outputs and truths; Inception's weights are not there
    assert sum(done) == 3 * 12 and passes(NAMES) == 5
    assert list(scores.per_image["image_id"]) == IDS
    assert scores.per_image["hole_area"].to_numpy() == pytest.approx(144 / 1024)
    per_image = [n for n in NAMES if METRICS[n].kind == "per_image"]
    assert list(scores.per_image.columns) == ["image_id", "hole_area", *per_image]
    assert not scores.per_image.isna().any().any()
    rows = scores.rows
    assert set(rows) == set(NAMES) and rows["psnr_known"]["value"] == math.inf
    for name in set(NAMES) - INCEPTION - {"psnr_known"}:
        row = rows[name]
        assert row["low"] < row["value"] < row["high"], name
        assert row["n"] == 12 and row["method"] and "n < 32" in row["note"]
    assert scores.per_image["lpips"].mean() == pytest.approx(rows["lpips"]["value"])
    assert "2,048" in rows["fd_alexnet"]["note"]
    assert scores.features["alexnet"].shape == (12, 256)
    assert rows["fd_alexnet"]["details"]["reference"] == "images"
    assert rows["fd_alexnet_truth"]["details"]["reference"] == "the truths of the same images"
    json.dumps(rows)


def test_inception_metrics_without_weights_are_not_available(evaluate, images, holes):
    scores = evaluate(images, images, holes)
    for name in NAMES:
        assert scores.rows[name]["status"] == ("not available" if name in INCEPTION else "measured")
    assert not INCEPTION & {*scores.per_image.columns}
    assert "inception" in scores.rows["fid"]["note"]


def test_the_truth_scores_perfectly(evaluate, images, holes):
    rows = evaluate(images, images, holes).rows
    for name in ("lpips", "lpips_authors", "seam", "fd_alexnet_truth", "kid_alexnet_truth"):
        row = rows[name]
        assert (row["low"], row["value"], row["high"], row["se"]) == (0, 0, 0, 0), name
        assert math.copysign(1, row["value"]) == 1
    assert rows["fd_alexnet_truth"]["replicates"] == [0.0] * 5
    assert rows["psnr_known"]["value"] == math.inf
    assert rows["psnr_hole"]["value"] == pytest.approx(58.92, abs=0.01)
    assert rows["ssim_hole"]["value"] == pytest.approx(1)


def test_batch_size_does_not_count(evaluate, setup, images, holes):
    outputs = fill(images, holes)
    found = [
        evaluate(outputs, images, holes, setup=dataclasses.replace(setup, batch=batch))
        for batch in (1, 5, 12)
    ]
    for other in found[1:]:
        numbers = found[0].per_image.select_dtypes("number")
        np.testing.assert_allclose(other.per_image[numbers.columns], numbers, atol=1e-6)
        for name in set(NAMES) - INCEPTION:
            value = found[0].rows[name]["value"]
            assert other.rows[name]["value"] == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("metric", ["fd_alexnet", "fd_alexnet_truth", "kid_alexnet_truth"])
def test_replicates_pair_two_methods(evaluate, images, holes, metric):
    near, far = images.copy(), fill(images, holes)
    near[holes] = (near[holes] * 0.9).astype(np.uint8)
    a, b = (evaluate(x, images, holes, [metric]).rows[metric] for x in (near, far))
    mine, theirs = (np.array(row["replicates"]) for row in (a, b))
    difference = jackknife_difference(a["value"], mine, b["value"], theirs, 12)
    assert difference.value < 0 and math.isfinite(difference.low)


@pytest.mark.parametrize("n", [2, 3])
def test_very_few_images_get_a_value_without_an_interval(evaluate, images, holes, n):
    names = ["fd_alexnet", "kid_alexnet", "fd_alexnet_truth"]
    scores = evaluate(fill(images, holes)[:n], images[:n], holes[:n], names, IDS[:n])
    for row in scores.rows.values():
        assert math.isfinite(row["value"])
        assert math.isnan(row["low"]) == (n == 2)


def test_statistics_of_another_kind_are_refused(evaluate, setup, images, holes):
    other = dataclasses.replace(setup, feature_size=80)
    with pytest.raises(UserError, match="size = 64, the images here 80"):
        evaluate(images, images, holes, ["fd_alexnet"], setup=other)


def test_a_network_that_the_reference_lacks_is_not_available(evaluate, images, holes):
    names = ["fd_alexnet", "fd_alexnet_truth", "seam"]
    rows = evaluate(images, images, holes, names, references={}).rows
    assert rows["fd_alexnet"]["status"] == "not available"
    assert "-R reference" in str(rows["fd_alexnet"]["note"])
    assert rows["fd_alexnet_truth"]["value"] == 0
    assert rows["seam"]["status"] == "measured"


def test_unknown_metrics_get_the_nearest_name():
    with pytest.raises(UserError, match="did you mean `lpips`"):
        info("lpipz")


def test_mismatched_arrays_are_refused(evaluate, images, holes):
    with pytest.raises(ValueError, match="distinct id"):
        evaluate(images, images, holes, ["seam"], ["a"] * 12)
    with pytest.raises(ValueError, match="holes"):
        evaluate(images, images, holes.astype(float), ["seam"])
