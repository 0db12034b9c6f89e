"""An alert, read: the bytes of a webhook in; a Signal, or every wrong field, out.

Pure. Three shapes: the order shape says what to do, the strategy shape says what the position should be, and a hook
with its own address takes either, told apart by content. Where an alert tells what the strategy's position is, that
decides, whatever shape it came in: `action=sell` may open a short, reduce a long or leave one, and only the position
after it says which.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pilothouse.bots import alert_text
from pilothouse.bots.alert_fields import Fields
from pilothouse.bots.alert_guards import read_guards
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.core.signals import Guards, Signal, SignalKind, Size, SizeKind

ZERO: Final = Decimal(0)


class _Action(NamedTuple):
    """What an action word means; `is_order`: it tells the direction of an order, not what that does to a position."""

    kind: SignalKind
    side: Side | None = None
    is_order: bool = False


_ACTIONS: Final = {
    "open": _Action(SignalKind.OPEN),
    "increase": _Action(SignalKind.INCREASE),
    "decrease": _Action(SignalKind.DECREASE),
    "close": _Action(SignalKind.CLOSE),
    "buy": _Action(SignalKind.OPEN, Side.BUY, is_order=True),
    "sell": _Action(SignalKind.OPEN, Side.SELL, is_order=True),
    "long": _Action(SignalKind.OPEN, Side.BUY),
    "short": _Action(SignalKind.OPEN, Side.SELL),
    "exit": _Action(SignalKind.CLOSE),
    "flat": _Action(SignalKind.CLOSE),
}
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "long": Side.BUY, "short": Side.SELL}
_ORDER_ACTIONS: Final = {"buy": Side.BUY, "sell": Side.SELL}
_ORDER_TYPES: Final = {"market": OrderType.MARKET, "limit": OrderType.LIMIT}
_MARKET_POSITIONS: Final = {"long": 1, "short": -1, "flat": 0}

# The names of the position after the alert; the first one sent decides, the others must agree with it.
_POSITION_NAMES: Final = ("position_size", "position_after", "market_position_size")
_SIZE_NAMES: Final = tuple((kind, kind.value) for kind in SizeKind)
_PERCENTS: Final = frozenset({SizeKind.EQUITY_PERCENT, SizeKind.RISK_PERCENT})


class Shape(StrEnum):
    """How an alert is meant to be read; the values are the paths where each shape is sent."""

    ORDER = "/webhook/tradingview"
    STRATEGY = "/webhook/tradingview-strategy"
    EITHER = "/hooks/{token}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, understood.

    signal        what it asks for
    shape         ORDER or STRATEGY: how it was read
    secret        the webhook secret in its body, for the caller to check; None if it carries none
    masked        its body as plain JSON data without any secret, to be stored
    fingerprint   SHA-256 of the body's bytes, hexadecimal
    """

    signal: Signal
    shape: Shape
    secret: str | None
    masked: dict[str, Any]
    fingerprint: str


class AlertInvalid(Invalid):
    """An alert with wrong fields; `symbol` is the one it names, if that is well-formed, else empty."""

    def __init__(self, problems: Sequence[Problem], symbol: str) -> None:
        """Keep the symbol, so that whoever knows the venue can say whether it is wrong too."""
        super().__init__(problems)
        self.symbol = symbol


def read(body: bytes, shape: Shape) -> Alert:
    """Return the alert that `body` holds, read as `shape`.

    Raises Invalid with a problem for every wrong field; texts in it are bounded and free of secrets. A door that
    must answer "wrong secret" first asks `secret_in` when this raises.
    """
    data = alert_text.load(body)
    fields = Fields(data)
    if shape is Shape.EITHER:
        shape = _shape_of(fields)
    signal = _signal(fields, shape)
    if fields.problems or signal is None:
        raise AlertInvalid(fields.problems, Fields(data).symbol())
    return Alert(
        signal=signal,
        shape=shape,
        secret=fields.webhook_secret,
        masked=alert_text.masked(data, fields.secrets),
        fingerprint=hashlib.sha256(body).hexdigest(),
    )


def secret_in(body: bytes) -> str | None:
    """Return the webhook secret that `body` carries, even where the rest cannot be read; or None."""
    return alert_text.secret_in(body)


def _shape_of(fields: Fields) -> Shape:
    """Tell by content: a position, or an order of a strategy without an action of its own, is the strategy shape."""
    if fields.has(*_POSITION_NAMES):
        return Shape.STRATEGY
    if fields.has("market_position", "order_action") and not fields.has("action"):
        return Shape.STRATEGY
    return Shape.ORDER


def _signal(fields: Fields, shape: Shape) -> Signal | None:
    """Return what the fields ask for; None, with its problems noted, if they do not say."""
    if fields.is_heartbeat():
        alert_id = fields.alert_id()
        return Signal(SignalKind.HEARTBEAT, "", alert_id=alert_id, sent_at=fields.sent_at(), counter=fields.counter())
    symbol = fields.symbol()
    asked = _strategy(fields) if shape is Shape.STRATEGY else _order(fields)
    order_type = fields.word("order_type", _ORDER_TYPES) or OrderType.MARKET
    price = fields.number("price", "a number above zero", above=ZERO)
    if order_type is OrderType.LIMIT and not fields.has("price"):
        fields.missing("price", "a number above zero: a LIMIT order needs its price")
    guards = read_guards(fields)
    alert_id = fields.alert_id()
    if fields.problems or asked is None:
        return None
    if asked.kind in {SignalKind.DECREASE, SignalKind.CLOSE}:
        guards = Guards()
    ladder = fields.has("take_profits")
    return Signal(
        kind=asked.kind,
        symbol=symbol,
        side=asked.side,
        size=asked.size,
        target=asked.target,
        order_type=order_type,
        price=price if order_type is OrderType.LIMIT else None,
        stop_loss=guards.stop_loss,
        take_profit=guards.targets[0].level if guards.targets and not ladder else None,
        alert_id=alert_id,
        sent_at=fields.sent_at(),
        comment=fields.comment(),
        bar_time=fields.bar_time(),
        counter=fields.counter(),
        position_before=fields.position_before(),
        take_profits=guards.targets if ladder else (),
        break_even_after=guards.break_even_after,
        trailing_stop=guards.trailing,
        time_stop_s=guards.time_stop_s,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The part of a signal that the two shapes tell differently."""

    kind: SignalKind
    side: Side | None = None
    size: Size | None = None
    target: Decimal | None = None


def _strategy(fields: Fields) -> _Asked | None:
    """Read the strategy shape: the position wanted. `order_action` and `contracts` are checked and decide nothing."""
    fields.word("order_action", _ORDER_ACTIONS)
    contracts = fields.number("contracts", "a number above zero")
    if contracts is not None and contracts < 0:
        fields.problem("contracts", fields.came("contracts"), "a number above zero")
    target = _target(fields, fields.word("market_position", _MARKET_POSITIONS))
    return None if target is None else _Asked(SignalKind.TARGET, target=target)


def _order(fields: Fields) -> _Asked | None:
    """Read the order shape: an action, and how much; or the strategy's position, which then decides."""
    action = fields.word("action", _ACTIONS)
    side = fields.word("side", _SIDES)
    market = fields.word("market_position", _MARKET_POSITIONS)
    if fields.has(*_POSITION_NAMES) or market == 0:
        _sizes(fields)
        target = _target(fields, market)
        return None if target is None else _Asked(SignalKind.TARGET, target=target)
    if fields.has("prev_market_position", "position_before") and not fields.has("market_position"):
        fields.missing("position_size", "the position after the alert, signed, where the one before it is sent")
    if action is None:
        if not fields.has("action"):
            fields.missing("action", f"one of {', '.join(_ACTIONS)}")
        _size(fields, SignalKind.OPEN)  # so that a wrong size is told together with the wrong action
        return None
    if action.kind is SignalKind.CLOSE:
        _sizes(fields)
        return _Asked(action.kind)
    if action.side is not None and side is not None and side is not action.side:
        fields.conflict("side", f"{action.side}, or nothing, with action {fields.came('action')}")
    kind, side = _with_market(fields, action, action.side or side, market)
    if kind is SignalKind.OPEN and side is None and not fields.has("side"):
        fields.missing("side", "BUY or SELL: an opening needs its side")
    return _Asked(kind, None if kind is SignalKind.DECREASE else side, _size(fields, kind))


def _with_market(
    fields: Fields, action: _Action, side: Side | None, market: int | None
) -> tuple[SignalKind, Side | None]:
    """Return kind and side, judged by whether the strategy is long (1) or short (-1) after the alert; None: untold.

    A buy that leaves the strategy short, or a sell that leaves it long, took a part off: it never opens.
    """
    if market is None or action.kind is SignalKind.DECREASE:
        return action.kind, side
    held = Side.BUY if market > 0 else Side.SELL
    if side is None or side is held:
        return action.kind, held
    if action.is_order:
        return SignalKind.DECREASE, None
    fields.conflict("market_position", f"the side of the alert ({side}), or nothing")
    return action.kind, side


def _target(fields: Fields, market: int | None) -> Decimal | None:
    """Return the position wanted, base, signed; None, noted, if the alert does not tell or contradicts itself.

    market   1 long, -1 short, 0 flat, None if not told
    """
    sizes = [
        (name, number)
        for name in _POSITION_NAMES
        if (number := fields.number(name, "the position after the alert, a number")) is not None
    ]
    if market == 0:
        return ZERO
    if not sizes:
        if not fields.has(*_POSITION_NAMES):
            fields.missing("position_size", "the position after the alert, a number: signed, 0 for flat")
        return None
    for name, number in sizes:
        if abs(number) != abs(sizes[0][1]):
            fields.conflict(name, f"the same position as {sizes[0][0]}")
        if market is not None and (number == 0 or (number < 0 and market > 0)):
            fields.conflict(name, f"a position that is {'long' if market > 0 else 'short'}, as market_position says")
    name, number = sizes[0]
    if market is not None:
        return abs(number) * market
    if name == "market_position_size" and number > 0 and not fields.has("market_position"):
        fields.missing("market_position", "long, short or flat: market_position_size has no sign")
    return number


def _sizes(fields: Fields) -> list[tuple[SizeKind, str, Decimal]]:
    """Return every size that was sent, as (kind, name, number); unfit ones are noted."""
    sizes = []
    for kind, name in _SIZE_NAMES:
        number = fields.number(name, "a number above zero", percent=kind in _PERCENTS)
        if number is not None:
            sizes.append((kind, name, number))
    return sizes


def _size(fields: Fields, kind: SignalKind) -> Size | None:
    """Return how much: at most one size above zero; None means the hook's default."""
    sizes = _sizes(fields)
    for _, name, number in sizes:
        if number <= 0:
            fields.problem(name, fields.came(name), "a number above zero")
    for _, name, _ in sizes[1:]:
        fields.conflict(name, f"exactly one size: {sizes[0][1]} was sent too")
    if not sizes:
        # Not every strategy names its size as we do; an alert that says how much must not get the default instead.
        contracts = fields.number("contracts", "a number above zero", above=ZERO)
        return None if contracts is None else Size(SizeKind.QUANTITY, contracts)
    size_kind, name, number = sizes[0]
    if size_kind is SizeKind.RISK_PERCENT:
        _check_risk(fields, kind, number)
    return Size(size_kind, number)


def _check_risk(fields: Fields, kind: SignalKind, percent: Decimal) -> None:
    """Note what a size by risk lacks: it opens or adds, has a stop, and risks no more than everything."""
    if kind is SignalKind.DECREASE:
        fields.conflict("risk_percent", "another size: a reduction risks nothing")
    elif not fields.has("stop_loss"):
        fields.missing("stop_loss", "a price or a percentage: risk_percent is sized by it")
    if percent > 100:
        fields.problem("risk_percent", fields.came("risk_percent"), "a number above zero, at most 100")
