"""REGISTER at the engine: who may, what is answered, and that the answer comes after the disk (R1 to R4, N2)."""

from __future__ import annotations

import hashlib
import re

import pytest

from denwa.voip.calls.journal import BindingEntry, UnbindingEntry
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.wire import GATEWAY, START_MS, Phone, Wire, subscriber, to


def bindings(wire: Wire) -> list[BindingEntry | UnbindingEntry]:
    """What was written, in order."""
    return [entry for group in wire.committed for entry in group.bindings]


def challenge(phone: Phone, agent: str = "") -> Message:
    """The 401 that a phone with this User-Agent gets."""
    extra = f"User-Agent: {agent}\r\n" if agent else ""
    return to(phone.wire.send(phone.peer, phone.register_text(extra)), phone.peer)


def algorithms(response: Message) -> list[bytes]:
    return [re.search(rb"algorithm=([A-Z0-9-]+)", line).group(1)  # type: ignore[union-attr]
            for line in response.lines if line.startswith(b"WWW-Authenticate: Digest ")]  # fmt: skip


# -- digest (decision 0002) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "order"),
    [
        ("", [b"MD5", b"SHA-256"]),
        ("Yealink SIP-T46", [b"MD5", b"SHA-256"]),
        ("PJSUA v2.15", [b"SHA-256", b"MD5"]),
        ("baresip v1.0.0", [b"MD5"]),
        ("not baresip", [b"MD5", b"SHA-256"]),
    ],
)
def test_the_order_of_algorithms_is_what_this_client_can_read(agent, order):
    response = challenge(Phone(Wire(), 1), agent)
    assert response.status == 401
    assert algorithms(response) == order
    assert b'qop="auth"' in response.encode()


def test_an_answer_with_sha_256_is_taken_from_everybody():  # RFC 8760
    wire = Wire()
    phone = Phone(wire, 1)
    first = challenge(phone)
    text = first.encode().decode()
    nonce = re.search("algorithm=SHA-256", text) and re.search('nonce="([^"]+)"', text).group(1)  # type: ignore[union-attr]

    def sha(value: str) -> str:
        return hashlib.sha256(value.encode()).hexdigest()

    ha1, ha2 = sha("50010001:denwa.example:pw"), sha("REGISTER:sip:denwa.example")
    response = sha(f"{ha1}:{nonce}:00000001:abc:auth:{ha2}")
    extra = (
        f'Authorization: Digest username="50010001", realm="denwa.example", nonce="{nonce}", uri="sip:denwa.example", '
        f'response="{response}", algorithm=SHA-256, cnonce="abc", qop=auth, nc=00000001\r\n'
    )
    assert to(wire.send(phone.peer, phone.register_text(extra)), phone.peer).status == 200


def test_an_old_nonce_is_challenged_again_as_stale_and_not_refused():
    wire = Wire()
    phone = Phone(wire, 1)
    extra = phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    wire.wait(301)
    response = to(wire.send(phone.peer, phone.register_text(extra)), phone.peer)
    assert response.status == 401
    assert b"stale=true" in response.encode()
    assert phone.register().status == 200


def test_credentials_for_another_request_or_of_another_realm_are_worth_nothing():
    wire = Wire()
    phone = Phone(wire, 1)
    extra = phone.authorization(challenge(phone), "INVITE", "sip:denwa.example")
    assert to(wire.send(phone.peer, phone.register_text(extra)), phone.peer).status == 403
    foreign = extra.replace('realm="denwa.example"', 'realm="elsewhere.example"')
    assert to(wire.send(phone.peer, phone.register_text(foreign)), phone.peer).status == 401
    garbled = 'Authorization: Digest username="50010001\r\n'
    assert to(wire.send(phone.peer, phone.register_text(garbled)), phone.peer).status in (400, 401)


def test_a_wrong_password_and_an_unknown_account_are_refused_in_the_same_words():
    wire = Wire()
    wrong, unknown = Phone(wire, 1).register(password="guess"), Phone(wire, 77).register()
    assert (wrong.status, unknown.status) == (403, 403)
    assert wrong.value(m.REASON) == unknown.value(m.REASON)
    assert wire.counters["authentication_failures", "REGISTER"] == 2
    assert bindings(wire) == []


def test_a_changed_password_is_in_force_at_once():  # N2
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register()
    wire.directory.put(subscriber(1, ha1_md5=b"1" * 32, ha1_sha256=b"2" * 64))
    assert phone.register().status == 403


def test_a_challenge_costs_the_service_nothing():
    wire = Wire(max_transactions=5)
    phone = Phone(wire, 1)
    for _ in range(50):
        assert challenge(phone).status == 401
    assert wire.transactions == 0
    assert phone.register().status == 200


# -- what is answered -------------------------------------------------------------------------------------------------


def test_the_200_comes_when_the_binding_is_on_disk_and_says_until_when_it_holds():
    wire = Wire()
    phone = Phone(wire, 1)
    wire.auto_commit = False
    extra = "Expires: 600\r\n" + phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    assert wire.send(phone.peer, phone.register_text(extra)) == []
    (group,) = wire.pending
    (binding,) = group.bindings
    assert isinstance(binding, BindingEntry)
    assert (binding.aor, binding.contact, binding.flow) == ("50010001", phone.contact, "udp:192.0.2.1:5061")
    assert binding.expires_at == START_MS + 600_000
    wire.wait(0.25)
    response = to(wire.commit(), phone.peer)
    assert response.status == 200
    assert response.values(m.CONTACT) == [f"<{phone.contact}>;expires=600".encode()]


def test_a_register_that_comes_again_is_answered_again_and_changes_nothing():  # §8.2.7: no transaction is kept
    wire = Wire()
    phone = Phone(wire, 1)
    wire.auto_commit = False
    extra = phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    text = phone.register_text(extra)
    assert wire.send(phone.peer, text) == []
    wire.wait(0.5)
    assert wire.send(phone.peer, text) == []  # the disk is slow
    assert len(wire.pending) == 1
    assert wire.counters["dropped", "repetition"] == 1
    ((_, first),) = wire.commit()
    wire.auto_commit = True
    ((_, second),) = wire.send(phone.peer, text)
    assert (first.status, first.encode()) == (200, second.encode())  # the same To tag too
    other = Phone(wire, 1, port=5071)
    other.register()
    ((_, third),) = wire.send(phone.peer, text)
    assert third.status == 200
    assert len(third.values(m.CONTACT)) == 2
    assert ringing(wire) == other.peer  # R2: a repetition is no refresh
    assert len(set(bindings(wire))) == 2
    assert wire.transactions == 0


def test_all_devices_are_listed():  # R2
    wire = Wire()
    desk, mobile = Phone(wire, 1, port=5070), Phone(wire, 1, port=5071)
    desk.register(expires=3600)
    wire.wait(10)
    response = mobile.register(expires=600)
    assert response.values(m.CONTACT) == [
        f"<{desk.contact}>;expires=3590".encode(),
        f"<{mobile.contact}>;expires=600".encode(),
    ]


def test_a_register_without_contact_only_asks():
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register()
    before = len(bindings(wire))
    extra = phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    text = re.sub("Contact: [^\r]*\r\n", "", phone.register_text(extra))
    response = to(wire.send(phone.peer, text), phone.peer)
    assert (response.status, len(response.values(m.CONTACT))) == (200, 1)
    assert len(bindings(wire)) == before


@pytest.mark.parametrize("expires", [1, 59])
def test_too_short_an_interval_is_423_with_the_least(expires):
    wire = Wire()
    response = Phone(wire, 1).register(expires=expires)
    assert response.status == 423
    assert b"Min-Expires: 60" in response.lines
    assert bindings(wire) == []


def test_too_long_an_interval_is_cut_to_ours():
    response = Phone(Wire(), 1).register(expires=100_000)
    assert (response.value(m.CONTACT) or b"").endswith(b";expires=7200")


def test_another_s_account_cannot_be_registered_with_one_s_own_password():
    wire = Wire()
    response = Phone(wire, 1).register(account="50010002")
    assert response.status == 403
    assert bindings(wire) == []


@pytest.mark.parametrize(
    ("to_", "status"),
    [
        ("<sip:50010001@elsewhere.example>", 403),
        ("<sip:denwa.example>", 403),
        ("<tel:+815050010001>", 400),  # RFC 3261 §10.3 step 5: To must be a SIP URI
    ],
)
def test_an_address_that_is_not_of_this_service_is_not_registered(to_, status):
    wire = Wire()
    phone = Phone(wire, 1)
    extra = phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    text = phone.register_text(extra).replace(f"To: {phone.aor}", f"To: {to_}")
    assert to(wire.send(phone.peer, text), phone.peer).status == status


@pytest.mark.parametrize("contact", ["<http://192.0.2.1>", "<sip:", "<mailto:x@y>", "sip:x@y:99999999"])
def test_a_contact_that_cannot_be_called_is_400(contact):
    wire = Wire()
    phone = Phone(wire, 1)
    extra = phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    text = re.sub("Contact: [^\r]*", f"Contact: {contact}", phone.register_text(extra))
    assert to(wire.send(phone.peer, text), phone.peer).status == 400
    assert bindings(wire) == []


def test_an_old_register_that_comes_late_changes_nothing():  # §10.3 step 7
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register()
    phone.cseq -= 3
    before = len(bindings(wire))
    assert phone.register().status == 500
    assert len(bindings(wire)) == before


def test_a_suspended_subscriber_is_still_registered_and_reached():  # L2: no outgoing calls
    wire = Wire(subscriber(1, active=False))
    assert Phone(wire, 1).register().status == 200


def test_nobody_is_registered_while_it_could_not_be_kept():
    wire = Wire()
    phone = Phone(wire, 1)
    extra = phone.authorization(challenge(phone), "REGISTER", "sip:denwa.example")
    wire.engine.ctx.journal_ok = False
    for text in (phone.register_text(extra), phone.register_text()):  # before the password is looked at
        response = to(wire.send(phone.peer, text), phone.peer)
        assert response.status == 503
        assert b"Retry-After: 5" in response.lines


# -- who rings (R2, R3, R4) -------------------------------------------------------------------------------------------


def ringing(wire: Wire) -> tuple[str, int] | None:
    found = wire.engine.registrar.ringing(b"50010001")
    return found and found[1][:2]


def test_the_last_to_register_rings_and_a_refresh_counts():  # R2
    wire = Wire()
    desk, mobile = Phone(wire, 1, port=5070), Phone(wire, 1, port=5071)
    desk.register()
    mobile.register()
    assert ringing(wire) == mobile.peer
    desk.register()
    assert ringing(wire) == desk.peer


def test_when_the_last_to_register_leaves_the_one_before_rings():  # R2
    wire = Wire()
    desk, mobile = Phone(wire, 1, port=5070), Phone(wire, 1, port=5071)
    desk.register()
    mobile.register()
    response = mobile.register(expires=0)
    assert len(response.values(m.CONTACT)) == 1
    assert ringing(wire) == desk.peer
    assert isinstance(bindings(wire)[-1], UnbindingEntry)
    desk.register(expires=0)
    assert ringing(wire) is None


def test_star_takes_all_devices_away():
    wire = Wire()
    desk, mobile = Phone(wire, 1, port=5070), Phone(wire, 1, port=5071)
    desk.register()
    mobile.register()
    extra = "Expires: 0\r\n" + desk.authorization(challenge(desk), "REGISTER", "sip:denwa.example")
    text = re.sub("Contact: [^\r]*", "Contact: *", desk.register_text(extra))
    response = to(wire.send(desk.peer, text), desk.peer)
    assert (response.status, response.values(m.CONTACT)) == (200, [])
    assert ringing(wire) is None
    assert wire.engine.registrar.count() == 0


def test_a_registration_that_has_expired_rings_no_more_and_is_swept_away():  # R3
    wire = Wire()
    phone, other = Phone(wire, 1), Phone(wire, 2)
    phone.register(expires=60)
    other.register(expires=3600)
    wire.wait(59.9)
    assert ringing(wire) == phone.peer
    wire.wait(0.1)
    assert ringing(wire) is None
    for _ in range(4):
        wire.wait(10)
    assert wire.engine.registrar.count() == 1
    assert UnbindingEntry("50010001", phone.contact) in bindings(wire)


def test_a_contract_that_ends_takes_its_devices_away():
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register()
    wire.engine.registrar.forget(b"50010001")
    wire.engine.registrar.forget(b"50010002")  # nothing there: nothing happens
    wire.collect()
    assert ringing(wire) is None
    assert bindings(wire)[-1] == UnbindingEntry("50010001", phone.contact)


def test_a_phone_on_a_stream_is_reached_on_its_connection():  # R4
    wire = Wire()
    phone = Phone(wire, 1)
    phone.peer = (*phone.peer, 9)  # type: ignore[assignment]
    assert phone.register().status == 200
    found = wire.engine.registrar.ringing(b"50010001")
    assert found is not None
    assert found[1] == ("192.0.2.1", 5061, 9)
    phone.peer = (*phone.peer[:2], 10)  # type: ignore[assignment]
    phone.register()  # reconnected
    assert wire.engine.registrar.ringing(b"50010001")[1] == ("192.0.2.1", 5061, 10)  # type: ignore[index]
    phone.peer = phone.peer[:2]
    phone.register()  # over UDP now
    assert ringing(wire) == ("192.0.2.1", 5061)
    assert len(wire.engine.registrar.ringing(b"50010001")[1]) == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("contact", "reached"),
    [
        ("sip:50010001@192.0.2.1:5070;transport=udp", ("192.0.2.1", 5070)),  # the host it came from: no NAT
        ("sip:50010001@192.0.2.1", ("192.0.2.1", 5060)),
        ("sip:50010001@192.0.2.1:5071;transport=tcp", ("192.0.2.1", 5071)),
        ("sip:50010001@10.0.0.7:5070", ("192.0.2.1", 5061)),  # an address behind a NAT
        ("sip:50010001@phone.invalid", ("192.0.2.1", 5061)),
    ],
)
def test_a_phone_over_udp_is_called_at_its_contact_unless_a_nat_stands_between(contact, reached):  # R4
    wire = Wire()
    phone = Phone(wire, 1)
    phone.contact = contact
    assert phone.register().status == 200
    assert ringing(wire) == reached


def test_the_answer_goes_back_where_the_request_came_from_and_says_so():  # RFC 3581
    wire = Wire()
    phone = Phone(wire, 1)
    text = phone.register_text()
    nat = ("203.0.113.9", 40001)
    ((peer, response),) = wire.send(nat, text)
    assert peer == nat
    assert (response.value(m.VIA) or b"").endswith(b";received=203.0.113.9;rport=40001")


def test_without_rport_the_answer_goes_to_the_address_of_the_packet_and_the_port_of_the_via():  # §18.2.2
    wire = Wire()
    phone = Phone(wire, 1)
    text = phone.register_text().replace(";rport", "")
    ((peer, response),) = wire.send(("203.0.113.9", 40001), text)
    assert peer == ("203.0.113.9", 5061)
    assert (response.value(m.VIA) or b"").endswith(b";received=203.0.113.9")
    bare = phone.register_text().replace(";rport", "").replace("192.0.2.1:5061;branch", "203.0.113.9;branch")
    ((peer, response),) = wire.send(("203.0.113.9", 40001), bare)
    assert peer == ("203.0.113.9", 5060)
    assert b"received" not in (response.value(m.VIA) or b"")


def test_a_gateway_registers_nobody():
    wire = Wire()
    phone = Phone(wire, 1)
    assert to(wire.send(GATEWAY, phone.register_text()), GATEWAY).status == 401


def test_a_contact_that_is_bound_and_stands_twice_in_a_register_is_bound_once():
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register()
    response = phone.register(extra=f"Contact: <{phone.contact}>\r\n")
    assert response.status == 200
    assert len(response.values(m.CONTACT)) == 1
