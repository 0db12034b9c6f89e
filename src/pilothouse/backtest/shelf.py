"""Results on disk: a run goes in under the hash of its spec; the same run comes out again instead of being made anew.

One folder each, written whole beside its place and then renamed: whoever dies on the way leaves nothing that looks
like a result. Columns are Parquet of whole numbers, so any reader of Parquet can count them again without us.
"""

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pilothouse.backtest.denials import NONE, Denials
from pilothouse.backtest.exposure import Exposure, exposure_of
from pilothouse.backtest.orders import Orders
from pilothouse.backtest.result import FILL_COLUMNS, TRADE_COLUMNS, FillTable, Result, Scale, Trades
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.shelf_orders import FOLDER as _ORDERS
from pilothouse.backtest.shelf_orders import read_orders, write_orders
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Broken, Invalid, NotFound, Problem
from pilothouse.kit.durable import sync

_FORM: Final = 1
_CANDLES: Final = ("opened_ms", "open", "high", "low", "close", "volume")
_NAME_LEAST: Final = 6
_MARKET: Final = "market"


class NoSuchRun(NotFound):
    """No result of this name is kept."""

    code = "no_such_backtest"


class RunDamaged(Broken):
    """The files of a result are not what they should be."""

    code = "backtest_damaged"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a kept run without reading its columns.

    name      SHA-256 of the spec, hexadecimal
    told      title, strategy, symbol, timeframe, span, notes, made_at and the like, as plain data
    metrics   by name
    digest    SHA-256 of the result
    """

    name: str
    told: dict[str, Any]
    metrics: dict[str, float | None]
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A whole run as it is kept.

    exposure   None in an older run over several instruments, which did not keep it
    orders     None where nobody wanted them; see `Shelf.put_orders`
    """

    card: Card
    spec: str
    result: Result
    candles: Candles
    exposure: Exposure | None = None
    orders: Orders | None = None


class Shelf:
    """The folder of all results."""

    def __init__(self, folder: Path) -> None:
        """Keep them below `folder`, which is made with the first one."""
        self._folder = folder

    def place(self, name: str) -> Path:
        """Return the folder of a run."""
        return self._folder / name

    def has(self, name: str) -> bool:
        """Say whether a run is kept."""
        return (self.place(name) / "card.json").is_file()

    def put(
        self, name: str, spec: str, result: Result, candles: Candles, metrics: Mapping[str, float | None],
        told: Mapping[str, Any], *, exposure: Exposure | None = None, orders: Orders | None = None,
    ) -> Card:  # fmt: skip
        """Keep a run, durably; one that is kept already stays as it is."""
        card = Card(name, dict(told), dict(metrics), result.digest())
        if self.has(name):
            return self.card(name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        draft.mkdir(mode=0o700)
        try:
            _write(draft, card, spec, result, candles, exposure)
            if orders is not None:
                write_orders(draft / _ORDERS, orders)
            _sync_all(draft)
            draft.rename(self.place(name))
        except OSError:
            if not self.has(name):  # somebody else may have kept the same run meanwhile
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync(self._folder)
        return card

    def put_orders(self, name: str, orders: Orders) -> None:
        """Keep the orders of a run that is kept; those that are kept already stay. Raises NoSuchRun."""
        if not self.has(name):
            raise NoSuchRun(f"no backtest {name[:64]!r} is kept")
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        try:
            write_orders(draft, orders)
            _sync_all(draft)
            draft.rename(self.place(name) / _ORDERS)
        except OSError:
            if not self.has_orders(name):  # somebody else may have kept them meanwhile
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync(self.place(name))

    def has_orders(self, name: str) -> bool:
        """Say whether the orders of a run are kept."""
        return (self.place(name) / _ORDERS).is_dir()

    def card(self, name: str) -> Card:
        """Return what is known of a run. Raises NoSuchRun, RunDamaged."""
        path = self.place(name) / "card.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return Card(found["name"], found["told"], found["metrics"], found["digest"])
        except FileNotFoundError as error:
            raise NoSuchRun(
                f"no backtest {name[:64]!r} is kept; pilothouse backtest list shows those that are"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunDamaged(f"{path} is damaged: {error}") from error

    def get(self, name: str) -> Kept:
        """Return a whole run. Raises NoSuchRun, RunDamaged."""
        card, place = self.card(name), self.place(name)
        try:
            shape = json.loads((place / "shape.json").read_text(encoding="utf-8"))
            spec = (place / "spec.json").read_text(encoding="utf-8")
            result = _result(place, shape)
            candles = _candles(place, shape)
            exposure = _exposure(place, result, candles)
            orders = read_orders(place / _ORDERS)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, Invalid) as error:
            raise RunDamaged(f"the files of backtest {name} are damaged: {error}") from error
        if result.digest() != card.digest:
            raise RunDamaged(f"the columns of backtest {name} are not those that were kept")
        return Kept(card, spec, result, candles, exposure, orders)

    def cards(self) -> Iterator[Card]:
        """Yield what is known of every run, the newest first; a damaged one is left out."""
        return (card for _, card in self.dated())

    def dated(self) -> Iterator[tuple[int, Card]]:
        """Yield the same, each with when it was kept, nanoseconds since 1970."""
        places = [path for path in self._folder.glob("*/card.json") if not path.parent.name.startswith(".")]
        times = [(path.stat().st_mtime_ns, path) for path in places]
        for at_ns, path in sorted(times, key=lambda each: (-each[0], each[1].parent.name)):
            try:
                yield at_ns, self.card(path.parent.name)
            except RunDamaged:
                continue

    def named(self, start: str) -> str:
        """Return the one name that begins so. Raises NoSuchRun, Invalid where several do."""
        if self.has(start):
            return start
        found = sorted(path.name for path in self._folder.glob(f"{start}*") if start and not path.name.startswith("."))
        if len(start) >= _NAME_LEAST and len(found) == 1:
            return found[0]
        if len(found) > 1 and len(start) >= _NAME_LEAST:
            raise Invalid(
                [Problem("name", f"{start} names {len(found)} backtests", "more of its letters", "ambiguous")]
            )
        raise NoSuchRun(f"no backtest begins with {start[:64]!r} ({_NAME_LEAST} letters or more); see: backtest list")

    def remove(self, name: str) -> None:
        """Take a run away. Raises NoSuchRun."""
        if not self.has(name):
            raise NoSuchRun(f"no backtest {name[:64]!r} is kept")
        gone = self._folder / f".gone-{secrets.token_hex(8)}"
        self.place(name).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _write(draft: Path, card: Card, spec: str, result: Result, candles: Candles, exposure: Exposure | None) -> None:
    scale = result.scale
    shape = {
        "form": _FORM, "tick": str(scale.tick), "lot": str(scale.lot), "unit": str(scale.unit),
        "capital": result.capital, "span_ms": result.span_ms, "skipped": result.skipped, "exposed": result.exposed,
        "costless": result.costless, "tags": list(result.tags), "symbol": candles.symbol,
        "price_digits": candles.price_digits, "volume_digits": candles.volume_digits, "extra": sorted(candles.extra),
        "denials": result.denials.plain(), "many": _of_many(result),
    }  # fmt: skip
    texts = {
        "spec.json": spec,
        "shape.json": json.dumps(shape, indent=1),
        "card.json": json.dumps(
            {"name": card.name, "told": card.told, "metrics": card.metrics, "digest": card.digest}, indent=1
        ),
    }
    trades = {name: getattr(result.trades, name) for name in TRADE_COLUMNS}
    fills = {name: getattr(result.fills, name) for name in FILL_COLUMNS}
    if isinstance(result, Portfolio):
        trades, fills = trades | {_MARKET: result.trade_market}, fills | {_MARKET: result.fill_market}
    bars = {name: getattr(candles, name) for name in _CANDLES} | {
        f"x.{name}": candles.extra[name] for name in candles.extra
    }
    worth = {"equity": result.equity}
    if exposure is not None and isinstance(result, Portfolio):  # of one instrument it follows from fills and candles
        worth |= {"gross": exposure.gross, "net": exposure.net}
    tables = {"trades": trades, "fills": fills, "equity": worth, "candles": bars}
    for name, columns in tables.items():
        _write_table(draft / f"{name}.parquet", columns)
    for name, text in texts.items():
        (draft / name).write_text(text, encoding="utf-8")


def _sync_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def _exposure(place: Path, result: Result, candles: Candles) -> Exposure | None:
    if not isinstance(result, Portfolio):
        return exposure_of(result, [candles])
    if "gross" not in parquet.read_schema(place / "equity.parquet").names:
        return None
    return Exposure(*_columns(place / "equity.parquet", ("gross", "net")))


def _write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns: floats packed; whole numbers as their differences, in half the room and a fifth of the time."""
    whole = {name: column.dtype.kind == "i" for name, column in columns.items()}
    parquet.write_table(
        pa.table(dict(columns)), path, use_dictionary=False,
        column_encoding={name: "DELTA_BINARY_PACKED" if is_whole else "PLAIN" for name, is_whole in whole.items()},
        compression={name: "none" if is_whole else "zstd" for name, is_whole in whole.items()},
    )  # fmt: skip


def _of_many(result: Result) -> dict[str, Any] | None:
    """Return what is to be known of several instruments on one account; None where there is one."""
    if not isinstance(result, Portfolio):
        return None
    scales = [[str(scale.tick), str(scale.lot), str(scale.unit)] for scale in result.scales]
    return {"symbols": list(result.symbols), "scales": scales, "crowded": result.crowded}


def _columns(path: Path, names: tuple[str, ...]) -> list[Any]:
    table = parquet.read_table(path, columns=list(names))
    return [table.column(name).to_numpy().astype(np.int64, copy=False) for name in names]


def _result(place: Path, shape: dict[str, Any]) -> Result:
    scale = Scale(Decimal(shape["tick"]), Decimal(shape["lot"]), Decimal(shape["unit"]))
    trades = Trades(*_columns(place / "trades.parquet", TRADE_COLUMNS))
    fills = FillTable(*_columns(place / "fills.parquet", FILL_COLUMNS))
    (equity,) = _columns(place / "equity.parquet", ("equity",))
    (opened,) = _columns(place / "candles.parquet", ("opened_ms",))
    many = shape.get("many")
    kind: Any = Result if many is None else Portfolio
    found: Result = kind(
        scale, shape["capital"], opened, shape["span_ms"], trades, fills, equity, shape["skipped"], shape["exposed"],
        shape["costless"], tuple(shape["tags"]), Denials.from_plain(shape["denials"]) if "denials" in shape else NONE,
        **({} if many is None else _many(place, many)),
    )  # fmt: skip
    return found


def _many(place: Path, many: dict[str, Any]) -> dict[str, Any]:
    """Return what a result over several instruments has besides."""
    of = {name: _columns(place / f"{name}s.parquet", (_MARKET,))[0] for name in ("trade", "fill")}
    scales = tuple(Scale(*(Decimal(each) for each in scale)) for scale in many["scales"])
    return {
        "symbols": tuple(many["symbols"]), "scales": scales, "crowded": many["crowded"],
        "trade_market": of["trade"], "fill_market": of["fill"],
    }  # fmt: skip


def _candles(place: Path, shape: dict[str, Any]) -> Candles:
    columns = _columns(place / "candles.parquet", _CANDLES)
    extra = {}
    if shape["extra"]:
        table = parquet.read_table(place / "candles.parquet", columns=[f"x.{name}" for name in shape["extra"]])
        extra = {name: table.column(f"x.{name}").to_numpy() for name in shape["extra"]}
    named = dict(zip(_CANDLES, columns, strict=True))
    digits = {name: shape[name] for name in ("price_digits", "volume_digits")}
    return Candles(shape["symbol"], shape["span_ms"], **named, **digits, extra=extra)
