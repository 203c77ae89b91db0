"""A small, made-up results folder, written as the stages write theirs, receipts included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from radpipe import params, settings
from radpipe.dag import Target
from radpipe.imagestore import image_writer
from radpipe.job import Job
from radpipe.masks.bank import BankSettings, write_shard
from radpipe.pipeline import Pipeline

ROOT = Path(__file__).parents[1]
IMAGES, SIZE = 12, 32
IDS = [f"im{i:02d}" for i in range(IMAGES)]
# LPIPS of a method on box masks; on wide ones it is 0.05 more, but for the truth
LPIPS = {
    "truth": 0.0, "rad": 0.10, "repaint": 0.12, "lama": 0.15, "telea": 0.30,
    "rad@reference": 0.15,
    "rad@components-independent_masks": 0.35,
    "rad@components-from_scratch": 0.10,
    "rad@steps-ddim_5": 0.20,
    "rad@steps-ddim_10": 0.16,
}  # fmt: skip
METRICS = ["lpips", "lpips_authors", "fd_alexnet", "kid_alexnet", "psnr_known", "psnr_hole",
           "ssim_hole", "seam"]  # fmt: skip
VARIANT = 0.17  # LPIPS of every other variant
SPREAD = 0.02  # of an image's LPIPS around its method's, the same images for every method
TRUTHS_DISTANCE = 4.0  # FD-AlexNet of the truth; a method's is 50 times its LPIPS
# network evaluations and seconds per image of a method at its official budget
OFFICIAL = {"rad": (100.0, 4.0), "repaint": (2410.0, 150.0)}
CALIBRATION: dict[str, float] = {}  # seconds of the fixed work, where they are not 0.02
SECONDS = {"rad": 1.0, "repaint": 3.0, "lama": 0.05, "telea": 0.01}


def make_settings(**run: Any) -> settings.Settings:
    """params.yaml with few methods; `run` overrides that section."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    methods = ["rad", "repaint", "lama", "telea"]
    own = {"datasets": ["emoji"], "methods": methods, "masks": ["box", "wide"], "ablations": []}
    raw["run"] = own | run
    raw["masks"]["training"] |= {"count": 64, "shards": 2}
    raw["evaluation"] |= {"images": IMAGES, "jackknife_blocks": 4, "bootstrap": 200}
    raw["evaluation"]["metrics"] = METRICS
    return params.parse(raw)


class Tree:
    """Writes every result upstream of some targets under `root`."""

    def __init__(self, root: Path, pipeline: Pipeline) -> None:
        self.root, self.pipeline = root, pipeline

    def job(self, target: Target) -> Job:
        return Job(self.pipeline.slice(target), self.root, self.pipeline.settings.resources)

    def write(self, *targets: Target) -> None:
        for target in self.pipeline.walk(list(targets)):
            if target not in targets:
                job = self.job(target)
                job.out.mkdir(parents=True, exist_ok=True)
                getattr(self, f"_{target.stage.name}")(job)

    def _data(self, job: Job) -> None:
        for name in ("train.zip", "val.zip", "test.zip"):
            store(job.out / name, [picture(i) for i in range(IMAGES)])
        job.finish("train.zip", "val.zip", "test.zip")

    def _bank(self, job: Job) -> None:
        shard = int(job.wildcards["shard"])
        name = f"{shard}.npz"
        bank = BankSettings(family="perlin", count=64, shards=2)
        write_shard(job.out / name, bank, SIZE, 0, shard)
        job.finish(name)

    def _holes(self, job: Job) -> None:
        store(job.out / "holes.zip", [hole(i) for i in range(IMAGES)])
        job.finish("holes.zip")

    def _training(self, job: Job, name: str, columns: tuple[str, ...], **facts: Any) -> None:
        (job.out / name).parent.mkdir(parents=True, exist_ok=True)
        (job.out / name).write_text(job.digest)
        images = np.arange(1, 101) * 400
        curve = {column: 0.1 + 1 / np.arange(1, 101) for column in columns}
        pd.DataFrame({"images": images} | curve).to_csv(job.out / "loss.csv", index=False)
        job.finish(name, **{"images": 40000, **facts})

    def _base(self, job: Job) -> None:
        self._training(job, "model.safetensors", ("loss", "mse", "vlb"))

    def _rad(self, job: Job) -> None:
        images = job.settings["training.rad"]["images"]
        self._training(
            job, "adapter/adapter_model.safetensors", ("loss", "mse", "vlb"), images=images
        )

    def _lama(self, job: Job) -> None:
        columns = ("generator_loss", "discriminator_loss", "generator_l1")
        self._training(job, "generator.weights", columns, weights="trained here on 40000 images")

    def _gaussian(self, job: Job) -> None:
        columns = ["method", "settings", "evaluations", "mean_error", "covariance_error"]
        rows = [("rad", "steps 25", 25.0, 0.1, 0.2), ("ddrm", "steps 20", 20.0, 0.3, 0.4)]
        pd.DataFrame(rows, columns=columns).to_csv(job.out / "gaussian.csv", index=False)
        job.finish("gaussian.csv")

    def _sample(self, job: Job) -> None:
        grey = [np.where(hole(i)[..., None], 128, picture(i)) for i in range(IMAGES)]
        store(job.out / "0.zip", [image.astype(np.uint8) for image in grey])
        job.finish("0.zip")

    def _draws(self, job: Job) -> None:
        with image_writer(job.out / "draws.zip") as writer:
            for mask in job.settings["run.masks"]:
                for draw in range(2):
                    writer.add(f"{mask}.{draw}.{IDS[0]}", picture(draw))
        (job.out / "reverse.gif").write_bytes(b"GIF")
        job.finish("draws.zip", "reverse.gif")

    def _reference(self, job: Job) -> None:
        (job.out / "features.npz").write_bytes(b"reference")
        job.finish("features.npz")

    def _evaluate(self, job: Job) -> None:
        method, mask = job.wildcards["method"], job.wildcards["mask"]
        scores, rows = cell(method, mask)
        scores.to_csv(job.out / "scores.csv", index=False)
        wanted = job.settings["evaluation.metrics"]
        (job.out / "metrics.json").write_text(json.dumps([rows[name] for name in wanted]))
        (job.out / "features.npz").write_bytes(b"features")
        job.finish("features.npz", "metrics.json", "scores.csv")

    def _timing(self, job: Job) -> None:
        method = job.wildcards["method"]
        run = SECONDS.get(method, 0.7)
        timed = [("run", 1, 25.0, run), ("run", 8, 25.0, run / 2)]
        if method in OFFICIAL:
            timed.append(("official", 1, *OFFICIAL[method]))
        columns = ["budget", "batch", "evaluations", "seconds_median"]
        table = pd.DataFrame(timed, columns=columns)
        table.insert(0, "method", method)
        seconds = table["seconds_median"]
        table = table.assign(seconds_q25=seconds * 0.9, seconds_q75=seconds * 1.2)
        table = table.assign(device="cpu", peak_memory_mb=500.0)
        table = table.assign(calibration_seconds=CALIBRATION.get(method, 0.02))
        table.to_csv(job.out / "timing.csv", index=False)
        job.finish()


def lpips_of(method: str, mask: str) -> float:
    """LPIPS of a method on a mask."""
    found = LPIPS.get(method, VARIANT)
    return found + 0.05 if mask == "wide" and method != "truth" else found


def cell(method: str, mask: str) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Scores per image and the rows of metrics.json by metric."""
    value, truth = lpips_of(method, mask), method == "truth"
    spread = np.zeros(IMAGES) if truth else np.tile([-SPREAD, SPREAD], IMAGES // 2)
    own = 0.0 if truth else 0.001 * len(method)  # every third image differs between methods
    lpips = value + spread + np.tile([own, -own, 0], IMAGES // 3)
    steps = method.rpartition("_")[2]
    scores = pd.DataFrame({"image": IDS, "lpips": lpips, "lpips_authors": lpips / 3})
    scores = scores.assign(psnr_hole=20 - 30 * lpips, ssim_hole=1 - lpips)
    scores = scores.assign(seam=0.0 if truth else (lpips - 0.12) * 100, psnr_known=np.inf)
    scores["evaluations"] = 0 if truth else float(steps) if steps.isdigit() else 25.0
    distance = TRUTHS_DISTANCE if truth else 50 * value
    blocks = np.array([-0.1, 0.1, 0.2, -0.2])
    backend = {"weights_sha256": "ab" * 32}
    network = {"network": "alexnet", "reference": "emoji, train split", "resize": "bilinear"}
    fid = {"note": "asset `inception-fid` is not there"}
    rows = [
        row("lpips", "LPIPS", value, 0.0 if truth else 0.012, details=backend),
        row("lpips_authors", "LPIPS ([0,1])", value / 3, 0.0 if truth else 0.004),
        row("psnr_hole", "PSNR hole", 20 - 30 * value, 0.4, unit="dB", lower_is_better=False),
        row("ssim_hole", "SSIM hole", 1 - value, 0.012, lower_is_better=False),
        row("seam", "Seam", float(scores["seam"].mean()), 1.2, unit="levels"),
        row("psnr_known", "PSNR known", "inf", unit="dB", lower_is_better=False),
        row("fd_alexnet", "FD-AlexNet", distance, 0.5, replicates=list(distance + blocks),
            details=network, interval="block jackknife", note="n < 2,048"),
        row("fd_alexnet_truth", "FD-AlexNet to truth", 50 * value, 0.5,
            replicates=list(50 * value + blocks * value)),
        row("kid_alexnet", "KID-AlexNet", value / 100),
        row("fid", "FID", None, **fid),
    ]  # fmt: skip
    return scores, {r["metric"]: r for r in rows}


def row(
    metric: str, label: str, value: float | str | None, half: float | None = None, **more: Any
) -> dict[str, Any]:
    """A row of metrics.json."""
    low, high = (None, None) if half is None else (value - half, value + half)
    measured = {"value": value, "low": low, "high": high, "se": None, "n": IMAGES}
    about = {"label": label, "unit": "", "lower_is_better": True, "interval": "", "note": ""}
    return {"metric": metric, **about, **measured, **more}


def store(path: Path, images: list[np.ndarray]) -> None:
    """An image store with these images."""
    with image_writer(path) as writer:
        for name, image in zip(IDS, images, strict=True):
            writer.add(name, image)


def picture(i: int) -> np.ndarray:
    """A smooth colour image of its own per number."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = [np.sin(6 * (x * (c + 1) + y * i / 3)) for c in range(3)]
    return ((np.stack(waves, axis=-1) + 1) * 127).astype(np.uint8)


def hole(i: int) -> np.ndarray:
    """A box whose place depends on the number."""
    found = np.zeros((SIZE, SIZE), bool)
    found[i : i + 16, 8:24] = True
    return found
