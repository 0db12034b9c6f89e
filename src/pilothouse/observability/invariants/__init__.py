"""What must always be true: one question a file, asked of the live record."""
