"""Strategies of users, loaded in a process of their own: no keys, no network, no database, bounded."""
