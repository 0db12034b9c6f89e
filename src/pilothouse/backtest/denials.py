"""What the risk gate did not let through in a run: which order, when, and each limit that it met. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, Self

from pilothouse.core.instrument import Side
from pilothouse.core.risk import Denial
from pilothouse.core.rounding import plain

LISTED_MOST: Final = 1_000
"""So many are kept word for word; all are counted."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """One order that was not made.

    at_ms      when it was decided, milliseconds since 1970, UTC
    quantity   base, above zero
    reasons    at least one
    """

    at_ms: int
    symbol: str
    side: Side
    quantity: Decimal
    reasons: tuple[Denial, ...]


@dataclass(frozen=True, slots=True)
class Denials:
    """All of a run.

    count    orders that were not made
    codes    how many of them met each limit
    listed   the first LISTED_MOST of them
    """

    count: int = 0
    codes: Mapping[str, int] = field(default_factory=dict)
    listed: tuple[Stopped, ...] = ()

    @classmethod
    def of(cls, stopped: Iterable[Stopped]) -> Self:
        """Count them, in the order in which they happened."""
        count, codes, listed = 0, Counter[str](), []
        for one in stopped:
            count += 1
            codes.update(reason.code for reason in one.reasons)
            if count <= LISTED_MOST:
                # Without trailing zeros, as it is written down: what is read again must tell the same, to the letter.
                listed.append(replace(one, quantity=Decimal(plain(one.quantity))))
        return cls(count, dict(sorted(codes.items())), tuple(listed))

    def plain(self, most: int = LISTED_MOST) -> dict[str, Any]:
        """Return them as plain data, for JSON; at most so many word for word."""
        listed = [
            {
                "at_ms": one.at_ms, "symbol": one.symbol, "side": one.side.value, "quantity": plain(one.quantity),
                "reasons": [
                    {"code": why.code, "number": why.number, "limit": why.limit, "message": why.message}
                    for why in one.reasons
                ],
            }
            for one in self.listed[:most]
        ]  # fmt: skip
        return {"count": self.count, "codes": dict(self.codes), "listed": listed}

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """Return them again. Raises KeyError, TypeError, ValueError for what is none."""
        listed = tuple(
            Stopped(
                int(one["at_ms"]), str(one["symbol"]), Side(one["side"]), Decimal(one["quantity"]),
                tuple(Denial(why["code"], why["number"], why["limit"], why["message"]) for why in one["reasons"]),
            )
            for one in told["listed"]
        )  # fmt: skip
        return cls(int(told["count"]), {str(code): int(many) for code, many in told["codes"].items()}, listed)


NONE: Final = Denials()
