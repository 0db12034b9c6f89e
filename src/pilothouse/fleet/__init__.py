"""What acts on its own: takes alerts in and drives the bots that answer them."""
