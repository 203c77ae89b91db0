"""`make bench`: speed on this machine, as ratios to the plain path. Tests assert no times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabulate import tabulate


def bench(say: Callable[[str], None], repeats: int, quick: bool) -> None:
    """Print the tables of the benchmark.

    Args:
        say: prints one text.
        repeats: timed turns.
        quick: skip the 256x256 network.
    """
    from radpipe import params
    from radpipe.bench.embedding import compare
    from radpipe.bench.speed import processor, sampling, training
    from radpipe.models.checkpoints import architecture

    chosen = params.read()
    dataset = chosen.run.datasets[0]
    resolved = chosen.resolve(dataset)
    own = resolved.datasets[dataset].model.at(resolved.datasets[dataset].size)
    say(f"{processor()}; seconds are of the CPU, of one process that is alone or not")
    say(f"\nTraining at the settings of {dataset}: `kernels: torch` against `fused`")
    say(_table(training(resolved, own, repeats)))
    say(f"\nSampling with RAD's network of {dataset}, batch 32")
    say(_table(sampling(own, 32, repeats)))
    say(f"\nForward of RAD against plain ADM: {dataset}, batch 16")
    say(_table(compare(own, 16, repeats)))
    if not quick:
        say("\nForward of RAD against plain ADM: FFHQ's architecture at 256x256, batch 1")
        say(_table(compare(architecture("FFHQ256"), 1, repeats)))


def _table(rows: list[dict[str, Any]]) -> str:
    return tabulate(rows, headers="keys", floatfmt=".3g", tablefmt="simple")
