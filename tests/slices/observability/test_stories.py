"""Every order has a story that can be told, and is decided again with the same answer, whatever it lived through."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.execution import cancel, halts
from pilothouse.fleet import manual
from pilothouse.fleet.manual import Ticket
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Tx
from pilothouse.kit.tables import record_heads, records
from pilothouse.migrations.migrate import migrate
from pilothouse.observability.record.replay import Replay, ask_again, replay
from pilothouse.observability.record.story import Story, story
from pilothouse.observability.record.verify import every_row, verify
from pilothouse.venues.paper_faults import Fault
from tests.conftest import NOON
from tests.stepped import Stepped


def told(stepped: Stepped, order_id: str) -> Story:
    """Return the story of an order."""
    found = stepped.house.database.read(lambda tx: story(tx, order_id))
    assert found is not None, "it is there"
    return found


def again(stepped: Stepped, order_id: str) -> Replay:
    """Decide an order again."""
    found = stepped.house.database.read(lambda tx: replay(tx, order_id))
    assert found is not None, "it is there"
    return found


def judgements(stepped: Stepped) -> list[dict[str, Any]]:
    """Return every judgement in the record, whatever became of it."""
    rows = stepped.house.database.read(lambda tx: list(every_row(tx)))
    return [said for row in rows for event, said in row.events() if event == "judged"]


def test_the_story_of_an_order_goes_from_its_alert_to_its_entries(traded: Stepped) -> None:
    """Whoever asks why an order was made must not have to read tables."""
    order = traded.orders()[0]
    found = told(traded, order.id)
    kinds = [one.event for one in found.told]

    assert found.is_recorded
    for kind in ("alert", "judged", "ordered", "send", "sent", "told", "fill_rest", "booked", "signal.changed"):
        assert kind in kinds, kinds
    words = "\n".join(one.words for one in found.told)
    assert "decided to buy 0.02 BTCUSDT at the market" in words
    assert "The risk gate let it pass" in words
    assert "its answer after 0 ms: accepted" in words
    assert all(one.at.endswith("Z") for one in found.told)


def test_the_orders_of_one_alert_each_have_their_own_story(traded: Stepped) -> None:
    """An alert may make several; what happened to one is not told of the other."""
    flipped = [one for one in traded.orders() if one.terms.symbol == "ETHUSDT"][1:]
    assert len(flipped) == 2, "closed, then opened the other way round"
    assert flipped[0].signal_id == flipped[1].signal_id

    for order in flipped:
        found = told(traded, order.id)
        assert sum(one.event == "ordered" for one in found.told) == 1
        assert sum("decided to" in one.words for one in found.told) == 1


def test_an_order_by_hand_has_a_story_and_its_judgement(traded: Stepped) -> None:
    """A person's orders pass the same gate, and are asked about most."""
    ticket = Ticket("BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.01"), Decimal(64000), None, TimeInForce.GTC, False)
    desk = traded.house.desk
    order = traded.house.database.write(
        lambda tx: manual.place(tx, desk, traded.trader, ticket, by="me"), name="by hand"
    )
    traded.run()

    assert any("by hand: me" in one.words for one in told(traded, order.id).told)
    found = again(traded, order.id)
    assert found.same is True
    assert [one.rule for one in found.judgements] == ["risk.check"]


def test_what_was_asked_of_the_venue_to_cancel_is_told(traded: Stepped) -> None:
    """A cancel touches the wire as an order does."""
    order = next(one for one in traded.orders() if one.terms.symbol == "SOLUSDT")
    desk = traded.house.desk
    traded.house.database.write(lambda tx: cancel.ask(tx, desk, order, by="me"), name="cancel")
    traded.pass_time(2)

    words = [one.words for one in told(traded, order.id).told]
    assert any(one.startswith("Its cancellation was asked for: by me") for one in words)
    assert any(f"asked to cancel {order.client_order_id}" in one for one in words)
    assert any(one.startswith("Cancelled") for one in words)


def test_what_the_venue_was_asked_about_a_lost_order_is_told(traded: Stepped) -> None:
    """How a doubt was resolved is what is looked up first."""
    traded.faults.arm(Fault.LOSE_ANSWER)
    outcome = traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01")
    traded.pass_time(2)

    words = [one.words for one in told(traded, outcome.orders[0].id).told]
    assert any("its answer after 0 ms: unknown" in one for one in words)
    assert "The venue was asked what became of it: it knows it" in words
    assert any(one.startswith("When asked the venue said: order") for one in words)


def test_a_stop_has_a_story_and_is_decided_again(traded: Stepped) -> None:
    """Protection is decided by a rule too, each time that something moved."""
    stop = next(one for one in traded.orders() if one.purpose.protects)
    found = again(traded, stop.id)

    assert [one.rule for one in found.judgements] == ["bracket.guard"]
    assert found.same is True, found
    assert any("the protection wants to sell" in one.words for one in told(traded, stop.id).told)


def test_an_order_is_decided_again_with_the_same_answer(traded: Stepped) -> None:
    """The record holds everything that the rules saw."""
    order = traded.orders()[0]
    found = again(traded, order.id)

    assert found.same is True, found
    assert [one.rule for one in found.judgements] == ["follow.decide", "risk.check"]


def test_an_answer_that_would_be_another_one_today_is_shown(traded: Stepped) -> None:
    """A rule may have changed with an upgrade; that is what is asked for."""
    said = next(one for one in judgements(traded) if one["rule"] == "follow.decide")
    said["given"]["signal"]["size"]["value"] = "0.5"

    same, words, now = ask_again(said)

    assert same is False
    assert words == "the answer is another one today"
    assert now["says"]["order"]["terms"]["quantity"] == "0.5"


def test_a_judgement_that_the_rules_of_today_do_not_take_is_said_so() -> None:
    """Better no answer than one to another question."""
    assert ask_again({"rule": "gone", "given": {}})[0] is None
    assert ask_again({"rule": "risk.check", "given": {"terms": {}}})[0] is None
    assert ask_again({"rule": "risk.check", "given": None})[0] is None
    assert ask_again({"rule": "follow.decide", "given": {"unheard": "of"}})[0] is None


def test_what_the_gate_refused_is_in_the_record_with_its_numbers(traded: Stepped) -> None:
    """A denial makes no order, and is asked about all the more."""
    traded.limit(
        order_notional_max="100",
        hours="sat 22:00-02:00",
        symbols=["ETHUSDT"],
        open_orders_max=5,
        warn={"leverage_max": "1"},
    )
    outcome = traded.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="1")
    assert outcome.state == "refused"

    denied = [one for one in judgements(traded) if one["rule"] == "risk.check" and one["is"] == "Denied"]
    assert [one["code"] for one in denied[-1]["says"]["reasons"]] == ["order_size", "symbol", "hours"]
    assert ask_again(denied[-1])[0] is True


def test_an_order_that_is_older_than_the_record_has_its_timeline(traded: Stepped) -> None:
    """It proves nothing, and says so; it is told all the same."""
    order = traded.orders()[0]

    def forget(tx: Tx) -> None:
        tx.execute(delete(records))
        tx.execute(delete(record_heads))

    traded.house.database.write(forget, name="forget")
    found = told(traded, order.id)

    assert not found.is_recorded
    assert [one.event for one in found.told] == ["decide", "send", "accept", "fill_rest"]
    assert again(traded, order.id).same is None


def spoil(stepped: Stepped, about: str, body: str) -> None:
    """Write something else into every row that tells of an alert."""
    spoiled = update(records).where(records.c.about == about).values(body=body)
    stepped.house.database.write(lambda tx: tx.execute(spoiled).close(), name="spoil")


SPOILED = ("", "[]", "{}", "[[1,2]]", '[["noted",{"order":7,"lines":[1]}]]', '[["told",null]]', '[["judged",[]]]')


def test_a_spoiled_record_can_still_be_told(traded: Stepped) -> None:
    """Whoever looks for what was spoiled must be shown the rest."""
    order = traded.orders()[0]
    for body in SPOILED:
        spoil(traded, order.about, body)
        assert told(traded, order.id).told, body
        assert again(traded, order.id).same is None, body


# ── Whatever they live through ────────────────────────────────────────────────────────────────────

SYMBOLS = ("BTCUSDT", "ETHUSDT")
SIZES = {"BTCUSDT": ("0.01", "0.02", "0.0001", "5"), "ETHUSDT": ("0.1", "0.5", "90")}
_symbol = st.sampled_from(SYMBOLS)


@st.composite
def alerts(draw: st.DrawFn) -> dict[str, str]:
    """Return any alert that may be sent, also some that are refused."""
    symbol = draw(_symbol)
    size = draw(st.sampled_from(SIZES[symbol]))
    kind = draw(st.sampled_from(["open", "limit", "decrease", "close", "target", "percent"]))
    side = draw(st.sampled_from(["BUY", "SELL"]))
    if kind == "target":
        sign = draw(st.sampled_from(["", "-"]))
        return {"order_action": side.lower(), "symbol": symbol, "contracts": size, "position_size": f"{sign}{size}"}
    if kind == "close":
        return {"action": "close", "symbol": symbol}
    made = {"action": "decrease" if kind == "decrease" else "open", "symbol": symbol, "side": side}
    if kind == "percent":
        return {**made, "equity_percent": draw(st.sampled_from(["1", "50", "3000"]))}
    made["quantity"] = size
    if kind == "limit":
        made |= {"order_type": "LIMIT", "price": draw(st.sampled_from(["60000", "3000", "70000", "1"]))}
    if kind == "open" and draw(st.booleans()):
        made |= {"stop_loss": draw(st.sampled_from(["2%", "0.01%"]))}
    return made


_step = st.one_of(
    alerts(),
    st.sampled_from(["pass", "lost after", "lost before", "halt", "resume", "restart"]),
)


_histories = st.lists(_step, min_size=3, max_size=9)


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_histories)
def test_every_order_of_any_history_is_told_and_decided_again_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, str] | str]
) -> None:
    """Also what was refused, lost, halted, or cut by a restart."""
    see_through(tmp_path_factory, steps)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_histories)
def test_every_order_of_very_many_histories_is_told_and_decided_again_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, str] | str]
) -> None:
    """As above, for as long as it takes."""
    see_through(tmp_path_factory, steps)


def see_through(tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, str] | str]) -> None:
    """Live through a history, and look at every order and judgement of it."""
    place = tmp_path_factory.mktemp("history")
    url, clock = f"sqlite:///{place}/pilothouse.db", FrozenClock(NOON)
    migrate(url, backup_to=None, clock=clock)
    stepped = Stepped(place / "data", url, clock).open()
    for step in steps:
        live(stepped, step)
    stepped.pass_time(15, step=3)

    found = stepped.house.database.read(verify)
    assert found.ok, [fault.words for fault in found.faults]
    for order in stepped.orders():
        assert told(stepped, order.id).is_recorded
        assert again(stepped, order.id).same is not False
    for said in judgements(stepped):
        assert ask_again(said)[0] is True, said
    stepped.die()


def live(stepped: Stepped, step: dict[str, str] | str) -> None:
    """Let one thing happen to a house."""
    desk, account = stepped.house.desk, stepped.account
    match step:
        case "pass":
            stepped.pass_time(3, step=1)
        case "lost after":
            stepped.faults.arm(Fault.LOSE_ANSWER)
        case "lost before":
            stepped.faults.arm(Fault.LOSE_REQUEST)
        case "halt":
            stepped.house.database.write(
                lambda tx: halts.halt(tx, desk, account.id, account.owner_id, reason="to see", by="me"), name="halt"
            )
        case "resume":
            stepped.house.database.write(
                lambda tx: halts.resume(tx, desk, account.id, account.owner_id, by="me"), name="resume"
            )
        case "restart":
            stepped.die()
            stepped.open()
        case dict():
            stepped.alert(**step)
        case _:
            raise AssertionError(step)
