"""`radpipe restore`: the way back to the last commit, from every state."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny
import versioned
from versioned import running, silent, wait_for


def begun(folder: Path) -> bool:
    return any((folder / ".snakemake/locks").glob("*"))


def trains(folder: Path) -> bool:
    return any((folder / ".radpipe/resume").glob("*/state.pt"))


def scored(folder: Path) -> bool:
    receipt = folder / "results/metrics/emoji/rad/box/metrics.json"
    # params.yaml would do as well, but DVC takes it away for a moment
    last_commit = folder / ".git/COMMIT_EDITMSG"
    return receipt.is_file() and receipt.stat().st_mtime > last_commit.stat().st_mtime


@pytest.mark.parametrize("moment", [begun, trains, scored])
def test_after_ctrl_c_in_an_experiment(repository: Path, moment: Callable[[Path], bool]) -> None:
    """At three moments: before the first job, in a training, behind the first new scores."""
    change = "training.rad.lr=0.01"
    with running(repository, "dvc", "exp", "run", "-S", change) as process:
        wait_for(lambda: moment(repository), process, repository)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(240)
    tiny.run(repository, "radpipe", "restore", "--yes")
    (repository / "running.txt").unlink()  # what the experiment said
    assert versioned.git(repository, "status", "--porcelain") == ""
    assert silent(repository)


def test_what_would_be_lost_is_said_first(repository: Path) -> None:
    """Results that DVC has not recorded."""
    tiny.edit(repository, evaluation__bootstrap=101)
    tiny.snakemake(repository, "results/tables/main.csv")
    table = (repository / "results/tables/main.csv").read_bytes()
    said = tiny.run(repository, "radpipe", "restore", check=False)
    assert said.returncode == 1
    assert "would be lost" in said.stderr and "radpipe restore --yes" in said.stderr
    assert (repository / "results/tables/main.csv").read_bytes() == table
    tiny.run(repository, "radpipe", "restore", "--yes")
    assert silent(repository)
