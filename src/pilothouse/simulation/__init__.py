"""What a venue does, as pure functions over integers; shared by everything that imitates an exchange."""
