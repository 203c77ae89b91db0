"""`radpipe inpaint`: one method on your own picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from radpipe import pictures
from radpipe.diffusion.noise import image_seed
from radpipe.errors import UserError
from radpipe.files import atomic
from radpipe.inpainters import load
from radpipe.inpainters.base import run_batch
from radpipe.job import Folder
from radpipe.masks import hole as polarity
from radpipe.pipeline import Pipeline
from radpipe.progress import bar
from radpipe.settings import Settings
from radpipe.stages.models import build
from radpipe.stages.training import resolve_device


def inpaint(
    settings: Settings,
    picture: Path,
    mask: Path,
    out: Path,
    dataset: str,
    method: str,
    seed: int,
    samples: int,
) -> list[Path]:
    """Fill the white part of a mask in a picture of the data set's size.

    Args:
        settings: of params.yaml.
        picture: RGB picture of exactly the network's size.
        mask: of the same size, white = hole, black = known.
        out: PNG to write; with several samples a number is put before the ending.
        dataset: whose networks to use.
        method: a file of inpainters/.
        seed: of the noise.
        samples: how many answers to draw.

    Returns:
        The files written.

    Raises:
        UserError: wrong size, grey mask, missing network.
    """
    resolved = settings.resolve(dataset)
    size = resolved.datasets[dataset].size
    pixels = read_picture(picture, size)
    hole = polarity.read(mask, (size, size)).mask
    device = resolve_device(settings.resources.device)
    folders = _folders(settings, dataset, method)
    precision = resolved.sampling.precision
    inpainter = build(method, resolved.inpainter(method), folders, device, precision)
    seeds = [image_seed(seed, "inpaint", str(number)) for number in range(samples)]
    images = np.repeat(pixels[None], samples, axis=0)
    holes = np.repeat(hole[None], samples, axis=0)
    with bar(inpainter.planned_evaluations(), f"{method}", unit="evaluations") as progress:
        results = run_batch(inpainter, images, holes, seeds, device, lambda: _tick(progress)).images
    written = []
    for number, image in enumerate(results):
        path = out if samples == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")
        with atomic(path) as temporary:
            Image.fromarray(image).save(temporary, format="PNG")
        written.append(path)
    return written


def _tick(progress: tqdm) -> None:
    progress.update()


def read_picture(path: Path, size: int) -> np.ndarray:
    """uint8 `[size, size, 3]`, or the refusal."""
    pixels = pictures.read(path).opaque
    found = pixels.shape[1], pixels.shape[0]
    if found != (size, size):
        raise UserError(
            f"the picture is {found[0]}x{found[1]} pixels, the network wants {size}x{size}",
            str(path),
            f"crop it to a square and resize it to {size}x{size}",
        )
    return pixels


def _folders(settings: Settings, dataset: str, method: str) -> dict[str, Folder]:
    """The trained networks that the method runs on."""
    load(method)
    pipeline = Pipeline(settings)
    folders = {}
    for target in pipeline.weights(dataset, method):
        place = pipeline.place(target)
        folder = Folder(Path(place["folder"]), Path(place["receipt"]))
        if not folder.receipt.is_file():
            raise UserError(
                f"the network for `{method}` is not there yet",
                place["folder"],
                f"fetch it: dvc pull; or train it: snakemake --cores all {place['receipt']}",
            )
        folders[target.stage] = folder
    return folders
