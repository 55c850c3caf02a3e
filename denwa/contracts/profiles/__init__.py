"""Operator profiles (L4): the arithmetic of a provider's terms as data, and pure functions that compute with it."""
