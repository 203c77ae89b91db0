"""The cache of downloads: each file of workflow/assets.yaml once, pinned and verified.

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
from typing import Any

import platformdirs

from radpipe.downloads import SourceError, Unreached, discard, gigabytes, length, need_space
from radpipe.errors import Unreachable, UserError
from radpipe.files import atomic, checksum, write_json
from radpipe.manifest import Asset, Hand, Manifest, Pins, asset

log = logging.getLogger(__name__)

LOCK = "assets.lock.json"


def cache_folder() -> Path:
    """Where downloads are kept: $RADPIPE_CACHE, or the user's cache folder."""
    return Path(os.environ.get("RADPIPE_CACHE") or platformdirs.user_cache_path("radpipe"))


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
    with storing(path):
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
    with storing(path):
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
    if _locked(path).get(name) == _stamp(path, pinned):
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


def _locked(path: Path) -> dict[str, Any]:
    """What the lock beside a file says, by name."""
    lock = path.with_name(LOCK)
    try:
        return dict(json.loads(lock.read_text(encoding="utf-8")))
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
    return pins.sha256 or _locked(path).get(name, {}).get("sha256")


def _stamp(path: Path, digest: str | None) -> dict[str, Any]:
    facts = path.stat()
    return {"sha256": digest, "size": facts.st_size, "mtime_ns": facts.st_mtime_ns}


def _record(name: str, pins: Pins, path: Path, found: str) -> None:
    """Add a verified file to the lock."""
    if _pinned(name, pins, path) is None:
        log.warning("%s: recorded sha256 %s, enforced from now on", name, found)
    lock = path.with_name(LOCK)
    with storing(lock):
        write_json(lock, {**_locked(path), name: _stamp(path, found)})


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """One job at a time: several may want the same file, and the second waits for the first.

    A full or read-only disk is a message; what came so far is kept and continued.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
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
