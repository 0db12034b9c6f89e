"""Arrow's functions over columns, loaded when the first of them is called.

Text and dates need them. Numbers, which most Parquet files hold, do not, and loading them takes as long as reading a
year of minutes.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Return one of the functions by name."""
    return getattr(importlib.import_module("pyarrow.compute"), name)
