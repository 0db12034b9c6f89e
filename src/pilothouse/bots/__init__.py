"""Which orders should exist now. Pure: a state and a happening go in, intents and a new state come out."""
