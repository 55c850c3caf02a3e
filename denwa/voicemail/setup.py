"""From settings to parts: where voicemail keeps its files, how its mail leaves, how its workers are started."""

from __future__ import annotations

import secrets
import wave
from pathlib import Path

from denwa.config.settings import DATA, Settings
from denwa.voicemail import wav
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.leases import PLACES
from denwa.voicemail.mail.templates import Templates, read_templates
from denwa.voicemail.sound_store.opening import open_sounds as open_sounds
from denwa.voicemail.transport import MaildirTransport, SmtpServer, SmtpTransport
from denwa.voicemail.worker_process import PoolOptions

DEFAULT_GREETING = DATA / "prompts" / "voicemail-greeting.wav"
SAVED = DATA / "prompts" / "voicemail-saved.wav"
PORTS_NEEDED = 4 * PLACES  # RTP and RTCP of each call, twice over: a port may be in use by another program


def voicemail_folder(data_dir: Path) -> Path:
    return data_dir / "voicemail"


def open_transport(settings: Settings) -> SmtpTransport | MaildirTransport:
    """Submission when a mail server is set, else a Maildir in the data folder. Raises VoicemailSettingsFault."""
    if settings.mail.smtp_url:
        return SmtpTransport(SmtpServer.from_url(settings.mail.smtp_url), settings.mail.ca_file)
    return MaildirTransport(settings.mail.maildir or settings.data_dir / "mail")


def open_templates(settings: Settings) -> Templates:
    """What mails say. Raises VoicemailSettingsFault with file and line of every fault."""
    templates, faults = read_templates(settings.mail.templates)
    if faults:
        raise VoicemailSettingsFault("mail.templates: " + "\n".join(faults))
    return templates


def pool_options(settings: Settings, spool: Path) -> PoolOptions:
    """Raises VoicemailSettingsFault."""
    rules = settings.voicemail
    options = PoolOptions(
        spool=spool,
        greeting=rules.greeting or DEFAULT_GREETING,
        tone=spool.parent / "tone.wav",
        saved=SAVED,
        max_seconds=rules.max_seconds,
        silence_seconds=rules.silence_seconds,
        clock_rate=wav.WIDE_RATE if rules.wideband else wav.RATE,
        media_address=rules.bind,
        rtp_port_min=rules.rtp_port_min,
        rtp_port_max=rules.rtp_port_max,
        ready=rules.workers,
        most=max(rules.workers, rules.max_workers),
    )
    _check_prompt("voicemail.greeting", options.greeting)
    first, last = options.rtp_range(0)
    if last - first + 1 < PORTS_NEEDED:
        need = PORTS_NEEDED * options.most
        raise VoicemailSettingsFault(f"voicemail.rtp_port_max: {options.most} workers need {need} ports")
    return options


def guidance_prompts(settings: Settings) -> dict[str, Path]:
    """What refused callers can hear, by name; nothing when that is switched off. Raises VoicemailSettingsFault."""
    if not settings.guidance.enabled:
        return {}
    found = {path.stem: path for path in sorted(settings.guidance.prompts.glob("*.wav"))}
    if not found:
        raise VoicemailSettingsFault(f"guidance.prompts: {settings.guidance.prompts}: there is no WAV file")
    for path in found.values():
        _check_prompt("guidance.prompts", path)
    return found


def box_prompts(settings: Settings) -> list[Path]:
    """Where the box looks for what it says: the operator's folder, then what is shipped."""
    return list(dict.fromkeys((settings.guidance.prompts, DATA / "prompts")))


def _check_prompt(setting: str, path: Path) -> None:
    try:
        with wave.open(str(path), "rb") as sound:
            fits = sound.getnchannels() == 1 and sound.getsampwidth() == 2
    except OSError as fault:
        raise VoicemailSettingsFault(f"{setting}: {path}: {fault.strerror}") from None
    except (EOFError, wave.Error) as fault:
        raise VoicemailSettingsFault(f"{setting}: {path}: not a WAV file: {fault}") from None
    if not fits:
        raise VoicemailSettingsFault(f"{setting}: {path}: must be mono with 16-bit samples")


def node_name(folder: Path) -> str:
    """A name of this data folder among nodes that share a database, made once."""
    path = folder / "node"
    if not path.exists():
        path.write_text(secrets.token_hex(8), encoding="ascii")
    return path.read_text(encoding="ascii").strip()
