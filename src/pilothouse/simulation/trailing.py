"""A trailing trigger: it follows the best price since it became active, and fires when the market turns back enough."""

from dataclasses import dataclass

_PPM = 1_000_000


@dataclass(slots=True)
class Trail:
    """Where a trailing order is.

    callback_ppm   how far the market must turn back from its best, parts per million
    activation     ticks from which on it follows; None: from the start
    best           lowest price (a buy) or highest (a sell) since it follows; None while it does not
    """

    callback_ppm: int
    activation: int | None = None
    best: int | None = None

    def meets(self, sign: int, ticks: int) -> bool:
        """Follow the market to `ticks`; say whether it has turned back far enough to fire."""
        if self.best is None:
            if self.activation is not None and (self.activation - ticks) * sign < 0:
                return False
            self.best = ticks
        elif (self.best - ticks) * sign > 0:
            self.best = ticks
        return (ticks - self.best) * sign * _PPM >= self.best * self.callback_ppm
