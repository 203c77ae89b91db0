"""Stage `holes`: one fixed test mask per image, the same for every method."""

from __future__ import annotations

from radpipe.dag import Stage
from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.masks.bank import evaluation_masks

STAGE = Stage(
    name="holes",
    folder="results/masks/{dataset}/{mask}",
    files=("holes.zip",),
    keys=("seed", "datasets.{dataset}.size", "evaluation.images", "evaluation.split"),
    values=lambda pipeline, target: {"limit": pipeline.view(target).masks.limit(target["mask"])},
    plugins=lambda pipeline, target: [f"masks.{target['mask']}"],
    upstream=lambda pipeline, target: [pipeline.target("data", dataset=target["dataset"])],
)


def run(job: Job) -> None:
    """Write the masks of the images that are inpainted."""
    images = ImageStore(job.folder("data").file(f"{job.settings['evaluation.split']}.zip"))
    ids = images.ids[: job.settings["evaluation.images"]]
    evaluation_masks(
        job.out / "holes.zip",
        job.wildcards["mask"],
        job.settings["size"],
        ids,
        job.settings["seed"],
        job.settings["limit"],
    )
    job.finish("holes.zip", masks=len(ids))
