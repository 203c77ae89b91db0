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
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from radpipe import pictures
from radpipe.downloads import need_space
from radpipe.errors import UserError
from radpipe.files import atomic
from radpipe.imagestore import ImageStore, image_writer
from radpipe.progress import bar

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
        facts: columns of the manifest for a picture's id.
    """

    parts: Sequence[Any]
    counts: Sequence[int]
    read: Callable[[Any], Iterator[Picture]]
    facts: Callable[[str], dict[str, str]]


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
    source: Source, val: int, test: int, seed: int, size: int, out: Path, work: Path, workers: int
) -> None:
    """Write the splits' image stores and the manifest.

    Args:
        source: the data set.
        val, test, seed: of `held_out`, which deals the different pictures; copies follow them.
        size: image side in pixels.
        out: folder of the results.
        work: folder for the parts; what a killed run left there is used; removed at the end.
        workers: processes.
    """
    total = sum(source.counts)
    held_out(total, val, test, seed)  # refused before the work
    key = hashlib.sha256(json.dumps([size, list(source.counts)]).encode())
    for part in source.parts:
        key.update(repr(part).encode())
    folder = work / key.hexdigest()[:16]
    need_space(folder, 4 * total * size * size, f"converting {total} images")
    todo = [i for i in range(len(source.parts)) if not _part(folder, i).is_file()]
    done = total - sum(source.counts[i] for i in todo)
    with bar(total, "converting", start=done) as progress:
        for index in _each(min(workers, len(todo)), source, size, folder, todo):
            progress.update(source.counts[index])
    marks = np.concatenate([store.marks for store in _stores(folder, source)])
    split = deal(marks, val, test, seed)
    images = ((store, id) for store in _stores(folder, source) for id in store.ids)
    rows = (
        (store.read_png(id), {"id": id, "split": SPLITS[k], "sha256": "", **source.facts(id)})
        for (store, id), k in zip(images, split, strict=True)
    )
    write_splits(out, rows)
    shutil.rmtree(folder)


def deal(marks: np.ndarray, val: int, test: int, seed: int) -> np.ndarray:
    """Split index of each image, equal ones in one split: `held_out` of the different images.

    Args:
        marks: `[total]`, the same number for equal images.
        val, test, seed: see `held_out`.
    """
    _, first, which = np.unique(marks, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # the different images by their first appearance
    return held_out(len(first), val, test, seed)[order[which]]


def _part(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.zip"


def _stores(folder: Path, source: Source) -> Iterator[ImageStore]:
    """The converted parts."""
    return (ImageStore(_part(folder, index)) for index in range(len(source.parts)))


def _each(workers: int, source: Source, size: int, folder: Path, todo: list[int]) -> Iterator[int]:
    """Convert the parts; yields each one's index when it is done."""
    jobs = ((source.read, source.parts[i], size, _part(folder, i), i) for i in todo)
    if workers < 2:
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
    with image_writer(path) as writer:
        for picture in read(part):
            writer.add(picture.id, square(decode(picture), size))
    return index


def write_splits(out: Path, images: Iterable[tuple[bytes, dict[str, str]]]) -> None:
    """Write train.zip, val.zip, test.zip and manifest.csv.

    Args:
        out: their folder.
        images: PNGs in order, each with its row of the manifest: `id`, `split`, `sha256` (which is
            filled in here) and whatever else there is to say.
    """
    with contextlib.ExitStack() as stack:
        writers = {s: stack.enter_context(image_writer(out / f"{s}.zip")) for s in SPLITS}
        temporary = stack.enter_context(atomic(out / "manifest.csv"))
        file = stack.enter_context(temporary.open("w", newline="", encoding="utf-8"))
        table = csv.writer(file, lineterminator="\n")
        for number, (data, row) in enumerate(images):
            if number == 0:
                table.writerow(row)  # the columns' names
            writers[row["split"]].add_png(row["id"], data)
            table.writerow({**row, "sha256": hashlib.sha256(data).hexdigest()}.values())
