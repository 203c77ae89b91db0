"""params.yaml: read, and held to what spans sections: names that must exist, values that fit."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from radpipe import manifest, masks, plugins
from radpipe.errors import UserError, unknown
from radpipe.evaluation import METRICS
from radpipe.plugins import known
from radpipe.section import PARAMS, section
from radpipe.settings import TRAIN, Settings, flatten
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
    """A raw mapping -> Settings, with the checks that span sections."""
    if not isinstance(raw, dict):
        raise UserError(
            "the settings are not a mapping", file, "restore it: git checkout -- " + file
        )
    settings = section(Settings, raw, "", file)
    check(settings, file)
    return settings


def check(settings: Settings, file: str) -> None:
    """All checks that span sections, for the file and for each data set with its overrides.

    Raises:
        UserError: for the first that fails.
    """
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


def _check(settings: Settings, file: str) -> None:
    """What must hold with and without overrides, cheapest first."""
    known(settings.run.datasets, list(settings.datasets), "run.datasets", file)
    known(settings.run.methods, plugins.names("inpainters"), "run.methods", file)
    known(settings.run.masks, plugins.names("masks"), "run.masks", file)
    known(settings.run.ablations, plugins.names("ablations"), "run.ablations", file)
    known(list(settings.inpainters), plugins.names("inpainters"), "inpainters", file)
    known([settings.masks.training.family], plugins.names("masks"), "masks.training.family", file)
    known([settings.training.lama.masks], plugins.names("masks"), "training.lama.masks", file)
    known(settings.evaluation.metrics, list(METRICS), "evaluation.metrics", file)
    _downloads(settings, file)
    _machine(settings, file)
    for name, dataset in settings.datasets.items():
        known(list(dataset.overrides), list(settings.overrides), f"datasets.{name}.overrides", file)
        known([settings.reader(name)], plugins.names("data"), f"datasets.{name}.reader", file)
        _architecture(settings, name, file)
        if name in settings.run.datasets or dataset.overrides:
            _fits(settings, name, file)
        if name in settings.run.datasets:
            settings.data(name, file)
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


def _fits(settings: Settings, name: str, file: str) -> None:
    """Every mask family that is used must make sense at the data set's size."""
    used = {*settings.run.masks, settings.masks.training.family, settings.training.lama.masks}
    for family in sorted(used):
        try:
            masks.fits(family, settings.datasets[name].size)
        except UserError as error:
            raise UserError(error.what, f"{file}, key `datasets.{name}.size`", error.do) from None


def _machine(settings: Settings, file: str) -> None:
    """What the machine gives to each kind of job; `default` stands for those not named."""
    stages = plugins.names("stages")
    for key, allowed in (
        ("minutes", stages),
        ("memory_mb", stages),
        ("sample_shards", plugins.names("inpainters")),
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
