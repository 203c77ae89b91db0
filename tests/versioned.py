"""A finished tiny run as a git and DVC repository, and what the promises ask of it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tiny

NOTHING = "Nothing to be done"
UP_TO_DATE = "Data and pipelines are up to date."
STAGE_FOLDERS = ("data", "masks", "checkpoints", "samples", "metrics", "timing")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def start(folder: Path, **changes: Any) -> Path:
    """A tiny clone as a git repository, not run yet; `changes` as for `tiny.clone`."""
    tiny.clone(folder, **changes)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "tiny")
    return folder


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def copy(source: Path, folder: Path) -> Path:
    """A repository with everything in it: results, DVC's cache, Snakemake's records."""
    shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def dvc(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return tiny.run(folder, "dvc", *arguments, check=check)


def repro(folder: Path) -> str:
    """All that `dvc repro` and the Snakemake below it said."""
    done = dvc(folder, "repro")
    return done.stdout + done.stderr


def status(folder: Path) -> object:
    """What `dvc status` calls changed; empty when there is nothing."""
    return json.loads(dvc(folder, "status", "--json").stdout)


def nothing_to_do(folder: Path) -> bool:
    """Whether `snakemake -n` says so; a plan of jobs is the only other answer."""
    text = tiny.snakemake(folder, "-n").stdout
    assert (NOTHING in text) != ("Job stats" in text)
    return NOTHING in text


def silent(folder: Path) -> bool:
    """Neither engine has anything to say."""
    return nothing_to_do(folder) and status(folder) == {}


def ran(text: str) -> dict[str, int]:
    """Rule -> jobs of the last `Job stats` in an output; empty if nothing was to be done."""
    counts: dict[str, int] = {}
    for line in text.rpartition("Job stats:")[2].splitlines()[1:]:
        words = line.split()
        if not words and counts:
            break
        if len(words) == 2 and words[1].isdigit():
            counts[words[0]] = int(words[1])
    counts.pop("total", None)
    counts.pop("all", None)
    return counts


def planned(folder: Path, *targets: str) -> dict[str, int]:
    """Rule -> jobs that `snakemake -n` would run, without the collecting rule."""
    return ran(tiny.snakemake(folder, "-n", *targets).stdout)


def receipts(folder: Path) -> dict[str, str]:
    """Receipt -> what must be the same: its checksum, or of measured seconds that of its slice."""
    found = {}
    for path in sorted((folder / "results").rglob("*.json")):
        with suppress(ValueError):
            raw = json.loads(path.read_text())
            if isinstance(raw, dict) and "slice" in raw:
                content = json.dumps(raw["slice"] if _measured(raw["slice"]) else raw)
                name = str(path.relative_to(folder))
                found[name] = hashlib.sha256(content.encode()).hexdigest()
    return found


def _measured(slice: Any) -> bool:
    stages = {slice["stage"], *(entry["stage"] for entry in slice["upstream"].values())}
    return "timing" in stages


def names(folder: Path) -> set[str]:
    """All results, without the logs."""
    results = folder / "results"
    found = (p.relative_to(results) for p in results.rglob("*") if p.is_file())
    return {str(p) for p in found if p.parts[0] != "logs"}


def scramble(folder: Path) -> None:
    """Time stamps under results/ in an order that has nothing to do with the DAG."""
    rng = random.Random(0)
    for path in sorted((folder / "results").rglob("*")):
        moment = 1_500_000_000 + rng.randrange(200_000_000)
        os.utime(path, (moment, moment))


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own, killed with all its children at the end of the block."""
    environment = tiny.environment(folder)
    with (folder / "running.txt").open("w") as output:
        process = subprocess.Popen(
            [str(tiny.BIN / command[0]), *command[1:]],
            cwd=folder, env=environment, stdout=output, stderr=output, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(found: Callable[[], bool], process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until something is there while a process works on it."""
    deadline = time.monotonic() + 600
    while not found():
        text = (folder / "running.txt").read_text()[-3000:]
        assert process.poll() is None, f"it ended first:\n{text}"
        assert time.monotonic() < deadline, text
        time.sleep(0.02)


def log_of(folder: Path, name: str) -> str:
    return (folder / "results/logs" / name).read_text()


def resumed_at(text: str) -> int:
    """The image at which a training's log says that it went on."""
    found = re.search(r"resumes at image (\d+)", text)
    assert found, text
    return int(found[1])
