"""How a strategy is written: by columns, or turn by turn. Pure.

By columns: arrays in, signals out; a compiled loop trades them. Ten lines are a strategy:

    class EmaCross(Columns):
        name = "ema-cross"
        title = "Two averages cross"
        parameters = {"fast": whole(10, 2, 200), "slow": whole(20, 3, 400)}

        def warm_up(self, p):
            return p.slow

        def signals(self, view, p):
            fast, slow = ema(view.close, p.fast), ema(view.close, p.slow)
            return Signals(long=crossed_above(fast, slow), short=crossed_below(fast, slow))

By turns: one closed candle, fill or quote at a time, with state that is plain data: the protocol of grids, averaging
entries and running bots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.indicators.crossings import crosses, rises_above, rises_above_level
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.view import View

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

PARAMETERS_NONE: Mapping[str, Parameter] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What a strategy wants at the close of each bar; carried out at the next open, unless the run says otherwise.

    long, short              bool[n], open a position of that side
    leave_long, leave_short  bool[n], close one
    limit                    float64[n], quote: enter at this price or better instead of at the market; NaN: market
    trigger                  float64[n], quote: enter once the price has come to this one (a stop order, with `limit` a
                             stop-limit order); NaN: at once
    target                   float64[n], -1 to 1: so much of the size is to be held, short below zero, and what is held
                             is changed to it; NaN: leave it. Alone: not beside long, short and leaving
    stop, take, trail        float64[n], quote: distances from the entry price that go before those of the rules;
                             NaN: those of the rules
    weight                   float64[n], 0 to 1: so much of the size that the rules allow; NaN counts as 1
    rank                     float64[n], where several instruments compete for capital, the larger goes first
    tag, tags                int16[n], numbers of texts, so that a trade can say why; -1: no tag
    """

    long: Truths | None = None
    short: Truths | None = None
    leave_long: Truths | None = None
    leave_short: Truths | None = None
    limit: Floats | None = None
    trigger: Floats | None = None
    target: Floats | None = None
    stop: Floats | None = None
    take: Floats | None = None
    trail: Floats | None = None
    weight: Floats | None = None
    rank: Floats | None = None
    tag: NDArray[np.int16] | None = None
    tags: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns that there are, by name."""
        every = {name: getattr(self, name) for name in _KINDS}
        return {name: column for name, column in every.items() if column is not None}

    def checked(self, count: int) -> "Signals":
        """Return itself if every column has `count` rows of its kind. Raises Invalid that names those which do not."""
        problems = []
        for name, column in self.columns.items():
            kind = _KINDS[name]
            found: Any = column  # a careless strategy returns anything
            if not isinstance(found, np.ndarray) or found.dtype != kind or found.shape != (count,):
                came = f"{found.dtype}{found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
                problems.append(Problem(f"signals.{name}", came, f"{np.dtype(kind)}[{count}]", "shape"))
        if self.target is not None and any(getattr(self, name) is not None for name in _WISHES):
            problems.append(Problem("signals.target", f"beside {' or '.join(_WISHES)}", "a target alone", "both"))
        if problems:
            raise Invalid(problems)
        return self


_WISHES = ("long", "short", "leave_long", "leave_short")
_KINDS: Mapping[str, type] = {
    **dict.fromkeys(_WISHES, np.bool_),
    **dict.fromkeys(("limit", "trigger", "target", "stop", "take", "trail", "weight", "rank"), np.float64),
    "tag": np.int16,
}


class Columns:
    """A strategy by columns; a subclass is one. Nothing is kept between two calls."""

    name: ClassVar[str]
    title: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]] = PARAMETERS_NONE
    one_at_a_time: ClassVar[bool] = False
    """Whether it can be asked one question at a time only, so that threads cannot share it."""

    def warm_up(self, p: Params) -> int:
        """Return how many bars pass before the first signal can be meant; earlier ones are not carried out."""
        raise NotImplementedError(f"{type(self).__name__} must say how long it warms up")

    def warm_up_ms(self, p: Params) -> int:
        """Return how much time has to pass besides, milliseconds; none, unless told otherwise.

        For what belongs to days or to longer candles: how many bars that is depends on how long a bar is.
        """
        return 0

    def warm_up_bars(self, p: Params, span_ms: int) -> int:
        """Return the bars of the warm-up where a bar is so long: those of `warm_up`, or of `warm_up_ms` if more."""
        return max(self.warm_up(p), -(-self.warm_up_ms(p) // span_ms))

    def signals(self, view: View, p: Params) -> Signals:
        """Return what is wanted at the close of each bar."""
        raise NotImplementedError(f"{type(self).__name__} must return signals")

    def rules(self, p: Params) -> Rules:
        """Return how positions end and how large they are; all of equity and no further exit, unless told otherwise."""
        return Rules()


class Bar(msgspec.Struct, frozen=True, gc=False):
    """A candle that closed: exact prices, quote per base; volume, base.

    One is made for each bar of a history, so that these values are structs: a frozen dataclass takes fifteen times as
    long, a named tuple three times.
    """

    symbol: str
    opened_ms: int
    closed_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Filled(msgspec.Struct, frozen=True, gc=False):
    """An order that a turn asked for was filled, in part or whole; signed `quantity`, base."""

    key: str
    symbol: str
    quantity: Decimal
    price: Decimal
    at_ms: int


class Denied(msgspec.Struct, frozen=True, gc=False):
    """An order that a turn asked for was not made: `code` names the limit of the risk gate that it met."""

    key: str
    symbol: str
    code: str
    message: str
    at_ms: int


class Quoted(msgspec.Struct, frozen=True, gc=False):
    """The best prices changed."""

    symbol: str
    bid: Decimal
    ask: Decimal
    at_ms: int


Happening = Bar | Filled | Denied | Quoted


class Want(msgspec.Struct, frozen=True, gc=False):
    """An order that should exist. The same key is the same order: told again, it is changed; left out, it stays.

    quantity     base, signed: above zero buys
    price        a limit; None: at the market
    stop         a trigger; None: none; with `price` a stop-limit order
    trail        a trigger that follows the best price at this distance, instead of `stop`
    reduce_only  it may only make a position smaller
    """

    key: str
    symbol: str
    quantity: Decimal
    price: Decimal | None = None
    stop: Decimal | None = None
    reduce_only: bool = False
    trail: Decimal | None = None


class Turn(msgspec.Struct, frozen=True, gc=False):
    """What a turn led to: the state to be kept, orders that should exist, keys of orders that should not; a note."""

    state: dict[str, Any]
    wants: tuple[Want, ...] = ()
    cancels: tuple[str, ...] = ()
    note: str = ""


@runtime_checkable
class Turns(Protocol):
    """A strategy turn by turn. State is plain data (numbers as text where they are money), so that it can be saved.

    One that says `many = True` may be given several instruments on one account: it is told the bars of each, those of
    one moment in order of name, and its orders name theirs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]]

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the state before anything has happened."""
        ...

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return what to do now. The same state and happening lead to the same turn, always."""
        ...


def crossed_above(one: Floats, other: Floats | float) -> Truths:
    """Return where `one` stands above `other` and did not at the bar before; False where either is NaN."""
    if isinstance(other, np.ndarray):
        return rises_above(one, _as_long(other, one))
    return rises_above_level(one, float(other))


def crossed_below(one: Floats, other: Floats | float) -> Truths:
    """Return where `one` stands below `other` and did not at the bar before; False where either is NaN."""
    if isinstance(other, np.ndarray):
        return rises_above(_as_long(other, one), one)
    return rises_above_level(-one, -float(other))


def crossings(one: Floats, other: Floats) -> tuple[Truths, Truths]:
    """Return `crossed_above` and `crossed_below` of two columns, in one pass."""
    return crosses(one, _as_long(other, one))


def _as_long(other: Floats, one: Floats) -> Floats:
    """Return `other`, if it is as long as `one`. Raises Invalid."""
    if len(other) != len(one):
        raise Invalid(
            [Problem("other", f"{len(other)} values", f"{len(one)}, as many as the column beside it", "shape")]
        )
    return other
