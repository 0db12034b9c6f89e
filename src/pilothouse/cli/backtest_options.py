"""What may be said of a backtest on the command line: every option once, and a decorator that gives them to a command.

`run`, `sweep` and `walkforward` take the same wishes under the same names, and so does the API: what was typed becomes
the plain data that the API takes (`api/backtest_shapes.py`), and from there on both are one.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="CSV, Parquet, Feather or JSON of freqtrade, Binance's archive, TradingView, Yahoo; or SYMBOL=FILE. "
        "The first is traded, others may be looked at.",
        show_default=False,
        rich_help_panel="Candles",
    ),
]
Venue = Annotated[
    str,
    typer.Option(
        "--venue",
        metavar="VENUE",
        help="Candles that `data download` keeps of this venue.",
        show_default=False,
        rich_help_panel="Candles",
    ),
]
Symbols = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol", "-s", metavar="SYMBOL", help="With --venue: which.", show_default=False, rich_help_panel="Candles"
    ),
]
Length = Annotated[
    str,
    typer.Option(
        "--timeframe",
        "-t",
        metavar="LENGTH",
        help="With --venue: how long a bar is.",
        show_default=False,
        rich_help_panel="Candles",
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="2024-01-01, an ISO 8601 instant, or 30d.", rich_help_panel="Candles"),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="As --from.", rich_help_panel="Candles")]
Zone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Of files whose times name none.", rich_help_panel="Candles"),
]
Span = Annotated[
    str | None,
    typer.Option(
        "--bar", metavar="LENGTH", help="How long a bar of a file is, if not told.", rich_help_panel="Candles"
    ),
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        "--leave-out",
        metavar="KIND",
        help="Faulty rows to leave out: duplicates, impossible, blank ...",
        rich_help_panel="Candles",
    ),
]
Given = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the strategy.")
]


@dataclass(frozen=True, slots=True)
class Said:
    """One option: its name in the plain data, its type, its words, its default."""

    name: str
    kind: Any
    words: tuple[str, ...]
    metavar: str
    help: str
    panel: str
    default: Any = None

    def parameter(self) -> inspect.Parameter:
        """Return it as the parameter of a command."""
        option = typer.Option(
            *self.words,
            metavar=self.metavar or None,
            help=self.help,
            rich_help_panel=self.panel,
            show_default=self.default not in (None, "", 0, False),
        )
        return _parameter(self.name, Annotated[self.kind, option], self.default)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


CANDLES = (
    _parameter("data", Data, None),
    _parameter("venue", Venue, ""),
    _parameter("symbols", Symbols, None),
    _parameter("timeframe", Length, ""),
    _parameter("since", Since, None),
    _parameter("until", Until, None),
    _parameter("timezone", Zone, None),
    _parameter("bar", Span, None),
    _parameter("leave_out", LeaveOut, None),
    _parameter("params", Given, None),
)
"""Which candles, and the parameters of the strategy."""

_WORDS, _ACCOUNT, _COSTS, _FILLS, _RULES = list[str] | None, "Account", "Costs", "Fills", "Rules"

_WISHES = (
    Said("markets", _WORDS, ("--market", "-m"), "SYMBOL", "Trade several on one account: once for each.", _ACCOUNT),
    Said("positions", int, ("--positions",), "N", "Open at once; 0: one for each market.", _ACCOUNT, 0),
    Said("rank", str, ("--rank",), "HOW", "Who goes first: column (the strategy's), first.", _ACCOUNT, "column"),
    Said("hedge", bool, ("--hedge",), "", "Hold an instrument long and short at once, as two positions.", _ACCOUNT,
         False),
    Said("capital", str, ("--capital",), "AMOUNT", "Quote currency at the start.", _ACCOUNT, "10000"),
    Said("leverage", int, ("--leverage",), "TIMES", "How many times equity may be held.", _ACCOUNT, 1),
    Said("margin", str, ("--margin",), "KIND", "isolated, or cross: all for all.", _ACCOUNT, "isolated"),
    Said("lot", str | None, ("--lot",), "SIZE", "Smallest step of a size, base.", _ACCOUNT),
    Said("limits", _WORDS, ("--limit",), "NAME=VALUE", "A limit of the risk gate: pilothouse limits rules.", _ACCOUNT),
    Said("maker", str, ("--maker",), "PERCENT", "Fee of orders that rest.", _COSTS, "0.02"),
    Said("taker", str, ("--taker",), "PERCENT", "Fee of orders that take.", _COSTS, "0.05"),
    Said("tiers", _WORDS, ("--tier",), "VOLUME=MAKER/TAKER",
         "Other fees from so much traded in 30 days on: 1000000=0.016/0.04.", _COSTS),
    Said("slippage", str, ("--slippage",), "PERCENT", "How much worse than the price one fills.", _COSTS, "0.01"),
    Said("slip", str, ("--slip",), "MODEL",
         "Of slippage: fixed; spread (half of it); volume, impact (by the share in the bar's volume).", _COSTS,
         "fixed"),
    Said("slip_ticks", int, ("--slip-ticks",), "N", "Ticks of slippage besides, of fixed or spread.", _COSTS, 0),
    Said("borrow", str, ("--borrow",), "PERCENT", "Interest a year on what is borrowed.", _COSTS, "0"),
    Said("maintenance", str, ("--maintenance",), "PERCENT",
         "Share of its worth that a position must keep, or it is liquidated.", _COSTS, "0.5"),
    Said("liquidation", str, ("--liquidation",), "PERCENT", "What a forced close costs beside the fee.", _COSTS, "0"),
    Said("market_costs", _WORDS, ("--market-cost",), "SYMBOL:NAME=PERCENT,...",
         "Other costs of one market: ETHUSDT:taker=0.04,slippage=0.02.", _COSTS),
    Said("funding", _WORDS, ("--funding",), "FILE",
         "Its history: Binance's fundingRate, freqtrade's funding_rate, or time and rate; SYMBOL=FILE of several "
         "markets, SYMBOL=none of one that pays none; none: not even what `data download --funding` keeps of --venue.",
         _COSTS),
    Said("fill", str, ("--fill",), "WHEN", "open: of the next bar; close: of the same bar.", _FILLS, "open"),
    Said("latency", str, ("--latency",), "TIME", "Between a decision and its order: 1 (bars), 250ms or 1.5s.", _FILLS,
         "0"),
    Said("inside", _WORDS, ("--inside",), "WHAT",
         "Walk inside the bars: 1m (kept candles of --venue), a file of finer candles, or trades:FILE; of several "
         "markets SYMBOL=FILE or SYMBOL=trades:FILE for each.", _FILLS),
    Said("volume_share", str | None, ("--volume-share",), "PERCENT",
         "At most so much of a bar's volume is filled.", _FILLS),
    Said("size", str | None, ("--size",), "SIZE", "100%, '1% risk', '500 quote', '0.01 base'.", _RULES),
    Said("stop", str | None, ("--stop",), "AWAY", "2%, 1.5atr or 100: instead of its own.", _RULES),
    Said("take", str | None, ("--take",), "AWAY", "4%, or a ladder: 2%:0.5,4%:0.5.", _RULES),
    Said("trail", str | None, ("--trail",), "AWAY", "A stop that follows the best price.", _RULES),
)  # fmt: skip

WISHES = tuple(each.parameter() for each in _WISHES)
"""Account, costs, fills and rules."""

Command = TypeVar("Command", bound=Callable[..., Any])


def takes(*groups: Sequence[inspect.Parameter]) -> Callable[[Command], Command]:
    """Return what gives a command these options; what was said of them comes to it by name in its `**said`."""

    def give(command: Command) -> Command:
        own = inspect.signature(command)
        words = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        first = [each for each in words if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        behind = [each for each in words if each.kind is inspect.Parameter.KEYWORD_ONLY]
        every = [*first, *(each for group in groups for each in group), *behind]
        command.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]  # functions have one
        command.__annotations__ = {each.name: each.annotation for each in every}
        return command

    return give
