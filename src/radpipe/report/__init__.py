"""Tables and figures: one file each in tables/ and figures/.

Such a file defines `KEYS` (settings that it may see), `CAPTION` (what to see in it),
`needs(pipeline) -> list[Target]` (results that it reads) and `build(job) -> Table` or
`draw(job) -> Drawing`. The first line of its docstring says what it is. Adding a file adds a
target.
"""

from __future__ import annotations

from types import ModuleType

from radpipe import plugins


def names(kind: str) -> tuple[str, ...]:
    """All tables (kind `table`), or all figures (`figure`)."""
    return plugins.names(f"report.{kind}s")


def load(kind: str, name: str) -> ModuleType:
    """The module of one table or figure."""
    return plugins.load(f"report.{kind}s", name, kind, f"results/{kind}s")
