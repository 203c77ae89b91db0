"""Stage `reference`: feature statistics of the reference images, once per data set."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from radpipe.dag import Stage
from radpipe.evaluation import METRICS, networks_of
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.progress import bar

PORTION = 256  # images decoded at a time

STAGE = Stage(
    name="reference",
    folder="results/metrics/{dataset}/reference",
    files=("features.npz",),
    keys=("evaluation.reference", "evaluation.fd_size"),
    values=lambda pipeline, target: {
        "networks": networks_of(pipeline.view(target).evaluation.metrics)
    },
    upstream=lambda pipeline, target: [pipeline.target("data", dataset=target["dataset"])],
)


def run(job: Job) -> None:
    """Write mean, covariance and features for every feature network of the metrics."""
    from radpipe.evaluation.cell import networks_for
    from radpipe.evaluation.metrics import Options
    from radpipe.evaluation.reference import build_reference, save_references
    from radpipe.stages._measuring import setup_of

    split = job.settings["evaluation.reference"]
    store = ImageStore(job.folder("data").file(f"{split}.zip"))
    options = Options(feature_size=job.settings["evaluation.fd_size"])
    metrics = [m.name for m in METRICS.values() if m.network in job.settings["networks"]]
    networks = networks_for(metrics, setup_of(job, metrics, options))
    source = f"{job.wildcards['dataset']}, {split} split"
    references = {}
    with bar(len(store) * len(networks), f"reference {source}") as progress:
        for name, network in networks.items():
            references[name] = build_reference(
                portions(store, max(1, job.resources.loader_workers)),
                len(store),
                network,
                job.resources.sample_batch,
                source,
                progress.update,
            )
    save_references(job.out / "features.npz", references)
    job.finish("features.npz", images=len(store), networks=sorted(networks))


def portions(store: ImageStore, threads: int) -> Iterator[np.ndarray]:
    """All images, uint8 `[b, H, W, 3]`, a few in memory; the next are decoded meanwhile."""
    parts = [store.ids[start : start + PORTION] for start in range(0, len(store), PORTION)]
    with ThreadPoolExecutor(threads) as pool:
        coming = [pool.submit(store.read, name) for name in parts[0]] if parts else []
        for following in [*parts[1:], []]:
            present, coming = coming, [pool.submit(store.read, name) for name in following]
            yield np.stack([image.result() for image in present])
