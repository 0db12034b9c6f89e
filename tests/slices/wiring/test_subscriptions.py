"""Every message that is written has threads that deliver it."""

from pilothouse.notifications.raising import TELL_TOPIC
from pilothouse.wiring.subscriptions import ALARM_TOPICS, COMPUTE_TOPICS, SUBSCRIPTIONS, TRADING_TOPICS


def test_every_topic_has_threads_of_its_own() -> None:
    """A topic with a handler and without a thread waits for ever, and nothing says so."""
    assert {*TRADING_TOPICS, *ALARM_TOPICS, TELL_TOPIC, *COMPUTE_TOPICS} == SUBSCRIPTIONS.keys()
