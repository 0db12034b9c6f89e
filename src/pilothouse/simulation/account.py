"""A venue account as a fold of its trades and movements: wallet, holdings, settings, open orders. Whole numbers only.

Average cost, as USD-margined venues keep it, with the same single rounding as core.position, so that what this venue
reports as realised is what the books compute, to the unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import divided_even
from pilothouse.simulation.margin import initial, maintenance, required
from pilothouse.simulation.orders import Order
from pilothouse.simulation.slots import BOTH, SIDES, side_of, slot, symbol_of

LEVERAGE_DEFAULT = 10


@dataclass(slots=True)
class Holding:
    """What an account holds in one instrument, and how it is set there.

    lots      signed
    cost      quote units, same sign as `lots`
    isolated  quote units set aside for this position; zero unless `is_isolated` and not flat
    """

    lots: int = 0
    cost: int = 0
    isolated: int = 0
    leverage: int = LEVERAGE_DEFAULT
    is_isolated: bool = False

    def trade(self, contract: Contract, sign: int, ticks: int, lots: int) -> int:
        """Book a trade of `lots` (above zero) at `ticks`; return the realised result before commission, quote units.

        A trade larger than an opposite position closes all of it and opens the rest the other way.
        """
        each = ticks * contract.unit
        held = self.lots
        closed = min(abs(held), lots) if held * sign < 0 else 0
        opened = lots - closed
        realised = 0
        if closed:
            whole = closed == abs(held)
            share = self.cost if whole else divided_even(self.cost * closed, abs(held))
            realised = (closed if held > 0 else -closed) * each - share
            self.cost -= share
            self.isolated = 0 if whole else self.isolated - self.isolated * closed // abs(held)
        self.lots = held + sign * lots
        if opened:
            self.cost += sign * opened * each
            if self.is_isolated:
                self.isolated += initial(opened * each, self.leverage)
        return realised

    def notional(self, contract: Contract, mark: int) -> int:
        """Return the signed worth at `mark`, quote units."""
        return self.lots * mark * contract.unit

    def unrealised(self, contract: Contract, mark: int) -> int:
        """Return the open result at `mark`, quote units."""
        return self.lots * mark * contract.unit - self.cost


@dataclass(slots=True)
class Account:
    """One account at the venue.

    wallet     quote units, isolated margins included
    orders     the open ones by number
    by_client  number of the open order with that client id
    holdings   by slot: the symbol, or symbol and side where the account is hedged
    hedged     whether longs and shorts of one instrument stand side by side
    maker_ppm, taker_ppm   its own commissions; None: those of the contract
    stp        what happens when it would trade with itself: NONE, EXPIRE_TAKER, EXPIRE_MAKER or EXPIRE_BOTH
    """

    id: str
    owner_id: str
    wallet: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    by_client: dict[str, int] = field(default_factory=dict)
    hedged: bool = False
    maker_ppm: int | None = None
    taker_ppm: int | None = None
    stp: str = "EXPIRE_MAKER"

    def holding(self, key: str) -> Holding:
        """Return the holding of a slot; a flat one is made at first sight, set like the others of its instrument."""
        found = self.holdings.get(key)
        if found is None:
            found = self.holdings[key] = Holding()
            symbol = symbol_of(key)
            for side in SIDES:
                like = self.holdings.get(slot(symbol, side))
                if like is not None and like is not found:
                    found.leverage, found.is_isolated = like.leverage, like.is_isolated
                    break
        return found

    def reducible(self, symbol: str, sign: int, side: str = BOTH) -> int:
        """Return how many lots an order of that sign could close."""
        held = self.holdings.get(slot(symbol, side))
        return abs(held.lots) if held is not None and held.lots * sign < 0 else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account is worth at given marks; all quote units.

    wallet          money, isolated margins included
    isolated        the part of the wallet set aside for isolated positions
    unrealised      open result of all positions
    cross_unrealised  of those that are not isolated
    initial         margin bound by positions and open orders, all together
    cross_bound     what of it must come out of the cross wallet
    maintenance     of all positions
    cross_maintenance  of those that are not isolated
    """

    wallet: int
    isolated: int
    unrealised: int
    cross_unrealised: int
    initial: int
    cross_bound: int
    maintenance: int
    cross_maintenance: int

    @property
    def cross_wallet(self) -> int:
        """Return the money that backs every position that is not isolated."""
        return self.wallet - self.isolated

    @property
    def margin_balance(self) -> int:
        """Return wallet and open result together: what the account is worth."""
        return self.wallet + self.unrealised

    @property
    def cross_balance(self) -> int:
        """Return what backs the cross positions now."""
        return self.cross_wallet + self.cross_unrealised

    @property
    def available(self) -> int:
        """Return what new exposure may bind: never below zero."""
        return max(0, self.cross_balance - self.cross_bound)


def pending(account: Account, contract: Contract, mark: int, side: str = BOTH) -> tuple[int, int]:
    """Return the notionals of open buys and sells that may add exposure in one slot, quote units."""
    buys = sells = 0
    for order in account.orders.values():
        if order.symbol != contract.symbol or order.side != side or not order.binds_margin:
            continue
        worth = order.left * (order.price if order.price is not None else mark) * contract.unit
        if order.sign > 0:
            buys += worth
        else:
            sells += worth
    return buys, sells


def standing(account: Account, contracts: Mapping[str, Contract], marks: Mapping[str, int]) -> Standing:
    """Return what the account is worth at `marks` (ticks by symbol)."""
    isolated = unrealised = cross_unrealised = bound = cross_bound = kept = cross_kept = 0
    for key, holding in account.holdings.items():
        if not holding.lots and not account.orders:
            continue
        symbol = symbol_of(key)
        contract, mark = contracts[symbol], marks[symbol]
        notional = holding.notional(contract, mark)
        buys, sells = pending(account, contract, mark, side_of(key)) if account.orders else (0, 0)
        needs = required(notional, buys, sells, holding.leverage)
        open_result = holding.unrealised(contract, mark)
        keeps = maintenance(contract, abs(notional)) if holding.lots else 0
        unrealised += open_result
        bound += needs
        kept += keeps
        if holding.is_isolated:
            isolated += holding.isolated
            # The position's own margin is already set aside; only what its open orders would add is still free to go.
            cross_bound += needs - initial(abs(notional), holding.leverage)
        else:
            cross_unrealised += open_result
            cross_bound += needs
            cross_kept += keeps
    return Standing(account.wallet, isolated, unrealised, cross_unrealised, bound, cross_bound, kept, cross_kept)
