"""Buy at the first bar and keep it: what every other strategy has to beat."""

import numpy as np

from pilothouse.strategies.builtin.usual import rules, size
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Exits, Rules
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View


class BuyAndHold(Columns):
    """Long from the first bar on, never out."""

    name = "buy-and-hold"
    title = "Buy and hold"
    parameters = {"size": size(100.0)}

    def warm_up(self, p: Params) -> int:
        """Return none."""
        return 0

    def signals(self, view: View, p: Params) -> Signals:
        """Return the wish to be in at every bar: whoever comes later is in as well."""
        return Signals(long=np.ones(len(view), bool))

    def rules(self, p: Params) -> Rules:
        """Return the size."""
        return rules(p, exits=Exits(), side="long")
