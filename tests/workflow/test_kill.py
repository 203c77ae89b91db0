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


def unlock(folder: Path) -> None:
    """The cure that Snakemake's message names."""
    refused = tiny.snakemake(folder, BASE, check=False)
    assert refused.returncode != 0
    assert LOCKED in refused.stdout + refused.stderr
    assert "--unlock" in refused.stdout + refused.stderr
    tiny.run(folder, "snakemake", "--unlock")


def state(folder: Path) -> list[Path]:
    return list((folder / ".radpipe/resume").glob("*/state.pt"))


def test_a_killed_training_ends_as_if_undisturbed(repository: Path, tmp_path: Path) -> None:
    """Killed under Snakemake, gone on and killed under DVC, finished under Snakemake."""
    changes = {"training__base__images": 320, "resources__save_seconds": 0}
    tiny.edit(repository, **changes)
    undisturbed = versioned.copy(repository, tmp_path / "undisturbed")

    with running(repository, "snakemake", "--cores", "2", BASE) as process:
        wait_for(lambda: bool(state(repository)), process, repository)
    assert not (repository / BASE).is_file()  # no half result counts as one
    assert not nothing_to_do(repository)
    unlock(repository)

    first = state(repository)[0].stat().st_mtime_ns
    with running(repository, "dvc", "repro") as process:
        wait_for(lambda: state(repository)[0].stat().st_mtime_ns > first, process, repository)
    resumed = versioned.resumed_at(versioned.log_of(repository, "base/emoji.log"))
    assert resumed > 0
    assert versioned.planned(repository)["base"] == 1
    assert versioned.status(repository) != {}  # also: no lock of DVC is left
    unlock(repository)

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
    unlock(repository)

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


def test_two_at_once(repository: Path) -> None:
    """The second is told so; after a kill, the message names the cure, and it works."""
    tiny.edit(repository, training__base__images=80)
    locks = repository / ".snakemake/locks"
    with running(repository, "snakemake", "--cores", "2", BASE) as process:
        wait_for(lambda: locks.is_dir() and any(locks.iterdir()), process, repository)
        os.killpg(process.pid, signal.SIGSTOP)
        second = tiny.snakemake(repository, BASE, check=False)
        assert second.returncode != 0
        assert LOCKED in second.stdout + second.stderr
        assert "Traceback" not in second.stdout + second.stderr
    unlock(repository)
    tiny.snakemake(repository, BASE)
    assert (repository / BASE).is_file()
