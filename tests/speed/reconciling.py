"""How long it takes to compare an account with 200 open orders and 50 positions with its venue.

    python -m tests.speed.reconciling    measures alone; `make bench` does it too

Exchange and house are in one process here and share its interpreter, so the figure is an upper one.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import structlog

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.trader import Trader
from pilothouse.simulation.contracts import CONTRACTS, Contract
from pilothouse.venues.port import Accepted, OrderRequest, VenueAccount
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange

POSITIONS, ORDERS_EACH, ROUNDS = 50, 4, 3

PAUSE_S = 65.0
"""The first comparison asks in each of fifty instruments, and the venue counts requests by the minute."""

Add = Callable[[str, float, str, str], None]


def measure(add: Add) -> None:
    """Measure and hand the figures to `add`: name, figure, unit, aim."""
    plan = {"profile": "aster", "contracts": _contracts(), "deposit": 10_000_000}
    with RunningExchange(**plan) as exchange, tempfile.TemporaryDirectory() as folder:
        exchange.control("POST", "accounts", wallet=WALLET)
        with Living(Path(folder), f"sqlite:///{folder}/pilothouse.db", exchange.base) as living:
            assert within(30, living.is_heard), "the exchange answers"
            _fill(living)
            trader = Trader.of(living.account)
            first = _seconds(living, trader)
            time.sleep(PAUSE_S)
            spans = [_seconds(living, trader) for _ in range(ROUNDS)]
            assert len(living.house.venues[living.key].positions(_account(living))) == POSITIONS
    add("an account of 200 orders, 50 positions compared, first time", first, "s", "")
    add("  again, p50", statistics.median(spans), "s", "aim < 1")


def _contracts() -> Mapping[str, Contract]:
    """Return the usual contract under fifty names."""
    usual = CONTRACTS["SOLUSDT"]
    names = [f"C{number:02}" for number in range(POSITIONS)]
    return {
        f"{name}USDT": replace(usual, instrument=replace(usual.instrument, symbol=f"{name}USDT", base=name))
        for name in names
    }


def _account(living: Living) -> VenueAccount:
    return VenueAccount(living.account.id, living.account.owner_id)


def _fill(living: Living) -> None:
    """Open every position and let the orders stand, as another client of the account would."""
    venue, clock = living.house.venues[living.key], living.house.clock
    for number, contract in enumerate(_contracts().values()):
        terms = OrderTerms(contract.symbol, Side.BUY, OrderType.MARKET, Decimal(1))
        low = replace(terms, type=OrderType.LIMIT, price=contract.instrument.tick * (contract.start_ticks * 9 // 10))
        wanted = [terms, *[low] * ORDERS_EACH]
        asked = [OrderRequest(f"bench-{number}-{each}", one, clock.now()) for each, one in enumerate(wanted)]
        while asked:  # a busy machine answers late; what came of it is asked for, and only what is not there is sent
            outcomes = venue.place(_account(living), [replace(each, stamped_at=clock.now()) for each in asked])
            asked = [
                request
                for request, outcome in zip(asked, outcomes, strict=True)
                if not isinstance(outcome, Accepted)
                and not isinstance(venue.find(_account(living), contract.symbol, request.client_order_id), Accepted)
            ]


def _seconds(living: Living, trader: Trader) -> float:
    begun = time.perf_counter()
    reconcile(living.house.desk, trader)
    return time.perf_counter() - begun


def main() -> None:
    """Measure alone and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}"))


if __name__ == "__main__":
    main()
