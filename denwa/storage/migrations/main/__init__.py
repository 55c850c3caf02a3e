"""The history of the main schema."""
