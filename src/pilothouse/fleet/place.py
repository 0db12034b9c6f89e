"""The protective orders that are due, placed; and another way taken where the venue does not take one.

A stop that the venue does not take leaves the position naked, so it is not asked for again and again: one whose price
was passed already closes the position at the market; one that is refused is tried in each form in which the venue
takes stops (`Card.stop_ways`), and then the account's policy says what is done. Where the venue does not take its own
trailing order, the house moves a stop instead. A target that is refused is kept by the house.
"""

from dataclasses import replace

from pilothouse.bots.bracket import STOP, Guarding, guard, in_way
from pilothouse.bots.follow import Planned
from pilothouse.bots.pairs import PAIR_STOP, other_half
from pilothouse.bots.venue_trail import TRAIL
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, Purpose
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.submit import submit_pair
from pilothouse.fleet import protections
from pilothouse.fleet.exits import close_part, flatten
from pilothouse.fleet.protections import Then
from pilothouse.fleet.scene import Scene
from pilothouse.fleet.turn import (
    REFUSALS_MAX,
    Turn,
    alarm,
    intent_of,
    keep_here,
    make,
    number_of_next,
    policy_of,
    refused_in_a_row,
    whose,
)


def place_due(turn: Turn, scene: Scene, due: Guarding) -> Scene:
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
        refused = refused_in_a_row(turn.made.in_place(place), planned.terms)
        if refused and (refused[-1].outcome or "").startswith("would_trigger"):
            scene = (_begun if place == TRAIL else _passed)(turn, scene, place, planned)
        elif len(refused) < REFUSALS_MAX:
            scene = make(turn, scene, place, planned)
        else:
            scene = _not_taken(turn, scene, place, planned, refused[-1])
    return scene


def _pair(turn: Turn, scene: Scene, stop: tuple[str, Planned], target: tuple[str, Planned]) -> Scene | None:
    """Place stop and target of one share as a pair; None where the venue showed that it does not take it."""
    refused = refused_in_a_row(turn.made.in_place(target[0]), target[1].terms)
    passed = bool(refused) and (refused[-1].outcome or "").startswith("would_trigger")
    if passed or len(refused) >= REFUSALS_MAX:
        return None
    record, number = turn.record, number_of_next(turn)
    intents = [
        intent_of(turn, scene, place, planned, number + each) for each, (place, planned) in enumerate((stop, target))
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
    detail = {"symbol": symbol, "refusal": why, **whose(turn.record)}
    message = f"{place} of {symbol} was refused as a pair with its stop: the stop stands, the house keeps the target"
    alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
    ours = replace(turn, progress=replace(turn.progress, kept_here=turn.progress.kept_here | {place}))
    due = guard(turn.record.protection, scene.view, ours.progress, entry_pending=True)
    return place_due(ours, scene, replace(due, exits=()))


def _begun(turn: Turn, scene: Scene, place: str, planned: Planned) -> Scene:
    """Let trail from now on what was refused because the price from which it was to trail had been passed."""
    begins, side = planned.terms.stop_price, turn.record.protection.side
    mark = scene.view.quote.mark
    if begins is None:
        return _not_taken(turn, scene, place, planned, turn.made.in_place(place)[-1])
    best = max(begins, mark) if side is Side.BUY else min(begins, mark)
    protections.change(turn.tx, turn.record, turn.now, best_price=best)
    return make(turn, scene, place, replace(planned, terms=replace(planned.terms, stop_price=None)))


def _moved_by_us(turn: Turn, scene: Scene, last: OrderRecord) -> Scene:
    """Move a stop of ours, from this turn on, where the venue does not take its own trailing order."""
    keep_here(turn, TRAIL)
    symbol = turn.record.symbol
    detail = {"symbol": symbol, "refusal": last.outcome or "", **whose(turn.record)}
    message = f"the venue's own trailing stop of {symbol} was refused again and again: the house moves a stop instead"
    alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
    ours = replace(turn.progress, kept_here=turn.progress.kept_here | {TRAIL})
    for place, planned in guard(turn.record.protection, scene.view, ours, entry_pending=True).place:
        if place == STOP:
            scene = make(turn, scene, place, planned)
    return scene


def _passed(turn: Turn, scene: Scene, place: str, planned: Planned) -> Scene:
    """Close what an order would have closed whose price the market had passed before it stood."""
    symbol = turn.record.symbol
    if place == STOP:
        message = f"the stop of {symbol} was passed before it stood: the position is closed at the market"
        return flatten(turn, scene, "protection refused", message)
    terms = replace(planned.terms, type=OrderType.MARKET, stop_price=None, price=None)
    exit_ = Planned(terms, Purpose.EXIT, f"{planned.purpose} of {symbol}, passed before it stood")
    return close_part(turn, scene, place, exit_)


def _not_taken(turn: Turn, scene: Scene, place: str, planned: Planned, last: OrderRecord) -> Scene:
    """Take another way for what the venue refused again and again: a stop in its next form, or as the policy says."""
    record, symbol = turn.record, turn.record.symbol
    detail = {"symbol": symbol, "refusal": last.outcome or "", **whose(record)}
    if place == TRAIL:
        return _moved_by_us(turn, scene, last)
    if place != STOP:
        keep_here(turn, place)
        message = f"{place} of {symbol} was refused by the venue again and again: the house watches and triggers it"
        alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
        return scene
    if record.way + 1 < len(scene.view.stop_ways):
        protections.change(turn.tx, record, turn.now, way=record.way + 1)
        return make(turn, scene, place, replace(planned, terms=in_way(planned.terms, scene.view, record.way + 1)))
    if policy_of(turn.tx, turn.desk, turn.trader.account_id).then is Then.FLATTEN:
        message = f"the protection of {symbol} was refused by the venue: the position is closed at the market"
        return flatten(turn, scene, "protection refused", message)
    keep_here(turn, STOP)
    message = f"the stop of {symbol} was refused by the venue: the house watches and triggers it, while it runs"
    alarm(turn.tx, turn.trader, turn.now, "protection_refused", message, detail)
    return scene
