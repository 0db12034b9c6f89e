"""Follow a signal: what the account holds in, the orders that bring it where the signal wants it out.

Pure and level-triggered: `decide` is asked again whenever something moved and answers from what is there, so a
restart in the middle of a plan goes on with the same question. One signal makes at most a few orders, numbered by
`step`; a step that was made is never made twice.

Orders that are on their way and do not rest count as if they had filled; what rests is cancelled before a close or
a target is sized.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from pilothouse.bots.ladder import level_price
from pilothouse.bots.view import View
from pilothouse.bots.wrong_levels import wrong_levels
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.core.instrument import Instrument, Quantity, Side
from pilothouse.core.order import OrderTerms, OrderType, Purpose
from pilothouse.core.rounding import plain, toward_zero
from pilothouse.core.signals import Signal, SignalKind, Size
from pilothouse.core.sizing import SizeBelowMinimum, quantity_for, within_bounds

STEPS_MAX = 4
"""Orders that one signal may make: a flip needs two, each may be tried once more."""


class PositionNotFound(NotFound):
    """There is no position to increase, decrease or close."""

    code = "position_not_found"


class SizeMissing(Invalid):
    """Neither the alert nor its hook says how much."""


class Verdict(StrEnum):
    """What becomes of the signal after this decision."""

    DONE = "done"
    WAIT = "wait"
    NOOP = "noop"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Planned:
    """An order the signal wants now."""

    terms: OrderTerms
    purpose: Purpose
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    order     at most one; the next one is decided when this one has moved something
    cancels   ids of orders to cancel first
    message   one sentence for people
    """

    verdict: Verdict
    message: str
    order: Planned | None = None
    cancels: tuple[str, ...] = field(default=())


def decide(
    signal: Signal, view: View, *, hook_id: str | None, step: int, default_size: Size | None, flat_close_is_noop: bool
) -> Decision:
    """Return what to do for `signal` now.

    step    how many orders this signal made already
    Raises PositionNotFound, Invalid (naming the field), SizeBelowMinimum, SizeAboveMaximum, SizeNeedsStop.
    """
    decision = _decide(signal, view, hook_id, step, default_size, noop=flat_close_is_noop)
    if decision.order is None or decision.order.terms.side is Side.BUY:
        return decision
    if view.needs_what_comes(decision.order.terms.quantity):
        return Decision(Verdict.WAIT, "Waiting until the coins that were bought are there")
    if not view.locked():
        return decision
    cancels = tuple(order.id for order in view.locked() if not order.cancel_asked)
    return Decision(Verdict.WAIT, "Waiting until the stop-loss or take-profit lets go of the coins", cancels=cancels)


def _decide(
    signal: Signal, view: View, hook_id: str | None, step: int, default_size: Size | None, *, noop: bool
) -> Decision:
    match signal.kind:
        case SignalKind.OPEN:
            assert signal.side is not None, "an opening signal has a side"
            return _add(
                signal, view, signal.side, default_size, f"Position opened successfully for {view.instrument.symbol}"
            )
        case SignalKind.INCREASE:
            side = Side.of(_held(signal, view))
            return _add(
                signal, view, side, default_size, f"Position increased successfully for {view.instrument.symbol}"
            )
        case SignalKind.DECREASE:
            return _decrease(signal, view, default_size)
        case SignalKind.CLOSE:
            return _close(view, hook_id, step, noop=noop)
        case SignalKind.TARGET:
            return _target(signal, view, hook_id, step)
        case SignalKind.HEARTBEAT:
            return Decision(Verdict.NOOP, "A sign of life: nothing was to do")


def _add(signal: Signal, view: View, side: Side, default_size: Size | None, message: str) -> Decision:
    """Return the order that adds `signal.size` on `side`; it nets an opposite position, as one-way mode does."""
    price = _reference(signal, view, side)
    _refuse_passed_levels(signal, view, side, price)
    quantity = _sized(signal, view, price, side, default_size, reduces=False)
    terms = _terms(signal, view.instrument, side, quantity, reduce_only=False)
    return Decision(Verdict.DONE, message, Planned(terms, Purpose.ENTRY, signal.kind.value))


def _decrease(signal: Signal, view: View, default_size: Size | None) -> Decision:
    held = _held(signal, view)
    side = Side.of(-held)
    quantity = _sized(signal, view, _reference(signal, view, side), side, default_size, reduces=True)
    if quantity > abs(held):
        raise Invalid(
            [
                Problem(
                    "quantity",
                    f"{plain(quantity)} is more than the position of {plain(abs(held))} {view.instrument.base}",
                    f"at most {plain(abs(held))}",
                    "quantity_above_position",
                )
            ]
        )
    terms = _terms(signal, view.instrument, side, quantity, reduce_only=True)
    message = f"Position decreased successfully for {view.instrument.symbol}"
    return Decision(Verdict.DONE, message, Planned(terms, Purpose.EXIT, "decrease"))


def _close(view: View, hook_id: str | None, step: int, *, noop: bool) -> Decision:
    symbol = view.instrument.symbol
    waiting = _cancel_resting(view, hook_id)
    if waiting is not None:
        return waiting
    if view.moves() and step > 0:
        return Decision(Verdict.WAIT, f"Waiting for the close of {symbol}")
    held = view.in_lots(view.expected())
    if held == 0:
        if step > 0:
            return Decision(Verdict.DONE, f"Position closed successfully for {symbol}")
        if noop:
            return Decision(Verdict.NOOP, f"Nothing to close: no position in {symbol}")
        raise PositionNotFound(f"No open position found for {symbol}")
    if step >= STEPS_MAX:
        return Decision(Verdict.GIVEN_UP, f"The position in {symbol} could not be closed in {step} orders")
    return Decision(Verdict.DONE, f"Position closed successfully for {symbol}", _closing(view, held, "close"))


def _target(signal: Signal, view: View, hook_id: str | None, step: int) -> Decision:
    """Return the next order towards the target: cancel what rests, then close, then open; one at a time."""
    assert signal.target is not None, "a target signal has a target"
    instrument, symbol = view.instrument, view.instrument.symbol
    wanted = toward_zero(signal.target, instrument.lot)
    if signal.target != 0 and abs(wanted) < instrument.quantity_min:
        raise SizeBelowMinimum(
            f"a position of {plain(signal.target)} {instrument.base} is below the minimum of "
            f"{plain(instrument.quantity_min)} {instrument.base} for {symbol}"
        )
    waiting = _cancel_resting(view, hook_id)
    if waiting is not None:
        return waiting
    if step > 0 and view.moves():
        return Decision(Verdict.WAIT, f"Waiting for the closing order in {symbol}")
    held = view.expected()
    if view.in_lots(wanted - held) == 0:
        if step > 0:
            return Decision(Verdict.DONE, f"Position closed successfully for {symbol}")
        return Decision(Verdict.NOOP, f"Already there: the position in {symbol} is {plain(held)}")
    if step >= STEPS_MAX:
        return Decision(
            Verdict.GIVEN_UP, f"{symbol} did not reach {plain(wanted)} in {step} orders; it is {plain(held)}"
        )
    if view.in_lots(held) != 0 and wanted != 0 and (held > 0) != (wanted > 0):
        return Decision(Verdict.WAIT, f"Position flips for {symbol}", _closing(view, held, "flip: close"))
    if abs(wanted) < abs(held):
        return _reduce_to(signal, view, held, wanted)
    side = Side.of(wanted - held)
    price = _reference(signal, view, side)
    _refuse_passed_levels(signal, view, side, price)
    quantity = within_bounds(instrument.quantity_down(abs(wanted - held)), instrument, price, reduces=False)
    verb = "increased" if held else "flipped" if step > 0 else "opened"
    terms = _terms(signal, instrument, side, quantity, reduce_only=False)
    return Decision(
        Verdict.DONE,
        f"Position {verb} successfully for {symbol}",
        Planned(terms, Purpose.ENTRY, f"target {plain(wanted)}"),
    )


def _reduce_to(signal: Signal, view: View, held: Decimal, wanted: Decimal) -> Decision:
    """Return the reduce-only order from `held` to the smaller `wanted` of the same sign, or to nothing."""
    instrument = view.instrument
    if wanted == 0:
        message = f"Position closed successfully for {instrument.symbol}"
        return Decision(Verdict.DONE, message, _closing(view, held, "target 0"))
    quantity = instrument.quantity_down(abs(held - wanted))
    terms = _terms(signal, instrument, Side.of(wanted - held), quantity, reduce_only=True)
    message = f"Position decreased successfully for {instrument.symbol}"
    return Decision(Verdict.DONE, message, Planned(terms, Purpose.EXIT, f"target {plain(wanted)}"))


def _closing(view: View, held: Decimal, reason: str) -> Planned:
    """Return the reduce-only market order that closes `held`: it can never open anything."""
    terms = OrderTerms(
        symbol=view.instrument.symbol,
        side=Side.of(-held),
        type=OrderType.MARKET,
        quantity=view.instrument.quantity_down(abs(held)),
        reduce_only=True,
    )
    return Planned(terms, Purpose.EXIT, reason)


def _cancel_resting(view: View, hook_id: str | None) -> Decision | None:
    """Return the decision to cancel what rests for the hook and wait until it is gone, or None if nothing rests."""
    resting = view.resting_of(hook_id)
    if not resting:
        return None
    cancels = tuple(order.id for order in resting if not order.cancel_asked)
    return Decision(Verdict.WAIT, "Waiting until resting orders are cancelled", cancels=cancels)


def _held(signal: Signal, view: View) -> Decimal:
    held = view.in_lots(view.expected())
    if held == 0:
        raise PositionNotFound(f"No open position found for {view.instrument.symbol}, nothing to {signal.kind}")
    return held


def _reference(signal: Signal, view: View, side: Side) -> Decimal:
    """Return the price an order on `side` is sized with: its limit, or the price it would meet now."""
    if signal.order_type is OrderType.LIMIT:
        assert signal.price is not None, "a limit signal has a price"
        return signal.price
    return view.quote.ask if side is Side.BUY else view.quote.bid


def _refuse_passed_levels(signal: Signal, view: View, side: Side, price: Decimal) -> None:
    """Raise Invalid, naming each field, for what stands on the wrong side of an entry at `price`."""
    problems = [*wrong_levels(signal.guards, side, price, view.instrument, single=not signal.take_profits)]
    if problems:
        raise Invalid(problems)


def _sized(
    signal: Signal, view: View, price: Decimal, side: Side, default_size: Size | None, *, reduces: bool
) -> Quantity:
    size = signal.size or default_size
    if size is None:
        allowed = "quantity, quote_amount, equity_percent or risk_percent, or a default size on the hook"
        raise SizeMissing([Problem("quantity", "no size came", allowed, "required")])
    stop = level_price(signal.stop_loss, price, side, view.instrument, loses=True) if signal.stop_loss else None
    quantity = quantity_for(size, view.instrument, price, view.equity, stop)
    wanted = f"{size.kind} {plain(size.value)}"
    return within_bounds(quantity, view.instrument, price, reduces=reduces, wanted=wanted)


def _terms(signal: Signal, instrument: Instrument, side: Side, quantity: Quantity, *, reduce_only: bool) -> OrderTerms:
    """Return the order's terms; a limit price is rounded to the tick so that it is never worse than asked."""
    price = None
    if signal.order_type is OrderType.LIMIT:
        assert signal.price is not None, "a limit signal has a price"
        price = instrument.price_down(signal.price) if side is Side.BUY else instrument.price_up(signal.price)
    return OrderTerms(
        symbol=instrument.symbol,
        side=side,
        type=signal.order_type,
        quantity=quantity,
        price=price,
        reduce_only=reduce_only,
    )
