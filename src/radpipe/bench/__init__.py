"""`make bench`: speed on this machine. Tests assert no times; these are measured by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabulate import tabulate


def bench(say: Callable[[str], None], repeats: int, quick: bool) -> None:
    """Print the tables of the benchmark.

    Args:
        say: prints one text.
        repeats: timed forwards per form of the embedding.
        quick: skip the 256x256 network.
    """
    from radpipe import params
    from radpipe.bench.embedding import compare
    from radpipe.bench.rates import images_per_second, masks_per_second
    from radpipe.devices import resolve_device
    from radpipe.models.adm_config import AdmConfig
    from radpipe.models.checkpoints import architecture

    chosen = params.read()
    dataset = chosen.run.datasets[0]
    resolved = chosen.resolve(dataset)
    own: AdmConfig = resolved.datasets[dataset].model.at(resolved.datasets[dataset].size)
    say("Mask bank, one core")
    say(_table(masks_per_second(resolved.masks.training.family, (own.image_size, 256), 2.0)))
    say(f"\nTraining at the settings of {dataset}")
    say(_table(images_per_second(resolved, own, resolve_device(resolved.resources.device))))
    say(f"\nForward of RAD against plain ADM: {dataset}, batch 16")
    say(_table(compare(own, 16, repeats)))
    if not quick:
        say("\nForward of RAD against plain ADM: FFHQ's architecture at 256x256, batch 1")
        say(_table(compare(architecture("FFHQ256"), 1, repeats)))


def _table(rows: list[dict[str, Any]]) -> str:
    return tabulate(rows, headers="keys", floatfmt=".3g", tablefmt="simple")
