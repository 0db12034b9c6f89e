"""Take recorded answers of exchanges out of other people's packages: a folder of source archives in, tapes out.

    python tools/take_tapes.py FOLDER      where the archives named in tests/fixtures/tapes/README.md lie
    python tools/take_tapes.py --check     say which tape is not what the index says

A tape is text that somebody else recorded or published, cut out as it stands there: nothing is typed, mended or
completed here. Where it came from stands beside it, in index.json, with its digest.
"""

import ast
import hashlib
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

TAPES: Final = Path(__file__).parents[1] / "tests" / "fixtures" / "tapes"
INDEX: Final = TAPES / "index.json"

NAUTILUS: Final = "nautilus_trader-1.221.0"
CCXT: Final = "ccxt-4.5.90"
ALPACA: Final = "alpaca-trade-api-3.2.0"

_COMMENT: Final = re.compile(r"\s*# ?(.*)$")
_METHOD: Final = re.compile(r" {4}(?:async )?def (\w+)")


@dataclass(frozen=True, slots=True)
class Tape:
    """One tape and where it came from.

    file     below tests/fixtures/tapes
    archive  the source distribution it was taken from
    member   the file in it
    part     which part of that file; empty: all of it
    """

    file: str
    archive: str
    member: str
    part: str
    sha256: str


# ── What is taken ─────────────────────────────────────────────────────────────────────────────────

_WHOLE: Final = {
    "bybit": (
        "http_get_executions",
        "http_get_order_partially_filled_rejected",
        "http_get_orders_history",
        "http_get_positions",
        "http_get_wallet_balance",
    ),
    "okx": (
        "http_get_account_balance",
        "http_get_instruments_spot",
        "http_get_instruments_swap",
        "http_get_orders_history",
        "http_get_orders_pending",
        "http_get_positions",
        "http_place_order_response",
        "http_transaction_detail",
    ),
    "hyperliquid": ("http_l2_book_snapshot",),
}
"""Files of recorded answers as they stand in the adapters of nautilus_trader."""

_QUOTED: Final = {
    "bybit": (
        "cancel_order.1",
        "create_order.1",
        "fetch_future_markets.1",
        "fetch_orders_classic.1",
        "fetch_spot_markets.1",
        "fetch_time.1",
        "handle_errors.1",
        "is_unified_enabled.1",
    ),
    "okx": (
        "cancel_order.1",
        "cancel_orders.2",
        "create_order_request.1",
        "fetch_leverage.1",
        "fetch_open_orders.2",
        "fetch_time.1",
        "handle_errors.1",
        "set_leverage.1",
    ),
    "hyperliquid": (
        "cancel_orders.1",
        "create_orders.1",
        "edit_orders.2",
        "fetch_balance.1",
        "fetch_funding_history.1",
        "fetch_ledger.1",
        "fetch_my_trades.1",
        "fetch_ohlcv.1",
        "fetch_open_orders.1",
        "fetch_order.1",
        "fetch_positions.1",
        "fetch_swap_markets.1",
        "handle_errors.1",
        "handle_errors.2",
    ),
    "alpaca": (
        "cancel_order.1",
        "fetch_balance.1",
        "fetch_my_trades.1",
        "fetch_orders.1",
        "fetch_transactions_helper.1",
        "parse_balance.1",
    ),
}
"""Answers quoted in the comments of ccxt, by method and by their order in it."""

_IN_TESTS: Final = (
    "test_data.3",
    "test_errors.2",
    "test_errors.3",
    "test_errors.4",
    "test_errors.5",
    "test_errors.6",
)
"""Answers that the broker's own client is tested with, by test and by their order in it."""

_NOTICES: Final = (
    (NAUTILUS, "LICENSE", "NAUTILUS-LICENSE"),
    (CCXT, "LICENSE.txt", "CCXT-LICENSE"),
    (ALPACA, "LICENSE", "ALPACA-LICENSE"),
)


def taken(folder: Path) -> Iterator[tuple[str, str, str, str, bytes]]:
    """Yield every tape: file, archive, member, part and content. Raises LookupError or OSError."""
    with tarfile.open(folder / f"{NAUTILUS}.tar.gz") as archive:
        for exchange, names in _WHOLE.items():
            for name in names:
                member = f"{NAUTILUS}/crates/adapters/{exchange}/test_data/{name}.json"
                yield f"{exchange}/{name}.json", NAUTILUS, member, "", _read(archive, member)
    with tarfile.open(folder / f"{CCXT}.tar.gz") as archive:
        for exchange, names in _QUOTED.items():
            member = f"{CCXT}/python/ccxt/{exchange}.py"
            quoted = _quoted(_read(archive, member).decode())
            for name in names:
                yield f"{exchange}/quoted_{name}.json", CCXT, member, name, quoted[name].encode()
    with tarfile.open(folder / f"{ALPACA}.tar.gz") as archive:
        member = f"{ALPACA}/tests/test_rest.py"
        texts = _given_to_tests(_read(archive, member).decode())
        for name in _IN_TESTS:
            yield f"alpaca/client_{name}.json", ALPACA, member, name, texts[name].encode()


def _read(archive: tarfile.TarFile, member: str) -> bytes:
    found = archive.extractfile(member)
    if found is None:
        raise LookupError(f"{member} is no file")
    return found.read()


def _quoted(source: str) -> dict[str, str]:
    """Return the JSON that stands in comments, whole objects and lists only, by method and order."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    method, comment = "", list[str]()
    for line in [*source.splitlines(), ""]:
        text = _COMMENT.match(line)
        if text is not None:
            comment.append(text.group(1))
            continue
        for each in _json_in("\n".join(comment)):
            counts[method] = counts.get(method, 0) + 1
            found[f"{method}.{counts[method]}"] = each
        comment = []
        named = _METHOD.match(line)
        method = method if named is None else named.group(1)
    return found


def _json_in(text: str) -> Iterator[str]:
    """Yield the pieces of `text` that are JSON and say something: an object, or a list of them, of some length."""
    decoder, position = json.JSONDecoder(), 0
    while starts := [at for at in (text.find("{", position), text.find("[", position)) if at >= 0]:
        start = min(starts)
        try:
            value, length = decoder.raw_decode(text[start:])
        except ValueError:
            position = start + 1
            continue
        position = start + length
        entries = value if isinstance(value, list) else [value]
        if length > 30 and entries and isinstance(entries[0], dict | list):
            yield text[start:position]


def _given_to_tests(source: str) -> dict[str, str]:
    """Return the bodies that are given to a simulated server, by test and order."""
    found: dict[str, str] = {}
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        count = 0
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not ast.unparse(call.func).startswith("reqmock."):
                continue
            count += 1
            for keyword in call.keywords:
                if keyword.arg == "text" and isinstance(keyword.value, ast.Constant):
                    found[f"{function.name}.{count}"] = str(keyword.value.value)
    return found


# ── The index ─────────────────────────────────────────────────────────────────────────────────────


def take(folder: Path) -> list[Tape]:
    """Write every tape, the notices and the index; return what was written."""
    tapes = []
    for file, archive, member, part, content in taken(folder):
        path = TAPES / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        tapes.append(Tape(file, archive, member, part, hashlib.sha256(content).hexdigest()))
    for archive, member, file in _NOTICES:
        with tarfile.open(folder / f"{archive}.tar.gz") as opened:
            (TAPES / file).write_bytes(_read(opened, f"{archive}/{member}"))
    INDEX.write_text(json.dumps([asdict(each) for each in tapes], indent=1) + "\n")
    return tapes


def wrong() -> list[str]:
    """Return what is wrong with the tapes that lie here: changed, missing, or of no known origin."""
    index = [Tape(**each) for each in json.loads(INDEX.read_text())]
    found = {str(path.relative_to(TAPES)) for path in TAPES.glob("*/*.json")}
    faults = [f"{each} is in no index" for each in sorted(found - {tape.file for tape in index})]
    for tape in index:
        path = TAPES / tape.file
        if not path.is_file():
            faults.append(f"{tape.file} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != tape.sha256:
            faults.append(f"{tape.file} is not what was taken from {tape.archive}")
    return faults


def main(arguments: list[str]) -> int:
    """Take the tapes, or check them."""
    if arguments == ["--check"]:
        faults = wrong()
        print("\n".join(faults) or "every tape is as it was taken")
        return len(faults)
    if len(arguments) != 1:
        print(__doc__)
        return 2
    print(f"{len(take(Path(arguments[0])))} tapes in {TAPES}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
