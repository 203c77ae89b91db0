"""Tables and figures: one file each in tables/ and figures/, and a table per ablation.

Such a file defines `KEYS` (settings that it may see), `CAPTION` (what to see in it),
`needs(pipeline) -> list[Target]` (results that it reads) and `build(job) -> Table` or
`draw(job) -> Drawing`. The first line of its docstring says what it is. Adding a file adds a
target. An ablation has the table `ablation_<name>` without a file of its own (`report.ablation`).
"""

from __future__ import annotations

import importlib
from types import ModuleType

from radpipe import ablations, plugins
from radpipe.errors import unknown


def names(kind: str) -> tuple[str, ...]:
    """All tables (kind `table`), or all figures (`figure`)."""
    return tuple(sorted({*plugins.names(f"report.{kind}s"), *_of_ablations(kind)}))


def load(kind: str, name: str) -> ModuleType:
    """The module of one table or figure.

    Raises:
        UserError: there is none of this name; names the nearest.
    """
    if name not in names(kind):
        raise unknown(kind, name, names(kind), f"results/{kind}s")
    ablation = _of_ablations(kind).get(name)
    if ablation is None:
        return importlib.import_module(f"radpipe.report.{kind}s.{name}")
    shared = importlib.import_module("radpipe.report.ablation")
    module: ModuleType = shared.module(ablation, ablations.load(ablation))
    return module


def code(kind: str, name: str) -> list[str]:
    """The modules that make one table or figure, without `radpipe.`."""
    ablation = _of_ablations(kind).get(name)
    if ablation is None:
        return [f"report.{kind}s.{name}"]
    return ["report.ablation", f"ablations.{ablation}"]


def _of_ablations(kind: str) -> dict[str, str]:
    """Tables without a file of their own -> the ablations that they are of."""
    own = plugins.names("report.tables")
    tables = {f"ablation_{name}": name for name in plugins.names("ablations")}
    return {t: name for t, name in tables.items() if kind == "table" and t not in own}
