"""`pilothouse backtest warm`: compile what runs and searches need, before anybody waits for it."""


def warm() -> None:
    """Compile loops and indicators once, as an installation or an upgrade may do; otherwise the first run does it.

    Nothing is kept but the machine code. Again, it takes a second or two.
    """
    from pilothouse.backtest.pace import COMPILING, Pace
    from pilothouse.cli import environment
    from pilothouse.cli.underway import shown
    from pilothouse.wiring import backtest_warm

    done, whole, pace = list[str](), backtest_warm.count(), Pace()
    settings = environment.settings()
    with (
        shown(pace, as_json=False, kept="machine code that is made"),
        environment.private_files(),
        pace.walk(COMPILING, whole, done.__len__),
    ):
        backtest_warm.warm(settings, done.append)
    print(f"ready: {whole} small runs, and what they need is compiled")
