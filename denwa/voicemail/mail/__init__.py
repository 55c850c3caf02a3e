"""Mail as it is written: templates, what stands in their placeholders, the mail itself, and warnings."""
