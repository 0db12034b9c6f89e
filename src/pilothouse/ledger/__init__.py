"""The money record: append-only entries that sum to zero; positions and equity are folds of them."""
