"""What is done to recorded sound: pure functions on samples (numpy), and the ear of a worker (no numpy)."""
