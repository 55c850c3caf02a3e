"""From settings to the store of sounds."""

from __future__ import annotations

from pathlib import Path

from denwa.config.settings import Settings
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.sound_store.faults import SealFault
from denwa.voicemail.sound_store.files import FileObjects
from denwa.voicemail.sound_store.key_file import KeyFile
from denwa.voicemail.sound_store.objects import Objects
from denwa.voicemail.sound_store.sealed import SealedSounds

KEY_NAME = "voicemail.key"


def open_sounds(settings: Settings) -> SealedSounds:
    """Where the sounds of messages and greetings are, for the service and for commands. Nobody is asked yet.

    Raises VoicemailSettingsFault.
    """
    folder = settings.data_dir / "voicemail"
    key_file = KeyFile(settings.sounds.key_file or settings.data_dir / KEY_NAME, folder / "sealed")
    return SealedSounds(_objects(settings, folder), key_file)


def open_service_sounds(settings: Settings) -> SealedSounds:
    """The same for a service that goes on storing: not without the key that it stored with until now.

    Raises VoicemailSettingsFault.
    """
    sounds = open_sounds(settings)
    try:
        sounds.key_file.keys()
        sounds.key_file.refuse_if_lost()
    except SealFault as fault:
        raise VoicemailSettingsFault(f"sounds.key_file: {fault}") from None
    return sounds


def _objects(settings: Settings, folder: Path) -> Objects:
    sounds = settings.sounds
    if sounds.store == "files":
        return FileObjects(folder / "messages")
    # Not at the head: who keeps files needs none of its 16 MB.
    from denwa.voicemail.sound_store.s3 import Bucket, S3Objects

    try:
        authorities = sounds.ca_file.read_bytes() if sounds.ca_file else None
    except OSError as fault:
        raise VoicemailSettingsFault(f"sounds.ca_file: {sounds.ca_file}: {fault.strerror}") from None
    bucket = Bucket(
        name=sounds.bucket,
        region=sounds.region,
        access_key=sounds.access_key,
        secret_key=sounds.secret_key.get_secret_value() if sounds.secret_key else "",
        endpoint=sounds.endpoint.rstrip("/"),
        prefix=sounds.prefix,
        authorities=authorities,
        timeout=sounds.timeout,
    )
    try:
        return S3Objects(bucket)
    except ValueError as fault:
        raise VoicemailSettingsFault(f"sounds.ca_file: {sounds.ca_file}: {fault}") from None
