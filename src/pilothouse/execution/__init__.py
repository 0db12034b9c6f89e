"""The only room that trades: submit, send, cancel, settle, reconcile."""
