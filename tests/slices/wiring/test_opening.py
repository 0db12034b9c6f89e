"""Venues are opened side by side at the start: a slow one keeps nobody else waiting."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.kit.settings import Settings
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring.build import Parts, build

VENUES = 3


@contextmanager
def _slow_venue(number: int, together: threading.Barrier, passed: list[int]) -> Iterator[str]:
    """Yield the address of a venue that answers nobody before all of them were asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if number not in passed:
                try:
                    together.wait(10)
                except threading.BrokenBarrierError:
                    return
                passed.append(number)
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.timeout(60)
def test_slow_venues_do_not_add_up_at_the_start(tables_url: str, tmp_path: Path) -> None:
    """Asked one after the other, three venues that take ten seconds keep a desk closed for half a minute."""
    together, passed = threading.Barrier(VENUES), list[int]()
    variables = {"PILOTHOUSE_DATA": str(tmp_path / "data"), "PILOTHOUSE_DATABASE_URL": tables_url}
    with ExitStack() as stack:
        bases = [stack.enter_context(_slow_venue(number, together, passed)) for number in range(VENUES)]
        house = build(Settings.from_environment(variables), Parts(process="one"))
        stack.callback(house.close)
        for base in bases:
            house.database.write(
                lambda tx, base=base: trading_accounts.open_account(  # type: ignore[misc]  # the default binds it
                    tx,
                    owner_id=house.operator_id,
                    name=base,
                    venue=str(VenueKey("aster", base)),
                    mode=Mode.TESTNET,
                    currency="USDT",
                    now=house.clock.now(),
                ),
                name="account",
            )

        house.open_all()

        assert len(set(passed)) == VENUES, "each was being asked while the others were"
        assert all(str(VenueKey("aster", base)) in house.venues for base in bases), "open, though none answered"
