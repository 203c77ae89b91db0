"""A table of other settings is never shown as good, with and without results, by either engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tiny
import versioned
from versioned import dvc, git

TABLE = "results/tables/main.csv"


@pytest.fixture(params=["pulled", "not pulled"])
def clone(request: pytest.FixtureRequest, finished, tmp_path: Path) -> Path:
    """A fresh clone, its results fetched or not."""
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(finished.folder), str(folder))
    if request.param == "pulled":
        dvc(folder, "pull")
    return folder


def test_an_edited_setting_makes_the_table_stale_and_taking_it_back_does_not(clone: Path) -> None:
    """Snakemake, whose records are there or not."""
    settings = (clone / "params.yaml").read_bytes()
    assert versioned.planned(clone, TABLE) == {}
    assert "changed since" not in tiny.snakemake(clone, "-n", TABLE).stderr
    for key, value, rule in (
        ("training.rad.lr", 5.5e-4, "rad"),
        ("run.methods", ["rad", "telea"], "table"),
        ("evaluation.bootstrap", 101, "evaluate"),
    ):
        tiny.edit(clone, **{key: value})
        planned = versioned.planned(clone, TABLE)
        assert planned[rule] and planned["table"] == 1
        (clone / "params.yaml").write_bytes(settings)
        assert versioned.planned(clone, TABLE) == {}


def test_a_changed_formula_makes_the_table_stale(clone: Path) -> None:
    module = clone / "src/radpipe/evaluation/metrics/kernel.py"
    text = module.read_text()
    assert "** 3" in text
    module.write_text(text.replace("** 3", "** 2"))
    assert versioned.planned(clone, TABLE)["evaluate"] == 4
    module.write_text(text)
    assert versioned.planned(clone, TABLE) == {}


def test_dvc_makes_a_stale_table_anew(finished, tmp_path: Path) -> None:
    """`dvc repro` after an edit in a clone, and what `make demo` does in one without results."""
    for name, commands in (
        ("repro", [("dvc", "pull", "-q"), ("dvc", "repro")]),
        ("demo", [("radpipe", "pull"), ("snakemake", "--cores", "2", "demo")]),
    ):
        folder = tmp_path / name
        git(tmp_path, "clone", "-q", str(finished.folder), str(folder))
        before = (folder / TABLE).read_text()
        tiny.edit(folder, inpainters__rad__steps=2)
        for command in commands:
            tiny.run(folder, *command)
        assert (folder / TABLE).read_text() != before, name
        assert versioned.planned(folder, TABLE) == {}


def test_time_stamps_of_slices_say_whether_a_result_is_of_them(repository: Path) -> None:
    """A result that is not of the settings stays stale however often it is looked at."""
    tiny.edit(repository, evaluation__bootstrap=101)
    for _ in range(2):
        assert versioned.planned(repository)["evaluate"] == 4
    for path in (repository / ".radpipe/slices").rglob("*.json"):
        os.utime(path, (5, 5))  # older than any result
    assert versioned.planned(repository)["evaluate"] == 4
