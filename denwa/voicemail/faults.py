"""What is wrong with voicemail's or mail's settings."""

from denwa.config.settings import ConfigurationError


class VoicemailSettingsFault(ConfigurationError):
    """Settings that cannot be used: the text names the key, and never holds a password."""
