"""Orders of a run that was kept without them: its name goes in; they are worked out and kept beside it."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pilothouse.kit.settings import Settings
    from pilothouse.strategies.registry import Described
    from pilothouse.wiring.backtest_wishes import Request


def remember(settings: "Settings", name: str, strategy: str, said: Mapping[str, Any], request: "Request") -> None:
    """Keep what was typed beside the run that came of it, its span of time as it is now."""
    from pilothouse.wiring import backtest_orders

    fixed = request.fixed()
    span = {"since": _instant(fixed["start_ms"]), "until": _instant(fixed["until_ms"])}
    asked = {"strategy": strategy, "said": dict(said) | span, "folder": str(Path.cwd())}
    backtest_orders.remember(settings, name, asked)


def work_out(settings: "Settings", name: str) -> None:
    """Work out the orders of a kept run that has none, as it was asked for, and say meanwhile how far that is.

    Raises NotAsItWas, and what finding its candles raises.
    """
    from pilothouse.backtest.pace import Pace
    from pilothouse.cli import environment
    from pilothouse.cli.underway import shown
    from pilothouse.wiring import backtest_orders

    asked, pace = backtest_orders.remembered(settings, name), Pace()
    with shown(pace, as_json=False), environment.private_files():
        pace.at("reading candles")
        described, request = _again(settings, asked)
        backtest_orders.work_out(settings, described, request, name, pace)


def _again(settings: "Settings", asked: dict[str, Any]) -> "tuple[Described, Request]":
    """Return strategy and request as they were typed, or as they came over the API."""
    from pilothouse.wiring.strategies import named

    described = named(settings, asked["strategy"])
    if "said" not in asked:
        from pilothouse.wiring.bench_requests import read_request
        from pilothouse.wiring.data_only import open_data

        return described, read_request(asked["asked"], settings, lambda: open_data(settings).database)
    from pilothouse.cli.backtest_asked import request_of

    with contextlib.chdir(asked["folder"]):  # files were named as seen from there
        return described, request_of(settings, described, asked["said"])


def _instant(ms: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)).isoformat()
