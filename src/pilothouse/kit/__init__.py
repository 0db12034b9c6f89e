"""Tools: database, outbox, secrets, settings, log, meters. They know of trading only core's value types."""
