"""All metrics of one cell: one method's outputs for one set of images and holes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from radpipe.evaluation import (
    MetricInfo,
    frechet,
    image_metrics,
    info,
    kid,
    perceptual,
    seams,
)
from radpipe.evaluation.features import FeatureNetwork, network
from radpipe.evaluation.intervals import Interval, blocks_of, bootstrap_mean, extreme, jackknife
from radpipe.evaluation.metrics import (
    Details,
    DistributionMetric,
    NotAvailable,
    PerImageMetric,
    Setup,
    to_float,
)
from radpipe.evaluation.reference import Reference

log = logging.getLogger(__name__)

# imported by name, so that a digest of this code follows them
_MODULES = {
    "frechet": frechet,
    "image_metrics": image_metrics,
    "kid": kid,
    "perceptual": perceptual,
    "seams": seams,
}


@dataclass
class CellScores:
    """What was measured for one cell.

    Attributes:
        per_image: a row per image: `image_id`, `hole_area` (0..1), a column per metric.
        intervals: metric -> value with its uncertainty.
        features: feature network -> `[N, d]` float32, rows as in `per_image`.
        replicates: distribution metric -> leave-one-block-out values, for paired differences.
        unavailable: metric -> why its cell says `not available`.
        details: metric -> what a reader must know to reproduce it.
    """

    per_image: pd.DataFrame
    intervals: dict[str, Interval] = field(default_factory=dict)
    features: dict[str, np.ndarray] = field(default_factory=dict)
    replicates: dict[str, np.ndarray] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    details: dict[str, Details] = field(default_factory=dict)

    def summary(self) -> dict[str, dict[str, object]]:
        """Plain values for JSON, by metric; `status` is `measured` or `not available`."""
        rows: dict[str, dict[str, object]] = {}
        for name, interval in self.intervals.items():
            rows[name] = {"status": "measured", **interval.to_dict()}
            if name in self.replicates:
                rows[name]["replicates"] = self.replicates[name].tolist()
            rows[name]["details"] = self.details[name]
        for name, reason in self.unavailable.items():
            rows[name] = {"status": "not available", "note": reason}
        return rows


def evaluate_cell(
    outputs: np.ndarray,
    truths: np.ndarray,
    holes: np.ndarray,
    ids: Sequence[str],
    metrics: Sequence[str],
    references: Mapping[str, Reference],
    setup: Setup,
    on_step: Callable[[int], object] | None = None,
) -> CellScores:
    """Measure one cell.

    Args:
        outputs: inpainted images, uint8 `[N, H, W, 3]`.
        truths: originals, the same shape.
        holes: bool `[N, H, W]`, True = hole.
        ids: N image ids, in the same order for every method that is to be compared.
        metrics: names of `METRICS`.
        references: feature network -> reference statistics.
        setup: assets, device, batch and options.
        on_step: called with the number of images just done, once per pass over the images
            (`passes` says how many there are).

    Raises:
        UserError: unknown metric, absent weights, statistics of another kind.
    """
    _check(outputs, truths, holes, ids)
    table = pd.DataFrame({"image_id": list(ids), "hole_area": image_metrics.hole_area(holes)})
    scores = CellScores(table)
    wanted = [info(name) for name in metrics]
    _per_image([w for w in wanted if w.kind == "per_image"], outputs, truths, holes, setup, scores,
               on_step)  # fmt: skip
    _distributions([w for w in wanted if w.kind == "distribution"], outputs, references, setup,
                   scores, on_step)  # fmt: skip
    return scores


def networks_for(metrics: Sequence[str], setup: Setup) -> dict[str, FeatureNetwork]:
    """The feature networks that some metrics need and that can be built here."""
    found: dict[str, FeatureNetwork] = {}
    for name in dict.fromkeys(info(m).network for m in metrics if info(m).network):
        try:
            found[name] = network(name, setup)
        except NotAvailable as error:
            log.warning("%s: not available (%s)", name, error)
    return found


def _check(outputs: np.ndarray, truths: np.ndarray, holes: np.ndarray, ids: Sequence[str]) -> None:
    if outputs.shape != truths.shape or holes.shape != outputs.shape[:3] or holes.dtype != bool:
        raise ValueError(f"outputs {outputs.shape}, truths {truths.shape}, holes {holes.shape}")
    if len(ids) != len(outputs) or len(set(ids)) != len(ids) or not ids:
        raise ValueError("one distinct id per image is needed")


def _implementation(metric: MetricInfo) -> type:
    module, name = metric.implementation.split(":")
    found: type = getattr(_MODULES[module], name)
    return found


def _per_image(
    wanted: Sequence[MetricInfo],
    outputs: np.ndarray,
    truths: np.ndarray,
    holes: np.ndarray,
    setup: Setup,
    scores: CellScores,
    on_step: Callable[[int], object] | None,
) -> None:
    """Score every image; add columns and intervals."""
    built: dict[str, PerImageMetric] = {w.name: _implementation(w)(setup) for w in wanted}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in built}
    for start in range(0, len(outputs) if built else 0, setup.batch):
        part = slice(start, start + setup.batch)
        images, originals = to_float(outputs[part]), to_float(truths[part])
        hole = torch.from_numpy(holes[part])[:, None]
        for name, metric in built.items():
            columns[name].append(metric.score(images, originals, hole).double().numpy())
        if on_step:
            on_step(len(images))
    for w in wanted:
        values = np.concatenate(columns[w.name])
        scores.per_image[w.name] = values
        options = setup.options
        scores.intervals[w.name] = (
            extreme(values)
            if w.aggregate == "min"
            else bootstrap_mean(values, options.seed, options.resamples, options.confidence)
        )
        scores.details[w.name] = built[w.name].details()


def _distributions(
    wanted: Sequence[MetricInfo],
    outputs: np.ndarray,
    references: Mapping[str, Reference],
    setup: Setup,
    scores: CellScores,
    on_step: Callable[[int], object] | None,
) -> None:
    """Features once per network, then every distance from them."""
    for name in dict.fromkeys(w.network for w in wanted):
        mine = [w for w in wanted if w.network == name]
        try:
            net = network(name, setup)
        except NotAvailable as error:
            scores.unavailable |= {w.name: str(error) for w in mine}
            continue
        if name not in references:
            scores.unavailable |= {w.name: _no_reference(name) for w in mine}
            log.warning("%s: not available (%s)", name, _no_reference(name))
            continue
        reference = references[name]
        reference.check(net.details(), f"reference statistics of `{name}`")
        scores.features[name] = net.extract(outputs, setup.batch, on_step)
        for w in mine:
            _distance(w, reference, setup, scores)


def _no_reference(name: str) -> str:
    """The note of a cell whose reference was made where the network's weights could not be had."""
    return (
        f"the reference statistics were made without the network `{name}`; make them again with: "
        "snakemake --cores all -R reference -- all"
    )


def _distance(wanted: MetricInfo, reference: Reference, setup: Setup, scores: CellScores) -> None:
    metric: DistributionMetric = _implementation(wanted)(setup)
    features, options = scores.features[wanted.network], setup.options
    n = len(features)
    blocks = blocks_of(n, options.blocks, options.seed)
    value = metric.distance(features, reference)
    # leaving a block out must leave two images
    enough = n - max(len(block) for block in blocks) >= 2
    replicates = metric.replicates(features, reference, blocks) if enough else np.zeros(0)
    scores.replicates[wanted.name] = replicates
    scores.intervals[wanted.name] = jackknife(
        value, replicates, n, options.confidence, metric.note(n)
    )
    scores.details[wanted.name] = {**reference.details, **metric.details()}
