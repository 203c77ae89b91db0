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
from radpipe.evaluation import METRICS
from radpipe.evaluation.intervals import blocks_of, bootstrap_mean, extreme, jackknife
from radpipe.imagestore import ImageWriter
from radpipe.job import Job
from radpipe.masks.bank import write_shard
from radpipe.pipeline import Pipeline
from radpipe.stages.evaluate import _row

ROOT = Path(__file__).parents[1]
IMAGES, SIZE, BLOCKS = 12, 32, 4
# network evaluations and seconds per image of a method at its official budget
OFFICIAL = {"rad": (100.0, 4.0), "repaint": (2410.0, 150.0)}
# how bad a method is, so that ranks and differences have known answers
BAD = {"rad": 0.10, "repaint": 0.12, "lama": 0.15, "telea": 0.30}


def make_settings(**run: Any) -> settings.Settings:
    """params.yaml with few methods; `run` overrides that section."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["run"] = {
        "datasets": ["emoji"],
        "methods": list(BAD),
        "masks": ["box", "wide"],
        "ablations": [],
    } | run
    raw["masks"]["training"] |= {"count": 64, "shards": 2}
    raw["evaluation"] |= {"images": IMAGES, "jackknife_blocks": BLOCKS, "bootstrap": 200}
    return params.parse(raw)


class Tree:
    """Writes every result upstream of some targets under `root`."""

    def __init__(self, root: Path, pipeline: Pipeline) -> None:
        self.root, self.pipeline = root, pipeline

    def job(self, target: Target) -> Job:
        return Job.from_slice(
            self.pipeline.slice(target), self.root, self.pipeline.settings.resources
        )

    def write(self, *targets: Target) -> None:
        for target in self.pipeline.walk(list(targets)):
            if target not in targets:
                job = self.job(target)
                job.out.mkdir(parents=True, exist_ok=True)
                getattr(self, f"_{target.stage}")(job)

    def _data(self, job: Job) -> None:
        for name in ("train", "val", "test"):
            with ImageWriter(job.out / f"{name}.zip") as writer:
                for i in range(IMAGES):
                    writer.add(f"im{i:02d}", picture(i))
        job.finish("train.zip", "val.zip", "test.zip")

    def _bank(self, job: Job) -> None:
        shard = int(job.wildcards["shard"])
        name = f"{shard}.npz"
        write_shard(job.out / name, job.wildcards["family"], SIZE, 64, 0, shard, 2)
        job.finish(name)

    def _holes(self, job: Job) -> None:
        with ImageWriter(job.out / "holes.zip") as writer:
            for i in range(IMAGES):
                writer.add(f"im{i:02d}", hole(i))
        job.finish("holes.zip")

    def _training(self, job: Job, name: str, columns: tuple[str, ...], **facts: Any) -> None:
        (job.out / name).parent.mkdir(parents=True, exist_ok=True)
        (job.out / name).write_bytes(job.text.encode())
        images = np.arange(1, 101) * 400.0
        curve = {c: np.exp(-images / 9000) + 0.1 for c in columns}
        noise = np.random.default_rng(0).normal(0, 0.03, 100)
        frame = pd.DataFrame({"images": images} | {c: v + noise for c, v in curve.items()})
        frame.to_csv(job.out / "loss.csv", index=False)
        job.finish(name, images=40000, **facts)

    def _base(self, job: Job) -> None:
        self._training(job, "model.safetensors", ("loss", "mse", "vlb"))

    def _rad(self, job: Job) -> None:
        self._training(job, "adapter/adapter_model.safetensors", ("loss", "mse", "vlb"))

    def _lama(self, job: Job) -> None:
        columns = ("generator_loss", "discriminator_loss", "generator_l1")
        self._training(job, "generator.weights", columns, weights="trained here on 40000 images")

    def _sample(self, job: Job) -> None:
        bad = badness(job.wildcards["method"], job.wildcards["mask"])
        with ImageWriter(job.out / "0.zip") as writer:
            for i in range(IMAGES):
                noise = np.random.default_rng(i).normal(0, 300 * bad, (SIZE, SIZE, 1))
                broken = np.where(hole(i)[..., None], picture(i) + noise, picture(i))
                writer.add(f"im{i:02d}", broken.clip(0, 255).astype(np.uint8))
        job.receipt.parent.mkdir(parents=True, exist_ok=True)
        job.finish("0.zip")

    def _reference(self, job: Job) -> None:
        (job.out / "features.npz").write_bytes(b"reference")
        job.finish("features.npz")

    def _evaluate(self, job: Job) -> None:
        method, mask = job.wildcards["method"], job.wildcards["mask"]
        scores = make_scores(method, mask)
        rows = []
        for name in job.settings["evaluation"]["metrics"]:
            rows.append(_row(name, summary(name, scores, badness(method, mask))))
        scores.drop(columns="fd_alexnet").to_csv(job.out / "scores.csv", index=False)
        (job.out / "metrics.json").write_text(json.dumps(rows))
        (job.out / "features.npz").write_bytes(b"features")
        job.finish("features.npz", "metrics.json", "scores.csv")

    def _timing(self, job: Job) -> None:
        rows = []
        rad = {("run", 1): 1.0, ("run", 8): 0.5, ("official", 1): OFFICIAL["rad"][1]}
        for method in job.settings["run.methods"]:
            slow = {"rad": 1.0, "repaint": 3.0, "lama": 0.05, "telea": 0.01}.get(method, 0.7)
            plan = [("run", 1, slow), ("run", 8, slow / 2)]
            plan += [("official", 1, OFFICIAL[method][1])] if method in OFFICIAL else []
            for budget, batch, seconds in plan:
                row = {
                    "method": method,
                    "budget": budget,
                    "batch": batch,
                    "device": "cpu",
                    "evaluations": OFFICIAL[method][0] if budget == "official" else 25.0,
                    "seconds_median": seconds,
                    "seconds_q25": seconds * 0.9,
                    "seconds_q75": seconds * 1.2,
                    "repeats": 5,
                    "peak_memory_mb": 500.0,
                    "ratio_to_rad": seconds / rad[budget, batch],
                }
                rows.append(row)
        pd.DataFrame(rows).to_csv(job.out / "timing.csv", index=False)
        job.finish()


def badness(method: str, mask: str) -> float:
    """LPIPS of a method on a mask; the reference of the trained variants is worse than RAD."""
    name, _, variant = method.partition("@")
    extra = {
        "": 0.0,
        "reference": 0.05,
        "components-independent_masks": 0.25,
        "components-from_scratch": 0.0,
    }
    steps = variant.rpartition("_")[2]
    worse = 0.5 / int(steps) if variant.startswith("steps-") else 0.07
    return BAD[name] + extra.get(variant, worse) + (0.05 if mask == "wide" else 0.0)


def make_scores(method: str, mask: str) -> pd.DataFrame:
    """Scores per image: the badness plus noise that all methods share."""
    shared = np.random.default_rng(7).normal(0, 0.02, IMAGES)
    own = np.random.default_rng(len(method)).normal(0, 0.004, IMAGES)
    lpips = badness(method, mask) + shared + own
    steps = method.rpartition("_")[2]
    return pd.DataFrame(
        {
            "image": [f"im{i:02d}" for i in range(IMAGES)],
            "mask": [f"{mask}/im{i:02d}" for i in range(IMAGES)],
            "hole_area": 0.25,
            "seed": range(IMAGES),
            "evaluations": float(steps) if steps.isdigit() else 0.0 if method == "telea" else 25.0,
            "seconds": 0.2,
            "lpips": lpips,
            "lpips_authors": lpips / 3,
            "psnr_known": np.inf,
            "psnr_hole": 20 - 30 * lpips,
            "ssim_hole": 1 - lpips,
            "seam": (lpips - 0.12) * 100,
            "fd_alexnet": lpips * 50,
        }
    )


def summary(name: str, scores: pd.DataFrame, bad: float) -> dict[str, Any]:
    """What `CellScores.summary` gives for one metric."""
    if name not in scores or METRICS[name].optional:
        if name != "kid_alexnet":
            return {"status": "not available", "note": "asset `inception-fid` is not there"}
        return {"value": bad / 100, "low": None, "high": None, "n": IMAGES, "note": ""}
    values = scores[name].to_numpy(float)
    if name == "fd_alexnet":
        blocks = blocks_of(IMAGES, BLOCKS, 0)
        replicates = np.array([np.delete(values, b).mean() for b in blocks])
        interval = jackknife(values.mean(), replicates, IMAGES, note="n < 2,048")
        details = {"network": "alexnet", "reference": "emoji, train split", "resize": "bilinear"}
        return {**interval.to_dict(), "replicates": replicates.tolist(), "details": details}
    if name == "psnr_known":
        return {**extreme(values).to_dict(), "details": {}}
    interval = bootstrap_mean(values, 0, 200)
    return {**interval.to_dict(), "details": {"weights_sha256": "ab" * 32}}


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
