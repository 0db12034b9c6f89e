"""Halts: how much of trading is stopped, from no new exposure to nothing held; and which orders still pass."""

from enum import StrEnum

from pilothouse.core.order import OrderTerms, Purpose


class HaltKind(StrEnum):
    """What a halt stops; each stops all that the ones before it stop.

    NO_NEW_EXPOSURE  nothing that adds is made; what rests stays
    REDUCE_ONLY      and what rests and could add is cancelled
    CANCEL_ALL       and everything that rests is cancelled, but the protection of positions; only closing goes on
    FLATTEN          and every position is closed, again and again, until there is none
    """

    NO_NEW_EXPOSURE = "no_new_exposure"
    REDUCE_ONLY = "reduce_only"
    CANCEL_ALL = "cancel_all"
    FLATTEN = "flatten"

    @property
    def severity(self) -> int:
        """Return how much it stops: 0 to 3."""
        return _ORDER.index(self)

    def stops(self, terms: OrderTerms, purpose: Purpose) -> bool:
        """Say whether an order may not be made under this halt; closing and protecting always may."""
        if purpose.protects or (purpose is Purpose.EXIT and terms.reduce_only):
            return False
        return not terms.reduce_only or self.severity >= HaltKind.CANCEL_ALL.severity

    def cancels(self, terms: OrderTerms, purpose: Purpose) -> bool:
        """Say whether an order that rests is cancelled under this halt; the protection of a position never is."""
        if purpose.protects or self is HaltKind.NO_NEW_EXPOSURE:
            return False
        return not terms.reduce_only or self.severity >= HaltKind.CANCEL_ALL.severity


_ORDER = tuple(HaltKind)
