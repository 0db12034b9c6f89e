"""Senders as TradingView is one: an alert that is answered with 5xx, not 504, comes again after 5 s, 3 times at most.

Between TradingView and the house stands a proxy, as it does for whoever uses this: a house that is not there, or that
dies over an answer, is a 502; one that does not answer in time is a 504, after which nobody sends again.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping

import httpx

from tests.chaos.plan import Alert, Plan
from tests.chaos.record import ACKNOWLEDGED, SENT, Record

DELIVERIES_MOST = 4
AGAIN_AFTER_S = 5.0


def send_all(
    plan: Plan, record: Record, url: str, secrets: Mapping[str, str], enough: Callable[[], bool] = lambda: True
) -> None:
    """Send every alert at its time, and again where TradingView would; returns when nothing comes any more."""
    asyncio.run(_send_all(plan, record, url, secrets, enough))


async def _send_all(
    plan: Plan, record: Record, url: str, secrets: Mapping[str, str], enough: Callable[[], bool]
) -> None:
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=50)
    async with httpx.AsyncClient(base_url=url, timeout=plan.gives_up_s, trust_env=False, limits=limits) as client:
        begun = time.monotonic()
        async with asyncio.TaskGroup() as all_of_them:
            for alert in plan.alerts_sent(secrets, enough):
                await asyncio.sleep(max(0.0, begun + alert.number / plan.rate - time.monotonic()))
                all_of_them.create_task(_deliver(client, record, alert))


async def _deliver(client: httpx.AsyncClient, record: Record, alert: Alert) -> None:
    content = json.dumps(alert.body).encode()
    known = {"n": alert.number, "venue": alert.venue, "kind": alert.kind}
    asked = {"quantity": alert.quantity, "side": alert.side, "path": alert.path}
    for delivery in range(DELIVERIES_MOST):
        record.write(SENT, **known, **asked, delivery=delivery, at=time.time(), body=_public(alert))
        status, told = await _once(client, alert.path, content)
        if status < 500:
            record.write(ACKNOWLEDGED, **known, delivery=delivery, at=time.time(), status=status, answer=told)
            return
        if status == 504:
            return
        await asyncio.sleep(AGAIN_AFTER_S)


async def _once(client: httpx.AsyncClient, path: str, content: bytes) -> tuple[int, object]:
    """Return the status that the sender sees, and the body of the answer."""
    try:
        answer = await client.post(path, content=content, params={"wait_ms": 0})
    except httpx.TimeoutException:
        return 504, None
    except httpx.TransportError:
        return 502, None
    return answer.status_code, answer.json() if answer.status_code < 500 else None


def _public(alert: Alert) -> dict[str, object]:
    return {name: value for name, value in alert.body.items() if name != "webhook_secret"}
