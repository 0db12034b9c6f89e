"""The application before and after its framework is loaded: alerts are taken in at once, all else a moment later."""

import asyncio

import httpx
import pytest

from pilothouse.api.threshold import Threshold
from tests.slices.api.conftest import PATIENCE_S, Served


def test_alerts_are_taken_in_before_anything_else_is_there(running: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A house that was killed has its sender waiting; what answers questions may come a second later."""
    monkeypatch.setattr("pilothouse.api.threshold.WAIT_S", 0.1)
    alert = {"symbol": "BTCUSDT", "action": "open", "side": "BUY", "quantity": "0.01", "webhook_secret": running.secret}

    async def begin() -> tuple[list[httpx.Response], httpx.Response]:
        threshold = Threshold(running.house)
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(threshold), base_url="http://house") as client:
                early = [
                    await client.post("/webhook/tradingview", json=alert),
                    await client.post("/hooks/nobody", json=alert),
                    await client.get("/health/ready"),
                ]
                monkeypatch.setattr("pilothouse.api.threshold.WAIT_S", PATIENCE_S)
                waits = asyncio.create_task(client.get("/health/live"))
                await threshold.load()
                return early, await waits
        finally:
            threshold.close()

    (taken, unknown, asked), answered = asyncio.run(begin())
    assert (taken.status_code, taken.json()["success"]) == (200, True)
    assert len(running.orders()) == 1
    assert unknown.status_code == 404
    assert (asked.status_code, asked.json()["code"], asked.headers["retry-after"]) == (503, "starting", "1")
    assert (answered.status_code, answered.json()["status"]) == (200, "alive")


def test_what_nobody_expected_at_the_early_door_is_an_answer_too(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is told, and sends again; nothing of the inside is shown."""

    async def begin() -> httpx.Response:
        threshold = Threshold(running.house)
        monkeypatch.setattr(running.house.database, "submit", lambda *_, **__: 1 / 0)
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(threshold), base_url="http://house") as client:
                return await client.post("/hooks/nobody", json={"symbol": "BTCUSDT", "action": "close"})
        finally:
            threshold.close()

    answer = asyncio.run(begin())
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "ZeroDivisionError" not in answer.text
