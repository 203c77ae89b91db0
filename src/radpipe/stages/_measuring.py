"""What the stages that measure share: assets, options, the set-up of metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from radpipe.assets import cache_folder, fetch
from radpipe.devices import resolve_device
from radpipe.errors import Unreachable
from radpipe.evaluation import info
from radpipe.evaluation.metric import Setup
from radpipe.job import Job
from radpipe.lazy import torch

log = logging.getLogger(__name__)


def fetched(metrics: Iterable[str]) -> dict[str, Path]:
    """The files that metrics need. An optional one that no source gives is left out: its cells
    then say `not available`. A damaged file or a full disk is an error all the same."""
    files: dict[str, Path] = {}
    wanted = {asset: info(m).optional for m in metrics for asset in info(m).assets}
    for asset, optional in wanted.items():
        try:
            files[asset] = fetch(asset, cache_folder())
        except Unreachable as error:
            if not optional:
                raise
            log.warning("%s\n  metrics that need it will be: not available", error)
    return files


def setup_of(job: Job, metrics: Sequence[str], feature_size: int) -> Setup:
    """What the networks of a job's metrics are built from."""
    torch.set_num_threads(job.threads)
    device, batch = resolve_device(job.resources.device), job.resources.sample_batch
    return Setup(fetched(metrics), device, batch, feature_size)
