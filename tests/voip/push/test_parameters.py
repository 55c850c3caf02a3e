"""What a phone says of its push service, and what it is answered (RFC 8599 §4, §5; R5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.push.parameters import (
    NO_PUSH,
    PushDevice,
    PushRules,
    can_be_woken,
    capabilities,
    push_device,
    unsupported,
)
from denwa.voip.sip.message import CONTACT
from tests.voip.push.doorbell import RULES, push_phone, push_wire
from tests.voip.wire import START_MS, Phone, call_up, text_of

DAY = 86_400


def of(params: str) -> str:
    return f"sip:50010002@192.0.2.1:5062{params}"


@pytest.mark.parametrize(
    ("params", "device"),
    [
        (";pn-provider=fcm;pn-param=p;pn-prid=t", PushDevice("fcm", "p", "t")),
        (";PN-PROVIDER=FCM;pn-prid=a%3Ab", PushDevice("fcm", "", "a:b")),
        (
            ";transport=tcp;pn-prid=t;pn-provider=apns;pn-param=ABC.jp.example",
            PushDevice("apns", "ABC.jp.example", "t"),
        ),
        (";pn-provider=fcm", None),
        (";pn-provider;pn-prid=t", None),
        (";pn-prid=t", None),
        (";pn-purr=r", None),
        ("", None),
    ],
)
def test_a_contact_names_its_push_device(params, device):
    assert push_device(of(params)) == device


@given(st.text(alphabet="abcXYZ0123456789-_.:%/+=", min_size=1, max_size=60))
def test_any_token_comes_back_as_it_was(token):
    escaped = "".join(c if c.isalnum() or c in "-_." else f"%{ord(c):02X}" for c in token)
    assert push_device(of(f";pn-provider=webpush;pn-prid={escaped}")) == PushDevice("webpush", "", token)


@given(st.binary(max_size=80))
def test_no_contact_breaks_the_reader(raw):
    contact = b"sip:a@b;" + raw
    assert unsupported([contact], RULES) is None or can_be_woken(contact)
    assert isinstance(capabilities([contact], RULES), list)


def test_what_is_answered_names_the_service_asked_for_or_all():
    named, asking = of(";pn-provider=fcm;pn-prid=t").encode(), of(";pn-provider").encode()
    assert capabilities([named], RULES) == [b'Feature-Caps: *;+sip.pns="fcm"']
    assert capabilities([asking], RULES) == [b'Feature-Caps: *;+sip.pns="apns"', b'Feature-Caps: *;+sip.pns="fcm"']
    assert capabilities([of("").encode()], RULES) == []


def test_nobody_is_woken_without_providers():
    assert NO_PUSH.longest == 0
    assert PushRules((b"fcm",), max_expires=99, lapse=50).longest == 50


# -- at the registrar -------------------------------------------------------------------------------------------------


def test_a_push_registration_may_last_long_and_says_who_wakes_it():
    wire, _ = push_wire()
    ok = push_phone(wire).register(expires=10 * DAY)
    assert ok.status == 200
    assert b'Feature-Caps: *;+sip.pns="fcm"' in ok.lines
    assert text_of(ok, CONTACT).endswith(f"expires={10 * DAY}")
    assert "pn-prid=token-2" in text_of(ok, CONTACT)


def test_an_ordinary_registration_stays_short():
    wire, _ = push_wire()
    ok = Phone(wire, 2).register(expires=10 * DAY)
    assert text_of(ok, CONTACT).endswith("expires=7200")
    assert b"Feature-Caps" not in b"\n".join(ok.lines)


@pytest.mark.parametrize("refreshed", [1, 2])
def test_after_two_weeks_without_a_register_a_phone_is_not_woken_any_more(refreshed):  # R5
    wire, bell = push_wire(rules=RULES._replace(max_expires=100 * DAY))
    a, b = Phone(wire, 1), push_phone(wire)
    for _ in range(refreshed):
        wire.wait(DAY)
        assert text_of(b.register(expires=100 * DAY), CONTACT).endswith(f"expires={14 * DAY}")
    wire.wait(14 * DAY - 60)
    a.invite(b.number, "in-time")
    assert len(bell.pushes) == 1
    wire.wait(120)
    a.invite(b.number, "too-late")
    assert len(bell.pushes) == 1
    assert wire.engine.registrar.count() == 0


def test_a_binding_of_longer_rules_lapses_by_those_in_force():  # R5
    wire, bell = push_wire(rules=RULES._replace(max_expires=50 * DAY, lapse=50 * DAY))
    a, b = Phone(wire, 1), push_phone(wire)
    b.register(expires=50 * DAY)
    bindings = [entry for group in wire.committed for entry in group.bindings]
    assert bindings[0].expires_at == START_MS + 50 * DAY * 1000
    after, bell = push_wire()
    after.engine.restore(bindings, [], after.now, after.ms)  # type: ignore[arg-type]
    after.wait(15 * DAY)
    a.wire = after
    a.invite(b.number)
    assert bell.pushes == []
    assert len(after.voicemail.wishes) == 1


def test_a_service_that_is_not_served_is_refused_with_555():
    wire, _ = push_wire()
    phone = push_phone(wire, provider="webpush")
    refused = phone.register()
    assert refused.status == 555
    assert b"Push Notification Service Not Supported" in refused.lines[0]
    assert b"webpush" in b"\n".join(refused.lines)
    assert wire.engine.registrar.count() == 0


def test_a_phone_may_sign_off_whatever_its_service():
    wire, _ = push_wire()
    assert push_phone(wire, provider="webpush").register(expires=0).status == 200


def test_a_phone_may_ask_which_services_there_are():  # RFC 8599 §4.1.1
    wire, bell = push_wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.contact += ";pn-provider"
    ok = b.register()
    assert [line for line in ok.lines if line.startswith(b"Feature-Caps")] == [
        b'Feature-Caps: *;+sip.pns="apns"',
        b'Feature-Caps: *;+sip.pns="fcm"',
    ]
    wire.wait(60)
    a.invite(b.number)
    assert bell.pushes == []


def test_a_phone_that_comes_from_elsewhere_with_the_same_token_takes_the_place_of_its_old_binding():
    wire, _ = push_wire()
    old, new = push_phone(wire), push_phone(wire, host="198.51.100.7")
    old.register(expires=DAY)
    wire.wait(1)
    ok = new.register(expires=DAY, call_id="from-elsewhere")
    assert [line for line in ok.lines if line.startswith(b"Contact")] == [
        f"Contact: <{new.contact}>;expires={DAY}".encode()
    ]


def test_phones_with_other_tokens_keep_their_bindings():  # R2
    wire, _ = push_wire()
    push_phone(wire).register(expires=DAY)
    wire.wait(1)
    push_phone(wire, prid="other", host="198.51.100.7").register(expires=DAY, call_id="from-elsewhere")
    assert wire.engine.registrar.count() == 2


def test_a_phone_that_names_a_dialog_to_be_woken_for_is_called_like_any_other():
    # R5, decision 0016: pn-purr is not offered, and does no harm
    wire, doorbell = push_wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    a.contact += ";pn-purr=reference"
    ok = b.register()
    assert b"+sip.pnspurr" not in b"\n".join(ok.lines)
    up = call_up(wire, a, b)
    assert up.hang_up("callee").status == 200
    assert doorbell.pushes == []
