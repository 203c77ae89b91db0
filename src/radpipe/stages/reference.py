"""Stage `reference`: feature statistics of the reference images, once per data set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from radpipe.evaluation.cell import networks_for
from radpipe.evaluation.metrics import Options
from radpipe.evaluation.reference import build_reference, save_references
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.progress import bar
from radpipe.stages.evaluation import setup_of

PORTION = 256  # images decoded at a time


def run(job: Job) -> None:
    """Write mean, covariance and features for every feature network of the metrics."""
    split, metrics = job.settings["evaluation.reference"], job.settings["evaluation.metrics"]
    store = ImageStore(job.folder("data").file(f"{split}.zip"))
    options = Options(feature_size=job.settings["evaluation.fd_size"])
    networks = networks_for(metrics, setup_of(job, metrics, options))
    source = f"{job.wildcards['dataset']}, {split} split"
    references = {}
    with bar(len(store) * len(networks), f"reference {source}") as progress:
        for name, network in networks.items():
            references[name] = build_reference(
                portions(store), network, job.resources.sample_batch, source, progress.update
            )
    save_references(job.out / "features.npz", references)
    job.finish("features.npz", images=len(store), networks=sorted(networks))


def portions(store: ImageStore) -> Iterator[np.ndarray]:
    """All images, uint8 `[b, H, W, 3]`, never all in memory."""
    for start in range(0, len(store), PORTION):
        yield np.stack([store.read(i) for i in store.ids[start : start + PORTION]])
