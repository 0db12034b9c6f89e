"""Alarms reach a person: facts become words, words are told once, counted, and told again ever more rarely."""
