"""`dvc exp run -S` runs what depends on the setting; `dvc exp show` compares the metrics."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import tiny
import versioned
from versioned import dvc, git, silent

METRIC = "results/tables/claims.metrics.json:emoji.lpips.box"


def rows(folder: Path) -> dict[str, dict[str, str]]:
    """The experiments by name, `workspace` and the baseline's branch among them."""
    text = dvc(folder, "exp", "show", "--csv").stdout
    return {row["Experiment"] or row["rev"]: row for row in csv.DictReader(io.StringIO(text))}


def value(row: dict[str, str]) -> float:
    """RAD's LPIPS; columns carry their file only where the name alone is ambiguous."""
    return float(row[METRIC] if METRIC in row else row[METRIC.partition(":")[2]])


def test_an_experiment_and_the_way_back(repository: Path) -> None:
    done = dvc(repository, "exp", "run", "-n", "faster", "-S", "training.rad.lr=0.01")
    jobs = versioned.ran(done.stdout + done.stderr)
    assert {rule: jobs.get(rule, 0) for rule in ("base", "rad", "sample", "evaluate")} == {
        "base": 0, "rad": 1, "sample": 1, "evaluate": 1,
    }  # fmt: skip
    assert silent(repository)

    found = rows(repository)
    assert {"faster", "main", "workspace"} <= set(found)
    assert value(found["faster"]) != value(found["main"])
    metrics = [name for name in found["main"] if "claims.metrics.json" in name or ".lpips." in name]
    assert len(metrics) < 12  # a handful, not every cell
    assert float(found["faster"]["training.rad.lr"]) == 0.01

    shown = dvc(repository, "metrics", "diff", "main").stdout
    assert "emoji.lpips.box" in shown
    git(repository, "checkout", "-q", ".")
    dvc(repository, "checkout")
    assert silent(repository)


def test_plots(repository: Path) -> None:
    """Loss curves and quality over time are declared plots."""
    dvc(repository, "plots", "show", "-o", "plots")
    page = (repository / "plots/index.html").read_text()
    assert "Losses over the images seen" in page
    assert "Quality against seconds per image" in page
    assert '"training": "rad"' in page
    assert "Traceback" not in tiny.run(repository, "dvc", "plots", "show", "-o", "plots").stderr
