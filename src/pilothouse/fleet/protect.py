"""The protection of an open position as a person sets it: it replaces what was there, and the orders follow."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from pilothouse.bots.bracket import TARGET, Protection, place_of, stands, wants
from pilothouse.bots.follow import PositionNotFound
from pilothouse.bots.pairs import is_stop
from pilothouse.bots.venue_trail import TRAIL, trails_here
from pilothouse.bots.wrong_levels import wrong_levels
from pilothouse.core.errors import Invalid, NotFound, Problem, Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.rounding import plain
from pilothouse.core.signals import Guards
from pilothouse.execution.desk import Desk
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.fleet import protections
from pilothouse.fleet.guard import guard_position, in_place
from pilothouse.fleet.protections import Policy, ProtectionRecord
from pilothouse.fleet.scene import Scene, look
from pilothouse.fleet.sides import want
from pilothouse.fleet.turn import policy_of
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions


class NotProtected(NotFound):
    """Nothing is to protect this position."""

    code = "not_protected"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one position is protected now.

    record        None where nothing is to protect it
    orders        its stop-losses and takes-profits that are alive, each with its place
    stands        whether all that should stand does; None while nobody can say, for want of a price
    unprotected   for how long it has been without its protection this time, zero while that stands
    unprotected_total   the same in all, since the protection was asked for
    kept          places that the house keeps, because the venue cannot carry them
    trails_here   why the house moves a stop instead of asking for the venue's own trailing order; empty: the venue's
                  own trails; None where nothing is to trail
    """

    account_id: str
    symbol: str
    record: ProtectionRecord | None
    orders: tuple[tuple[str, OrderRecord], ...]
    stands: bool | None
    unprotected: timedelta
    unprotected_total: timedelta
    kept: tuple[str, ...]
    policy: Policy
    trails_here: str | None = None


def set_by_hand(tx: Tx, desk: Desk, trader: Trader, symbol: str, guards: Guards, *, by: str) -> None:
    """Protect an open position with `guards` from now on; what protected it before is replaced.

    Raises PositionNotFound, Invalid (naming the field) for a level that the price has passed, AccountDisarmed,
    Unavailable without a price.
    """
    tx.lock(f"account:{trader.account_id}")
    scene = look(tx, desk, trader, symbol)
    trader.must_be_armed()
    held, now = scene.view.held(), desk.clock.now()
    if held == 0:
        raise PositionNotFound(f"No open position found for {symbol}")
    if not guards:
        raise Invalid([Problem("stop_loss", "nothing", "a stop_loss, take_profits, trailing_stop or time_stop_s")])
    before = protections.of(tx, trader.account_id, symbol)
    record = ProtectionRecord(
        id=desk.ids.fresh("prt"),
        account_id=trader.account_id,
        symbol=symbol,
        owner_id=trader.owner_id,
        hook_id=None,
        signal_id=None,
        asked_by=by[:64],
        asked_at=now,
        asked_tick=desk.clock.tick(),
        protection=Protection(Side.of(held), guards),
        updated_at=now,
        position_opened=positions.opened(tx, trader.account_id, symbol),
        unprotected_us=before.unprotected_us if before else 0,
    )
    problems = [*_wrong(desk, record, scene)]
    if problems:
        raise Invalid(problems)
    want(tx, scene, record)
    guard_position(tx, desk, trader, scene)


def clear(tx: Tx, desk: Desk, trader: Trader, symbol: str) -> None:
    """Protect a position no longer: its orders are cancelled. Raises NotProtected, Unavailable without a price."""
    tx.lock(f"account:{trader.account_id}")
    if protections.of(tx, trader.account_id, symbol) is None:
        raise NotProtected(f"the position in {symbol} is not protected")
    scene = look(tx, desk, trader, symbol)
    protections.forget(tx, trader.account_id, symbol)
    guard_position(tx, desk, trader, scene)


def standing(tx: Tx, desk: Desk, trader: Trader, symbol: str) -> Standing:
    """Return how the position in one instrument is protected."""
    record = protections.of(tx, trader.account_id, symbol)
    policy = policy_of(tx, desk, trader.account_id)
    now, tick, nothing = desk.clock.now(), desk.clock.tick(), timedelta(0)
    try:
        scene = look(tx, desk, trader, symbol)
    except Unavailable:
        if record is None:
            return Standing(trader.account_id, symbol, None, (), None, nothing, nothing, (), policy)
        naked, total = record.naked_for(now, tick), record.unprotected(now, tick)
        return Standing(trader.account_id, symbol, record, (), None, naked, total, (), policy)
    made = protections.made_for(tx, record) if record else protections.Made()
    scene = in_place(tx, scene, made)
    places = {order.id: place_of(order) for order in scene.view.orders}
    orders = tuple((places[order.id], order) for order in scene.records if order.purpose.protects)
    if record is None:
        return Standing(trader.account_id, symbol, None, orders, None, nothing, nothing, (), policy)
    progress = made.progress(record, now, tick)
    fine = stands(record.protection, scene.view, progress)
    held = scene.view.held()
    kept = (
        tuple(each.place for each in wants(record.protection, scene.view, progress, abs(held)) if each.keeps)
        if held and Side.of(held) is record.protection.side
        else ()
    )
    guards = record.protection.guards
    return Standing(
        trader.account_id, symbol, record, orders, fine,
        nothing if fine else _naked_for(tx, desk, record), record.unprotected(now, tick), kept, policy,
        trails_here(guards, scene.view, progress) if guards.trailing else None,
    )  # fmt: skip


def every_standing(tx: Tx, desk: Desk, traders: Iterable[Trader]) -> list[Standing]:
    """Return how each position of each account is protected, those that nothing is to protect too."""
    found = []
    for trader in traders:
        held = {row.position.symbol for row in positions.all_positions(tx, trader.account_id, flat_too=False)}
        held |= {record.symbol for record in protections.every(tx, [trader.account_id])}
        found += [standing(tx, desk, trader, symbol) for symbol in sorted(held)]
    return found


def _naked_for(tx: Tx, desk: Desk, record: ProtectionRecord) -> timedelta:
    """Return for how long a position is without its protection: since that was noted, or since it was opened."""
    now, tick = desk.clock.now(), desk.clock.tick()
    if record.unprotected_since is not None:
        return record.naked_for(now, tick)
    opened = record.position_opened or positions.opened(tx, record.account_id, record.symbol)
    return record.wanted_for(opened, now, tick) if opened else timedelta(0)


def _wrong(desk: Desk, record: ProtectionRecord, scene: Scene) -> Iterable[Problem]:
    """Yield a problem for each level that makes no sense, or that the price of now has passed."""
    view, side = scene.view, record.protection.side
    entry, mark = view.position.entry_price(), view.quote.mark
    assert entry is not None, "a position that is held has an entry price"
    guards = record.protection.guards
    stop = guards.stop_loss if guards.stop_loss and guards.stop_loss.price is None else None
    unfit = [*wrong_levels(replace(guards, targets=(), stop_loss=stop), side, entry, view.instrument)]
    yield from unfit
    if unfit:
        return
    progress = protections.Made().progress(record, desk.clock.now(), desk.clock.tick())
    for each in wants(record.protection, view, progress, abs(view.held())):
        if each.place == TRAIL:  # it has no price yet at which it fires
            continue
        loses = is_stop(each.place)
        below = (side is Side.BUY) == loses
        if (each.trigger < mark) != below or each.trigger == mark:
            name = "stop_loss" if loses else f"take_profits[{each.place.removeprefix(TARGET)}]"
            came = f"{plain(each.trigger)} with the mark price at {plain(mark)}"
            allowed = f"a price {'below' if below else 'above'} it: else it would trigger at once"
            yield Problem(name, came, allowed, "wrong_side")
