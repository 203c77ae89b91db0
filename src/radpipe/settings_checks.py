"""Checks that span sections of params.yaml: names that must exist, values that must fit."""

from __future__ import annotations

import importlib.util
import pkgutil
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from radpipe.errors import UserError, nearest, unknown
from radpipe.evaluation import METRICS

if TYPE_CHECKING:
    from radpipe.settings import Settings

# modules of a plug-in package that are not plug-ins themselves
HELPERS = {
    "inpainters": {"base"},
    "masks": {"bank", "hole"},
    "data": {"images", "parquet"},
    "stages": {"evaluation", "models", "report", "training"},
}

# the stage that a download of weights is for, by its architecture; all others: base
_STAGES = {"authors-rad": "rad", "big-lama": "lama"}


@cache
def plugins(kind: str) -> tuple[str, ...]:
    """Names that can be typed: the files of radpipe/<kind>/, found without importing them."""
    spec = importlib.util.find_spec(f"radpipe.{kind}")
    locations = list(spec.submodule_search_locations or []) if spec else []
    names = {module.name for module in pkgutil.iter_modules(locations)}
    return tuple(sorted(n for n in names - HELPERS.get(kind, set()) if not n.startswith("_")))


def known(words: Sequence[str], allowed: Sequence[str], key: str, file: str) -> None:
    """Refuse a word that names nothing, and a word given twice."""
    for position, word in enumerate(words):
        if word not in allowed:
            meant = nearest(word, allowed)
            hint = f"did you mean `{meant}`? " if meant else ""
            raise UserError(
                f"`{word}` is not known",
                f"{file}, key `{key}.{position}`",
                f"{hint}allowed: {', '.join(allowed)}",
            )
        if word in words[:position]:
            raise UserError(f"`{word}` stands there twice", f"{file}, key `{key}`", "remove one")


def check(settings: Settings, file: str, resolved: bool = False) -> None:
    """All cross-section checks, cheapest first; then the same for every data set's overrides.

    Args:
        settings: to check.
        file: what messages call them.
        resolved: overrides are applied already.

    Raises:
        UserError: for the first that fails.
    """
    known(settings.run.datasets, list(settings.datasets), "run.datasets", file)
    known(settings.run.methods, plugins("inpainters"), "run.methods", file)
    known(settings.run.masks, plugins("masks"), "run.masks", file)
    known(settings.run.ablations, plugins("ablations"), "run.ablations", file)
    known(list(settings.inpainters), plugins("inpainters"), "inpainters", file)
    known([settings.masks.training.family], plugins("masks"), "masks.training.family", file)
    known([settings.training.lama.masks], plugins("masks"), "training.lama.masks", file)
    known(settings.evaluation.metrics, list(METRICS), "evaluation.metrics", file)
    _downloads(settings, file)
    _machine(settings, file)
    for name, dataset in settings.datasets.items():
        known(list(dataset.overrides), list(settings.overrides), f"datasets.{name}.overrides", file)
        known([settings.reader(name)], plugins("data"), f"datasets.{name}.reader", file)
        _architecture(settings, name, file)
        if name in settings.run.datasets or dataset.overrides:
            _fits(settings, name, file)
        if name in settings.run.datasets:
            _reader(settings, name, file)
    for part in ("base", "rad", "lama"):
        _batches(settings, part, file)
    for method in sorted({*settings.run.methods, *settings.inpainters}):
        settings.inpainter(method)
    if "rad" in settings.run.methods and settings.masks.training.count < 2:
        raise UserError(
            "RAD needs a bank of masks",
            f"{file}, key `masks.training.count`",
            "put 2 or more there, or take `rad` out of `run.methods`",
        )
    for name, dataset in settings.datasets.items():
        if dataset.overrides and not resolved:
            _overrides(settings, name, file)


def _overrides(settings: Settings, name: str, file: str) -> None:
    """A data set's settings with its overrides; a fault of an overriding line is found there."""
    from radpipe.settings import flatten

    try:
        settings.resolve(name)
    except UserError as error:
        found = re.search(r"key `(.*)`", error.where)
        key = found[1] if found else ""
        for group in reversed(settings.datasets[name].overrides):
            lines = flatten(settings.overrides[group])
            if any(f"{key}.".startswith(f"{k}.") or f"{k}.".startswith(f"{key}.") for k in lines):
                where = f"{file}, key `overrides.{group}.{key}` (data set {name})"
                raise UserError(error.what, where, error.do) from None
        raise


def _downloads(settings: Settings, file: str) -> None:
    """Weights that are not trained here must be in the list of downloads."""
    wanted = {("training.lama.weights", "lama"): settings.training.lama.weights}
    for name, entry in settings.datasets.items():
        wanted[f"datasets.{name}.base", "base"] = entry.base
        wanted[f"datasets.{name}.rad", "rad"] = entry.rad
    if set(wanted.values()) == {"train"}:
        return
    from radpipe.assets import MANIFEST

    # the list is in the repository, which the library may be used without
    if not MANIFEST.is_file():
        return
    weights = _weights(MANIFEST.resolve(), MANIFEST.stat().st_mtime_ns)
    for (key, kind), word in wanted.items():
        allowed = ["train", *(name for name, found in weights.items() if found == kind)]
        if word not in allowed:
            raise unknown("download of weights", word, allowed, f"{file}, key `{key}`")


@cache
def _weights(manifest: Path, changed: int) -> dict[str, str]:
    """The downloads that are weights, each with the stage that they are for; `changed` is the
    list's time stamp."""
    from radpipe.assets import read_manifest

    assets = read_manifest(manifest).assets.items()
    return {n: _STAGES.get(a.architecture, "base") for n, a in assets if a.architecture}


def _fits(settings: Settings, name: str, file: str) -> None:
    """Every mask family that is used must make sense at the data set's size."""
    from radpipe.masks import fits

    used = {*settings.run.masks, settings.masks.training.family, settings.training.lama.masks}
    for family in sorted(used):
        try:
            fits(family, settings.datasets[name].size)
        except UserError as error:
            raise UserError(error.what, f"{file}, key `datasets.{name}.size`", error.do) from None


def _reader(settings: Settings, name: str, file: str) -> None:
    """The data set's own settings, by its reader's model."""
    from radpipe import data
    from radpipe.settings import section

    model = data.load(settings.reader(name)).Settings
    section(model, settings.datasets[name].data, f"datasets.{name}.data", file)


def _machine(settings: Settings, file: str) -> None:
    """What the machine gives to each kind of job; `default` stands for those not named."""
    stages = [*plugins("stages"), "table", "figure"]
    for key, allowed in (
        ("minutes", stages),
        ("memory_mb", stages),
        ("sample_shards", plugins("inpainters")),
    ):
        given: dict[str, int] = getattr(settings.resources, key)
        where = f"resources.{key}"
        known(sorted(given), ["default", *allowed], where, file)
        if "default" not in given:
            raise UserError(
                "a setting is missing", f"{file}, key `{where}`", "add `default:` there"
            )
    processes, nodes = settings.resources.processes, settings.resources.nodes
    if processes % nodes:
        raise UserError(
            f"{processes} training processes do not split over {nodes} nodes",
            f"{file}, key `resources.processes`",
            f"choose a multiple of {nodes}",
        )


def _architecture(settings: Settings, name: str, file: str) -> None:
    dataset = settings.datasets[name]
    model, where = dataset.model, f"{file}, key `datasets.{name}.model"
    smallest = dataset.size // 2 ** (len(model.channel_mult) - 1)
    if dataset.size % 2 ** (len(model.channel_mult) - 1) or smallest < 2:
        raise UserError(
            f"{dataset.size} pixels cannot be halved {len(model.channel_mult) - 1} times",
            f"{where}.channel_mult`",
            "shorten channel_mult or change the size",
        )
    sizes = [dataset.size // 2**level for level in range(len(model.channel_mult))]
    for size in model.attention:
        if size not in sizes:
            raise UserError(
                f"no feature map has side {size}",
                f"{where}.attention`",
                f"allowed: {', '.join(map(str, sizes))}",
            )
    for level, multiple in enumerate(model.channel_mult):
        channels = model.channels * multiple
        if sizes[level] in model.attention and channels % model.head_channels:
            raise UserError(
                f"{channels} channels do not split into heads of {model.head_channels}",
                f"{where}.head_channels`",
                "choose a divisor",
            )


def _batches(settings: Settings, part: str, file: str) -> None:
    training = getattr(settings.training, part)
    processes = settings.resources.processes if part != "lama" else 1  # see launch.py
    pieces = training.accumulate * processes
    if training.batch % pieces:
        raise UserError(
            f"a batch of {training.batch} does not split into {training.accumulate} parts "
            f"on {processes} processes",
            f"{file}, key `training.{part}.batch`",
            f"choose a multiple of {pieces}",
        )
