"""The paper venue as the house meets it: through the port, with its journal beneath."""

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.errors import Conflict, NotFound, Refused, Unavailable
from pilothouse.core.errors import Unknown as OutcomeUnknown
from pilothouse.core.instrument import OffGrid, Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.catalogue import CARDS, open_venue
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts, Opening
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_faults import Fault, PaperFaults
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AccountEvent,
    Gone,
    MarginType,
    Rejected,
    Replaced,
    Unknown,
    VenueAccount,
    VenueStatus,
)
from tests.slices.venues.paper_house import ACCOUNT, DEPOSIT, accepted, all_that_counts, books_agree, paper, request

BTC = "BTCUSDT"
STEP = timedelta(milliseconds=250)


@pytest.fixture
def faults() -> PaperFaults:
    """Return faults of which none is armed."""
    return PaperFaults()


@pytest.fixture
def venue(tmp_path: Path, clock: FrozenClock, faults: PaperFaults) -> Iterator[PaperVenue]:
    """Yield the paper venue with an account of 10,000 USDT."""
    with paper(tmp_path, clock, faults=faults) as opened:
        yield opened
        books_agree(opened)


@pytest.fixture
def events(venue: PaperVenue) -> list[AccountEvent]:
    """Return a list that grows with every event."""
    told: list[AccountEvent] = []
    venue.listen_to_all(told.append)
    return told


def buy(venue: PaperVenue, clock: FrozenClock, quantity: str = "0.01") -> None:
    """Open a long position."""
    accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, quantity)])[0])


def test_an_answer_tells_what_traded_at_once_and_no_event_repeats_it(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """The alert's answer shows the fill without waiting for a stream."""
    ask = next(quote.ask for quote in venue.quotes() if quote.symbol == BTC)

    (outcome,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", id_="mine")])

    report = accepted(outcome)
    (fill,) = report.fills
    assert (report.status, report.filled_quantity) == (VenueStatus.FILLED, Decimal("0.01"))
    assert (fill.price, fill.quantity, fill.maker, fill.realised) == (ask, Decimal("0.01"), False, 0)
    assert fill.commission == ask * Decimal("0.01") * Decimal("0.0005")
    assert (fill.client_order_id, fill.venue_order_id) == ("mine", report.venue_order_id)
    assert venue.find(ACCOUNT, BTC, "mine") == outcome
    assert events == []


def test_what_happens_later_is_told_as_an_event(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """A resting order fills when nobody asks."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="64000")
    assert accepted(venue.place(ACCOUNT, [resting])[0]).status is VenueStatus.NEW
    assert [report.client_order_id for report in venue.open_orders(ACCOUNT)] == [resting.client_order_id]

    venue.set_price(BTC, Decimal(63_900))

    (event,) = events
    assert event.report is not None
    assert (event.account_id, event.report.status) == (ACCOUNT.id, VenueStatus.FILLED)
    assert [(fill.price, fill.maker) for fill in event.report.fills] == [(Decimal(64_000), True)]
    assert venue.open_orders(ACCOUNT) == []
    assert venue.find(ACCOUNT, BTC, resting.client_order_id) == Accepted(event.report)


def test_closing_a_position_tells_that_its_stop_has_ended(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """The stop was not part of the answer, so somebody must say it."""
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="64000", reduce_only=True)
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01"), stop])

    venue.place(ACCOUNT, [request(clock.now(), Side.SELL, "0.01", reduce_only=True)])

    reports = [event.report for event in events if event.report is not None]
    assert [(report.client_order_id, report.status) for report in reports] == [
        (stop.client_order_id, VenueStatus.EXPIRED)
    ]


def test_fills_are_told_behind_a_place_in_history(venue: PaperVenue, clock: FrozenClock) -> None:
    """Reconciling asks for what it has not seen, not for everything again."""
    for _ in range(3):
        buy(venue, clock)

    every = venue.fills_after(ACCOUNT, BTC, None)
    assert len(every) == 3
    assert venue.fills_after(ACCOUNT, BTC, every[0].venue_trade_id) == every[1:]
    assert venue.fills_after(ACCOUNT, "ETHUSDT", None) == []


def test_a_request_outside_of_the_window_is_refused(venue: PaperVenue, clock: FrozenClock) -> None:
    """Only so can the house be sure that an order it heard nothing of will never arrive."""
    late = request(clock.now() - timedelta(seconds=5, microseconds=1), Side.BUY, "0.01")
    early = request(clock.now() + timedelta(seconds=1, microseconds=1), Side.BUY, "0.01")
    just = request(clock.now() - timedelta(seconds=5), Side.BUY, "0.01")

    outcomes = venue.place(ACCOUNT, [late, early, just])

    assert [outcome.code for outcome in outcomes if isinstance(outcome, Rejected)] == ["-1021", "-1021"]
    assert isinstance(outcomes[2], Accepted)
    assert venue.find(ACCOUNT, BTC, late.client_order_id) == Absent()


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [
        ("0.0105", "64000", "-4023"),
        ("0.01", "64000.05", "-4014"),
        ("0.01", "0.1", "-4002"),
        ("0.01", "99999999", "-4002"),
        ("1001", "64000", "-4005"),
        ("0.01", "100", "-4164"),
        ("1e-18", "64000", "-4023"),
    ],
)
def test_what_does_not_fit_the_instrument_is_rejected(
    venue: PaperVenue, clock: FrozenClock, quantity: str, price: str, code: str
) -> None:
    """With the code of the real venue, never with an exception."""
    (outcome,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, quantity, OrderType.LIMIT, price=price)])

    assert isinstance(outcome, Rejected)
    assert outcome.code == code


def test_strangers_and_unknown_instruments_are_rejected(venue: PaperVenue, clock: FrozenClock) -> None:
    """An order for nobody or nothing is the order's own fault."""
    stranger = VenueAccount("acc_2", "own_2")
    (nobody,) = venue.place(stranger, [request(clock.now(), Side.BUY, "0.01")])
    (nothing,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "1", symbol="DOGEUSDT")])

    assert isinstance(nobody, Rejected)
    assert isinstance(nothing, Rejected)
    assert (nobody.code, nothing.code) == ("-2015", "-1121")
    with pytest.raises(NotFound):
        venue.balance(stranger)
    with pytest.raises(NotFound):
        venue.settings(ACCOUNT, "DOGEUSDT")


def test_another_owner_cannot_touch_an_account(venue: PaperVenue) -> None:
    """The id alone opens nothing."""
    thief = VenueAccount(ACCOUNT.id, "own_2")

    for ask in (venue.balance, venue.positions, lambda who: venue.set_leverage(who, BTC, 3)):
        with pytest.raises(NotFound):
            ask(thief)
    with pytest.raises(Conflict):
        venue.open_account(thief, DEPOSIT)


def test_an_id_may_be_used_again_once_its_order_is_over(venue: PaperVenue, clock: FrozenClock) -> None:
    """As on the real venue: a blind resend after a fill buys twice, and the latest one is found."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="64000", id_="again")
    stands = accepted(venue.place(ACCOUNT, [resting])[0])
    double = accepted(venue.place(ACCOUNT, [resting])[0])
    assert double.venue_order_id == stands.venue_order_id
    (other,) = venue.place(
        ACCOUNT, [request(clock.now(), Side.BUY, "0.02", OrderType.LIMIT, price="64000", id_="again")]
    )
    assert isinstance(other, Rejected)
    assert other.code == "-4116", "of another size: not ours to adopt"

    venue.cancel(ACCOUNT, BTC, "again")
    first = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", id_="again")])[0])
    second = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", id_="again")])[0])

    assert venue.find(ACCOUNT, BTC, "again") == Accepted(second)
    assert int(second.venue_order_id) > int(first.venue_order_id)


def test_cancelling_what_is_over_tells_how_it_ended(venue: PaperVenue, clock: FrozenClock) -> None:
    """A cancel that comes too late learns of the fill."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="64000")
    venue.place(ACCOUNT, [resting])

    cancelled = venue.cancel(ACCOUNT, BTC, resting.client_order_id)
    assert isinstance(cancelled, Accepted)
    assert cancelled.report.status is VenueStatus.CANCELED
    gone = venue.cancel(ACCOUNT, BTC, resting.client_order_id)

    assert isinstance(gone, Gone)
    assert gone.report is not None
    assert gone.report.status is VenueStatus.CANCELED
    assert venue.cancel(ACCOUNT, BTC, "never") == Gone()


def test_balance_and_position_are_told_exactly(venue: PaperVenue, clock: FrozenClock) -> None:
    """The numbers of a screen add up to the last digit."""
    venue.set_price(BTC, Decimal(60_000))
    buy(venue, clock, "0.1")
    venue.set_price(BTC, Decimal(61_000))

    (position,) = venue.positions(ACCOUNT)
    balance = venue.balance(ACCOUNT)
    (fill,) = venue.fills_after(ACCOUNT, BTC, None)
    assert (position.quantity, position.entry_price) == (Decimal("0.1"), fill.price)
    assert position.unrealised == (Decimal(61_000) - fill.price) * Decimal("0.1")
    assert (position.notional, position.leverage, position.margin_type) == (6_100, 10, MarginType.CROSSED)
    assert position.liquidation_price is None
    assert balance.wallet == DEPOSIT - fill.commission
    assert balance.margin_balance == balance.wallet + position.unrealised
    assert (balance.initial_margin, balance.maintenance_margin) == (610, Decimal("24.4"))
    assert balance.available == balance.margin_balance - 610


def test_settings_are_kept_and_bounded(venue: PaperVenue, clock: FrozenClock) -> None:
    """Leverage within the instrument's bounds; the margin type only while nothing rests on it."""
    assert venue.settings(ACCOUNT, BTC) == (10, MarginType.CROSSED)
    assert venue.set_leverage(ACCOUNT, BTC, 25) == 25
    assert venue.set_margin_type(ACCOUNT, BTC, MarginType.ISOLATED) is MarginType.ISOLATED
    assert venue.set_margin_type(ACCOUNT, BTC, MarginType.ISOLATED) is MarginType.ISOLATED
    buy(venue, clock)

    assert venue.settings(ACCOUNT, BTC) == (25, MarginType.ISOLATED)
    (position,) = venue.positions(ACCOUNT)
    assert position.isolated_margin is not None
    assert position.isolated_margin > 0
    with pytest.raises(Refused, match="-4028"):
        venue.set_leverage(ACCOUNT, BTC, 126)
    with pytest.raises(Refused, match="-4048"):
        venue.set_margin_type(ACCOUNT, BTC, MarginType.CROSSED)


def test_the_market_moves_with_the_clock_and_says_that_it_is_simulated(venue: PaperVenue, clock: FrozenClock) -> None:
    """Quotes come about four times a second, each named for what it is."""
    told: list[Sequence[Quote]] = []
    stop = venue.watch(told.append)
    for _ in range(10):
        venue.step(clock.advance(STEP))
    venue.step(clock.now())
    stop()
    venue.step(clock.advance(STEP))

    assert len(told) == 11
    assert {quote.source for quotes in told for quote in quotes} == {"simulated"}
    assert all(quote.bid < quote.mark <= quote.ask for quotes in told for quote in quotes)
    assert len({quotes[0].mark for quotes in told}) > 3
    assert told[-1][0].at == clock.now() - STEP


def test_a_pause_is_no_jump(venue: PaperVenue, clock: FrozenClock) -> None:
    """A night in which nobody ran the market moves no price."""
    told: list[Sequence[Quote]] = []
    before = venue.quotes()[0].mark
    venue.watch(told.append)

    venue.step(clock.advance(timedelta(hours=7)))

    assert abs(told[-1][0].mark - before) < before / 1_000


def test_a_price_set_by_hand_is_checked_and_shown(venue: PaperVenue) -> None:
    """For demonstrations: on the grid, of an instrument there is."""
    venue.set_price(BTC, Decimal(70_000))

    assert venue.quotes()[0].mark == venue.quotes()[0].last == 70_000
    with pytest.raises(OffGrid):
        venue.set_price(BTC, Decimal("70000.05"))
    with pytest.raises(NotFound):
        venue.set_price("DOGEUSDT", Decimal(1))


def test_funding_comes_at_its_hour_and_is_told(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """Noon plus four hours is 16:00 UTC."""
    buy(venue, clock, "0.1")
    venue.step(clock.advance(timedelta(hours=3, minutes=59)))
    assert venue.funding_after(ACCOUNT, None) == []

    venue.step(clock.advance(timedelta(minutes=1)))

    (payment,) = venue.funding_after(ACCOUNT, None)
    assert payment.amount < 0
    assert (payment.symbol, payment.at) == (BTC, clock.now())
    assert [event.funding for event in events if event.funding is not None] == [payment]
    assert venue.funding_after(ACCOUNT, payment.venue_id) == []


def test_a_liquidation_is_told_with_the_venues_own_id(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """The books must not take it for somebody's order."""
    buy(venue, clock, "1.5")

    venue.set_price(BTC, Decimal(50_000))

    reports = [event.report for event in events if event.report is not None]
    (forced,) = [report for report in reports if report.client_order_id.startswith("autoclose-")]
    assert forced.status is VenueStatus.FILLED
    assert venue.positions(ACCOUNT) == []
    assert venue.balance(ACCOUNT).wallet == 0
    assert len(venue.transfers_after(ACCOUNT, None)) == 2  # the deposit, and what the insurance paid


def test_an_account_is_opened_once_however_often_it_is_asked(venue: PaperVenue) -> None:
    """A first start that died halfway is repeated without a second deposit."""
    again = venue.open_account(ACCOUNT, Decimal(99))

    assert (again.amount, venue.balance(ACCOUNT).wallet) == (DEPOSIT, DEPOSIT)
    assert venue.transfers_after(ACCOUNT, None) == [again]


def test_an_account_starts_again_and_keeps_its_history(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """The books fold what happened and arrive at the new deposit."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="64000")
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.1"), resting])
    venue.set_price(BTC, Decimal(66_000))

    venue.reset_account(ACCOUNT, Decimal(5_000))

    assert venue.balance(ACCOUNT).wallet == 5_000
    assert (venue.positions(ACCOUNT), venue.open_orders(ACCOUNT)) == ([], [])
    closing = venue.fills_after(ACCOUNT, BTC, None)[-1]
    assert (closing.price, closing.commission) == (66_000, 0)
    assert {event.report.status for event in events if event.report} == {VenueStatus.CANCELED, VenueStatus.FILLED}
    books_agree(venue)


# ── Restarts, threads, failures ───────────────────────────────────────────────────────────────────


def test_everything_is_as_it_was_after_a_restart(tmp_path: Path, clock: FrozenClock) -> None:
    """Orders, positions, settings, prices and numbers go on from where they were."""
    with paper(tmp_path, clock) as venue:
        venue.set_leverage(ACCOUNT, "ETHUSDT", 20)
        venue.set_margin_type(ACCOUNT, "ETHUSDT", MarginType.ISOLATED)
        for number in range(40):
            side = Side.BUY if number % 3 else Side.SELL
            tif = TimeInForce.IOC if number % 2 else TimeInForce.GTC
            price = str(64_990 + number)
            eth = request(clock.now(), side, "0.1", symbol="ETHUSDT")
            venue.place(ACCOUNT, [request(clock.now(), side, "0.01", OrderType.LIMIT, price=price, tif=tif), eth])
            venue.step(clock.advance(STEP))
        venue.set_price("SOLUSDT", Decimal("151.5"))
        before = all_that_counts(venue)

    with paper(tmp_path, clock) as venue:
        assert all_that_counts(venue) == before
        assert before["orders"]
        books_agree(venue)
        newest = max(int(fill.venue_trade_id) for fill in before["fills"][BTC])
        report = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])
        assert int(report.fills[0].venue_trade_id) == newest + 1


def test_many_threads_at_once_lose_nothing(venue: PaperVenue, clock: FrozenClock) -> None:
    """Alerts of several accounts are sent in parallel, while the market steps."""

    def send(thread: int) -> list[str]:
        sent = []
        for number in range(12):
            side = Side.BUY if (thread + number) % 2 else Side.SELL
            (outcome,) = venue.place(ACCOUNT, [request(clock.now(), side, "0.01")])
            sent.append(accepted(outcome).venue_order_id)
            if thread == 0:
                venue.step(clock.advance(timedelta(milliseconds=20)))
        return sent

    with ThreadPoolExecutor(6) as pool:
        numbers = [number for sent in pool.map(send, range(6)) for number in sent]

    assert len(set(numbers)) == 72
    assert len(venue.fills_after(ACCOUNT, BTC, None)) == 72
    assert venue.positions(ACCOUNT) == []


def test_what_could_not_be_written_is_unknown_and_did_not_happen(
    venue: PaperVenue, clock: FrozenClock, tmp_path: Path
) -> None:
    """A full disk must not leave a position that the next start forgets."""
    buy(venue, clock)
    before = all_that_counts(venue)
    break_journal(tmp_path, broken=True)

    lost = request(clock.now(), Side.BUY, "0.02")
    assert isinstance(venue.place(ACCOUNT, [lost])[0], Unknown)
    assert all_that_counts(venue) == before
    assert venue.find(ACCOUNT, BTC, lost.client_order_id) == Absent()
    break_journal(tmp_path, broken=False)

    assert isinstance(venue.place(ACCOUNT, [lost])[0], Accepted)
    assert len(venue.fills_after(ACCOUNT, BTC, None)) == 2


def test_what_was_built_on_a_lost_page_is_lost_with_it(venue: PaperVenue, clock: FrozenClock, tmp_path: Path) -> None:
    """Answers that were decided while a page was still on its way must not outlive it."""
    break_journal(tmp_path, broken=True)
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda _: venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")]), range(30)))
    break_journal(tmp_path, broken=False)

    assert all(isinstance(outcome, Unknown) for (outcome,) in outcomes)
    assert venue.positions(ACCOUNT) == []
    buy(venue, clock)
    (position,) = venue.positions(ACCOUNT)
    assert position.quantity == Decimal("0.01")


def break_journal(folder: Path, *, broken: bool) -> None:
    """Let the journal refuse every order, or take them again: a failure of the database itself."""
    connection = sqlite3.connect(folder / "paper.db")
    with connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON paper_orders BEGIN SELECT RAISE(ABORT, 'disk'); END"
            if broken
            else "DROP TRIGGER broken"
        )
    connection.close()


# ── Faults ────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_request_never_arrived(venue: PaperVenue, clock: FrozenClock, faults: PaperFaults) -> None:
    """One of the two things that Unknown may mean."""
    lost = request(clock.now(), Side.BUY, "0.01")
    faults.arm(Fault.LOSE_REQUEST)

    assert isinstance(venue.place(ACCOUNT, [lost])[0], Unknown)
    assert venue.find(ACCOUNT, BTC, lost.client_order_id) == Absent()


def test_a_lost_answer_was_done(venue: PaperVenue, clock: FrozenClock, faults: PaperFaults) -> None:
    """The other one."""
    lost = request(clock.now(), Side.BUY, "0.01")
    faults.arm(Fault.LOSE_ANSWER, pass_first=1)
    buy(venue, clock)

    assert isinstance(venue.place(ACCOUNT, [lost])[0], Unknown)
    assert isinstance(venue.find(ACCOUNT, BTC, lost.client_order_id), Accepted)
    assert len(venue.fills_after(ACCOUNT, BTC, None)) == 2


@pytest.mark.parametrize(("seconds", "arrives"), [(4, True), (6, False)])
def test_a_late_request_arrives_only_within_the_window(
    venue: PaperVenue,
    clock: FrozenClock,
    faults: PaperFaults,
    events: list[AccountEvent],
    seconds: int,
    *,
    arrives: bool,
) -> None:
    """Absent is no proof until the window has passed; then it is."""
    late = request(clock.now(), Side.BUY, "0.01")
    faults.arm(Fault.ARRIVE_LATE)
    assert isinstance(venue.place(ACCOUNT, [late])[0], Unknown)
    assert venue.find(ACCOUNT, BTC, late.client_order_id) == Absent()

    clock.advance(seconds)
    venue.deliver_late()

    assert isinstance(venue.find(ACCOUNT, BTC, late.client_order_id), Accepted) == arrives
    assert len(events) == arrives


def test_a_held_answer_comes_when_it_is_let_go(venue: PaperVenue, clock: FrozenClock, faults: PaperFaults) -> None:
    """The order is real before its answer is."""
    faults.arm(Fault.HOLD_ANSWER)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(venue.place, ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
        assert faults.held.acquire(timeout=60)
        assert len(venue.positions(ACCOUNT)) == 1
        assert not waiting.done()
        faults.release()

        assert isinstance(waiting.result(60)[0], Accepted)


def test_events_can_be_doubled_dropped_and_told_beside_the_answer(
    venue: PaperVenue, clock: FrozenClock, faults: PaperFaults, events: list[AccountEvent]
) -> None:
    """Streams do all of this."""
    faults.arm(Fault.TELL_IMMEDIATE, times=3)
    buy(venue, clock)
    assert len(events) == 1
    faults.arm(Fault.REPEAT_EVENTS, "event")
    buy(venue, clock)
    assert len(events) == 3
    faults.arm(Fault.DROP_EVENTS, "event")
    buy(venue, clock)

    assert len(events) == 3


def test_questions_can_fail_without_lying(venue: PaperVenue, clock: FrozenClock, faults: PaperFaults) -> None:
    """No answer is never "flat"."""
    buy(venue, clock)
    faults.arm(Fault.LOSE_ANSWER, "read", times=2)
    for ask in (venue.positions, venue.open_orders):
        with pytest.raises(Unavailable):
            ask(ACCOUNT)
    faults.arm(Fault.LOSE_ANSWER, "find")
    assert isinstance(venue.find(ACCOUNT, BTC, "x"), Unknown)
    faults.arm(Fault.LOSE_ANSWER, "cancel")
    assert isinstance(venue.cancel(ACCOUNT, BTC, "x"), Unknown)
    faults.arm(Fault.LOSE_ANSWER, "set")
    with pytest.raises(OutcomeUnknown):
        venue.set_leverage(ACCOUNT, BTC, 7)

    assert venue.settings(ACCOUNT, BTC) == (7, MarginType.CROSSED)


def _opening(folder: Path, clock: FrozenClock) -> Opening:
    accounts = Accounts(lambda _: {}, list)
    return Opening(clock, folder, Throttle(OwnBooks(), clock), accounts)


def test_the_catalogue_knows_what_it_opens(tmp_path: Path, clock: FrozenClock) -> None:
    """A name leads to a venue whose card has that name."""
    opened = open_venue(VenueKey("paper"), _opening(tmp_path, clock))
    assert opened.card is CARDS["paper"]
    assert opened.card.simulated
    assert isinstance(opened, PaperVenue)
    opened.close()
    with pytest.raises(NotFound, match="paper"):
        open_venue(VenueKey("atlantis"), _opening(tmp_path, clock))


def test_an_amended_order_asks_for_what_is_still_missing(
    venue: PaperVenue, clock: FrozenClock, events: list[AccountEvent]
) -> None:
    """It is ended and another takes its place; the two never stand side by side."""
    resting = request(clock.now(), Side.BUY, "0.02", OrderType.LIMIT, id_="old", price="50000.0")
    accepted(venue.place(ACCOUNT, [resting])[0])
    wanted = request(clock.now(), Side.BUY, "0.05", OrderType.LIMIT, id_="new", price="51000.0")

    outcome = venue.amend(ACCOUNT, "old", wanted)

    assert isinstance(outcome, Replaced)
    assert outcome.ended.status is VenueStatus.CANCELED
    assert outcome.placed is not None
    assert accepted(outcome.placed).terms.quantity == Decimal("0.05")
    assert [order.client_order_id for order in venue.open_orders(ACCOUNT)] == ["new"]


def test_an_order_that_has_ended_is_not_amended(venue: PaperVenue, clock: FrozenClock) -> None:
    """It filled in between: another one would buy twice."""
    accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", id_="old")])[0])
    wanted = request(clock.now(), Side.BUY, "0.02", OrderType.LIMIT, id_="new", price="50000.0")

    assert isinstance(venue.amend(ACCOUNT, "old", wanted), Gone)
    assert venue.open_orders(ACCOUNT) == []


def test_an_order_that_closes_a_position_must_only_reduce(venue: PaperVenue, clock: FrozenClock) -> None:
    """As the real venues have it."""
    buy(venue, clock)
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="1000.0")

    refused = venue.place(ACCOUNT, [replace(stop, close_position=True)])[0]

    assert isinstance(refused, Rejected)
    assert refused.code == "-4138"
