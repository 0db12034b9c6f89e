"""Tools: database, outbox, secrets, settings, clocks, log, meters. Of trading they know core's value types only."""
