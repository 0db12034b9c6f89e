"""Every indicator, by name: what it takes, its settings with their bounds, what it answers, and after how many bars."""

from pilothouse.core.errors import NotFound
from pilothouse.strategies.indicators import entries_of_candles, entries_of_values
from pilothouse.strategies.indicators.indicator import Indicator


class NoSuchIndicator(NotFound):
    """The catalogue has no indicator of this name."""

    code = "no_such_indicator"

    def __init__(self, name: str) -> None:
        """Keep the name that was asked for."""
        super().__init__(f"no indicator is called '{name}'; the catalogue is docs/reference/indicators.md")
        self.name = name


def find(name: str) -> Indicator:
    """Return the indicator of this name. Raises NoSuchIndicator."""
    if name not in CATALOGUE:
        raise NoSuchIndicator(name)
    return CATALOGUE[name]


CATALOGUE: dict[str, Indicator] = {
    indicator.name: indicator
    for family in (
        entries_of_values.AVERAGES,
        entries_of_values.MOMENTUM,
        entries_of_values.OSCILLATORS,
        entries_of_candles.BANDS,
        entries_of_candles.VOLATILITY,
        entries_of_candles.TREND,
        entries_of_candles.VOLUME,
        entries_of_values.STATISTICS,
        entries_of_candles.PRICES,
        entries_of_candles.SESSIONS,
    )
    for indicator in family
}
