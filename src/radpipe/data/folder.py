"""Any local folder of images, with its sub-folders: your own data set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from radpipe.data.images import Picture, Source, convert, held_out
from radpipe.errors import UserError
from radpipe.section import Section

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_STRETCH = 500  # files per part


class Settings(Section):
    """Which folder and how it is split."""

    folder: str = Field(description="the images; sub-folders are searched")
    val: float = Field(default=0.08, gt=0, lt=1, description="share of validation images")
    test: float = Field(default=0.12, gt=0, lt=1, description="share of test images")
    licence: str = Field(default="", description="for the manifest")
    attribution: str = Field(default="", description="for the manifest")


@dataclass(frozen=True)
class Stretch:
    """Some files of a folder; the stamp changes with any of them."""

    root: str
    files: tuple[str, ...]
    stamp: str


def prepare(settings: Settings, size: int, seed: int, out: Path, cache: Path) -> None:
    """Centre-crop and resize all images as ADM does; split by a permutation of seed `seed`.

    Raises:
        UserError: no such folder, no image in it, a malformed image.
    """
    source = pictures(Path(settings.folder).expanduser(), settings.licence, settings.attribution)
    total = sum(source.counts)
    val, test = (max(1, round(share * total)) for share in (settings.val, settings.test))
    convert(source, held_out(total, val, test, seed), size, out, cache / "converted" / "folder")


def pictures(folder: Path, licence: str, attribution: str) -> Source:
    """The image files under a folder in the order of their paths.

    Raises:
        UserError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder of images", str(folder), "correct `data.folder`")
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise UserError(
            "the folder holds no images", str(folder), f"it may hold: {', '.join(sorted(SUFFIXES))}"
        )
    parts = [_stretch(folder, files[i : i + _STRETCH]) for i in range(0, len(files), _STRETCH)]
    return Source(parts, [len(part.files) for part in parts], read, licence, attribution)


def _stretch(folder: Path, files: list[str]) -> Stretch:
    stats = [(folder / name).stat() for name in files]
    facts = repr([(stat.st_size, stat.st_mtime_ns) for stat in stats])
    return Stretch(str(folder), tuple(files), hashlib.sha256(facts.encode()).hexdigest())


def read(part: Stretch) -> Iterator[Picture]:
    """The files of a stretch."""
    for name in part.files:
        path = Path(part.root, name)
        yield Picture(identify(name), path.read_bytes(), str(path))


def identify(name: str) -> str:
    """A path relative to the folder -> an id: `cats/Tom 1.jpg` -> `cats+Tom-20-1.jpg`.

    `/` becomes `+`; every other character but letters, digits, `.` and `_` becomes its code in
    hexadecimal between hyphens, so that different paths have different ids.
    """
    return "+".join(re.sub(r"[^A-Za-z0-9._]|^\.", _code, part) for part in name.split("/"))


def _code(match: re.Match[str]) -> str:
    return f"-{ord(match[0]):x}-"
