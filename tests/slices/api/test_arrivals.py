"""What a committing thread has done comes home to whoever waits for it in the event loop, each to its own."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from pilothouse.api.arrivals import Arrivals, NotBegun


def test_many_outcomes_from_many_threads_each_find_who_waits_for_them() -> None:
    """The answer to one alert must never be that of another, and none may be forgotten on the way."""
    arrivals = Arrivals()
    done: list[Future[int]] = [Future() for _ in range(400)]

    def resolve(part: list[Future[int]], first: int) -> None:
        for number, one in enumerate(part):
            one.set_result(first + number)

    async def wait() -> list[int]:
        waiting = [asyncio.create_task(arrivals.of(one)) for one in done]
        await asyncio.sleep(0)
        threads = [threading.Thread(target=resolve, args=(done[at : at + 100], at)) for at in range(0, 400, 100)]
        for thread in threads:
            thread.start()
        return await asyncio.wait_for(asyncio.gather(*waiting), 20)

    assert asyncio.run(wait()) == list(range(400))


def test_an_error_is_raised_where_it_is_waited_for_and_what_was_not_begun_is_told_apart() -> None:
    """503 is for what was certainly not done."""
    arrivals = Arrivals()
    failed: Future[int] = Future()
    put_off: Future[int] = Future()
    failed.set_exception(KeyError("a"))
    put_off.cancel()
    with pytest.raises(KeyError):
        asyncio.run(arrivals.of(failed))
    with pytest.raises(NotBegun):
        asyncio.run(arrivals.of(put_off))


def test_who_hangs_up_takes_back_what_was_not_begun_and_disturbs_nobody() -> None:
    """A sender that is gone costs no work, and the next one is answered, in another loop too."""
    arrivals = Arrivals()
    left: Future[int] = Future()
    next_: Future[int] = Future()
    next_.set_result(2)

    async def hang_up() -> None:
        waiting = asyncio.create_task(arrivals.of(left))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(hang_up())
    assert left.cancelled()
    late: Future[int] = Future()

    async def stop_waiting() -> None:
        waiting = asyncio.create_task(arrivals.of(late))
        await asyncio.sleep(0)
        late.set_running_or_notify_cancel()
        waiting.cancel()

    asyncio.run(stop_waiting())
    late.set_result(1)  # nobody waits any more, and the loop has ended
    assert asyncio.run(arrivals.of(next_)) == 2
