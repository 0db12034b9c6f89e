"""Who may do what: operators, tokens, hooks, trading accounts, and the record of who changed what."""
