"""Phones that sleep and are woken by their push notification service (RFC 8599; R5)."""
