"""Protection as it is carried out: the orders of `bots/bracket` placed and cancelled, refusals answered.

A stop that the venue does not take leaves the position naked, so it is not asked for again and again: one whose price
was passed already closes the position at the market; one that is refused is tried in each form in which the venue
takes stops (`Card.stop_ways`), and then the account's policy says what is done. Where the venue does not take its own
trailing order, the house moves a stop instead. A target that is refused is kept by the house.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from pilothouse.bots.bracket import STOP, TIME, Guarding, Protection, guard, in_way, place_of, stands
from pilothouse.bots.follow import Planned
from pilothouse.bots.free import at_hand, our_sales
from pilothouse.bots.ladder import Progress, best_price
from pilothouse.bots.pairs import PAIR_STOP, other_half
from pilothouse.bots.venue_trail import TRAIL
from pilothouse.bots.view import LiveOrder
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.instrument import Side
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.execution import cancel
from pilothouse.execution.desk import Desk
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.submit import submit, submit_pair
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.protections import Made, Policy, ProtectionRecord, Then
from pilothouse.fleet.scene import Scene
from pilothouse.fleet.sides import entries_of, of_the_held_side, want
from pilothouse.fleet.store import SignalRecord
from pilothouse.kit.chain import judgement
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions

REFUSALS_MAX = 3
"""So many refused orders in one place in a row, and another way is taken."""

EXIT_AGAIN = timedelta(seconds=10)
"""After so many refused exits, or one that the gate denied, the next one waits so long: what said no has to change."""

_DENIALS_FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the protection of one position works with."""

    tx: Tx
    desk: Desk
    trader: Trader
    record: ProtectionRecord
    made: Made
    progress: Progress
    now: datetime


def protect_with(tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: SignalRecord, terms: OrderTerms) -> None:
    """Set the protection that a signal asks for, for the position that its order `terms` opens or adds to."""
    signal = record.signal
    assert signal is not None, "only alerts that were understood open anything"
    now = desk.clock.now()
    want(
        tx,
        scene,
        ProtectionRecord(
            id=desk.ids.fresh("prt"),
            account_id=trader.account_id,
            symbol=terms.symbol,
            owner_id=trader.owner_id,
            hook_id=record.hook_id,
            signal_id=record.id,
            asked_by="alert",
            asked_at=now,
            asked_tick=desk.clock.tick(),
            protection=Protection(terms.side, signal.guards),
            updated_at=now,
        ),
    )


_NOTHING = Guarding()


def guard_position(
    tx: Tx, desk: Desk, trader: Trader, scene: Scene, *, exit_waits: bool = False, may_exit: bool = True
) -> None:
    """Make the protective orders of one instrument fit its position; remember since when it is unprotected.

    exit_waits   whether an alert waits for coins to be let go, to sell them
    may_exit     whether the position is known well enough to close it at the market
    """
    symbol = scene.view.instrument.symbol
    record = of_this_position(tx, desk, trader, scene, of_the_held_side(tx, trader, scene))
    if record is None:
        due = guard(None, scene.view, entry_pending=False)
        _cancel(tx, desk, scene, due.cancels)
        return
    turn, scene = begin(tx, desk, trader, scene, record)
    record, now = turn.record, turn.now
    due = guard(
        record.protection,
        scene.view,
        turn.progress,
        entry_pending=bool(entries_of(record, scene)),
        exit_waits=exit_waits,
        now=now,
        may_exit=may_exit,
    )
    now_due = replace(due, exits=tuple(each for each in due.exits if not _waits(turn, *each)))
    if now_due != _NOTHING:  # asked twice a second: only what moves something is kept
        given = {
            "protection": record.protection,
            "view": scene.view,
            "progress": turn.progress,
            "entry_pending": bool(entries_of(record, scene)),
            "exit_waits": exit_waits,
            "now": now,
            "may_exit": may_exit,
        }
        about = record.signal_id or trader.account_id
        tx.record(trader.account_id, about, "judged", judgement("bracket.guard", f"{about}:protection", given, due))
    if due.trail_floor is not None:
        protections.change(tx, record, now, trail_floor=due.trail_floor)
        turn = replace(turn, progress=replace(turn.progress, trail_floor=due.trail_floor))
    _cancel(tx, desk, scene, due.cancels)
    if due.ended:
        protections.forget(tx, trader.account_id, symbol)
        return
    scene = _leave(turn, scene, now_due)
    scene = _place(turn, scene, due)
    _remember(turn, scene)


def begin(tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: ProtectionRecord) -> tuple[Turn, Scene]:
    """Return what a turn of one protection works with, and the scene with each order's place in it."""
    now = desk.clock.now()
    record = _trailed(tx, scene, record, now)
    made = protections.made_for(tx, record)
    progress = made.progress(record, now, desk.clock.tick())
    return Turn(tx, desk, trader, record, made, progress, now), in_place(tx, scene, made)


def in_place(tx: Tx, scene: Scene, made: Made) -> Scene:
    """Return the scene with the place of each protective order, of those of a former protection too."""
    places = made.places()
    others = [order.id for order in scene.records if order.purpose.protects and order.id not in places]
    return scene.placed({**protections.former(tx, others), **places} if others else places)


def of_this_position(
    tx: Tx, desk: Desk, trader: Trader, scene: Scene, record: ProtectionRecord | None
) -> ProtectionRecord | None:
    """Return the protection if it belongs to the position that is held; one whose position is gone is forgotten.

    A position that was closed while its entry still rests is not to come back without its protection: the entry is
    cancelled, and what it fills until then is protected.
    """
    if record is None:
        return None
    now, held = desk.clock.now(), scene.view.held()
    if held == 0 or Side.of(held) is not record.protection.side:
        entries = entries_of(record, scene)
        if record.position_opened is not None and entries:
            for order in entries:
                cancel.ask(tx, desk, order, by="protection: its position was closed")
            record = replace(record, position_opened=None, best_price=None, trail_floor=None)
            protections.note_position(tx, record, None, now, best_price=None, trail_floor=None)
        return record
    opened = positions.opened(tx, trader.account_id, record.symbol)
    if record.position_opened is None:
        if any(order.signal_id == record.signal_id and not order.terms.rests for order in entries_of(record, scene)):
            return record  # the entry that it came with is on its way, and may open another position than this one
        protections.note_position(tx, record, opened, now)
        return replace(record, position_opened=opened)
    if record.position_opened != opened:
        protections.forget(tx, trader.account_id, record.symbol)
        return None
    return record


def _trailed(tx: Tx, scene: Scene, record: ProtectionRecord, now: datetime) -> ProtectionRecord:
    """Return the protection with the best price that its stop follows, kept if it moved."""
    view, trailing = scene.view, record.protection.guards.trailing
    entry = view.position.entry_price()
    if trailing is None or entry is None or view.held() == 0 or Side.of(view.held()) is not record.protection.side:
        return record
    best = best_price(trailing, record.best_price, view.quote.mark, entry, record.protection.side, view.instrument)
    if best == record.best_price:
        return record
    protections.change(tx, record, now, best_price=best)
    return replace(record, best_price=best)


def _cancel(tx: Tx, desk: Desk, scene: Scene, order_ids: Sequence[str]) -> None:
    for order_id in order_ids:
        cancel.ask(tx, desk, scene.order(order_id), by="protection")


# ── Placing ───────────────────────────────────────────────────────────────────────────────────────


def _place(turn: Turn, scene: Scene, due: Guarding) -> Scene:
    """Place what is due, unless the venue showed that it does not take it: then another way is taken."""
    pairs = {place: planned for place, planned in due.place if place.startswith(PAIR_STOP)}
    for place, planned in due.place:
        half = other_half(place)
        if half in pairs:
            kept = _pair(turn, scene, (half, pairs[half]), (place, planned))
            if kept is None:
                return _without_pair(turn, scene, place)
            scene = kept
            continue
        if place in pairs:
            continue
        refused = _refused_in_a_row(turn.made.in_place(place), planned.terms)
        if refused and (refused[-1].outcome or "").startswith("would_trigger"):
            scene = (_begun if place == TRAIL else _passed)(turn, scene, place, planned)
        elif len(refused) < REFUSALS_MAX:
            scene = _submit(turn, scene, place, planned)
        else:
            scene = _not_taken(turn, scene, place, planned, refused[-1])
    return scene


def _pair(turn: Turn, scene: Scene, stop: tuple[str, Planned], target: tuple[str, Planned]) -> Scene | None:
    """Place stop and target of one share as a pair; None where the venue showed that it does not take it."""
    refused = _refused_in_a_row(turn.made.in_place(target[0]), target[1].terms)
    passed = bool(refused) and (refused[-1].outcome or "").startswith("would_trigger")
    if passed or len(refused) >= REFUSALS_MAX:
        return None
    record, number = turn.record, _number(turn)
    intents = [
        _intent(turn, scene, place, planned, number + each) for each, (place, planned) in enumerate((stop, target))
    ]
    orders = submit_pair(turn.tx, turn.desk, turn.trader, intents[0], intents[1])
    protections.change(turn.tx, record, turn.now, placed=number + 2)
    for (place, _), order in zip((stop, target), orders, strict=True):
        protections.note_order(turn.tx, record, order, place)
        scene = scene.with_order(order, place)
    return scene


def _without_pair(turn: Turn, scene: Scene, place: str) -> Scene:
    """Keep a target here whose pair the venue does not take, and place the stop of its share alone, in this turn."""
    keep_here(turn, place)
    symbol, refused = turn.record.symbol, turn.made.in_place(place)
    why = (refused[-1].outcome or "") if refused else ""
    detail = {"symbol": symbol, "refusal": why, **_whose(turn.record)}
    message = f"{place} of {symbol} was refused as a pair with its stop: the stop stands, the house keeps the target"
    alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
    ours = replace(turn, progress=replace(turn.progress, kept_here=turn.progress.kept_here | {place}))
    due = guard(turn.record.protection, scene.view, ours.progress, entry_pending=True)
    return _place(ours, scene, replace(due, exits=()))


def _refused_in_a_row(orders: list[OrderRecord], terms: OrderTerms) -> list[OrderRecord]:
    """Return the latest orders of one place and form that the venue refused, up to one that it took, oldest first."""
    refused: list[OrderRecord] = []
    for order in reversed([one for one in orders if _form(one.terms) == _form(terms)]):
        if order.state is not OrderState.REJECTED:
            break
        refused.append(order)
    return refused[::-1]


def _form(terms: OrderTerms) -> tuple[OrderType, bool, bool]:
    """Return in which form an order is asked for: a refusal of one says nothing of another."""
    begins_later = terms.trail_percent is not None and terms.stop_price is not None
    return terms.type, terms.whole_position, begins_later


def _begun(turn: Turn, scene: Scene, place: str, planned: Planned) -> Scene:
    """Let trail from now on what was refused because the price from which it was to trail had been passed."""
    begins, side = planned.terms.stop_price, turn.record.protection.side
    mark = scene.view.quote.mark
    if begins is None:
        return _not_taken(turn, scene, place, planned, turn.made.in_place(place)[-1])
    best = max(begins, mark) if side is Side.BUY else min(begins, mark)
    protections.change(turn.tx, turn.record, turn.now, best_price=best)
    return _submit(turn, scene, place, replace(planned, terms=replace(planned.terms, stop_price=None)))


def _moved_by_us(turn: Turn, scene: Scene, last: OrderRecord) -> Scene:
    """Move a stop of ours, from this turn on, where the venue does not take its own trailing order."""
    keep_here(turn, TRAIL)
    symbol = turn.record.symbol
    detail = {"symbol": symbol, "refusal": last.outcome or "", **_whose(turn.record)}
    message = f"the venue's own trailing stop of {symbol} was refused again and again: the house moves a stop instead"
    alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
    ours = replace(turn.progress, kept_here=turn.progress.kept_here | {TRAIL})
    for place, planned in guard(turn.record.protection, scene.view, ours, entry_pending=True).place:
        if place == STOP:
            scene = _submit(turn, scene, place, planned)
    return scene


def _passed(turn: Turn, scene: Scene, place: str, planned: Planned) -> Scene:
    """Close what an order would have closed whose price the market had passed before it stood."""
    symbol = turn.record.symbol
    if place == STOP:
        message = f"the stop of {symbol} was passed before it stood: the position is closed at the market"
        return flatten(turn, scene, "protection refused", message)
    terms = replace(planned.terms, type=OrderType.MARKET, stop_price=None, price=None)
    exit_ = Planned(terms, Purpose.EXIT, f"{planned.purpose} of {symbol}, passed before it stood")
    return _exit(turn, scene, place, exit_)


def _not_taken(turn: Turn, scene: Scene, place: str, planned: Planned, last: OrderRecord) -> Scene:
    """Take another way for what the venue refused again and again: a stop in its next form, or as the policy says."""
    record, symbol = turn.record, turn.record.symbol
    detail = {"symbol": symbol, "refusal": last.outcome or "", **_whose(record)}
    if place == TRAIL:
        return _moved_by_us(turn, scene, last)
    if place != STOP:
        keep_here(turn, place)
        message = f"{place} of {symbol} was refused by the venue again and again: the house watches and triggers it"
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
        return scene
    if record.way + 1 < len(scene.view.stop_ways):
        protections.change(turn.tx, record, turn.now, way=record.way + 1)
        return _submit(turn, scene, place, replace(planned, terms=in_way(planned.terms, scene.view, record.way + 1)))
    if policy_of(turn.tx, turn.desk, turn.trader.account_id).then is Then.FLATTEN:
        message = f"the protection of {symbol} was refused by the venue: the position is closed at the market"
        return flatten(turn, scene, "protection refused", message)
    keep_here(turn, STOP)
    message = f"the stop of {symbol} was refused by the venue: the house watches and triggers it, while it runs"
    alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
    return scene


def keep_here(turn: Turn, place: str) -> None:
    """Let the house watch and trigger one part of the protection, because the venue does not take it."""
    current = protections.of(turn.tx, turn.record.account_id, turn.record.symbol)
    kept = (current.kept_here if current else turn.record.kept_here) | {place}
    protections.change(turn.tx, turn.record, turn.now, kept_here=kept)


def _submit(turn: Turn, scene: Scene, place: str, planned: Planned, *, waits: bool = False) -> Scene:
    """Make one order of the protection, under a key that no other has."""
    record, number = turn.record, _number(turn)
    intent = _intent(turn, scene, place, planned, number)
    order = submit(turn.tx, turn.desk, turn.trader, intent, scene.basis(), waits=waits)
    protections.change(turn.tx, record, turn.now, placed=number + 1)
    protections.note_order(turn.tx, record, order, place)
    return scene.with_order(order, place)


def _number(turn: Turn) -> int:
    """Return how many orders were made for the protection: the number of the next one."""
    current = protections.of(turn.tx, turn.record.account_id, turn.record.symbol)
    return current.placed if current else turn.record.placed


def _intent(turn: Turn, scene: Scene, place: str, planned: Planned, number: int) -> OrderIntent:
    record = turn.record
    return OrderIntent(
        key=f"{record.id}:{place}:{number}",
        terms=planned.terms,
        purpose=planned.purpose,
        decided_price=scene.view.quote.mark,
        reason=planned.reason,
        signal_id=record.signal_id,
        hook_id=record.hook_id,
    )


# ── Closing ───────────────────────────────────────────────────────────────────────────────────────


def _leave(turn: Turn, scene: Scene, due: Guarding) -> Scene:
    """Close at the market what the house keeps and whose price, or time, has come."""
    for place, planned in due.exits:
        scene = _exit(turn, scene, place, planned)
    return scene


def _exit(turn: Turn, scene: Scene, place: str, planned: Planned) -> Scene:
    """Close a part at the market; where stops lock the coins, they are asked to let go and the order waits for it."""
    if _waits(turn, place, planned):
        return scene
    if any(place_of(order) == place and not order.purpose.protects for order in scene.view.orders):
        return scene
    if place in {STOP, TIME}:
        planned = replace(planned, reason=planned.reason + scene.what_stays())
    locks = _in_the_way(scene, place) if planned.terms.side is Side.SELL else ()
    try:
        scene = _submit(turn, scene, place, planned, waits=bool(locks))
    except DeniedByRisk as denied:
        _denied(turn, place, denied)
        return scene
    turn.tx.after_commit(partial(turn.desk.exits_denied.pop, f"{turn.record.id}:{place}", None))
    for lock in locks:
        cancel.ask(turn.tx, turn.desk, scene.order(lock.id), by="protection, which sells what it locks")
    return scene


def _in_the_way(scene: Scene, place: str) -> tuple[LiveOrder, ...]:
    """Return what keeps coins that an exit sells: stops and targets, and before all is sold our own resting sales."""
    return scene.view.locked() + (our_sales(scene.view) if place in {STOP, TIME} else ())


def _waits(turn: Turn, place: str, planned: Planned) -> bool:
    """Say whether an exit waits because the venue refused it again and again, or the gate denied it a moment ago."""
    denied_at = turn.desk.exits_denied.get(f"{turn.record.id}:{place}")
    if denied_at is not None and turn.now - denied_at < EXIT_AGAIN:
        return True
    refused = _refused_in_a_row(turn.made.in_place(place), planned.terms)
    return len(refused) >= REFUSALS_MAX and turn.now - refused[-1].updated_at < EXIT_AGAIN


def _denied(turn: Turn, place: str, denied: DeniedByRisk) -> None:
    """Let an exit wait that the gate denied, and tell a person when it is denied first.

    No limit and no halt stands against a reduce-only order at the market, which is all that a protection asks for, so
    this is for what is not thought of; it must not be asked, recorded and told twice a second.
    """
    known, key = turn.desk.exits_denied, f"{turn.record.id}:{place}"

    def note() -> None:
        for old in [name for name, at in tuple(known.items()) if turn.now - at > _DENIALS_FORGOTTEN]:
            known.pop(old, None)
        known[key] = turn.now

    turn.tx.after_commit(note)
    if key not in known:
        message = f"an exit that the protection of {turn.record.symbol} asks for was denied: {denied}"
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, {"symbol": turn.record.symbol})


def flatten(turn: Turn, scene: Scene, reason: str, message: str) -> Scene:
    """Close the position that cannot be protected, once, and raise an alarm."""
    if any(order.purpose is Purpose.EXIT and not order.terms.rests for order in scene.view.orders):
        return scene
    held = at_hand(scene.view, our_sales(scene.view))
    if held == 0 or Side.of(held) is not turn.record.protection.side:
        return scene
    terms = OrderTerms(
        symbol=turn.record.symbol,
        side=Side.of(-held),
        type=OrderType.MARKET,
        quantity=scene.view.instrument.quantity_down(abs(held)),
        reduce_only=True,
    )
    after = _exit(turn, scene, STOP, Planned(terms, Purpose.EXIT, reason))
    if after is not scene:
        detail = {"symbol": turn.record.symbol, **_whose(turn.record)}
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message + scene.what_stays(), detail)
    return after


# ── Remembering ───────────────────────────────────────────────────────────────────────────────────


def _remember(turn: Turn, scene: Scene) -> None:
    """Keep since when, and for how long in all, the position is without its protection."""
    record, now, tick = turn.record, turn.now, turn.desk.clock.tick()
    if stands(record.protection, scene.view, turn.progress):
        if record.unprotected_since is not None:
            protections.note_covered(turn.tx, record, now, tick)
    elif not record.is_counted_by(tick):
        protections.note_naked(turn.tx, record, now, tick)


def policy_of(tx: Tx, desk: Desk, account_id: str) -> Policy:
    """Return what an account wants done with a position that cannot be protected."""
    return protections.policy_of(tx, account_id) or Policy(desk.protect_within_s, Then(desk.when_unprotected))


def _whose(record: ProtectionRecord) -> dict[str, str]:
    return {"signal_id": record.signal_id} if record.signal_id else {}


def alarm(tx: Tx, trader: Trader, now: datetime, code: str, message: str, detail: dict[str, str] | None = None) -> None:
    """Tell that a person should look."""
    payload = {"code": code, "message": message, **(detail or {})}
    tx.announce(Fact(FactKind.ALARM_RAISED, trader.owner_id, now, trader.account_id, payload))
