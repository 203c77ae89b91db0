"""What is measured: the registry of metrics, readable without torch, SciPy or scikit-image.

To add a metric: put one file into metrics/ that holds its declaration (`METRICS`, a tuple of
`metric.PerImage` or `metric.Distance`) and its computation; `evaluation.metrics` of params.yaml
then picks it by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from radpipe.errors import unknown
from radpipe.evaluation import metrics
from radpipe.evaluation.metric import Distance, MetricInfo

METRICS: dict[str, MetricInfo] = {}
_FILES: dict[str, str] = {}


def _register() -> None:
    for file in pkgutil.iter_modules(metrics.__path__, f"{metrics.__name__}."):
        for declared in importlib.import_module(file.name).METRICS:
            if declared.name in METRICS:
                raise ValueError(f"two metrics are called {declared.name}")
            METRICS[declared.name] = declared
            _FILES[declared.name] = file.name.removeprefix("radpipe.")


_register()


def info(name: str) -> MetricInfo:
    """The facts of one metric.

    Raises:
        UserError: for an unknown name, with the nearest known one.
    """
    if name not in METRICS:
        raise unknown("metric", name, list(METRICS), "params.yaml, key `evaluation.metrics`")
    return METRICS[name]


def modules(names: Iterable[str]) -> list[str]:
    """The files that compute some metrics, as digests of code name them, each once:
    `evaluation.metrics.seam`."""
    return list(dict.fromkeys(_FILES[info(name).name] for name in names))


def feature_networks(names: Iterable[str], to_truth: bool | None = None) -> list[str]:
    """The feature networks of the distances among some metrics, each once.

    Args:
        names: of metrics.
        to_truth: only those of distances to the truths (True), or to the reference split (False).
    """
    distances = [w for w in map(info, names) if isinstance(w, Distance)]
    wanted = [w.network for w in distances if to_truth is None or w.to_truth == to_truth]
    return list(dict.fromkeys(wanted))
