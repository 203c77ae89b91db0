"""Claims: each verdict on scores that decide it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import report_tree
from radpipe.pipeline import Pipeline, Target
from radpipe.report import load
from report_tree import Tree, make_settings

CLAIMS = Target.of("table", name="claims")
Verdicts = Callable[..., "pd.Series[str]"]


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verdicts:
    """Claim -> verdict for a results folder with the given badness of methods."""

    def judge(bad: dict[str, float], ablations: tuple[str, ...] = ()) -> pd.Series[str]:
        monkeypatch.setattr(report_tree, "BAD", report_tree.BAD | bad)
        settings = make_settings(ablations=list(ablations), methods=["rad", "repaint", "telea"])
        tree = Tree(tmp_path, Pipeline(settings))
        tree.write(CLAIMS)
        data = load("table", "claims").build(tree.job(CLAIMS)).data
        return data[data["dataset"] == "emoji"].set_index("claim")["verdict"]

    return judge


def test_where_rad_is_best_the_claims_hold(verdicts: Verdicts) -> None:
    found = verdicts({})
    for claim in ("lpips_box", "fd_alexnet_box", "lpips_wide", "speed", "known_pixels"):
        assert found[claim] == "holds"
    assert found["speed_without_loss"] == "holds"


def test_where_rad_loses_they_do_not(verdicts: Verdicts) -> None:
    found = verdicts({"repaint": 0.05})
    assert found["lpips_box"] == "does not hold"
    assert found["lpips_wide"] == "holds"  # second best is what the paper has there
    assert found["speed_without_loss"] == "does not hold"


def test_a_seam_is_found(verdicts: Verdicts) -> None:
    found = verdicts({})
    assert found["no_seam_box"] == "holds"  # 2 levels smoother than the truth
    assert found["no_seam_wide"] == "does not hold"  # 3 levels above it


def test_what_was_not_run_is_not_tested(verdicts: Verdicts) -> None:
    found = verdicts({})
    for claim in ("fid_box", "lpips_extreme", "spatial_embedding", "from_scratch"):
        assert found[claim] == "not tested at this scale"


def test_ablations_are_judged_by_their_direction(verdicts: Verdicts) -> None:
    found = verdicts({}, ablations=("components",))
    assert found["spatial_embedding"] == "holds"  # 0.02 worse
    assert found["independent_masks"] == "holds"  # 0.20 worse
    assert found["from_scratch"] == "does not hold"  # 0.05 better than RAD


def test_the_papers_data_sets_are_named(tmp_path: Path) -> None:
    tree = Tree(tmp_path, Pipeline(make_settings(methods=["rad", "telea"], masks=["box"])))
    tree.write(CLAIMS)
    data = load("table", "claims").build(tree.job(CLAIMS)).data
    others = data[data["dataset"] != "emoji"]
    assert set(others["dataset"]) == {"ffhq", "lsun_bedroom", "imagenet"}
    assert set(others["verdict"]) == {"not tested at this scale"}
