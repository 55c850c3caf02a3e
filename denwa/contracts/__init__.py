"""Contracts: who has which number, with which settings and secrets (rules N1, N2, F2, F3, B1, L2)."""
