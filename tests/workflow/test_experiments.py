"""`dvc exp run -S` runs what depends on the setting; `dvc exp show` compares the metrics."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import tiny
import versioned
from versioned import dvc, git, silent

METRIC = "results/tables/main.metrics.json:emoji.box.{}.lpips"


def rows(folder: Path) -> dict[str, dict[str, str]]:
    """The experiments by name, `workspace` and the baseline's branch among them."""
    text = dvc(folder, "exp", "show", "--csv").stdout
    return {row["Experiment"] or row["rev"]: row for row in csv.DictReader(io.StringIO(text))}


def value(row: dict[str, str], method: str) -> float:
    """LPIPS of a method; columns carry their file only where the name alone is ambiguous."""
    name = METRIC.format(method)
    return float(row[name] if name in row else row[name.partition(":")[2]])


def test_an_experiment_and_the_way_back(repository: Path) -> None:
    done = dvc(repository, "exp", "run", "-n", "faster", "-S", "training.rad.lr=0.01")
    jobs = versioned.ran(done.stdout + done.stderr)
    assert {rule: jobs.get(rule, 0) for rule in ("base", "rad", "sample", "evaluate")} == {
        "base": 0, "rad": 1, "sample": 1, "evaluate": 1,
    }  # fmt: skip
    assert silent(repository)

    found = rows(repository)
    assert {"faster", "main", "workspace"} <= set(found)
    assert value(found["faster"], "rad") != value(found["main"], "rad")
    assert value(found["faster"], "repaint") == value(found["main"], "repaint")
    assert float(found["faster"]["training.rad.lr"]) == 0.01

    shown = dvc(repository, "metrics", "diff", "main").stdout
    assert "emoji.box.rad.lpips" in shown
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
