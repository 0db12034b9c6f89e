"""One simulated exchange: the floor, and what a venue keeps around it. A request's meaning in, what changed out.

Nothing here speaks HTTP. Every change ends in `settle`, which books what the floor says was touched, and hands events
to whoever listens.
"""

import hashlib
from collections import deque
from collections.abc import Mapping

from pilothouse.core.order import TimeInForce
from pilothouse.simexchange import spot_events
from pilothouse.simexchange.book_view import BookView
from pilothouse.simexchange.candles import Candles
from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.conditional import Conditional
from pilothouse.simexchange.figures import Grid
from pilothouse.simexchange.income import IncomeBook
from pilothouse.simexchange.keys import Keys
from pilothouse.simexchange.listen_keys import ListenKeys
from pilothouse.simexchange.listing import quarter_of, where_the_tape_begins
from pilothouse.simexchange.order_intake import PROTECT_PPM, Wanted, post_only_expires
from pilothouse.simexchange.records import AccountFile, Fill, PublicTrade, Told
from pilothouse.simexchange.tape import Mark
from pilothouse.simexchange.tape_lead import TapeLead
from pilothouse.simexchange.telling import Telling
from pilothouse.simexchange.wire_errors import WireError, refused
from pilothouse.simulation import exchange as trading
from pilothouse.simulation.account import Account
from pilothouse.simulation.book import flow
from pilothouse.simulation.contracts import CONTRACTS, UNITS_PER_QUOTE, Contract
from pilothouse.simulation.delivery import with_basis
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.funding import due_between, rate
from pilothouse.simulation.market import STEP_US
from pilothouse.simulation.orders import Asked, MovementKind, Order, Refusal, Status
from pilothouse.simulation.spot import SpotMarket

SPOT = "spot:"
"""Stands before the account in the names of those who listen to its spot events."""

DEPOSIT_DEFAULT = 100_000
TRADES_KEPT = 1_000
WAITING_MAX = 100
"""Conditional orders of the old kind that may wait in one instrument."""

TIERS: tuple[tuple[int, int], ...] = ((200, 500), (160, 400), (140, 350), (120, 320), (100, 300), (80, 270), (60, 250))
"""Maker and taker commissions by tier, parts per million."""


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
        contracts = contracts if contracts is not None else {**CONTRACTS, **quarter_of(now)}
        contracts = where_the_tape_begins(contracts, tape or [])
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
        self.liquidations: deque[Told] = deque(maxlen=TRADES_KEPT)
        self.telling = Telling(clock, self.floor, self.grids)
        self.listen_keys = ListenKeys(clock, self.telling, seed)
        self.conditional = Conditional(
            clock, self.floor, self.telling, activate=self.place, client_id=self._own_client_id
        )
        self.spot = SpotMarket(self.floor.desks, seed)
        self.stepped_at = now
        self._income = IncomeBook()
        self.next_execution = 0
        self.delivered: dict[str, tuple[int, int]] = {}
        self._lead = TapeLead(tape or (), now)
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
        self.telling.order(self.files[told.order.account_id], told, "AMENDMENT", told.order.status, None)
        self.settle("ORDER")

    # ── time ──────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> bool:
        """Make the steps that have come due; say whether there was any. Long spans go in long steps."""
        due = (self.clock.now() - self.stepped_at) // STEP_US
        if due <= 0:
            return False
        strides = max(1, due // 2_000)
        while due > 0:
            stride = min(strides, due)
            stride = self._lead.stride(self.stepped_at, stride)
            self.stepped_at += stride * STEP_US
            self.step(self.stepped_at, stride)
            due -= stride
        return True

    def step(self, now: int, stride: int = 1) -> None:
        """Let the markets make one step; what waits for a price or an hour meets it."""
        led = self._lead.prices(now)
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
                    self.conditional.end(file, algo, "EXPIRED", "the contract was delivered")
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
        self.conditional.meet(self.files.values())
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
        self.telling.margin_calls(self.files.values(), now)
        self.listen_keys.drop(expired_only=True)

    def look(self, symbol: str) -> BookView:
        """Return the book as it is; who listens hears of every change before anybody sees it."""
        view = self.books[symbol]
        changed = view.refresh(self.floor.desks[symbol])
        if changed is not None:
            first, bids, asks = changed
            self.telling.tell("", "depth", {"symbol": symbol, "first": first, "bids": bids, "asks": asks, "view": view})
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
            self._income.of_fill(file, execution)
            crossed = before is not None and (before.symbol, before.trade) == (execution.symbol, execution.trade)
            if not crossed:
                is_buy = (execution.sign > 0) != execution.maker
                self._public(
                    execution.trade, execution.symbol, execution.price, execution.lots, execution.at, is_buy=is_buy
                )
            before = execution
        for movement in changes.movements:
            if movement.account_id in self.files:
                self._income.of_movement(self.files[movement.account_id], movement)
        touched = [(self._told(order), order) for order in changes.orders.values()]
        for told, order in touched:
            if not told.announced and self.telling.watched(order.account_id):
                told.announced = True
                self.telling.order(self.files[order.account_id], told, "NEW", Status.NEW, None)
        self.telling.accounts(changes, reason)
        if changes.executions:
            self.conditional.end_idle(self.files, changes)
        for told, order in touched:
            self.telling.life_of(self.files[order.account_id], told, by_order.get(order.number, ()))

    def _told(self, order: Order) -> Told:
        """Return what is remembered of an order; one that nobody asked for is a forced close."""
        file = self.files[order.account_id]
        told = file.orders.get(order.number)
        if told is None:
            told = Told(order, order.type.value)
            file.keep(told)
            if order.client_id.startswith("autoclose"):
                self.liquidations.append(told)
                self.telling.tell("", "liquidation", {"told": told})
        return told

    def settle_spot(self) -> None:
        """Tell what the spot market says was touched; a stop of a list that ends is told like any other order."""
        for order, fill in self.spot.drain():
            grid, contract = self.grids[order.symbol], self.floor.contracts[order.symbol]
            if fill is not None:
                is_buy = (fill.sign > 0) != fill.maker
                self._public(fill.trade, order.symbol, fill.ticks, fill.lots, fill.at, is_buy=is_buy)
            owner = SPOT + order.account_id
            if self.telling.watched(owner):
                now = self.clock.now() // 1_000
                self.next_execution += 1
                report = spot_events.execution_report(order, fill, grid, now, self.next_execution)
                self.telling.tell(owner, "executionReport", report)
                account = self.spot.accounts[order.account_id]
                position = spot_events.account_position(account, contract, now)
                self.telling.tell(owner, "outboundAccountPosition", position)
                made = account.lists.get(order.list_id)
                if made is not None and fill is None:
                    self.telling.tell(owner, "listStatus", spot_events.list_status(account, made, now))

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
        self.telling.tell("", "trade", {"trade": trade})

    def liquidation_price(self, account: Account, key: str) -> int | None:
        """Return the mark, in ticks, at which a position would be closed by force."""
        return trading.liquidation_price(self.floor, account, key)
