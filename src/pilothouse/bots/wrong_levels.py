"""Levels that stand on the wrong side of an entry: a position that is about to be opened in; a problem for each out.

Pure. A percentage or distance counts from the entry.
"""

from collections.abc import Iterator
from decimal import Decimal

from pilothouse.core.errors import Problem
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.rounding import plain
from pilothouse.core.signals import Guards, Level


def wrong_levels(
    guards: Guards, side: Side, price: Decimal, instrument: Instrument, *, single: bool = False
) -> Iterator[Problem]:
    """Yield a problem for each level that would fill at once, or never could, for a position opened at `price`.

    single   whether the only target was named take_profit
    """
    levels: list[tuple[str, Level | None, bool]] = [("stop_loss", guards.stop_loss, True)]
    for number, target in enumerate(guards.targets):
        levels.append(("take_profit" if single else f"take_profits[{number}]", target.level, False))
    if guards.trailing is not None:
        levels.append(("trailing_stop.activation", guards.trailing.activation, False))
        if guards.trailing.distance is not None:
            levels.append(("trailing_stop.distance", Level(distance=guards.trailing.distance), True))
    for name, level, loses in levels:
        if level is None:
            continue
        below = (side is Side.BUY) == loses
        if level.price is not None and ((level.price < price) != below or level.price == price):
            came = f"{plain(level.price)} with an entry at {plain(price)}"
            yield Problem(name, came, f"a price {'below' if below else 'above'} the entry of a {side}", "wrong_side")
        elif level.price is None and below and _away(level, price) >= price - instrument.tick:
            came = f"{plain(level.percent or level.distance or Decimal(0))} with an entry at {plain(price)}"
            yield Problem(name, came, "so little that the price it stands at is above zero", "below_zero")


def _away(level: Level, price: Decimal) -> Decimal:
    return level.distance if level.distance is not None else price * (level.percent or Decimal(0)) / Decimal(100)
