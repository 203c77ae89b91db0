"""The rows of the timing table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import report_tree
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.files import sha256
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter
from radpipe.job import Job
from radpipe.params import parse
from radpipe.pipeline import Pipeline, target_of
from radpipe.report.results import read_timing
from radpipe.settings import Timing
from radpipe.stages import timing


def chosen(**changes: object) -> Timing:
    return Timing(**({"repeats": 3, "warmup": 1, "batch": 8, "official": True} | changes))


def test_a_method_is_timed_on_one_image_and_a_batch_then_at_its_official_budget() -> None:
    assert timing._plan("repaint", chosen()) == [("run", 1), ("run", 8), ("official", 1)]
    assert timing._plan("repaint", chosen(batch=1)) == [("run", 1), ("official", 1)]
    assert timing._plan("repaint", chosen(official=False)) == [("run", 1), ("run", 8)]
    assert timing._plan("telea", chosen()) == [("run", 1), ("run", 8)]


def test_ratios_compare_the_same_budget_and_batch(tmp_path: Path) -> None:
    seconds = {
        "rad": {("run", 1): 2.0, ("run", 8): 0.5, ("official", 1): 8.0},
        "mcg": {("run", 1): 12.0, ("run", 8): 2.0, ("official", 1): 160.0},
    }
    pipeline = Pipeline(report_tree.make_settings(methods=list(seconds)))
    tree, table = report_tree.Tree(tmp_path, pipeline), target_of("table", name="timing")
    tree.write(table)
    for method, measured in seconds.items():
        job = tree.job(target_of("timing", dataset="emoji", method=method))
        rows = [{"method": method, "budget": b, "batch": n} for b, n in measured]
        data = pd.DataFrame(rows).assign(seconds_median=list(measured.values()))
        data.to_csv(job.out / "timing.csv", index=False)
    found = read_timing(tree.job(table)).set_index(["method", "budget", "batch"])["ratio_to_rad"]
    assert found["rad"].tolist() == [1, 1, 1]
    assert found["mcg"].tolist() == pytest.approx([6, 4, 20])


def test_the_stage_times_without_networks_and_vouches_for_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = report_tree.make_settings(methods=["telea", "biharmonic"]).model_dump(mode="json")
    raw["timing"] = chosen(repeats=2).model_dump()
    raw["resources"]["device"] = "cpu"
    pipeline = Pipeline(parse(raw))
    target = target_of("timing", dataset="emoji", method="telea")
    tree = report_tree.Tree(tmp_path, pipeline)
    tree.write(target)
    job = tree.job(target)
    job.out.mkdir(parents=True)
    timing.run(job)
    table = pd.read_csv(job.out / "timing.csv")
    assert list(zip(table["method"], table["batch"], strict=True)) == [("telea", 1), ("telea", 8)]
    assert (table["calibration_seconds"] > 0).all()
    assert (table["seconds_median"] > 0).all()
    assert set(table["peak_memory_of"]) <= {"process", "process, since its start"}
    facts = json.loads(job.receipt.read_text())["facts"]
    assert facts["timing_sha256"] == sha256(job.out / "timing.csv")


def test_both_budgets_run_on_one_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the official run, which is not repeated, finds it warm."""
    pipeline = Pipeline(report_tree.make_settings(methods=["rad", "repaint"]))
    target = pipeline.target("timing", dataset="emoji", method="repaint")
    job = report_tree.Tree(tmp_path, pipeline).job(target)
    built: list[Inpainter] = []

    def build(job: Job, method: str, precision: str) -> Inpainter:
        kind = load(method)
        settings = job.section(f"inpainters.{method}", kind.Settings)
        built.append(kind(settings, lambda x, level: x, TwoPhaseSchedule()))
        return built[-1]

    monkeypatch.setattr(timing, "build", build)
    budgets = timing._budgets(job, "repaint")
    assert len(built) == 1
    assert budgets["official"].model.wrapped is budgets["run"].model.wrapped
    assert budgets["run"].settings.steps == job.settings["inpainters.repaint"]["steps"]
    assert budgets["official"].settings.steps == 250
