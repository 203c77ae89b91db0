"""The embedded remote: cached results that travel inside the git repository.

`.dvc/demo-remote` is a plain DVC remote (a folder of files named by their checksum) that git
tracks, so a fresh clone has every result of dvc.lock without credentials. `publish` fills it,
`pull` uses it; both leave everything else to DVC.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpipe.errors import UserError
from radpipe.pipeline import Pipeline
from radpipe.yamlfile import load_yaml

log = logging.getLogger(__name__)

NAME = "demo"
REMOTE = Path(".dvc/demo-remote")
CACHE = Path(".dvc/cache")
LIMIT = 40_000_000  # bytes; it is part of every clone


@dataclass(frozen=True)
class Published:
    """What `publish` did."""

    objects: int
    size: int
    added: int
    removed: int


def publish(pipeline: Pipeline, root: Path, limit: int = LIMIT) -> Published:
    """Put the results that dvc.lock names into the embedded remote, and nothing else.

    Args:
        pipeline: of the current settings.
        root: the repository.
        limit: most bytes that the remote may hold.

    Raises:
        UserError: the results are not those of the current settings and code, or they are too
            big. The remote is then as it was.
    """
    stale = json.loads(dvc(root, "status", "--json").stdout or "{}")
    if stale:
        raise UserError(
            "the results here are not what dvc.lock records for these settings and this code",
            ", ".join(sorted(_paths(stale))) or "dvc.yaml",
            "run: dvc repro; then publish again",
        )
    _require_current(pipeline, root)
    wanted = {name: _size(root, name) for name in objects(root)}
    total = sum(wanted.values())
    if total > limit:
        raise UserError(
            f"the results take {total / 1e6:.1f} MB, {REMOTE} may hold {limit / 1e6:.0f} MB",
            _largest(root),
            "make them fewer or smaller, or push them to a remote of your own: dvc push -r NAME",
        )
    before = set(stored(root))
    dvc(root, "push", "-q", "-r", NAME)
    removed = _remove_others(root, set(wanted))
    return Published(len(wanted), total, len(set(wanted) - before), removed)


def _require_current(pipeline: Pipeline, root: Path) -> None:
    """`dvc commit` records any settings beside any results; receipts say what they are of."""
    for target in pipeline.walk(pipeline.report_targets()):
        if not pipeline.current(target, root):
            raise UserError(
                "dvc.lock records results that are not those of the settings and the code",
                target.receipt,
                "run: snakemake --cores all all, then dvc repro; then publish again",
            )


def objects(root: Path) -> Iterator[str]:
    """Checksums of all files that dvc.lock names, listings of folders included, each once.

    Raises:
        UserError: there is no dvc.lock, or DVC's cache lacks a result.
    """
    seen: dict[str, None] = {}
    for path, name in outputs(root).items():
        seen[name] = None
        if name.endswith(".dir"):
            listing = _object(root / CACHE, name)
            if not listing.is_file():
                raise UserError(
                    "DVC's cache lacks a result", path, "fetch it: dvc fetch; or run: dvc repro"
                )
            seen |= {entry["md5"]: None for entry in json.loads(listing.read_text())}
    yield from seen


def outputs(root: Path) -> dict[str, str]:
    """Path -> checksum of the results that DVC keeps (those that git keeps are left out)."""
    lock = root / "dvc.lock"
    if not lock.is_file():
        raise UserError("no result is recorded yet", "dvc.lock", "run: dvc repro")
    stages = _yaml(root / "dvc.yaml")["stages"]
    in_git = {
        path
        for stage in stages.values()
        for entry in stage.get("outs", [])
        if isinstance(entry, dict)
        for path, options in entry.items()
        if options.get("cache") is False
    }
    recorded = _yaml(lock)["stages"]
    entries = [entry for stage in recorded.values() for entry in stage.get("outs", [])]
    return {e["path"]: e["md5"] for e in entries if e["path"] not in in_git}


def stored(root: Path) -> dict[str, Path]:
    """Checksum -> file of everything in the embedded remote."""
    folder = root / REMOTE / "files" / "md5"
    return {p.parent.name + p.name: p for p in sorted(folder.glob("??/*"))}


def pull(root: Path) -> bool:
    """Fetch the results that dvc.lock names, without touching work that exists only here.

    Never fails for want of git, of a dvc.lock or of the remote: what is missing is computed.

    Returns:
        Whether the recorded results are in place.
    """
    if not (root / "dvc.lock").is_file():
        log.info("no cached results (there is no dvc.lock): everything will be computed")
        return False
    with _environment(root) as environment:
        dvc(root, "fetch", "-q", env=environment, check=False)
        whole = {path: _whole(root, name) for path, name in outputs(root).items()}
        lacking = [path for path, there in whole.items() if not there]
        if lacking:
            log.info(
                "the remote lacks %s of dvc.lock: what is missing will be computed, unless who has "
                "it types: dvc push",
                ", ".join(lacking),
            )
        there = [path for path in whole if path not in lacking]
        if not there:
            return False
        lost = sorted(str(path) for path in only_here(root, environment))
        if lost:
            log.info(
                "results here differ from the cached ones and are kept (%s%s)\n"
                "  to take the cached ones instead: dvc checkout --force",
                lost[0],
                f" and {len(lost) - 1} more" if len(lost) > 1 else "",
            )
            return False
        done = dvc(root, "checkout", "-q", *there, env=environment, check=False)
    if done.returncode:
        log.info("the cached results could not be put in place: %s", _reason(done))
        return False
    if lacking:
        return False
    log.info("cached results are in place: only what changed since will be computed")
    return True


def _whole(root: Path, name: str) -> bool:
    """Whether DVC's cache holds a result with all its files; a checkout without would lose some."""
    path = _object(root / CACHE, name)
    if not path.is_file():
        return False
    listed = json.loads(path.read_text()) if name.endswith(".dir") else []
    return all(_object(root / CACHE, entry["md5"]).is_file() for entry in listed)


def only_here(root: Path, environment: dict[str, str] | None = None) -> Iterator[Path]:
    """Files that a checkout would overwrite or remove and that are in no cache."""
    done = dvc(root, "data", "status", "--granular", "--json", env=environment)
    changes = json.loads(done.stdout or "{}").get("uncommitted", {})
    modified = [m if isinstance(m, str) else m["new"] for m in changes.get("modified", [])]
    for name in [*modified, *changes.get("added", [])]:
        path = root / name
        if path.is_file() and not _object(root / CACHE, _md5(path)).is_file():
            yield path.relative_to(root)


def _md5(path: Path) -> str:
    """DVC's name for a file's content."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _object(store: Path, name: str) -> Path:
    """Where a DVC store keeps the content of a checksum."""
    return store / "files" / "md5" / name[:2] / name[2:]


def _size(root: Path, name: str) -> int:
    path = _object(root / CACHE, name)
    if not path.is_file():
        raise UserError("DVC's cache lacks a result", str(path), "run: dvc repro")
    return path.stat().st_size


def _largest(root: Path) -> str:
    """The recorded folders by size, for the refusal."""
    lock = _yaml(root / "dvc.lock")["stages"]
    ours = outputs(root)
    sizes = {e["path"]: e["size"] for s in lock.values() for e in s["outs"] if e["path"] in ours}
    ranked = sorted(sizes.items(), key=lambda item: -item[1])
    return ", ".join(f"{path} {size / 1e6:.1f} MB" for path, size in ranked)


def _remove_others(root: Path, wanted: set[str]) -> int:
    """Remove what dvc.lock does not name. (`dvc gc --cloud` would empty the local cache too.)"""
    others = [path for name, path in stored(root).items() if name not in wanted]
    for path in others:
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return len(others)


def _yaml(path: Path) -> Any:
    return load_yaml(path.read_text(encoding="utf-8"), str(path))


def _paths(status: Any) -> set[str]:
    """Names of what `dvc status --json` calls changed."""
    found: set[str] = set()
    for changes in status.values():
        for change in changes:
            if isinstance(change, str):
                found.add(change)
            else:
                found |= {str(path) for group in change.values() for path in group}
    return found


@contextmanager
def _environment(root: Path) -> Iterator[dict[str, str]]:
    """Where there is no git (a downloaded archive), DVC is told so for this one command."""
    in_git = any((folder / ".git").exists() for folder in (root, *root.resolve().parents))
    if in_git and shutil.which("git"):
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
        yield {"DVC_SYSTEM_CONFIG_DIR": folder}


def dvc(
    root: Path, *arguments: str, env: dict[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run DVC of this environment in the repository; a failure becomes one message."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"} | (env or {}),
        capture_output=True,
        text=True,
    )
    if check and done.returncode:
        raise UserError(f"dvc {arguments[0]} failed: {_reason(done)}", str(root))
    return done


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """DVC's own message, on one line."""
    lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.strip()]
    chosen = [line for line in lines if not line.startswith("Having any troubles?")]
    return " ".join(chosen) or f"exit status {done.returncode}"
