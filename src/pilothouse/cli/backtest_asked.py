"""What was typed of a backtest goes in; the plain data that the API takes, and candles, come out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pilothouse.kit.settings import Settings
    from pilothouse.strategies.registry import Described
    from pilothouse.wiring.backtest_wishes import Request


def request_of(settings: "Settings", described: "Described", said: Mapping[str, Any]) -> "Request":
    """Return what was typed as a request with its candles, every field of it checked.

    said   by the names of `backtest_options.CANDLES` and `WISHES`
    Raises Invalid that names every field which does not fit, CandlesUnsound, CandlesMissing, Refused.
    """
    from pilothouse.cli import backtest_data
    from pilothouse.wiring.backtest_wishes import Request

    plain = plain_of(described.name, said)
    markets = tuple(plain["markets"])
    looked_at = [*markets, *(each for each in plain["symbols"] if each not in markets)]
    where = backtest_data.asked(
        said["data"], said["venue"], looked_at, said["timeframe"], said["timezone"], said["bar"], said["since"],
        said["until"], leave_out=said["leave_out"],
    )  # fmt: skip
    where = replace(where, traded=markets)
    request = Request(plain, backtest_data.find(settings, where, said["inside"] or [], said["funding"] or []))
    request.checked(described)
    return request


def plain_of(strategy: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed as the plain data that the API takes. Raises Invalid."""
    from pilothouse.backtest.words import latency_of, market_costs, pairs, tiers_of
    from pilothouse.wiring.backtest_wishes import UNSAID

    bars, ms = latency_of(said["latency"])
    told = {**UNSAID, **{name: value for name, value in said.items() if name in UNSAID and value is not None}}
    return told | {
        "strategy": strategy,
        "params": pairs(said["params"] or [], "param"),
        "limits": pairs(said["limits"] or [], "limit"),
        "tiers": tiers_of(said["tiers"] or []),
        "market_costs": market_costs(said["market_costs"] or []),
        "latency": bars,
        "latency_ms": ms,
    }
