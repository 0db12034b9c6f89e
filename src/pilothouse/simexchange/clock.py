"""The exchange's own time: that of its machine, faster, or only by hand; with a skew where a test wants one."""

from pilothouse.core.clock import Clock, micros


class ExchangeClock:
    """Virtual time in microseconds since 1970.

    speed   how fast it runs against the machine's clock; 0: it stands until it is moved
    """

    def __init__(self, clock: Clock, *, speed: int = 1, start_us: int | None = None) -> None:
        self._clock = clock
        self.speed = speed
        self._base = micros(clock.now()) if start_us is None else start_us
        self._real = micros(clock.now())

    def now(self) -> int:
        """Return the present instant of the exchange."""
        return self._base + (micros(self._clock.now()) - self._real) * self.speed

    def move(self, span_us: int) -> None:
        """Go forward at once."""
        self._base += span_us

    def run_at(self, speed: int) -> None:
        """Go on from now at another speed."""
        self._base, self._real, self.speed = self.now(), micros(self._clock.now()), speed
