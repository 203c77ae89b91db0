"""One file over HTTP: resumed where it stopped, with polite retries and no surprises.

What is received lies in `NAME.part` until its checksum holds; a part survives kills and is
continued by a range request, also from another mirror.
"""

from __future__ import annotations

import email.utils
import json
import logging
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests
from tqdm import tqdm

from radpipe.errors import UserError

log = logging.getLogger(__name__)

_BUSY = {408, 425, 429, 500, 502, 503, 504}
_SPARE = 64 << 20  # bytes left free on the disk
_BLOCK = 1 << 16  # bytes; what a cut connection may cost


@dataclass(frozen=True)
class Policy:
    """How patient a download is.

    Attributes:
        attempts: tries in a row that bring no new byte before a source is given up.
        connect: seconds to wait for a connection.
        stall: seconds without a byte after which a connection is dropped and resumed.
        backoff: seconds before the first retry; doubles every time, with jitter.
        longest: most seconds to wait between tries, also when a server asks for more.
        sleep: how to wait; tests replace it.
    """

    attempts: int = 5
    connect: float = 15.0
    stall: float = 60.0
    backoff: float = 1.0
    longest: float = 120.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


class SourceError(Exception):
    """This source cannot give the file; another may."""


class Unreached(SourceError):
    """This source did not answer, or not with a file: nothing is known against the file."""


def need_space(folder: Path, missing: int, what: str) -> None:
    """Refuse before starting what cannot fit.

    Raises:
        UserError: with the bytes needed and free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if missing + _SPARE > free:
        raise UserError(
            f"{what} needs {gigabytes(missing)} more, {gigabytes(free)} are free",
            str(folder),
            "free some space, or point RADPIPE_CACHE at a larger disk",
        )


def gigabytes(count: float) -> str:
    """Bytes as people write them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def download(
    url: str,
    part: Path,
    *,
    size: int | None = None,
    verifiable: bool = True,
    headers: Mapping[str, str] | None = None,
    policy: Policy | None = None,
) -> None:
    """Complete `part` from one address.

    Args:
        url: http or https; redirects are followed, credentials not taken to other hosts.
        part: the partial file; continued if it exists.
        size: bytes of the whole file, if known.
        verifiable: whether a checksum will be held against the result. If not, a part is continued
            only where the server proves (ETag) that the file is still the same.
        headers: sent with every request.
        policy: patience.

    Raises:
        Unreached: this address does not answer, or not with a file.
        SourceError: it gives another file.
        UserError: the file does not fit on the disk.
    """
    policy = policy or Policy()
    furthest, failures, wait = 0, 0, policy.backoff
    while True:
        try:
            _attempt(url, part, size, verifiable, headers or {}, policy)
            return
        except _Retry as fault:
            reached = part.stat().st_size if part.exists() else 0
            if reached > furthest:
                furthest, failures, wait = reached, 0, policy.backoff
            failures += 1
            if failures >= policy.attempts:
                raise Unreached(f"{fault} (tried {failures} times)") from None
            pause = fault.after if fault.after is not None else wait * random.uniform(0.75, 1.25)
            pause = min(pause, policy.longest)
            log.info("%s: %s; again in %.0f s", url, fault, pause)
            policy.sleep(pause)
            wait *= 2


class _Retry(Exception):
    """Something that may pass; `after` is what the server asked for, seconds."""

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


def _attempt(
    url: str,
    part: Path,
    size: int | None,
    verifiable: bool,
    headers: Mapping[str, str],
    policy: Policy,
) -> None:
    """One request. Returns when the file is complete, else raises."""
    start = _usable(part, url, verifiable)
    if size is not None and start == size:
        return
    if size is not None and start > size:
        part.unlink()
        start = 0
    asked = {"Accept-Encoding": "identity", **headers}
    if start:
        asked["Range"] = f"bytes={start}-"
        tag = _tag(part).get("etag")
        if tag and not verifiable:
            asked["If-Range"] = tag
    timeout = (policy.connect, policy.stall)
    try:
        with requests.get(url, headers=asked, stream=True, timeout=timeout) as answer:
            _receive(answer, part, start, size, url)
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise _Retry(_short(error)) from None
    except requests.RequestException as error:
        raise Unreached(_short(error)) from None


def _receive(answer: requests.Response, part: Path, start: int, size: int | None, url: str) -> None:
    """Judge a response and append its body to the part."""
    status = answer.status_code
    if status in _BUSY:
        raise _Retry(f"the server answers {status}", _retry_after(answer))
    if status == 416:
        part.unlink(missing_ok=True)
        raise _Retry("the server refuses to resume; starting over")
    if status in (401, 403):
        raise Unreached(f"access is denied (HTTP {status})")
    if status not in (200, 206):
        raise Unreached(f"the server answers HTTP {status}")
    begin, total = _extent(answer)
    if status == 206 and begin != start:
        part.unlink(missing_ok=True)
        raise _Retry("the server resumed at another place; starting over")
    if status == 200:
        start = 0  # it ignored the range: the body is the whole file
    if size is not None and total is not None and total != size:
        raise SourceError(f"the file there has {total} bytes instead of {size}")
    if total is not None:
        need_space(part.parent, total - start, part.name.removesuffix(".part"))
    _tag_path(part).write_text(json.dumps({"url": url, "etag": answer.headers.get("ETag")}))
    with part.open("ab" if start else "wb") as file, _bar(part, start, total) as bar:
        for block in answer.iter_content(_BLOCK):
            file.write(block)
            bar.update(len(block))
    reached = part.stat().st_size
    if total is not None and reached != total:
        raise _Retry(f"the connection ended after {reached} of {total} bytes")


def _extent(answer: requests.Response) -> tuple[int, int | None]:
    """(first byte of the body, bytes of the whole file or None)."""
    span = answer.headers.get("Content-Range", "")
    if answer.status_code == 206 and span.startswith("bytes "):
        first, _, whole = span.removeprefix("bytes ").partition("/")
        return int(first.partition("-")[0]), int(whole) if whole.isdigit() else None
    length = answer.headers.get("Content-Length")
    if answer.status_code == 206:
        return -1, None
    return 0, int(length) if length and length.isdigit() else None


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _usable(part: Path, url: str, verifiable: bool) -> int:
    """Bytes of the part that may be continued from this address."""
    if not part.exists():
        return 0
    tag = _tag(part)
    if verifiable or (tag.get("etag") and tag.get("url") == url):
        return part.stat().st_size
    part.unlink()
    return 0


def _tag_path(part: Path) -> Path:
    return part.with_name(part.name + ".from")


def _tag(part: Path) -> dict[str, str | None]:
    """Where the part came from."""
    try:
        found = json.loads(_tag_path(part).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def discard(part: Path) -> None:
    """Remove a part and its note."""
    part.unlink(missing_ok=True)
    _tag_path(part).unlink(missing_ok=True)


def settle(part: Path, path: Path) -> None:
    """Put a complete, checked part in place."""
    part.replace(path)
    _tag_path(part).unlink(missing_ok=True)


def _bar(part: Path, start: int, total: int | None) -> tqdm:
    """Bytes, rate and remaining time on stderr; silent when that is no terminal."""
    return tqdm(
        desc=part.name.removesuffix(".part"),
        initial=start,
        total=total,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        disable=None,
    )


def _short(error: Exception) -> str:
    """The last, most telling part of a nested network error."""
    text = " ".join(str(error).split())
    if "timed out" in text.lower():
        return "nothing came for too long"
    if "IncompleteRead" in text or "ended prematurely" in text:
        return "the connection was cut"
    return text.rsplit(": ", 1)[-1].strip("')\" ") or type(error).__name__
