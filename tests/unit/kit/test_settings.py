"""Settings: read once, refused all together, with words that help."""

import dataclasses
from pathlib import Path

import pytest

from pilothouse.core.errors import Invalid
from pilothouse.kit.settings import Settings, described

WORKED_OUT = {
    "PILOTHOUSE_ALARM_URLS",
    "PILOTHOUSE_DATABASE_URL",
    "PILOTHOUSE_PUBLIC_URL",
    "PILOTHOUSE_SEALING_KEY",
    "PILOTHOUSE_SEALING_KEY_FILE",
}


def problems(environment: dict[str, str]) -> dict[str, str]:
    """Return what is wrong with `environment`, by name."""
    with pytest.raises(Invalid) as refused:
        Settings.from_environment(environment)
    return {each.field: str(each) for each in refused.value.problems}


def test_nothing_has_to_be_set() -> None:
    """A newcomer types two words and nothing else."""
    settings = Settings.from_environment({"HOME": "/root", "PATH": "/bin"})
    assert settings == Settings()
    assert settings.data == Path("data").absolute()
    assert settings.database_url == f"sqlite:///{settings.data}/pilothouse.db"
    assert (settings.host, settings.port, settings.address) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert settings.log_format == "json"


def test_everything_can_be_set() -> None:
    """Each name is that of the field, in capitals."""
    settings = Settings.from_environment(
        {
            "PILOTHOUSE_DATA": "/srv/pilothouse",
            "PILOTHOUSE_HOST": "0.0.0.0",  # noqa: S104 - nothing is bound here
            "PILOTHOUSE_PORT": " 80 ",
            "PILOTHOUSE_DATABASE_URL": "postgresql://me:pw@db/house",
            "PILOTHOUSE_MARKET_SEED": "7",
            "PILOTHOUSE_PUBLIC_URL": "https://desk.example/",
            "PILOTHOUSE_LOG_LEVEL": "debug",
            "PILOTHOUSE_LOG_FORMAT": "Text",
        }
    )
    assert (settings.data, settings.port, settings.market_seed) == (Path("/srv/pilothouse"), 80, 7)
    assert settings.database_url == "postgresql+psycopg://me:pw@db/house"
    assert (settings.address, settings.log_level, settings.log_format) == ("https://desk.example", "DEBUG", "text")


def test_all_problems_are_told_at_once_with_what_came_and_what_is_allowed() -> None:
    """Nobody likes to fix one line, start again, and be told of the next."""
    found = problems({"PILOTHOUSE_PORT": "eighty", "PILOTHOUSE_LOG_LEVEL": "loud", "PILOTHOUSE_PUBLIC_URL": "desk"})
    assert set(found) == {"PILOTHOUSE_PORT", "PILOTHOUSE_LOG_LEVEL", "PILOTHOUSE_PUBLIC_URL"}
    assert found["PILOTHOUSE_PORT"] == "PILOTHOUSE_PORT: 'eighty'; a whole number from 1 to 65535"
    assert "DEBUG, INFO, WARNING, ERROR" in found["PILOTHOUSE_LOG_LEVEL"]


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8000.0", "1e3", "٨٠", "8_000", "9" * 5000])
def test_a_port_is_a_port(text: str) -> None:
    """Digits are ASCII digits."""
    assert set(problems({"PILOTHOUSE_PORT": text})) == {"PILOTHOUSE_PORT"}


def test_a_mistyped_name_is_refused_with_the_nearest_one() -> None:
    """A setting that is silently ignored is the worst kind."""
    found = problems({"PILOTHOUSE_DATABSE_URL": "sqlite:////x", "PILOTHOUSE_": "1"})
    assert "did you mean PILOTHOUSE_DATABASE_URL?" in found["PILOTHOUSE_DATABSE_URL"]
    assert "PILOTHOUSE_" in found


def test_a_password_in_the_database_address_is_shown_nowhere() -> None:
    """Neither when it is right nor when it is wrong."""
    right = Settings.from_environment({"PILOTHOUSE_DATABASE_URL": "postgresql://me:canary@db/house"})
    assert "canary" not in repr(right)
    assert (
        "canary" not in problems({"PILOTHOUSE_DATABASE_URL": "mysql://me:canary@db/house"})["PILOTHOUSE_DATABASE_URL"]
    )


@pytest.mark.parametrize("wrong", ["canary", "ab" * 31, "zz" * 32, f"{'ab' * 32},", f"{'ab' * 32},{'AB' * 32}"])
def test_a_sealing_key_that_is_none_is_refused_and_not_shown(wrong: str) -> None:
    """It is one slip away from the real one."""
    found = problems({"PILOTHOUSE_SEALING_KEY": wrong})["PILOTHOUSE_SEALING_KEY"]
    assert "64 hex digits" in found
    assert wrong not in found
    assert "ab" * 32 not in repr(Settings.from_environment({"PILOTHOUSE_SEALING_KEY": "ab" * 32}))


def test_every_setting_is_described_once() -> None:
    """The documentation is written from this, and cannot forget one."""
    listed = described()
    assert [each.name for each in listed] == [
        f"PILOTHOUSE_{each.name.upper()}" for each in dataclasses.fields(Settings)
    ]
    assert all(each.help and each.allowed for each in listed)
    for each in listed:  # a documented default is one that would be accepted
        if each.name not in WORKED_OUT:
            Settings.from_environment({each.name: each.default})
