"""What goes wrong is one message that names the file and the cure, and loses nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tiny
import versioned
from radpipe import files
from radpipe.errors import UserError
from radpipe.imagestore import image_writer
from radpipe.receipts import Folder

BASE = "results/checkpoints/emoji/base"
TELEA = "results/samples/emoji/telea/box"
REPAINT = "results/samples/emoji/repaint/box"


def run_again(folder: Path, receipt: str) -> subprocess.CompletedProcess[str]:
    """Run the job of a receipt as its rule does, outside Snakemake."""
    own = json.loads((folder / receipt).read_text())["slice"]
    (folder / "slice.json").write_text(json.dumps(own))
    return tiny.run(
        folder, "python", "-m", "radpipe.cli", "run", "slice.json", "--log", "log.txt", check=False
    )


def one_message(text: str, *parts: str) -> None:
    """A message without a traceback that has all that it should name."""
    assert "Traceback" not in text
    for part in parts:
        assert part in text


@contextmanager
def small_disk(folder: Path, size: str = "64k") -> Iterator[bool]:
    """A file system of a few kB at a folder; False where mounting is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True) if shutil.which("mount") else None
    mounted = done is not None and done.returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            # lazily: the traceback of a caught error may hold the unfinished file open
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "not permitted"),
    ],
)
def test_a_failing_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, what: str
) -> None:
    path = tmp_path / "receipt.json"
    files.write_text(path, "old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", _failing(code))
        with pytest.raises(UserError, match=what) as raised:
            files.write_text(path, "new" * 1000)
    assert str(path) in str(raised.value)
    assert "do:" in str(raised.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]  # no half-written file stays


def _failing(code: int) -> Callable[..., int]:
    """A write that stops half-way."""

    def write(self: Path, text: str, *_: object, **__: object) -> int:
        with self.open("w") as file:
            file.write(text[: len(text) // 2])
        raise OSError(code, os.strerror(code))

    return write


def test_a_full_disk_stops_an_image_store(tmp_path: Path) -> None:
    """On a real file system of 64 kB where mounting is permitted."""
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with small_disk(tmp_path / "disk") as mounted:
        if not mounted:
            pytest.skip("mounting is not permitted: the fault-injecting tests stand alone")
        path = tmp_path / "disk/images.zip"
        with image_writer(path) as writer:
            writer.add("old", noise)
        old = path.read_bytes()
        with pytest.raises(UserError, match="the disk is full"), image_writer(path) as writer:
            for number in range(20):
                writer.add(str(number), noise)
        assert path.read_bytes() == old
        assert [p.name for p in path.parent.iterdir()] == ["images.zip"]


@pytest.mark.parametrize("kind", ["state", "checkpoint"])
def test_a_full_disk_stops_a_training(tmp_path: Path, kind: str) -> None:
    """torch and safetensors have errors of their own for it."""
    import torch
    from safetensors.torch import save_file

    def write(path: Path, size: int) -> None:
        tensors = {"weight": torch.zeros(size)}
        with files.atomic(path) as temporary:
            torch.save(tensors, temporary) if kind == "state" else save_file(tensors, temporary)

    with small_disk(tmp_path / "disk") as mounted:
        if not mounted:
            pytest.skip("mounting is not permitted: the fault-injecting tests stand alone")
        path = tmp_path / "disk/weights"
        write(path, 100)
        old = path.read_bytes()
        with pytest.raises(UserError, match="the disk is full") as raised:
            write(path, 100_000)
        assert str(path) in str(raised.value)
        assert path.read_bytes() == old
        assert [p.name for p in path.parent.iterdir()] == ["weights"]


def test_a_corrupted_checkpoint(repository: Path) -> None:
    """Noticed by whoever reads it, by DVC too; the cure that the message names works."""
    weights = repository / BASE / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1000] ^= 1
    weights.write_bytes(content)
    done = run_again(repository, f"{REPAINT}/0.json")
    assert done.returncode == 1
    one_message(done.stderr, "checksum", f"{BASE}/model.safetensors", "dvc checkout")
    one_message((repository / "log.txt").read_text(), "checksum", "model.safetensors")
    assert len(max(done.stderr.splitlines(), key=len)) <= 80
    assert "results/checkpoints" in str(versioned.status(repository))

    weights.unlink()
    versioned.dvc(repository, "checkout")
    assert run_again(repository, f"{REPAINT}/0.json").returncode == 0


def test_the_cure_of_a_damaged_result_can_be_typed(repository: Path) -> None:
    """`snakemake --cores all`, as the message says, makes the deleted file again, and only it."""
    with pytest.raises(UserError) as raised:
        _damage(repository).file("0.zip")
    command = raised.value.do.rpartition("snakemake ")[2]
    assert command == "--cores all"
    (repository / TELEA / "0.zip").unlink()
    assert versioned.planned(repository)["sample"] == 1
    tiny.run(repository, "snakemake", *command.split(), f"{TELEA}/0.zip")
    assert versioned.nothing_to_do(repository)


def _damage(repository: Path) -> Folder:
    (repository / TELEA / "0.zip").write_bytes(b"half")
    return Folder(repository / TELEA, repository / TELEA / "0.json")


def test_snakemake_shows_the_message(repository: Path) -> None:
    """On the terminal and in the log file that Snakemake points at, without a traceback."""
    (repository / "results/masks/emoji/box/holes.zip").write_bytes(b"half")
    (repository / TELEA / "0.zip").unlink()
    done = tiny.snakemake(repository, f"{TELEA}/0.zip", check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    one_message(said, "the file is damaged", "results/masks/emoji/box/holes.zip", "dvc checkout")
    log = versioned.log_of(repository, "sample/emoji-telea-box-0.log")
    one_message(log, "the file is damaged", "results/masks/emoji/box/holes.zip", "dvc checkout")


def test_a_read_only_results_folder(repository: Path) -> None:
    """A read-only file system, as an archive or another user's folder is."""
    (repository / "results/samples/emoji/telea").rename(repository / "telea")
    target = repository / "results/samples"
    with read_only(target) as permitted:
        if not permitted:
            pytest.skip("neither mounting nor permissions can make a folder read-only here")
        done = tiny.snakemake(repository, f"{TELEA}/0.json", check=False)
        assert done.returncode != 0
        one_message(done.stdout + done.stderr, "read-only", "results/samples", "you may write to")
    (repository / "telea").rename(repository / "results/samples/emoji/telea")
    assert versioned.nothing_to_do(repository)


@contextmanager
def read_only(folder: Path) -> Iterator[bool]:
    """By permissions, or by a read-only mount for root, who is above permissions."""
    if os.geteuid() != 0:
        folders = [folder, *(p for p in folder.rglob("*") if p.is_dir())]
        for path in folders:
            path.chmod(0o555)
        try:
            yield True
        finally:
            for path in folders:
                path.chmod(0o755)
        return
    bound = subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True)
    if bound.returncode:
        yield False
        return
    try:
        remount = ["mount", "-o", "remount,ro,bind", str(folder)]
        yield subprocess.run(remount, capture_output=True).returncode == 0
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_settings_edited_during_a_run(repository: Path) -> None:
    """A job keeps the slice that it was started with, and says so; the edit is seen afterwards."""
    tiny.edit(repository, training__base__images=160)
    receipt = repository / f"{BASE}/receipt.json"
    target = f"{BASE}/receipt.json"

    def training() -> bool:
        return any((repository / ".radpipe/resume").glob("*/state.pt"))

    with versioned.running(repository, "snakemake", "--cores", "2", target) as process:
        versioned.wait_for(training, process, repository)
        tiny.edit(repository, training__base__images=176)
        assert process.wait(600) == 1
    one_message((repository / "running.txt").read_text(), "the settings were edited during the run")
    own = json.loads(receipt.read_text())
    assert own["slice"]["settings"]["training.base"]["images"] == 160
    assert own["facts"]["images"] == 160
    assert versioned.planned(repository)["base"] == 1
    tiny.edit(repository, training__base__images=160)
    assert "base" not in versioned.planned(repository)


def test_settings_edited_during_dvc_repro(repository: Path) -> None:
    """DVC reads params.yaml when the run has ended: it must not take the results for the new
    settings'."""
    recorded = (repository / "dvc.lock").read_text()
    tiny.edit(repository, evaluation__bootstrap=101)
    with versioned.running(repository, "dvc", "repro") as process:
        locks = repository / ".snakemake/locks"
        versioned.wait_for(lambda: any(locks.glob("*")), process, repository)
        tiny.edit(repository, evaluation__bootstrap=102)
        assert process.wait(600) != 0
    said = (repository / "running.txt").read_text()
    one_message(said, "the settings were edited during the run", "type the same again")
    assert (repository / "dvc.lock").read_text() == recorded
    assert versioned.planned(repository)["evaluate"] == 4
