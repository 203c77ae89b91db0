"""Progress bars with a rate and an ETA, and log lines, both on the standard error stream."""

from __future__ import annotations

import logging
import sys

from tqdm import tqdm

from radpipe.launch import is_main

LINE = "{desc}: {n_fmt}/{total_fmt} {rate_fmt} ETA {remaining}{postfix}\n"


def bar(total: int, what: str, unit: str = "images", start: int = 0) -> tqdm:
    """A progress bar; without a terminal it prints a line every 20 seconds instead of redrawing.

    Args:
        total: units of work in all; 0, what nothing can be counted of, shows nothing.
        what: left of the bar.
        unit: what is counted.
        start: units that an earlier run has done.
    """
    terminal = sys.stderr.isatty()
    # of many processes one speaks
    silent = not (total and is_main())
    return tqdm(
        total=total,
        initial=start,
        disable=silent,
        desc=what,
        unit=f" {unit}",
        mininterval=0.2 if terminal else 20,
        dynamic_ncols=terminal,
        ncols=None if terminal else 100,
        bar_format=None if terminal else LINE,
    )


def setup_logging() -> None:
    """Log lines of the library go to the standard error stream, bare."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("radpipe").setLevel(logging.INFO if is_main() else logging.ERROR)
