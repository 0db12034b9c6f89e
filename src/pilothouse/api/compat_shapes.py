"""What goes over the wire to clients of the older format: the names of `wire.py`, field by field."""

from types import GenericAlias
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from pilothouse.api import wire
from pilothouse.api.shapes import Amount, Asked, WrongField, refusals

_EXAMPLES: dict[str, Any] = {
    "orderId": 1,
    "clientOrderId": "ph4VN5FKUPNSGKQSD7BJPRVCW4QCXW",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "MARKET",
    "status": "FILLED",
    "origQty": "0.01",
    "price": None,
    "executedQty": "0.01",
    "avgPrice": "65000.1",
    "timeInForce": "GTC",
    "positionSide": "BOTH",
    "reduceOnly": False,
    "closePosition": False,
    "stopPrice": None,
    "time": 1795239028454,
    "updateTime": 1795239028467,
    "positionAmt": "0.01",
    "entryPrice": "65000.1",
    "markPrice": "65000",
    "unRealizedProfit": "-0.001",
    "leverage": 10,
    "marginType": "CROSSED",
    "liquidationPrice": "0",
    "isolatedMargin": None,
    "notional": "650",
    "asset": "USDT",
    "walletBalance": "10000",
    "availableBalance": "9935",
    "crossWalletBalance": "10000",
    "unrealizedProfit": "-0.001",
    "crossUnPnl": "-0.001",
}
_NUMBERS = {"orderId", "leverage"}
_TIMES = {"time", "updateTime"}
_TRUTHS = {"reduceOnly", "closePosition"}
_TEXTS = {"clientOrderId", "symbol", "side", "type", "status", "timeInForce", "positionSide", "asset"}


def _model(title: str, about: str, twins: wire.Twins, **more: Any) -> type[BaseModel]:
    """Return the shape of an object, both spellings of every name in it."""
    fields: dict[str, Any] = {}
    for name, spellings in twins:
        if name in _TIMES:
            kind: Any = int
        elif name in _NUMBERS:
            kind = int | None
        elif name in _TRUTHS:
            kind = bool
        elif name in _TEXTS:
            kind = str
        else:
            kind = str | None if name == "marginType" else Amount | None
        for spelling in spellings:
            fields[spelling] = (kind, Field(examples=[_EXAMPLES[name]]))
    return create_model(title, __doc__=about, **fields, **more)


OldOrder = _model(
    "CompatibleOrder",
    "An order; `orderId` is the venue's number or null, decimals are text.",
    wire.ORDER,
    id=(str, Field(examples=["ord_0006441e8b0c4d2f0000a1b2c3d4"])),
    purpose=(str, Field(examples=["entry"])),
    state=(str, Field(examples=["filled"])),
    reason=(str | None, Field(examples=[None])),
)
OldPosition = _model("CompatiblePosition", "A position; `liquidationPrice` 0 means none.", wire.POSITION)
OldBalance = _model("CompatibleBalance", "A balance.", wire.BALANCE)
OldOrders, OldPositions, OldBalances = (GenericAlias(list, (each,)) for each in (OldOrder, OldPosition, OldBalance))


class AlertAnswer(BaseModel):
    """What became of an alert."""

    model_config = ConfigDict(extra="allow")

    success: bool
    message: str = Field(examples=["Position opened successfully for BTCUSDT"])
    signal_id: str = Field(examples=["sig_0006441e8b0c4d2f0000a1b2c3d4"])
    state: Literal["filled", "working", "rejected", "noop", "pending", "refused"]
    duplicate: bool = Field(description="Whether it came before; it was done once, and this is how it stands now.")
    order: OldOrder | None  # type: ignore[valid-type]  # made above, mechanically
    position: OldPosition | None  # type: ignore[valid-type]  # as above


class OldProblem(BaseModel):
    """A problem document (RFC 9457) that also has what clients of the older format look for."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:pilothouse:problem:invalid"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    error: str = Field(examples=["Bad Request"])
    detail: str = Field(examples=["quantity: '-1'; a number above zero"])
    code: str = Field(examples=["VALIDATION_ERROR"])
    timestamp: int = Field(description="Milliseconds since 1970.", examples=[1795239028454])
    request_id: str = Field(examples=["req_0006441e8b0c4d2f0000a1b2c3d4"])
    validation_errors: list[WrongField]


OLD_LOOKING = refusals(400, 401, 403, 404, 413, 500, 503, model=OldProblem)
OLD_ACTING = refusals(400, 401, 403, 404, 409, 413, 422, 500, 503, 504, model=OldProblem)


class AccountInfo(BaseModel):
    """An account as exchanges show one."""

    model_config = ConfigDict(extra="allow")

    totalWalletBalance: Amount  # noqa: N815 - the name on the wire
    totalUnrealizedProfit: Amount  # noqa: N815 - as above
    totalMarginBalance: Amount  # noqa: N815 - as above
    availableBalance: Amount  # noqa: N815 - as above
    assets: list[OldBalance]  # type: ignore[valid-type]  # made above, mechanically
    positions: list[OldPosition]  # type: ignore[valid-type]  # as above


class LeverageAsked(Asked):
    """The leverage wanted."""

    leverage: int = Field(ge=1, le=125, examples=[10])


class MarginTypeAsked(Asked):
    """The margin type wanted: ISOLATED or CROSSED, in any case."""

    margin_type: str = Field(max_length=20, examples=["ISOLATED"])


class LeverageSet(BaseModel):
    """The leverage as it is now."""

    success: bool
    message: str
    symbol: str
    leverage: int
    result: dict[str, Any]


class MarginTypeSet(BaseModel):
    """The margin type as it is now."""

    model_config = ConfigDict(extra="allow")

    success: bool
    message: str
    symbol: str
    margin_type: str
    result: dict[str, Any]
