"""What is done to the messages of RFC 4475, and asked of what comes of them."""

from __future__ import annotations

import re

from denwa.voip.sip import message as m
from denwa.voip.sip.checks import request_fault
from denwa.voip.sip.fields import split_list
from denwa.voip.sip.message import Message, parse_message
from tests.voip.torture.deliver import Delivery, service, vector
from tests.voip.wire import Phone, Wire, answer, md5, to

FOLDER = "rfc4475"


def data(name: str) -> bytes:
    return vector(FOLDER, name)


def deliver(name: str, transport: str, wire: Wire | None = None) -> Delivery:
    return Delivery(wire or service(), data(name), transport)


def only(delivery: Delivery, status: int) -> Message:
    """The one answer, which says `status` and carries what an answer must (RFC 3261 §8.2.6.2)."""
    assert delivery.statuses == [status]
    return delivery.answers[0]


def request_of(name: str) -> Message:
    """The message, read and found sound."""
    request = parse_message(data(name))
    assert request_fault(request) is None
    return request


def signed(name: str, account: str, password: str = "pw") -> tuple[Wire, bytes]:
    """A REGISTER of the RFC with an Authorization of `account` added at its end, and the service it is meant for."""
    wire = service(account.encode())
    text = data(name)
    challenge = only(Delivery(wire, text, "udp"), 401)
    nonce = re.search(rb'nonce="([^"]+)"', b"\n".join(challenge.lines))
    assert nonce
    uri = parse_message(text).uri.decode()
    ha1, ha2 = md5(f"{account}:denwa.example:{password}"), md5(f"REGISTER:{uri}")
    response = md5(f"{ha1}:{nonce.group(1).decode()}:00000001:abc:auth:{ha2}")
    line = (
        f'Authorization: Digest username="{account}", realm="denwa.example", nonce="{nonce.group(1).decode()}", '
        f'uri="{uri}", response="{response}", algorithm=MD5, cnonce="abc", qop=auth, nc=00000001'
    )
    return wire, text.replace(b"\r\n\r\n", b"\r\n" + line.encode() + b"\r\n\r\n", 1)


def contacts_of(response: Message) -> list[bytes]:
    return [element for value in response.values(m.CONTACT) for element in split_list(value)]


def forwarded(name: str, *changes: tuple[bytes, bytes]) -> tuple[Message, Message]:
    """An INVITE of the RFC made one of a gateway to a subscriber (only its Request-URI changes): as sent and as it
    reaches the phone."""
    wire = service()
    phone = Phone(wire, 2)
    phone.register()
    text = data(name)
    for old, new in ((parse_message(text).uri, b"sip:05050010002@denwa.example"), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    wire.send(wire.settings.trunks[0].peer, text)
    return parse_message(text), to(
        [(peer, sent) for peer, sent, _ in wire.sent if sent.method == b"INVITE"], phone.peer
    )


def relayed(name: str) -> Message:
    """A response of the RFC given to a live INVITE of ours: what of it reaches the caller."""
    wire = Wire()
    caller, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    invite = to(caller.invite(callee.number), callee.peer)
    kept = [line for line in parse_message(answer(invite, 200, callee.peer).encode()).lines[1:] if line]
    ours = parse_message(data(name))
    lines = [ours.lines[0], *[line for line in kept if not line.startswith((b"Content", b"Contact"))]]
    lines += [line for line in ours.lines[1:] if line.startswith((b"Contact", b"Content"))]
    before = len(wire.sent)
    wire.send(callee.peer, b"\r\n".join(lines) + b"\r\n\r\n" + ours.body)
    found = [sent for peer, sent, _ in wire.sent[before:] if peer == caller.peer]
    assert len(found) == 1 if ours.status > 100 else not found
    return found[0] if found else ours
