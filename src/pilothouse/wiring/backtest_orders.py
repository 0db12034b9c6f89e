"""Orders of a kept run that has none: it is run once more for them, turn by turn, and must come to the same.

What was asked for is remembered beside the run, so that its orders can be had by its name alone.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from pilothouse.backtest.contents import how_orders_are_had
from pilothouse.backtest.pace import Pace
from pilothouse.backtest.run import orders_of
from pilothouse.backtest.shelf import Shelf
from pilothouse.core.errors import Refused
from pilothouse.kit.settings import Settings
from pilothouse.strategies.registry import Described
from pilothouse.wiring.backtest_run import FOLDER, prepare
from pilothouse.wiring.backtest_wishes import Request, changed_by, wish_of

_ASKED: Final = "asked.json"


class NotAsItWas(Refused):
    """What a kept run depends on is no longer what it was, so that its orders cannot be worked out."""

    code = "not_as_it_was"


def remember(settings: Settings, name: str, asked: Mapping[str, Any]) -> None:
    """Keep beside a run what was asked for, as plain data; what is remembered already stays."""
    path = Shelf(settings.data / FOLDER).place(name) / _ASKED
    if not path.exists():
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(dict(asked)), encoding="utf-8")
        draft.replace(path)


def remembered(settings: Settings, name: str) -> dict[str, Any]:
    """Return what was asked for. Raises NotAsItWas where nobody remembers, which says how orders are had then."""
    path = Shelf(settings.data / FOLDER).place(name) / _ASKED
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise NotAsItWas(f"nobody remembers how backtest {name[:12]} was asked for; {how_orders_are_had()}") from None


def work_out(settings: Settings, described: Described, request: Request, name: str, pace: Pace) -> None:
    """Work out the orders of a kept run and keep them beside it.

    request   as it was when the run was made
    Raises NotAsItWas where that would be another run by now, OrdersDiffer.
    """
    shelf, found = Shelf(settings.data / FOLDER), request.found
    spec, _ = prepare(described, wish_of(request, described), found, changed_by(request))
    if spec.name != name:
        raise NotAsItWas(
            f"the strategy or the candles of backtest {name[:12]} are no longer what they were, so its orders cannot "
            "be worked out; the same run by what there is now is another one: pilothouse backtest run ... --orders"
        )
    beside: dict[str, Any] = {"finer": found.finer, "funding": found.funding, "pace": pace}
    orders = orders_of(spec, found.candles, described.strategy, shelf.card(name).digest, **beside)
    shelf.put_orders(name, orders)
