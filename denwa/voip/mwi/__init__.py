"""Message waiting on phones: the event package message-summary (RFC 3842, RFC 6665; V6)."""
