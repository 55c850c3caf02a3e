"""What is wrong with voicemail's or mail's settings."""


class VoicemailSettingsFault(ValueError):
    """Settings that cannot be used: the text names the key, and never holds a password."""
