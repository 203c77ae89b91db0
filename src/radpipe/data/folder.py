"""Any local folder of images, with its sub-folders: your own data set."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from radpipe.data.images import Picture, Source, convert
from radpipe.errors import UserError
from radpipe.pictures import SUFFIXES
from radpipe.section import Section

log = logging.getLogger(__name__)

SHARDS = {".parquet"}
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
    """Some files of a folder: name, bytes and time of change of each, as `listing` has them."""

    root: str
    files: tuple[tuple[str, int, int], ...]


def prepare(
    settings: Settings, size: int, seed: int, out: Path, cache: Path, threads: int = 1
) -> None:
    """Centre-crop and resize all images as ADM does; split by a permutation of seed `seed`.

    Raises:
        UserError: no such folder, no image in it, a malformed image.
    """
    source = pictures(Path(settings.folder).expanduser(), settings.licence, settings.attribution)
    total = sum(source.counts)
    val, test = (max(1, round(share * total)) for share in (settings.val, settings.test))
    convert(source, val, test, seed, size, out, cache / "converted" / "folder", threads)


def listing(folder: Path, suffixes: Collection[str]) -> tuple[list[tuple[str, int, int]], str]:
    """(path below the folder, bytes, time of change) of all files with a suffix, by path.

    The second value counts the others. Hidden files and what links to folders lead to are left out.

    Raises:
        UserError: no such folder, or a sub-folder that cannot be read.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder of images", str(folder), "correct `data.folder`")
    found, others, above = [], Counter[str](), len(str(folder).rstrip("/")) + 1
    for entry in _entries(str(folder)):
        _, dot, last = entry.name.rpartition(".")  # a million of Path objects cost seconds
        suffix = f".{last.lower()}" if dot else ""
        if suffix not in suffixes:
            others[suffix or "without suffix"] += 1
        elif os.access(entry.path, os.R_OK) and entry.is_file():  # no dead link, no socket
            facts = entry.stat()
            found.append((entry.path[above:], facts.st_size, facts.st_mtime_ns))
        else:
            others[f"unreadable {suffix}"] += 1
    return sorted(found), ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """All but folders and hidden files."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(entry.path)
                elif not entry.name.startswith("."):
                    yield entry
    except OSError as error:
        raise UserError(f"the folder cannot be read: {error.strerror}", folder) from None


def digest(folder: Path) -> str:
    """Changes with any picture or shard of a folder, by name, size and time of change."""
    if not folder.is_dir():
        return "missing"
    found, _ = listing(folder, {*SUFFIXES, *SHARDS})
    sha = hashlib.sha256()
    for facts in found:
        sha.update(repr(facts).encode())
    return sha.hexdigest()[:20]


def pictures(folder: Path, licence: str, attribution: str) -> Source:
    """The image files under a folder in the order of their paths.

    Raises:
        UserError: no such folder, or no image in it.
    """
    files, others = listing(folder, set(SUFFIXES))
    kinds = ", ".join(sorted(SUFFIXES))
    if others:
        log.warning("%s: skipped %s; read are: %s", folder, others, kinds)
    if not files:
        raise UserError("the folder holds no images", str(folder), f"it may hold: {kinds}")
    starts = range(0, len(files), _STRETCH)
    parts = [Stretch(str(folder), tuple(files[i : i + _STRETCH])) for i in starts]
    facts = {"licence": licence, "attribution": attribution}
    return Source(parts, [len(part.files) for part in parts], read, lambda id: facts)


def read(part: Stretch) -> Iterator[Picture]:
    """The files of a stretch."""
    for name, _, _ in part.files:
        path = Path(part.root, name)
        yield Picture(identify(name), path.read_bytes(), str(path))


def identify(name: str) -> str:
    """A path relative to the folder -> an id: `cats/Tom 1.jpg` -> `cats+Tom-20-1.jpg`.

    `/` becomes `+`; every other character but letters, digits, `.` and `_` becomes its code in
    hexadecimal between hyphens, so that different paths have different ids.
    """
    return "+".join(
        re.sub(r"[^A-Za-z0-9._]|^\.", lambda found: f"-{ord(found[0]):x}-", part)
        for part in name.split("/")
    )
