"""Voicemail (V1-V7) and the mail it causes (M1-M4)."""
