"""What one bot holds of an account: the fills of its orders folded, instrument by instrument."""

from decimal import Decimal

from sqlalchemy import select

from pilothouse.core.instrument import Side
from pilothouse.core.position import ZERO
from pilothouse.core.rounding import EXACT
from pilothouse.kit.db import Tx
from pilothouse.ledger.tables import fills


def bought_less_sold(tx: Tx, account_id: str, hook_id: str) -> dict[str, Decimal]:
    """Return what a bot bought less what it sold, base, signed, by symbol; what it has sold again is left out.

    Orders that a person made on the account are nobody's share: a position closed by hand is still in the share of the
    bot that opened it, so who uses this bounds it by what is really held.
    """
    query = select(fills.c.symbol, fills.c.side, fills.c.quantity)
    shares: dict[str, Decimal] = {}
    for row in tx.execute(query.where(fills.c.account_id == account_id, fills.c.hook_id == hook_id)):
        signed = row.quantity * Side(row.side).sign
        shares[row.symbol] = EXACT.add(shares.get(row.symbol, ZERO), signed)
    return {symbol: share for symbol, share in shares.items() if share}
