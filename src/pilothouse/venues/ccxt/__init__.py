"""Every exchange that ccxt knows, behind the port: ccxt builds and signs requests, this house sends and judges them."""
