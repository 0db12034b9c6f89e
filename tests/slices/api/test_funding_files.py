"""Files of funding rates that users send over the wire: read, and paid in backtests."""

import httpx
import pytest

from pilothouse.accounts.audit import list_audit
from tests.bench_files import SharedBenches, request, swing
from tests.slices.api.conftest import Served
from tests.slices.api.test_backtests import _awake, _follow  # noqa: F401 - a fixture for whoever waits for benches
from tests.slices.api.test_candle_files import _send as send_candles
from tests.slices.api.test_candle_files import sending  # noqa: F401 - a fixture that is used by its name

AT = "/api/v1/funding-files"
HOUR_MS = 3_600_000


def _send(served: Served, name: str, content: bytes | str, **query: str) -> httpx.Response:
    return served.api.post(f"{AT}/{name}", content=content, params=query)


def _rates(*, hole: bool = False) -> str:
    first = int(swing().splitlines()[1].split(",")[0])
    rows = [
        f"{first + each * 8 * HOUR_MS},{(each % 7 - 2) / 10_000:.4f}" for each in range(75) if not (hole and each == 40)
    ]
    return "\n".join(["time,rate", *rows]) + "\n"


@pytest.mark.soak_on("postgresql")
def test_a_file_of_rates_is_read_kept_and_paid(sending: Served, benches: SharedBenches) -> None:  # noqa: F811 - the fixture
    """As the command takes it: the rates are named by their fingerprint, and so is the backtest that pays them."""
    sent = _send(sending, "BTCUSDT-funding.csv", _rates(), symbol="BTCUSDT")
    assert sent.status_code == 200, sent.text
    told = sent.json()
    assert (told["rates"], told["symbol"], told["gaps_count"]) == (75, "BTCUSDT", 0)
    assert told["reference"] == "upload:BTCUSDT-funding.csv"
    assert sending.api.get(AT).json()["items"] == [told]
    assert sending.api.get("/api/v1/candle-files").json()["items"] == [], "rates are no candles"
    assert send_candles(sending, "BTCUSDT-funding.csv", swing(), symbol="BTCUSDT").status_code == 200

    asked = request(files=["upload:BTCUSDT-funding.csv"], funding=[told["reference"]], capital="779")
    done = _follow(sending, sending.api.post("/api/v1/backtests", json=asked).json())

    assert done["data"]["BTCUSDT funding"] == told["fingerprint"]
    result = done["result"]["told"]
    assert (result["unfunded"], result["underfunded"]) == (False, "")
    assert sending.api.delete(f"{AT}/BTCUSDT-funding.csv").json()["name"] == told["name"]
    assert sending.api.get(f"{AT}/BTCUSDT-funding.csv").status_code == 404
    whats = [line.what for line in sending.house.database.read(lambda tx: list_audit(tx, sending.house.operator_id))]
    assert (whats.count("funding.uploaded"), whats.count("funding.removed")) == (1, 1)


@pytest.mark.soak_on("postgresql")
def test_what_is_wrong_with_a_file_of_rates_is_said_and_candles_are_refused(
    sending: Served,  # noqa: F811 - the fixture
    benches: SharedBenches,
) -> None:
    """A price taken for a rate would pay the account away in one night."""
    holed = _send(sending, "h.csv", _rates(hole=True)).json()
    assert (holed["rates"], holed["gaps_count"], len(holed["gaps"])) == (74, 1, 1)
    candles = _send(sending, "c.csv", swing())
    assert candles.status_code == 400
    assert candles.json()["errors"][0]["field"] == "funding"
    assert _send(sending, "w.csv", "a,b\n1,2\n").status_code == 400
    assert [each["name"] for each in sending.api.get(AT).json()["items"]] == ["h.csv"]
