"""Why a sound cannot be stored or read. All are OSError: whoever stores a recording keeps it and tries again."""


class StoreFault(OSError):
    """The store of sounds cannot do what was asked. The text is for the operator and holds no secret."""


class StoreAway(StoreFault):
    """It does not answer, does not know us, or has no such bucket. Nothing is known of any sound meanwhile."""


class SealFault(StoreFault):
    """A sound cannot be opened, or none sealed: the key is missing or another one, or the sound was changed."""
