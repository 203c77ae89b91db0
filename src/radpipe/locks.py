"""Locks of the system: they end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from pathlib import Path

from radpipe.files import remove_halves
from radpipe.job import Job
from radpipe.pipeline import target_of
from radpipe.receipts import Receipt

log = logging.getLogger(__name__)
FOLDER = Path(".radpipe/locks")
LEFTOVERS = Path(".snakemake/locks")


def _open(name: str) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return os.open(FOLDER / name, os.O_CREAT | os.O_RDWR)


def _taken(handle: int) -> bool:
    """Whether another process holds it; this one has it otherwise."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def remove_leftovers() -> None:
    """Remove the locks of a Snakemake that was killed, so that the same command can be typed again.

    Every Snakemake of this folder holds a lock of the system, shared with the others. Where nobody
    else does, Snakemake's own locks are leftovers; where somebody does, they are left as they are.
    """
    try:
        handle = _open("snakemake")
    except OSError:  # a read-only folder, which is said when the first job would start
        return
    if not _taken(handle):
        shutil.rmtree(LEFTOVERS, ignore_errors=True)
    fcntl.flock(handle, fcntl.LOCK_SH)  # the handle stays open until the process ends


def done_by_another(job: Job) -> bool:
    """Wait while another process works on this job, and say whether it has finished it.

    So a job that outlived its Snakemake (on a cluster, whose login node was restarted) and the same
    job, submitted again, do not write into each other's files. What a killed one left half-written
    is removed.
    """
    outputs = target_of(job.stage, **job.wildcards).outputs
    waited = _wait(str(job.slice["receipt"]).replace("/", "+"))
    for name in outputs:
        remove_halves(job.root / name)
    found = Receipt.read(job.receipt) if waited else None
    current = found is not None and found.digest == job.digest
    return current and all((job.root / name).is_file() for name in outputs)


def _wait(name: str) -> bool:
    """Take a job's lock for as long as this process lives; whether another had it before."""
    try:
        handle = _open(name)
        taken = _taken(handle)
        if taken:
            log.warning("waits: another process works on this job (%s)", FOLDER / name)
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        log.warning("this file system has no locks (%s): type a command once only", error)
        return False
    os.set_inheritable(handle, True)  # kept by a launcher that takes this process's place
    return taken
