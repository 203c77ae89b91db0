"""All metrics of one cell: one method's outputs for one set of images and holes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from radpipe.evaluation import feature_networks, info
from radpipe.evaluation.features import network
from radpipe.evaluation.intervals import (
    Interval,
    Resampling,
    blocks_of,
    bootstrap_mean,
    extreme,
    heavy_tails,
    jackknife,
    joined,
)
from radpipe.evaluation.metric import Distance, MetricInfo, NotAvailable, PerImage, Setup
from radpipe.evaluation.reference import Reference
from radpipe.lazy import pandas as pd

log = logging.getLogger(__name__)
OnStep = Callable[[int], object] | None


@dataclass
class CellScores:
    """What was measured for one cell.

    Attributes:
        per_image: a row per image: `image_id`, `hole_area` (0..1), a column per metric.
        rows: metric -> plain values for JSON: `status` (`measured` or `not available`), its
            interval, `details` that a reader must know to reproduce it, a warning as `note`, and
            `replicates` of a distance without each block of images, for paired differences.
        features: feature network -> `[N, d]` float32, rows as in `per_image`.
    """

    per_image: pd.DataFrame
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    features: dict[str, np.ndarray] = field(default_factory=dict)

    def measured(self, metric: MetricInfo, interval: Interval, **more: object) -> None:
        """Add a value."""
        row = {"status": "measured", **asdict(interval), "details": metric.details}
        self.rows[metric.name] = row | more

    def unavailable(self, metric: MetricInfo, note: str) -> None:
        """Say why a metric has none."""
        log.warning("%s: not available (%s)", metric.name, note)
        self.rows[metric.name] = {"status": "not available", "note": note}


def evaluate_cell(
    outputs: np.ndarray,
    truths: np.ndarray,
    holes: np.ndarray,
    ids: Sequence[str],
    metrics: Sequence[str],
    references: Mapping[str, Reference],
    setup: Setup,
    resampling: Resampling,
    on_step: OnStep = None,
) -> CellScores:
    """Measure one cell.

    Args:
        outputs: inpainted images, uint8 `[N, H, W, 3]`.
        truths: originals, the same shape.
        holes: bool `[N, H, W]`, True = hole.
        ids: N image ids, in the same order for every method that is to be compared.
        metrics: names of `METRICS`.
        references: feature network -> reference statistics.
        setup: assets, device, batch and the side of features.
        resampling: how intervals are made.
        on_step: called with the number of images just done, once per pass over the images
            (`passes` says how many there are).

    Raises:
        UserError: unknown metric, absent weights, statistics of another kind.
    """
    if outputs.shape != truths.shape or holes.shape != outputs.shape[:3] or holes.dtype != bool:
        raise ValueError(f"outputs {outputs.shape}, truths {truths.shape}, holes {holes.shape}")
    if len(ids) != len(outputs) or len(set(ids)) != len(ids) or not ids:
        raise ValueError("one distinct id per image is needed")
    area = holes.reshape(len(holes), -1).mean(axis=1)
    scores = CellScores(pd.DataFrame({"image_id": list(ids), "hole_area": area}))
    wanted = [info(name) for name in metrics]
    images = [w for w in wanted if isinstance(w, PerImage)]
    columns = _per_image(images, outputs, truths, holes, setup, on_step)
    for metric in images:
        values = scores.per_image[metric.name] = columns[metric.name]
        if metric.aggregate == "min":
            interval = extreme(values)
        else:
            interval = bootstrap_mean(values, resampling.seed, resampling.draws)
        scores.measured(metric, interval)
    for name in feature_networks(metrics):
        distances = [w for w in wanted if isinstance(w, Distance) and w.network == name]
        _distances(name, distances, outputs, truths, references, setup, resampling, scores, on_step)
    return scores


def passes(metrics: Sequence[str]) -> int:
    """Passes over the images that `evaluate_cell` makes at most, for progress bars."""
    wanted = [info(name) for name in metrics]
    per_image = any(w.kind == "per_image" for w in wanted)
    truths = feature_networks(metrics, to_truth=True)
    return int(per_image) + len(feature_networks(metrics)) + len(truths)


def _per_image(
    wanted: Sequence[PerImage],
    outputs: np.ndarray,
    truths: np.ndarray,
    holes: np.ndarray,
    setup: Setup,
    on_step: OnStep,
) -> dict[str, np.ndarray]:
    """Metric -> `[N]`, its scores."""
    built = {w.name: w.build(setup) for w in wanted}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in built}
    for start in range(0, len(outputs) if built else 0, setup.batch):
        part = slice(start, start + setup.batch)
        for name, score in built.items():
            columns[name].append(score(outputs[part], truths[part], holes[part]))
        if on_step:
            on_step(len(outputs[part]))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _distances(
    name: str,
    wanted: Sequence[Distance],
    outputs: np.ndarray,
    truths: np.ndarray,
    references: Mapping[str, Reference],
    setup: Setup,
    resampling: Resampling,
    scores: CellScores,
    on_step: OnStep,
) -> None:
    """Features of one network once, then every distance from them."""
    try:
        net = network(name, setup)
    except NotAvailable as error:
        for w in wanted:
            scores.unavailable(w, str(error))
        return
    split = references.get(name)
    if split:
        split.check(net.details, f"reference statistics of `{name}`")
    features = scores.features[name] = net.extract(outputs, setup.batch, on_step)
    n, blocks = len(features), blocks_of(len(features), resampling.blocks, resampling.seed)
    # leaving a block out must leave two images
    parts = blocks if n - max(map(len, blocks)) >= 2 else []
    there = {False: split}
    if any(w.to_truth for w in wanted):
        details = {**net.details, "reference": "the truths of the same images", "n": n}
        there[True] = Reference.of(net.extract(truths, setup.batch, on_step), details, keep=n)
    for w in wanted:
        reference = there[w.to_truth]
        if reference is None:
            scores.unavailable(w, _no_reference(name))
            continue
        value, *replicates = w.without(features, reference, [np.arange(0), *parts])
        note = joined(w.note(n), heavy_tails(features))
        interval = jackknife(float(value), np.array(replicates), n, note)
        details = {**reference.details, **w.details}
        scores.measured(w, interval, details=details, replicates=[float(r) for r in replicates])


def _no_reference(name: str) -> str:
    """The note of a cell whose reference was made where the network's weights could not be had."""
    return (
        f"the reference statistics were made without the network `{name}`; make them again with: "
        "snakemake --cores all -R reference -- all"
    )
