"""Contract arithmetic: what the 約款 lets a carrier charge or credit beside calls, with its working (T7–T12)."""
