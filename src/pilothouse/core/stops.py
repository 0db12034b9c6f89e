"""How a venue takes what protects: in which forms a stop, and how far trailing orders of its own may trail."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from pilothouse.core.rounding import is_on_grid, plain


class StopWay(StrEnum):
    """In which form a stop of the house is asked for at a venue.

    REDUCE_ONLY      a stop at the market for so much, which only reduces
    WHOLE_POSITION   a stop at the market that closes whatever is held then (`closePosition`)
    LIMIT            a stop with a limit beyond its trigger, for so much, which only reduces
    """

    REDUCE_ONLY = "reduce_only"
    WHOLE_POSITION = "whole_position"
    LIMIT = "limit"


USUAL_WAYS = (StopWay.REDUCE_ONLY, StopWay.LIMIT)
"""The ways of a venue whose card names no others, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class TrailRange:
    """How far a trailing order of a venue's own may trail, percent; both ends are allowed, in whole steps."""

    least: Decimal
    most: Decimal
    step: Decimal

    def misfit(self, percent: Decimal) -> str:
        """Return why the venue cannot trail by exactly `percent`, in words; empty: it can."""
        if not self.least <= percent <= self.most:
            return f"the venue trails by {plain(self.least)} to {plain(self.most)} %"
        if not is_on_grid(percent, self.step):
            return f"the venue trails in steps of {plain(self.step)} %"
        return ""
