"""Conditional orders of the Binance kind: kept beside the books, made into ordinary orders when they trigger."""

from collections.abc import Callable, Iterable, Mapping

from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.order_intake import PROTECT_PPM, Wanted
from pilothouse.simexchange.records import AccountFile, Algo, Told
from pilothouse.simexchange.telling import Telling
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.floor import Changes, Desk, Floor
from pilothouse.simulation.orders import triggers
from pilothouse.simulation.slots import slot, symbol_of


class Conditional:
    """The conditional orders of all accounts of one exchange."""

    def __init__(
        self,
        clock: ExchangeClock,
        floor: Floor,
        telling: Telling,
        *,
        activate: Callable[[AccountFile, Wanted], Told],
        client_id: Callable[[AccountFile], str],
    ) -> None:
        """Keep none yet.

        activate    takes the order that one of these becomes into the books; raises WireError
        client_id   draws an id for an order that came without one
        """
        self._clock, self._floor, self._telling = clock, floor, telling
        self._activate, self._client_id = activate, client_id
        self._next = 1
        self.trigger_refusals = 0
        """How many of those that trigger next are rejected: a fault."""

    def place(self, file: AccountFile, wanted: Wanted) -> Algo:
        """Keep a conditional order until it triggers; nothing is asked of margin before that."""
        now = self._clock.now()
        client_id = wanted.client_id or self._client_id(file) + str(self._next)
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
        held = self._floor.accounts[file.id].reducible(wanted.symbol, wanted.sign, wanted.side)
        if wanted.tif == "GTE_GTC" and not held:
            raise WireError(-4509)
        desk = self._floor.desks[wanted.symbol]
        at = desk.working(by_last=wanted.working == "CONTRACT_PRICE")
        if wanted.stop is not None and triggers(wanted.type, wanted.sign, wanted.stop, at):
            raise WireError(-2021)
        algo = Algo(
            1_000_000_000 + self._next, client_id, wanted.symbol, wanted.sign, wanted.side, wanted.kind, wanted.tif,
            wanted.lots, wanted.price, wanted.stop, wanted.trail, wanted.working, wanted.protect, wanted.reduce_only,
            wanted.closes, wanted.match, wanted.stp, wanted.good_till, now, now,
        )  # fmt: skip
        self._next += 1
        file.algos[algo.number] = algo
        file.algo_by_client[client_id] = algo.number
        self._telling.algo(file, algo)
        return algo

    def end(self, file: AccountFile, algo: Algo, status: str, reason: str = "") -> None:
        """End a conditional order that waits."""
        algo.status, algo.reason, algo.updated = status, reason, self._clock.now()
        self._telling.algo(file, algo)

    def meet(self, files: Iterable[AccountFile]) -> None:
        """Turn those into ordinary orders whose trigger is met, and end those whose time has come."""
        for file in files:
            for algo in file.open_algos() if file.algos else ():
                desk = self._floor.desks[algo.symbol]
                if algo.good_till and algo.tif == "GTD" and algo.good_till * 1_000 <= self._clock.now():
                    self.end(file, algo, "EXPIRED")
                elif _algo_is_met(desk, algo):
                    self._trigger(file, algo)

    def _trigger(self, file: AccountFile, algo: Algo) -> None:
        """Turn a conditional order into an ordinary one, or reject it where that cannot be."""
        now = self._clock.now()
        algo.status, algo.triggered = "TRIGGERING", now
        self.end(file, algo, "TRIGGERING")
        account = self._floor.accounts[file.id]
        lots = account.reducible(algo.symbol, algo.sign, algo.side) if algo.closes else algo.lots
        if self.trigger_refusals > 0:
            self.trigger_refusals -= 1
            self.end(file, algo, "REJECTED", "the test asked for it")
            return
        if not lots:
            self.end(file, algo, "EXPIRED", "ReduceOnly Order is rejected.")
            return
        limited = algo.kind in {"STOP", "TAKE_PROFIT"}
        wanted = Wanted(
            algo.symbol, algo.sign, algo.side, "LIMIT" if limited else "MARKET",
            algo.tif if algo.tif != "GTE_GTC" else "GTC", lots, algo.price, None, None, algo.reduce_only, False,
            algo.working, algo.protect, algo.client_id, algo.match, algo.stp, algo.good_till, algo.kind,
        )  # fmt: skip
        try:
            told = self._activate(file, wanted)
        except WireError as error:
            self.end(file, algo, "REJECTED", error.text)
            return
        algo.actual = told.order
        self.end(file, algo, "TRIGGERED")
        self.end(file, algo, "FINISHED")

    def end_idle(self, files: Mapping[str, AccountFile], changes: Changes) -> None:
        """Expire the conditional orders that were for a position which has gone."""
        for account_id, key in list(changes.holdings):
            file, account = files[account_id], self._floor.accounts[account_id]
            for algo in file.open_algos(symbol_of(key)) if file.algos else ():
                bound = algo.closes or algo.tif == "GTE_GTC"
                held = account.reducible(algo.symbol, algo.sign, algo.side)
                if bound and slot(algo.symbol, algo.side) == key and not held:
                    self.end(file, algo, "EXPIRED", "The position was closed.")


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
