"""How long RAD is trained, at equal everything else."""

from __future__ import annotations

from radpipe.ablations.length import ABLATION
from radpipe.report.ablation import ablation_table

KEYS, CAPTION, needs, build = ablation_table("length", ABLATION)
