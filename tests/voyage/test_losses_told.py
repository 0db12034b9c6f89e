"""Losses that reach a level while nobody trades are told once for each crossing, and so is their end."""

from decimal import Decimal

from pilothouse.execution.limit_sets import Level
from pilothouse.jobs.schedule import snapshot_equity
from pilothouse.notifications import store as alarms
from pilothouse.observability import standing
from tests.stepped import Stepped

BTC = "BTCUSDT"


def _open(stepped: Stepped) -> None:
    """Hold one bitcoin, bought at 65,000 with 10,000 of equity: a fall of 100 is one percent."""
    _price(stepped, "65000.0")
    stepped.alert(action="open", symbol=BTC, side="BUY", quantity="1")
    snapshot_equity(stepped.house)


def _price(stepped: Stepped, price: str) -> None:
    assert stepped.house.paper is not None, "a house with a paper venue"
    stepped.house.paper.set_price(BTC, Decimal(price))


def _look(stepped: Stepped, price: str) -> list[str]:
    """Move the market, look as the schedule does, and return the open alarms that are about losses."""
    _price(stepped, price)
    standing.look(stepped.house)
    stepped.run()
    return [code for code, _, is_open in _told(stepped) if is_open]


def _told(stepped: Stepped) -> list[tuple[str, int, bool]]:
    """Return (code, times, is open) of every alarm about losses, oldest first."""
    owner = stepped.account.owner_id
    found = stepped.house.database.read(lambda tx: alarms.page(tx, owner, open_only=False, before=None, limit=50))
    codes = ("daily_loss", "daily_loss_near", "drawdown", "drawdown_near")
    return [(one.code, one.pace.count, one.over_at is None) for one, _ in reversed(found) if one.code in codes]


def test_a_drawdown_that_reaches_its_levels_while_nobody_trades_is_told(stepped: Stepped) -> None:
    """A limit that is found out with the next order is found out when it is too late to look."""
    stepped.limit(drawdown_percent_max="5", warn={"drawdown_percent_max": "3"})
    _open(stepped)

    assert _look(stepped, "65000.0") == []
    assert _look(stepped, "64600.0") == ["drawdown_near"]
    assert sorted(_look(stepped, "64300.0")) == ["drawdown", "drawdown_near"]


def test_a_level_that_prices_swing_about_is_one_crossing(stepped: Stepped) -> None:
    """Told at each swing, it would be turned off, and with it the one that matters."""
    stepped.limit(daily_loss_percent_max="4")
    _open(stepped)
    for _ in range(5):
        assert _look(stepped, "64560.0") == ["daily_loss"]
        assert _look(stepped, "64625.0") == ["daily_loss"], "just below the limit, and not well below"
    assert _told(stepped) == [("daily_loss", 1, True)]

    assert _look(stepped, "64800.0") == []
    assert _look(stepped, "64500.0") == ["daily_loss"], "down again is another crossing"
    assert _told(stepped) == [("daily_loss", 1, False), ("daily_loss", 1, True)]


def test_a_warning_level_of_the_day_is_told_beside_its_limit(stepped: Stepped) -> None:
    """Between warning and limit a person can still do something."""
    stepped.limit(daily_loss_percent_max="6", warn={"daily_loss_percent_max": "3"})
    _open(stepped)

    assert _look(stepped, "64600.0") == ["daily_loss_near"]
    assert sorted(_look(stepped, "64300.0")) == ["daily_loss", "daily_loss_near"]
    assert _look(stepped, "65000.0") == []


def test_without_a_price_nothing_is_over_and_nothing_is_news(stepped: Stepped) -> None:
    """A feed that fails while the account is at its limit must not tell that all is well."""
    stepped.limit(drawdown_percent_max="3")
    _open(stepped)
    assert _look(stepped, "64500.0") == ["drawdown"]
    stepped.house.quotes.forget("paper")

    standing.look(stepped.house)
    stepped.run()

    assert _told(stepped) == [("drawdown", 1, True)]


def test_a_bot_that_reached_its_limit_is_told_by_itself(stepped: Stepped) -> None:
    """It stops alone, so it is told alone."""
    _open(stepped)
    bot = stepped.orders()[0].hook_id
    assert bot is not None
    stepped.limit(Level.BOT, bot, drawdown_percent_max="3")

    assert _look(stepped, "64500.0") == ["drawdown"]
    owner = stepped.account.owner_id
    found = stepped.house.database.read(lambda tx: alarms.page(tx, owner, open_only=True, before=None, limit=50))
    assert [one.about for one, _ in found if one.code == "drawdown"] == [bot]
