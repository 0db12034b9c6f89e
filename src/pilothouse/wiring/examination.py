"""Try a credential at its venue before it is kept, or again later: what was found, and whether it may be traded so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import Refused
from pilothouse.core.rounding import plain
from pilothouse.execution.desk import CLOCK_OFF_MOST
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import SharedBooks, Throttle
from pilothouse.venues.catalogue import open_venue
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts, Opening
from pilothouse.venues.port import Examined, VenueAccount
from pilothouse.wiring.house import House

_TRIED = "tried"
"""The id under which a credential is tried that belongs to no account yet."""


@dataclass(frozen=True, slots=True)
class Tested:
    """An account with what its venue said; `found` is None for paper."""

    account: TradingAccount
    found: Mapping[str, Any] | None
    warnings: tuple[str, ...]


class ClockOff(Refused):
    """Our clock and the venue's differ too much for anything that is stamped."""

    code = "clock_off"


class HedgeMode(Refused):
    """The account keeps long and short apart; the house trades one-way."""

    code = "hedge_mode"


class MayNotTrade(Refused):
    """The venue says that this credential may not trade."""

    code = "may_not_trade"


class MayWithdraw(Refused):
    """The credential could take the money away."""

    code = "may_withdraw"


def examine(house: House, key: VenueKey, parts: Mapping[str, Secret], stream_url: str, owner_id: str) -> Examined:
    """Ask the venue about a credential, on connections of its own; nothing is kept and nothing is changed.

    Raises Refused (the venue does not take it) or Unavailable.
    """
    account = VenueAccount(_TRIED, owner_id)
    opening = Opening(
        clock=house.clock,
        data_dir=house.settings.data,
        throttle=Throttle(SharedBooks(house.database), house.clock),
        accounts=Accounts(parts_of=lambda _: parts, all=lambda: [account]),
        stream_url=stream_url,
        seed=house.settings.market_seed,
    )
    venue = open_venue(key, opening)
    try:
        return venue.examine(account)
    finally:
        venue.close()


def check(examined: Examined, *, withdrawals_allowed: bool) -> None:
    """Return if the account may be traded as it was found.

    Raises ClockOff, HedgeMode, MayNotTrade or MayWithdraw, each with what to do.
    """
    off = examined.clock_ahead
    if abs(off) > CLOCK_OFF_MOST:
        seconds, way = abs(off) / timedelta(seconds=1), "behind" if off > timedelta(0) else "ahead of"
        raise ClockOff(
            f"this machine's clock is {seconds:.1f} s {way} the venue's, and {CLOCK_OFF_MOST.seconds} s is the most: "
            "set it, such as with `timedatectl set-ntp true`, and try again"
        )
    if examined.hedge_mode:
        raise HedgeMode(
            "the account is in hedge mode, which keeps long and short apart: choose one-way mode in the venue's "
            "settings, with no position open, and try again"
        )
    if examined.may_trade is False:
        raise MayNotTrade("the venue says that this key may not trade: allow it to, there, and try again")
    if examined.may_withdraw and not withdrawals_allowed:
        raise MayWithdraw(
            "this key may withdraw money, which Pilothouse never needs: take that right from it at the venue, or make "
            "another key; --allow-withdrawals (allow_withdrawals) takes it as it is"
        )


def found(examined: Examined) -> dict[str, Any]:
    """Return what was found, as plain data without secrets."""
    balance = examined.balance
    return {
        "label": examined.label,
        "clock_ahead_ms": examined.clock_ahead // timedelta(milliseconds=1),
        "position_mode": "hedge" if examined.hedge_mode else "one_way",
        "may_trade": examined.may_trade,
        "may_withdraw": examined.may_withdraw,
        "asset": balance.asset,
        "wallet": balance.wallet,
        "available": balance.available,
        "positions": [{"symbol": each.symbol, "quantity": each.quantity} for each in examined.positions],
    }


def remarks(examined: Examined) -> list[str]:
    """Return what does not speak against trading it, and should be known."""
    said = []
    if examined.may_withdraw:
        said.append("this key may withdraw money; whoever has it can take everything")
    elif examined.may_withdraw is None:
        said.append("the venue does not say whether this key may withdraw: look there, and take that right from it")
    if examined.balance.wallet == 0:
        said.append(f"there is no {examined.balance.asset} on the account")
    if examined.positions:
        held = ", ".join(f"{plain(each.quantity)} {each.symbol}" for each in examined.positions)
        said.append(
            f"it holds positions that Pilothouse has not made ({held}): the books begin with them, at their entry "
            "prices and without a stop-loss; alerts in these instruments count with them"
        )
    return said
