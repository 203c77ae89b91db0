"""One DAG of all there is: every method, one mask, every ablation, every table and figure.

The settings are tiny, so no number here says anything about quality; that every number is there,
is finite and stands where it should is what is tested. The other files test how the DAG behaves.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import tiny
from radpipe import params
from radpipe.pipeline import Pipeline
from radpipe.plugins import names as plugins

METHODS = tiny.ALL["run__methods"]
MASKS = tiny.TINY["run.masks"]
ABLATIONS = tiny.ALL["run__ablations"]


@pytest.fixture
def folder(everything: Path) -> Path:
    return everything


def table(folder: Path, name: str) -> pd.DataFrame:
    """The rows of the clone's own data set."""
    data = pd.read_csv(folder / f"results/tables/{name}.csv", keep_default_na=False)
    return data[data["dataset"] == "emoji"] if "dataset" in data else data


def test_nothing_was_left_out_of_this_test() -> None:
    assert set(METHODS) == set(plugins("inpainters"))
    assert set(ABLATIONS) == set(plugins("ablations"))


def test_every_table_and_figure_is_there(folder: Path) -> None:
    pipeline = Pipeline(params.read(folder / "params.yaml"))
    wanted = [name for t in pipeline.report_targets() for name in t.outputs]
    assert len(wanted) > 60
    assert [name for name in wanted if not (folder / name).is_file()] == []
    assert [name for name in wanted if (folder / name).stat().st_size == 0] == []


def test_the_main_table_has_a_finite_number_everywhere(folder: Path) -> None:
    cells = table(folder, "main").set_index(["method", "mask", "metric"])["value"]
    assert not cells.index.duplicated().any()
    for method in METHODS:
        for mask in MASKS:
            for metric in ("lpips", "fd_alexnet", "evaluations"):
                assert math.isfinite(float(cells[method, mask, metric])), (method, mask, metric)
            # known pixels come out as they went in, whatever the method
            assert float(cells[method, mask, "psnr_known"]) == math.inf, (method, mask)


def test_every_variant_of_every_ablation_was_run(folder: Path) -> None:
    variants = {"components": 6, "length": 2, "lora_rank": 3, "official": 1, "steps": 3}
    unchanged = {"steps": "rad", "official": "repaint"}
    for name, count in variants.items():
        data = table(folder, f"ablation_{name}")
        assert data["method"].nunique() == 1 + count + 1  # and the truth
        assert "not run" not in set(data["value"])
        quality = data[data["metric"] == "lpips"]
        assert len(quality) == (1 + count + 1) * len(MASKS)
        assert quality["value"].astype(float).map(math.isfinite).all()
        assert data["method"].iloc[0] == unchanged.get(name, "rad@reference")
    evaluations = table(folder, "ablation_steps")
    solvers = evaluations[~evaluations["method"].isin(["rad", "truth"])]
    assert set(solvers["evaluations"].astype(float)) == {2.0}
    # fewer images, no distance of sets, and a difference over the images that both have
    official = table(folder, "ablation_official")
    official = official[official["method"] == "repaint@official-repaint"].set_index("metric")
    assert "fd_alexnet" not in official.index
    assert set(official["n"].astype(int)) == {5}
    assert math.isfinite(float(official.loc["lpips", "difference"]))


def test_the_lengths_are_shares_of_rads_training(folder: Path) -> None:
    data = pd.read_csv(folder / "results/figures/training_length.csv")
    trained = data[data["method"].str.startswith("rad")]
    assert set(trained["images"]) == {1.0, 6.0, 8.0, 16.0}
    assert data.loc[~data["method"].str.startswith("rad"), "images"].isna().all()


def test_rad_answers_several_times(folder: Path) -> None:
    data = pd.read_csv(folder / "results/figures/draws.csv")
    assert set(data["draws"]) == {4}
    assert (data["mean_pixel_spread"] > 0).all()
    with Image.open(folder / "results/draws/emoji/reverse.gif") as film:
        assert film.n_frames == 1 + 3 + 1  # the input, the states that the network saw, the answer


def test_every_claim_is_judged_where_it_can_be(folder: Path) -> None:
    verdicts = table(folder, "claims").set_index("claim")["verdict"]
    assert not verdicts.index.duplicated().any()
    untested = "not tested"
    assert {v.partition(":")[0] for v in verdicts} <= {
        "holds", "does not hold", "cannot tell", untested,
    }  # fmt: skip
    judged = (
        "lpips_box", "speed_without_loss", "spatial_embedding",
        "independent_masks", "perlin_masks", "from_scratch", "inverse_map", "loss_region",
        "lower_rank", "higher_rank", "all_weights",
    )  # fmt: skip
    assert [name for name in judged if verdicts[name] == untested] == []
    assert verdicts["known_pixels"] == "holds"
    # no official budget was timed, no Inception features and no seam were measured
    for name in ("speed", "speed_at_few_evaluations", "fid_box", "no_seam_box"):
        assert verdicts[name] == untested


def test_every_method_was_timed(folder: Path) -> None:
    data = table(folder, "timing")
    assert set(data["method"]) == set(METHODS)
    assert (data["seconds_median"].astype(float) > 0).all()


def test_then_there_is_nothing_to_do(folder: Path) -> None:
    text = tiny.snakemake(folder, "-n").stdout
    assert "Nothing to be done" in text
