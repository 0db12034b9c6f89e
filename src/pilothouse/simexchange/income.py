"""Income: each change of a wallet goes in; lines come out, as the venue lists them for its accounts."""

from pilothouse.simexchange.records import AccountFile, Fill, Income
from pilothouse.simulation.orders import Movement, MovementKind

_KINDS = {
    MovementKind.TRANSFER: "TRANSFER",
    MovementKind.FUNDING: "FUNDING_FEE",
    MovementKind.INSURANCE: "INSURANCE_CLEAR",
}


class IncomeBook:
    """Numbers the lines of income of all accounts, and keeps them in their files."""

    def __init__(self) -> None:
        self._next = 1

    def of_fill(self, file: AccountFile, fill: Fill) -> None:
        """Keep what a trade gained or lost, and what it cost."""
        if fill.realised:
            self._keep(file, fill.symbol, "REALIZED_PNL", fill.realised, fill.at, str(fill.trade))
        if fill.commission:
            self._keep(file, fill.symbol, "COMMISSION", -fill.commission, fill.at, str(fill.trade))

    def of_movement(self, file: AccountFile, movement: Movement) -> None:
        """Keep money that came or went without a trade."""
        self._keep(file, movement.symbol, _KINDS[movement.kind], movement.amount, movement.at, "")

    def _keep(self, file: AccountFile, symbol: str, kind: str, amount: int, at: int, trade: str) -> None:
        file.income.append(Income(self._next, symbol, kind, amount, at, kind, trade))
        self._next += 1
