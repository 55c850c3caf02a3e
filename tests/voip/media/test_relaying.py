"""Calls whose media go through the relay: which ones, each message of them, and that their ports come back.

The relay is the real one; packets through it are in test_rtpio.py, real phones behind NATs in tests/live.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from denwa.voip.context import Trunk
from denwa.voip.media.relay import Crossing, Heard, RelayEnd, When
from denwa.voip.media.relaying import Relaying
from denwa.voip.media.rtpio import RtpIo
from denwa.voip.sip.message import CONTENT_LENGTH, Message
from tests.peers import ports
from tests.peers.talk import eventually
from tests.voip.proxy.test_guidance import WORKER, SpokenWire
from tests.voip.wire import GATEWAY, SDP, VOICEMAIL, CallUp, Phone, Talk, Wire, answer, subscriber, to

US = "192.0.2.10"
NAT, OTHER_NAT = "198.51.100.7", "198.51.100.8"


def sdp(host: str, port: int = 4000, *, direction: str = "sendrecv", version: int = 1) -> str:
    return (
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
    )


PRIVATE, OTHER_PRIVATE = sdp("192.168.1.20"), sdp("10.0.0.5", 5000)


@pytest.fixture(scope="module")
def rtp() -> Iterator[RtpIo]:
    first = ports.service_media_ports()
    relay = RtpIo("127.0.0.1", first, first + ports.SERVICE_MEDIA_BLOCK - 1)
    yield relay
    relay.close()


Attach = Callable[..., Wire]


@pytest.fixture
def attached(rtp: RtpIo) -> Iterator[Attach]:
    """Makes a wire whose engine has the relay."""

    def make(*, when: When = When.AUTO, silence: int = 30, **settings: object) -> Wire:
        wire = Wire(subscriber(1, voicemail=True), subscriber(2, voicemail=True), **settings)
        attach(wire, rtp, when, silence)
        return wire

    yield make
    assert rtp.sessions == 0  # every test ends its calls: no port may be left
    eventually(lambda: rtp.active() == 0, 5, every=0.01)


def attach(wire: Wire, rtp: RtpIo, when: When = When.AUTO, silence: int = 30) -> None:
    wire.engine.ctx.relaying = Relaying(wire.engine.ctx, rtp, when, silence)


def media(message: Message) -> tuple[str, int]:
    """Address and port of the one stream of a message."""
    found = re.search(rb"c=IN IP4 (\S+)\r\n.*m=audio (\d+) ", message.body, re.DOTALL)
    assert found, message.body
    assert message.value(CONTENT_LENGTH) == b"%d" % len(message.body)
    return found[1].decode(), int(found[2])


def is_relayed(message: Message) -> bool:
    host, port = media(message)
    return host == US and port != 4000 and port != 40000


def phone_behind_nat(wire: Wire, index: int, host: str, private: str) -> Phone:
    """It signals from `host`; Contact and Via say `private`."""
    phone = Phone(wire, index, host=host, port=40_000 + index)
    phone.contact = f"sip:{phone.account}@{private}:5060"
    return phone


def set_up(wire: Wire, a: Phone, b: Phone, *, offer: str = PRIVATE, answer_body: str = OTHER_PRIVATE) -> CallUp:
    b.register()
    invite = to(a.invite(b.number, body=offer), b.peer)
    text = answer(invite, 200, b.peer, body=answer_body, contact=b.contact)
    ok = to(wire.send(b.peer, text), a.peer)
    up = CallUp(a, b, invite, ok, text)
    up.a.send("ACK", cseq=2)
    return up


def test_two_phones_behind_nats_speak_through_the_relay_and_give_it_back(attached: Attach) -> None:
    # R4
    wire = attached()
    a = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    b = phone_behind_nat(wire, 2, OTHER_NAT, "10.0.0.5")
    up = set_up(wire, a, b)
    assert is_relayed(up.invite)
    assert is_relayed(up.ok)
    assert media(up.invite)[1] != media(up.ok)[1]
    for message in (up.invite, up.ok):
        assert b"192.168.1.20" not in message.body
        assert b"10.0.0.5" not in message.body
    assert wire.engine.ctx.relaying.sessions == 1
    up.hang_up()
    assert wire.engine.ctx.relaying.sessions == 0


def test_requests_inside_the_call_reach_a_phone_at_its_nat_and_not_at_the_contact_it_names(attached: Attach) -> None:
    # R4: ACK, BYE and their answers go where the phone signals from
    wire = attached()
    a = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    b = phone_behind_nat(wire, 2, OTHER_NAT, "10.0.0.5")
    b.register()
    invite = to(a.invite(b.number, body=PRIVATE), b.peer)
    ok = to(b.answer(invite, 200, body=OTHER_PRIVATE), a.peer)
    acked = Talk.of_caller(a, ok)
    assert [peer for peer, _ in acked.send("ACK", cseq=2)] == [b.peer]
    bye = Talk.of_callee(b, invite).send("BYE")
    assert to(bye, a.peer).method == b"BYE"
    a.answer(to(bye, a.peer), 200)


def test_phones_that_reach_each_other_speak_directly(attached: Attach) -> None:
    wire = attached()
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    up = set_up(wire, a, b, offer=SDP, answer_body=sdp("192.0.2.2"))
    assert up.invite.body == SDP.encode()
    assert up.ok.body == sdp("192.0.2.2").encode()
    up.hang_up()


def test_a_callee_behind_a_nat_is_reason_enough(attached: Attach) -> None:
    # R4: its Contact is not where it registered from; its SDP comes too late to decide
    wire = attached()
    a = Phone(wire, 1, host="192.0.2.1")
    up = set_up(wire, a, phone_behind_nat(wire, 2, OTHER_NAT, "10.0.0.5"), offer=SDP)
    assert is_relayed(up.invite)
    assert is_relayed(up.ok)
    up.hang_up("callee")


def test_a_hidden_caller_is_not_betrayed_by_the_address_of_its_media(attached: Attach) -> None:
    # N7: in no message of the call
    wire = attached()
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    b.register()
    begun = len(wire.sent)
    invite = to(a.invite("184" + b.number, body=SDP), b.peer)
    ok = to(b.answer(invite, 200, body=sdp("192.0.2.2")), a.peer)
    talk = Talk.of_caller(a, ok)
    talk.send("ACK", cseq=2)
    again = to(talk.send("INVITE", body=sdp("192.0.2.1", 4100, direction="sendonly", version=2)), b.peer)
    assert b"a=sendonly" in again.body
    to(b.answer(again, 200, body=sdp("192.0.2.2", direction="recvonly", version=2)), a.peer)
    talk.send("ACK", cseq=talk.cseq)
    b.answer(to(talk.send("BYE"), b.peer), 200)
    seen = [data for peer, _, data in wire.sent[begun:] if peer == b.peer]
    assert len(seen) >= 5
    assert not [data for data in seen if b"192.0.2.1\r" in data or b"192.0.2.1:" in data or b"192.0.2.1 " in data]


def test_a_hidden_caller_is_not_put_through_when_the_relay_has_no_ports(attached: Attach) -> None:
    # N7: better no call than a betrayed caller
    wire = attached()
    wire.engine.ctx.relaying = Relaying(wire.engine.ctx, NoPorts(), When.AUTO, 30)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    b.register()
    wire.voicemail.answer = type(wire.voicemail.answer)(b"sip:l@192.0.2.90:7000", VOICEMAIL, "lease1")
    sent = a.invite("184" + b.number, body=SDP)
    assert not [peer for peer, _ in sent if peer == b.peer]
    last = wire.give_place()  # nor to the voicemail
    assert to(last, a.peer).status == 503
    assert wire.voicemail.released == ["lease1"]
    a.ack_failure(to(last, a.peer))


def test_any_other_call_goes_directly_when_the_relay_has_no_ports(attached: Attach) -> None:
    wire = attached()
    wire.engine.ctx.relaying = Relaying(wire.engine.ctx, NoPorts(), When.AUTO, 30)
    a = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    up = set_up(wire, a, Phone(wire, 2, host="192.0.2.2"))
    assert media(up.invite) == ("192.168.1.20", 4000)
    assert wire.counters["relay", "failed"] == 1
    up.hang_up()


class NoPorts:
    """A relay whose ports are all in use."""

    sessions = 0

    def cross(self, crossing: Crossing) -> tuple[RelayEnd | None, ...] | None:
        return None

    def heard(self, session: str) -> Heard | None:
        return None

    def release(self, session: str) -> None:
        pass

    def kept(self) -> frozenset[str]:
        return frozenset()


@pytest.mark.parametrize(("when", "relayed"), [(When.ALWAYS, True), (When.AUTO, False), (When.NEVER, False)])
def test_the_operator_chooses(attached: Attach, when: When, relayed: bool) -> None:
    wire = attached(when=when)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    up = set_up(wire, a, b, offer=SDP, answer_body=sdp("192.0.2.2"))
    assert is_relayed(up.invite) is relayed
    up.hang_up()


@pytest.mark.parametrize("wanted", [True, False])
def test_a_gateway_that_wants_the_relay_gets_it(attached: Attach, wanted: bool) -> None:
    trunk = Trunk("pstn", GATEWAY, frozenset((GATEWAY,)), True, True, relay=wanted)
    wire = attached(trunks=(trunk,))
    a = Phone(wire, 1, host="192.0.2.1")
    gateway = Phone(wire, 9, host=GATEWAY[0], port=GATEWAY[1])
    sent = a.invite("0312345678", body=SDP)
    invite = to(sent, GATEWAY)
    assert is_relayed(invite) is wanted
    ok = to(gateway.answer(invite, 200, body=sdp("192.0.2.81")), a.peer)
    assert is_relayed(ok) is wanted  # its media may live elsewhere than its signalling
    talk = Talk.of_caller(a, ok)
    talk.send("ACK", cseq=2)
    gateway.answer(to(talk.send("BYE"), GATEWAY), 200)


def test_a_late_offer_goes_through_with_the_answer_in_the_ack(attached: Attach) -> None:
    # RFC 3261 §13.2.2.4
    wire = attached(when=When.ALWAYS)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    b.register()
    invite = to(a.invite(b.number, body=""), b.peer)
    ok = to(b.answer(invite, 200, body=sdp("192.0.2.2")), a.peer)
    assert is_relayed(ok)
    talk = Talk.of_caller(a, ok)
    ack = to(talk.send("ACK", cseq=2, body=SDP), b.peer)
    assert is_relayed(ack)
    assert media(ack)[1] != media(ok)[1]
    b.answer(to(talk.send("BYE"), b.peer), 200)


def test_early_media_update_and_prack_go_through_on_the_same_ports(attached: Attach) -> None:
    wire = attached(when=When.ALWAYS)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    b.register()
    invite = to(a.invite(b.number, body=SDP), b.peer)
    early = to(b.answer(invite, 183, body=sdp("192.0.2.2")), a.peer)
    assert is_relayed(early)
    talk = Talk.of_caller(a, early)
    update = to(talk.send("UPDATE", body=sdp("192.0.2.1", 4200)), b.peer)
    assert media(update) == media(invite)
    updated = to(b.answer(update, 200, body=sdp("192.0.2.2")), a.peer)
    assert media(updated) == media(early)
    prack = to(talk.send("PRACK", body=sdp("192.0.2.1", 4200)), b.peer)
    assert media(prack) == media(invite)
    b.answer(prack, 200, body=sdp("192.0.2.2"))
    ok = to(b.answer(invite, 200, body=sdp("192.0.2.2")), a.peer)
    assert media(ok) == media(early)
    talk.send("ACK", cseq=2)
    b.answer(to(talk.send("BYE"), b.peer), 200)


def test_a_repeated_answer_is_the_same(attached: Attach) -> None:
    wire = attached(when=When.ALWAYS)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    up = set_up(wire, a, b, offer=SDP, answer_body=sdp("192.0.2.2"))
    again = to(wire.send(b.peer, up.answer_text), a.peer)
    assert again.body == up.ok.body
    up.hang_up()


@pytest.mark.parametrize("end", ["cancelled", "busy", "no answer", "silence", "voicemail"])
def test_ports_of_a_call_that_nobody_answers_come_back(attached: Attach, rtp: RtpIo, end: str) -> None:
    wire = attached(when=When.ALWAYS)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    b.register()
    if end != "voicemail":
        wire.voicemail.answer = wire.voicemail.answer._replace(lease="x")
    invite = to(a.invite(b.number, body=SDP), b.peer)
    assert rtp.active() == 1
    if end == "silence":
        wire.wait(21)
    else:
        b.answer(invite, 180)
    if end == "cancelled":
        a.cancel()
        b.answer(invite, 487)
        return
    if end == "busy":
        b.answer(invite, 486)
    elif end in ("no answer", "voicemail"):
        wire.wait(21)
        b.answer(invite, 487)
    sent = wire.give_place()
    to_voicemail = to(sent, VOICEMAIL)
    assert rtp.active() == 1  # that of the phone has been given back
    assert is_relayed(to_voicemail)
    worker = Phone(wire, 8, host=VOICEMAIL[0], port=VOICEMAIL[1])
    if end != "voicemail":
        worker.answer(to_voicemail, 500)
        return
    ok = to(worker.answer(to_voicemail, 200, body=sdp(VOICEMAIL[0])), a.peer)
    talk = Talk.of_caller(a, ok)
    talk.send("ACK", cseq=2)
    worker.answer(to(talk.send("BYE"), VOICEMAIL), 200)


def test_after_a_kill_the_next_offer_inside_the_call_brings_the_sound_back(attached: Attach, rtp: RtpIo) -> None:
    # rtp.io dies with the process: a proxy makes no offers, but any of the phones' (hold, refresh) gets new ports
    wire = attached()
    a = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    b = phone_behind_nat(wire, 2, OTHER_NAT, "10.0.0.5")
    up = set_up(wire, a, b)
    call = next(iter(wire.engine.calls))
    rtp.release(call.relay.session)  # what the kill does to the relay
    calls = [entry for entry in wire.calls if entry.ended_at is None]
    wire.start()
    attach(wire, rtp)
    wire.engine.restore([], calls, wire.now, wire.ms)
    again = to(up.a.send("INVITE", body=sdp("192.168.1.20", 4000, version=2)), b.peer)
    assert is_relayed(again)
    ok = to(b.answer(again, 200, body=OTHER_PRIVATE), a.peer)
    assert is_relayed(ok)
    up.a.send("ACK", cseq=up.a.cseq)
    up.hang_up()


def test_no_message_after_the_end_takes_ports_again(attached: Attach) -> None:
    wire = attached()
    a = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    b = phone_behind_nat(wire, 2, OTHER_NAT, "10.0.0.5")
    up = set_up(wire, a, b)
    up.hang_up()
    up.a.send("INVITE", body=sdp("192.168.1.20", version=2))
    up.b.send("UPDATE", body=OTHER_PRIVATE)
    wire.send(b.peer, up.answer_text)
    assert wire.engine.ctx.relaying.sessions == 0


class Packets:
    """What a relay reports, as the test says: time here is the wire's, not the wall's."""

    def __init__(self) -> None:
        self.sessions = 0
        self.now = Heard(0, 0, 0.0)
        self.port = 30_000

    def cross(self, crossing: Crossing) -> tuple[RelayEnd | None, ...] | None:
        self.port += 4
        return tuple(RelayEnd("", self.port) for _ in crossing.streams)

    def heard(self, session: str) -> Heard | None:
        return self.now

    def release(self, session: str) -> None:
        pass

    def kept(self) -> frozenset[str]:
        return frozenset()


def with_packets(probe_interval: int = 3600) -> tuple[Wire, Packets, CallUp]:
    wire = Wire(subscriber(1), subscriber(2), probe_interval=probe_interval)
    packets = Packets()
    wire.engine.ctx.relaying = Relaying(wire.engine.ctx, packets, When.ALWAYS, 30)
    a, b = Phone(wire, 1, host="192.0.2.1"), Phone(wire, 2, host="192.0.2.2")
    return wire, packets, set_up(wire, a, b, offer=SDP, answer_body=sdp("192.0.2.2"))


def asked(wire: Wire, since: int) -> list[Message]:
    """The questions to both sides, each once however often it was sent."""
    found = {message.lines[1]: message for _, message in wire.since(since) if message.method == b"OPTIONS"}
    return list(found.values())


def test_a_call_whose_media_stop_on_both_sides_ends_at_its_last_packet() -> None:
    # C5: the phones vanished; nobody answers the question either
    wire, packets, _ = with_packets()
    answered = wire.ms
    packets.now = Heard(500, 490, 0.0)
    wire.wait(10)
    begun = len(wire.sent)
    silent_from = wire.ms
    for second in range(1, 34):
        packets.now = packets.now._replace(silent=float(second))
        wire.wait(1)
    assert len(asked(wire, begun)) >= 2  # both sides, within silence and one look
    wire.wait(40)
    (end,) = wire.ends
    assert end.end_cause == "lost"
    assert 0 <= silent_from - (answered + end.duration_ms) <= 6_000
    assert end.ended_at <= silent_from


def test_phones_that_are_only_silent_say_so_once_and_the_call_goes_on() -> None:
    # C5: hold, or silence suppression
    wire, packets, up = with_packets()
    packets.now = Heard(500, 490, 0.0)
    wire.wait(10)
    begun = len(wire.sent)
    for second in range(1, 120):
        packets.now = packets.now._replace(silent=float(second))
        for peer, message in wire.wait(1):
            if message.method == b"OPTIONS":
                (up.caller if peer == up.caller.peer else up.callee).answer(message, 200)
    assert len(asked(wire, begun)) == 2
    assert not wire.ends
    up.hang_up()
    assert [end.end_cause for end in wire.ends] == ["caller"]


def test_one_side_that_falls_silent_is_asked_though_the_other_one_speaks() -> None:
    # C5
    wire, packets, _ = with_packets()
    packets.now = Heard(500, 490, 0.0)
    wire.wait(10)
    begun = len(wire.sent)
    for second in range(1, 36):
        packets.now = Heard(500 + 50 * second, 490, 0.0)
        wire.wait(1)
    assert asked(wire, begun)


def test_packets_are_proof_of_life_between_the_questions() -> None:
    # C5: a call that is cut ends at the last packet, not at the last question
    wire, packets, _ = with_packets()
    begun = wire.ms
    for second in range(1, 31):
        packets.now = Heard(50 * second, 50 * second, 0.0)
        wire.wait(1)
    (call,) = wire.engine.calls
    assert call.alive_ms - begun >= 24_000


def test_guidance_reaches_a_caller_behind_a_nat_and_gives_its_ports_back(rtp: RtpIo) -> None:
    # N5 R4: the worker is told of the relay, and so is the caller
    wire = SpokenWire()
    attach(wire, rtp)
    phone = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    invite = to(phone.invite("110", body=PRIVATE), WORKER)
    assert is_relayed(invite)
    progress = to(wire.says(invite, 183, body=sdp(WORKER[0])), phone.peer)
    assert is_relayed(progress)
    assert media(progress)[1] != media(invite)[1]
    assert rtp.sessions == 1
    refusal = to([one for one in wire.says(invite, 480) if one[1].status], phone.peer)
    assert refusal.status == 403
    assert rtp.sessions == 0


def test_a_caller_in_the_open_hears_guidance_directly(rtp: RtpIo) -> None:
    wire = SpokenWire()
    attach(wire, rtp)
    phone = Phone(wire, 1)
    invite = to(phone.invite("110", body=sdp("192.0.2.1")), WORKER)
    assert media(invite) == ("192.0.2.1", 4000)
    assert rtp.sessions == 0


def test_without_ports_guidance_is_tried_directly_and_the_refusal_comes_all_the_same() -> None:
    wire = SpokenWire()
    wire.engine.ctx.relaying = Relaying(wire.engine.ctx, NoPorts(), When.AUTO, 30)
    phone = phone_behind_nat(wire, 1, NAT, "192.168.1.20")
    invite = to(phone.invite("110", body=PRIVATE), WORKER)
    assert media(invite) == ("192.168.1.20", 4000)
    refusal = to([one for one in wire.says(invite, 480) if one[1].status], phone.peer)
    assert refusal.status == 403
