"""Pictures of any kind -> RGB squares, split and stored, in parallel and without being held.

Parts of a data set (Parquet shards, stretches of a folder) are converted by several processes,
each into an image store of its own, in order; then the stores are merged. A conversion that was
killed goes on with the parts that are left.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from radpipe import pictures
from radpipe.downloads import need_space
from radpipe.errors import UserError
from radpipe.files import atomic
from radpipe.imagestore import ImageStore, ImageWriter

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Picture:
    """One encoded picture.

    Attributes:
        id: name in the image store, unique in the data set.
        data: the file's bytes.
        where: what to call it in a message.
    """

    id: str
    data: bytes
    where: str


@dataclass(frozen=True)
class Source:
    """A data set in parts.

    Attributes:
        parts: whatever `read` takes; picklable.
        counts: pictures of each part.
        read: a module-level function that yields a part's pictures in order.
        licence, attribution: for the manifest.
    """

    parts: Sequence[Any]
    counts: Sequence[int]
    read: Callable[[Any], Iterator[Picture]]
    licence: str
    attribution: str


def decode(picture: Picture) -> Image.Image:
    """The picture as RGB, upright; on white where it is transparent (our choice; ADM drops the
    alpha channel and does not look at EXIF data).

    Raises:
        UserError: naming a picture that cannot be read.
    """
    return Image.fromarray(pictures.decode(picture.data, picture.where, "image").opaque)


def square(image: Image.Image, size: int) -> np.ndarray:
    """Resize and centre-crop as ADM did (guided-diffusion): uint8 `[size, size, 3]`.

    Halved with a box filter while both sides are at least twice too large, then bicubic to the
    shorter side, then the centre.
    """
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    shape = (round(image.width * scale), round(image.height * scale))
    if shape != image.size:
        image = image.resize(shape, Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.uint8)


def held_out(total: int, val: int, test: int, seed: int) -> np.ndarray:
    """Split index of each image: uint8 `[total]`, positions in SPLITS.

    The first `test` of a seeded permutation are test, the next `val` validation (our choice; the
    paper holds 2,000 images out with seed 42).

    Raises:
        UserError: nothing would be left to train on.
    """
    if val + test >= total:
        raise UserError(
            f"{val} + {test} images cannot be held out of {total}",
            "params.yaml, `val` and `test` of the data set",
            "hold fewer out",
        )
    order = np.random.default_rng(seed).permutation(total)
    split = np.zeros(total, np.uint8)
    split[order[:test]] = SPLITS.index("test")
    split[order[test : test + val]] = SPLITS.index("val")
    return split


def convert(
    source: Source, split: np.ndarray, size: int, out: Path, work: Path, workers: int | None = None
) -> None:
    """Write the splits' image stores and the manifest.

    Args:
        source: the data set.
        split: `[total]`, positions in SPLITS, in the order of parts and pictures.
        size: image side in pixels.
        out: folder of the results.
        work: folder for the parts; what a killed run left there is used; removed at the end.
        workers: processes; None takes as many as this process may use cores.
    """
    key = hashlib.sha256(
        json.dumps([size, list(source.counts), [repr(part) for part in source.parts]]).encode()
    ).hexdigest()
    folder = work / key[:16]
    need_space(folder, 4 * len(split) * size * size, f"converting {len(split)} images")
    todo = [i for i in range(len(source.parts)) if not _part(folder, i).is_file()]
    workers = min(workers or len(os.sched_getaffinity(0)), max(len(todo), 1))
    with tqdm(total=len(split), desc="converting", unit="image", disable=None) as bar:
        bar.update(sum(n for i, n in enumerate(source.counts) if i not in set(todo)))
        for index in _each(workers, source, size, folder, todo):
            bar.update(source.counts[index])
    _merge(source, split, folder, out)
    shutil.rmtree(folder)


def _part(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.zip"


def _each(workers: int, source: Source, size: int, folder: Path, todo: list[int]) -> Iterator[int]:
    """Convert the parts; yields each one's index when it is done."""
    jobs = [(source.read, source.parts[i], size, _part(folder, i), i) for i in todo]
    if workers == 1:
        yield from (_convert_part(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [pool.submit(_convert_part, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _convert_part(
    read: Callable[[Any], Iterator[Picture]], part: Any, size: int, path: Path, index: int
) -> int:
    """Convert one part, a picture at a time."""
    with ImageWriter(path) as writer:
        for picture in read(part):
            writer.add(picture.id, square(decode(picture), size))
    return index


def _merge(source: Source, split: np.ndarray, folder: Path, out: Path) -> None:
    """Parts -> splits, by copying encoded images in order."""
    position = 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(ImageWriter(out / f"{name}.zip")) for name in SPLITS]
        temporary = stack.enter_context(atomic(out / "manifest.csv"))
        file = stack.enter_context(temporary.open("w", newline="", encoding="utf-8"))
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "split", "sha256", "licence", "attribution"])
        for index in range(len(source.parts)):
            store = ImageStore(_part(folder, index))
            for id in store.ids:
                data = store.read_png(id)
                place = int(split[position])
                writers[place].add_png(id, data)
                digest = hashlib.sha256(data).hexdigest()
                rows.writerow([id, SPLITS[place], digest, source.licence, source.attribution])
                position += 1
            store.close()
    if position != len(split):
        raise RuntimeError(f"{position} images were converted instead of {len(split)}")
