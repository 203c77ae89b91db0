"""Stage `holes`: one fixed test mask per image, the same for every method."""

from __future__ import annotations

from radpipe.imagestore import ImageStore
from radpipe.job import Job
from radpipe.masks.bank import evaluation_masks


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
        job.settings[f"masks.lama_limit.{job.wildcards['mask']}"],
    )
    job.finish("holes.zip", masks=len(ids))
