"""The sample alerts that people paste."""

import pytest

from pilothouse.bots import templates
from pilothouse.bots.alert import Shape, read
from pilothouse.core.errors import Invalid
from pilothouse.core.signals import SignalKind


@pytest.mark.parametrize(("shape", "kind"), [(Shape.ORDER, SignalKind.OPEN), (Shape.STRATEGY, SignalKind.TARGET)])
def test_a_sample_alert_is_understood_as_it_stands(shape: Shape, kind: SignalKind) -> None:
    """It is the first thing a newcomer sends."""
    body = templates.filled(templates.text(shape, secret="a-secret-of-ours")).encode()

    for told in (shape, Shape.EITHER):
        alert = read(body, told)
        assert (alert.shape, alert.signal.kind, alert.secret) == (shape, kind, "a-secret-of-ours")
        assert alert.signal.sent_at is not None


def test_a_sample_alert_that_nobody_filled_names_its_placeholders() -> None:
    """Pasted into curl instead of a chart, it says what to do."""
    with pytest.raises(Invalid) as refused:
        read(templates.text(Shape.STRATEGY).encode(), Shape.STRATEGY)

    unfilled = {problem.field for problem in refused.value.problems if problem.code == "placeholder_not_filled"}
    assert unfilled == {"symbol", "order_action", "contracts", "position_size", "market_position"}


def test_a_sample_alert_for_an_address_of_its_own_carries_no_secret() -> None:
    """The address is the secret there."""
    assert "secret" not in templates.text(Shape.EITHER)
    assert '"quantity": "0.5"' in templates.text(Shape.ORDER, quantity="0.5")
