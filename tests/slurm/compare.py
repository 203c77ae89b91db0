"""What tests/slurm/run.sh asks of its results.

compare.py clone FOLDER one|two   a tiny clone, its trainings on one process or on two nodes
compare.py same FOLDER OTHER      all receipts and all files are the same
compare.py close FOLDER OTHER     networks and loss curves differ by the order of sums only
compare.py kept FOLDER SAVED      images finished before a kill were not made again
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import tiny
import versioned
from radpipe.receipts import Receipt

TWO_NODES = {"resources.processes": 2, "resources.nodes": 2}
CHANGES = {
    # long enough to be caught at work
    "training__base__images": 640,
    "training__rad__images": 320,
    "inpainters__repaint": {"steps": 25, "jump_length": 2, "resamplings": 4},
    "resources__save_seconds": 1,
    "resources__sample_batch": 1,
}
NETWORKS = ("base/model", "rad/default/adapter/adapter_model")
CLOSE = 1e-3  # of a network's change from sums in another order, relative to its largest weight


def clone(folder: Path, nodes: str) -> None:
    folder.mkdir()
    own = {"two_nodes": TWO_NODES} if nodes == "two" else {}
    more = {f"overrides__{name}": changes for name, changes in own.items()}
    tiny.clone(folder, **CHANGES, **more, datasets__emoji__overrides=list(own))


def same(folder: Path, other: Path) -> None:
    ours, theirs = versioned.receipts(folder), versioned.receipts(other)
    different = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
    if different:
        raise SystemExit(f"receipts differ: {different}")
    if versioned.names(folder) != versioned.names(other):
        raise SystemExit(f"files: {sorted(versioned.names(folder) ^ versioned.names(other))}")
    print(f"{len(ours)} of {len(theirs)} receipts are the same")


def close(folder: Path, other: Path) -> None:
    from safetensors.torch import load_file

    for name in NETWORKS:
        path = f"results/checkpoints/emoji/{name}.safetensors"
        ours, theirs = load_file(folder / path), load_file(other / path)
        apart = max(float((ours[k] - theirs[k]).abs().max()) for k in theirs)
        largest = max(float(value.abs().max()) for value in theirs.values())
        print(f"{name}: weights differ by at most {apart:.1e}; the largest is {largest:.2f}")
        if ours.keys() != theirs.keys() or apart > CLOSE * largest:
            raise SystemExit("more than the order of sums")


def kept(folder: Path, saved: Path) -> None:
    """The seconds of an image say in which run it was made."""
    found, lost = 0, []
    for path in (folder / "results/samples").rglob("[0-9]*.json"):
        receipt = Receipt.read(path)
        assert receipt is not None
        with path.with_suffix(".csv").open(newline="") as file:
            seconds = {row["image"]: float(row["seconds"]) for row in csv.DictReader(file)}
        for row in (json.loads(p.read_text()) for p in (saved / receipt.digest).glob("*.json")):
            found += 1
            lost += [row["image"]] * (seconds[row["image"]] != row["seconds"])
    if lost or not found:
        raise SystemExit(f"of {found} finished images were made again: {lost}")
    print(f"{found} images that were finished before the kill were kept")


if __name__ == "__main__":
    what, first, second = sys.argv[1:]
    if what == "clone":
        clone(Path(first), second)
    else:
        {"same": same, "close": close, "kept": kept}[what](Path(first), Path(second))
