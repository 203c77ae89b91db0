"""The one DAG for one set of settings: what each target may see, and what it stands on.

A slice holds the settings that a job may see, a digest of its code, and the digests of the slices
upstream: whatever changes upstream makes every downstream job stale by itself. Snakemake's rules
take their slices from here, and a test holds the edges that they write out to those of the stages.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from radpipe import ablations, inpainters, plugins, report
from radpipe.codedigest import code_digest
from radpipe.dag import Stage, Target
from radpipe.dotted import get
from radpipe.errors import UserError
from radpipe.method import DEFAULT, Method
from radpipe.receipts import Receipt, canonical, digest
from radpipe.settings import TRAIN, Settings

# every stage by name; their declarations import nothing heavy
STAGES: dict[str, Stage] = {
    name: importlib.import_module(f"radpipe.stages.{name}").STAGE
    for name in plugins.names("stages")
}
# where results lie, whatever the settings
FOLDERS = tuple(sorted({"/".join(stage.folder.split("/")[:2]) for stage in STAGES.values()}))


def target_of(stage: str, **wildcards: str) -> Target:
    """A target by the name of its stage."""
    return Target(STAGES[stage], tuple(sorted(wildcards.items())))


class Pipeline:
    """The DAG for one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # per instance, so that two settings in one process never share a cache
        self.slice = lru_cache(maxsize=None)(self._slice)
        self.digest = lru_cache(maxsize=None)(lambda target: digest(canonical(self.slice(target))))
        self.upstream = lru_cache(maxsize=None)(self._upstream)
        self.resolved = lru_cache(maxsize=None)(self._resolved)
        self._dumps: dict[int, dict[str, Any]] = {}

    def target(self, stage: str, **wildcards: str) -> Target:
        """A target by the name of its stage.

        Raises:
            UserError: the settings know no such data set.
        """
        dataset = wildcards.get("dataset")
        if dataset is not None and dataset not in self.settings.datasets:
            raise UserError(f"`{dataset}` is no data set of params.yaml", f"target {stage}")
        return target_of(stage, **wildcards)

    def _resolved(self, dataset: str, variant: str = DEFAULT) -> Settings:
        if variant == DEFAULT:
            return self.settings.resolve(dataset)
        images = self.resolved(dataset).training.ablation_images
        trained = {f"datasets.{dataset}.rad": TRAIN}  # an ablation has no published network
        changes = ablations.variant_changes(variant, images)
        return self.settings.resolve(dataset, {**trained, **changes})

    def view(self, target: Target) -> Settings:
        """The settings as a target sees them: its data set's, with its variant's changes."""
        dataset = target.get("dataset")
        return self.resolved(dataset, target.variant) if dataset else self.settings

    def _upstream(self, target: Target) -> list[Target]:
        return list(dict.fromkeys(target.stage.upstream(self, target)))

    def weights(self, dataset: str, method: Method) -> list[Target]:
        """The networks that a method runs on."""
        requires = None if method.is_truth else inpainters.load(method.name).requires
        if requires is None:
            return []
        if requires == "rad":
            trained = self.trained_variant(dataset, method.variant)
            base = self.target("base", dataset=dataset)
            return [base, self.target("rad", dataset=dataset, variant=trained)]
        return [self.target(requires, dataset=dataset)]

    def trained_variant(self, dataset: str, variant: str) -> str:
        """A variant that changes nothing in the training shares the default's weights; not those
        of a published network, if it is to be compared with trained ones."""
        own, default = self.resolved(dataset, variant), self.resolved(dataset)
        same = own.training.rad == default.training.rad and own.masks == default.masks
        published = default.source("rad", dataset) != TRAIN and ablations.compares(variant)
        return DEFAULT if same and not published else variant

    def trained_here(self, target: Target) -> bool:
        """Whether a network is trained by its job; an asset is taken instead otherwise."""
        return self.view(target).source(target.stage.name, target["dataset"]) == TRAIN

    def _slice(self, target: Target) -> dict[str, Any]:
        stage, names = target.stage, dict(target.wildcards)
        prefix = f"datasets.{names.get('dataset')}."
        keys = [pattern.format(**names) for pattern in stage.keys]
        values = {key.removeprefix(prefix): self.value(target, key) for key in keys}
        return {
            **target.place,
            "settings": values | stage.values(self, target),
            "code": _code(f"stages.{stage.name}:run", *stage.plugins(self, target)),
            "upstream": {
                str(t): {**t.place, "slice": self.digest(t)} for t in self.upstream(target)
            },
        }

    def value(self, target: Target, key: str) -> Any:
        """A setting as a target sees it, as plain JSON."""
        settings = self.view(target)  # lives on in a cache, so its id is its own
        if id(settings) not in self._dumps:
            self._dumps[id(settings)] = settings.model_dump(mode="json")
        return get(self._dumps[id(settings)], key)

    def inpainter(self, target: Target, method: str) -> dict[str, Any]:
        """A method's settings with their defaults filled in, as plain JSON."""
        return self.view(target).inpainter(method).model_dump(mode="json")

    def receipts(self, target: Target, stage: str | None = None) -> list[str]:
        """Receipts that a target's job depends on; of one stage only, if named."""
        return [t.receipt for t in self.upstream(target) if stage in (None, t.stage.name)]

    def samples(self, cell: Target) -> list[Target]:
        """The jobs that inpainted the images of a cell."""
        return [t for t in self.upstream(cell) if t.stage.name == "sample"]

    def big_files(self, target: Target) -> list[str]:
        """Big files that must exist for a target's job; their time stamps do not matter."""
        reads_scores = target.stage.name in ("table", "figure")
        return [
            name
            for upstream in self.upstream(target)
            for name in upstream.files
            if not reads_scores or name in self.kept(upstream)
        ]

    def current(self, target: Target, root: Path) -> bool:
        """Whether a result under `root` is there and of these settings and this code, as its
        receipt says."""
        found = Receipt.read(root / target.receipt)
        return found is not None and found.digest == self.digest(target)

    def outdated(self, target: Target, root: Path) -> Receipt | None:
        """The receipt of a result under `root` that is of another slice; None: there is none."""
        found = Receipt.read(root / target.receipt)
        return None if found is None or found.digest == self.digest(target) else found

    def require(self, target: Target, root: Path, file: str, then: str = "") -> None:
        """Refuse to go on from a result under `root` that is not `current`.

        Args:
            target: it, or what it stands on.
            root: the repository.
            file: what the user should make, and has to be there if it is a file of the target.
            then: what the user types after that.
        """
        there = file not in target.outputs or (root / file).is_file()
        if not (there and self.current(target, root)):
            raise UserError(
                "a result is not there, or not that of the current settings and code",
                file if file in target.outputs else target.receipt,
                f"run: snakemake --cores all {file}{then and f'; then {then}'}",
            )

    def kept(self, target: Target) -> list[str]:
        """The files that every copy of the results has: all but the bulk that stages declare.

        Images of a cell beyond the first, features, and whatever is large of ablation variants are
        not versioned (.dvcignore): with them the embedded remote would be three times as large as
        it may be. Scores, receipts and loss curves are; Snakemake makes the rest again where it is
        needed.
        """
        bulk = {f"{target.folder}/{name}" for name in target.stage.bulk(self, target)}
        return [name for name in target.outputs if name not in bulk]

    @cached_property
    def cells(self) -> list[Target]:
        """The main comparison: data sets x methods x masks."""
        return self.cells_of(self.settings.run.methods)

    def cells_of(self, methods: Iterable[str]) -> list[Target]:
        """Scores of some methods on every data set and mask."""
        run = self.settings.run
        return [
            self.target("evaluate", dataset=dataset, method=method, mask=mask)
            for dataset, method, mask in product(run.datasets, methods, run.masks)
        ]

    def report_targets(self) -> list[Target]:
        """Every table and figure of the current settings."""
        return [
            self.target(kind, name=n) for kind in ("table", "figure") for n in report.names(kind)
        ]

    def walk(self, targets: Iterable[Target]) -> Iterator[Target]:
        """All targets that some targets stand on, themselves included, each once, inputs first."""
        seen: dict[Target, None] = {}

        def visit(target: Target) -> None:
            if target not in seen:
                for upstream in self.upstream(target):
                    visit(upstream)
                seen[target] = None

        for target in targets:
            visit(target)
        yield from seen


_code = lru_cache(maxsize=None)(code_digest)
