"""Everything that is downloaded: listed in workflow/assets.yaml, pinned, cached, verified.

A file is taken from the first source that gives it with the right checksum. Where nobody
publishes a checksum, the first download records one in the cache's `assets.lock.json`, and it is
enforced ever after. A file that somebody put into the cache by hand is as good.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field

from radpipe import downloads, packages
from radpipe.downloads import SourceError, Unreached, discard, gigabytes, length, need_space
from radpipe.errors import Unreachable, UserError, unknown
from radpipe.files import atomic, checksum, write_json
from radpipe.lazy import huggingface_hub
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
    gated: bool = Field(default=False, description="needs a token of the Hugging Face hub")

    def __str__(self) -> str:
        return self.url

    def bring(self, wanted: Asset, pinned: str | None, part: Path) -> None:
        """Complete the part; whether it is the right file is for the caller to see."""
        headers = {"Authorization": f"Bearer {token()}"} if self.gated else {}
        verifiable = bool(pinned or wanted.sha256_prefix or wanted.md5)
        downloads.download(
            self.url, part, size=wanted.bytes, verifiable=verifiable, headers=headers
        )


class Package(Section):
    """A file of a release on the user's Python package index; pip insists on the sha256."""

    kind: Literal["pypi"]
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} with pip"

    def bring(self, wanted: Asset, pinned: str | None, part: Path) -> None:
        """See `Web.bring`."""
        packages.download(self.package, self.version, wanted.filename, str(pinned), part)


class Hand(Section):
    """A file without an address: somebody has to bring it."""

    kind: Literal["hand"]
    where: str = Field(description="which file of which place, as an instruction")


class Pins(Section):
    """What a file must be."""

    sha256: SHA256 | None = Field(description="null: recorded at the first download")
    bytes: int | None = Field(default=None, description="exact size; checked")
    sha256_prefix: str = Field(default="", description="published start of the checksum")
    md5: str = Field(default="", description="the checksum, where only this one is published")


class Asset(Pins):
    """One file."""

    filename: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    about_bytes: int | None = Field(default=None, description="size for plans, where not known")
    about_images: int | None = Field(default=None, description="of a data set, for plans")
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


def fetch(name: str, cache: Path, manifest: Manifest | None = None) -> Path:
    """The verified file of an asset, downloaded if the cache has none.

    Args:
        name: an entry of workflow/assets.yaml.
        cache: folder of downloads, e.g. `cache_folder()`.
        manifest: the list, if not workflow/assets.yaml.

    Raises:
        Unreachable: no source answers with a file (all are listed).
        UserError: what the sources or the cache have is another file, or it does not fit on the
            disk.
    """
    wanted = asset(name, manifest)
    path = cache / wanted.filename
    with storing(path), one_at_a_time(path):
        if path.is_file():
            verify(name, wanted, path)
        else:
            _download(name, wanted, path)
    return path


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
    path = cache / wanted.filename
    if not file.is_file():
        raise UserError("there is no such file", str(file), f"name the file that is to be `{name}`")
    try:
        found = _checked(wanted, file, _pinned(name, wanted, path))
    except _Wrong as fault:
        hints = [source.where for source in wanted.sources if isinstance(source, Hand)]
        raise UserError(
            f"this is not `{name}`: {fault}", str(file), "; ".join(hints) or "name another file"
        ) from None
    with storing(path), one_at_a_time(path):
        with atomic(path) as temporary:
            shutil.copyfile(file, temporary)
        _record(name, wanted, path, found)
    return path


def verify(name: str, pins: Pins, path: Path) -> None:
    """Hold a file in the cache against its checksum; an unchanged one is not read again.

    Args:
        name: its key in the lock.
        pins: what it must be.
        path: of the file; the lock lies beside it.

    Raises:
        UserError: it is damaged or another file.
    """
    pinned = _pinned(name, pins, path)
    if _recorded(name, path) == _stamp(path, pinned):
        return
    try:
        _record(name, pins, path, _checked(pins, path, pinned))
    except _Wrong as fault:
        raise UserError(
            f"`{name}` is damaged or another file: {fault}",
            str(path),
            f"rm {path}, then type the same again to download it",
        ) from None


def _download(name: str, wanted: Asset, path: Path) -> None:
    """Put the right file in place, from the first source that gives it."""
    part, pinned = _part(path), _pinned(name, wanted, path)
    faults: dict[str, SourceError] = {}
    for source in wanted.sources:
        if isinstance(source, Hand):
            raise UserError(
                f"`{name}` has no address to download it from",
                str(path),
                f"{source.where}; then type: radpipe fetch {name} --from FILE",
            )
        need_space(path.parent, (wanted.bytes or 0) - length(part), wanted.filename)
        try:
            source.bring(wanted, pinned, part)
            found = _checked(wanted, part, pinned)
        except SourceError as fault:
            faults[str(source)] = fault
            if isinstance(fault, _Wrong):
                discard(part)
            continue
        part.replace(path)
        discard(part)
        _record(name, wanted, path, found)
        return
    absent = all(isinstance(fault, Unreached) for fault in faults.values())
    raise (Unreachable if absent else UserError)(
        f"`{name}` could not be downloaded; every source failed:\n    "
        + "\n    ".join(f"{source}: {fault}" for source, fault in faults.items()),
        str(path),
        "type the same again to go on where it stopped, or put the file there by hand"
        + (f" (sha256 {pinned})" if pinned else ""),
    )


class _Wrong(SourceError):
    """Another file than the pinned one."""


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _checked(pins: Pins, path: Path, pinned: str | None) -> str:
    """The sha256 of a file that agrees with all that is known.

    Raises:
        _Wrong: it does not agree.
    """
    found, size = checksum(path), path.stat().st_size
    right = found == (pinned or found) and found.startswith(pins.sha256_prefix)
    if right and pins.md5 and not pinned:
        right = checksum(path, "md5") == pins.md5
    if not right or size != (pins.bytes or size):
        known = pinned or f"{pins.sha256_prefix}... (md5 {pins.md5 or 'unknown'})"
        raise _Wrong(
            f"wrong checksum: it has {size} bytes and the sha256 {found}, "
            f"not {pins.bytes or 'unknown'} bytes and {known}"
        )
    return found


def _recorded(name: str, path: Path) -> dict[str, Any]:
    """What the lock says of a file; empty if nothing."""
    lock = path.with_name(LOCK)
    try:
        return dict(json.loads(lock.read_text(encoding="utf-8")).get(name, {}))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(
            "the record of checksums is damaged",
            str(lock),
            "remove it; the files that nobody publishes a checksum for are recorded anew",
        ) from None


def _pinned(name: str, pins: Pins, path: Path) -> str | None:
    """The sha256 that is published or was recorded."""
    return pins.sha256 or _recorded(name, path).get("sha256")


def _stamp(path: Path, digest: str | None) -> dict[str, Any]:
    facts = path.stat()
    return {"sha256": digest, "size": facts.st_size, "mtime_ns": facts.st_mtime_ns}


def _record(name: str, pins: Pins, path: Path, found: str) -> None:
    """Add a verified file to the lock."""
    if _pinned(name, pins, path) is None:
        log.warning("%s: recorded sha256 %s, enforced from now on", name, found)
    lock = path.with_name(LOCK)
    with one_at_a_time(lock):
        entries = json.loads(lock.read_text(encoding="utf-8")) if lock.exists() else {}
        write_json(lock, {**entries, name: _stamp(path, found)})


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Several jobs may want the same file; the second waits for the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
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


def token() -> str:
    """The user's token of the Hugging Face hub: HF_TOKEN, or that of `hf auth login`.

    Raises:
        SourceError: there is none.
    """
    found = huggingface_hub.get_token()
    if not found:
        raise SourceError(
            "it is gated: accept its terms on its page, make a read token under "
            "https://huggingface.co/settings/tokens and type `export HF_TOKEN=...`"
        )
    return found


def missing_bytes(names: list[str], cache: Path, manifest: Manifest | None = None) -> int:
    """Bytes still to be downloaded for some assets (estimates where no size is known)."""
    total = 0
    for wanted in (asset(name, manifest) for name in names):
        path = cache / wanted.filename
        if not path.is_file():
            total += max(0, (wanted.bytes or wanted.about_bytes or 0) - length(_part(path)))
    return total


def announce(names: list[str], cache: Path, manifest: Manifest | None = None) -> None:
    """Say how much is going to be downloaded, and refuse what cannot fit."""
    total = missing_bytes(names, cache, manifest)
    if total:
        log.info("to download: %s into %s", gigabytes(total), cache)
        need_space(cache, total, "the download")
