"""How a position ends and how large it is, as data: nothing here decides, everything here is checked. Pure.

The same rules are carried out by the compiled kernels, by their slow reference and by running bots.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from pilothouse.core.errors import Invalid, Problem

TARGETS_MOST = 8


class By(StrEnum):
    """In what a distance from the entry price is told.

    PERCENT   of the entry price, 2.0 is 2 %
    ATR       multiples of the average true range at the bar that decided
    PRICE     quote per base
    """

    PERCENT = "percent"
    ATR = "atr"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far from the entry price, above zero."""

    value: float
    by: By = By.PERCENT

    def __post_init__(self) -> None:
        """Refuse what is no distance."""
        if not 0 < self.value < 1e12:
            raise Invalid([Problem("distance", str(self.value), "above zero", "out_of_range")])


@dataclass(frozen=True, slots=True)
class Target:
    """A take-profit: how far away, and which share of the first size leaves there, above 0 up to 1."""

    at: Distance
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Exits:
    """What ends a position besides the strategy's own signals.

    stop                a stop-loss at the market
    targets             take-profits, the nearest first; shares of the first size, together at most 1; the last one with
                        all that is left takes everything
    trail               a stop that follows the best price since entry at this distance, from the highest high of the
                        bars before
    trail_after         how far the price must have gone before it begins to follow; at once, if None
    break_even_after    how far the price must have gone for the stop to move to the entry price
    bars                at most so many bars from the entry; then it leaves at the next open
    """

    stop: Distance | None = None
    targets: tuple[Target, ...] = ()
    trail: Distance | None = None
    trail_after: Distance | None = None
    break_even_after: Distance | None = None
    bars: int | None = None

    def __post_init__(self) -> None:
        """Refuse rules that nobody could carry out."""
        problems = []
        if len(self.targets) > TARGETS_MOST:
            problems.append(Problem("targets", str(len(self.targets)), f"at most {TARGETS_MOST}", "too_many"))
        if any(not 0 < target.share <= 1 for target in self.targets) or sum(t.share for t in self.targets) > 1 + 1e-9:
            problems.append(Problem("targets", "shares", "above 0 each, together at most 1", "out_of_range"))
        if self.bars is not None and self.bars < 1:
            problems.append(Problem("bars", str(self.bars), "1 or more", "out_of_range"))
        if self.trail_after is not None and self.trail is None:
            problems.append(Problem("trail_after", "without a trail", "a trail beside it", "missing"))
        if problems:
            raise Invalid(problems)


class SizeBy(StrEnum):
    """How large a position is.

    FIXED        value is in base, 0.01 BTC
    QUOTE        value is in quote currency, 500 USDT
    PERCENT      value is percent of equity at the decision, times leverage nothing: 100 is all of it
    RISK         value is percent of equity that is lost if the stop fills; needs a stop
    VOLATILITY   value is the yearly volatility in percent that the position should add; by the standard deviation of
                 the last `lookback` returns
    KELLY        value is the largest share of equity in percent; the Kelly fraction of the last `lookback` trades below
    """

    FIXED = "fixed"
    QUOTE = "quote"
    PERCENT = "percent"
    RISK = "risk"
    VOLATILITY = "volatility"
    KELLY = "kelly"


@dataclass(frozen=True, slots=True)
class Size:
    """How large; `lookback` is used by VOLATILITY (bars) and KELLY (trades)."""

    value: float
    by: SizeBy = SizeBy.PERCENT
    lookback: int = 50

    def __post_init__(self) -> None:
        """Refuse a size that is none."""
        if not 0 < self.value < 1e12:
            raise Invalid([Problem("size", str(self.value), "above zero", "out_of_range")])
        if not 2 <= self.lookback <= 100_000:
            raise Invalid([Problem("lookback", str(self.lookback), "2 to 100,000", "out_of_range")])


class Side(StrEnum):
    """Which way a strategy may go."""

    BOTH = "both"
    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything about positions that is not a signal.

    pyramiding   how often an open position may be added to by another signal of its side, 0 or more
    cooldown     bars after an exit in which nothing is opened, 0 or more
    flips        whether a signal of the other side closes what is open and opens anew; else it only closes
    atr_bars     length of the average true range that distances are told in
    """

    exits: Exits = field(default_factory=Exits)
    size: Size = field(default_factory=lambda: Size(100.0))
    side: Side = Side.BOTH
    pyramiding: int = 0
    cooldown: int = 0
    flips: bool = True
    atr_bars: int = 14

    def __post_init__(self) -> None:
        """Refuse rules that contradict each other."""
        problems = [
            Problem(name, str(value), f"{least} or more", "out_of_range")
            for name, value, least in (
                ("pyramiding", self.pyramiding, 0),
                ("cooldown", self.cooldown, 0),
                ("atr_bars", self.atr_bars, 1),
            )
            if value < least
        ]
        if self.size.by is SizeBy.RISK and self.exits.stop is None:
            problems.append(Problem("size", "risk per trade without a stop", "a stop, or another size", "missing"))
        if problems:
            raise Invalid(problems)
