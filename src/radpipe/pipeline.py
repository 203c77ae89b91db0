"""The one DAG: which stages there are, what each may see, and what each stands on.

Snakemake's rules take their inputs and their single parameter, the slice, from here; so the
edges of the rule graph and the edges between slices cannot differ. A slice holds the settings
that the stage may see, a digest of its code, and the digests of the slices upstream: whatever
changes upstream makes every downstream job stale by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from radpipe import job
from radpipe.ablations import variant_changes
from radpipe.codedigest import code_digest
from radpipe.errors import UserError
from radpipe.evaluation import modules
from radpipe.masks import limit_of
from radpipe.method import TRUTH
from radpipe.settings import Settings, get

DEFAULT = "default"
SETS = ("train.zip", "val.zip", "test.zip")
TABLE_FILES = ("csv", "md", "tex", "html")
FIGURE_FILES = ("png", "pdf", "csv")


@dataclass(frozen=True)
class Target:
    """One result: a stage and its wildcards."""

    stage: str
    wildcards: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, stage: str, **wildcards: str) -> Target:
        return cls(stage, tuple(sorted(wildcards.items())))

    def __getitem__(self, name: str) -> str:
        return dict(self.wildcards)[name]

    def __str__(self) -> str:
        return f"{self.stage}:" + ",".join(f"{k}={v}" for k, v in self.wildcards)


@dataclass(frozen=True)
class Stage:
    """A kind of target.

    Attributes:
        folder: where its files go, with wildcards.
        files: big files, inputs by existence only (their receipt stands for their content).
        extras: small measured or readable files that nothing depends on through a checksum.
        receipt: the receipt's name in the folder.
        keys: dotted settings that it may see, `{wildcard}` filled in.
        modules: its code.
        upstream: what it stands on.
    """

    folder: str
    files: tuple[str, ...]
    keys: tuple[str, ...]
    modules: tuple[str, ...]
    upstream: Callable[[Pipeline, Target], list[Target]]
    extras: tuple[str, ...] = ()
    receipt: str = "receipt.json"

    def outputs(self) -> dict[str, str]:
        """Named output patterns for a Snakemake rule."""
        names = (self.receipt, *self.files, *self.extras)
        return {
            name.split("/")[-1].replace("{", "").replace("}", "").replace(".", "_"): (
                f"{self.folder}/{name}"
            )
            for name in names
        }


def _nothing(pipeline: Pipeline, target: Target) -> list[Target]:
    return []


def _data(pipeline: Pipeline, target: Target) -> list[Target]:
    return [Target.of("data", dataset=target["dataset"])]


def _rad(pipeline: Pipeline, target: Target) -> list[Target]:
    dataset = target["dataset"]
    masks = pipeline.resolved(dataset, target["variant"]).masks.training
    shards = (str(shard) for shard in range(masks.shards))
    bank = [Target.of("bank", dataset=dataset, family=masks.family, shard=s) for s in shards]
    return [*_data(pipeline, target), Target.of("base", dataset=dataset), *bank]


def _sample(pipeline: Pipeline, target: Target) -> list[Target]:
    holes = Target.of("holes", dataset=target["dataset"], mask=target["mask"])
    weights = pipeline.weights(target["dataset"], target["method"])
    return [*_data(pipeline, target), holes, *weights]


def _evaluate(pipeline: Pipeline, target: Target) -> list[Target]:
    cell = {name: target[name] for name in ("dataset", "method", "mask")}
    dataset = target["dataset"]
    truth = target["method"] == TRUTH  # the untouched images: nothing is sampled
    count = 0 if truth else pipeline.resolved(dataset).resources.shards(target["method"])
    shards = [Target.of("sample", **cell, shard=str(shard)) for shard in range(count)]
    holes = Target.of("holes", dataset=dataset, mask=target["mask"])
    return [*_data(pipeline, target), holes, Target.of("reference", dataset=dataset), *shards]


def _timing(pipeline: Pipeline, target: Target) -> list[Target]:
    dataset = target["dataset"]
    methods = pipeline.settings.run.methods
    weights = [w for method in methods for w in pipeline.weights(dataset, method)]
    mask = pipeline.settings.run.masks[0]
    holes = Target.of("holes", dataset=dataset, mask=mask)
    return [*_data(pipeline, target), holes, *dict.fromkeys(weights)]


def _report(pipeline: Pipeline, target: Target) -> list[Target]:
    from radpipe.report import load

    return load(target.stage, target["name"]).needs(pipeline)


_DATASET = ("datasets.{dataset}.size",)
_EVALUATION = ("evaluation.images", "evaluation.split")
STAGES: dict[str, Stage] = {
    "data": Stage(
        folder="results/data/{dataset}",
        files=SETS,
        extras=("manifest.csv",),
        keys=("seed", *_DATASET, "datasets.{dataset}.reader", "datasets.{dataset}.data"),
        modules=("stages.data", "data.{reader}"),
        upstream=_nothing,
    ),
    "bank": Stage(
        folder="results/masks/{dataset}/bank/{family}",
        files=("{shard}.npz",),
        receipt="{shard}.json",
        keys=(
            "seed",
            *_DATASET,
            "masks.training.count",
            "masks.training.shards",
            "masks.lama_limit.{family}",
        ),
        modules=("stages.bank", "masks.{family}"),
        upstream=_nothing,
    ),
    "holes": Stage(
        folder="results/masks/{dataset}/{mask}",
        files=("holes.zip",),
        keys=("seed", *_DATASET, *_EVALUATION, "masks.lama_limit.{mask}"),
        modules=("stages.holes", "masks.{mask}"),
        upstream=_data,
    ),
    "base": Stage(
        folder="results/checkpoints/{dataset}/base",
        files=("model.safetensors",),
        extras=("loss.csv",),
        keys=(
            "seed",
            *_DATASET,
            "datasets.{dataset}.model",
            "datasets.{dataset}.base",
            "training.base",
        ),
        modules=("stages.base",),
        upstream=_data,
    ),
    "rad": Stage(
        folder="results/checkpoints/{dataset}/rad/{variant}",
        files=("adapter/adapter_model.safetensors", "adapter/adapter_config.json"),
        extras=("loss.csv",),
        keys=("seed", *_DATASET, "datasets.{dataset}.model", "training.rad"),
        modules=("stages.rad",),
        upstream=_rad,
    ),
    "lama": Stage(
        folder="results/checkpoints/{dataset}/lama",
        files=("generator.weights",),
        extras=("loss.csv",),
        keys=("seed", *_DATASET, "training.lama", "masks.lama_limit.{lama_masks}"),
        modules=("stages.lama", "masks.{lama_masks}"),
        upstream=_data,
    ),
    "sample": Stage(
        folder="results/samples/{dataset}/{method}/{mask}",
        files=("{shard}.zip",),
        extras=("{shard}.csv",),
        receipt="{shard}.json",
        keys=(
            "seed",
            *_DATASET,
            "resources.sample_shards.{inpainter}",
            "inpainters.{inpainter}",
            "sampling",
            *_EVALUATION,
        ),
        modules=("stages.sample", "inpainters.{inpainter}"),
        upstream=_sample,
    ),
    "reference": Stage(
        folder="results/metrics/{dataset}/reference",
        files=("features.npz",),
        keys=("evaluation.metrics", "evaluation.reference", "evaluation.fd_size"),
        modules=("stages.reference",),
        upstream=_data,
    ),
    "evaluate": Stage(
        folder="results/metrics/{dataset}/{method}/{mask}",
        files=("features.npz",),
        extras=("scores.csv", "seconds.csv", "metrics.json"),
        keys=("seed", "evaluation"),
        modules=("stages.evaluate", "{metrics}"),
        upstream=_evaluate,
    ),
    "timing": Stage(
        folder="results/metrics/{dataset}/timing",
        files=(),
        extras=("timing.csv",),
        keys=("seed", *_DATASET, "timing", "run.methods", "inpainters", "sampling"),
        modules=("stages.timing", "inpainters.{methods}"),
        upstream=_timing,
    ),
    "table": Stage(
        folder="results/tables",
        files=(),
        extras=tuple(f"{{name}}.{kind}" for kind in TABLE_FILES),
        receipt=".receipts/{name}.json",
        keys=("{report}",),
        modules=("stages.report", "report.tables.{name}"),
        upstream=_report,
    ),
    "figure": Stage(
        folder="results/figures",
        files=(),
        extras=tuple(f"{{name}}.{kind}" for kind in FIGURE_FILES),
        receipt=".receipts/{name}.json",
        keys=("{report}",),
        modules=("stages.report", "report.figures.{name}"),
        upstream=_report,
    ),
}
# where results lie, whatever the settings
FOLDERS = tuple(sorted({"/".join(stage.folder.split("/")[:2]) for stage in STAGES.values()}))


class Pipeline:
    """The DAG for one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # per instance, so that two settings in one process never share a cache
        self.slice = lru_cache(maxsize=None)(self._slice)
        self.digest = lru_cache(maxsize=None)(lambda target: job.digest(self.slice(target)))
        self.upstream = lru_cache(maxsize=None)(self._upstream)
        self.resolved = lru_cache(maxsize=None)(self._resolved)
        self.code = lru_cache(maxsize=None)(code_digest)
        self._dumps: dict[int, dict[str, Any]] = {}

    def _resolved(self, dataset: str, variant: str = DEFAULT) -> Settings:
        if variant == DEFAULT:
            return self.settings.resolve(dataset)
        images = self.resolved(dataset).training.ablation_images
        return self.settings.resolve(dataset, variant_changes(variant, images))

    def _upstream(self, target: Target) -> list[Target]:
        return STAGES[target.stage].upstream(self, target)

    def weights(self, dataset: str, method: str) -> list[Target]:
        """The checkpoints that a method runs on."""
        from radpipe.inpainters import load

        name, _, variant = method.partition("@")
        requires = load(name).requires
        if requires is None:
            return []
        if requires == "rad":
            trained = self.trained_variant(dataset, variant or DEFAULT)
            base = Target.of("base", dataset=dataset)
            return [base, Target.of("rad", dataset=dataset, variant=trained)]
        return [Target.of(requires, dataset=dataset)]

    def trained_variant(self, dataset: str, variant: str) -> str:
        """A variant that changes nothing in the training shares the default's weights."""
        own, default = self.resolved(dataset, variant), self.resolved(dataset)
        same = own.training.rad == default.training.rad and own.masks == default.masks
        return DEFAULT if same else variant

    def _slice(self, target: Target) -> str:
        stage, wildcards = STAGES[target.stage], dict(target.wildcards)
        settings, names = self._view(target), self._names(target)
        values: dict[str, Any] = {}
        for key in self._keys(target, stage, names):
            short = key.replace(f"datasets.{wildcards.get('dataset')}.", "")
            values[short] = self._value(settings, key)
        modules = [m for pattern in stage.modules for m in self._modules(pattern, names)]
        upstream = {str(t): self._reference(t) for t in self.upstream(target)}
        return job.canonical(
            {
                **self.place(target),
                "settings": values,
                "code": self.code(*modules),
                "upstream": upstream,
            }
        )

    def _view(self, target: Target) -> Settings:
        """The settings as this target sees them: its data set's, with its variant's changes."""
        wildcards = dict(target.wildcards)
        if "dataset" not in wildcards:
            return self.settings
        variant = wildcards.get("variant") or wildcards.get("method", "").partition("@")[2]
        return self.resolved(wildcards["dataset"], variant or DEFAULT)

    def _names(self, target: Target) -> dict[str, str]:
        names = dict(target.wildcards)
        if "dataset" in names:
            names["reader"] = self.settings.reader(names["dataset"])
            names["lama_masks"] = self.resolved(names["dataset"]).training.lama.masks
        if "method" in names:
            names["inpainter"] = names["method"].partition("@")[0]
        return names

    def _keys(self, target: Target, stage: Stage, names: dict[str, str]) -> list[str]:
        if stage.keys == ("{report}",):
            from radpipe.report import load

            return list(load(target.stage, target["name"]).KEYS)
        return [key.format(**names) for key in stage.keys]

    def _value(self, settings: Settings, key: str) -> Any:
        """A setting as plain JSON; inpainters' with their defaults filled in."""
        if key == "inpainters":
            return {m: self._value(settings, f"inpainters.{m}") for m in settings.run.methods}
        if key.startswith("inpainters."):
            return settings.inpainter(key.partition(".")[2]).model_dump(mode="json")
        if key.startswith("resources.sample_shards."):
            return settings.resources.shards(key.rpartition(".")[2])
        if key.startswith("masks.lama_limit."):  # none where the family has none
            return limit_of(key.rpartition(".")[2], settings.masks.lama_limit)
        return get(self._plain(settings), key)

    def _plain(self, settings: Settings) -> dict[str, Any]:
        """Settings as plain JSON; made once for each of the resolved ones, which all live on."""
        if id(settings) not in self._dumps:
            self._dumps[id(settings)] = settings.model_dump(mode="json")
        return self._dumps[id(settings)]

    def _modules(self, pattern: str, names: dict[str, str]) -> list[str]:
        if "{methods}" in pattern:
            return [pattern.format(methods=m) for m in self.settings.run.methods]
        if pattern == "{metrics}":  # found by listing their files, so no import leads to them
            return modules(self.resolved(names["dataset"]).evaluation.metrics)
        return [pattern.format(**names)]

    def _reference(self, target: Target) -> dict[str, Any]:
        """How a slice names another: its place and its digest."""
        return {**self.place(target), "slice": self.digest(target)}

    @staticmethod
    def place(target: Target) -> dict[str, Any]:
        """Stage, wildcards, folder and receipt of a target."""
        wildcards = dict(target.wildcards)
        folder = STAGES[target.stage].folder.format(**wildcards)
        receipt = f"{folder}/{STAGES[target.stage].receipt.format(**wildcards)}"
        return {
            "stage": target.stage,
            "wildcards": wildcards,
            "folder": folder,
            "receipt": receipt,
        }

    def receipts(self, target: Target) -> list[str]:
        """Receipts that a target's job depends on."""
        return [str(self.place(t)["receipt"]) for t in self.upstream(target)]

    def big_files(self, target: Target) -> list[str]:
        """Big files that must exist for a target's job; their time stamps do not matter."""
        found = []
        for upstream in self.upstream(target):
            stage, wildcards = STAGES[upstream.stage], dict(upstream.wildcards)
            files = [f"{stage.folder}/{name}".format(**wildcards) for name in stage.files]
            if target.stage in ("table", "figure"):  # they read receipts and scores
                files = [name for name in files if name in self.kept(upstream)]
            found += files
        return found

    def current(self, target: Target, root: Path) -> bool:
        """Whether a result under `root` is there and of these settings and this code, as its
        receipt says."""
        path = root / self.place(target)["receipt"]
        if not path.is_file():
            return False
        return job.canonical(json.loads(path.read_text())["slice"]) == self.slice(target)

    @staticmethod
    def outputs(target: Target) -> list[str]:
        """All files that a target's job writes."""
        stage, wildcards = STAGES[target.stage], dict(target.wildcards)
        names = (stage.receipt, *stage.files, *stage.extras)
        return [f"{stage.folder}/{name}".format(**wildcards) for name in names]

    def kept(self, target: Target) -> list[str]:
        """The files that every copy of the results has: all but an ablation's bulk.

        Images, their features, weights and mask banks of ablation variants are not versioned
        (.dvcignore): with them the embedded remote would be twice as large as it may be. Their
        scores, receipts and loss curves are; Snakemake makes the rest again where it is needed.
        """
        wildcards = dict(target.wildcards)
        bulk: tuple[str, ...] = ()
        if target.stage == "rad" and wildcards["variant"] != DEFAULT:
            bulk = (".safetensors",)
        elif target.stage in ("sample", "evaluate") and "@" in wildcards["method"]:
            bulk = (".zip", ".npz")
        elif target.stage == "bank":
            default = self.resolved(wildcards["dataset"]).masks.training.family
            bulk = () if wildcards["family"] == default else (".npz",)
        return [name for name in self.outputs(target) if not name.endswith(bulk)]

    @cached_property
    def cells(self) -> list[Target]:
        """The main comparison: data sets x methods x masks."""
        run = self.settings.run
        return [
            Target.of("evaluate", dataset=d, method=m, mask=k)
            for d in run.datasets
            for m in run.methods
            for k in run.masks
        ]

    def report_targets(self) -> list[Target]:
        """Every table and figure of the current settings."""
        from radpipe.report import names

        return [Target.of(kind, name=n) for kind in ("table", "figure") for n in names(kind)]

    def walk(self, targets: list[Target]) -> Iterator[Target]:
        """All targets that some targets stand on, themselves included, each once, inputs first."""
        seen: dict[Target, None] = {}

        def visit(target: Target) -> None:
            if target in seen:
                return
            for upstream in self.upstream(target):
                visit(upstream)
            seen[target] = None

        for target in targets:
            visit(target)
        yield from seen

    def target_of(self, stage: str, wildcards: dict[str, str]) -> Target:
        """A target from Snakemake's wildcards, refused if the settings do not know it."""
        dataset = wildcards.get("dataset")
        if dataset is not None and dataset not in self.settings.datasets:
            raise UserError(f"`{dataset}` is no data set of params.yaml", f"target {stage}")
        return Target.of(stage, **wildcards)
