"""Venues are opened side by side at the start: a slow one keeps nobody else waiting."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.kit.http_client import HttpLimits
from pilothouse.kit.settings import Settings
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring.build import Parts, build

VENUES, PATIENCE_S = 3, 30.0


@contextmanager
def _slow_venue(number: int, asked: set[int], all_asked: threading.Event, late: list[int]) -> Iterator[str]:
    """Yield the address of a venue that answers nobody before all of them were asked; notes if they never were."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.add(number)
            if len(asked) == VENUES:
                all_asked.set()
            if not all_asked.wait(PATIENCE_S):
                late.append(number)
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_slow_venues_do_not_add_up_at_the_start(
    tables_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked one after the other, three venues that take ten seconds keep a desk closed for half a minute."""
    # The house waits for an answer for longer than a venue here waits for the others.
    monkeypatch.setattr("pilothouse.venues.aster.adapter._LIMITS", HttpLimits(read_s=2 * PATIENCE_S))
    asked, all_asked, late = set[int](), threading.Event(), list[int]()
    variables = {"PILOTHOUSE_DATA": str(tmp_path / "data"), "PILOTHOUSE_DATABASE_URL": tables_url}
    with ExitStack() as stack:
        bases = [stack.enter_context(_slow_venue(number, asked, all_asked, late)) for number in range(VENUES)]
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

        assert (asked, late) == (set(range(VENUES)), []), "each was being asked while the others were"
        assert all(str(VenueKey("aster", base)) in house.venues for base in bases), "open, though none answered"
