"""Tables of results as they were written: rows of texts, so that equal texts are equal numbers."""

from __future__ import annotations

import csv
import math
from pathlib import Path

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_number(text: str) -> bool:
    """Whether a cell has a number: it may say instead why it has none."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
