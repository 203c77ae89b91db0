"""Locks end with the process that holds them, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest

from radpipe import locks, params
from radpipe.job import Job
from radpipe.pipeline import Pipeline

ROOT = Path(__file__).parent.parent
SETTINGS = params.read(ROOT / "params.yaml")
HOLD = "import sys; from radpipe import locks; {}; print('held', flush=True); sys.stdin.read()"


def holder(what: str) -> subprocess.Popen[str]:
    """A process in this folder that has done something and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(what)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / locks.LEFTOVERS / "0.input.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_the_lock_of_a_killed_run_goes_and_that_of_a_living_one_stays(leftover: Path) -> None:
    alive = holder("locks.remove_leftovers()")
    assert not leftover.exists()  # nobody held it
    leftover.parent.mkdir(exist_ok=True)
    leftover.touch()
    locks.remove_leftovers()
    assert leftover.exists()
    alive.kill()
    alive.wait()


def job(root: Path) -> Job:
    pipeline = Pipeline(SETTINGS)
    slice = pipeline.slice(pipeline.target("bank", dataset="emoji", variant="default", shard="0"))
    return Job(slice, root, SETTINGS.resources)


@pytest.mark.parametrize("finished", [True, False])
def test_the_second_of_two_waits_and_works_only_if_need_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """The first one ends with its results there, or is killed without."""
    monkeypatch.chdir(tmp_path)
    ours = job(tmp_path)
    name = str(ours.slice["receipt"]).replace("/", "+")
    first = holder(f"import fcntl; fcntl.flock(locks._open({name!r}), fcntl.LOCK_EX)")
    with ThreadPoolExecutor() as pool:
        second = pool.submit(locks.done_by_another, ours)
        with pytest.raises(TimeoutError):
            second.result(0.3)
        if finished:
            ours.out.mkdir(parents=True)
            (ours.out / "0.npz").write_bytes(b"masks")
            ours.finish("0.npz")
        first.kill()
        first.wait()
        assert second.result(60) == finished


def test_a_job_alone_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not locks.done_by_another(job(tmp_path))
