"""What is wrong with a sound."""


class SoundFault(ValueError):
    """A file that is no usable sound; the text says what is wrong with it."""
