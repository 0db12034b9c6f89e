"""A small chart of candles for the terminal: rows of a price axis go out, one column of characters for each candle."""

from collections.abc import Sequence
from decimal import Decimal

from rich.text import Text

Four = tuple[int, int, int, int]
"""Open, high, low, close, in whole steps."""


def grouped(candles: Sequence[Four], columns: int) -> list[Four]:
    """Return at most `columns` candles, neighbours put together."""
    size = -(-len(candles) // columns) if candles else 1
    parts = [candles[at : at + size] for at in range(0, len(candles), size)]
    return [(part[0][0], max(one[1] for one in part), min(one[2] for one in part), part[-1][3]) for part in parts]


def chart(candles: Sequence[Four], *, height: int, step: Decimal, columns: int = 64) -> list[Text]:
    """Return the lines of a chart, the highest price first; nothing for no candle.

    step   what one of the whole numbers is worth, for the axis
    """
    bars = grouped(candles, columns)
    if not bars:
        return []
    top, bottom = max(bar[1] for bar in bars), min(bar[2] for bar in bars)
    lines = []
    for row in range(height):
        # The row stands for the prices from `under` up to `over`: whole numbers, so that nothing falls between rows.
        over = top - (top - bottom) * row // height
        under = top - (top - bottom) * (row + 1) // height
        line = Text(f"{over * step:>14,f} ", style="dim") if row % 3 == 0 else Text(" " * 15)
        for first, high, low, last in bars:
            low_body, high_body = min(first, last), max(first, last)
            mark = " "
            if high >= under and low <= over:
                mark = "█" if high_body >= under and low_body <= over else "│"
            line.append(mark, style="green" if last >= first else "red")
        lines.append(line)
    return lines
