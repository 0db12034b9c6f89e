"""What a client of the tests verifies: nothing, because it speaks plain HTTP to this machine."""

import ssl
from typing import Final

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, so nothing but plain HTTP gets through. A client that loads the usual certificates takes 20 ms."""
