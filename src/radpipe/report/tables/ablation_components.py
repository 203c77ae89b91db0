"""The parts of RAD, each taken away in turn, after as many training images."""

from __future__ import annotations

from radpipe.ablations.components import ABLATION
from radpipe.report.ablation import ablation_table

KEYS, CAPTION, needs, build = ablation_table("components", ABLATION)
