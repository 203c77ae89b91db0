"""params.yaml as frozen, typed settings; the only settings there are.

Unknown keys are refused with the nearest valid name. A data set may name `overrides`:
sets of changed values (section `overrides` of params.yaml) that hold for that data set
only, so that one file carries the small default run and the paper's. `radpipe.params`
reads the file and holds it to what spans sections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from radpipe import data, inpainters, masks
from radpipe.dotted import flatten, get, put
from radpipe.errors import UserError
from radpipe.masks.bank import BankSettings
from radpipe.method import Method
from radpipe.models.adm_config import AdmConfig
from radpipe.section import PARAMS, Section, section

TRAIN = "train"  # weights that are trained here, not an asset
Counts = dict[str, Annotated[int, Field(ge=1)]]  # by name; `default` for those not named


class Run(Section):
    """What is computed."""

    datasets: tuple[str, ...] = Field(min_length=1, description="entries of `datasets`")
    methods: tuple[str, ...] = Field(min_length=1, description="files of inpainters/")
    masks: tuple[str, ...] = Field(min_length=1, description="files of masks/")
    ablations: tuple[str, ...] = Field(description="files of ablations/")


class Model(Section):
    """Architecture of the ADM U-Net (attention in feature-map sizes, as the paper counts)."""

    channels: int = Field(ge=8, description="base channels")
    res_blocks: int = Field(ge=1, description="residual blocks per resolution")
    channel_mult: tuple[int, ...] = Field(min_length=1, description="multiple per resolution")
    attention: tuple[int, ...] = Field(description="feature-map sizes with attention, pixels")
    head_channels: int = Field(ge=1, description="channels per attention head")
    dropout: float = Field(ge=0, lt=1)

    def at(self, size: int) -> AdmConfig:
        """The architecture for images of a side, pixels; attention sides become factors."""
        return AdmConfig(
            image_size=size,
            model_channels=self.channels,
            num_res_blocks=self.res_blocks,
            channel_mult=self.channel_mult,
            attention_resolutions=tuple(size // side for side in self.attention),
            num_head_channels=self.head_channels,
            dropout=self.dropout,
        )


class Dataset(Section):
    """One data set: images, network and where its base weights come from."""

    size: int = Field(ge=8, description="image side, pixels")
    reader: str = Field(default="", description="a file of data/; empty: the entry's own name")
    overrides: tuple[str, ...] = Field(default=(), description="entries of `overrides`")
    base: str = Field(description="'train', or the name of an asset of workflow/assets.yaml")
    rad: str = Field(
        default="train", description="the same for RAD's network; ablations always train theirs"
    )
    model: Model
    data: dict[str, Any] = Field(default_factory=dict, description="the data set's own settings")


class Masks(Section):
    """Settings of all masks."""

    training: BankSettings
    lama_limit: float | None = Field(
        ge=0.1,
        le=1,
        description="largest share of the image that a hole of the families wide and narrow has; "
        "larger ones are drawn again; null: no rule",
    )

    def limit(self, family: str) -> float | None:
        """The limit that holds for a family: none where LaMa's rule does not apply to it."""
        return masks.limit_of(family, self.lama_limit)


class Optimisation(Section):
    """What every training has."""

    images: int = Field(ge=1, description="images seen in all")
    batch: int = Field(ge=1, description="images per optimiser step, over all processes")
    accumulate: int = Field(ge=1, description="parts a step's batch is split into")
    lr: float = Field(gt=0, description="peak learning rate")
    warmup: int = Field(ge=0, description="images of linear warm-up")
    decay: Literal["constant", "cosine"] = Field(description="learning rate after warm-up")
    weight_decay: float = Field(ge=0)
    clip: float = Field(gt=0, description="gradient norm limit")
    ema: float = Field(ge=0, lt=1, description="decay per step of the averaged weights")
    precision: Literal["fp32", "bf16"]
    flip: bool = Field(description="random horizontal flips of images")


class BaseTraining(Optimisation):
    """Pre-training of the ADM network."""

    vlb_weight: float = Field(ge=0, description="lambda of the variational term")


class RadTraining(BaseTraining):
    """Fine-tuning to RAD, and what the ablations change."""

    region: Literal["all", "noisy"] = Field(description="pixels the error is averaged over")
    phase1: float = Field(gt=0, le=1, description="share of draws from phase 1")
    embedding: Literal["spatial", "dense", "global", "raw"]
    adapt: Literal["lora", "full", "scratch"] = Field(description="which weights are trained")
    rank: int = Field(ge=1, description="LoRA rank")
    alpha: float = Field(gt=0, description="LoRA alpha")


class LamaTraining(Optimisation):
    """Training of the LaMa baseline."""

    discriminator_lr: float = Field(gt=0, description="its peak learning rate; `lr`: generator's")
    weights: str = Field(description="'train', or the name of an asset")
    masks: str = Field(description="mask family, LaMa's own: wide")
    channels: int = Field(ge=4, description="generator's base channels")
    downsamplings: int = Field(ge=1)
    blocks: int = Field(ge=1, description="FFC residual blocks")
    discriminator_channels: int = Field(ge=4)
    discriminator_layers: int = Field(ge=1, description="strided convolutions")
    l1: float = Field(ge=0, description="weight of L1 on known pixels")
    adversarial: float = Field(ge=0)
    r1: float = Field(ge=0, description="weight of the gradient penalty")
    feature_matching: float = Field(ge=0)
    perceptual: float = Field(ge=0)


class Training(Section):
    """All trainings."""

    ablation_images: int | None = Field(
        ge=1, description="seen by each trained variant of an ablation; null: as many as by RAD"
    )
    base: BaseTraining
    rad: RadTraining
    lama: LamaTraining


class Sampling(Section):
    """What holds for the sampling of every method."""

    precision: Literal["fp32", "bf16"] = Field(
        description="of the ADM networks' convolutions; bf16 is autocast, twice as fast on a CPU "
        "with its instructions; in fp32 all machines give nearly the same pixels"
    )


class Evaluation(Section):
    """Which images and metrics."""

    images: int = Field(ge=2, description="test images per cell")
    split: Literal["val", "test"] = Field(description="split that is inpainted")
    metrics: tuple[str, ...] = Field(min_length=1)
    reference: Literal["train", "val", "test"] = Field(description="split of the FD statistics")
    fd_size: int = Field(ge=64, description="side images are brought to for FD, pixels")
    jackknife_blocks: int = Field(ge=2)
    bootstrap: int = Field(ge=100, description="resamplings")
    figure_images: int = Field(ge=1, description="columns of the qualitative figure")


class Timing(Section):
    """The timing table."""

    repeats: int = Field(ge=1)
    warmup: int = Field(ge=0, description="runs of a method before the clock starts")
    batch: int = Field(
        ge=1, description="images of the larger batch timed: that of `resources.sample_batch`"
    )
    official: bool = Field(description="also time each method's official budget, one image")


class Gaussian(Section):
    """The check of all diffusion methods on Gaussian data."""

    samples: int = Field(ge=100, multiple_of=4, description="inpainted images per row")
    steps: int = Field(ge=1, description="cases with more reverse steps are left out")


class Resources(Section):
    """How the machine is used. No influence on any result."""

    device: str = Field(
        pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1, ..."
    )
    kernels: Literal["fused", "torch"] = Field(
        description="of an ADM network on a CPU: fused (norm.c, built by the C compiler) or torch; "
        "the same up to rounding"
    )
    compile: Literal["default", "reduce-overhead"] | None = Field(
        description="torch.compile of ADM networks, meant for GPUs; reduce-overhead: CUDA graphs"
    )
    train_threads: int = Field(ge=1, description="CPU threads per training")
    sample_batch: int = Field(ge=1, description="images per network call when sampling")
    sample_shards: Counts = Field(
        description="jobs per cell, by method; how the files are cut, not what is in them"
    )
    loader_workers: int = Field(ge=0, description="processes that decode images")
    processes: int = Field(ge=1, description="processes (GPUs) per training, on all nodes; LaMa: 1")
    nodes: int = Field(ge=1, description="nodes of a training; several need SLURM")
    save_seconds: int = Field(ge=0, description="at most this much work is lost by a kill")
    gpus: int = Field(ge=0, description="GPUs asked for per training or sampling job")
    minutes: Counts = Field(description="cluster time limit per rule")
    memory_mb: Counts = Field(description="cluster memory per rule")

    def shards(self, method: Method) -> int:
        """Sampling jobs per cell of a method; its variants' are the same."""
        return self.sample_shards.get(method.name, self.sample_shards["default"])


class Settings(Section):
    """The whole of params.yaml."""

    seed: int = Field(ge=0)
    run: Run
    datasets: dict[str, Dataset]
    masks: Masks
    training: Training
    inpainters: dict[str, dict[str, Any]]
    sampling: Sampling
    evaluation: Evaluation
    timing: Timing
    gaussian: Gaussian
    resources: Resources
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def resolve(self, dataset: str, changes: Mapping[str, Any] | None = None) -> Settings:
        """The settings as they hold for one data set.

        Args:
            dataset: a key of `datasets`.
            changes: dotted keys on top (an ablation's variant), each with its value or a function
                of the value that holds without it.
        """
        raw = self.model_dump(mode="json")
        for name in self.datasets[dataset].overrides:
            for key, value in flatten(self.overrides[name]).items():
                _override(raw, name, key, value)
        for key, value in (changes or {}).items():
            put(raw, key, value(get(raw, key)) if callable(value) else value)
        return section(Settings, raw, "", f"{PARAMS} (data set {dataset})")

    def reader(self, dataset: str) -> str:
        """The file of data/ that reads a data set."""
        return self.datasets[dataset].reader or dataset

    def data(self, dataset: str, file: str = PARAMS) -> Section:
        """A data set's own settings, checked by its reader's model."""
        model, given = data.load(self.reader(dataset)).Settings, self.datasets[dataset].data
        return section(model, given, f"datasets.{dataset}.data", file)

    def inpainter(self, name: str) -> Section:
        """Settings of one inpainter, checked by its own model; missing keys take its defaults."""
        model = inpainters.load(name).Settings
        return section(model, self.inpainters.get(name, {}), f"inpainters.{name}")

    def source(self, stage: str, dataset: str) -> str:
        """Where the network of a stage comes from: `TRAIN`, or the name of an asset."""
        if stage == "lama":
            return self.training.lama.weights
        return str(getattr(self.datasets[dataset], stage))


def _override(raw: dict[str, Any], name: str, key: str, value: Any) -> None:
    """Apply one line of a set of overrides."""
    try:
        put(raw, key, value)
    except (AttributeError, TypeError):
        where = f"{PARAMS}, key `overrides.{name}.{key}`"
        raise UserError("a setting on the way is a value, not a section", where) from None
