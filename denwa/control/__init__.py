"""The service's local control socket: other commands tell a running service that something changed."""
