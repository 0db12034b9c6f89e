"""The record, read: whether it is whole, what it tells of an order, and whether an order would be decided so again."""
