"""`radpipe verify`: the main table comes out of the networks again, and a false one is found."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

import tiny
import versioned
from radpipe import params
from radpipe.pipeline import Pipeline
from radpipe.verbs.remake import INSIDE, OUTSIDE, SAME, Verified, _compare_values, _missing


def falsify(folder: Path) -> None:
    """Another LPIPS for RAD, far outside its interval."""
    path = folder / "results/tables/main.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    row = next(r for r in rows if (r["method"], r["metric"]) == ("rad", "lpips"))
    row |= {"value": "0.001", "low": "0.0005", "high": "0.0015"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_the_networks_give_the_table_again_and_a_false_number_is_found(repository: Path) -> None:
    falsify(repository)
    said = tiny.run(repository, "radpipe", "verify", "--all", "--cores", "2", check=False)
    assert said.returncode == 1
    assert re.search(r"4\d the same, 0 inside the interval, 1 outside the interval", said.stdout)
    assert "3 of 3 cells the same, bit for bit" in said.stdout
    assert re.search(r"\d+ claims judged again", said.stdout)
    assert "differs: emoji rad box lpips: 0.001" in said.stdout
    assert said.stdout.count("differs") == 1
    (kept,) = (repository / ".radpipe/verify").iterdir()
    assert str(kept.relative_to(repository)) in said.stdout
    assert (kept / "results/tables/main.csv").is_file()
    assert "main.csv" in versioned.git(repository, "status", "--porcelain")
    assert versioned.nothing_to_do(repository)


def test_a_share_of_each_cell_is_made_again(repository: Path) -> None:
    """Here, on the processor that made them, every image and score is the same."""
    said = tiny.run(repository, "radpipe", "verify", "--share", "3")
    assert "9 images of 3 cells" in said.stdout
    assert "9 are the same, bit for bit" in said.stdout
    assert versioned.silent(repository)
    scores = repository / "results/metrics/emoji/rad/box/scores.csv"
    table = pd.read_csv(scores, dtype={"image": str}).assign(lpips=0.0)
    table.to_csv(scores, index=False)
    said = tiny.run(repository, "radpipe", "verify", "--share", "3", check=False)
    assert said.returncode == 1
    assert "differs: rad box lpips" in said.stdout
    assert said.stdout.count("differs: ") == 1


def test_numbers_of_other_settings_are_nothing_to_compare_with(repository: Path) -> None:
    tiny.edit(repository, inpainters__rad__steps=4)
    said = tiny.run(repository, "radpipe", "verify", check=False)
    assert said.returncode == 1
    assert "not that of the current settings" in said.stderr
    assert "snakemake --cores all results/tables/main.csv" in said.stderr


def test_claims_from_git_without_their_results_are_left_out(repository: Path) -> None:
    """A clone whose results could not be fetched has tables, and nothing they were made from."""
    pipeline = Pipeline(params.read(repository / "params.yaml"))
    claims = pipeline.target("table", name="claims")
    assert _missing(pipeline, claims, repository) == []
    (repository / "results/timing/emoji/rad/timing.csv").unlink()
    assert _missing(pipeline, claims, repository) == ["results/timing/emoji/rad/timing.csv"]


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ("0.5", SAME),
        ("0.45", INSIDE),
        ("0.4", INSIDE),
        ("0.61", OUTSIDE),
        ("nan", OUTSIDE),
        ("", OUTSIDE),
    ],
)
def test_a_value_is_held_to_its_interval(again: str, expected: str) -> None:
    row = {"dataset": "d", "method": "m", "mask": "k", "metric": "x", "value": "0.5"}
    found = Verified()
    _compare_values([row | {"low": "0.4", "high": "0.6"}], [row | {"value": again}], found)
    assert found.values == {expected: 1}
    assert bool(found.faults) == (expected == OUTSIDE)


@pytest.mark.parametrize(("again", "expected"), [("inf", SAME), ("58.9", OUTSIDE)])
def test_a_value_without_an_interval_must_be_the_same(again: str, expected: str) -> None:
    row = {"dataset": "d", "method": "m", "mask": "k", "metric": "psnr_known", "value": "inf"}
    found = Verified()
    _compare_values([row | {"low": "", "high": ""}], [row | {"value": again}], found)
    assert found.values == {expected: 1}


def test_a_row_that_only_one_table_has_is_found() -> None:
    row = {"dataset": "d", "method": "m", "mask": "k", "metric": "x", "value": "0.5"}
    row |= {"low": "0.4", "high": "0.6"}
    found = Verified()
    _compare_values([row], [row, row | {"method": "other"}], found)
    assert found.faults == ["differs: d other k x: not in the table here"]
    found = Verified()
    _compare_values([row, row | {"method": "other"}], [row], found)
    assert found.values == {SAME: 1, OUTSIDE: 1}
