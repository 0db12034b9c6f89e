"""How the tables came to be what they are, one small step per file."""
