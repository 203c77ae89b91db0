"""Tables and figures: one file each in tables/ and figures/.

Such a file defines `KEYS` (settings that it may see), `CAPTION` (what to see in it),
`needs(pipeline) -> list[Target]` (results that it reads) and `build(job) -> Table` or
`draw(job) -> Drawing`. The first line of its docstring says what it is. Adding a file adds a
target.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from radpipe.errors import UserError
from radpipe.settings_checks import plugins

PACKAGES = {"table": "tables", "figure": "figures"}


def names(kind: str) -> list[str]:
    """All tables, or all figures."""
    return list(plugins(f"report.{PACKAGES[kind]}"))


def load(kind: str, name: str) -> ModuleType:
    """The module of one table or figure."""
    if name not in names(kind):
        raise UserError(
            f"there is no {kind} `{name}`",
            f"results/{PACKAGES[kind]}",
            f"allowed: {', '.join(names(kind))}",
        )
    return importlib.import_module(f"radpipe.report.{PACKAGES[kind]}.{name}")
