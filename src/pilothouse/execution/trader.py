"""On whose behalf orders are made: an owner's account at a venue, and whether anything may be sent for it."""

from dataclasses import dataclass
from typing import Self

from pilothouse.accounts.trading_accounts import Mode, TradingAccount
from pilothouse.core.errors import Refused


class AccountDisarmed(Refused):
    """A live account that nobody has armed sends nothing."""

    code = "account_disarmed"


@dataclass(frozen=True, slots=True)
class Trader:
    """On whose behalf an order is made: owner, trading account and its venue.

    may_send   False: everything is decided and shown, nothing is sent
    is_live    whether it is real money, so that it is looked at once more right before the wire
    currency   in which results are settled
    """

    owner_id: str
    account_id: str
    venue: str
    may_send: bool = True
    is_live: bool = False
    currency: str = "USDT"

    @classmethod
    def of(cls, account: TradingAccount) -> Self:
        """Return on whose behalf orders of this account are made."""
        is_live = account.mode is Mode.LIVE
        return cls(account.owner_id, account.id, account.venue, account.may_send, is_live, account.currency)

    def must_be_armed(self) -> None:
        """Raise AccountDisarmed if nothing may be sent for the account."""
        if not self.may_send:
            raise AccountDisarmed("the account is not armed: nothing is sent until somebody arms it")
