"""Writing files so that a kill, a full disk or a read-only folder never leaves half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radpipe.errors import UserError

_CURES = {
    errno.ENOSPC: ("the disk is full", "free some space and run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the same command again"),
    errno.EROFS: ("the file system is read-only", "work in a folder that you may write to"),
    errno.EACCES: ("writing is not permitted", "work in a folder that you may write to"),
    errno.EPERM: ("writing is not permitted", "work in a folder that you may write to"),
}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; put it in place only if the block succeeds.

    Raises:
        UserError: when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except Exception as error:
        code = _disk_fault(error)
        if code in _CURES:
            what, do = _CURES[code]
            raise UserError(f"{what}; nothing was written", str(path), do) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_halves(path: Path) -> None:
    """Remove what killed processes left of a file that nobody writes now."""
    for half in path.parent.glob(f".{path.name}.*.tmp"):
        half.unlink(missing_ok=True)


def _disk_fault(error: Exception) -> int | None:
    """The system's number of what the disk refused; torch and safetensors hide it in their own
    errors: the one writes its archive in C++, the other in Rust."""
    if isinstance(error, OSError):
        return error.errno
    text = str(error)
    found = re.search(r"\(os error (\d+)\)", text)
    if type(error).__name__ == "SafetensorError" and found:
        return int(found[1])
    if isinstance(error, RuntimeError) and re.search(r"unexpected pos|file write failed", text):
        return errno.ENOSPC
    return None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def require_writable(folders: Iterable[Path]) -> None:
    """Refuse before the work what could not be stored after it.

    Raises:
        UserError: naming the first folder that exists and cannot be written.
    """
    for folder in folders:
        if folder.is_dir() and not os.access(folder, os.W_OK):
            raise UserError(
                "results cannot be written: the folder is read-only",
                str(folder),
                "work in a folder that you may write to, for instance a clone of your own",
            )


def sha256(path: Path) -> str:
    """Checksum of a file, hex."""
    return checksum(path)


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, hex, by one of hashlib's algorithms."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
