"""THE ONLY ROOM THAT TRADES: submit, send, settle, cancel, reconcile."""
