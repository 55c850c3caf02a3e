"""A letter as a mail that goes over the wire (M3, M4): RFC 5322, 2047 and 2231 for Japanese mail programs. Pure.

The bytes depend only on the letter and when it was put into the outbox: a second attempt sends the same mail again.
"""

from __future__ import annotations

from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from denwa.voicemail.letters import JAPAN, Letter, LetterFault, Sender
from denwa.voicemail.mail.templates import Templates
from denwa.voicemail.mail.words import in_japan, placeholders

# Languages of the text, the first one's subject is the mail's.
_LANGUAGES = {"ja": ("ja", "en"), "en": ("en",)}
_BETWEEN = "----\n"


def compose(
    letter: Letter,
    templates: Templates,
    sender: Sender,
    recipient: str,
    message_id: str,
    written_at: datetime,
    sound: bytes | None = None,
) -> EmailMessage:
    """The mail, UTF-8, with `sound` (a WAV) attached if given. Raises LetterFault."""
    subject, text, languages = _worded(letter, templates, sender.service_name, attached=sound is not None)
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = Address(sender.service_name, addr_spec=sender.address)
        mail["To"] = Address(addr_spec=on_the_wire(recipient))
        mail["Subject"] = subject
        mail["Date"] = format_datetime(written_at.astimezone(JAPAN))
        mail["Message-ID"] = message_id
    except (ValueError, IndexError, MessageError):
        raise LetterFault("the subscriber's mail address is not one") from None  # without it: logs name nobody
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers
    # base64: lines of any length and every byte pass mail servers without 8BITMIME.
    mail.set_content(text, charset="utf-8", cte="base64")
    mail["Content-Language"] = ", ".join(languages)
    if sound is not None:
        called_at = in_japan(letter.called_at_ms)
        plain = f"message_{called_at:%Y%m%d_%H%M%S}.wav"
        name = plain.replace("message", "録音") if letter.language == "ja" else plain
        # The name as RFC 2231 has it, short enough for one line, and plain for mail programs that know only `name=`.
        mail.add_attachment(sound, maintype="audio", subtype="x-wav", filename=name, params={"name": plain})
        mail.set_boundary("=_" + sha256(message_id.encode()).hexdigest()[:32])
    return mail


def on_the_wire(address: str) -> str:
    """The address as every mail server takes it: a domain in Japanese becomes `xn--…`. Raises ValueError."""
    local, at, domain = address.rpartition("@")
    if not local.isascii():
        raise ValueError("the part before the @ is not ASCII")
    return local + at + (domain if domain.isascii() else domain.encode("idna").decode("ascii"))


def _worded(letter: Letter, templates: Templates, service: str, *, attached: bool) -> tuple[str, str, list[str]]:
    """(subject, text, languages in it). A mail that there is in one language only goes out in that one."""
    wanted = _LANGUAGES.get(letter.language, _LANGUAGES["ja"])
    rendered: dict[str, tuple[str, str]] = {}
    for language in (*wanted, *(other for other in ("ja", "en") if other not in wanted)):
        if language in wanted or not rendered:
            found = templates.render(letter.kind, language, placeholders(letter, language, service, attached=attached))
            if found is not None:
                rendered[language] = found
    if not rendered:
        raise LetterFault(f"there is no template {letter.kind}")
    texts = [text.rstrip("\n") + "\n" for _, text in rendered.values() if text.strip()]
    subject = next(iter(rendered.values()))[0]
    return subject, _BETWEEN.join(texts), list(rendered)
