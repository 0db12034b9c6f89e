"""The paper venue: real rules, made-up market, no money. It dies and returns with the process and forgets nothing.

The floor in memory decides; whatever an answer depends on is durable in a journal of its own before the answer is
given.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TypeVar

from pilothouse.core.candle import Candle
from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import Conflict, NotFound, Refused, Unavailable
from pilothouse.core.errors import Unknown as OutcomeUnknown
from pilothouse.core.fill import Fill
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.simulation import exchange
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.simulation.market import STEP_US
from pilothouse.simulation.orders import Asked, Order, Refusal
from pilothouse.venues import paper_history as history
from pilothouse.venues import paper_words as words
from pilothouse.venues.card import Card
from pilothouse.venues.paper_card import CARD
from pilothouse.venues.paper_durable import DurableFloor
from pilothouse.venues.paper_faults import Fault, PaperFaults, Strikes
from pilothouse.venues.paper_listeners import PaperListeners
from pilothouse.venues.paper_orders import PaperOrders, in_window
from pilothouse.venues.port import (
    AccountEvent,
    AmendOutcome,
    CancelOutcome,
    Examined,
    FindOutcome,
    FundingPayment,
    MarginType,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Transfer,
    VenueAccount,
    VenueBalance,
    VenuePosition,
)
from pilothouse.venues.replace import replace_order

T = TypeVar("T")

_CATCH_UP_STEPS = 4


class PaperVenue:
    """The paper venue; safe to call from several threads. Open once for each journal file; `close()` it."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        seed: int = 1,
        witness: Callable[[str], None] | None = None,
        faults: PaperFaults | None = None,
    ) -> None:
        """Open the journal at `url` (an SQLite file, made if it is not there) and go on where it ended.

        seed      of the price process; the same seed from the same state is the same path
        witness   as in kit.db: called around each commit of the journal, for tests that die there
        faults    what is to go wrong, for tests
        """
        self._clock = clock
        self._faults = faults
        self._floor = self._open(url, seed, witness)
        self._stepped_at = micros(clock.now())
        self._strike = Strikes(faults)
        self._listeners = PaperListeners(self._strike)
        self._orders = PaperOrders(self._floor, clock, self._strike, self._listeners.tell, self)

    def _open(self, url: str, seed: int, witness: Callable[[str], None] | None) -> DurableFloor:
        return DurableFloor(url, clock=self._clock, blank=partial(Floor, seed), witness=witness)

    @property
    def settlement(self) -> str:
        """Return the currency in which every account here is kept."""
        return self._floor.settlement

    def close(self) -> None:
        """Finish what is under way and let go of the journal."""
        self._floor.close()

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    @property
    def card(self) -> Card:
        """Return what this venue can do."""
        return self._as_faults_have_it(CARD)

    def _as_faults_have_it(self, card: Card) -> Card:
        return replace(card, in_one_go=False) if self._faults is not None and self._faults.one_by_one else card

    def instruments(self) -> Sequence[Instrument]:
        """Return everything that can be traded here."""
        return [contract.instrument for contract in self._floor.contracts.values()]

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Return the present prices of `symbols`; none named: of every market."""
        now = micros(self._clock.now())
        quotes = self._floor.glance(lambda floor: words.quotes(floor, now))
        return [quote for quote in quotes if not symbols or quote.symbol in symbols]

    def follow(self, symbols: Collection[str]) -> None:
        """Every market is followed always."""

    def timeframes(self) -> tuple[str, ...]:
        """Return none: made-up prices are no history."""
        return ()

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Have none. Raises NotFound."""
        raise NotFound("the simulated market keeps no candles: made-up prices are no history")

    def tells_funding(self) -> bool:
        """Say that there is no history of funding."""
        return False

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Have none. Raises NotFound."""
        raise NotFound("the simulated market keeps no funding rates: made-up prices are no history")

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders one after the other; all of them become durable in one commit. Never raises for an order."""
        return self._orders.place(account, orders)

    def make_ready(self, orders: Sequence[OrderRequest], arrived: int) -> None:
        """Know what orders that have arrived will meet; a made-up market always does."""

    def take_in(self, floor: Floor, account_id: str, asked: Asked, at: tuple[int, int]) -> Order | Refusal:
        """Let an order that can be read arrive on the floor; `at`: now, and when it came to the venue."""
        return exchange.place(floor, account_id, asked, at[0])

    def deliver_late(self) -> None:
        """Let the requests arrive that a fault held back; they are told by event, as nobody waits for an answer."""
        self._orders.deliver_late()

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """Cancel one order."""
        return self._orders.cancel(account, symbol, client_order_id)

    def amend(self, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
        """Change price or size of a resting order: it is ended, and another takes its place."""
        return replace_order(self, account, client_order_id, wanted)

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for the latest order of that id, open or not, with all of its fills."""
        return self._orders.find(account, symbol, client_order_id)

    def open_orders(self, account: VenueAccount) -> list[OrderReport]:
        """Return every order that stands."""
        return self._orders.open_orders(account)

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def fills_after(self, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Return the fills behind `venue_trade_id`, oldest first."""
        self._strike.may_read()
        return history.fills_after(self._floor, account, symbol, venue_trade_id)

    def funding_after(self, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
        """Return the funding payments behind `venue_id`, oldest first."""
        self._strike.may_read()
        return history.funding_after(self._floor, account, venue_id)

    def transfers_after(self, account: VenueAccount, venue_id: str | None) -> list[Transfer]:
        """Return what came in or left behind `venue_id`, oldest first; what insurance paid is among it."""
        self._strike.may_read()
        return history.transfers_after(self._floor, account, venue_id, self.settlement)

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, account: VenueAccount) -> list[VenuePosition]:
        """Return every position that is not flat."""

        def look(floor: Floor, its: Account) -> list[VenuePosition]:
            found = (words.position(floor, its, symbol) for symbol in its.holdings)
            return [position for position in found if position is not None]

        return self._standing(account, look)

    def balance(self, account: VenueAccount) -> VenueBalance:
        """Return what the account holds."""
        return self._standing(account, lambda floor, its: words.balance(floor.standing(its), floor.settlement))

    def examine(self, account: VenueAccount) -> Examined:
        """Try an account. Raises NotFound or Unavailable."""
        return Examined(
            label=account.id,
            clock_ahead=timedelta(0),
            balance=self.balance(account),
            hedge_mode=False,
            may_trade=True,
            may_withdraw=False,
            positions=tuple(self.positions(account)),
        )

    def settings(self, account: VenueAccount, symbol: str) -> tuple[int, MarginType]:
        """Return leverage and margin type in one instrument."""
        self._known(symbol)

        def look(floor: Floor, its: Account) -> tuple[int, MarginType]:
            holding = self._holding(floor, its, symbol)
            return holding.leverage, MarginType.ISOLATED if holding.is_isolated else MarginType.CROSSED

        return self._standing(account, look)

    def set_leverage(
        self, account: VenueAccount, symbol: str, leverage: int, stamped_at: datetime | None = None
    ) -> int:
        """Set the leverage and return it."""
        change = partial(exchange.set_leverage, account_id=account.id, symbol=symbol, leverage=leverage)
        self._set(account, symbol, change, stamped_at)
        return leverage

    def set_margin_type(
        self, account: VenueAccount, symbol: str, margin_type: MarginType, stamped_at: datetime | None = None
    ) -> MarginType:
        """Set the margin type and return it."""
        isolated = margin_type is MarginType.ISOLATED
        change = partial(exchange.set_margin_type, account_id=account.id, symbol=symbol, isolated=isolated)
        self._set(account, symbol, change, stamped_at)
        return margin_type

    def _set(
        self,
        account: VenueAccount,
        symbol: str,
        setting: Callable[[Floor], Refusal | None],
        stamped_at: datetime | None,
    ) -> None:
        self._known(symbol)
        instant = self._clock.now()
        if stamped_at is not None and not in_window(stamped_at, instant):
            raise Unavailable(f"the request was stamped {stamped_at}, at {instant} it is outside of the window (-1021)")
        struck = self._strike("set")
        if Fault.LOSE_REQUEST in struck:
            raise OutcomeUnknown("the request was lost")

        def change(floor: Floor, _: int) -> Refusal | None:
            _of(floor, account)
            return setting(floor)

        refusal = self._done("paper_set", change)
        if self._strike.loses(struck):
            raise OutcomeUnknown("the answer was lost")
        if refusal is not None:
            raise Refused(f"{refusal.message} ({refusal.code})")

    # ── Accounts ──────────────────────────────────────────────────────────────────────────────────

    def open_account(self, account: VenueAccount, deposit: Decimal) -> Transfer:
        """Open a paper account with `deposit` and return the transfer; if it is open already, its first transfer."""
        amount = words.units(deposit)

        def change(floor: Floor, now: int) -> None:
            found = floor.accounts.get(account.id)
            if found is None:
                exchange.open_account(floor, account.id, account.owner_id, amount, now)
            elif found.owner_id != account.owner_id:
                raise Conflict(f"the paper account {account.id} belongs to somebody else")

        self._done("paper_open_account", change)
        return history.first_transfer(self._floor, account, self.settlement)

    def opening_deposit(self, account: VenueAccount) -> Decimal:
        """Return what the account was opened with. Raises NotFound for one that is not open."""
        return history.first_transfer(self._floor, account, self.settlement).amount

    def reset_account(self, account: VenueAccount, deposit: Decimal) -> None:
        """Start an account again with `deposit`; its history stays.

        Open orders are cancelled, positions settled at the mark price without a fee, and one transfer sets the wallet
        right: who folds fills, funding and transfers arrives at the same numbers. Told as events like anything else.
        """
        amount = words.units(deposit)

        def change(floor: Floor, now: int) -> None:
            _of(floor, account)
            exchange.reset_account(floor, account.id, amount, now)

        self._done("paper_reset_account", change)

    # ── Time and prices ───────────────────────────────────────────────────────────────────────────

    def step(self, now: datetime) -> None:
        """Let the market make the steps that are due at `now`, and tell what came of them once it is durable.

        To be called about four times a second. After a pause it makes a few steps at most: prices go on from where
        they were, they do not run through the time in which nobody looked.
        """
        instant = micros(now)

        def change(floor: Floor, _: int) -> bool:
            self._stepped_at = min(self._stepped_at, instant)  # the machine's clock may have been set back
            due = (instant - self._stepped_at) // STEP_US
            if due > _CATCH_UP_STEPS:
                due, self._stepped_at = _CATCH_UP_STEPS, instant
            elif due > 0:
                self._stepped_at += due * STEP_US
            for _step in range(due):
                exchange.step(floor, instant)
            exchange.pay_funding(floor, instant)
            return due > 0

        self._move("paper_step", change, instant, at_once=False)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Put a market at `price`; open orders meet it there, and it goes on from there. Raises OffGrid, NotFound."""
        self._known(symbol)
        contract = self._floor.contracts[symbol]
        ticks = int(contract.instrument.price(price) / contract.instrument.tick)

        def change(floor: Floor, now: int) -> bool:
            exchange.set_price(floor, symbol, ticks, now)
            return True

        self._move("paper_set_price", change, micros(self._clock.now()), at_once=True)

    def _move(self, name: str, change: Callable[[Floor, int], bool], instant: int, *, at_once: bool) -> None:
        """Do what moves markets; tell events and quotes once all of it is durable."""

        def with_quotes(floor: Floor, now: int) -> list[Quote]:
            return words.quotes(floor, instant) if change(floor, now) else []

        def answer(quotes: list[Quote], changes: Changes) -> tuple[list[Quote], list[AccountEvent]]:
            return quotes, words.events(self._floor.contracts, changes)

        quotes, events = self._floor.change(name, with_quotes, answer, at_once=at_once).certain()
        self._listeners.tell(events)
        self._listeners.tell_quotes(quotes)

    # ── Listeners ─────────────────────────────────────────────────────────────────────────────────

    def listen(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink`, on whichever thread caused it; return what stops it."""
        return self._listeners.to_one(account, sink)

    def listen_to_all(self, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of every account to `sink`, on whichever thread caused it; return what stops it."""
        return self._listeners.to_all(sink)

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand the present quotes to `sink` at once and then after every step; return what stops it."""
        stop = self._listeners.to_quotes(sink)
        sink(self.quotes())
        return stop

    def _holding(self, _: Floor, its: Account, symbol: str) -> Holding:
        return its.holding(symbol)

    def _known(self, symbol: str) -> None:
        if symbol not in self._floor.contracts:
            raise NotFound(f"there is no instrument {symbol}")

    # ── What is shared ────────────────────────────────────────────────────────────────────────────

    def _done(self, name: str, change: Callable[[Floor, int], T]) -> T:
        """Change the floor, wait until it is durable, tell the events. Raises Unknown if it could not be written."""
        result, events = self._floor.change(
            name, change, lambda result, changes: (result, words.events(self._floor.contracts, changes))
        ).certain()
        self._listeners.tell(events)
        return result

    def _standing(self, account: VenueAccount, look: Callable[[Floor, Account], T]) -> T:
        """Read the floor of one account; the answer is given once what it saw is durable."""
        self._strike.may_read()
        return self._floor.see(lambda floor: look(floor, _of(floor, account)))


def _of(floor: Floor, account: VenueAccount) -> Account:
    found = floor.accounts.get(account.id)
    if found is None or found.owner_id != account.owner_id:
        raise NotFound(f"there is no paper account {account.id}")
    return found
