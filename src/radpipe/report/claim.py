"""What a claim is: a statement, its test in words, and the test.

Every test has three ends: the claim holds, it does not, or the interval leaves it open. A claim
that needs a difference is open where the interval of the paired difference contains 0. A claim of
no difference does not hold where the interval is above 0; else it holds where the interval ends
within a margin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from radpipe.evaluation import info
from radpipe.report.evidence import Evidence

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot tell"
UNTESTED = "not tested"
BEHIND = "not tested: the measure ranks the truth behind"
ORDER = (HOLDS, OPEN, FAILS)  # of two tests that both must hold the later one counts

MARGIN = 0.05  # of the other's LPIPS: what counts as no worse (our choice)
VISIBLE = 1.0  # 8-bit levels along an edge: below it no seam is seen (our choice)
DISTANCES = ("fid_truth", "fd_alexnet", "fd_alexnet_truth")  # measures in FID's place
WORSE = (
    "95 % interval of the paired LPIPS difference variant - RAD: holds where it is above 0; does "
    "not hold where it is below 0"
)
NO_WORSE = (
    f"95 % interval of the paired LPIPS difference {{0}} - {{1}}: does not hold where it is above "
    f"0; else holds where it ends at no more than {100 * MARGIN:.0f} % of the LPIPS of {{1}}{{2}}"
)


class Verdict(NamedTuple):
    """What came out, and our numbers in words."""

    outcome: str
    numbers: str


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and how it is tested.

    Attributes:
        name: short name.
        statement: the claim.
        source: where it is made.
        test: the test in words, decided before the numbers.
        judge: the test.
        metric: the measure that it is judged by; empty for one of time.
        masks: judged on; none: all of the run.
        methods: ranked; none: all of the run.
    """

    name: str
    statement: str
    source: str
    test: str
    judge: Callable[[Evidence], Verdict]
    metric: str = ""
    masks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    def verdict(self, evidence: Evidence) -> Verdict:
        """The test, unless the measure puts a method ahead of the truth."""
        if self.metric:
            masks, methods = self.masks or evidence.masks, self.methods or evidence.methods
            ahead = evidence.ahead_of_truth(self.metric, masks, methods)
            if ahead:
                return Verdict(BEHIND, f"{info(self.metric).display}, method - truth: {ahead}")
        return self.judge(evidence)


def small(low: float, high: float, margin: float) -> str:
    """Whether something is no larger than a margin: an interval above 0 says that it is not."""
    return FAILS if low > 0 else HOLDS if high <= margin else OPEN
