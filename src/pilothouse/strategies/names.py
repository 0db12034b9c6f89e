"""Names of strategies as they are compared: a file is called my_cross.py, and the strategy in it my-cross. Pure."""


def spelled(name: str) -> str:
    """Return a name in the one spelling in which it is compared: - and _ are one."""
    return name.replace("_", "-")
