"""The history of the journal schema."""
