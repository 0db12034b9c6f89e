"""Senders as TradingView is one: an alert that is answered with 5xx, not 504, comes again after 5 s, 3 times at most.

Between TradingView and the house stands a proxy, as it does for whoever uses this: a house that is not there, or that
dies over an answer, is a 502; one that does not answer in time is a 504, after which nobody sends again.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.plan import Alert, Plan
from tests.chaos.record import ACKNOWLEDGED, CUT, FAILED, REFUSED, SENT, SILENT, TOLD, Record

_MORE_RATE = 5.0


def send_all(
    plan: Plan, record: Record, url: str, secrets: Mapping[str, str], enough: Callable[[], bool] = lambda: True
) -> None:
    """Send every alert at its time, and again where TradingView would; returns when nothing comes any more."""
    asyncio.run(_send_all(plan, record, url, secrets, enough))


async def _send_all(
    plan: Plan, record: Record, url: str, secrets: Mapping[str, str], enough: Callable[[], bool]
) -> None:
    place = urlsplit(url)
    post = partial(_post, str(place.hostname), int(place.port or 80), plan.gives_up_s)
    due = time.monotonic()
    async with asyncio.TaskGroup() as all_of_them:
        for alert in plan.alerts_sent(secrets, enough):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            # What is sent beyond the plan only lets the last faults strike: slowly, so that everything comes to rest.
            due += 1 / (plan.rate if alert.number < plan.alerts else min(plan.rate, _MORE_RATE))
            all_of_them.create_task(_deliver(post, record, alert, plan))


Post = Callable[[str, bytes], Awaitable[tuple[int, Any]]]


async def _deliver(post: Post, record: Record, alert: Alert, plan: Plan) -> None:
    content = json.dumps(alert.body).encode()
    known = {"n": alert.number, "venue": alert.venue, "kind": alert.kind}
    asked = {"quantity": alert.quantity, "side": alert.side, "path": alert.path}
    for delivery in range(plan.deliveries_most):
        record.write(SENT, **known, **asked, delivery=delivery, at=time.time(), body=_public(alert))
        begun = time.time()
        status, told = await post(alert.path, content)
        if status >= 500:
            why = told if isinstance(told, str) else TOLD
            record.write(FAILED, n=alert.number, delivery=delivery, at=begun, status=status, why=why)
        if status < 500:
            record.write(ACKNOWLEDGED, **known, delivery=delivery, at=time.time(), status=status, answer=told)
            return
        if status == 504:
            return
        await asyncio.sleep(plan.again_after_s)


async def _post(host: str, port: int, gives_up_s: float, path: str, content: bytes) -> tuple[int, Any]:
    """Return the status that the sender sees, and the body of the answer; one connection for each delivery."""
    head = (
        f"POST {path}?wait_ms=0 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    writer = None
    try:
        async with asyncio.timeout(gives_up_s):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(head.encode() + content)
            answer = await reader.read()
        status = int(answer.split(b" ", 2)[1])
        return status, json.loads(answer.partition(b"\r\n\r\n")[2]) if status < 500 else None
    except TimeoutError:
        return 504, SILENT
    except (OSError, IndexError, ValueError):
        return 502, REFUSED if writer is None else CUT
    finally:
        if writer is not None:
            writer.close()


def _public(alert: Alert) -> dict[str, object]:
    return {name: value for name, value in alert.body.items() if name != "webhook_secret"}
