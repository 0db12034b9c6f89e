"""One simulated exchange: the floor, and what a venue keeps around it. A request's meaning in, what changed out.

Nothing here speaks HTTP. Every change ends in `settle`, which books what the floor says was touched, and hands events
to whoever listens.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pilothouse.core.clock import micros
from pilothouse.core.order import TimeInForce
from pilothouse.simexchange import spot_events, user_events
from pilothouse.simexchange.book_view import BookView
from pilothouse.simexchange.candles import Candles
from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.figures import Grid
from pilothouse.simexchange.keys import Keys
from pilothouse.simexchange.order_intake import PROTECT_PPM, Wanted, post_only_expires
from pilothouse.simexchange.records import BINANCE, AccountFile, Algo, Fill, Income, PublicTrade, Told
from pilothouse.simexchange.tape import Mark
from pilothouse.simexchange.wire_errors import TEXTS, WireError
from pilothouse.simulation import exchange as trading
from pilothouse.simulation.account import Account
from pilothouse.simulation.book import flow
from pilothouse.simulation.contracts import CONTRACTS, SETTLEMENT, UNITS_PER_QUOTE, Contract
from pilothouse.simulation.delivery import quarterly, with_basis
from pilothouse.simulation.division import clamped
from pilothouse.simulation.floor import Changes, Desk, Floor
from pilothouse.simulation.funding import due_between, rate
from pilothouse.simulation.market import STEP_US
from pilothouse.simulation.orders import Asked, Movement, MovementKind, Order, Refusal, Status, triggers
from pilothouse.simulation.slots import slot, symbol_of
from pilothouse.simulation.spot import SpotMarket

SPOT = "spot:"
"""Stands before the account in the names of those who listen to its spot events."""

MINUTE_US = 60_000_000
LISTEN_KEY_US = 3_600 * 1_000_000
DEPOSIT_DEFAULT = 100_000
TRADES_KEPT = 1_000
WAITING_MAX = 100
"""Conditional orders of the old kind that may wait in one instrument."""

TIERS: tuple[tuple[int, int], ...] = ((200, 500), (160, 400), (140, 350), (120, 320), (100, 300), (80, 270), (60, 250))
"""Maker and taker commissions by tier, parts per million."""

_INCOME = {
    MovementKind.TRANSFER: "TRANSFER",
    MovementKind.FUNDING: "FUNDING_FEE",
    MovementKind.INSURANCE: "INSURANCE_CLEAR",
}

Listener = Callable[[str, str, dict[str, Any]], None]
"""Hears (account id, kind of event, event)."""


class Exchange:
    """The state of one simulated exchange and everything that may be done to it."""

    def __init__(
        self,
        clock: ExchangeClock,
        *,
        seed: int = 1,
        contracts: Mapping[str, Contract] | None = None,
        tape: list[Mark] | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.limits_raised = 1
        now = clock.now()
        self.started = now
        contracts = contracts if contracts is not None else {**CONTRACTS, **_quarter(now)}
        contracts = _where_the_tape_begins(contracts, tape or [])
        self.floor = Floor(seed, contracts)
        self.floor.crossing = True
        self.floor.funded_at = now
        self.grids = {symbol: Grid(contract) for symbol, contract in contracts.items()}
        self.candles = {symbol: Candles(contract, seed, now // 1_000) for symbol, contract in contracts.items()}
        self.trades: dict[str, deque[PublicTrade]] = {symbol: deque(maxlen=TRADES_KEPT) for symbol in contracts}
        for symbol, desk in self.floor.desks.items():
            desk.next_trade = self.candles[symbol].trades_before + 1
        self.funding: dict[str, list[tuple[int, int, int]]] = {symbol: [] for symbol in contracts}
        self.books = {symbol: BookView() for symbol in contracts}
        self.files: dict[str, AccountFile] = {}
        self.keys = Keys()
        self.listen_keys: dict[str, tuple[str, int]] = {}
        self.liquidations: deque[Told] = deque(maxlen=TRADES_KEPT)
        self.listeners: list[Listener] = []
        self.watched: Callable[[str], bool] = lambda _account: False
        self.spot = SpotMarket(self.floor.desks, seed)
        self.stepped_at = now
        self.next_algo = 1
        self.next_income = 1
        self.next_execution = 0
        self.trigger_refusals = 0
        self.delivered: dict[str, tuple[int, int]] = {}
        self._tape = deque(tape or ())
        # By whole minutes, so that the candles of a tape are candles here too.
        self._tape_shift = (now - self._tape[0].at) // MINUTE_US * MINUTE_US if self._tape else 0
        self._marks_left = Counter(mark.symbol for mark in self._tape)
        self._held: dict[str, tuple[int, int]] = {}
        self._crowd_trades(now)  # so that there is a last trade from the first moment on

    def listed(self, *, with_quarters: bool) -> list[str]:
        """Return what is traded: the perpetuals and, if asked for, the quarter that has not ended."""
        now = self.clock.now()
        return [
            symbol
            for symbol, contract in self.floor.contracts.items()
            if contract.delivers_us is None or (with_quarters and now < contract.delivers_us)
        ]

    # ── accounts ──────────────────────────────────────────────────────────────────────────────────

    def open_account(self, account_id: str, profile: str, *, deposit: int = DEPOSIT_DEFAULT) -> AccountFile:
        """Open an account with `deposit` whole units of the quote currency."""
        now = self.clock.now()
        alias = hashlib.blake2b(account_id.encode(), digest_size=8).hexdigest()
        found = self.files[account_id] = AccountFile(account_id, alias, profile)
        trading.open_account(self.floor, account_id, account_id, deposit * UNITS_PER_QUOTE, now)
        account = self.floor.accounts[account_id]
        for symbol in self.floor.contracts:
            account.holding(symbol).leverage = 20
        self.settle("DEPOSIT")
        return found

    def account(self, account_id: str) -> Account:
        """Return the floor's side of an account."""
        return self.floor.accounts[account_id]

    def set_tier(self, account_id: str, tier: int) -> None:
        """Give an account the commissions of a tier."""
        account = self.floor.accounts[account_id]
        account.maker_ppm, account.taker_ppm = TIERS[tier]

    def deposit(self, account_id: str, units: int) -> None:
        """Move money in (or out, below zero), quote units."""
        self.floor.move_money(self.account(account_id), MovementKind.TRANSFER, "", units, self.clock.now())
        self.settle("DEPOSIT" if units > 0 else "WITHDRAW")

    def listen_key(self, account_id: str) -> str:
        """Return the account's listen key, a new one if none is alive, valid for another hour."""
        now = self.clock.now()
        for key, (owner, until) in self.listen_keys.items():
            if owner == account_id and until > now:
                self.listen_keys[key] = (owner, now + LISTEN_KEY_US)
                return key
        key = hashlib.blake2b(
            f"{self.seed}|{account_id}|{now}|{len(self.listen_keys)}".encode(), digest_size=32
        ).hexdigest()
        self.listen_keys[key] = (account_id, now + LISTEN_KEY_US)
        return key

    def drop_listen_keys(self, account_id: str = "", *, expired_only: bool = False, quietly: bool = False) -> None:
        """End listen keys, of one account or of all; those who listen are told (not `quietly`), and hear no more."""
        now = self.clock.now()
        for key, (owner, until) in list(self.listen_keys.items()):
            if (account_id and owner != account_id) or (expired_only and until > now):
                continue
            del self.listen_keys[key]
            if not quietly:
                self._tell(owner, "listenKeyExpired", {"e": "listenKeyExpired", "E": now // 1_000, "listenKey": key})
            self._tell("", "silence", {"owner": owner, "listenKey": key})

    # ── orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, file: AccountFile, wanted: Wanted) -> Told:
        """Take an order into the books; raises WireError if the exchange does not."""
        if not wanted.client_id:
            wanted.client_id = self._own_client_id(file)
        now = self.clock.now()
        asked = Asked(
            wanted.client_id, wanted.symbol, wanted.sign, wanted.type, wanted.time_in_force, wanted.lots, wanted.price,
            wanted.stop, wanted.reduce_only, side=wanted.side, closes=wanted.closes,
            by_last=wanted.working == "CONTRACT_PRICE", protect_ppm=PROTECT_PPM if wanted.protect else 0,
            trail=wanted.trail, expires_if_taking=post_only_expires(file.profile),
        )  # fmt: skip
        account = self.floor.accounts[file.id]
        if wanted.closes and any(
            each.closes
            and each.waits
            and each.slot == asked.slot
            and (each.type, each.sign) == (asked.type, asked.sign)
            for each in account.orders.values()
        ):
            raise WireError(-4130)
        if asked.waits:
            waiting = sum(each.waits and each.symbol == asked.symbol for each in account.orders.values())
            if waiting >= WAITING_MAX:
                raise WireError(-4045)
        usual, account.stp = account.stp, wanted.stp
        placed = trading.place(self.floor, file.id, asked, now)
        account.stp = usual
        if isinstance(placed, Refusal):
            self.floor.drain()
            raise refused(placed)
        told = Told(
            placed, wanted.origin or wanted.kind, wanted.working, wanted.protect, wanted.match, wanted.stp,
            wanted.good_till, conditional=bool(wanted.origin),
        )  # fmt: skip
        file.keep(told)
        self.settle("ORDER")
        return told

    def _own_client_id(self, file: AccountFile) -> str:
        drawn = hashlib.blake2b(f"{self.seed}|{file.id}|{self.floor.next_order}".encode(), digest_size=11).hexdigest()
        return drawn if file.profile == "binance" else f"web_{drawn}"

    def find(self, file: AccountFile, symbol: str, number: int | None, client_id: str) -> Told | None:
        """Return an order by number or by client id: the open one with that id, else the latest."""
        if number is None:
            number = self.floor.accounts[file.id].by_client.get(client_id) or file.latest.get(client_id)
        told = file.orders.get(number) if number is not None else None
        return told if told is not None and told.order.symbol == symbol else None

    def cancel(self, told: Told) -> None:
        """Cancel an open order; raises WireError if it no longer stands."""
        if not told.order.is_open:
            raise WireError(-2011)
        self.floor.finish(told.order, Status.CANCELED, "", self.clock.now())
        self.settle("ORDER")

    def cancel_all(self, file: AccountFile, symbol: str) -> None:
        """Cancel every open order of an instrument."""
        now = self.clock.now()
        for order in list(self.floor.accounts[file.id].orders.values()):
            if order.symbol == symbol:
                self.floor.finish(order, Status.CANCELED, "", now)
        self.settle("ORDER")

    def amend(self, told: Told, lots: int, price: int, modify_id: str = "") -> None:
        """Give an open limit order another size and price; raises WireError if the exchange does not."""
        if not told.order.is_open:
            raise WireError(-2013)
        now, before = self.clock.now(), (told.order.lots, told.order.price or 0)
        if told.order.tif is TimeInForce.GTX and trading.would_take(self.floor, told.order, price):
            self.floor.finish(told.order, Status.CANCELED, "amended so that it would have taken", now)
            self.settle("ORDER")
            return
        refusal = trading.amend(self.floor, told.order, lots, price, now)
        if refusal is not None:
            raise refused(refusal)
        told.modify_id = modify_id
        told.amended.append((now, before[0], lots, before[1], price))
        self._tell_order(self.files[told.order.account_id], told, "AMENDMENT", told.order.status, None)
        self.settle("ORDER")

    # ── conditional orders of the Binance kind ────────────────────────────────────────────────────

    def place_algo(self, file: AccountFile, wanted: Wanted) -> Algo:
        """Keep a conditional order until it triggers; nothing is asked of margin before that."""
        now = self.clock.now()
        client_id = wanted.client_id or self._own_client_id(file) + str(self.next_algo)
        waiting = file.algo_by_client.get(client_id)
        if waiting is not None and file.algos[waiting].is_open:
            raise WireError(-20132)
        if wanted.closes and any(
            each.closes and (each.kind, each.sign, each.side) == (wanted.kind, wanted.sign, wanted.side)
            for each in file.open_algos(wanted.symbol)
        ):
            raise WireError(-4130)
        if len(file.open_algos()) >= 200:
            raise WireError(-4045)
        held = self.floor.accounts[file.id].reducible(wanted.symbol, wanted.sign, wanted.side)
        if wanted.tif == "GTE_GTC" and not held:
            raise WireError(-4509)
        desk = self.floor.desks[wanted.symbol]
        at = desk.working(by_last=wanted.working == "CONTRACT_PRICE")
        if wanted.stop is not None and triggers(wanted.type, wanted.sign, wanted.stop, at):
            raise WireError(-2021)
        algo = Algo(
            1_000_000_000 + self.next_algo, client_id, wanted.symbol, wanted.sign, wanted.side, wanted.kind, wanted.tif,
            wanted.lots, wanted.price, wanted.stop, wanted.trail, wanted.working, wanted.protect, wanted.reduce_only,
            wanted.closes, wanted.match, wanted.stp, wanted.good_till, now, now,
        )  # fmt: skip
        self.next_algo += 1
        file.algos[algo.number] = algo
        file.algo_by_client[client_id] = algo.number
        self._tell_algo(file, algo)
        return algo

    def end_algo(self, file: AccountFile, algo: Algo, status: str, reason: str = "") -> None:
        """End a conditional order that waits."""
        algo.status, algo.reason, algo.updated = status, reason, self.clock.now()
        self._tell_algo(file, algo)

    def _meet_algos(self) -> None:
        for file in self.files.values():
            for algo in file.open_algos() if file.algos else ():
                desk = self.floor.desks[algo.symbol]
                if algo.good_till and algo.tif == "GTD" and algo.good_till * 1_000 <= self.clock.now():
                    self.end_algo(file, algo, "EXPIRED")
                elif _algo_is_met(desk, algo):
                    self._trigger(file, algo)

    def _trigger(self, file: AccountFile, algo: Algo) -> None:
        """Turn a conditional order into an ordinary one, or reject it where that cannot be."""
        now = self.clock.now()
        algo.status, algo.triggered = "TRIGGERING", now
        self.end_algo(file, algo, "TRIGGERING")
        account = self.floor.accounts[file.id]
        lots = account.reducible(algo.symbol, algo.sign, algo.side) if algo.closes else algo.lots
        if self.trigger_refusals > 0:
            self.trigger_refusals -= 1
            self.end_algo(file, algo, "REJECTED", "the test asked for it")
            return
        if not lots:
            self.end_algo(file, algo, "EXPIRED", "ReduceOnly Order is rejected.")
            return
        limited = algo.kind in {"STOP", "TAKE_PROFIT"}
        wanted = Wanted(
            algo.symbol, algo.sign, algo.side, "LIMIT" if limited else "MARKET",
            algo.tif if algo.tif != "GTE_GTC" else "GTC", lots, algo.price, None, None, algo.reduce_only, False,
            algo.working, algo.protect, algo.client_id, algo.match, algo.stp, algo.good_till, algo.kind,
        )  # fmt: skip
        try:
            told = self.place(file, wanted)
        except WireError as error:
            self.end_algo(file, algo, "REJECTED", error.text)
            return
        algo.actual = told.order
        self.end_algo(file, algo, "TRIGGERED")
        self.end_algo(file, algo, "FINISHED")

    # ── time ──────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> bool:
        """Make the steps that have come due; say whether there was any. Long spans go in long steps."""
        due = (self.clock.now() - self.stepped_at) // STEP_US
        if due <= 0:
            return False
        strides = max(1, due // 2_000)
        while due > 0:
            stride = min(strides, due)
            if self._tape:
                until = self._tape[0].at + self._tape_shift - self.stepped_at
                stride = clamped(-(-until // STEP_US), 1, stride)
            self.stepped_at += stride * STEP_US
            self.step(self.stepped_at, stride)
            due -= stride
        return True

    def step(self, now: int, stride: int = 1) -> None:
        """Let the markets make one step; what waits for a price or an hour meets it."""
        while self._tape and self._tape[0].at + self._tape_shift <= now:
            mark = self._tape.popleft()
            self._marks_left[mark.symbol] -= 1
            self._held[mark.symbol] = (mark.ticks, mark.at + self._tape_shift)
        led = {symbol: ticks for symbol, (ticks, _) in self._held.items()}
        # Between two of its marks a market stays where the tape has put it; after the last one's minute it walks again.
        self._held = {
            symbol: (ticks, at)
            for symbol, (ticks, at) in self._held.items()
            if self._marks_left[symbol] or (now + STEP_US) // MINUTE_US == at // MINUTE_US
        }
        for symbol, contract in self.floor.contracts.items():
            if contract.delivers_us is not None:
                self._lead_quarter(symbol, contract.delivers_us, led, now)
        self._fund(now)
        trading.step(self.floor, now, stride, led)
        self.settle("ORDER")
        for symbol in self.listed(with_quarters=False) if self.spot.accounts else ():
            self.spot.step(symbol, now)
        self.settle_spot()
        self._crowd_trades(now)
        self._after_prices(now)

    def _fund(self, now: int) -> None:
        """Pay the funding that has come due, and remember at what rate and mark (ticks) it was paid."""
        due = due_between(self.floor.funded_at, now)
        if due is None:
            return
        for symbol in self.listed(with_quarters=False):
            desk = self.floor.desks[symbol]
            self.funding[symbol].append((due, rate(desk.state), desk.prices.mark))
        trading.pay_funding(self.floor, now)
        self.settle("FUNDING_FEE")

    def _lead_quarter(self, symbol: str, ends: int, led: dict[str, int], now: int) -> None:
        """Let a quarter follow its perpetual, and settle it on its last day."""
        perpetual = symbol.partition("_")[0]
        led.setdefault(symbol, with_basis(led.get(perpetual, self.floor.desks[perpetual].prices.mark), now, ends))
        if now >= ends and symbol not in self.delivered:
            self.delivered[symbol] = (ends, self.floor.desks[symbol].prices.mark)
            trading.deliver(self.floor, symbol, now)
            for file in self.files.values():
                for algo in file.open_algos(symbol):
                    self.end_algo(file, algo, "EXPIRED", "the contract was delivered")
            self.settle("ADJUSTMENT")

    def set_price(self, symbol: str, ticks: int) -> None:
        """Put one market at a price; it meets its orders there."""
        now = self.clock.now()
        trading.set_price(self.floor, symbol, ticks, now)
        self.settle("ORDER")
        self.spot.step(symbol, now)
        self.settle_spot()
        lots = self.floor.contracts[symbol].lots_min
        self._public(self.floor.take_trade(symbol), symbol, ticks, lots, now, is_buy=True)
        self._after_prices(now)

    def _after_prices(self, now: int) -> None:
        self._meet_algos()
        for file in self.files.values():
            for symbol, at in list(file.countdowns.items()) if file.countdowns else ():
                if now >= at:
                    del file.countdowns[symbol]
                    self.cancel_all(file, symbol)
        for account in self.floor.accounts.values():
            for order in list(account.orders.values()):
                told = self.files[account.id].orders.get(order.number)
                if told is not None and told.good_till and told.good_till * 1_000 <= now:
                    self.floor.finish(order, Status.EXPIRED, "good till date", now)
        self.settle("ORDER")
        self._call_margins(now)
        self.drop_listen_keys(expired_only=True)

    def _call_margins(self, now: int) -> None:
        """Warn, once, whoever is near to losing a position by force."""
        for file in self.files.values():
            account = self.floor.accounts[file.id]
            near = trading.nearly_lost(self.floor, account) if any(h.lots for h in account.holdings.values()) else []
            fresh = [key for key in near if key not in file.called]
            file.called = set(near)
            if fresh and self.watched(file.id):
                event = user_events.margin_call(self.floor, self.grids, file.id, fresh, now)
                self._tell(file.id, "MARGIN_CALL", event)

    def look(self, symbol: str) -> BookView:
        """Return the book as it is; who listens hears of every change before anybody sees it."""
        view = self.books[symbol]
        changed = view.refresh(self.floor.desks[symbol])
        if changed is not None:
            first, bids, asks = changed
            self._tell("", "depth", {"symbol": symbol, "first": first, "bids": bids, "asks": asks, "view": view})
        return view

    # ── what was touched ──────────────────────────────────────────────────────────────────────────

    def settle(self, reason: str) -> None:
        """Book what the floor says was touched since it was last asked, and tell who listens."""
        changes = self.floor.drain()
        if not changes:
            return
        by_order: dict[int, list[Fill]] = {}
        before: Fill | None = None
        for noted in changes.executions:
            execution = Fill(*noted, changes.orders[noted.number].side)
            by_order.setdefault(execution.number, []).append(execution)
            file = self.files[execution.account_id]
            file.fills.append(execution)
            file.changed[execution.symbol] = execution.at // 1_000
            self._book_fill(file, execution)
            crossed = before is not None and (before.symbol, before.trade) == (execution.symbol, execution.trade)
            if not crossed:
                is_buy = (execution.sign > 0) != execution.maker
                self._public(
                    execution.trade, execution.symbol, execution.price, execution.lots, execution.at, is_buy=is_buy
                )
            before = execution
        for movement in changes.movements:
            self._book_movement(movement)
        touched = [(self._told(order), order) for order in changes.orders.values()]
        for told, order in touched:
            if not told.announced and self.watched(order.account_id):
                told.announced = True
                self._tell_order(self.files[order.account_id], told, "NEW", Status.NEW, None)
        self._tell_accounts(changes, reason)
        if changes.executions:
            self._end_idle_algos(changes)
        for told, order in touched:
            self._tell_life(self.files[order.account_id], told, by_order.get(order.number, ()))

    def _end_idle_algos(self, changes: Changes) -> None:
        """Expire the conditional orders that were for a position which has gone."""
        for account_id, key in list(changes.holdings):
            file, account = self.files[account_id], self.floor.accounts[account_id]
            for algo in file.open_algos(symbol_of(key)) if file.algos else ():
                bound = algo.closes or algo.tif == "GTE_GTC"
                held = account.reducible(algo.symbol, algo.sign, algo.side)
                if bound and slot(algo.symbol, algo.side) == key and not held:
                    self.end_algo(file, algo, "EXPIRED", "The position was closed.")

    def _told(self, order: Order) -> Told:
        """Return what is remembered of an order; one that nobody asked for is a forced close."""
        file = self.files[order.account_id]
        told = file.orders.get(order.number)
        if told is None:
            told = Told(order, order.type.value)
            file.keep(told)
            if order.client_id.startswith("autoclose"):
                self.liquidations.append(told)
                self._tell("", "liquidation", {"told": told})
        return told

    def _tell_accounts(self, changes: Changes, reason: str) -> None:
        """Tell each account what its balance and positions are, where a trade or a movement changed them."""
        moved: dict[str, int] = {}
        for movement in changes.movements:
            moved[movement.account_id] = moved.get(movement.account_id, 0) + movement.amount
        traded = dict.fromkeys(each.account_id for each in changes.executions)
        now = self.clock.now()
        for account_id in {**traded, **moved}:
            if self.watched(account_id) and reason == "FUNDING_FEE":
                self._tell_funding(changes, account_id, moved[account_id])
            elif self.watched(account_id):
                slots = [key for name, key in changes.holdings if name == account_id]
                event = user_events.account_update(
                    self.floor, self.grids, account_id, slots, reason, moved.get(account_id, 0), now
                )
                self._tell(account_id, "ACCOUNT_UPDATE", event)

    def _tell_funding(self, changes: Changes, account_id: str, total: int) -> None:
        """Tell of each funding payment by itself; with the position only where it is isolated."""
        left = total
        isolated = [key for name, key in changes.holdings if name == account_id]
        for movement in changes.movements:
            if movement.account_id != account_id:
                continue
            left -= movement.amount
            slots = [key for key in isolated if symbol_of(key) == movement.symbol]
            event = user_events.account_update(
                self.floor, self.grids, account_id, slots, "FUNDING_FEE", movement.amount, self.clock.now(), left
            )
            event["a"]["S"] = movement.symbol
            self._tell(account_id, "ACCOUNT_UPDATE", event)

    def tell_settings(self, file: AccountFile, symbol: str, reason: str) -> None:
        """Tell an account how its positions of an instrument are set now."""
        if self.watched(file.id):
            slots, now = self.slots_of(self.floor.accounts[file.id], symbol), self.clock.now()
            event = user_events.account_update(self.floor, self.grids, file.id, slots, reason, 0, now)
            self._tell(file.id, "ACCOUNT_UPDATE", event)

    def _tell_life(self, file: AccountFile, told: Told, fills: Sequence[Fill]) -> None:
        """Tell what became of an order: that it is new, each trade, and how it ended."""
        order = told.order
        if not self.watched(file.id):
            told.announced, told.told, told.told_worth = True, order.filled, order.traded
            return
        unit = self.floor.contracts[order.symbol].unit
        for fill in fills:
            told.told += fill.lots
            told.told_worth += fill.lots * fill.price * unit
            status = Status.FILLED if told.told >= order.lots else Status.PARTIALLY_FILLED
            if file.profile == BINANCE:
                lite = user_events.trade_lite(told, self.grids[order.symbol], self.clock.now(), fill)
                self._tell(file.id, "TRADE_LITE", lite)
            self._tell_order(file, told, "TRADE", status, fill)
        if not order.is_open and order.status is not Status.FILLED:
            self._tell_order(file, told, user_events.ending_of(order.status), order.status, None)
        elif order.triggered and order.is_open and not fills:
            self._tell_order(file, told, "NEW", order.status, None)

    def _tell_order(self, file: AccountFile, told: Told, execution: str, status: Status, fill: Fill | None) -> None:
        symbol = told.order.symbol
        event = user_events.order_update(
            told, self.floor.contracts[symbol], self.grids[symbol], file.profile, execution, status.value,
            self.clock.now(), fill,
        )  # fmt: skip
        self._tell(file.id, "ORDER_TRADE_UPDATE", event)

    def _tell_algo(self, file: AccountFile, algo: Algo) -> None:
        symbol = algo.symbol
        event = user_events.algo_update(algo, self.floor.contracts[symbol], self.grids[symbol], self.clock.now())
        self._tell(file.id, "ALGO_UPDATE", event)

    def settle_spot(self) -> None:
        """Tell what the spot market says was touched; a stop of a list that ends is told like any other order."""
        for order, fill in self.spot.drain():
            grid, contract = self.grids[order.symbol], self.floor.contracts[order.symbol]
            if fill is not None:
                is_buy = (fill.sign > 0) != fill.maker
                self._public(fill.trade, order.symbol, fill.ticks, fill.lots, fill.at, is_buy=is_buy)
            owner = SPOT + order.account_id
            if self.watched(owner):
                now = self.clock.now() // 1_000
                self.next_execution += 1
                report = spot_events.execution_report(order, fill, grid, now, self.next_execution)
                self._tell(owner, "executionReport", report)
                account = self.spot.accounts[order.account_id]
                position = spot_events.account_position(account, contract, now)
                self._tell(owner, "outboundAccountPosition", position)
                made = account.lists.get(order.list_id)
                if made is not None and fill is None:
                    self._tell(owner, "listStatus", spot_events.list_status(account, made, now))

    def _book_fill(self, file: AccountFile, fill: Fill) -> None:
        if fill.realised:
            self._income(file, fill.symbol, "REALIZED_PNL", fill.realised, fill.at, str(fill.trade))
        if fill.commission:
            self._income(file, fill.symbol, "COMMISSION", -fill.commission, fill.at, str(fill.trade))

    def _book_movement(self, movement: Movement) -> None:
        file = self.files.get(movement.account_id)
        if file is not None:
            self._income(file, movement.symbol, _INCOME[movement.kind], movement.amount, movement.at, "")

    def _income(self, file: AccountFile, symbol: str, kind: str, amount: int, at: int, trade: str) -> None:
        file.income.append(Income(self.next_income, symbol, kind, amount, at, kind, trade))
        self.next_income += 1

    def _crowd_trades(self, now: int) -> None:
        for symbol, desk in self.floor.desks.items():
            if symbol in self.delivered:
                continue
            lots = max(desk.contract.lots_min, flow(desk.contract, desk.state, self.seed, 1) // 16)
            number, is_buy = self.floor.take_trade(symbol), desk.prices.last >= desk.prices.ask
            self._public(number, symbol, desk.prices.last, lots, now, is_buy=is_buy)

    def _public(self, number: int, symbol: str, ticks: int, lots: int, now: int, *, is_buy: bool) -> None:
        """Tell everybody of a trade; whoever took part knows it by the same number."""
        trade = PublicTrade(number, symbol, ticks, lots, now // 1_000, is_buy)
        self.trades[symbol].append(trade)
        self.candles[symbol].trade(trade.at, ticks, lots, is_buy=is_buy)
        for listener in self.listeners:
            listener("", "trade", {"trade": trade})

    def _tell(self, account_id: str, kind: str, event: dict[str, Any]) -> None:
        for listener in self.listeners:
            listener(account_id, kind, event)

    def tell(self, account_id: str, kind: str, event: dict[str, Any]) -> None:
        """Hand an event of an account to whoever listens."""
        self._tell(account_id, kind, event)

    def liquidation_price(self, account: Account, key: str) -> int | None:
        """Return the mark, in ticks, at which a position would be closed by force."""
        return trading.liquidation_price(self.floor, account, key)

    def slots_of(self, account: Account, symbol: str) -> list[str]:
        """Return the slots of an instrument that an account has in its position mode."""
        sides = ("LONG", "SHORT") if account.hedged else ("BOTH",)
        return [slot(symbol, side) for side in sides]


def _where_the_tape_begins(contracts: Mapping[str, Contract], tape: list[Mark]) -> Mapping[str, Contract]:
    """Return the contracts, those of a tape with its first price as theirs: so their past ends where it begins."""
    first = {mark.symbol: mark.ticks for mark in reversed(tape)}
    return {
        symbol: replace(contract, start_ticks=first.get(symbol, contract.start_ticks))
        for symbol, contract in contracts.items()
    }


def _quarter(now: int) -> dict[str, Contract]:
    """Return the Bitcoin contract of the quarter: it ends on the last Friday of March, June, September or December."""
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    year, month = at.year, at.month + -at.month % 3
    while True:
        last = datetime(year + month // 12, month % 12 + 1, 1, 8, tzinfo=UTC) - timedelta(days=1)
        ends = last - timedelta(days=(last.weekday() - 4) % 7)
        if ends > at:
            symbol = f"BTC{SETTLEMENT}_{ends:%y%m%d}"
            return {symbol: quarterly(CONTRACTS[f"BTC{SETTLEMENT}"], symbol, micros(ends))}
        year, month = year + month // 12, month % 12 + 3


def refused(refusal: Refusal) -> WireError:
    """Return a refusal of the floor in the venue's words."""
    code = int(refusal.code)
    return WireError(code, TEXTS.get(code, refusal.message))


def _algo_is_met(desk: Desk, algo: Algo) -> bool:
    at = desk.working(by_last=algo.working == "CONTRACT_PRICE")
    if algo.trail is not None:
        return algo.trail.meets(algo.sign, at)
    if algo.stop is None:
        return False
    rising = (algo.kind in {"STOP", "STOP_MARKET"}) == (algo.sign > 0)
    met = at >= algo.stop if rising else at <= algo.stop
    apart = abs(desk.prices.mark - desk.prices.last) * 1_000_000
    return met and (not algo.protect or apart <= PROTECT_PPM * desk.prices.mark)


def is_working(order: Order) -> bool:
    """Say whether an order lies in the book for all to see."""
    return order.is_open and not order.waits and order.price is not None
