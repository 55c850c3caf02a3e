"""A mail as two independent parsers read it: Python's `email`, and MIME::Parser of Perl."""

from __future__ import annotations

import email
import email.policy
import json
import re
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Self

SCRIPT = Path(__file__).with_name("mime_parser.pl")
HEADERS = ("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version")


@dataclass(frozen=True)
class Part:
    type: str
    charset: str | None
    name: str | None  # of Content-Type
    filename: str | None  # of Content-Disposition
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(self.charset or "ascii").replace("\r\n", "\n")


@dataclass(frozen=True)
class Parsed:
    """The sender is `name <address>`, without quotes."""

    headers: dict[str, str]
    parts: list[Part]


def read_with_python(wire: bytes) -> Parsed:
    mail = email.message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    parts = []
    for part in mail.iter_parts() if mail.is_multipart() else [mail]:
        assert isinstance(part, EmailMessage)
        assert not part.defects
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = part.get_param("name")
        assert name is None or isinstance(name, str)
        parts.append(Part(part.get_content_type(), part.get_content_charset(), name, part.get_filename(), content))
    assert not mail.defects
    for header in HEADERS:
        assert len(mail.get_all(header, [])) == 1, header
        assert not mail[header].defects, header
    headers = {header: str(mail[header]) for header in HEADERS}
    # The newer parser puts a space between the encoded words of a name (Python 3.11): the older one reads it.
    encoded, address = parseaddr(email.message_from_bytes(wire, policy=email.policy.compat32)["from"])
    return Parsed({**headers, "from": f"{make_header(decode_header(encoded))} <{address}>"}, parts)


class PerlReader:
    """MIME::Parser in a process of its own, which reads mail after mail."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(["perl", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)

    def read(self, wire: bytes) -> Parsed:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"%d\n%s" % (len(wire), wire))
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the Perl parser ended"
        found = json.loads(line)
        assert found["problems"] == []
        parts = [Part(**{**part, "content": b64decode(part["content"])}) for part in found["parts"]]
        name, _, address = found["headers"]["from"].rpartition(" <")
        if name.isascii() and name.startswith('"'):  # it leaves quotes as they are
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        return Parsed({**found["headers"], "from": f"{name} <{address}"}, parts)
