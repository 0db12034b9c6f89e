"""Pilothouse: a self-hosted trading desk. An alert goes in; an exact order comes out, once."""

__version__ = "0.1.0"
