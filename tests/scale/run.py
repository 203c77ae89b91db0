"""`make scale`: what the stages cost at ImageNet's counts, measured in slices of it.

Made-up Parquet shards with the hub's schema and shares of ImageNet's 1,281,167 pictures, small
ones; every stage is the real job (`radpipe run`) in a process of its own, whose CPU seconds, peak
memory and open files are taken (of a data set's conversion those of the process that merges; its
workers hold a picture each). A first run on a few pictures gives what a stage costs at all; slopes
are those of what comes on top, on a log-log scale: 1 is linear, and `flat` is less than a twentieth
of the fixed part. The last columns take the cost per picture to all of ImageNet, of which the paper
inpaints and scores 1,000; where growth is flat they are bounds (that twentieth grows on). The
pictures are small: seconds are those of what is not pixels.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))
import tiny
from radpipe import params
from radpipe.pipeline import Pipeline
from radpipe.slices import slice_file

IMAGENET, SHARDS = 1_281_167, 294
HELD = 1000  # of ImageNet's, in the paper
FEW = 256  # pictures of the first run
FLAT = 0.05  # of the fixed part
SIDE, SIZE = 48, 32  # of the pictures, of the images
STAGES = ("data", "reference", "bank", "holes", "sample", "evaluate")
COLUMNS = ("stage", "counts", "pictures", "seconds", "megabytes", "files")
SLOPES = ("slope seconds", "slope megabytes", "imagenet hours", "imagenet megabytes")


def shards(folder: Path, count: int) -> None:
    """Pictures of noise in Parquet files of ImageNet's length."""
    rng, length = np.random.default_rng(0), -(-IMAGENET // SHARDS)
    schema = arrow.schema(
        [("image", arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())]))]
    )
    for number, start in enumerate(range(0, count, length)):
        with parquet.ParquetWriter(folder / f"train-{number:05d}.parquet", schema) as writer:
            for first in range(start, min(start + length, count), 100):
                rows = [
                    {"bytes": _jpeg(rng), "path": None}
                    for _ in range(first, min(first + 100, start + length, count))
                ]
                writer.write_table(arrow.table({"image": rows}, schema=schema))


def _jpeg(rng: np.random.Generator) -> bytes:
    coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((SIDE, SIDE)).save(buffer, format="JPEG")
    return buffer.getvalue()


def settings(source: Path, count: int) -> dict[str, object]:
    """A tenth of the pictures is held out, inpainted with Telea's method and scored."""
    held = count // 10
    data = {"folder": str(source), "val": held, "test": held}
    model = dict(tiny.TINY["datasets.emoji.model"])
    return {
        "run__datasets": ["imagenet"],
        "run__methods": ["telea"],
        "datasets__imagenet": {"size": SIZE, "base": "train", "model": model, "data": data},
        "masks__training__count": count,
        "masks__training__shards": 4,
        "evaluation__images": held,
        "resources__sample_shards": {"default": 4},
    }


def counted(stage: str, count: int) -> int:
    """Pictures (or masks) that a job of the stage goes through."""
    held = HELD if count == IMAGENET else count // 10
    whole = {"data": count, "reference": count - 2 * held, "bank": count // 4, "holes": held}
    return whole.get(stage, held if stage == "evaluate" else held // 4)


def measure(folder: Path, count: int) -> list[dict[str, object]]:
    """A row per stage."""
    pipeline = Pipeline(params.read(folder / "params.yaml"))
    names = {
        "bank": {"variant": "default"},
        "holes": {"mask": "box"},
        "sample": {"method": "telea", "mask": "box"},
        "evaluate": {"method": "telea", "mask": "box"},
    }
    rows = []
    for stage in STAGES:
        sharded = stage in ("bank", "sample")
        for shard in range(4 if sharded else 1):
            wildcards = {"dataset": "imagenet", **names.get(stage, {})}
            wildcards |= {"shard": str(shard)} if sharded else {}
            path = slice_file(pipeline, pipeline.target(stage, **wildcards))
            seconds, megabytes, files = run(folder, path)
        values = (stage, counted(stage, count), count, seconds, megabytes, files)
        row = dict(zip(COLUMNS, values, strict=True))
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
        rows.append(row)
    return rows


def run(folder: Path, path: Path) -> tuple[float, float, int]:
    """CPU seconds, peak megabytes and most open files of a job."""
    command = [sys.executable, "-m", "radpipe.cli", "run", str(path), "--threads", "2"]
    with (folder / "job.log").open("w") as log:
        job = subprocess.Popen(
            command, cwd=folder, env=tiny.environment(folder), stdout=log, stderr=log
        )
        files, peak, place = 0, 0, Path(f"/proc/{job.pid}")
        while True:
            done, status, used = os.wait4(job.pid, os.WNOHANG)
            if done:
                break
            with suppress(OSError, IndexError):
                files = max(files, sum(1 for _ in (place / "fd").iterdir()))
                # the kernel's own ru_maxrss counts this process, too, from before the exec
                peak = int((place / "status").read_text().split("VmHWM:")[1].split()[0])
            time.sleep(0.02)
    if status:
        raise SystemExit(f"{path}:\n{(folder / 'job.log').read_text()[-4000:]}")
    return round(used.ru_utime + used.ru_stime, 2), round(peak / 1024, 1), files


def slopes(few: dict, small: dict, large: dict) -> dict[str, object]:
    """How a stage grows beyond what it costs at all."""
    found: dict[str, object] = {}
    for what in ("seconds", "megabytes"):
        clear = FLAT * few[what]  # less is lost in the noise of the fixed part
        steps = [row[what] - few[what] for row in (small, large)]
        counts = [row["counts"] - few["counts"] for row in (small, large)]
        slope = math.log(max(steps[1], clear) / max(steps[0], clear)) / math.log(
            counts[1] / counts[0]
        )
        found[f"slope {what}"] = round(slope, 2) if steps[1] > clear else "flat"
        each = max(steps[1], clear) / counts[1]
        whole = few[what] + each * (counted(large["stage"], IMAGENET) - few["counts"])
        name, scale = {"seconds": ("hours", 3600), "megabytes": ("megabytes", 1)}[what]
        found[f"imagenet {name}"] = round(whole / scale, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--shares", nargs=2, type=float, default=[0.001, 0.01])
    parser.add_argument("--save", type=Path, help="write the table there, as CSV")
    options = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory(prefix="radpipe-scale.") as work:
        for count in (FEW, *(round(IMAGENET * share) for share in options.shares)):
            folder = Path(work) / str(count)
            (folder / "shards").mkdir(parents=True)
            shards(folder / "shards", count)
            os.environ["RADPIPE_CACHE"] = os.environ.get("RADPIPE_CACHE", str(cache()))
            (folder / "clone").mkdir()
            tiny.clone(folder / "clone", **settings(folder / "shards", count))
            os.chdir(folder / "clone")
            table.append(measure(folder / "clone", count))
            os.chdir(tiny.ROOT)
    rows = []
    for few, small, large in zip(*table, strict=True):
        found = slopes(few, small, large)
        print(few["stage"], " ".join(f"{k} {v}" for k, v in found.items()))
        rows += [few, small, large | found]
    if options.save:
        with options.save.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*COLUMNS, *SLOPES], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def cache() -> Path:
    """Where the metrics' weights are."""
    from radpipe.assets import cache_folder

    return cache_folder().resolve()


if __name__ == "__main__":
    main()
