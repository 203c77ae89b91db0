"""The arithmetic of a plan: what each target evaluates, how often, and what it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from radpipe.dag import Target
from radpipe.diffusion.schedule import TwoPhaseSchedule
from radpipe.evaluation import feature_networks, info
from radpipe.evaluation.features import NETWORKS
from radpipe.evaluation.reference import KEEP
from radpipe.inpainters import load
from radpipe.method import Method
from radpipe.models.adm import AdmConfig
from radpipe.models.backbones import SMALLEST
from radpipe.models.lama import LamaConfig
from radpipe.pipeline import Pipeline
from radpipe.plan import flops
from radpipe.plan.images import download, images_of
from radpipe.settings import LamaTraining, Optimisation, Settings

PUBLIC = "public weights"
PNG = 0.6  # bytes of a photograph as PNG, relative to its pixels' bytes; our guess
FLOAT = 4  # bytes
SAVED = "saved states while training"  # weights, average, AdamW's two moments
# kinds of files whose bytes are an estimate
GUESSED = {"images", "images, again while converting", "inpainted images", "masks (at most)"}


@dataclass(frozen=True)
class Work:
    """Jobs of one kind.

    Attributes:
        dataset: empty for tables and figures.
        stage: of the DAG.
        what: method, mask family, variant or source.
        jobs: how many.
        images: made, seen in training or measured; 0 where that says nothing.
        evaluations: network evaluations, forward passes in training.
        flop: floating-point operations.
        precision: 'tf32' (float32 as PyTorch runs convolutions), 'bf16', 'fp32'.
        estimated: the images are an estimate.
        written: bytes by kind of file.
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
    written: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Work) -> Work:
        return replace(
            self,
            jobs=self.jobs + other.jobs,
            images=self.images + other.images,
            evaluations=self.evaluations + other.evaluations,
            flop=self.flop + other.flop,
            estimated=self.estimated or other.estimated,
            written=Counter(self.written) + Counter(other.written),
        )


def gather(pipeline: Pipeline, targets: list[Target]) -> list[Work]:
    """All work that some targets stand on, jobs of one kind added up, inputs first."""
    found: dict[tuple[str, str, str], Work] = {}
    for target in pipeline.walk(targets):
        one = _Estimator(pipeline, target).work()
        key = (one.dataset, one.stage, one.what)
        found[key] = found[key] + one if key in found else one
    order = [*pipeline.settings.datasets, ""]
    return sorted(found.values(), key=lambda work: order.index(work.dataset))


def _rate(precision: str) -> str:
    """How PyTorch runs it on a GPU: convolutions in float32 take TF32 by default."""
    return "tf32" if precision == "fp32" else precision


class _Estimator:
    """The work of one target; a stage without a method here computes nothing to speak of."""

    def __init__(self, pipeline: Pipeline, target: Target) -> None:
        self.pipeline, self.target = pipeline, target
        self.dataset, self.settings = target.get("dataset"), pipeline.view(target)

    def work(self) -> Work:
        stage = self.target.stage.name
        estimate = getattr(self, f"_{stage}", None)
        return estimate() if estimate else Work("", stage, self.target.get("name"))

    def _work(
        self, what: str, images: int = 0, passes: int = 0, flop: int = 0, **others: Any
    ) -> Work:
        """So many network evaluations and operations for each of some images."""
        return Work(
            self.dataset,
            self.target.stage.name,
            what,
            images=images,
            evaluations=images * passes,
            flop=images * flop,
            **others,
        )

    @property
    def size(self) -> int:
        return self.settings.datasets[self.dataset].size

    @property
    def adm(self) -> AdmConfig:
        """Without dropout, which costs nothing, so that equal costs are counted once."""
        return replace(self.settings.datasets[self.dataset].model.at(self.size), dropout=0.0)

    @property
    def picture(self) -> float:
        """Bytes of one image."""
        return 3 * self.size**2 * PNG

    def _data(self) -> Work:
        total, exact = images_of(self.pipeline, self.dataset)
        written = {"images": total * self.picture}
        if download(self.settings, self.dataset)[0] != "asset":
            written["images, again while converting"] = total * self.picture
        return self._work("", total, estimated=not exact, written=written)

    def _masks(self, what: str, images: int) -> Work:
        return self._work(what, images, written={"masks (at most)": images * self.size**2 / 8})

    def _bank(self) -> Work:
        bank = self.settings.masks.training
        return self._masks(bank.family, len(bank.held(int(self.target["shard"]))))

    def _holes(self) -> Work:
        return self._masks("", self.settings.evaluation.images)

    def _base(self) -> Work:
        weights = FLOAT * flops.parameters(self.adm)
        if not self.pipeline.trained_here(self.target):
            return self._work(PUBLIC, written={"base networks": weights})
        cost = flops.training(self.adm, "scalar", "full", 0)
        written = {"base networks": weights, SAVED: 4 * weights}
        return self._trained("", self.settings.training.base, cost.flop, written)

    def _rad(self) -> Work:
        if not self.pipeline.trained_here(self.target):
            weights = FLOAT * flops.parameters(self.adm)
            return self._work(PUBLIC, written={"RAD networks": weights})
        own = self.settings.training.rad
        cost = flops.training(self.adm, own.embedding, own.adapt, own.rank)
        written = {"RAD adapters": FLOAT * cost.trained, SAVED: 4 * FLOAT * cost.trained}
        return self._trained(self.target["variant"], own, cost.flop, written)

    def _lama(self) -> Work:
        if not self.pipeline.trained_here(self.target):
            return self._work(PUBLIC)
        own = self.settings.training.lama
        judge = own.discriminator_channels, own.discriminator_layers
        return self._trained("", own, flops.lama_training(_generator(own), *judge, self.size), {})

    def _trained(
        self, what: str, own: Optimisation, flop: int, written: Mapping[str, float]
    ) -> Work:
        precision = _rate(own.precision)
        return self._work(what, own.images, 1, flop, precision=precision, written=written)

    def _sample(self) -> Work:
        method, shard = self.target.method, int(self.target["shard"])
        shards, images = self.settings.resources.shards(method), self.settings.evaluation.images
        images = len(range(shard, images, shards))
        work = self._sampled(method, self.settings, images)
        return replace(work, written={"inpainted images": images * self.picture})

    def _sampled(self, method: Method, settings: Settings, images: int) -> Work:
        kind = load(method.name)
        model = kind.requires and (lambda *_: None)
        inpainter = kind(settings.inpainter(method.name), model, TwoPhaseSchedule())
        each, flop, precision = inpainter.planned_evaluations(), 0, settings.sampling.precision
        if kind.requires == "lama":
            generator = _generator(settings.training.lama)
            flop, precision = flops.lama_evaluation(generator, self.size), "fp32"
        elif kind.requires:
            mode = settings.training.rad.embedding if kind.requires == "rad" else "scalar"
            flop = flops.evaluation(self.adm, mode, kind.gradient)
        return self._work(str(method), images, each, each * flop, precision=_rate(precision))

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
        evaluation = self.settings.evaluation
        images, exact = images_of(self.pipeline, self.dataset, evaluation.reference)
        networks = feature_networks(evaluation.metrics, to_truth=False)
        widths = [NETWORKS[name].width for name in networks]
        size = sum(8 * width * width + min(KEEP, images) * width * FLOAT for width in widths)
        flop = sum(flops.features(network, evaluation.fd_size) for network in networks)
        facts = {"estimated": not exact, "written": {"features": size}}
        return self._work("", images, len(networks), flop, **facts)

    def _evaluate(self) -> Work:
        evaluation, names = self.settings.evaluation, self.settings.evaluation.metrics
        networks = feature_networks(names)
        passes = networks + feature_networks(names, to_truth=True)
        each = [flops.features(network, evaluation.fd_size) for network in passes]
        pairs = [w for w in map(info, names) if w.network and w.kind == "per_image"]
        each += 2 * [flops.features(w.network, max(self.size, SMALLEST)) for w in pairs]
        images, width = evaluation.images, sum(NETWORKS[name].width for name in networks)
        written = {"features": images * width * FLOAT}
        return self._work("all methods", images, len(each), sum(each), written=written)


def _generator(own: LamaTraining) -> LamaConfig:
    """LaMa as trained here, or as published."""
    if own.weights != "train":
        return LamaConfig()
    return LamaConfig(own.channels, own.downsamplings, own.blocks)
