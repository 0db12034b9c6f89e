"""Positions over REST: how they stand, at what risk, and how the instrument of each is set."""

from typing import Any

import msgspec

from pilothouse.simexchange import user_events
from pilothouse.simexchange.asking import DONE, SIGNED, Asking, Route
from pilothouse.simexchange.figures import money, parsed, short
from pilothouse.simexchange.records import ASTER, BINANCE, slots_of
from pilothouse.simexchange.wire_errors import WireError, missing, refused
from pilothouse.simulation import exchange as trading
from pilothouse.simulation.account import pending
from pilothouse.simulation.contracts import SETTLEMENT, Contract
from pilothouse.simulation.margin import bracket_for, initial, maintenance
from pilothouse.simulation.slots import SIDES, side_of, slot


def shown_slots(asking: Asking) -> list[tuple[str, str]]:
    """Return every slot that is shown: instrument and slot."""
    sides = SIDES if asking.account.hedged else SIDES[:1]
    return [(symbol, slot(symbol, side)) for symbol in asking.listed for side in sides]


def position_words(asking: Asking, symbol: str, key: str) -> dict[str, Any]:
    """Return a position as accounts show it."""
    exchange = asking.exchange
    holding, desk, grid = asking.account.holding(key), exchange.floor.desks[symbol], exchange.grids[symbol]
    mark, contract = desk.prices.mark, desk.contract
    notional = holding.notional(contract, mark)
    buys, sells = pending(asking.account, contract, mark, side_of(key))
    held = initial(abs(notional), holding.leverage)
    needs = initial(max(abs(notional), abs(notional + buys), abs(notional - sells)), holding.leverage)
    entry = grid.average(abs(holding.cost), abs(holding.lots), contract.unit)
    return {
        "symbol": symbol,
        "initialMargin": money(needs),
        "maintMargin": money(maintenance(contract, abs(notional)) if holding.lots else 0),
        "unrealizedProfit": money(holding.unrealised(contract, mark)),
        "positionInitialMargin": money(held),
        "openOrderInitialMargin": money(needs - held),
        "leverage": str(holding.leverage),
        "isolated": holding.is_isolated,
        "entryPrice": entry,
        "breakEvenPrice": entry,
        "maxNotional": _most(contract, holding.leverage),
        "bidNotional": "0",
        "askNotional": "0",
        "positionSide": side_of(key),
        "positionAmt": grid.quantity(holding.lots),
        "notional": money(notional),
        "isolatedMargin": money(holding.isolated + holding.unrealised(contract, mark) if holding.is_isolated else 0),
        "isolatedWallet": money(holding.isolated),
        "updateTime": asking.file.changed.get(symbol, 0),
    }


def position_risk(asking: Asking) -> Any:
    """Tell the positions with their risk."""
    wanted = asking.symbol() if asking.request.text("symbol") else ""
    busy = {each.symbol for each in asking.account.orders.values()}
    found = []
    for symbol, key in shown_slots(asking):
        if wanted and symbol != wanted:
            continue
        words = _risk(asking, symbol, key)
        if asking.version >= 3 and asking.profile == BINANCE:
            if not asking.account.holding(key).lots and symbol not in busy:
                continue
            words = _risk_of_the_third_kind(asking, symbol, key, words)
        found.append(words)
    return found


def _risk(asking: Asking, symbol: str, key: str) -> dict[str, Any]:
    exchange, words = asking.exchange, position_words(asking, symbol, key)
    grid, desk = exchange.grids[symbol], exchange.floor.desks[symbol]
    holding = asking.account.holding(key)
    return {
        "symbol": symbol,
        "positionAmt": words["positionAmt"],
        "entryPrice": words["entryPrice"],
        "breakEvenPrice": words["breakEvenPrice"],
        "markPrice": grid.price(desk.prices.mark),
        "unRealizedProfit": words["unrealizedProfit"],
        "liquidationPrice": grid.price(exchange.liquidation_price(asking.account, key)),
        "leverage": words["leverage"],
        "maxNotionalValue": words["maxNotional"],
        "marginType": "isolated" if holding.is_isolated else "cross",
        "isolatedMargin": words["isolatedMargin"],
        "isAutoAddMargin": "false",
        "positionSide": words["positionSide"],
        "notional": words["notional"],
        "isolatedWallet": words["isolatedWallet"],
        "updateTime": words["updateTime"],
        "isolated": holding.is_isolated,
        "adlQuantile": 1 if holding.lots else 0,
    }


def _risk_of_the_third_kind(asking: Asking, symbol: str, key: str, words: dict[str, Any]) -> dict[str, Any]:
    """Return it as Binance's third version does: without settings, with margins."""
    margins = position_words(asking, symbol, key)
    gone = {"leverage", "maxNotionalValue", "marginType", "isAutoAddMargin", "isolated", "adlQuantile"}
    kept = {name: value for name, value in words.items() if name not in gone}
    return kept | {
        "marginAsset": SETTLEMENT,
        "initialMargin": margins["initialMargin"],
        "maintMargin": margins["maintMargin"],
        "positionInitialMargin": margins["positionInitialMargin"],
        "openOrderInitialMargin": margins["openOrderInitialMargin"],
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
    }


def adl_quantile(asking: Asking) -> Any:
    """Tell where positions stand in the queue for deleveraging."""
    hedged = asking.account.hedged

    def queued(symbol: str) -> dict[str, int]:
        names = {"LONG": 0, "SHORT": 0, "HEDGE" if hedged else "BOTH": 0}
        for key in slots_of(asking.account, symbol):
            names[side_of(key)] = 1 if asking.account.holding(key).lots else 0
        return names

    return [
        {"symbol": symbol, "adlQuantile": queued(symbol)}
        for symbol in asking.symbols()
        if any(asking.account.holding(key).lots for key in slots_of(asking.account, symbol))
    ]


def leverage_bracket(asking: Asking) -> Any:
    """Tell the brackets of leverage and maintenance margin."""
    found = [_brackets(asking.exchange.floor.contracts[symbol]) for symbol in asking.symbols()]
    return found[0] if asking.profile == ASTER and asking.request.text("symbol") else found


def _brackets(contract: Contract) -> dict[str, Any]:
    return {
        "symbol": contract.symbol,
        "notionalCoef": _number(100, 2),
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": each.leverage_max,
                "notionalCap": each.notional_cap // 100_000_000,
                "notionalFloor": each.notional_floor // 100_000_000,
                "maintMarginRatio": _number(each.maintenance_ppm, 6),
                "cum": _number(each.deduction, 8),
            }
            for number, each in enumerate(contract.brackets, start=1)
        ],
    }


def _number(value: int, decimals: int) -> Any:
    """Return a JSON number, as the venues write these two fields: they are ratios and bounds, not booked."""
    return msgspec.Raw(short(value, decimals).encode())


def set_leverage(asking: Asking) -> Any:
    """Set the leverage of an instrument."""
    symbol, leverage = asking.symbol(), asking.request.need_whole("leverage")
    refusal = trading.set_leverage(asking.exchange.floor, asking.file.id, symbol, leverage)
    if refusal is not None:
        error = refused(refusal)
        raise WireError(error.code, f"Leverage {leverage} is not valid" if error.code == -4028 else error.text)
    asking.exchange.settle("ORDER")
    event = user_events.configured(symbol, leverage, asking.now)
    asking.exchange.telling.tell(asking.file.id, "ACCOUNT_CONFIG_UPDATE", event)
    most = _most(asking.exchange.floor.contracts[symbol], leverage)
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": most}


def _most(contract: Contract, leverage: int) -> str:
    caps = [each.notional_cap for each in contract.brackets if each.leverage_max >= leverage]
    return str(max(caps, default=bracket_for(contract, 0).notional_cap) // 100_000_000)


def set_margin_type(asking: Asking) -> Any:
    """Set whether an instrument's position risks its own margin only."""
    symbol, kind = asking.symbol(), asking.request.need("marginType").upper()
    if kind not in {"ISOLATED", "CROSSED", "CROSS"}:
        raise missing("marginType")
    isolated = kind == "ISOLATED"
    if asking.account.holding(symbol).is_isolated == isolated:
        raise WireError(-4046)
    if isolated and asking.file.multi_assets:
        raise WireError(-4168)
    refusal = trading.set_margin_type(asking.exchange.floor, asking.file.id, symbol, isolated=isolated)
    if refusal is not None:
        raise refused(refusal)
    asking.exchange.settle("MARGIN_TYPE_CHANGE")
    asking.exchange.telling.settings(asking.file, symbol, "MARGIN_TYPE_CHANGE")
    return DONE


def position_margin(asking: Asking) -> Any:
    """Set more or less aside for an isolated position."""
    symbol, request = asking.symbol(), asking.request
    side = request.text("positionSide", "BOTH").upper()
    amount, kind = parsed(request.need("amount")), request.need_whole("type")
    if amount is None or amount[1] > 8 or kind not in {1, 2}:
        raise WireError(-4044 if amount is None else -1130)
    if amount[0] <= 0:
        raise WireError(-4055)
    units = amount[0] * 10 ** (8 - amount[1])
    key = slot(symbol, side)
    refusal = trading.add_isolated(asking.exchange.floor, asking.file.id, key, units if kind == 1 else -units)
    if refusal is not None:
        raise refused(refusal)
    asking.exchange.settle("MARGIN_TRANSFER")
    asking.exchange.telling.settings(asking.file, symbol, "MARGIN_TRANSFER")
    asking.file.margins.append((asking.now, symbol, side, units if kind == 1 else -units))
    return {
        "amount": _number(amount[0] * 10 ** (8 - amount[1]), 8),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


def symbol_config(asking: Asking) -> Any:
    """Tell the settings of instruments."""
    found = []
    for symbol in asking.symbols():
        holding = asking.account.holding(symbol)
        found.append(
            {
                "symbol": symbol,
                "marginType": "ISOLATED" if holding.is_isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": holding.leverage,
                "maxNotionalValue": _most(asking.exchange.floor.contracts[symbol], holding.leverage),
            }
        )
    return found


def margin_history(asking: Asking) -> Any:
    """Tell what was set aside for isolated positions by hand, or taken back; oldest first."""
    symbol, request = asking.symbol(), asking.request
    kind, start, end = request.whole("type"), request.whole("startTime"), request.whole("endTime")
    found = [
        {
            "symbol": symbol,
            "type": 1 if units > 0 else 2,
            "deltaType": "USER_ADJUST",
            "amount": money(abs(units)),
            "asset": SETTLEMENT,
            "time": at // 1_000,
            "positionSide": side,
        }
        for at, of, side, units in asking.file.margins
        if of == symbol
        and (kind is None or (units > 0) == (kind == 1))
        and (start is None or at // 1_000 >= start)
        and (end is None or at // 1_000 <= end)
    ]
    return found[-request.limit(500, 500) :]


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "positionRisk"): Route(position_risk, SIGNED, 5),
    ("GET", "adlQuantile"): Route(adl_quantile, SIGNED, 5),
    ("GET", "leverageBracket"): Route(leverage_bracket, SIGNED),
    ("POST", "leverage"): Route(set_leverage, SIGNED),
    ("POST", "marginType"): Route(set_margin_type, SIGNED),
    ("POST", "positionMargin"): Route(position_margin, SIGNED),
    ("GET", "positionMargin/history"): Route(margin_history, SIGNED),
    ("GET", "symbolConfig"): Route(symbol_config, SIGNED, 5),
}
