"""The paper venue: real rules, made-up market, no money. It dies and returns with the process and forgets nothing.

The floor in memory decides; whatever an answer depends on is durable in a journal of its own before the answer is
given. Answers come from one thread at a time, their pages are made durable in groups.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import Conflict, NotFound, PilothouseError, Refused, Unavailable
from pilothouse.core.errors import Unknown as OutcomeUnknown
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.kit.db import Database, Tx
from pilothouse.simulation import exchange
from pilothouse.simulation.account import Account
from pilothouse.simulation.contracts import CONTRACTS
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.simulation.market import STEP_US
from pilothouse.simulation.orders import Asked, Execution, MovementKind, Order, Refusal
from pilothouse.venues import paper_journal as journal
from pilothouse.venues import paper_words as words
from pilothouse.venues.paper_card import ACCEPTANCE_WINDOW, CARD
from pilothouse.venues.paper_faults import Fault, PaperFaults
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AccountEvent,
    CancelOutcome,
    Card,
    FindOutcome,
    FundingPayment,
    Gone,
    MarginType,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Transfer,
    Unknown,
    VenueAccount,
    VenueBalance,
    VenuePosition,
)

T = TypeVar("T")
R = TypeVar("R")

AHEAD_MAX = timedelta(seconds=1)
"""A request stamped later than this from now is refused: its clock is wrong."""

_CATCH_UP_STEPS = 4
_WRITE_EVERY_STEPS = 8
_NOBODY: frozenset[int] = frozenset()
_NO_FAULT: frozenset[Fault] = frozenset()

Placed = tuple[OrderRequest, Order | Refusal]


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
        journal.prepare(url, clock)
        self._clock = clock
        self._seed = seed
        self._faults = faults
        self._database = Database(url, clock=clock, witness=witness, readers=4)
        self._lock = threading.Lock()
        self._floor, self._journal = journal.rebuild(self._database, seed)
        self._last: Future[None] | None = None
        self._whole = True
        self._stepped_at = micros(clock.now())
        self._moved: dict[str, None] = dict.fromkeys(CONTRACTS)
        self._funded_at = self._floor.funded_at
        self._unwritten_steps = 0
        self._late: list[tuple[VenueAccount, tuple[OrderRequest, ...]]] = []
        self._sinks: tuple[Callable[[AccountEvent], None], ...] = ()
        self._watchers: tuple[Callable[[Sequence[Quote]], None], ...] = ()

    def close(self) -> None:
        """Finish what is under way and let go of the journal."""
        self._database.close()

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    @property
    def card(self) -> Card:
        """Return what this venue can do."""
        return CARD

    def instruments(self) -> Sequence[Instrument]:
        """Return everything that can be traded here."""
        return [contract.instrument for contract in CONTRACTS.values()]

    def quotes(self) -> list[Quote]:
        """Return the present prices of every market."""
        with self._lock:
            now = micros(self._clock.now())
            return [words.quote(desk, now) for desk in self._intact().desks.values()]

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders one after the other; all of them become durable in one commit. Never raises for an order."""
        struck = self._strike("place")
        if Fault.LOSE_REQUEST in struck:
            return [Unknown("the request was lost")] * len(orders)
        if Fault.ARRIVE_LATE in struck:
            self._late.append((account, tuple(orders)))
            return [Unknown("no answer came")] * len(orders)
        if Fault.REFUSE in struck:
            return [Rejected("-2010", "the venue refuses new orders")] * len(orders)
        outcomes = self._place(account, orders, tell_immediate=Fault.TELL_IMMEDIATE in struck)
        return [Unknown("the answer was lost")] * len(orders) if self._loses(struck) else outcomes

    def deliver_late(self) -> None:
        """Let the requests arrive that a fault held back; they are told by event, as nobody waits for an answer."""
        late, self._late = self._late, []
        for account, orders in late:
            self._place(account, orders, tell_immediate=True)

    def _place(
        self, account: VenueAccount, orders: Sequence[OrderRequest], *, tell_immediate: bool
    ) -> list[PlaceOutcome]:
        def change(floor: Floor, now: int) -> list[Placed]:
            instant = self._clock.now()
            return [(request, self._place_one(floor, account, request, instant, now)) for request in orders]

        def answers(placed: list[Placed], changes: Changes) -> tuple[list[PlaceOutcome], list[AccountEvent]]:
            by_order = _by_order(changes)
            mine = {order.number for _, order in placed if isinstance(order, Order)}
            told = _events(changes, by_order, _NOBODY if tell_immediate else frozenset(mine))
            return [_outcome(request, order, by_order) for request, order in placed], told

        try:
            (outcomes, events), durable = self._change("paper_place", change, answers)
        except PilothouseError as error:
            return [Unknown(f"the paper venue does not answer: {error}")] * len(orders)
        problem = _problem(durable)
        if problem is not None:
            lost = Unknown(f"the paper venue could not write it down: {problem}")
            return [outcome if isinstance(outcome, Rejected) else lost for outcome in outcomes]
        self._tell(events)
        return outcomes

    @staticmethod
    def _place_one(
        floor: Floor, account: VenueAccount, request: OrderRequest, instant: datetime, now: int
    ) -> Order | Refusal:
        if not -AHEAD_MAX <= instant - request.stamped_at <= ACCEPTANCE_WINDOW:
            return Refusal(
                "-1021", f"the request was stamped {request.stamped_at}, at {instant} it is outside of the window"
            )
        asked = words.asked(request)
        return exchange.place(floor, account.id, asked, now) if isinstance(asked, Asked) else asked

    def cancel(self, account: VenueAccount, symbol: str, client_order_id: str) -> CancelOutcome:
        """Cancel one order."""
        struck = self._strike("cancel")
        if Fault.LOSE_REQUEST in struck:
            return Unknown("the request was lost")
        if Fault.REFUSE in struck:
            return Rejected("-2011", "the venue refuses to cancel")

        def change(floor: Floor, now: int) -> Order | None:
            return exchange.cancel(floor, account.id, client_order_id, symbol, now)

        def answer(order: Order | None, _: Changes) -> OrderReport | None:
            return None if order is None else words.report(order)

        try:
            report, durable = self._change("paper_cancel", change, answer)
        except PilothouseError as error:
            return Unknown(f"the paper venue does not answer: {error}")
        problem = _problem(durable)
        if problem is not None:
            return Unknown(f"the paper venue could not write it down: {problem}")
        if self._loses(struck):
            return Unknown("the answer was lost")
        if report is not None:
            return Accepted(report)
        found = self._find(account, symbol, client_order_id)
        return Gone(found.report if isinstance(found, Accepted) else None)

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for the latest order of that id, open or not, with all of its fills."""
        struck = self._strike("find")
        if struck & {Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.REFUSE}:
            return Unknown("the question was lost")
        found = self._find(account, symbol, client_order_id)
        return Unknown("the answer was lost") if self._loses(struck) else found

    def _find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        def look(tx: Tx) -> FindOutcome:
            order = journal.latest_order(tx, account.id, client_order_id)
            if order is None or order.symbol != symbol:
                return Absent()
            return Accepted(words.report(order, journal.executions_of(tx, order.number)))

        try:
            return self._look(look)
        except PilothouseError as error:
            return Unknown(f"the paper venue does not answer: {error}")

    def open_orders(self, account: VenueAccount) -> list[OrderReport]:
        """Return every order that stands."""
        self._may_read()
        return self._look(lambda tx: [words.report(order) for order in journal.open_orders(tx, account.id)])

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def fills_after(self, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Return the fills behind `venue_trade_id`, oldest first."""
        self._may_read()
        after = int(venue_trade_id or 0)
        return self._look(
            lambda tx: [words.fill(trade) for trade in journal.executions_after(tx, account.id, symbol, after)]
        )

    def funding_after(self, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
        """Return the funding payments behind `venue_id`, oldest first."""
        self._may_read()
        after, kind = int(venue_id or 0), MovementKind.FUNDING
        return self._look(lambda tx: [words.funding(m) for m in journal.movements_after(tx, account.id, after, kind)])

    def transfers_after(self, account: VenueAccount, venue_id: str | None) -> list[Transfer]:
        """Return what came in or left behind `venue_id`, oldest first; what insurance paid is among it."""
        self._may_read()
        after, kinds = int(venue_id or 0), (MovementKind.TRANSFER, MovementKind.INSURANCE)
        return self._look(
            lambda tx: [words.transfer(m) for m in journal.movements_after(tx, account.id, after, *kinds)]
        )

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, account: VenueAccount) -> list[VenuePosition]:
        """Return every position that is not flat."""

        def look(floor: Floor, its: Account) -> list[VenuePosition]:
            found = (words.position(floor, its, symbol) for symbol in its.holdings)
            return [position for position in found if position is not None]

        return self._standing(account, look)

    def balance(self, account: VenueAccount) -> VenueBalance:
        """Return what the account holds."""
        return self._standing(account, lambda floor, its: words.balance(floor.standing(its)))

    def settings(self, account: VenueAccount, symbol: str) -> tuple[int, MarginType]:
        """Return leverage and margin type in one instrument."""
        _known(symbol)

        def look(_: Floor, its: Account) -> tuple[int, MarginType]:
            holding = its.holding(symbol)
            return holding.leverage, MarginType.ISOLATED if holding.is_isolated else MarginType.CROSSED

        return self._standing(account, look)

    def set_leverage(self, account: VenueAccount, symbol: str, leverage: int) -> int:
        """Set the leverage and return it."""
        self._set(account, symbol, lambda floor: exchange.set_leverage(floor, account.id, symbol, leverage))
        return leverage

    def set_margin_type(self, account: VenueAccount, symbol: str, margin_type: MarginType) -> MarginType:
        """Set the margin type and return it."""
        isolated = margin_type is MarginType.ISOLATED
        self._set(account, symbol, lambda floor: exchange.set_margin_type(floor, account.id, symbol, isolated=isolated))
        return margin_type

    def _set(self, account: VenueAccount, symbol: str, setting: Callable[[Floor], Refusal | None]) -> None:
        _known(symbol)
        struck = self._strike("set")
        if Fault.LOSE_REQUEST in struck:
            raise OutcomeUnknown("the request was lost")

        def change(floor: Floor, _: int) -> Refusal | None:
            _of(floor, account)
            return setting(floor)

        refusal = self._done("paper_set", change)
        if self._loses(struck):
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
        return self._look(
            lambda tx: words.transfer(journal.movements_after(tx, account.id, 0, MovementKind.TRANSFER)[0])
        )

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
            due = (instant - self._stepped_at) // STEP_US
            if due > _CATCH_UP_STEPS:
                due, self._stepped_at = _CATCH_UP_STEPS, instant
            elif due > 0:
                self._stepped_at += due * STEP_US
            for _step in range(due):
                exchange.step(floor, instant)
            exchange.pay_funding(floor, instant)
            return due > 0

        self._move("paper_step", change, instant)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Put a market at `price`; open orders meet it there, and it goes on from there. Raises OffGrid, NotFound."""
        _known(symbol)
        contract = CONTRACTS[symbol]
        ticks = int(contract.instrument.price(price) / contract.instrument.tick)

        def change(floor: Floor, now: int) -> bool:
            exchange.set_price(floor, symbol, ticks, now)
            self._unwritten_steps = _WRITE_EVERY_STEPS  # written at once, unlike an idle step
            return True

        self._move("paper_set_price", change, micros(self._clock.now()))

    def _move(self, name: str, change: Callable[[Floor, int], bool], instant: int) -> None:
        """Do what moves markets; tell events and quotes once all of it is durable."""

        def told(moved: bool, changes: Changes) -> tuple[list[AccountEvent], list[Quote]]:  # noqa: FBT001 - it is what `change` returned
            quotes = [words.quote(desk, instant) for desk in self._floor.desks.values()] if moved else []
            return _events(changes, _by_order(changes), _NOBODY), quotes

        (events, quotes), durable = self._change(name, change, told)
        _must(durable)
        self._tell(events)
        if quotes:
            for watcher in self._watchers:
                watcher(quotes)

    # ── Listeners ─────────────────────────────────────────────────────────────────────────────────

    def listen(self, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event to `sink`, on whichever thread caused it; return what stops it."""
        self._sinks = (*self._sinks, sink)

        def stop() -> None:
            self._sinks = tuple(other for other in self._sinks if other is not sink)

        return stop

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand the present quotes to `sink` at once and then after every step; return what stops it."""
        self._watchers = (*self._watchers, sink)
        sink(self.quotes())

        def stop() -> None:
            self._watchers = tuple(other for other in self._watchers if other is not sink)

        return stop

    def _tell(self, events: Sequence[AccountEvent]) -> None:
        for event in events:
            struck = self._strike("event")
            if Fault.DROP_EVENTS in struck:
                continue
            for sink in self._sinks:
                sink(event)
                if Fault.REPEAT_EVENTS in struck:
                    sink(event)

    # ── The one way in ────────────────────────────────────────────────────────────────────────────

    def _change(
        self, name: str, change: Callable[[Floor, int], T], answer: Callable[[T, Changes], R]
    ) -> tuple[R, Future[None] | None]:
        """Change the floor and queue the page of it; return the answer and what makes it durable.

        Answers are made while the floor stands still, because another call may change the same order a moment later.
        """
        with self._lock:
            floor = self._intact()
            self._whole = False  # until the page is queued: whatever is raised in between leaves half a change
            try:
                result = change(floor, micros(self._clock.now()))
            except Refused:  # said before anything was touched
                self._whole = True
                raise
            changes = floor.drain()
            made = answer(result, changes)
            if self._is_worth_writing(floor, changes):
                page = self._journal.take(floor, changes, tuple(self._moved))
                self._moved.clear()
                self._unwritten_steps, self._funded_at = 0, floor.funded_at
                self._last = self._database.submit(lambda tx: journal.write(tx, page), name=name)
            self._whole = True
            return made, self._last

    def _is_worth_writing(self, floor: Floor, changes: Changes) -> bool:
        """Say whether to write now: markets that only moved are written with what comes next, or every few steps."""
        if changes.markets:
            self._moved |= changes.markets
            self._unwritten_steps += 1
        touched = changes.orders or changes.accounts or changes.holdings or changes.movements
        return bool(touched) or floor.funded_at != self._funded_at or self._unwritten_steps >= _WRITE_EVERY_STEPS

    def _intact(self) -> Floor:
        """Return the floor, built again from the journal if it holds what could not be written. The lock is held."""
        lost = self._last is not None and self._last.done() and self._last.exception() is not None
        if self._whole and not lost:
            return self._floor
        self._whole = False
        self._database.write(_nothing, name="paper_mend")  # after it, every page that was queued has met its end
        self._floor, self._journal = journal.rebuild(self._database, self._seed)
        self._moved, self._funded_at, self._last = dict.fromkeys(CONTRACTS), self._floor.funded_at, None
        self._whole = True
        return self._floor

    def _done(self, name: str, change: Callable[[Floor, int], T]) -> T:
        """Change the floor, wait until it is durable, tell the events. Raises Unknown if it could not be written."""

        def told(result: T, changes: Changes) -> tuple[T, list[AccountEvent]]:
            return result, _events(changes, _by_order(changes), _NOBODY)

        (result, events), durable = self._change(name, change, told)
        _must(durable)
        self._tell(events)
        return result

    def _look(self, look: Callable[[Tx], T]) -> T:
        """Read the journal once everything decided so far is in it."""
        with self._lock:
            self._intact()
            durable = self._last
        problem = _problem(durable)
        if problem is not None:
            raise Unavailable(f"the paper venue has lost its journal: {problem}")
        return self._database.read(look)

    def _standing(self, account: VenueAccount, look: Callable[[Floor, Account], T]) -> T:
        """Read the floor; the answer is given once what it saw is durable."""
        self._may_read()
        with self._lock:
            floor = self._intact()
            found = look(floor, _of(floor, account))
            durable = self._last
        problem = _problem(durable)
        if problem is not None:
            raise Unavailable(f"the paper venue has lost its journal: {problem}")
        return found

    # ── Faults ────────────────────────────────────────────────────────────────────────────────────

    def _strike(self, call: str) -> frozenset[Fault]:
        return _NO_FAULT if self._faults is None else self._faults.strike(call)

    def _loses(self, struck: frozenset[Fault]) -> bool:
        """Say whether the answer is lost, after holding it if it is to be held."""
        if Fault.HOLD_ANSWER in struck and self._faults is not None:
            self._faults.hold()
        return Fault.LOSE_ANSWER in struck

    def _may_read(self) -> None:
        if self._strike("read"):
            raise Unavailable("the paper venue does not answer")


def _by_order(changes: Changes) -> dict[int, list[Execution]]:
    """Return the trades by order."""
    found: dict[int, list[Execution]] = {}
    for execution in changes.executions:
        found.setdefault(execution.number, []).append(execution)
    return found


def _events(changes: Changes, by_order: dict[int, list[Execution]], answered: frozenset[int]) -> list[AccountEvent]:
    """Return what happened on its own: every order that changed and is not answered for, and funding."""
    events = [
        AccountEvent(order.account_id, report=words.report(order, by_order.get(order.number, ())))
        for order in changes.orders.values()
        if order.number not in answered
    ]
    events += [
        AccountEvent(movement.account_id, funding=words.funding(movement))
        for movement in changes.movements
        if movement.kind is MovementKind.FUNDING
    ]
    return events


def _outcome(request: OrderRequest, placed: Order | Refusal, by_order: dict[int, list[Execution]]) -> PlaceOutcome:
    if isinstance(placed, Refusal):
        return Rejected(placed.code, placed.message, placed.would_trigger)
    return Accepted(words.report(placed, by_order.get(placed.number, ()), request.terms))


def _problem(durable: Future[None] | None) -> BaseException | None:
    """Wait until a page is durable; return what became of it if it is not."""
    return None if durable is None else durable.exception()


def _nothing(_: Tx) -> None:
    """Change nothing."""


def _must(durable: Future[None] | None) -> None:
    """Wait until a page is durable. Raises Unknown if it is not."""
    problem = _problem(durable)
    if problem is not None:
        raise OutcomeUnknown(f"the paper venue could not write it down: {problem}") from problem


def _of(floor: Floor, account: VenueAccount) -> Account:
    found = floor.accounts.get(account.id)
    if found is None or found.owner_id != account.owner_id:
        raise NotFound(f"there is no paper account {account.id}")
    return found


def _known(symbol: str) -> None:
    if symbol not in CONTRACTS:
        raise NotFound(f"there is no instrument {symbol}")
