"""What must be true on a voyage: after each step, of each request, and once everything has come to rest.

Most of it is asked of the exchange's own memory and of what was sent to the house; our books have no say in it, except
where it is them that are judged.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.order import OrderState, Purpose
from pilothouse.execution import halt_store, writing
from pilothouse.execution import store as orders_store
from pilothouse.execution.store import OrderFilter
from pilothouse.fleet import answer
from pilothouse.fleet import store as fleet_store
from pilothouse.fleet.store import WAITING, SignalRecord, SignalState
from pilothouse.ledger import positions
from pilothouse.ledger.exposure import holdings
from pilothouse.ledger.statement import BookedFill, list_fills
from pilothouse.observability.invariants.protection_stands import PROTECTION_STANDS
from pilothouse.observability.invariants.rule import Gravity
from pilothouse.observability.watch import survey
from pilothouse.simexchange.front import Reply
from pilothouse.simexchange.records import Told
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.soundness import complaints
from tests.voyage.seeded.alerts import KIND_OF, LANES, PROTECTED, STRATEGY, Alert
from tests.voyage.seeded.life import Life
from tests.voyage.seeded.sea import SYMBOLS, Sea, There
from tests.voyage.seeded.worlds import LADDER

_PLACES = {
    "order": ("newClientOrderId",),
    "algoOrder": ("clientAlgoId",),
    "oco": ("aboveClientOrderId", "belowClientOrderId"),
}
_ALL = 1_000

_REFUSALS = ("the price of ",)
"""How a refusal begins that may come of a storm, when no price was heard: then nothing may come of the alert."""

_GIVEN_UP = ("it waited ", "the price moved ", "-4016", "-4024", "PRICE_")
"""How an order ends that could not be sent in time, and was not, or whose price lies too far away by then."""

_NOT_HELD = ("No open position found", "quantity: ")
_SOLD_BEFORE = ("nothing is left to sell", "-2010")
"""How a sale of coins is refused, or ends, if they are not there: what was to buy them was not, or a stop sold them."""


class Wrong(BaseException):
    """A law does not hold. No door of the product catches it."""

    def __init__(self, law: str, words: str) -> None:
        """Keep which one, and what was seen."""
        super().__init__(f"{law}: {words}")
        self.law = law


@dataclass(slots=True)
class _Attempt:
    """One request to place an order: when it left, and whether the house knows that it was not done."""

    left: float
    is_void: bool = False


class Laws:
    """The laws of one voyage."""

    def __init__(self, sea: Sea, alerts: Sequence[Alert]) -> None:
        """Judge what happens at `sea`; the alerts are what anybody asked for."""
        self._sea = sea
        self._alerts = alerts
        self._asked = Counter((one.symbol, one.side, one.lots) for one in alerts if one.side)
        self._attempts: dict[str, _Attempt] = {}
        self._seen = 0
        self._known: set[tuple[type, int]] = set()
        self._ids: set[str] = set()
        self._taken: Counter[tuple[str, str, int]] = Counter()
        self._fills_seen = -1
        self.clock_jumped = False
        self.account: TradingAccount | None = None

    # ── Of each request ───────────────────────────────────────────────────────────────────────────

    def leaves(self, life: Life, request: Request) -> None:
        """Judge a request right before it leaves the house."""
        if life.books.is_inside:
            raise Wrong("no wire inside of a transaction", f"{request.method} {request.path}")
        names = list(_ordered(request))
        if not names:
            return
        assert self.account is not None, "orders are sent for an account"
        account_id = self.account.id
        held = life.database.read(lambda tx: writing.last_holder(tx, account_id))
        if held is None or held.owner != life.house.process or life.clock.now() >= held.until:
            raise Wrong("who sends holds the lease", f"{life.house.process} sends {names}, {held} holds it")
        now = self._sea.now()
        for name in names:
            before = self._attempts.get(name)
            if before is not None and not before.is_void and now - before.left < self._sea.world.window_s:
                words = f"{name} leaves again {now - before.left:.1f} s after it may have arrived"
                raise Wrong("never resent before its window is over", words)
            self._attempts[name] = _Attempt(now)

    def came_back(self, request: Request, reply: Reply | None) -> None:
        """Note what the house can know of a request from its answer."""
        names = list(_ordered(request))
        if not names or reply is None:
            return
        said = json.loads(reply.body) if reply.body[:1] in {b"{", b"["} else None
        each = said if isinstance(said, list) else [said] * len(names)
        for name, one in zip(names, each, strict=False):
            code = one.get("code") if isinstance(one, dict) else None
            text = str(one.get("msg", "")) if isinstance(one, dict) else ""
            status = reply.status
            is_certain = isinstance(code, int) and code <= 0 and self._sea.world.is_certain(status, code, text)
            if is_certain or status in {418, 429}:
                self._attempts[name].is_void = True

    # ── After each step ───────────────────────────────────────────────────────────────────────────

    def after_step(self, life: Life | None, *, is_changed: bool) -> None:
        """Judge the exchange, and the books if a house is open and anything was committed that they tell of."""
        if self._sea.count() > self._seen:
            for one in self._sea.there():
                if (type(one.of), number_of(one)) not in self._known:
                    self._known.add((type(one.of), number_of(one)))
                    self._new_order(one)
            self._seen = self._sea.count()
        self._strategy_stays_within()
        if life is not None and life.errors:
            raise Wrong("no error of ours", life.errors[0])
        if life is not None and is_changed:
            self._books(life)

    def _new_order(self, order: There) -> None:
        if order.client_id in self._ids:
            raise Wrong("one client id, one order", f"{order.client_id} stands twice at the exchange")
        self._ids.add(order.client_id)
        if order.waits and not order.reduce_only:
            raise Wrong("protection only reduces", f"{order.client_id} could open a position")
        if order.reduce_only or KIND_OF[order.symbol] == STRATEGY or order.client_id in self._sea.foreign:
            return
        key = (order.symbol, "BUY" if order.sign > 0 else "SELL", order.lots)
        if self._sea.coins is not None and order.sign < 0 and key not in self._asked:
            return  # the house closes what it cannot protect, or what it keeps the target of
        self._taken[key] += 1
        if self._taken[key] > self._asked[key]:
            words = f"{key}: {self._taken[key]} orders for {self._asked[key]} alerts"
            raise Wrong("never more than was asked for", words)

    def _strategy_stays_within(self) -> None:
        symbol = LANES[STRATEGY][0]
        asked = [0, *(one.lots for one in self._alerts if one.kind == STRATEGY and one.attempts)]
        held = self._held(symbol)
        if not min(asked) <= held <= max(asked):
            raise Wrong("never more than was asked for", f"{symbol} holds {held} lots, asked for were {asked}")

    def _held(self, symbol: str) -> int:
        return self._sea.held_lots(symbol)

    def _books(self, life: Life) -> None:
        """Whatever is booked has happened, and the product's own laws hold."""
        booked = self._booked(life)
        if len(booked) != self._fills_seen:
            self._fills_seen = len(booked)
            ours, theirs = Counter(map(self._our_fill, booked)), self._sea.fills()
            if ours - theirs:
                raise Wrong("what is booked has happened", f"{list((ours - theirs).elements())}")
        # A stop may be away for long in a storm: whether it stands is asked at rest.
        found = survey(life.house)
        broken = [one for one in found if one.gravity is Gravity.BREACH and one.invariant != PROTECTION_STANDS.name]
        if broken:
            raise Wrong(f"invariant {broken[0].invariant}", "; ".join(map(str, broken)))
        if self.account is not None:
            self._nothing_is_halted(life)

    def _nothing_is_halted(self, life: Life) -> None:
        """Nothing on a voyage is a reason to halt: what somebody else trades is told with its fills."""
        account = self.account
        assert account is not None, "as above"
        halt = life.database.read(lambda tx: halt_store.halted(tx, account.id, account.owner_id))
        if halt is not None:
            raise Wrong("nothing is halted without a reason", f"{halt}")

    def _booked(self, life: Life) -> list[BookedFill]:
        owner = life.house.operator_id
        return life.database.read(lambda tx: list_fills(tx, owner, limit=_ALL))

    def _our_fill(self, fill: BookedFill) -> tuple[Any, ...]:
        realised = fill.realised if self._sea.coins is None else Decimal(0)
        return (
            fill.symbol, fill.venue_trade_id, str(fill.side), fill.price, fill.quantity, fill.commission, realised,
        )  # fmt: skip

    # ── At rest ───────────────────────────────────────────────────────────────────────────────────

    def unrest(self, life: Life) -> str:
        """Return what is still under way, or nothing."""
        if any(not one.is_answered and not one.refused and not one.is_given_up for one in self._alerts):
            return "an alert is not answered"
        waiting = life.database.read(fleet_store.waiting)
        if waiting:
            return f"signals wait in {waiting}"
        assert self.account is not None, "as above"
        account_id = self.account.id
        live = life.database.read(lambda tx: orders_store.live_of(tx, account_id))
        moving = [one for one in live if not one.state.is_resting or one.cancel_asked_at is not None]
        return f"{moving[0].client_order_id} is {moving[0].state}" if moving else ""

    def at_rest(self, life: Life) -> None:
        """Judge everything, once nothing goes wrong any more and nothing moves."""
        found = complaints(self._sea.exchange)
        if found:
            raise Wrong("the exchange is sound", "; ".join(found))
        self._every_alert_has_its_order(life)
        self._books_are_the_exchanges(life)
        self._protection_stands()
        self._nothing_is_halted(life)
        late = [one for one in survey(life.house) if one.gravity is not Gravity.WAITING]
        if late:
            raise Wrong(f"invariant {late[0].invariant}", "; ".join(map(str, late)))

    def _every_alert_has_its_order(self, life: Life) -> None:
        there = {one.client_id: one for one in self._sea.there()}
        self._find_what_was_given_up(life)
        for alert in self._alerts:
            if alert.is_given_up and not alert.signal_ids:
                continue  # it was never taken
            sells = alert.side == "SELL" and self._sea.coins is not None
            if alert.refused and not (sells and alert.refused.startswith(_NOT_HELD)):
                raise Wrong("every alert is taken", f"alert {alert.number} was refused: {alert.refused}")
            if len(alert.signal_ids) != 1:
                raise Wrong("one alert, one signal", f"alert {alert.number} was taken as {alert.signal_ids}")
            signal_id = next(iter(alert.signal_ids))
            signal = life.database.read(lambda tx, of=signal_id: fleet_store.get(tx, of))  # type: ignore[misc]  # a default binds it
            if signal is None:
                raise Wrong("no alert is lost", f"alert {alert.number} was answered and is not in the books")
            outcome = life.database.read(lambda tx, of=signal_id: answer.read_outcome(tx, of))  # type: ignore[misc]  # as above
            words = f"alert {alert.number} ({alert.body!r}): {outcome.state}: {outcome.message}"
            if signal.state in WAITING:
                raise Wrong("every alert has its outcome", words)
            if alert.kind == STRATEGY or self._is_refused(alert, signal):
                continue
            # What the house closes by itself, because it cannot be protected, only reduces.
            made = [
                one for one in outcome.orders if one.client_order_id in there and (sells or not one.terms.reduce_only)
            ]
            ends = _GIVEN_UP + (_SOLD_BEFORE if sells else ())
            given_up = [one for one in outcome.orders if (one.outcome or "").startswith(ends) and one.state.is_final]
            if not made and len(given_up) == 1:
                continue
            if len(made) != 1:
                raise Wrong("one alert, one order", f"{words}: {len(made)} orders of it are at the exchange")
            order = there[made[0].client_order_id]
            # A stop may have sold a part of the coins before it let go of the rest.
            is_less = sells and order.lots < alert.lots and made[0].terms.reduce_only
            if (alert.lots if is_less else order.lots, order.sign) != (alert.lots, 1 if alert.side == "BUY" else -1):
                raise Wrong("one alert, one order", f"{words}: its order is for {order.lots} lots")
        self._nothing_came_of_what_was_refused(life)
        self._strategy_is_where_it_was_told_to_be(life)

    def _find_what_was_given_up(self, life: Life) -> None:
        """Find in the books what became of alerts whose senders do not know it: taken or not, but once at most."""
        lost = [one for one in self._alerts if one.is_given_up]
        owner, narrow = life.house.operator_id, fleet_store.SignalFilter()
        known = (
            life.database.read(lambda tx: fleet_store.page(tx, owner, narrow, before=None, limit=_ALL)) if lost else []
        )
        for alert in lost:
            body = json.loads(alert.body)
            found = [one for one in known if one.body == body]
            taken = [one for one in found if one.http_status == 200] or found[:1]
            alert.signal_ids = {one.id for one in taken}
            alert.refused = "" if not taken or taken[0].http_status == 200 else taken[0].message

    def _is_refused(self, alert: Alert, signal: SignalRecord) -> bool:
        sells = alert.side == "SELL" and self._sea.coins is not None
        begins = _REFUSALS + (_NOT_HELD if sells else ())
        return signal.state is SignalState.REFUSED and signal.message.startswith(begins)

    def _nothing_came_of_what_was_refused(self, life: Life) -> None:
        for alert in self._alerts:
            signal_id = next(iter(alert.signal_ids), "")
            signal = life.database.read(lambda tx, of=signal_id: fleet_store.get(tx, of))  # type: ignore[misc]  # as above
            made = life.database.read(lambda tx, of=signal_id: orders_store.of_signal(tx, of))  # type: ignore[misc]  # as above
            if alert.kind != STRATEGY and signal is not None and self._is_refused(alert, signal) and made:
                raise Wrong("a refused alert makes nothing", f"alert {alert.number}: {made[0].client_order_id}")

    def _strategy_is_where_it_was_told_to_be(self, life: Life) -> None:
        if self.clock_jumped:
            return  # which alert came last, the ids of signals do not tell then
        symbol, lot = LANES[STRATEGY]
        ids = {each: one for one in self._alerts if one.kind == STRATEGY for each in one.signal_ids}
        signals = [life.database.read(lambda tx, of=each: fleet_store.get(tx, of)) for each in ids]  # type: ignore[misc]  # as above
        last = max((one for one in signals if one is not None), key=lambda one: one.id, default=None)
        if last is None or self._is_refused(ids[last.id], last):
            return
        held, target = self._sea.held(symbol), lot * ids[last.id].lots
        # A commission in the coin takes crumbs of what is bought, and a rest of less than a lot cannot be sold.
        if abs(held - target) > (lot * 2 if self._sea.coins is not None else 0):
            raise Wrong("a position is what was asked for", f"{symbol} holds {held}, the last alert asked for {target}")

    def _books_are_the_exchanges(self, life: Life) -> None:
        account = self.account
        assert account is not None, "as above"
        ours, theirs = Counter(map(self._our_fill, self._booked(life))), self._sea.fills()
        if ours != theirs:
            words = f"lacking {list((theirs - ours).elements())}, too many {list((ours - theirs).elements())}"
            raise Wrong("every fill is booked once", words)
        for symbol in SYMBOLS:
            booked = life.database.read(lambda tx, of=symbol: positions.position(tx, account.id, of)).quantity  # type: ignore[misc]  # as above
            held = self._sea.held(symbol)
            if booked != held:
                raise Wrong("positions agree", f"{symbol}: booked {booked}, the exchange holds {held}")
        now = life.clock.now()
        books, there = life.database.read(lambda tx: holdings(tx, account.id, now)), self._sea.money()
        # What was paid for coins, our books keep with the coins; the exchange takes it out of the money.
        paid = sum((one.cost for one in books.positions.values()), Decimal(0)) if self._sea.coins is not None else 0
        wallet = books.wallet - paid
        if wallet != there:
            raise Wrong("wallets agree", f"booked {wallet}, the exchange holds {there}")
        self._orders_are_the_exchanges(life)

    def _orders_are_the_exchanges(self, life: Life) -> None:
        owner = life.house.operator_id
        narrow = OrderFilter(account_id=self.account.id if self.account else None)
        ours = life.database.read(lambda tx: orders_store.page(tx, owner, narrow, before=None, limit=_ALL))
        there = {one.client_id: one for one in self._sea.there()}
        for order in ours:
            is_foreign = order.client_order_id in self._sea.foreign
            if is_foreign != (order.purpose is Purpose.FOREIGN) or (is_foreign and order.hook_id is not None):
                words = f"{order.client_order_id} is {order.purpose} of hook {order.hook_id}"
                raise Wrong("what others trade is not ours", words)
            theirs = there.pop(order.client_order_id, None)
            if theirs is None:
                if order.filled_quantity or not order.state.is_final:
                    raise Wrong("orders agree", f"{order.client_order_id} is {order.state} and not at the exchange")
                continue
            filled = LANES[KIND_OF[theirs.symbol]][1] * theirs.filled
            if filled != order.filled_quantity or theirs.is_open == order.state.is_final:
                words = (
                    f"{order.client_order_id}: {order.state} {order.filled_quantity}, there {theirs.status} {filled}"
                )
                raise Wrong("orders agree", words)
            if order.state in {OrderState.UNKNOWN, OrderState.SENDING, OrderState.INTENDED}:
                raise Wrong("orders agree", f"{order.client_order_id} is {order.state} at rest")
        # What somebody else offered and took back unfilled while nobody listened, nobody has to know.
        there = {name: one for name, one in there.items() if name not in self._sea.foreign or one.filled or one.is_open}
        if there:
            raise Wrong("orders agree", f"{sorted(there)} are at the exchange and not in the books")

    def _protection_stands(self) -> None:
        """Stops are as large as the position, targets no larger, on its closing side; nothing else waits anywhere."""
        for symbol in SYMBOLS:
            held = self._held(symbol)
            waiting = [one for one in self._sea.there() if one.is_open and one.symbol == symbol and one.waits]
            # One that closes the whole position names no size before it fires.
            sizes = {id(one): abs(held) if one.closes else one.lots - one.filled for one in waiting}
            trails = sum(sizes[id(one)] for one in waiting if one.trails)
            stops = sum(sizes[id(one)] for one in waiting if one.is_stop and not one.trails)
            targets = sum(sizes[id(one)] for one in waiting if not one.is_stop)
            wrong = [one for one in waiting if not held or one.sign * held > 0]
            if wrong:
                words = f"{symbol} holds {held} lots, and {wrong[0].client_id} ({wrong[0].kind}) stands"
                raise Wrong("nothing is left behind", words)
            wanted = abs(held) if KIND_OF[symbol] == PROTECTED else 0
            # Beside an order of the exchange's own that trails, a stop may keep what an earlier one had gained.
            is_trailing = self._sea.world.trails
            asked, beside = (trails, stops) if is_trailing else (stops, trails)
            if asked != wanted or beside not in ({0, wanted} if is_trailing else {0}):
                words = f"{symbol} holds {held} lots, stops for {stops} and trails for {trails} stand"
                raise Wrong("protection stands", words)
            # A ladder's last target takes what the others leave.
            is_whole = (
                self._sea.world.protection == LADDER and self._sea.coins is None
            )  # of coins, the house keeps some
            if targets > wanted or (is_whole and targets != wanted):
                raise Wrong("protection stands", f"{symbol} holds {held} lots, targets for {targets} stand")


def number_of(one: There) -> int:
    """Return the exchange's own number of an order."""
    return one.of.order.number if isinstance(one.of, Told) else one.of.number


def _ordered(request: Request) -> Iterator[str]:
    """Yield the client ids that a request asks to place."""
    name = request.path.rpartition("/")[2]
    if request.method != "POST":
        return
    if name == "batchOrders":
        for row in json.loads(request.params["batchOrders"]):
            yield str(row["newClientOrderId"])
    else:
        yield from (str(request.params[each]) for each in _PLACES.get(name, ()))
