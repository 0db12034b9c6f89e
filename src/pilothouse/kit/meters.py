"""What is counted and measured, each named once. Prometheus reads it at /metrics; names begin with `pilothouse_`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_WIRE_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_UNIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Meters:
    """The meters of one house, in a registry of their own, so that two houses in one process do not mix.

    Counters are counted where something happens; gauges are set by who looks at the record (`observability`).
    """

    content_type = "text/plain; version=1.0.0; charset=utf-8"

    def __init__(self) -> None:
        """Begin everything at zero."""
        registry = self.registry = CollectorRegistry()

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"pilothouse_{name}", told, labels, registry=registry)

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"pilothouse_{name}", told, labels, registry=registry)

        def histogram(name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"pilothouse_{name}", told, labels, registry=registry, buckets=buckets)

        # Alerts and orders
        self.signals = counter("signals_total", "Alerts that were decided, by the state they got.", "state")
        self.duplicates = counter("signals_repeated_total", "Alerts that were a repeat of an earlier one.")
        self.refused = counter("requests_refused_total", "Requests that a door refused, by code.", "code")
        self.denials = counter("orders_denied_total", "Orders that the risk gate denied, by reason.", "code")
        self.orders = gauge("orders", "Orders there are, by state.", "state")
        self.fills = counter("fills_booked_total", "Fills that were booked.")
        self.outcomes = counter("sends_total", "Requests to venues, by outcome.", "venue", "outcome")
        self.alert_to_send = histogram(
            "alert_to_send_seconds", "From the last byte of an alert to the first byte of its order.", _WIRE_SECONDS
        )
        self.alert_to_fill = histogram(
            "alert_to_fill_seconds", "From the last byte of an alert to its first booked fill.", _WIRE_SECONDS
        )

        # What must stay small
        self.unknown_orders = gauge("unknown_orders", "Orders whose outcome is being asked for.")
        self.unprotected_seconds = gauge(
            "unprotected_seconds", "How long the longest-waiting position has been without the stop it should have."
        )
        self.position_unprotected = gauge(
            "position_unprotected_seconds",
            "For how long each position has been without the protection it should have, this time.",
            "account",
            "symbol",
        )
        self.position_unprotected_in_all = gauge(
            "position_unprotected_seconds_in_all", "The same in all, since its protection was asked for.",
            "account", "symbol",
        )  # fmt: skip
        self.invariants_broken = gauge("invariants_broken", "Invariants that do not hold, by name.", "invariant")
        self.accounts_halted = gauge("accounts_halted", "Accounts on which trading is halted.")

        self.heard = gauge(
            "account_heard", "How well each account is heard at its venue: 0 lost, 1 catching up, 2 live.", "account"
        )

        # Jobs and database
        self.outbox_lag = gauge("outbox_lag_seconds", "How long the oldest due message has been waiting.")
        self.outbox_messages = gauge("outbox_messages", "Messages in the outbox, by state.", "state")
        self.outbox_parked = gauge("outbox_parked", "Messages that failed too often and wait for a person.")
        self.messages_handled = counter(
            "messages_handled_total", "Deliveries, by topic and outcome.", "topic", "outcome"
        )
        self.message_seconds = histogram("message_seconds", "How long a handler took.", _UNIT_SECONDS, "topic")
        self.units_waiting = gauge("database_units_waiting", "Units of work that wait for the database.")
        self.quote_age = gauge("quote_age_seconds", "How old the last quote is.", "venue", "symbol")

        self.compute_processes = gauge("compute_processes", "Processes that compute backtests, this one included.")
        self.backtests = gauge("backtests", "Backtests that were asked for, by state.", "state")

        # Doors
        self.request_seconds = histogram(
            "http_request_seconds", "How long an answer took, by route.", _UNIT_SECONDS, "method", "route", "status"
        )
        self.listeners = gauge("event_listeners", "Connections that follow the event stream.")

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)
