"""params.yaml: read, and held to what spans sections: names that must exist, values that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from radpipe import manifest, masks, plugins
from radpipe.dotted import flatten
from radpipe.errors import UserError, unknown
from radpipe.evaluation import METRICS
from radpipe.plugins import known
from radpipe.section import PARAMS, section
from radpipe.settings import TRAIN, Dataset, Optimisation, Settings
from radpipe.yamlfile import read_yaml

# the stage that a download of weights is for, by its architecture; all others: base
STAGES = {"authors-rad": "rad", "big-lama": "lama"}
NAME = re.compile(r"[a-z0-9_]+")  # of a data set: a folder's name, and a word of shell commands


def read(path: Path = Path(PARAMS)) -> Settings:
    """Read and check params.yaml.

    Raises:
        UserError: naming the key, what is allowed and what to type.
    """
    return parse(read_yaml(path, "there is no settings file"), str(path))


def parse(raw: Any, file: str = PARAMS) -> Settings:
    """A raw mapping -> Settings, with all checks that span sections: for the file, and for each
    data set with its overrides.

    Raises:
        UserError: for the first that fails.
    """
    if not isinstance(raw, dict):
        raise UserError(
            "the settings are not a mapping", file, "restore it: git checkout -- " + file
        )
    settings = section(Settings, raw, "", file)
    for name in settings.datasets:
        if not NAME.fullmatch(name):
            raise UserError(
                f"`{name}` cannot be the name of a data set",
                f"{file}, key `datasets`",
                "use small letters, digits and _",
            )
    _check(settings, file)
    for name, dataset in settings.datasets.items():
        if dataset.overrides:
            _overrides(settings, name, file)
    return settings


def _check(settings: Settings, file: str) -> None:
    """What must hold with and without overrides, cheapest first."""
    for key, (words, allowed) in _words(settings).items():
        known(list(words), list(allowed), key, file)
    _downloads(settings, file)
    for what, key, do in _misfits(settings):
        raise UserError(what, f"{file}, key `{key}`", do)
    used = {*settings.run.masks, settings.masks.training.family, settings.training.lama.masks}
    for name, dataset in settings.datasets.items():
        if name in settings.run.datasets or dataset.overrides:
            for family in sorted(used):
                masks.fits(family, dataset.size, f"{file}, key `datasets.{name}.size`")
        if name in settings.run.datasets:
            settings.data(name, file)
    for method in sorted({*settings.run.methods, *settings.inpainters}):
        settings.inpainter(method)


def _words(settings: Settings) -> dict[str, tuple[Iterable[str], Iterable[str]]]:
    """Key -> (the names that stand there, those that may)."""
    run, machine = settings.run, settings.resources
    methods, families = plugins.names("inpainters"), plugins.names("masks")
    stages = ("default", *plugins.names("stages"))  # `default` stands for those not named
    words: dict[str, tuple[Iterable[str], Iterable[str]]] = {
        "run.datasets": (run.datasets, settings.datasets),
        "run.methods": (run.methods, methods),
        "run.masks": (run.masks, families),
        "run.ablations": (run.ablations, plugins.names("ablations")),
        "inpainters": (settings.inpainters, methods),
        "masks.training.family": ([settings.masks.training.family], families),
        "training.lama.masks": ([settings.training.lama.masks], families),
        "evaluation.metrics": (settings.evaluation.metrics, METRICS),
        "resources.minutes": (sorted(machine.minutes), stages),
        "resources.memory_mb": (sorted(machine.memory_mb), stages),
        "resources.sample_shards": (sorted(machine.sample_shards), ("default", *methods)),
    }
    for name, dataset in settings.datasets.items():
        words[f"datasets.{name}.overrides"] = dataset.overrides, settings.overrides
        words[f"datasets.{name}.reader"] = [settings.reader(name)], plugins.names("data")
    return words


def _overrides(settings: Settings, name: str, file: str) -> None:
    """A data set's settings with its overrides; a fault of an overriding line is found there."""
    try:
        _check(settings.resolve(name), f"{PARAMS} (data set {name})")
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
    # the list is in the repository, which the library may be used without
    if set(wanted.values()) == {TRAIN} or not manifest.MANIFEST.is_file():
        return
    weights = _weights(manifest.MANIFEST.resolve(), manifest.MANIFEST.stat().st_mtime_ns)
    for (key, kind), word in wanted.items():
        allowed = [TRAIN, *(name for name, found in weights.items() if found == kind)]
        if word not in allowed:
            raise unknown("download of weights", word, allowed, f"{file}, key `{key}`")


@cache
def _weights(path: Path, changed: int) -> dict[str, str]:
    """The downloads that are weights, each with the stage that they are for; `changed` is the
    list's time stamp."""
    found = manifest.read_manifest(path).assets.items()
    return {n: STAGES.get(a.architecture, "base") for n, a in found if a.architecture}


def _misfits(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """(what, key, do) of values that do not fit each other."""
    machine, bank = settings.resources, settings.masks.training
    for key in ("minutes", "memory_mb", "sample_shards"):
        if "default" not in getattr(machine, key):
            yield "a setting is missing", f"resources.{key}", "add `default:` there"
    if machine.processes % machine.nodes:
        yield (
            f"{machine.processes} training processes do not split over {machine.nodes} nodes",
            "resources.processes",
            f"choose a multiple of {machine.nodes}",
        )
    for name, dataset in settings.datasets.items():
        yield from _architecture(dataset, f"datasets.{name}.model")
    for part in ("base", "rad", "lama"):
        training: Optimisation = getattr(settings.training, part)
        processes = machine.processes if part != "lama" else 1  # see launch.py
        if training.batch % (pieces := training.accumulate * processes):
            yield (
                f"a batch of {training.batch} does not split into {training.accumulate} parts "
                f"on {processes} processes",
                f"training.{part}.batch",
                f"choose a multiple of {pieces}",
            )
    if "rad" in settings.run.methods and bank.count < 2:
        do = "put 2 or more there, or take `rad` out of `run.methods`"
        yield "RAD needs a bank of masks", "masks.training.count", do


def _architecture(dataset: Dataset, key: str) -> Iterator[tuple[str, str, str]]:
    """(what, key, do) of an architecture that does not fit its data set's images."""
    model, halvings = dataset.model, len(dataset.model.channel_mult) - 1
    if dataset.size % 2**halvings or dataset.size // 2**halvings < 2:
        do = "shorten channel_mult or change the size"
        what = f"{dataset.size} pixels cannot be halved {halvings} times"
        yield what, f"{key}.channel_mult", do
    sizes = [dataset.size // 2**level for level in range(halvings + 1)]
    for size in model.attention:
        if size not in sizes:
            do = f"allowed: {', '.join(map(str, sizes))}"
            yield f"no feature map has side {size}", f"{key}.attention", do
    for size, multiple in zip(sizes, model.channel_mult, strict=True):
        channels = model.channels * multiple
        if size in model.attention and channels % model.head_channels:
            what = f"{channels} channels do not split into heads of {model.head_channels}"
            yield what, f"{key}.head_channels", "choose a divisor"
