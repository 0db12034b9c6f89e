"""The doors for committed work: a message is claimed under a lease and its handler is run."""
