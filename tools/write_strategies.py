"""Write docs/use/strategies/ from the registry of built-in strategies: one page each, and the list of them.

python tools/write_strategies.py            writes the pages
python tools/write_strategies.py --check    exits 1 if a page is not what it would write
"""

import sys
import textwrap
from pathlib import Path
from typing import Final

from pilothouse.strategies.parameters import Parameter, resolve
from pilothouse.strategies.registry import BUILT_IN, Described
from pilothouse.strategies.rules import By, Distance, Side, SizeBy
from pilothouse.strategies.sdk import Columns, Turns

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "use" / "strategies"

_WRITTEN: Final = "<!-- Written by tools/write_strategies.py from the strategies themselves; do not edit it here. -->"
_INSTRUMENTS: Final = {
    "one": "One instrument.",
    "two": "A pair: it needs exactly one other instrument beside its own, and trades its own. Run it over both.",
    "many": "Many instruments on shared capital: each is compared with all others. Alone, nothing stands before it.",
}
_DATA: Final = {
    "one": "--data candles.csv",
    "two": "--data BTCUSDT=btc.csv --data ETHUSDT=eth.csv",
    "many": "--data BTCUSDT=btc.csv --data ETHUSDT=eth.csv --data SOLUSDT=sol.csv",
}
_COMMANDS: Final = """\
```
pilothouse strategy show {name}
pilothouse strategy check {name} {data}
pilothouse backtest run {name} {data}
```"""
_LIST_HEAD: Final = f"""\
# Built-in strategies

{_WRITTEN}

{{count}} strategies come with Pilothouse, proven not to look ahead: recomputed on cuts of a history, its signals are
the same. They decide at the close of a bar, and what they decide is carried out at the next open unless the run says
otherwise. None of them is advice, and each page says when it loses. Compare with [buy and hold](buy-and-hold.md) first.

What they are made of: [indicators](../../reference/indicators.md).

| name | | kind | instruments |
| --- | --- | --- | --- |
"""


def pages() -> dict[str, str]:
    """Return every page, by file name."""
    rows = [
        f"| [{name}]({name}.md) | {described.strategy.title} | {described.kind} | {described.instruments} |"
        for name, described in BUILT_IN.items()
    ]
    head = _LIST_HEAD.format(count=len(BUILT_IN))
    return {"README.md": head + "\n".join(rows) + "\n"} | {f"{name}.md": _page(one) for name, one in BUILT_IN.items()}


def _page(described: Described) -> str:
    """Return the page of one strategy."""
    strategy = described.strategy
    head = (
        f"`{described.name}`, {described.kind}, written by {described.written}. {_INSTRUMENTS[described.instruments]}"
    )
    sections = {
        "What it does": described.rule,
        "Why it should earn anything": described.idea,
        "When it fails": described.fails,
        "How positions end and how large they are": _rules(strategy),
    }
    parts = [f"# {strategy.title}", _WRITTEN, _wrapped(head)]
    for title, told in sections.items():
        parts += [f"## {title}", *(_wrapped(paragraph) for paragraph in told.split("\n\n"))]
    parts += ["## Try it", _COMMANDS.format(name=described.name, data=_DATA[described.instruments])]
    rows = [_row(name, parameter) for name, parameter in strategy.parameters.items()]
    parts += ["## Parameters", "\n".join(["| parameter | default | allowed | |", "| --- | --- | --- | --- |", *rows])]
    return "\n\n".join(parts) + "\n"


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), 120, break_on_hyphens=False)


def _rules(strategy: Columns | Turns) -> str:
    """Return what holds with the defaults, in words."""
    if not isinstance(strategy, Columns):
        return "By the orders that it asks for itself; the amounts are parameters."
    rules = strategy.rules(resolve(strategy.parameters, {}))
    exits, said = rules.exits, []
    if exits.stop:
        said.append(f"a stop {_far(exits.stop)} from the entry")
    said += [f"a target {_far(target.at)} from it" for target in exits.targets]
    if exits.trail:
        after = f", once {_far(exits.trail_after)} are gained" if exits.trail_after else ""
        said.append(f"a stop that follows the best price at {_far(exits.trail)}{after}")
    ends = ", ".join(said) or "no stop and no target: its own signals alone"
    sizes = {
        SizeBy.RISK: f"so large that its stop loses {rules.size.value:g} % of equity",
        SizeBy.PERCENT: f"{rules.size.value:g} % of equity",
    }
    way = {Side.BOTH: "long and short", Side.LONG: "long only", Side.SHORT: "short only"}[rules.side]
    return f"With its defaults: {ends}. Each position is {sizes[rules.size.by]}; {way}."


def _far(distance: Distance) -> str:
    return f"{distance.value:g} {'%' if distance.by is By.PERCENT else 'ATR'}"


def _row(name: str, parameter: Parameter) -> str:
    """Return one line of the table."""
    told = ". ".join(part for part in (parameter.label, parameter.help) if part)
    default = str(parameter.default).lower() if isinstance(parameter.default, bool) else parameter.default
    return f"| `{name}` | {default} | {parameter.allowed} | {told} |"


def main() -> int:
    """Write the pages, or compare them."""
    wanted = pages()
    if "--check" in sys.argv[1:]:
        there = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.md")}
        if there == wanted:
            return 0
        print(f"{FOLDER} is out of date: run python tools/write_strategies.py", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
