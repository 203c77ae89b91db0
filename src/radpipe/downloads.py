"""One file over HTTP: continued where it stopped, also from another mirror.

What is received lies in `NAME.part` until its checksum holds. urllib3 waits for busy servers; what
is ours is to go on with a part. huggingface_hub's own download (2.4) serves the shards of data
sets, not single files: it begins anew after a kill, goes on with no other mirror's part, gives up
at once when a server answers 503, and loses up to 10 MB of what came before a cut.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from radpipe.errors import UserError
from radpipe.lazy import requests

log = logging.getLogger(__name__)

ATTEMPTS = 5  # tries in a row that bring no new byte before a source is given up
TIMEOUT = (15.0, 60.0)  # seconds to wait for a connection, and for the next byte
BACKOFF = 1.0  # seconds; waits double from there
LONGEST = 120  # seconds to wait between two tries, also when a server asks for more

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_SPARE = 64 << 20  # bytes left free on the disk
_BLOCK = 1 << 16  # bytes; what a cut connection may cost


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
) -> None:
    """Complete `part` from one address.

    Args:
        url: http or https; redirects are followed, credentials not taken to other hosts.
        part: the partial file; continued if it exists.
        size: bytes of the whole file, if known.
        verifiable: whether a checksum will be held against the result. If not, a part is continued
            only where the server proves (ETag) that the file is still the same.
        headers: sent with every request.

    Raises:
        Unreached: this address does not answer, or not with a file.
        SourceError: it gives another file.
        UserError: the file does not fit on the disk.
    """
    if size is not None and length(part) > size:
        discard(part)
    failures = 0
    with _session() as session:
        while size is None or length(part) != size:
            asked = {
                "Accept-Encoding": "identity",
                **(headers or {}),
                **_range(part, url, verifiable),
            }
            reached = length(part)
            try:
                answer = session.get(url, headers=asked, stream=True, timeout=TIMEOUT)
            except requests.RequestException as error:
                raise Unreached(f"{_short(error)} (tried {ATTEMPTS} times)") from None
            with answer:
                fault = _receive(answer, part, reached, size, url)
            if not fault:
                return
            failures = 1 if length(part) > reached else failures + 1
            if failures >= ATTEMPTS:
                raise Unreached(f"{fault} (tried {failures} times)")
            log.info("%s: %s; going on", url, fault)
            time.sleep(min(BACKOFF * 2 ** (failures - 1), LONGEST))


def _session() -> requests.Session:
    """Connections that wait for busy servers, as long as these ask or twice as long each time."""
    from urllib3.util import Retry

    retry = Retry(
        ATTEMPTS - 1,
        status_forcelist=_BUSY,
        backoff_factor=BACKOFF,
        backoff_jitter=BACKOFF / 4,
        backoff_max=LONGEST,
        retry_after_max=LONGEST,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    return session


def _range(part: Path, url: str, verifiable: bool) -> dict[str, str]:
    """The headers that ask for the rest of a part; one that nothing vouches for is discarded."""
    origin, _, tag = _note(part).read_text().partition(" ") if _note(part).exists() else ("",) * 3
    if not verifiable and not (tag and origin == url):
        discard(part)
    if not length(part):
        return {}
    wanted = {"Range": f"bytes={length(part)}-"}
    return wanted if verifiable else {**wanted, "If-Range": tag}


def _receive(answer: requests.Response, part: Path, start: int, size: int | None, url: str) -> str:
    """Append a body to the part; what cut it short, or nothing."""
    status = answer.status_code
    if status in (401, 403):
        raise Unreached(f"access is denied (HTTP {status})")
    if status not in (200, 206, 416):
        again = f" (tried {ATTEMPTS} times)" if status in _BUSY else ""
        raise Unreached(f"the server answers HTTP {status}{again}")
    resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    if status == 416 or (status == 206 and not resumed):
        discard(part)
        return "the server resumed at another place; starting over"
    if status == 200:
        start = 0  # it ignored the range: the body is the whole file
    body = answer.headers.get("Content-Length")
    total = start + int(body) if body else None
    if None not in (size, total) and total != size:
        raise SourceError(f"the file there has {total} bytes instead of {size}")
    need_space(part.parent, (total or start) - start, part.stem)
    _note(part).write_text(f"{url} {answer.headers.get('ETag', '')}")
    with (
        part.open("ab" if start else "wb") as file,
        tqdm.wrapattr(file, "write", total, desc=part.stem, initial=start, disable=None) as sink,
    ):
        try:
            for block in answer.iter_content(_BLOCK):
                sink.write(block)
        except requests.RequestException as error:
            return _short(error)
    return ""


def length(part: Path) -> int:
    """Bytes of a part that there are."""
    return part.stat().st_size if part.exists() else 0


def _note(part: Path) -> Path:
    """Where a part came from: address and ETag."""
    return part.with_name(part.name + ".from")


def discard(part: Path) -> None:
    """Remove a part and its note."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _short(error: Exception) -> str:
    """The last, most telling part of a nested network error."""
    text = " ".join(str(error).split())
    if "timed out" in text.lower():
        return "nothing came for too long"
    if "IncompleteRead" in text or "ended prematurely" in text:
        return "the connection was cut"
    return text.rsplit(": ", 1)[-1].strip("')\" ") or type(error).__name__
