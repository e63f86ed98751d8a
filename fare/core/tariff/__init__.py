"""The tariff: data that finance edits and publishes, and the one function that prices by it."""
