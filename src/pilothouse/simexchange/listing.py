"""What an exchange trades from its first moment on, and at which price that begins."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pilothouse.core.clock import micros
from pilothouse.simexchange.tape import Mark
from pilothouse.simulation.contracts import CONTRACTS, SETTLEMENT, Contract
from pilothouse.simulation.delivery import quarterly


def where_the_tape_begins(contracts: Mapping[str, Contract], tape: list[Mark]) -> Mapping[str, Contract]:
    """Return the contracts, those of a tape with its first price as theirs: so their past ends where it begins."""
    first = {mark.symbol: mark.ticks for mark in reversed(tape)}
    return {
        symbol: replace(contract, start_ticks=first.get(symbol, contract.start_ticks))
        for symbol, contract in contracts.items()
    }


def quarter_of(now: int) -> dict[str, Contract]:
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
