"""The parts of RAD, each taken away in turn."""

from __future__ import annotations

from functools import partial

from radpipe.report import ablation_table

KEYS = ablation_table.KEYS
needs = partial(ablation_table.needs, name="components")
build = partial(ablation_table.build, name="components")
