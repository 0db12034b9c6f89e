"""The outside: one port, its adapters. No table of the house lives here."""
