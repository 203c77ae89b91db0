"""A temporary clone of the repository with settings so small that the whole DAG runs in seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from radpipe.dotted import put

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

TINY: dict[str, Any] = {
    "run.datasets": ["emoji"],
    "run.methods": ["rad", "repaint", "telea"],
    "run.masks": ["box"],
    "run.ablations": [],
    "datasets.emoji.model": {
        "channels": 32,
        "res_blocks": 1,
        "channel_mult": [1, 1],
        "attention": [16],
        "head_channels": 16,
        "dropout": 0.0,
    },
    "masks.training.count": 64,
    "masks.training.shards": 2,
    "training.ablation_images": None,
    "training.base.images": 64,
    "training.base.batch": 16,
    "training.base.warmup": 16,
    "training.base.precision": "fp32",
    "training.rad.images": 32,
    "training.rad.batch": 16,
    "training.rad.warmup": 16,
    "training.rad.precision": "fp32",
    "training.rad.rank": 4,
    "training.lama.images": 16,
    "training.lama.batch": 8,
    "training.lama.channels": 8,
    "training.lama.blocks": 1,
    "training.lama.discriminator_channels": 8,
    "training.lama.precision": "fp32",
    "inpainters": {
        "rad": {"solver": "ancestral", "steps": 3, "spacing": "trailing"},
        "repaint": {"steps": 4, "jump_length": 2, "resamplings": 2},
        "score_sde": {"steps": 4},
        "mcg": {"steps": 4},
        "ddrm": {"steps": 4},
    },
    "evaluation.images": 8,
    "evaluation.bootstrap": 100,
    "evaluation.jackknife_blocks": 4,
    "evaluation.figure_images": 3,
    "timing.repeats": 1,
    "timing.warmup": 0,
    "timing.batch": 2,
    "timing.official": False,
    "gaussian.samples": 100,
    "gaussian.steps": 25,
    "resources.train_threads": 1,
    "resources.save_seconds": 0,
}

# beside these, all there is: every method and ablation
ALL: dict[str, Any] = {
    "run__methods": ["rad", "repaint", "score_sde", "mcg", "ddrm", "lama", "telea", "biharmonic"],
    "run__ablations": ["components", "length", "lora_rank", "official", "steps"],
    "masks__training__shards": 1,
    "training__ablation_images": 8,
    "training__rad__images": 16,
    "training__rad__batch": 8,
    "training__rad__warmup": 8,
    "evaluation__images": 6,
    "evaluation__metrics": ["lpips", "fd_alexnet", "psnr_known"],
    "evaluation__jackknife_blocks": 3,
}


def clone(folder: Path, **changes: Any) -> Path:
    """Copy the working tree's tracked and new files, with tiny settings and without results.

    Args:
        folder: where to.
        changes: dotted keys of params.yaml, `__` for the dots.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    skip = ("results/", ".dvc/demo-remote/", "dvc.lock", "tests/")
    for name in filter(None, listed.split("\0")):
        if not name.startswith(skip) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in (TINY | {k.replace("__", "."): v for k, v in changes.items()}).items():
        put(raw, key, value)
    write(folder, raw)
    return folder


def write(folder: Path, raw: Mapping[str, Any]) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(dict(raw), sort_keys=False))


def edit(folder: Path, **changes: Any) -> None:
    """Change settings of a clone; `__` stands for the dots."""
    raw = yaml.safe_load((folder / "params.yaml").read_text())
    for key, value in changes.items():
        put(raw, key.replace("__", "."), value)
    write(folder, raw)


def environment(folder: Path) -> dict[str, str]:
    """Variables under which commands in a clone find this Python and import the clone's code."""
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A command of the environment, in a clone, importing the clone's own code."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    if check and done.returncode:
        raise AssertionError(f"{command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    return done


def snakemake(
    folder: Path, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """`snakemake --cores 2 ...` in a clone."""
    return run(folder, "snakemake", "--cores", "2", *arguments, check=check)


def jobs(folder: Path, *targets: str) -> dict[str, int]:
    """What `snakemake -n` would run: rule -> number of jobs."""
    text = snakemake(folder, *targets, "-n", "--quiet", "rules").stdout
    counts: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and words[0] not in {"total", "job"}:
            counts[words[0]] = int(words[1])
    return counts


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A folder that is built once, also where several processes share the tests."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            done.touch()
    return folder
