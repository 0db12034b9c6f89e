"""The margin that all positions of a run in turns stand for: who is held goes in; who is closed comes out. Pure.

The law is that of the compiled portfolio: the account is judged at the opens, and on the way to the worst price of
every position at once, a stop ending the way of its own. Nobody knows whether those prices came together; that they did
is the worse for the holder.
"""

from collections.abc import Callable
from typing import NamedTuple

from pilothouse.backtest.result import Reason
from pilothouse.backtest.spec import PPM
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_orders import Leg

StopOf = Callable[[Leg], int | None]


class Closed(NamedTuple):
    """A position that was closed by force: signed lots of the closing order, and its price in ticks."""

    leg: Leg
    lots: int
    price: int


def called(account: Account, stop_of: StopOf | None) -> list[Closed]:
    """Close everything by force if the account is not worth what its positions must be worth together.

    stop_of   None: judged at the opens; else on the way through the bar from `came` of each position on, of which it
              tells the price at which its own stop ends that way
    """
    held = [leg for leg in account.legs if leg.pos]
    for leg in held:
        if stop_of is None or leg.lane.now != account.step:
            leg.came = leg.lane.last
    worst = {id(leg): leg.came if stop_of is None else _worst(account, leg, stop_of(leg)) for leg in held}
    at_first = account.cash + sum(_free(leg, leg.came) for leg in held)
    at_worst = account.cash + sum(_free(leg, worst[id(leg)]) for leg in held)
    if not held or (at_first > 0 and at_worst > 0):
        return []
    share = 0
    if at_first > 0:
        share = PPM if at_worst == 0 else min(at_first * PPM // (at_first - at_worst) + 1, PPM)
    for leg in held:
        way = abs(leg.came - worst[id(leg)])
        leg.came -= (1 if leg.pos > 0 else -1) * -(-way * share // PPM)
    # What has no bar now cannot be sold now: it goes when it has one.
    return [_forced(account, leg, held) for leg in held if leg.lane.now == account.step]


def _free(leg: Leg, price: int) -> int:
    """Return what a position is worth at a price, beyond what it must be worth."""
    value = leg.pos * price * leg.lane.units
    return value - -(-abs(value) * leg.lane.costs.maintenance_ppm // PPM)


def _worst(account: Account, leg: Leg, stop: int | None) -> int:
    """Return the worst price of a position on its way through the bar; a stop ends the way."""
    lane = leg.lane
    if lane.now != account.step:
        return leg.came
    if leg.pos > 0:
        return min(leg.came, lane.low if stop is None else max(lane.low, stop))
    return max(leg.came, lane.high if stop is None else min(lane.high, stop))


def _forced(account: Account, leg: Leg, held: list[Leg]) -> Closed:
    """Close a position at its price in `came`, or a better one where nothing would be left: nobody loses more."""
    rest = account.cash + sum(other.pos * other.came * other.lane.units for other in held if other is not leg)
    price, pos, each = leg.came, leg.pos, abs(leg.pos) * leg.lane.units
    if rest + pos * price * leg.lane.units < 0:
        price = -(rest // each) if pos > 0 else max(rest, 0) // each
    price = max(price, 1)
    account.leave(leg, abs(pos), price, Reason.LIQUIDATION, maker=False)
    return Closed(leg, -pos, price)
