"""Orders at a paper venue: placed, cancelled and found, each answered once what the answer rests on is durable."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import PilothouseError
from pilothouse.kit.db import Tx
from pilothouse.simulation import exchange
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.simulation.orders import Asked, Order, Refusal
from pilothouse.venues import paper_journal as journal
from pilothouse.venues import paper_words as words
from pilothouse.venues.paper_card import ACCEPTANCE_WINDOW
from pilothouse.venues.paper_durable import DurableFloor
from pilothouse.venues.paper_faults import Fault, Strikes
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AccountEvent,
    CancelOutcome,
    FindOutcome,
    Gone,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Unknown,
    VenueAccount,
)

TAKEN = "-4116"
"""The code of a refusal because an open order has the client id."""

_BEHIND_ANOTHER = Refusal("held_up", "an order before it was not taken for now", for_now=True)

AHEAD_MAX = timedelta(seconds=1)
"""A request stamped later than this from now is refused: its clock is wrong."""


class Entrance(Protocol):
    """How orders come to the market that there is."""

    def make_ready(self, orders: Sequence[OrderRequest], arrived: int) -> None:
        """Know what orders that have arrived will meet."""
        ...

    def take_in(self, floor: Floor, account_id: str, asked: Asked, at: tuple[int, int]) -> Order | Refusal:
        """Let an order that can be read arrive on the floor; `at`: now, and when it came to the venue."""
        ...


class PaperOrders:
    """The orders of one paper venue; safe for many threads."""

    def __init__(
        self,
        floor: DurableFloor,
        clock: Clock,
        strike: Strikes,
        tell: Callable[[Sequence[AccountEvent]], None],
        market: Entrance,
    ) -> None:
        """Take orders in through `market`, and tell events by `tell` once they are durable."""
        self._floor, self._clock, self._strike, self._tell = floor, clock, strike, tell
        self._market = market
        self._late: list[tuple[VenueAccount, tuple[OrderRequest, ...]]] = []

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders one after the other; all of them become durable in one commit. Never raises for an order."""
        arrived = micros(self._clock.now())
        self._market.make_ready(orders, arrived)
        struck = self._strike("place")
        if Fault.LOSE_REQUEST in struck:
            return [Unknown("the request was lost")] * len(orders)
        if Fault.ARRIVE_LATE in struck:
            self._late.append((account, tuple(orders)))
            return [Unknown("no answer came")] * len(orders)
        if Fault.REFUSE in struck:
            return [Rejected("-2010", "the venue refuses new orders")] * len(orders)
        outcomes = self._place(account, orders, arrived, tell_immediate=Fault.TELL_IMMEDIATE in struck)
        return [Unknown("the answer was lost")] * len(orders) if self._strike.loses(struck) else outcomes

    def deliver_late(self) -> None:
        """Let the requests arrive that a fault held back; they are told by event, as nobody waits for an answer."""
        late, self._late = self._late, []
        for account, orders in late:
            self._place(account, orders, micros(self._clock.now()), tell_immediate=True)

    def _place(
        self, account: VenueAccount, orders: Sequence[OrderRequest], arrived: int, *, tell_immediate: bool
    ) -> list[PlaceOutcome]:
        def change(floor: Floor, now: int) -> list[words.Placed]:
            instant = self._clock.now()
            placed: list[words.Placed] = []
            is_held_up = False
            for request in orders:
                waits = request.terms.type.is_conditional
                if is_held_up and not waits:
                    placed.append((request, _BEHIND_ANOTHER))
                    continue
                made = self._place_one(floor, account, request, instant, (now, arrived))
                is_held_up = is_held_up or (not waits and isinstance(made, Refusal) and made.for_now)
                placed.append((request, made))
            return placed

        def answers(placed: list[words.Placed], changes: Changes) -> tuple[list[PlaceOutcome], list[AccountEvent]]:
            answered = frozenset(order.number for _, order in placed if isinstance(order, Order))
            known = self._floor.contracts
            events = words.events(known, changes, frozenset() if tell_immediate else answered)
            return words.outcomes(known, placed, changes), events

        try:
            queued = self._floor.change("paper_place", change, answers)
        except PilothouseError as error:
            return [Unknown(f"the paper venue does not answer: {error}")] * len(orders)
        outcomes, events = queued.answer
        problem = queued.problem()
        if problem is not None:
            lost = Unknown(f"the paper venue could not write it down: {problem}")
            return [outcome if isinstance(outcome, Rejected) else lost for outcome in outcomes]
        self._tell(events)
        return [self._adopted(account, *both) for both in zip(orders, outcomes, strict=True)]

    def _adopted(self, account: VenueAccount, request: OrderRequest, outcome: PlaceOutcome) -> PlaceOutcome:
        """Return the order that has this client id already, if it is the one that was asked for; else `outcome`."""
        if not isinstance(outcome, Rejected) or outcome.code != TAKEN:
            return outcome
        found = self.look_up(account, request.terms.symbol, request.client_order_id)
        if not isinstance(found, Accepted):
            return Unknown(f"{outcome.message}, and it was not found")
        theirs, ours = found.report.terms, request.terms
        same = (theirs.symbol, theirs.side, theirs.type) == (ours.symbol, ours.side, ours.type)
        return found if same and (request.close_position or theirs.quantity == ours.quantity) else outcome

    def _place_one(
        self, floor: Floor, account: VenueAccount, request: OrderRequest, instant: datetime, at: tuple[int, int]
    ) -> Order | Refusal:
        if not in_window(request.stamped_at, instant):
            return Refusal(
                "-1021", f"the request was stamped {request.stamped_at}, at {instant} it is outside of the window"
            )
        asked = words.asked(floor.contracts, request)
        return self._market.take_in(floor, account.id, asked, at) if isinstance(asked, Asked) else asked

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
            return None if order is None else words.report(self._floor.contracts, order)

        try:
            report = self._floor.change("paper_cancel", change, answer).certain()
        except PilothouseError as error:
            return Unknown(f"the paper venue does not answer: {error}")
        if self._strike.loses(struck):
            return Unknown("the answer was lost")
        if report is not None:
            return Accepted(report)
        found = self.look_up(account, symbol, client_order_id)
        return Gone(found.report if isinstance(found, Accepted) else None)

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for the latest order of that id, open or not, with all of its fills."""
        struck = self._strike("find")
        if struck & {Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.REFUSE}:
            return Unknown("the question was lost")
        found = self.look_up(account, symbol, client_order_id)
        return Unknown("the answer was lost") if self._strike.loses(struck) else found

    def look_up(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Look for it, whatever faults there are."""

        def look(tx: Tx) -> FindOutcome:
            order = journal.latest_order(tx, account.id, client_order_id)
            if order is None or order.symbol != symbol:
                return Absent()
            return Accepted(words.report(self._floor.contracts, order, journal.executions_of(tx, order.number)))

        try:
            return self._floor.read(look)
        except PilothouseError as error:
            return Unknown(f"the paper venue does not answer: {error}")

    def open_orders(self, account: VenueAccount) -> list[OrderReport]:
        """Return every order that stands."""
        self._strike.may_read()
        known = self._floor.contracts
        return self._floor.read(
            lambda tx: [words.report(known, order) for order in journal.open_orders(tx, account.id)]
        )


def in_window(stamped_at: datetime, instant: datetime) -> bool:
    """Say whether a request is taken at `instant` that was stamped then."""
    return -AHEAD_MAX <= instant - stamped_at <= ACCEPTANCE_WINDOW
