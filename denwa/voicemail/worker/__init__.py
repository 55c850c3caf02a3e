"""The media worker: a process of its own with pjsua2, which aborts on misuse and takes 4 calls a process."""
