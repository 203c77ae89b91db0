"""How large the adapter must be."""

from __future__ import annotations

from functools import partial

from radpipe.report import ablation_table

KEYS = ablation_table.KEYS
needs = partial(ablation_table.needs, name="lora_rank")
build = partial(ablation_table.build, name="lora_rank")
