"""Results as tables, by period, and as a page."""

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.exports import (
    FILL_NAMES,
    ORDER_NAMES,
    PERIOD_NAMES,
    TRADE_NAMES,
    csv_of,
    equity_rows,
    period_rows,
    trade_rows,
)  # fmt: skip
from pilothouse.backtest.exposure import Exposure
from pilothouse.backtest.measured import measured
from pilothouse.backtest.orders import ORDER_COLUMNS, ORDER_WIDTH, Orders
from pilothouse.backtest.page_parts import shown, table
from pilothouse.backtest.report import DRAWN_MOST, Beside, Told, page
from pilothouse.backtest.result import FillTable
from pilothouse.core.candles import Candles
from tests.unit.backtest.results import HOUR, candles, result


def _read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff"), "spreadsheets read UTF-8 only behind a byte-order mark"
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_trades_are_written_exactly() -> None:
    """Money to the last digit, average prices, instants that every spreadsheet reads."""
    first, second = _read(csv_of(TRADE_NAMES, trade_rows(result(), "BTCUSDT")))

    assert first["result"] == "1.9182"
    assert first["entry_price"] == "100"
    assert first["exit_price"] == "102"
    assert first["quantity"] == "1"
    assert (first["entry_time"], first["exit_time"]) == ("2023-12-31 23:00:00", "2024-01-01 02:00:00")
    assert (first["exit_reason"], second["exit_reason"], second["side"]) == ("target", "open", "short")
    assert first["worst_price"] == "99.9"


def test_text_that_a_spreadsheet_would_run_is_defused() -> None:
    """A tag comes from a strategy, and a strategy from anywhere."""
    first, _ = _read(csv_of(TRADE_NAMES, trade_rows(result(), "=cmd()")))

    assert first["tag"] == "'=HYPERLINK()"
    assert first["symbol"] == "'=cmd()"


def test_a_bar_that_ends_at_midnight_belongs_to_the_day_that_ends() -> None:
    """So does the trade in it, and years are cut likewise."""
    found = measured(result(), candles())

    assert [day.name for day in found.days] == ["2023-12-31", "2024-01-01"]
    assert [month.name for month in found.months] == ["2023-12", "2024-01"]
    assert [year.name for year in found.years] == ["2023", "2024"]
    assert [day.trades for day in found.days] == [0, 2]
    assert found.days[0].ended == found.days[1].began == 10_000.0


def test_periods_add_up_to_the_run() -> None:
    """Days chain from the first equity to the last, and their trades are all trades."""
    found = measured(result(), candles())
    whole = 1.0
    for day in found.days:
        whole *= 1.0 + (day.change or 0.0)

    assert whole - 1.0 == pytest.approx(found.metrics["total_return"])
    assert sum(day.result for day in found.days) == pytest.approx(sum(kind.result for kind in found.kinds))
    assert [kind.name for kind in found.kinds] == ["long", "short"]


def test_period_tables_have_their_columns() -> None:
    """One row a day, with the win rate empty where nothing ended."""
    rows = _read(csv_of(PERIOD_NAMES, period_rows(measured(result(), candles()).days)))

    assert [row["win_rate"] for row in rows] == ["", "1"]
    assert rows[1]["trades"] == "2"


def test_equity_is_written_exactly() -> None:
    """At each close, with the fall from the high."""
    rows = equity_rows(result(), None)

    assert rows[1][:2] == ("2024-01-01 01:00:00", Decimal("10001.00000"))
    assert rows[5][2] == pytest.approx(25_190 / 1_000_240_000)


def _page(**changed: object) -> str:
    run, bars = replace(result(), **changed), candles()  # type: ignore[arg-type] # a test changes what it likes
    found = measured(run, bars)
    told = Told("<b>Cross</b>", "on hours", '{"a":1}', bars.fingerprint(), ("no gaps",))
    return page(run, bars, found.metrics, found.months, found.kinds, told)


def _told(text: str) -> dict[str, Any]:
    found = re.search(r"<script type=application/json id=told>(.*?)</script>", text, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_a_page_stands_alone() -> None:
    """No address is asked for anything: it can be mailed, archived and opened in ten years."""
    text = _page()

    assert not re.search(r"""(?:src|href)\s*=\s*["']?https?:""", text)
    assert "&lt;b&gt;Cross&lt;/b&gt;" in text
    assert len(_told(text)["tables"]["trades"]) == 2
    assert len(_told(text)["marks"]) == 4
    ranks = [mark[3] for mark in _told(text)["marks"] if mark[2] == "in"]
    assert ranks == pytest.approx([1.9182, 0.2299]), "both marks of a trade rank alike"


def test_a_run_without_costs_says_so_in_red() -> None:
    """A backtest without costs is no measure of anything."""
    assert "WITHOUT COSTS" in _page(costless=True)
    assert "WITHOUT COSTS" not in _page()


def test_ruin_is_said() -> None:
    """It is not hidden behind an average."""
    assert "ruined" in _page(equity=np.array([1, 1, 1, -5, 1, 1], np.int64))


def test_a_tag_cannot_break_out_of_the_page() -> None:
    """Whatever a strategy calls its trades."""
    text = _page(tags=("</script><script>alert(1)</script>",))

    assert "<script>alert(1)" not in text


def test_a_long_run_is_drawn_with_fewer_candles_and_all_its_extremes() -> None:
    """What is drawn stands for several bars; the highest high and the deepest fall stay."""
    count = DRAWN_MOST * 3 + 7
    close = 10_000 + np.arange(count, dtype=np.int64) % 977
    bars = Candles(
        "BTCUSDT", HOUR, np.arange(count, dtype=np.int64) * HOUR, close, close + 5, close - 5, close, close, 2, 0
    )
    run = replace(
        result(), opened_ms=bars.opened_ms, equity=1_000_000_000 + (np.arange(count, dtype=np.int64) % 13) * 1_000
    )
    found = measured(run, bars)
    drawn = _told(page(run, bars, found.metrics, found.months, found.kinds, Told("x", "y", "{}", "z")))

    assert len(drawn["candles"]) <= DRAWN_MOST
    assert max(float(str(row[2])) for row in drawn["candles"]) == int(bars.high.max()) / 100
    assert max(float(str(row[2])) for row in drawn["equity"]) == pytest.approx(float(run.drawdown().max()))


def test_orders_and_exposure_stand_on_the_page_where_they_were_kept() -> None:
    """A stop for all that is held says so, and numbers near zero are not below it."""
    run = replace(result(), fills=FillTable.of(np.array([[0, 1_000, 10_000, 5_000, 1, 0, 0]], np.int64)))
    made = np.zeros((1, ORDER_WIDTH), np.int64)
    made[0, ORDER_COLUMNS.index("sign")], made[0, ORDER_COLUMNS.index("reduces")] = -1, 1
    made[0, ORDER_COLUMNS.index("name")] = made[0, ORDER_COLUMNS.index("words")] = -1
    held = np.full(6, 500_000_000, np.int64)
    beside = Beside(Exposure(held, -held), Orders.of(made, np.zeros(1, np.int64)))
    found = measured(run, candles())
    told = Told("Cross", "on hours", "{}", candles().fingerprint())
    text = page(run, candles(), found.metrics, found.months, found.kinds, told, beside)

    (order,) = _told(text)["tables"]["orders"]
    assert order[ORDER_NAMES.index("quantity")] == "all"
    (fill,) = _told(text)["tables"]["fills"]
    assert [fill[FILL_NAMES.index(name)] for name in ("side", "quantity", "price", "fee")] == [
        "buy",
        "1",
        "100",
        "0.05",
    ]
    assert _told(text)["exposure"][0][1:] == [50.0, -50.0]
    assert "id=exposure" in text
    assert "id=exposure" not in _page()
    assert (shown("ratio", -0.001), shown("share", -0.00001)) == ("0.00", "0.00 %")
    assert "<td class=word>fast 5</td><td>-1.20 %</td>" in table(("a", "b"), [("fast 5", "-1.20 %"), ("fast 6", "–")])
