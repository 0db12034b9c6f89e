"""Who meets whom, and who hears what. Nothing is decided here."""
