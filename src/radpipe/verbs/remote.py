"""The embedded remote: cached results that travel inside the git repository.

`.dvc/demo-remote` is a plain DVC remote (a folder of files named by their checksum) that git
tracks, so a fresh clone has every result of dvc.lock without credentials. `publish` fills it,
`pull` uses it; both leave everything else to DVC.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from radpipe.errors import UserError
from radpipe.files import checksum, write_text
from radpipe.pipeline import Pipeline
from radpipe.yamlfile import load_yaml

log = logging.getLogger(__name__)

NAME = "demo"
REMOTE = Path(".dvc/demo-remote")
CACHE = Path(".dvc/cache")
NO_GIT = Path(".radpipe/no-git")  # what DVC is told where there is no git
LIMIT = 40_000_000  # bytes; it is part of every clone


def publish(pipeline: Pipeline, root: Path, limit: int = LIMIT) -> str:
    """Put the results that dvc.lock names into the embedded remote, and nothing else.

    Args:
        pipeline: of the current settings.
        root: the repository.
        limit: most bytes that the remote may hold.

    Returns:
        What was done.

    Raises:
        UserError: the results are not those of the current settings and code, or they are too
            big. The remote is then as it was.
    """
    stale = json.loads(dvc(root, "status", "--json").stdout or "{}")
    if stale:
        changes = chain(*stale.values())  # each a word, or groups of paths
        names = chain(*([c] if isinstance(c, str) else chain(*c.values()) for c in changes))
        raise UserError(
            "the results here are not what dvc.lock records for these settings and this code",
            ", ".join(sorted(set(names))) or "dvc.yaml",
            "run: dvc repro; then publish again",
        )
    for target in pipeline.walk(pipeline.report_targets()):
        # `dvc commit` records any settings beside any results; receipts say what they are of
        if not pipeline.current(target, root):
            raise UserError(
                "dvc.lock records results that are not those of the settings and the code",
                target.receipt,
                "run: snakemake --cores all all, then dvc repro; then publish again",
            )
    if missing := lacking(root):
        do = "fetch it: dvc fetch; or run: dvc repro"
        raise UserError("DVC's cache lacks a result", missing[0], do)
    wanted = set(objects(root))
    size = sum(_cached(root, name).stat().st_size for name in wanted)
    if size > limit:
        ranked = sorted(outputs(root).values(), key=lambda entry: -entry["size"])
        raise UserError(
            f"the results take {size / 1e6:.1f} MB, {REMOTE} may hold {limit / 1e6:.0f} MB",
            ", ".join(f"{entry['path']} {entry['size'] / 1e6:.1f} MB" for entry in ranked),
            "make them fewer or smaller, or push them to a remote of your own: dvc push -r NAME",
        )
    added = len(wanted - stored(root).keys())
    dvc(root, "push", "-q", "-r", NAME)
    # `dvc gc --cloud` would empty the local cache too
    others = [path for name, path in stored(root).items() if name not in wanted]
    for path in others:
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return (
        f"{REMOTE}: {len(wanted)} files, {size / 1e6:.1f} MB "
        f"({added} added, {len(others)} removed)\n"
        f"now: git add dvc.lock {REMOTE} results && git commit"
    )


def outputs(root: Path) -> dict[str, dict[str, Any]]:
    """Path -> what dvc.lock says of a result; those that git keeps are left out.

    Raises:
        UserError: there is no dvc.lock.
    """
    lock = root / "dvc.lock"
    if not lock.is_file():
        raise UserError("no result is recorded yet", "dvc.lock", "run: dvc repro")
    in_git = {
        path
        for entry in _outs(root / "dvc.yaml")
        if isinstance(entry, dict)
        for path, options in entry.items()
        if options.get("cache") is False
    }
    return {entry["path"]: entry for entry in _outs(lock) if entry["path"] not in in_git}


def _outs(path: Path) -> list[Any]:
    """What the stages of dvc.yaml or dvc.lock make."""
    stages = load_yaml(path.read_text(encoding="utf-8"), str(path))["stages"].values()
    return [entry for stage in stages for entry in stage.get("outs", [])]


def objects(root: Path) -> Iterator[str]:
    """Checksums of all files that dvc.lock names, listings of folders included."""
    for entry in outputs(root).values():
        yield entry["md5"]
        yield from _listed(root, entry["md5"])


def lacking(root: Path) -> list[str]:
    """Results of dvc.lock that DVC's cache does not hold with all their files; a checkout of such
    a one would lose some."""
    return [
        path
        for path, entry in outputs(root).items()
        if not _cached(root, entry["md5"]).is_file()
        or not all(_cached(root, name).is_file() for name in _listed(root, entry["md5"]))
    ]


def _listed(root: Path, name: str) -> list[str]:
    """Checksums of the files in a folder of DVC's cache."""
    listing = json.loads(_cached(root, name).read_text()) if name.endswith(".dir") else []
    return [entry["md5"] for entry in listing]


def _cached(root: Path, name: str) -> Path:
    """Where DVC's cache keeps the content of a checksum."""
    return root / CACHE / "files" / "md5" / name[:2] / name[2:]


def stored(root: Path) -> dict[str, Path]:
    """Checksum -> file of everything in the embedded remote."""
    folder = root / REMOTE / "files" / "md5"
    return {p.parent.name + p.name: p for p in sorted(folder.glob("??/*"))}


def pull(root: Path) -> None:
    """Fetch the results that dvc.lock names, without touching work that exists only here.

    Never fails for want of git, of a dvc.lock or of the remote: what is missing is computed.
    """
    if not (root / "dvc.lock").is_file():
        log.info("no cached results (there is no dvc.lock): everything will be computed")
        return
    dvc(root, "fetch", "-q", check=False)
    missing = lacking(root)
    if missing:
        log.info(
            "the remote lacks %s of dvc.lock: what is missing will be computed, unless who has "
            "it types: dvc push",
            ", ".join(missing),
        )
    there = [path for path in outputs(root) if path not in missing]
    if not there:
        return
    if lost := only_here(root):
        log.info(
            "results here differ from the cached ones and are kept (%s)\n"
            "  to take the cached ones instead: dvc checkout --force",
            lost,
        )
        return
    done = dvc(root, "checkout", "-q", *there, check=False)
    if done.returncode:
        log.info("the cached results could not be put in place: %s", _reason(done))
    elif not missing:
        log.info("cached results are in place: only what changed since will be computed")


def only_here(root: Path) -> str:
    """The first file that a checkout would overwrite or remove and that is in no cache, and how
    many more there are; empty if there is none."""
    done = dvc(root, "data", "status", "--granular", "--json")
    changes = json.loads(done.stdout or "{}").get("uncommitted", {})
    modified = [m if isinstance(m, str) else m["new"] for m in changes.get("modified", [])]
    lost = sorted(
        name
        for name in [*modified, *changes.get("added", [])]
        if (root / name).is_file() and not _cached(root, checksum(root / name, "md5")).is_file()
    )
    return f"{lost[0]} and {len(lost) - 1} more" if len(lost) > 1 else "".join(lost)


def dvc(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run DVC of this environment in the repository; a failure becomes one message.

    Where there is no git (a downloaded archive), DVC is told so for this one command.
    """
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    in_git = any((folder / ".git").exists() for folder in (root, *root.resolve().parents))
    if not (in_git and shutil.which("git")):
        write_text(root / NO_GIT / "config", "[core]\n    no_scm = true\n")
        environment["DVC_SYSTEM_CONFIG_DIR"] = str((root / NO_GIT).resolve())
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=environment,
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
