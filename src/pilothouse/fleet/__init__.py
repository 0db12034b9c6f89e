"""The running bots and hooks: alerts taken in once, and what they make of the account."""
