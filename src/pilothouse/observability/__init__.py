"""What must always be true, asked of the live record."""
