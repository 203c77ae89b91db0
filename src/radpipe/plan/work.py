"""The arithmetic of a plan: what each target of the DAG evaluates, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from radpipe.dag import Target
from radpipe.evaluation import feature_networks, info
from radpipe.inpainters import load
from radpipe.inpainters.base import Inpainter
from radpipe.method import Method
from radpipe.models.adm import AdmConfig
from radpipe.models.backbones import SMALLEST
from radpipe.models.lama import LamaConfig
from radpipe.pipeline import Pipeline
from radpipe.plan import flops
from radpipe.plan.images import images_of
from radpipe.settings import Settings

PUBLIC = "public weights"


@dataclass(frozen=True)
class Work:
    """Jobs of one kind.

    Attributes:
        dataset: empty for tables and figures.
        stage: of the DAG.
        what: method, mask family, variant or source.
        jobs: how many.
        images: made, seen in training or measured; None where that says nothing.
        evaluations: network evaluations, forward passes in training.
        flop: floating-point operations.
        precision: 'tf32' (float32 as PyTorch runs convolutions), 'bf16', 'fp32'.
        estimated: the images are an estimate.
    """

    dataset: str
    stage: str
    what: str
    jobs: int = 1
    images: int = 0
    evaluations: int = 0
    flop: int = 0
    precision: str = "fp32"
    estimated: bool = False

    def __add__(self, other: Work) -> Work:
        return replace(
            self,
            jobs=self.jobs + other.jobs,
            images=self.images + other.images,
            evaluations=self.evaluations + other.evaluations,
            flop=self.flop + other.flop,
            estimated=self.estimated or other.estimated,
        )


def gather(pipeline: Pipeline, targets: list[Target]) -> list[Work]:
    """All work that some targets stand on, jobs of one kind added up, inputs first."""
    found: dict[tuple[str, str, str], Work] = {}
    for target in pipeline.walk(targets):
        one = _Estimator(pipeline, target).work()
        key = (one.dataset, one.stage, one.what)
        found[key] = found[key] + one if key in found else one
    order = {name: number for number, name in enumerate([*pipeline.settings.datasets, ""])}
    return sorted(found.values(), key=lambda work: order[work.dataset])


def architecture(settings: Settings, dataset: str) -> AdmConfig:
    """The ADM network of a data set."""
    entry = settings.datasets[dataset]
    return entry.model.at(entry.size)


def lama_architecture(settings: Settings) -> LamaConfig:
    """LaMa as trained here, or as published."""
    own = settings.training.lama
    if own.weights != "train":
        return LamaConfig()
    return LamaConfig(own.channels, own.downsamplings, own.blocks)


def inpainter(settings: Settings, method: str) -> Inpainter:
    """A method without a network, to be asked for its planned evaluations."""
    from radpipe.diffusion.schedule import TwoPhaseSchedule

    kind = load(method)
    model = None if kind.requires is None else (lambda *_: None)
    return kind(settings.inpainter(method), model, TwoPhaseSchedule())


class _Estimator:
    """The work of one target."""

    def __init__(self, pipeline: Pipeline, target: Target) -> None:
        self.pipeline, self.target, self.names = pipeline, target, dict(target.wildcards)
        self.dataset = self.names.get("dataset", "")
        self.settings = pipeline.view(target)

    def work(self) -> Work:
        estimate = getattr(self, f"_{self.target.stage.name}", None)
        if estimate is None:
            return Work("", self.target.stage.name, self.names.get("name", ""))
        done: Work = estimate()
        return done

    def _work(self, what: str, **values: object) -> Work:
        return Work(self.dataset, self.target.stage.name, what, **values)  # type: ignore[arg-type]

    def _data(self) -> Work:
        total, exact = images_of(self.pipeline, self.dataset)
        return self._work("", images=total, estimated=not exact)

    def _bank(self) -> Work:
        masks = self.settings.masks.training
        shard = int(self.names["shard"])
        first, end = (masks.count * s // masks.shards for s in (shard, shard + 1))
        return self._work(masks.family, images=end - first)

    def _holes(self) -> Work:
        return self._work("", images=self.settings.evaluation.images)

    def _base(self) -> Work:
        if not self.pipeline.trained_here(self.target):
            return self._work(PUBLIC)
        training = self.settings.training.base
        config = architecture(self.settings, self.dataset)
        cost = flops.training(config, "scalar", "full", 0)
        return self._trained("", training.images, training.precision, cost.flop)

    def _rad(self) -> Work:
        if not self.pipeline.trained_here(self.target):
            return self._work(PUBLIC)
        training = self.settings.training.rad
        config = architecture(self.settings, self.dataset)
        cost = flops.training(config, training.embedding, training.adapt, training.rank)
        what = self.names["variant"]
        return self._trained(what, training.images, training.precision, cost.flop)

    def _lama(self) -> Work:
        own = self.settings.training.lama
        if not self.pipeline.trained_here(self.target):
            return self._work(PUBLIC)
        size = self.settings.datasets[self.dataset].size
        config = lama_architecture(self.settings)
        cost = flops.lama_training(
            config, own.discriminator_channels, own.discriminator_layers, size
        )
        return self._trained("", own.images, own.precision, cost.flop)

    def _trained(self, what: str, images: int, precision: str, flop: int) -> Work:
        return self._work(
            what,
            images=images,
            evaluations=images,
            flop=images * flop,
            precision=_rate(precision),
        )

    def _sample(self) -> Work:
        method = self.target.method
        settings, shard = self.settings, int(self.names["shard"])
        images = len(range(shard, settings.evaluation.images, settings.resources.shards(method)))
        return self._sampled(method, settings, images)

    def _sampled(self, method: Method, settings: Settings, images: int) -> Work:
        asked = inpainter(settings, method.name)
        each = asked.planned_evaluations() if asked.requires else 0
        return self._work(
            str(method),
            images=images,
            evaluations=images * each,
            flop=images * each * self._evaluation(asked, settings),
            precision=_rate(settings.sampling.precision if asked.requires != "lama" else "fp32"),
        )

    def _evaluation(self, asked: Inpainter, settings: Settings) -> int:
        if asked.requires is None:
            return 0
        if asked.requires == "lama":
            return flops.lama_evaluation(
                lama_architecture(settings), settings.datasets[self.dataset].size
            )
        mode = settings.training.rad.embedding if asked.requires == "rad" else "scalar"
        return flops.evaluation(architecture(settings, self.dataset), mode, asked.gradient)

    def _timing(self) -> Work:
        """A method at the run's budget, one image and a batch; once at its official budget."""
        timing, settings, method = self.settings.timing, self.settings, self.target.method
        runs = timing.repeats + timing.warmup
        total = self._sampled(method, settings, runs * sum({1, timing.batch}))
        if timing.official and load(method.name).requires:
            budgets = {**settings.inpainters, method.name: {}}
            official = settings.model_copy(update={"inpainters": budgets})
            total += replace(self._sampled(method, official, 1), jobs=0)
        return replace(total, what="all methods", precision=_rate(settings.sampling.precision))

    def _reference(self) -> Work:
        images, exact = images_of(self.pipeline, self.dataset, self.settings.evaluation.reference)
        networks = feature_networks(self.settings.evaluation.metrics, to_truth=False)
        flop = sum(flops.features(n, self.settings.evaluation.fd_size) for n in networks)
        return self._work(
            "", images=images, evaluations=images * len(networks), flop=images * flop,
            estimated=not exact,
        )  # fmt: skip

    def _evaluate(self) -> Work:
        evaluation, size = self.settings.evaluation, self.settings.datasets[self.dataset].size
        names = evaluation.metrics
        seen = feature_networks(names) + feature_networks(names, to_truth=True)
        each = [flops.features(n, evaluation.fd_size) for n in seen]
        pairs = [w for w in map(info, names) if w.network and w.kind == "per_image"]
        each += 2 * [flops.features(w.network, max(size, SMALLEST)) for w in pairs]
        images = evaluation.images
        return self._work(
            "all methods",
            images=images,
            evaluations=images * len(each),
            flop=images * sum(each),
        )


def _rate(precision: str) -> str:
    """How PyTorch runs it on a GPU: convolutions in float32 take TF32 by default."""
    return "tf32" if precision == "fp32" else precision


def kinds(works: list[Work]) -> Iterator[tuple[str, list[Work]]]:
    """Work by data set, in order."""
    for dataset in dict.fromkeys(work.dataset for work in works):
        yield dataset, [work for work in works if work.dataset == dataset]
