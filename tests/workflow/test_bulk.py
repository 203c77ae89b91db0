"""The bulk of ablation variants is in no remote, and nobody misses it."""

from __future__ import annotations

from pathlib import Path

import tiny
import versioned
from radpipe import params
from radpipe.pipeline import Pipeline


def test_a_clone_without_the_bulk_of_ablations_has_nothing_to_do(
    repository: Path, tmp_path: Path
) -> None:
    """What .dvcignore leaves out is what `Pipeline.kept` leaves out."""
    tiny.edit(repository, run__ablations=["length"])
    versioned.repro(repository)
    tiny.run(repository, "radpipe", "publish")
    versioned.commit(repository, "results")
    versioned.git(tmp_path, "clone", "-q", str(repository), "clone")
    clone = tmp_path / "clone"
    versioned.dvc(clone, "pull")
    assert versioned.silent(clone)

    pipeline = Pipeline(params.read(clone / "params.yaml"))
    targets = list(pipeline.walk(pipeline.report_targets()))
    kept = {name for target in targets for name in pipeline.kept(target)}
    bulk = {name for target in targets for name in target.outputs} - kept
    assert {Path(name).suffix for name in bulk} == {".zip", ".csv", ".npz", ".safetensors"}
    assert all((clone / name).is_file() for name in kept)
    assert not any((clone / name).exists() for name in bulk)
    assert all((repository / name).is_file() for name in bulk)
    # an image of a variant comes back by training the variant, and nothing else, again
    image = "results/samples/emoji/rad@length-fortieth/box/0.zip"
    assert versioned.planned(clone, image) == {"rad": 1, "sample": 1}
