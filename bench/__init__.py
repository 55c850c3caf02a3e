"""Repeatable measurements of Denwa beside Kamailio on the same machine, in the same minutes. Start with `bench/run`."""
