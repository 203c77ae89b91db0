"""Stage `reference`: feature statistics of the reference images, once per data set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from radpipe.dag import Stage
from radpipe.evaluation import METRICS, feature_networks
from radpipe.evaluation.features import network
from radpipe.evaluation.metric import NotAvailable
from radpipe.evaluation.reference import Collected, save_references
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.progress import bar
from radpipe.stages._measuring import setup_of

log = logging.getLogger(__name__)
PORTION = 256  # images decoded at a time

STAGE = Stage(
    name="reference",
    folder="results/metrics/{dataset}/reference",
    files=("features.npz",),
    keys=("evaluation.reference", "evaluation.fd_size"),
    values=lambda pipeline, target: {
        "networks": sorted(
            feature_networks(pipeline.view(target).evaluation.metrics, to_truth=False)
        )
    },
    upstream=lambda pipeline, target: [pipeline.target("data", dataset=target["dataset"])],
    bulk=lambda pipeline, target: ["features.npz"],
)


def run(job: Job) -> None:
    """Write mean, covariance and features for every feature network of the metrics."""
    split, names = job.settings["evaluation.reference"], job.settings["networks"]
    store = ImageStore(job.folder("data").file(f"{split}.zip"))
    metrics = [m for m in METRICS if feature_networks([m], to_truth=False)]
    wanted = [m for m in metrics if METRICS[m].network in names]
    setup = setup_of(job, wanted, job.settings["evaluation.fd_size"])
    source, references = f"{job.wildcards['dataset']}, {split} split", {}
    with bar(len(store) * len(names), f"reference {source}") as progress:
        for name in names:
            try:
                net = network(name, setup)
            except NotAvailable as error:
                log.warning("%s: not available (%s)", name, error)
                continue
            collected = Collected(len(store))
            for part in portions(store, max(1, job.resources.loader_workers)):
                collected.add(net.extract(part, setup.batch, progress.update))
            details = {**net.details, "reference": source, "n": len(store)}
            references[name] = collected.reference(details)
    save_references(job.out / "features.npz", references)
    job.finish("features.npz", images=len(store), networks=sorted(references))


def portions(store: ImageStore, threads: int) -> Iterator[np.ndarray]:
    """All images, uint8 `[b, H, W, 3]`, a few in memory; the next are decoded meanwhile."""
    parts = [store.ids[start : start + PORTION] for start in range(0, len(store), PORTION)]
    with ThreadPoolExecutor(threads) as pool:
        coming = [pool.submit(store.read, name) for name in parts[0]] if parts else []
        for following in [*parts[1:], []]:
            present, coming = coming, [pool.submit(store.read, name) for name in following]
            yield np.stack([image.result() for image in present])
