"""What messages say of us on each way: addresses, families, transports (RFC 3261 §16.6, §18.1; RFC 5658)."""

from __future__ import annotations

import pytest

from denwa.voip import own_addresses
from denwa.voip.own_addresses import Home, OwnAddresses
from denwa.voip.sip import message as m
from denwa.voip.sip.fields import top_via
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS, is_tls
from tests.voip.wire import Phone, Talk, Wire, answer, starts, subscriber, to

HOMES = (Home("192.0.2.10", 5060, 5061), Home("2001:db8::10", 5060, 5061), Home("198.51.100.10", 5080))
DOMAINS = frozenset((b"denwa.example", b"192.0.2.10", b"[2001:db8::10]", b"198.51.100.10"))


def wire_of(*homes: Home) -> Wire:
    return Wire(homes=homes or HOMES, domains=DOMAINS)


@pytest.mark.parametrize(
    ("peer", "via", "route"),
    [
        (("192.0.2.1", 9), b"UDP 192.0.2.10:5060", b"<sip:192.0.2.10:5060;lr>"),
        (("192.0.2.1", 9, 4), b"TCP 192.0.2.10:5060", b"<sip:192.0.2.10:5060;transport=tcp;lr>"),
        (("192.0.2.1", 9, CONNECT), b"TCP 192.0.2.10:5060", b"<sip:192.0.2.10:5060;transport=tcp;lr>"),
        (("192.0.2.1", 9, CONNECT_TLS), b"TLS 192.0.2.10:5061", b"<sip:192.0.2.10:5061;transport=tls;lr>"),
        (("2001:db8::1", 9), b"UDP [2001:db8::10]:5060", b"<sip:[2001:db8::10]:5060;lr>"),
        (("2001:db8::1", 9, -7), b"TLS [2001:db8::10]:5061", b"<sip:[2001:db8::10]:5061;transport=tls;lr>"),
    ],
)
def test_each_way_is_named_by_its_family_and_transport(peer, via, route):
    own = OwnAddresses(HOMES)
    assert own.of(peer).via(peer) == b"Via: SIP/2.0/" + via + b";branch="
    assert own.of(peer).route(peer) == b"Record-Route: " + route


def test_a_peer_is_written_to_from_the_address_it_wrote_to():
    own = OwnAddresses(HOMES)
    peer = ("198.51.100.1", 5060)
    assert own.index(peer) == 0
    own.learn(peer, 2)
    assert own.of(peer).sent_by == b"198.51.100.10:5080"
    assert own.index(("198.51.100.1", 5062)) == 0  # another socket of the same host
    own.learn(peer, 0)
    assert own.index(peer) == 0


def test_what_is_learned_of_peers_is_bounded(monkeypatch):
    monkeypatch.setattr(own_addresses, "MAX_LEARNED", 100)
    own = OwnAddresses(HOMES)
    for port in range(1, 300):
        own.learn(("198.51.100.1", port), 2)
    assert own.index(("198.51.100.1", 299)) == 2
    assert own.index(("198.51.100.1", 1)) == 0
    assert len(own._learned) == 100


def registered(wire: Wire, index: int, peer: tuple) -> Phone:
    """A phone that registered from `peer`."""
    phone = Phone(wire, index, host=peer[0], port=peer[1])
    phone.contact = f"sip:{phone.account}@[{peer[0]}]:{peer[1]}" if ":" in peer[0] else phone.contact
    phone.peer = peer
    assert phone.register().status == 200
    return phone


V4, V6 = ("192.0.2.1", 5062), ("2001:db8::1", 5062)
V4_TLS, V6_TCP = ("192.0.2.2", 40001, -9), ("2001:db8::2", 40002, 5)


@pytest.mark.parametrize("caller_at", [V4, V6, V4_TLS, V6_TCP])
@pytest.mark.parametrize("callee_at", [("192.0.2.3", 5064), ("2001:db8::3", 5064), ("192.0.2.3", 5064, -11)])
def test_a_call_between_any_two_ways_is_set_up_and_ended_through_us(caller_at, callee_at):
    """R1: Via names the way to the callee, the Record-Routes both ways, and BYEs of both sides come through."""
    wire = wire_of()
    caller, callee = registered(wire, 1, caller_at), registered(wire, 2, callee_at)
    invite = to(caller.invite(callee.number), callee.peer)
    own = wire.engine.ctx.own
    assert (b"Via: " + (invite.value(m.VIA) or b"")).startswith(own.of(callee_at).via(callee_at))
    routes = invite.values(m.RECORD_ROUTE)
    assert b"Record-Route: " + routes[0] == own.of(callee_at).route(callee_at)  # RFC 5658: the callee's side on top
    assert b"Record-Route: " + routes[-1] == own.of(caller_at).route(caller_at)
    assert len(routes) == (1 if routes[0] == routes[-1] else 2)
    ok = to(wire.send(callee.peer, answer(invite, 200, callee.peer, contact=callee.contact)), caller.peer)
    talk = Talk.of_caller(caller, ok)
    assert [peer for peer, sent in talk.send("ACK", cseq=2) if sent.method == b"ACK"] == [callee.peer]
    back = Talk.of_callee(callee, invite)
    bye = to(back.send("BYE"), caller.peer)
    assert m.ROUTE not in bye.at  # both of ours were taken off
    caller.answer(bye, 200)
    assert [end.end_cause for end in wire.ends] == ["callee"]


def test_a_binding_over_tls_is_kept_as_such_and_reached_again_after_a_restart():
    wire = wire_of()
    phone = registered(wire, 1, V4_TLS)
    (binding,) = {entry.flow for group in wire.committed for entry in group.bindings}
    assert binding == "tls:192.0.2.2:40001"
    entries = [entry for group in wire.committed for entry in group.bindings]
    wire.start()
    wire.engine.restore(entries, [], wire.now, wire.ms)
    caller = registered(wire, 2, V4)
    invites = [peer for peer, sent in caller.invite(phone.number) if sent.method == b"INVITE"]
    assert invites == [("192.0.2.2", 40001, CONNECT_TLS)]
    assert is_tls(invites[0])


def test_a_contact_that_says_tls_is_not_reached_in_the_clear():
    wire = wire_of()
    phone = Phone(wire, 1)
    for contact in (f"sip:{phone.account}@192.0.2.1:5071;transport=tls", f"sips:{phone.account}@192.0.2.1:5071"):
        phone.contact = contact
        phone.register()
        assert wire.committed[-1].bindings[-1].flow == "tls:192.0.2.1:5071"


def test_srtp_keys_pass_through_untouched():
    """RTP/SAVP and a=crypto (RFC 4568) are between the phones."""
    wire = wire_of()
    caller, callee = registered(wire, 1, V4_TLS), registered(wire, 2, ("192.0.2.3", 5064, -11))
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n"
        "a=rtpmap:0 PCMU/8000\r\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32\r\n"
    )
    invite = to(caller.invite(callee.number, body=sdp), callee.peer)
    assert invite.body == sdp.encode()


def test_the_answer_to_an_ipv6_request_without_rport_goes_to_the_port_of_its_via():
    wire = wire_of()
    text = Phone(wire, 1).request("OPTIONS", "sip:denwa.example", to="<sip:denwa.example>", call_id="o", cseq=1)
    for via, port in (("[2001:db8::1]:5070", 5070), ("[2001:db8::1]", 5060), ("phone.example:5072", 5072)):
        sent = text.replace("192.0.2.1:5061", via).replace(";rport", "").replace("z9hG4bK", f"z9hG4bK{port}")
        ((where, response),) = wire.send(("2001:db8::1", 40000), sent)
        assert where == ("2001:db8::1", port)
        assert top_via(response.value(m.VIA) or b"").sent_by == via.encode()
        assert (b";received=2001:db8::1" in (response.value(m.VIA) or b"")) == (via[0] != "[")


def sips_call(wire: Wire, caller: Phone, callee: Phone) -> list[int | bytes]:
    """What a call to sips:NUMBER leads to: where the INVITE goes, or the answer."""
    sent = caller.invite(callee.number, uri=f"sips:{callee.number}@denwa.example")
    return [message.method or message.status for peer, message in sent if message.status != 100]


def test_a_call_to_sips_reaches_who_is_registered_over_tls_and_nobody_else():  # RFC 5630 §3.1.3
    wire = wire_of()
    caller = registered(wire, 1, V4_TLS)
    callee = registered(wire, 2, ("192.0.2.3", 5064, -11))
    assert sips_call(wire, caller, callee) == [b"INVITE"]
    wire = wire_of()
    caller, callee = registered(wire, 1, V4_TLS), registered(wire, 2, ("192.0.2.3", 5064))
    assert sips_call(wire, caller, callee) == [480]
    assert wire.calls[-1].sip_status == 480


def test_a_phone_whose_connection_is_gone_is_given_up_at_once():  # R3, F1: phone off
    wire = Wire(subscriber(1), subscriber(2, voicemail=True), homes=HOMES, domains=DOMAINS)
    caller, callee = registered(wire, 1, V4), registered(wire, 2, ("192.0.2.3", 5064, 7))
    sent = caller.invite(callee.number)
    assert (callee.peer, "INVITE") in starts(sent)
    lost = next(data for peer, message, data in wire.sent if peer == callee.peer and message.method == b"INVITE")
    wire.engine.undeliverable(lost, wire.now, wire.ms)
    wire.collect()
    assert len(wire.voicemail.wishes) == 1
    for nothing in (lost, b"SIP/2.0 200 OK\r\n\r\n", lost.replace(b"INVITE", b"OPTIONS")):
        wire.engine.undeliverable(nothing, wire.now, wire.ms)
    wire.collect()
    assert len(wire.voicemail.wishes) == 1


def test_a_lost_connection_in_a_call_does_not_end_the_call():  # C5: only proof of life does, later
    wire = wire_of()
    caller, callee = registered(wire, 1, V4), registered(wire, 2, ("192.0.2.3", 5064, 7))
    invite = to(caller.invite(callee.number), callee.peer)
    ok = to(wire.send(callee.peer, answer(invite, 200, callee.peer, contact=callee.contact)), caller.peer)
    Talk.of_caller(caller, ok).send("ACK", cseq=2)
    before = len(wire.sent)
    wire.wait(float(wire.settings.probe_interval))
    for _, _, data in wire.sent[before:]:
        wire.engine.undeliverable(data, wire.now, wire.ms)
    assert wire.ends == []
