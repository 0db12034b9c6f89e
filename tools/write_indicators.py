"""Write docs/reference/indicators.md from the catalogue of indicators.

python tools/write_indicators.py            writes the page
python tools/write_indicators.py --check    exits 1 if the page is not what it would write
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from pilothouse.strategies.indicators.catalogue import CATALOGUE
from pilothouse.strategies.indicators.indicator import Indicator, Memory, Setting

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "indicators.md"

_HEAD = """\
# Indicators

<!-- Written by tools/write_indicators.py from the catalogue itself; do not edit it here. -->

{count} indicators over columns of float64, oldest bar first, and for each a twin that takes one closed bar at a time. A
strategy on columns calls the function, a strategy that takes turns feeds the twin, and both say the same, to the last
bit unless a tolerance is stated.

```python
from pilothouse.strategies.indicators.averages import Sma, sma
from pilothouse.strategies.indicators.catalogue import find

line = sma(close, 20)  # float64[n]; NaN for the first 19 bars
bands = find("bollinger").calculate({{"close": close}}, period=20, width=2.0)  # by name, bounds checked
average = Sma(20)
average.update(101.5)  # one bar; `save()` is what JSON can carry, `load()` takes it up
```

Rules for all of them:

- A value is made from its own bar and earlier ones; recomputing a prefix gives the same numbers.
- During the warm-up the answer is NaN. The number below is for the defaults.
- A NaN in an input answers NaN, and the bars behind it are a new beginning. (Levels of sessions leave such a bar out.)
- *Memory* says how far back a value looks: over a **window** of fixed length, over all bars but **fading** (after some
  ten periods the beginning is forgotten), or over **all** bars since the beginning or since something happened. What is
  not a window depends on where the history begins.
- In the formulas x' is the value one bar before. Spreads are divided by the number of bars, unless said.
- `session` and `minute` are whole numbers per bar, made with the calendar of the exchange: one number for all bars of a
  session (a negative one is no session), and the minute of the local day at which the bar opened.

Where TA-Lib knows the same formula, a test compares them on a seeded market. TA-Lib itself can be had beside it:
`pip install 'pilothouse[talib]'`.
"""


def page() -> str:
    """Return the page as it has to be."""
    parts = [_HEAD.format(count=len(CATALOGUE))]
    by_family = groupby(CATALOGUE.values(), key=lambda indicator: indicator.family)
    for family, indicators in by_family:
        parts.append(f"## {family.capitalize()}\n")
        parts += [part for indicator in indicators for part in _section(indicator)]
    return "\n".join(parts)


def _section(indicator: Indicator) -> Iterator[str]:
    """Yield what is said of one indicator."""
    settings = ", ".join(_setting(setting) for setting in indicator.settings) or "none"
    warm_up = indicator.warm_up(*indicator.settled({}))
    yield f"### {indicator.name}\n"
    yield f"{indicator.title}\n"
    yield f"- Takes {_names(indicator.inputs)}; answers {_names(indicator.outputs)}"
    yield f"- Settings: {settings}"
    if indicator.family == "sessions":
        yield "- Warm-up: what belongs to a session is told from the second session on that began in the history"
    else:
        yield f"- Warm-up: {warm_up} {'bar' if warm_up == 1 else 'bars'}; memory: {_memory(indicator.memory)}"
    if indicator.tolerance:
        yield f"- Twin: within {indicator.tolerance:g} of the column"
    yield f"- Formula: {indicator.formula}"
    yield f"- Source: {indicator.source}\n"


def _setting(setting: Setting) -> str:
    return f"`{setting.name}` {setting.default} ({setting.least} to {setting.most})"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _memory(memory: Memory) -> str:
    return {Memory.WINDOW: "window", Memory.FADING: "fading", Memory.ALL: "all"}[memory]


def main() -> int:
    """Write the page, or compare it."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{PAGE} is out of date: run python tools/write_indicators.py", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
