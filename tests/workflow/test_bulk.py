"""The bulk of ablation variants is in no remote, and nobody misses it."""

from __future__ import annotations

import json
from pathlib import Path

import tiny
import versioned

ASK = """
import json
from radpipe import params
from radpipe.pipeline import Pipeline

pipeline = Pipeline(params.read())
targets = list(pipeline.walk(pipeline.report_targets()))
kept = [name for target in targets for name in pipeline.kept(target)]
print(json.dumps([kept, [name for target in targets for name in target.outputs]]))
"""


def test_a_clone_without_the_bulk_of_ablations_has_nothing_to_do(
    everything: Path, tmp_path: Path
) -> None:
    """What .dvcignore leaves out is what `Pipeline.kept` leaves out."""
    folder = versioned.copy(everything, tmp_path / "repository")
    versioned.repro(folder)
    tiny.run(folder, "radpipe", "publish")
    versioned.commit(folder, "results")
    versioned.git(tmp_path, "clone", "-q", str(folder), "clone")
    clone = tmp_path / "clone"
    versioned.dvc(clone, "pull")
    assert versioned.silent(clone)

    # asked of the clone's own code: its ablations have fewer steps
    kept, outputs = (
        set(names) for names in json.loads(tiny.run(clone, "python", "-c", ASK).stdout)
    )
    bulk = outputs - kept
    assert {Path(name).suffix for name in bulk} == {".zip", ".npz", ".safetensors"}
    assert all((clone / name).is_file() for name in kept)
    assert not any((clone / name).exists() for name in bulk)
    assert all((folder / name).is_file() for name in bulk)
    # an image of a variant comes back by training the variant, and nothing else, again
    image = "results/samples/emoji/rad@lora_rank-rank_4/box/0.zip"
    assert versioned.planned(clone, image) == {"rad": 1, "sample": 1}
