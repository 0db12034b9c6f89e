"""A funding rate: what holders of a perpetual paid or got at one instant."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class FundingRate:
    """A rate that was settled: above zero longs paid `rate` times the value of their position to shorts.

    at     UTC, when it was due
    rate   a share: 0.0001 is 0.01 %
    """

    at: datetime
    rate: Decimal
