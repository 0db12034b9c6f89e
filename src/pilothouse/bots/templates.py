"""Sample alerts, as they are pasted into a chart's alert dialog: a shape and a secret in, its text out.

The chart fills `{{placeholders}}` when the alert fires; `filled` does the same here, for tests and the command line.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.bots.alert import Shape

# The second that an alert fired in makes two honest alerts differ; a repeat of one does not.
ORDER: Final[Mapping[str, str]] = MappingProxyType(
    {
        "action": "open",
        "symbol": "{{ticker}}",
        "side": "BUY",
        "quantity": "0.01",
        "order_type": "MARKET",
        "timenow": "{{timenow}}",
    }
)

STRATEGY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "order_action": "{{strategy.order.action}}",
        "symbol": "{{ticker}}",
        "contracts": "{{strategy.order.contracts}}",
        "position_size": "{{strategy.position_size}}",
        "market_position": "{{strategy.market_position}}",
        "order_type": "MARKET",
        "comment": "{{strategy.order.comment}}",
        "timenow": "{{timenow}}",
    }
)

EXAMPLE_VALUES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ticker": "BTCUSDT.P",
        "timenow": "2026-11-02T09:30:00Z",
        "strategy.order.action": "buy",
        "strategy.order.contracts": "0.01",
        "strategy.order.comment": "Long",
        "strategy.position_size": "0.01",
        "strategy.market_position": "long",
    }
)
"""What a chart might fill in: a strategy that was flat has just gone long."""

_PLACEHOLDER = re.compile(r"\{\{([A-Za-z_.]{1,60})\}\}")


def text(shape: Shape, secret: str | None = None, **fields: str) -> str:
    """Return a sample alert, indented, as it is pasted.

    shape    ORDER or STRATEGY; EITHER gives a strategy alert
    secret   the hook's secret; None for a hook with an address of its own, which needs none
    fields   fields to add or to set otherwise
    """
    sample = dict(ORDER if shape is Shape.ORDER else STRATEGY) | fields
    if secret is not None:
        sample["webhook_secret"] = secret
    return json.dumps(sample, indent=2, ensure_ascii=False)


def filled(template: str, values: Mapping[str, str] = EXAMPLE_VALUES) -> str:
    """Return `template` with its placeholders filled from `values`; one that is not in `values` stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
