"""What a REGISTER does to the bindings (RFC 3261 §10.3; service rules R1, R2, R3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from denwa.voip.registrar.bindings import (
    Asked,
    Binding,
    BindingPolicy,
    Outcome,
    Rejection,
    agent_text,
    apply_register,
    contact_line,
    first,
    newest,
    plain_contact,
    read_contacts,
    read_extra,
    refresh,
    storable_text,
)
from denwa.voip.sip.uri import UriFault

NOW = 1_795_000_000_000
POLICY = BindingPolicy(default_expires=3600, min_expires=60, max_expires=7200, max_bindings=3)
PHONE, APP = b"<sip:50010001@192.0.2.1:5062>", b"<sip:50010001@198.51.100.7;transport=tcp>"


def register(
    current: list[Binding],
    *contacts: bytes,
    expires: bytes | None = None,
    call_id: bytes = b"one",
    cseq: int = 1,
    now_ms: int = NOW,
    flow: str = "udp:192.0.2.1:5062",
    path: tuple[bytes, ...] = (),
) -> Outcome | Rejection:
    read = read_contacts(contacts, expires)
    asked = Asked("50010001", storable_text(call_id), cseq, now_ms, flow, "Phone/1", path)
    return apply_register(current, read, asked, POLICY)


def accepted(current: list[Binding], *contacts: bytes, **more: object) -> Outcome:
    outcome = register(current, *contacts, **more)  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    return outcome


def test_a_binding_keeps_what_is_needed_to_reach_the_device_and_to_list_it():  # R2, R4
    outcome = accepted([], PHONE + b";expires=600", cseq=7)
    (binding,) = outcome.bindings
    assert binding == Binding(
        "50010001", "sip:50010001@192.0.2.1:5062", "one", 7, NOW, NOW + 600_000, "udp:192.0.2.1:5062", "Phone/1", ""
    )
    assert (outcome.changed, outcome.removed) == ([binding], [])
    assert contact_line(binding, NOW + 100) == b"Contact: <sip:50010001@192.0.2.1:5062>;expires=600"
    assert contact_line(binding, NOW + 1000) == b"Contact: <sip:50010001@192.0.2.1:5062>;expires=599"


@pytest.mark.parametrize(
    ("contact", "header", "seconds"),
    [
        (PHONE, None, 3600),
        (PHONE, b"300", 300),
        (PHONE + b";expires=120", b"300", 120),
        (PHONE + b";expires=soon", b"300", 300),
        (PHONE, b"tomorrow", 3600),
        (PHONE, b"99999999999999999999999", 7200),
    ],
)
def test_the_contact_s_expiry_wins_over_the_header_s_and_the_greatest_is_the_service_s(contact, header, seconds):
    (binding,) = accepted([], contact, expires=header).bindings
    assert binding.expires_at == NOW + seconds * 1000


def test_too_short_an_interval_is_refused_and_changes_nothing():  # §10.3 step 7
    outcome = register([], APP, PHONE + b";expires=59")
    assert outcome == Rejection(423, b"Interval Too Brief", [b"Min-Expires: 60"])


def test_several_devices_are_kept_and_the_one_that_registered_last_rings():  # R2
    first = accepted([], PHONE).bindings
    both = accepted(first, APP, call_id=b"two", now_ms=NOW + 1000).bindings
    assert [binding.contact for binding in both] == ["sip:50010001@192.0.2.1:5062", APP[1:-1].decode()]
    assert newest(both, NOW + 1000) == both[1]
    refreshed = accepted(both, PHONE, cseq=2, now_ms=NOW + 2000).bindings
    ringing = newest(refreshed, NOW + 2000)
    assert ringing is not None
    assert ringing.contact == "sip:50010001@192.0.2.1:5062"


def test_registering_twice_in_a_millisecond_or_with_a_clock_set_back_still_has_a_last_one():  # R2
    first = accepted([], PHONE).bindings
    both = accepted(first, APP, call_id=b"two", now_ms=NOW - 5000).bindings
    ringing = newest(both, NOW)
    assert ringing is not None
    assert ringing.contact == APP[1:-1].decode()


def test_of_contacts_in_one_request_the_preferred_rings():
    outcome = accepted([], PHONE + b";q=0.9", APP + b";q=0.3")
    assert [binding.contact for binding in outcome.bindings][-1] == "sip:50010001@192.0.2.1:5062"


def test_when_the_last_has_expired_nothing_rings_and_the_next_register_clears_it_away():  # R3
    old = accepted([], PHONE + b";expires=60").bindings
    assert newest(old, NOW + 60_000) is None
    outcome = accepted(old, APP, call_id=b"two", now_ms=NOW + 60_000)
    assert outcome.removed == old
    assert len(outcome.bindings) == 1


def test_a_request_without_contact_asks_for_the_list():
    current = accepted([], PHONE).bindings
    assert accepted(current, now_ms=NOW + 1) == Outcome(current, [], [])


def test_expires_0_takes_that_binding_away_and_no_other():
    both = accepted(accepted([], PHONE).bindings, APP, call_id=b"two").bindings
    outcome = accepted(both, PHONE + b";expires=0", cseq=2)
    assert [binding.contact for binding in outcome.removed] == ["sip:50010001@192.0.2.1:5062"]
    assert [binding.contact for binding in outcome.bindings] == [APP[1:-1].decode()]
    assert accepted([], PHONE + b";expires=0") == Outcome([], [], [])


def test_star_takes_all_away():
    both = accepted(accepted([], PHONE).bindings, APP, call_id=b"two").bindings
    assert accepted(both, b"*", expires=b"0", call_id=b"three") == Outcome([], [], both)


@pytest.mark.parametrize(("contacts", "expires"), [((b"*",), None), ((b"*",), b"10"), ((b"*", PHONE), b"0")])
def test_star_stands_alone_with_expires_0(contacts, expires):  # §10.3 step 6
    outcome = register([], *contacts, expires=expires)
    assert isinstance(outcome, Rejection)
    assert outcome.status == 400


@pytest.mark.parametrize("contact", [PHONE, b"*"])
def test_an_older_request_of_the_same_call_id_is_refused_and_one_of_another_is_not(contact):  # §10.3 step 7
    current = accepted([], PHONE, cseq=5).bindings
    for cseq in (4, 5):
        outcome = register(current, contact, expires=b"0", cseq=cseq)
        assert isinstance(outcome, Rejection)
        assert outcome.status == 500
    assert accepted(current, contact, expires=b"0", cseq=6).bindings == []
    assert accepted(current, contact, expires=b"0", cseq=1, call_id=b"other").bindings == []


def test_one_stale_contact_stops_the_whole_request():
    current = accepted([], PHONE, cseq=5).bindings
    assert isinstance(register(current, APP, PHONE, cseq=5), Rejection)


def test_an_equal_uri_written_otherwise_replaces_the_binding():  # RFC 3261 §19.1.4
    current = accepted([], b"<sip:%35@Host.example;line=1>").bindings
    outcome = accepted(current, b"<sip:5@host.example>", cseq=2)
    assert [binding.contact for binding in outcome.bindings] == ["sip:5@host.example"]
    assert outcome.removed == current


def test_a_device_that_moved_replaces_the_binding_of_its_instance_and_flow_number():  # RFC 5626 §6
    device = b';reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
    current = accepted([], PHONE + device).bindings
    moved = accepted(current, APP + device, call_id=b"two")
    assert [binding.contact for binding in moved.bindings] == [APP[1:-1].decode()]
    assert moved.removed == current
    second_flow = accepted(current, APP + device.replace(b"reg-id=1", b"reg-id=2"), call_id=b"two")
    assert len(second_flow.bindings) == 2


def test_parameters_are_given_back_as_they_came():
    device = b';+sip.instance="<urn:uuid:1>";reg-id=1;pn-provider=acme;x'
    (binding,) = accepted([], PHONE + b";q=0.5;expires=60" + device, path=(b"<sip:edge@192.0.2.9;lr>",)).bindings
    assert contact_line(binding, NOW) == b"Contact: " + PHONE + b";q=0.5" + device + b";expires=60"
    assert read_extra(binding.extra).path == (b"<sip:edge@192.0.2.9;lr>",)


def test_the_oldest_bindings_make_room_and_more_at_once_than_allowed_are_refused():
    bindings: list[Binding] = []
    for count in range(5):
        bindings = accepted(
            bindings, b"<sip:u@host%d.example>" % count, call_id=b"%d" % count, now_ms=NOW + count
        ).bindings
    assert [binding.contact[6:11] for binding in bindings] == ["host2", "host3", "host4"]
    four = [b"<sip:u@more%d.example>" % count for count in range(4)]
    assert register(bindings, *four, call_id=b"x") == Rejection(403, b"Too Many Contacts", [])


@pytest.mark.parametrize(
    "contact",
    [b"<mailto:a@b>", b"<tel:110>", b"sip:a@b?x=y", b"<sip:a@b", b"<sip:\xff@b>", b"<sip:" + b"a" * 2000 + b"@b>", b""],
)
def test_a_contact_that_cannot_be_called_is_refused(contact):
    with pytest.raises(UriFault):
        read_contacts([contact], None)


def test_text_of_strangers_is_bounded_and_storable():
    assert storable_text(b"c" * 9999) == "c" * 255
    assert agent_text(b"\xff\x00" * 999) == "\ufffd" * 128


class Registrations(RuleBasedStateMachine):
    """A register against a model: contact -> (expiry, turn), most recent turn rings."""

    def __init__(self) -> None:
        super().__init__()
        self.bindings: list[Binding] = []
        self.stored: dict[str, Binding] = {}
        self.model: dict[str, tuple[int, int]] = {}
        self.now = NOW
        self.turn = 0

    def settle(self, outcome: Outcome | Rejection) -> None:
        assert isinstance(outcome, Outcome)
        for gone in outcome.removed:
            del self.stored[gone.contact]
        for binding in outcome.changed:
            self.stored[binding.contact] = binding
        self.bindings = outcome.bindings

    def forget_expired(self) -> None:
        self.model = {contact: kept for contact, kept in self.model.items() if kept[0] > self.now}

    @rule(device=st.integers(0, 5), seconds=st.sampled_from([0, 60, 600, 7200]))
    def register_one(self, device: int, seconds: int) -> None:
        self.turn += 1
        contact = f"sip:u@device{device}.example"
        header = b"<%b>;expires=%d" % (contact.encode(), seconds)
        self.settle(register(self.bindings, header, cseq=self.turn, now_ms=self.now))
        self.forget_expired()
        self.model.pop(contact, None)
        if seconds:
            self.model[contact] = (self.now + seconds * 1000, self.turn)
        while len(self.model) > POLICY.max_bindings:
            del self.model[min(self.model, key=lambda one: self.model[one][1])]

    @precondition(lambda self: self.model)
    @rule()
    def register_star(self) -> None:
        self.turn += 1
        self.settle(register(self.bindings, b"*", expires=b"0", cseq=self.turn, now_ms=self.now))
        self.model = {}

    @rule(device=st.integers(0, 5))
    def register_too_short(self, device: int) -> None:
        header = b"<sip:u@device%d.example>;expires=1" % device
        assert isinstance(register(self.bindings, header, cseq=self.turn + 1, now_ms=self.now), Rejection)

    @precondition(lambda self: self.turn > 0)
    @rule(device=st.integers(0, 5))
    def repeat_an_old_request(self, device: int) -> None:
        contact = f"sip:u@device{device}.example"
        outcome = register(self.bindings, b"<%b>" % contact.encode(), cseq=0, now_ms=self.now)
        known = contact in self.model and self.model[contact][0] > self.now
        assert isinstance(outcome, Rejection) == known

    @rule(ms=st.integers(0, 700_000))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def the_list_is_the_model_s(self) -> None:
        outcome = register(self.bindings, now_ms=self.now)
        self.settle(outcome)
        self.forget_expired()
        assert {b.contact: b.expires_at for b in self.bindings} == {c: kept[0] for c, kept in self.model.items()}
        assert self.stored == {b.contact: b for b in self.bindings}

    @invariant()
    def the_last_to_register_rings(self) -> None:
        self.forget_expired()
        ringing = newest(self.bindings, self.now)
        expected = max(self.model, key=lambda one: self.model[one][1], default=None)
        assert (ringing.contact if ringing else None) == expected


TestRegistrations = Registrations.TestCase
TestRegistrations.settings = settings(max_examples=40, stateful_step_count=25)


@given(st.lists(st.sampled_from([0, 30, 60, 9000]), min_size=1, max_size=5), st.integers(0, 3))
def test_a_request_is_done_as_a_whole_or_not_at_all(expiries, known):
    current: list[Binding] = []
    for count in range(known):
        current = accepted(current, b"<sip:u@h%d>" % count, call_id=b"old%d" % count).bindings
    contacts = [b"<sip:u@h%d>;expires=%d" % (count, seconds) for count, seconds in enumerate(expiries)]
    outcome = register(current, *contacts)
    if isinstance(outcome, Rejection):
        assert 30 in expiries or sum(1 for seconds in expiries if seconds) > POLICY.max_bindings
    else:
        asked = {f"sip:u@h{count}" for count, seconds in enumerate(expiries) if seconds}
        assert asked == {binding.contact for binding in outcome.changed}
        assert asked <= {binding.contact for binding in outcome.bindings}
        assert len({binding.registered_at for binding in outcome.bindings}) == len(outcome.bindings)


@given(
    st.sampled_from([PHONE, PHONE + b";expires=600", PHONE + b";expires=10", PHONE + b";q=0.5", APP, PHONE + b" ;x"]),
    st.sampled_from([None, b"600", b"0", b"99999", b"9" * 30, b"soon"]),
    st.sampled_from(["one", "two"]),
    st.integers(3, 7),
    st.integers(-3_000_000, 4_000_000),
)
def test_the_short_way_of_a_refresh_decides_as_the_long_one(contact, expires, call_id, cseq, later):
    (known,) = accepted([], PHONE, cseq=5).bindings
    asked = Asked(known.aor, call_id, cseq, NOW + later, known.flow, "Phone/2")
    short = refresh(known, contact, expires, asked, POLICY)
    if short is not None:
        long = apply_register([known], read_contacts([contact], expires), asked, POLICY)
        assert long == Outcome([short], [short], [])


@given(
    st.sampled_from([PHONE, PHONE + b";expires=600", PHONE + b";expires=10", PHONE + b";q=0.5", APP, PHONE + b" ;x"]),
    st.sampled_from([None, b"600", b"0", b"99999", b"9" * 30, b"soon"]),
)
def test_the_short_way_of_a_first_registration_decides_as_the_long_one(contact, expires):
    asked = Asked("50010001", "one", 7, NOW, "udp:192.0.2.1:5062", "Phone/2")
    plain = plain_contact(contact, expires, POLICY)
    if plain is not None:
        short = first(plain, asked)
        long = apply_register([], read_contacts([contact], expires), asked, POLICY)
        assert long == Outcome([short], [short], [])


def test_an_ordinary_contact_goes_the_short_way():
    for contact, expires in ((PHONE, None), (PHONE + b";expires=600", None), (PHONE, b"600"), (APP, None)):
        assert plain_contact(contact, expires, POLICY) is not None
    long = b"<sip:" + b"u" * 1100 + b"@192.0.2.1>"
    for contact, expires in ((PHONE + b";q=1", None), (PHONE, b"59"), (PHONE, b"0"), (b"*", b"0"), (long, None)):
        assert plain_contact(contact, expires, POLICY) is None


def test_an_ordinary_refresh_goes_the_short_way():
    (known,) = accepted([], PHONE, cseq=5).bindings
    asked = Asked(known.aor, "one", 6, NOW + 1000, known.flow, "Phone/1")
    for contact, expires in ((PHONE, None), (PHONE + b";expires=600", None), (PHONE, b"600")):
        assert refresh(known, contact, expires, asked, POLICY) is not None
