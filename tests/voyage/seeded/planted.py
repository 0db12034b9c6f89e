"""Faults planted into the product, one at a time: each is something that somebody might write.

A voyage must find them out. They stand in the place of production code while the block lasts, and touch no file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from pilothouse.api.hooks import Intake
from pilothouse.bots import bracket
from pilothouse.bots.bracket import Guarding, Wanted
from pilothouse.bots.venue_trail import TRAIL
from pilothouse.bots.view import LiveOrder
from pilothouse.core.clock import Clock, Tick
from pilothouse.core.errors import Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.order import OrderState, OrderTerms, Purpose
from pilothouse.execution import ask, reconcile, settle, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.fence import Writers
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet import guard, inbox
from pilothouse.jobs import embedded
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.kit import commits, outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import Message
from pilothouse.kit.units import Unit
from pilothouse.ledger import post
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.port import OrderRequest, PlaceOutcome, Unknown, VenueAccount, VenuePosition
from pilothouse.wiring.house import House


def _instead(of: object, name: str, ours: Any) -> Any:
    return mock.patch.object(of, name, ours)


@contextmanager
def resend_on_time_out_with_a_new_id() -> Iterator[None]:
    """An order whose outcome is unknown is sent once more at once, as another order."""
    place = AsterVenue.place

    def again(self: AsterVenue, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        outcomes = place(self, account, orders)
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Unknown):
                renamed = replace(orders[index], client_order_id=f"{orders[index].client_order_id[:-1]}X")
                outcomes[index] = place(self, account, [renamed])[0]
        return outcomes

    with _instead(AsterVenue, "place", again):
        yield


@contextmanager
def resend_before_the_window_is_over() -> Iterator[None]:
    """The first answer "no such order" is believed, while the request may still arrive."""
    with _instead(ask, "_may_arrive_for", lambda *_: timedelta(0)):
        yield


@contextmanager
def count_the_window_by_the_wall_clock() -> Iterator[None]:
    """How long a request may still arrive is read off a clock that somebody may set."""

    def by_the_wall(desk: Desk, window: timedelta | None, order: OrderRecord, _: Tick) -> timedelta | None:
        if window is None or order.sendable_until is None:
            return None
        return order.sendable_until + window - desk.clock.now()

    with _instead(ask, "_may_arrive_for", by_the_wall):
        yield


@contextmanager
def book_a_fill_twice() -> Iterator[None]:
    """What the stream and the answer both tell is booked for each of them."""
    post_fill = post.post_fill

    def twice(tx: Tx, fill: Fill, **kwargs: Any) -> Any:
        posted = post_fill(tx, fill, **kwargs)
        if posted is None:
            post_fill(tx, replace(fill, venue_trade_id=f"{fill.venue_trade_id}0"), **kwargs)
        return posted

    with _instead(post, "post_fill", twice):
        yield


@contextmanager
def forget_the_sibling() -> Iterator[None]:
    """When a stop or a target has filled, the other one is left standing."""
    decide = bracket.guard

    def without_cancels(*args: Any, **kwargs: Any) -> Guarding:
        return replace(decide(*args, **kwargs), cancels=())

    with _instead(guard, "guard", without_cancels):
        yield


@contextmanager
def take_a_failed_query_as_flat() -> Iterator[None]:
    """A venue that does not answer what is held holds nothing."""
    positions = AsterVenue.positions

    def flat(self: AsterVenue, account: VenueAccount) -> list[VenuePosition]:
        try:
            return positions(self, account)
        except Unavailable:
            return []

    with _instead(AsterVenue, "positions", flat):
        yield


@contextmanager
def ignore_a_partial_fill() -> Iterator[None]:
    """A fill that is smaller than its order is left out."""
    book = settle.book

    def whole_only(tx: Tx, desk: Desk, order: OrderRecord, fill: Fill, now: datetime) -> bool:
        return fill.quantity == order.terms.quantity and book(tx, desk, order, fill, now)

    with _instead(settle, "book", whole_only):
        yield


@contextmanager
def answer_before_the_commit() -> Iterator[None]:
    """Whoever waits for a unit of work is told before it is durable."""
    fill, resolve = commits.SqliteWriter._fill, Unit.resolve

    def told_early(self: Any, connection: Any, raw: Any, first: Unit, taken: list[Unit]) -> None:
        fill(self, connection, raw, first, taken)
        for unit in taken:
            resolve(unit)

    def once(self: Unit) -> None:
        if not self.future.done():
            resolve(self)

    with ExitStack() as stack:
        stack.enter_context(_instead(commits.SqliteWriter, "_fill", told_early))
        stack.enter_context(_instead(Unit, "resolve", once))
        yield


@contextmanager
def place_the_stop_too_large() -> Iterator[None]:
    """A stop is one lot larger than the position that it protects."""
    wants = bracket.wants

    def larger(*args: Any) -> list[Wanted]:
        found, lot = wants(*args), args[1].instrument.lot
        return [
            replace(each, terms=replace(each.terms, quantity=each.terms.quantity + lot))
            if each.place == bracket.STOP
            else each
            for each in found
        ]

    with _instead(bracket, "wants", larger):
        yield


@contextmanager
def drop_the_key_of_an_alert() -> Iterator[None]:
    """The same alert again is another alert."""
    key = inbox._key

    def always_new(read: Any, fingerprint: str, received_at: datetime) -> str:
        return f"{key(read, fingerprint, received_at)}:{received_at}"

    with ExitStack() as stack:
        stack.enter_context(_instead(inbox, "_key", always_new))
        stack.enter_context(_instead(inbox, "_double", lambda *_: None))
        yield


@contextmanager
def skip_the_fence() -> Iterator[None]:
    """A process sends whether or not it still holds the lease."""
    with _instead(Writers, "may_send", lambda *_: True):
        yield


@contextmanager
def send_anew_what_a_dead_process_had_in_hand() -> Iterator[None]:
    """What a dead process was about to send is sent, instead of asked for."""

    def as_if_unsent(tx: Tx, clock: Clock, account_id: str | None = None) -> int:
        del account_id
        found = [one for one in store.in_doubt(tx) if one.state is OrderState.SENDING]
        for order in found:
            store.change(tx, order.id, clock.now(), state=OrderState.INTENDED, sendable_until=None)
        return len(found)

    with _instead(store, "end_hand_offs", as_if_unsent):
        yield


@contextmanager
def deliver_at_most_once() -> Iterator[None]:
    """A message is forgotten before it is handled."""
    run = Dispatcher._run

    def forgotten_first(self: Dispatcher, handler: Any, message: Message) -> None:
        self._house.database.write(lambda tx: outbox.done(tx, message.id, message.attempt), name="done")
        run(self, handler, message)

    with _instead(Dispatcher, "_run", forgotten_first):
        yield


@contextmanager
def let_protection_open_a_position() -> Iterator[None]:
    """A stop is not marked as one that only reduces."""
    wants = bracket.wants

    def opening(*args: Any) -> list[Wanted]:
        return [replace(each, terms=replace(each.terms, reduce_only=False)) for each in wants(*args)]

    with _instead(bracket, "wants", opening):
        yield


@contextmanager
def forget_the_trail_after_a_restart() -> Iterator[None]:
    """A house that was started again does not know any more that a stop trails."""
    lives = [0]
    recover, wants = embedded.recover, bracket.wants

    def counted(house: House) -> None:
        lives[0] += 1
        recover(house)

    def without_trail(*args: Any) -> list[Wanted]:
        return [each for each in wants(*args) if lives[0] == 1 or each.place != TRAIL]

    with ExitStack() as stack:
        stack.enter_context(_instead(embedded, "recover", counted))
        stack.enter_context(_instead(bracket, "wants", without_trail))
        yield


@contextmanager
def keep_a_target_of_another_size() -> Iterator[None]:
    """A target that was placed behind the first part of an entry stays as large as that part."""
    fits = bracket._fits

    def whatever_size(order: LiveOrder, terms: OrderTerms) -> bool:
        if order.purpose is Purpose.TAKE_PROFIT:
            terms = replace(terms, quantity=order.remaining)
        return fits(order, terms)

    with _instead(bracket, "_fits", whatever_size):
        yield


@contextmanager
def book_what_others_trade_as_ours() -> Iterator[None]:
    """An order that somebody made in the venue's own screens is taken for an entry of ours."""
    with _instead(reconcile, "_whose", lambda _: (Purpose.ENTRY, "found at the venue")):
        yield


@contextmanager
def forget_what_a_commission_took() -> Iterator[None]:
    """A commission that was taken out of the coins that were bought is left out of the position."""
    post_fill = post.post_fill

    def without_base(tx: Tx, fill: Fill, **kwargs: Any) -> Any:
        return post_fill(tx, fill, **{**kwargs, "base": ""})

    with _instead(post, "post_fill", without_base):
        yield


@contextmanager
def say_yes_to_what_was_not_stored() -> Iterator[None]:
    """The door answers 200 to an alert that could not be stored just now."""
    take = Intake._take

    async def yes(self: Intake, *args: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
        try:
            return await take(self, *args)
        except Unavailable:
            return 200, {"signal_id": self.house.ids.fresh("sig")}, {}

    with _instead(Intake, "_take", yes):
        yield


PLANTED: Mapping[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        resend_on_time_out_with_a_new_id,
        resend_before_the_window_is_over,
        book_a_fill_twice,
        forget_the_sibling,
        take_a_failed_query_as_flat,
        ignore_a_partial_fill,
        answer_before_the_commit,
        place_the_stop_too_large,
        drop_the_key_of_an_alert,
        skip_the_fence,
        send_anew_what_a_dead_process_had_in_hand,
        deliver_at_most_once,
        let_protection_open_a_position,
        forget_the_trail_after_a_restart,
        keep_a_target_of_another_size,
        book_what_others_trade_as_ours,
        forget_what_a_commission_took,
        say_yes_to_what_was_not_stored,
    )
}
"""By what is wrong with them."""
