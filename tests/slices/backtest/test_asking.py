"""Backtests on record: found instead of made again, bounded for each user, worked on by one delivery at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from pilothouse.accounts.audit import list_audit
from pilothouse.accounts.tables import users
from pilothouse.backtest import asking, bounds, progress, store
from pilothouse.backtest.asking import BACKTEST_TOPIC, Prepared
from pilothouse.backtest.bounds import Bounds, TooMuch
from pilothouse.backtest.store import Backtest, Kind, NoSuchBacktest, Own, State
from pilothouse.core.facts import FactKind
from pilothouse.kit import outbox, told_facts
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database, Tx

HOUSE = Bounds(at_once=2, per_day=4, work=1_000)


@pytest.fixture(autouse=True)
def _people(database: Database) -> None:
    """Have three users, whose ids are told by their names."""
    now = database.clock.now()

    def work(tx: Tx) -> None:
        for number in range(3):
            values = {"id": f"usr_{number}", "email": None, "name": "somebody", "role": "member", "created_at": now}
            tx.execute(insert(users), values)

    database.write(work, name="people")


def _prepared(name: str, *, kept: bool = False, combinations: int = 1) -> Prepared:
    found = {"metrics": {"sharpe": "1.5"}} if kept else None
    return Prepared(Kind.RUN, "ema-cross", {"strategy": "ema-cross"}, name, "{}", 100, combinations, found)


def _ask(database: Database, prepared: Prepared, owner: str = "usr_1", house: Bounds = HOUSE) -> Backtest:
    now = database.clock.now()
    return database.write(lambda tx: asking.ask(tx, prepared, house, owner_id=owner, who="me", now=now), name="ask")


def _messages(tx: Tx) -> dict[str, int]:
    return outbox.counts(tx)


def _begin(database: Database, backtest: Backtest, attempt: int) -> Backtest | None:
    now = database.clock.now()
    return database.write(lambda tx: progress.begin(tx, backtest.id, attempt, now), name="begin")


def _finish(database: Database, backtest: Backtest) -> bool:
    now = database.clock.now()
    return database.write(lambda tx: progress.finish(tx, backtest, {"metrics": {}}, now, found=False), name="finish")


def test_the_same_request_is_found_and_not_queued_again(database: Database) -> None:
    """Who asks twice, by accident or because the answer was lost, pays once."""
    first, again = _ask(database, _prepared("a")), _ask(database, _prepared("a"))
    other = _ask(database, _prepared("a"), owner="usr_2")

    assert again.id == first.id
    assert other.id != first.id
    assert database.read(_messages)["ready"] == 2


def test_a_kept_result_is_done_at_once_and_costs_nothing(database: Database) -> None:
    """What is found is not computed, so it is held against nobody."""
    for name in "abcdefgh":
        found = _ask(database, _prepared(name, kept=True))
        assert (found.state, found.found) == (State.DONE, True)

    assert database.read(_messages)["ready"] == 0
    assert database.read(lambda tx: bounds.used(tx, "usr_1", database.clock.now())).today == 0


def test_a_bound_that_is_passed_is_told_by_number(database: Database) -> None:
    """Who is refused must know how much there was, how much there may be, and who says so."""
    with pytest.raises(TooMuch, match=r"1,100 bars times combinations .* 1,000 is the house's limit") as work:
        _ask(database, _prepared("a", combinations=11))
    _ask(database, _prepared("a"))
    _ask(database, _prepared("b"))
    with pytest.raises(TooMuch, match=r"3 backtests would be queued or running at once; 2") as at_once:
        _ask(database, _prepared("c"))
    roomy = Bounds(at_once=100, per_day=2, work=1_000)
    with pytest.raises(TooMuch, match=r"3 backtests would be asked for today") as per_day:
        _ask(database, _prepared("c"), house=roomy)
    _ask(database, _prepared("c"), owner="usr_2")

    found = [(each.value.bound, each.value.number, each.value.limit) for each in (work, at_once, per_day)]
    assert found == [("work", 1_100, 1_000), ("at_once", 3, 2), ("per_day", 3, 2)]


def test_the_tighter_of_house_and_user_holds(database: Database) -> None:
    """A user may be held shorter than the house, and never looser."""
    now = database.clock.now()
    loose = Own(at_once=100, per_day=None, work=50)
    database.write(lambda tx: bounds.set_own(tx, "usr_1", loose, by="usr_0", who="me", now=now), name="bounds")

    with pytest.raises(TooMuch, match=r"50 is your limit"):
        _ask(database, _prepared("a"))
    own = database.read(lambda tx: store.own_bounds(tx, "usr_1"))
    assert HOUSE.tightened(own) == Bounds(at_once=2, per_day=4, work=50)
    assert database.read(lambda tx: list_audit(tx, "usr_0"))[0].what == "backtest.limits_set"


def test_what_was_removed_is_shown_to_nobody_and_still_counted(database: Database) -> None:
    """Otherwise removing would be a way around the bound of a day."""
    first = _ask(database, _prepared("a"))
    now = database.clock.now()
    database.write(lambda tx: progress.remove(tx, "usr_1", first.id, now, who="me"), name="remove")

    with pytest.raises(NoSuchBacktest):
        database.read(lambda tx: store.get(tx, "usr_1", first.id))
    used = database.read(lambda tx: bounds.used(tx, "usr_1", now))
    assert (used.at_once, used.today) == (0, 1)
    assert _ask(database, _prepared("a")).id != first.id


def test_a_delivery_that_was_thought_dead_counts_for_nothing(database: Database) -> None:
    """Its lease ran out, another took the backtest up; then it comes back with a result."""
    backtest = _ask(database, _prepared("a"))
    late, later = _begin(database, backtest, 1), _begin(database, backtest, 2)
    assert late is not None
    assert later is not None

    assert _begin(database, backtest, 2) is None
    assert not _finish(database, late)
    assert _finish(database, later)
    assert database.read(lambda tx: store.get(tx, "usr_1", backtest.id)).attempt == 2


def test_a_cancelled_backtest_stays_cancelled(database: Database) -> None:
    """The result that comes a moment too late is not kept."""
    backtest = _begin(database, _ask(database, _prepared("a")), 1)
    assert backtest is not None
    now = database.clock.now()

    _, ended = database.write(lambda tx: progress.cancel(tx, "usr_1", backtest.id, now, who="me"), name="cancel")
    assert ended
    assert not _finish(database, backtest)
    found = database.read(lambda tx: store.get(tx, "usr_1", backtest.id))
    assert (found.state, found.result) == (State.CANCELLED, None)


def test_nobody_sees_or_cancels_what_is_anothers(database: Database) -> None:
    """Another's backtest is as if it were not there."""
    backtest = _ask(database, _prepared("a"))
    now = database.clock.now()

    with pytest.raises(NoSuchBacktest):
        database.read(lambda tx: store.get(tx, "usr_2", backtest.id))
    with pytest.raises(NoSuchBacktest):
        database.write(lambda tx: progress.cancel(tx, "usr_2", backtest.id, now, who="you"), name="cancel")
    page = {"kind": None, "state": None, "strategy": None, "before": None, "limit": 10}
    assert database.read(lambda tx: store.page(tx, "usr_2", **page)) == []  # type: ignore[arg-type]  # one dictionary for all


def test_every_step_is_told_and_every_act_is_audited(database: Database) -> None:
    """The console follows the events; the audit says who asked and who stopped it."""
    backtest = _begin(database, _ask(database, _prepared("a")), 1)
    assert backtest is not None
    now = database.clock.now()
    database.write(lambda tx: progress.advance(tx, backtest, 250_000, now), name="advance")
    database.write(lambda tx: progress.cancel(tx, "usr_1", backtest.id, now, who="me"), name="cancel")

    told = database.read(lambda tx: told_facts.facts_after(tx, 0, owner_id="usr_1", limit=10))
    assert {each.fact.kind for each in told} == {FactKind.BACKTEST_CHANGED}
    steps = [(each.fact.payload["state"], each.fact.payload["progress"]) for each in told]
    assert steps == [("queued", "0"), ("running", "0"), ("running", "0.25"), ("cancelled", "0.25")]
    audited = [each.what for each in database.read(lambda tx: list_audit(tx, "usr_1"))]
    assert sorted(audited) == ["backtest.asked", "backtest.cancelled"]


def test_a_backtest_that_waits_long_is_no_alarm(database: Database, clock: FrozenClock) -> None:
    """Behind a sweep of hours others wait for hours; orders that wait for a minute are another matter."""
    _ask(database, _prepared("a"))
    clock.advance(7_200)

    assert database.read(lambda tx: outbox.lag(tx, clock.now())) == timedelta(0)
    assert BACKTEST_TOPIC.startswith(outbox.PATIENT)
