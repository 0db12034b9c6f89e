"""A paper account starts over: at its venue, in the books, and in the record of who did it."""

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import Mode, NotPaper
from pilothouse.core.errors import Unavailable
from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.trader import Trader
from pilothouse.kit.db import Tx
from pilothouse.ledger import high_water
from pilothouse.ledger.exposure import holdings
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring.house import House


def start_over(house: House, owner_id: str, account_id: str, *, by: str) -> None:
    """Cancel and settle everything of a paper account and give it its first deposit again; its history stays.

    The venue goes first. If the house dies after that, the books follow when they are next compared with the venue,
    and only the count of starts is missing.

    Raises AccountNotFound, NotPaper, Unavailable if this process does not step the paper venue, Unknown.
    """
    account = house.database.read(lambda tx: trading_accounts.get(tx, owner_id, account_id))
    if account.mode is not Mode.PAPER:
        raise NotPaper(f"the account {account.name!r} is {account.mode}: only paper money can start over")
    venue = house.venues.open(account)
    if not isinstance(venue, PaperVenue):
        raise Unavailable("the paper market is run by another process of this house: ask there")
    venue_account = VenueAccount(account.id, account.owner_id)
    venue.reset_account(venue_account, venue.opening_deposit(venue_account))
    reconcile(house.desk, Trader.of(account))
    now = house.clock.now()

    def work(tx: Tx) -> None:
        wallet = holdings(tx, account_id, now, account.currency).wallet
        high_water.begin_anew(tx, owner_id=owner_id, account_id=account_id, equity=wallet, now=now)
        fresh = trading_accounts.start_over(tx, owner_id, account_id, now=now, who=by)
        payload = {"generation": fresh.generation, "by": by}
        tx.announce(Fact(FactKind.ACCOUNT_RESET, owner_id, now, account_id, payload))

    house.database.write(work, name="account reset")
