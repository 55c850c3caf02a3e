"""The store of sounds: sealed (`sealed.py`), in a folder (`files.py`) or an S3-compatible store (`s3.py`)."""
