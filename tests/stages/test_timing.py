"""The rows of the timing table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import report_tree
from radpipe.files import sha256
from radpipe.inpainters.base import Inpainter
from radpipe.params import parse
from radpipe.pipeline import Pipeline, target_of
from radpipe.settings import Timing
from radpipe.stages import timing


def chosen(**changes: object) -> Timing:
    return Timing(**({"repeats": 3, "warmup": 1, "batch": 8, "official": True} | changes))


def test_a_method_is_timed_on_one_image_and_a_batch_then_at_its_official_budget() -> None:
    assert timing._plan("repaint", chosen()) == [("run", 1), ("run", 8), ("official", 1)]
    assert timing._plan("repaint", chosen(batch=1)) == [("run", 1), ("official", 1)]
    assert timing._plan("repaint", chosen(official=False)) == [("run", 1), ("run", 8)]
    assert timing._plan("telea", chosen()) == [("run", 1), ("run", 8)]


def test_ratios_compare_the_same_budget_and_batch() -> None:
    seconds = {
        ("rad", "run", 1): 2.0, ("rad", "run", 8): 0.5, ("rad", "official", 1): 8.0,
        ("mcg", "run", 1): 6.0, ("mcg", "run", 8): 1.0, ("mcg", "official", 1): 80.0,
    }  # fmt: skip
    rows = [dict(zip(("method", "budget", "batch"), key, strict=True)) for key in seconds]
    table = pd.DataFrame(rows).assign(seconds_median=list(seconds.values()))
    assert [timing._ratio(table, row) for _, row in table.iterrows()] == [1, 1, 1, 3, 2, 10]
    alone = table[table["method"] == "mcg"]
    assert np.isnan(timing._ratio(alone, alone.iloc[0]))


def test_the_stage_times_without_networks_and_vouches_for_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = report_tree.make_settings(methods=["telea", "biharmonic"]).model_dump(mode="json")
    raw["timing"] = chosen(repeats=2).model_dump()
    raw["resources"]["device"] = "cpu"
    pipeline, target = Pipeline(parse(raw)), target_of("timing", dataset="emoji")
    tree = report_tree.Tree(tmp_path, pipeline)
    tree.write(target)
    job = tree.job(target)
    job.out.mkdir(parents=True)
    timing.run(job)
    table = pd.read_csv(job.out / "timing.csv")
    assert list(zip(table["method"], table["batch"], strict=True)) == [
        ("telea", 1), ("telea", 8), ("biharmonic", 1), ("biharmonic", 8),
    ]  # fmt: skip
    assert (table["seconds_median"] > 0).all()
    assert set(table["peak_memory_of"]) <= {"process", "process, since its start"}
    assert table["ratio_to_rad"].isna().all()  # RAD is not there
    facts = json.loads(job.receipt.read_text())["facts"]
    assert facts["timing_sha256"] == sha256(job.out / "timing.csv")


def test_both_budgets_run_on_one_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the official run, which is not repeated, finds it warm."""
    pipeline = Pipeline(report_tree.make_settings(methods=["rad", "repaint"]))
    job = report_tree.Tree(tmp_path, pipeline).job(pipeline.target("timing", dataset="emoji"))
    built: list[Inpainter] = []

    def build(method: str, settings: dict, *rest: object) -> Inpainter:
        from radpipe.diffusion.schedule import TwoPhaseSchedule
        from radpipe.inpainters import load

        kind = load(method)
        parsed = kind.Settings.model_validate(settings)
        built.append(kind(parsed, lambda x, level: x, TwoPhaseSchedule()))
        return built[-1]

    monkeypatch.setattr(timing, "build", build)
    budgets = timing._budgets(job, "repaint")
    assert len(built) == 1
    assert budgets["official"].model.wrapped is budgets["run"].model.wrapped
    assert budgets["run"].settings.steps == job.settings["inpainters"]["repaint"]["steps"]
    assert budgets["official"].settings.steps == 250
