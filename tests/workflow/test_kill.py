"""Killed with SIGKILL half-way: never "nothing to do", goes on, and ends as if undisturbed."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import tiny
import versioned
from versioned import nothing_to_do, running, wait_for

BASE = "results/checkpoints/emoji/base/receipt.json"
SAMPLES = "results/samples/emoji/repaint/box/0.json"
LOCKED = "Directory cannot be locked"


def refused(folder: Path, target: str) -> bool:
    """Whether a `snakemake` is turned away because of a lock, with the cure in its message."""
    done = tiny.snakemake(folder, target, check=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return done.returncode != 0 and LOCKED in said and "--unlock" in said


def state(folder: Path) -> list[Path]:
    return list((folder / ".radpipe/resume").glob("*/state.pt"))


def test_two_at_once_and_a_killed_training_ends_as_if_undisturbed(
    repository: Path, tmp_path: Path
) -> None:
    """Killed under Snakemake, gone on and killed under DVC, finished under Snakemake: as if
    undisturbed. While it works, a second `snakemake` is turned away."""
    tiny.edit(repository, training__base__images=192)
    undisturbed = versioned.copy(repository, tmp_path / "undisturbed")

    with running(repository, "snakemake", "--cores", "2", BASE) as process:
        wait_for(lambda: bool(state(repository)), process, repository)
        os.killpg(process.pid, signal.SIGSTOP)  # it holds the lock while a second one comes
        assert refused(repository, BASE)
    assert not (repository / BASE).is_file()  # no half result counts as one
    assert not nothing_to_do(repository)

    first = state(repository)[0].stat().st_mtime_ns
    with running(repository, "dvc", "repro") as process:
        wait_for(lambda: state(repository)[0].stat().st_mtime_ns > first, process, repository)
    resumed = versioned.resumed_at(versioned.log_of(repository, "base/emoji.log"))
    assert resumed > 0
    assert versioned.planned(repository)["base"] == 1
    assert versioned.status(repository) != {}  # also: no lock of DVC is left

    tiny.snakemake(repository, BASE)
    assert versioned.resumed_at(versioned.log_of(repository, "base/emoji.log")) > resumed
    assert not state(repository)

    tiny.snakemake(undisturbed, BASE)
    for name in (BASE, "results/checkpoints/emoji/base/model.safetensors"):
        assert (repository / name).read_bytes() == (undisturbed / name).read_bytes()


def test_killed_sampling_keeps_finished_images(repository: Path, tmp_path: Path) -> None:
    changes = {
        "inpainters__repaint": {"steps": 20, "jump_length": 2, "resamplings": 3},
        "resources__sample_batch": 1,
    }
    tiny.edit(repository, **changes)
    undisturbed = versioned.copy(repository, tmp_path / "undisturbed")

    def kept() -> list[Path]:
        return sorted((repository / ".radpipe/resume").glob("*/*.json"))

    with running(repository, "dvc", "repro") as process:
        wait_for(lambda: len(kept()) >= 2, process, repository)
    before = {p.stem: (p.read_bytes(), p.stat().st_mtime_ns) for p in kept()}
    assert 2 <= len(before) < 8
    assert versioned.planned(repository)["sample"] == 1

    tiny.snakemake(repository, SAMPLES)
    tiny.snakemake(undisturbed, SAMPLES)
    assert not kept()
    for name in (SAMPLES, SAMPLES.replace("json", "zip")):
        assert (repository / name).read_bytes() == (undisturbed / name).read_bytes()
    with (repository / SAMPLES.replace("json", "csv")).open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert len(rows) == 8
    for image, (content, _) in before.items():  # the measured seconds are those of the first run
        assert f'"seconds": {rows[image]["seconds"]}' in content.decode()
