"""The HTTP doors: parse, call one function, answer."""
