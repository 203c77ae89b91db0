"""Pictures that DiceBear puts together from parts that artists drew: faces, landscapes, ...

A seed chooses the parts and the colours of a picture. Every combination of parts occurs once, so
none is in two splits. The same settings give the same pictures everywhere; the size changes only
how finely they are drawn.
"""

from __future__ import annotations

import colorsys
import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from radpipe.data.images import SPLITS, Picture, Source, convert
from radpipe.errors import UserError, unknown
from radpipe.imagestore import ImageStore
from radpipe.progress import bar
from radpipe.section import Section
from radpipe.seeding import generator

if TYPE_CHECKING:
    from dicebear import Avatar, Style

log = logging.getLogger(__name__)

# drawn again in minutes: left out of shared results
CHEAP = ("train.zip", "val.zip", "manifest.csv")
PACKAGES = ("dicebear-core", "dicebear-styles", "resvg-py")
# `pixels` of the entries `faces` and `landscapes` of params.yaml, by their `recipe`, as the machine
# of the published results drew them; with the same packages another one drew `faces` as
# d1f96a7f6dd3fadee70d24ba5a1f3c410137e03345b5d0c6967a956cac1f6c56
RECORDED = {
    "8f56f8abf152554e": "eda4f4c3d4d3f8d24ae24ac0b336a5b5110aca87980e75f7b45aa388c52aa19b",
    "e9163d077f44737b": "78169a4008fe926bcba83714f652ebeaaa54505c6932c87c8c4e2aca54d1943f",
}
_STRETCH = 250  # pictures per part
_SMALLEST = 64  # side that pictures are drawn at, at least; smaller ones are averages of its pixels
_REPEATS = 1000  # combinations in a row that were there before: a style has no others
_PART = re.compile(r"(\w+?)(?:Variant|(Rotate|TranslateX|TranslateY|Scale))")


class Settings(Section):
    """Which pictures, and how many."""

    styles: dict[str, dict[str, Any]] = Field(
        min_length=1, description="styles of dicebear-styles, in turn, each with DiceBear's options"
    )
    train: int = Field(default=20000, ge=1, description="training images")
    val: int = Field(default=1000, ge=1, description="validation images")
    test: int = Field(default=1000, ge=1, description="test images")


@dataclass(frozen=True)
class Drawing:
    """One picture before it is drawn.

    Attributes:
        id: name in the image store.
        style: a file of dicebear-styles.
        options: DiceBear's, with the seed and, unless the style has some, a background.
        parts: which parts and, where a style moves them, how: all that is not colour.
    """

    id: str
    style: str
    options: dict[str, Any]
    parts: str


@dataclass(frozen=True)
class Stretch:
    """Some pictures, the side they are drawn at, and by which packages."""

    drawings: tuple[Drawing, ...]
    side: int
    packages: str


def prepare(
    settings: Settings, size: int, seed: int, out: Path, cache: Path, threads: int = 1
) -> None:
    """Draw all pictures; split by a permutation of seed `seed`.

    Raises:
        UserError: an unknown style or option, or a style with too few combinations of parts.
    """
    drawings = choose(settings, seed)
    side = size
    while side < _SMALLEST:
        side *= 2
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in (*PACKAGES, "pillow"))
    parts = [
        Stretch(tuple(drawings[i : i + _STRETCH]), side, packages)
        for i in range(0, len(drawings), _STRETCH)
    ]
    facts = {drawing.id: _facts(drawing) for drawing in drawings}
    source = Source(parts, [len(part.drawings) for part in parts], read, facts.__getitem__)
    held = (settings.val, settings.test, seed)
    convert(source, *held, size, out, cache / "converted" / "dicebear", threads)
    _compare(recipe(settings, size, seed), pixels(out), packages)


def choose(settings: Settings, seed: int) -> list[Drawing]:
    """Drawings of parts that are all different, of each style in turn."""
    total = settings.train + settings.val + settings.test
    names = list(settings.styles)
    tried: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    drawings: list[Drawing] = []
    with bar(total, "choosing parts") as progress:
        while len(drawings) < total:
            name = names[len(drawings) % len(names)]
            for _ in range(_REPEATS):
                drawing = _drawing(name, tried[name], settings.styles[name], seed)
                tried[name] += 1
                if (name, drawing.parts) not in seen:
                    break
            else:
                raise UserError(
                    f"the style {name} has too few different combinations of parts",
                    "params.yaml, `styles` of the data set",
                    f"ask for fewer than {total} images, or for more styles",
                )
            seen.add((name, drawing.parts))
            drawings.append(drawing)
            progress.update()
    return drawings


def _drawing(name: str, number: int, options: dict[str, Any], seed: int) -> Drawing:
    """The picture of a number of a style, chosen by it, the style and the seed alone."""
    id = f"{name}-{number:06d}"
    given = {"seed": f"{seed}-{id}", **options}
    if "background" not in _style(name).colors():
        given.setdefault("backgroundColor", background(seed, id))
    chosen = avatar(name, given).to_json()["options"]
    parts = [
        f"{match[1]}{match[2] or ''}={value}"  # eyes=variant17, ringRotate=-2.2354
        for key, value in sorted(chosen.items())
        if (match := _PART.fullmatch(key)) and value not in (0, 1)
    ]
    return Drawing(id, name, given, " ".join(parts))


def background(seed: int, id: str) -> str:
    """A light colour for an image, `#rrggbb`, by seed and id alone."""
    rng = generator(seed, "dicebear", "background", id)
    hue, lightness, saturation = rng.random(), rng.uniform(0.55, 0.9), rng.uniform(0.2, 0.7)
    levels = (round(255 * value) for value in colorsys.hls_to_rgb(hue, lightness, saturation))
    return "#" + "".join(f"{level:02x}" for level in levels)


def avatar(name: str, options: dict[str, Any]) -> Avatar:
    """DiceBear's avatar of a style."""
    from dicebear import Avatar, OptionsValidationError

    try:
        return Avatar(_style(name), options)
    except OptionsValidationError as error:
        raise UserError(
            f"DiceBear refuses the options of {name}: {error}",
            f"params.yaml, `styles.{name}` of the data set",
            "its options are described at https://www.dicebear.com",
        ) from None


@lru_cache
def _style(name: str) -> Style:
    """A style by the name of its file."""
    from dicebear import Style

    folder = resources.files("dicebear_styles")
    known = sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name[-5:] == ".json")
    if name not in known:
        raise unknown("style", name, known, "params.yaml, `styles` of the data set")
    return Style(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def read(part: Stretch) -> Iterator[Picture]:
    """Draw the pictures of a stretch."""
    import resvg_py

    for drawing in part.drawings:
        svg = avatar(drawing.style, {**drawing.options, "size": part.side}).to_string()
        data = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
        yield Picture(drawing.id, bytes(data), drawing.id)


def _facts(drawing: Drawing) -> dict[str, str]:
    """Columns of the manifest."""
    meta = _style(drawing.style).meta()
    return {
        "style": drawing.style,
        "seed": drawing.options["seed"],
        "background": drawing.options.get("backgroundColor", ""),
        "parts": drawing.parts,
        "licence": meta.license().name() or "",
        "author": meta.creator().name() or "",
        "source": meta.source().url() or "",
    }


def recipe(settings: Settings, size: int, seed: int) -> str:
    """Short name of all that decides the pixels."""
    text = json.dumps([settings.model_dump(), size, seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pixels(out: Path) -> str:
    """sha256 of the pixels of all images, split after split, whatever wrote their PNGs."""
    digest = hashlib.sha256()
    for split in SPLITS:
        store = ImageStore(out / f"{split}.zip")
        for id in store.ids:
            digest.update(store.read(id).tobytes())
    return digest.hexdigest()


def _compare(key: str, found: str, packages: str) -> None:
    """Say whether the pixels are the recorded ones; others are as good, but not the same."""
    wanted = RECORDED.get(key)
    if wanted in (None, found):
        log.info("sha256 of all pixels: %s (%s)", found, "as recorded" if wanted else "new")
        return
    log.warning(
        "the pictures differ from the recorded ones (sha256 of all pixels %s, not %s): they were\n"
        "drawn by another build (%s) or on another kind of\n"
        "processor. They can be used, but published results are of slightly other pixels. For the\n"
        "same packages type:\n"
        "pip install -c constraints.txt %s",
        *(found, wanted, packages, " ".join(PACKAGES)),
    )
