"""Tables and figures: one file each in tables/ and figures/.

Such a file defines `KEYS` (settings that it may see), `CAPTION` (what to see in it),
`needs(pipeline) -> list[Target]` (results that it reads) and `build(job) -> Table` or
`draw(job) -> Drawing`. The first line of its docstring says what it is. Adding a file adds a
target.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from radpipe import plugins

if TYPE_CHECKING:
    from radpipe.dag import Target
    from radpipe.pipeline import Pipeline

PACKAGES = {"table": "tables", "figure": "figures"}
SUFFIXES = {
    "table": ("csv", "md", "tex", "html"),
    "figure": ("png", "pdf", "csv"),
}


def names(kind: str) -> tuple[str, ...]:
    """All tables, or all figures."""
    return plugins.names(f"report.{PACKAGES[kind]}")


def load(kind: str, name: str) -> ModuleType:
    """The module of one table or figure."""
    package = PACKAGES[kind]
    return plugins.load(f"report.{package}", name, kind, f"results/{package}")


def seen(pipeline: Pipeline, target: Target) -> dict[str, Any]:
    """The settings that a table or figure may see: its module's `KEYS`."""
    keys = load(target.stage.name, target["name"]).KEYS
    return {key: pipeline.value(target, key) for key in keys}
