"""Every refusal has a code, a Reason, a log line, a counter and a line in the call records."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from denwa.config.settings import DATA
from denwa.voip import proxy
from denwa.voip.calls.call import EndCause
from denwa.voip.proxy.ports import NoPlace
from denwa.voip.proxy.refusal import REFUSALS, Refused
from denwa.voip.registrar.guessing import GuessLimits
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from denwa.voip.subscribers import Forward
from tests.voip.wire import GATEWAY, SDP, VOICEMAIL, Phone, Wire, answer, subscriber, to


def known_everywhere() -> dict[str, Refused]:
    """Every reason that any module of the proxy may give."""
    found: dict[str, Refused] = dict(REFUSALS)
    for module in pkgutil.iter_modules(proxy.__path__, proxy.__name__ + "."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Refused):
                found.setdefault(value.name, value)
    return found


KNOWN = known_everywhere()
Told = tuple[Wire, Phone, Message]


def dial(number: str, **subscriber_changes: object) -> Callable[[], Told]:
    def run() -> Told:
        wire = Wire(subscriber(1, **subscriber_changes), subscriber(2), subscriber(3))
        phone = Phone(wire, 1)
        return wire, phone, to(phone.invite(number), phone.peer)

    return run


def too_many_at_once() -> Told:
    wire = Wire(subscriber(1), subscriber(2), calls_per_subscriber=1)
    phone, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    phone.invite(callee.number, "first")
    other = Phone(wire, 1, port=5999, tag="other")
    return wire, other, to(other.invite(callee.number, "second"), other.peer)


def too_many_a_minute() -> Told:
    wire = Wire(subscriber(1), subscriber(2), new_calls_per_minute=1)
    phone, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    phone.invite(callee.number, "first")
    other = Phone(wire, 1, port=5999, tag="other")
    return wire, other, to(other.invite(callee.number, "second"), other.peer)


def rejected() -> Told:
    wire = Wire(subscriber(1), subscriber(2, blocked=frozenset(("+815050010001",))))
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("05050010002"), phone.peer)


def from_gateway(number: str) -> Callable[[], Told]:
    def run() -> Told:
        wire = Wire()
        trunk = Phone(wire, 1, host=GATEWAY[0], port=GATEWAY[1])
        return wire, trunk, to(trunk.invite(number, from_="<sip:0312345678@pstn>;tag=t"), trunk.peer)

    return run


def asked_of(uri: str) -> Callable[[], Told]:
    def run() -> Told:
        wire = Wire()
        phone = Phone(wire, 1)
        return wire, phone, to(phone.invite("", uri=uri), phone.peer)

    return run


def fax() -> Told:
    wire = Wire()
    phone = Phone(wire, 1)
    body = SDP.replace("m=audio 40000 RTP/AVP 0", "m=image 40000 udptl t38")
    return wire, phone, to(phone.invite("05050010002", body=body), phone.peer)


def bad_timer() -> Told:
    wire = Wire()
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("05050010002", extra="Session-Expires: soon\r\n"), phone.peer)


def not_reached() -> Told:
    wire = Wire()
    phone, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    invite = to(phone.invite(callee.number), callee.peer)
    return wire, phone, to(callee.answer(invite, 500), phone.peer)


def not_secure() -> Told:
    wire = Wire()
    phone, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    return wire, phone, to(phone.invite("", uri="sips:05050010002@denwa.example"), phone.peer)


def no_voicemail(full: bool) -> Callable[[], Told]:
    def run() -> Told:
        wire = Wire(subscriber(1), subscriber(2, voicemail=True))
        wire.voicemail.answer = NoPlace(480, "Mailbox Full" if full else "Voicemail Unavailable", full)
        phone = Phone(wire, 1)
        phone.invite("05050010002")
        return wire, phone, to(wire.give_place(), phone.peer)

    return run


def forwarded_in_a_circle() -> Told:
    wire = Wire(subscriber(1), subscriber(2, forward=Forward(True, "+815050010001")))
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("05050010002"), phone.peer)


def no_gateway() -> Told:
    wire = Wire(trunks=())
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("0312345678"), phone.peer)


def looped() -> Told:
    wire = Wire()
    trunk = Phone(wire, 1, host=GATEWAY[0], port=GATEWAY[1])
    sent = to(Phone(wire, 1).invite("0312345678"), GATEWAY)
    sent.lines[0] = b"INVITE sip:0312345678@denwa.example SIP/2.0"
    trunk.invite_branch = "z9hG4bKgw"
    back = sent.encode_under(b"Via: SIP/2.0/UDP 192.0.2.80:5080;branch=z9hG4bKgw")
    return wire, trunk, to(wire.send(GATEWAY, back), GATEWAY)


def merged() -> Told:
    wire = Wire()
    phone, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    phone.invite(callee.number)
    other_way = Phone.new_branch()
    again = wire.send(phone.peer, phone.invite_text.replace(phone.invite_branch, other_way))
    phone.invite_branch = other_way
    return wire, phone, to(again, phone.peer)


def changed(old: str, new: str, **settings: int) -> Callable[[], Told]:
    """The INVITE that has credentials is another than the first, for which a challenge was asked."""

    def run() -> Told:
        wire = Wire(**settings)
        phone = Phone(wire, 1)
        return wire, phone, to(phone.invite("05050010002", change=(old, new)), phone.peer)

    return run


def too_many_calls() -> Told:
    wire = Wire(max_calls=1)
    phone = Phone(wire, 1)
    trunk = Phone(wire, 1, host=GATEWAY[0], port=GATEWAY[1])
    phone.invite("0312345678")
    return wire, trunk, to(trunk.invite(phone.number, "second", from_="<sip:0312345678@pstn>;tag=t"), trunk.peer)


def short_session() -> Told:
    wire = Wire()
    phone = Phone(wire, 1)
    extra = "Supported: timer\r\nSession-Expires: 60\r\n"
    return wire, phone, to(phone.invite("05050010002", extra=extra), phone.peer)


def gateway_refuses_us() -> Told:
    wire = Wire()
    phone = Phone(wire, 1)
    invite = to(phone.invite("0312345678"), GATEWAY)
    return wire, phone, to(wire.send(GATEWAY, answer(invite, 407, GATEWAY)), phone.peer)


def gateway_silent() -> Told:
    wire = Wire()
    phone = Phone(wire, 1)
    phone.invite("0312345678")
    return wire, phone, to(wire.wait(32.2), phone.peer)


def voicemail_silent(status: int) -> Callable[[], Told]:
    def run() -> Told:
        wire = Wire(subscriber(1), subscriber(2, voicemail=True))
        phone = Phone(wire, 1)
        phone.invite("05050010002")
        invite = to(wire.give_place(), VOICEMAIL)
        sent = wire.send(VOICEMAIL, answer(invite, status, VOICEMAIL)) if status else wire.wait(6.2)
        return wire, phone, to(sent, phone.peer)

    return run


DRIVEN: dict[str, Callable[[], Told]] = {
    "barred-emergency": dial("110"),  # N5 K2
    "barred-service": dial("0120123456"),
    "barred-carrier-prefix": dial("0033123456789"),
    "barred-range": dial("01033899123456", international=True),  # N6
    "country-not-offered": dial("01018765551234", international=True),
    "unknown-block": dial("02012345678"),  # N4
    "too-short": dial("031234"),
    "too-long": dial("03123456789012"),
    "invalid": dial("abc"),
    "suspended": dial("0312345678", active=False),  # C2 L2
    "international-off": dial("01033123456789"),  # N6
    "too-many-at-once": too_many_at_once,  # C6
    "too-many-a-minute": too_many_a_minute,
    "not-in-use": dial("05050019999"),
    "rejected": rejected,  # B5
    "not-ours": from_gateway("0312345678"),  # C2
    "no-number": asked_of("sip:%zz@denwa.example"),
    "foreign-domain": asked_of("sip:05050010002@elsewhere.example"),
    "no-common-media": fax,  # C3 N8
    "bad-session-timer": bad_timer,
    "not-registered": dial("05050010002"),  # R3
    "not-reached": not_reached,
    "not-secure": not_secure,
    "mailbox-full": no_voicemail(True),  # V3
    "no-voicemail-place": no_voicemail(False),
    "not-forwarded": forwarded_in_a_circle,  # F3
    "no-gateway": no_gateway,
    "short-session": short_session,
    "unknown-extension": changed("Max-Forwards", "Proxy-Require: time-travel\r\nMax-Forwards"),
    "loop": looped,
    "merged": merged,
    "too-many-hops": changed("Max-Forwards: 70", "Max-Forwards: 0"),
    "too-many-calls": too_many_calls,
    "gateway-refuses-us": gateway_refuses_us,
    "gateway-silent": gateway_silent,
    "voicemail-silent": voicemail_silent(503),
}
# What leads to these is proved where they are kept; here only that they are told like the others.
ELSEWHERE = sorted(KNOWN.keys() - DRIVEN.keys())


def assert_told(told: Told, why: Refused) -> None:
    wire, phone, response = told
    assert response.status == why.status
    reason = (response.value(m.REASON) or b"").decode()
    assert re.fullmatch(rf'SIP;cause={why.status};text="[^"]+", Q\.850;cause={why.q850}', reason), reason
    entry = wire.calls[-1]
    assert (entry.reason, entry.end_cause, entry.sip_status) == (why.name, why.end_cause, why.status)
    assert entry.answered_at is None
    assert entry.ended_at is not None
    assert entry.duration_ms == 0
    assert wire.counters["refused_calls", why.name] == 1
    assert wire.counters["refused", str(why.status)] == 1
    text = reason.partition('text="')[2].partition('"')[0]
    assert any(f": {why.status} {text}" in note for note in wire.engine.ctx.notes), wire.engine.ctx.notes
    phone.ack_failure(response)


@pytest.mark.parametrize("name", sorted(DRIVEN))
def test_a_refusal_is_told_to_the_caller_the_log_the_counters_and_the_record(name: str) -> None:
    # N4 N5 N6 C2 C6
    told = DRIVEN[name]()
    assert_told(told, KNOWN[name])


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_refusal_that_is_decided_elsewhere_is_told_in_the_same_ways(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire()
    monkeypatch.setattr(wire.engine.admission, "refusal", lambda *_: KNOWN[name])
    phone = Phone(wire, 1)
    assert_told((wire, phone, to(phone.invite("0312345678"), phone.peer)), KNOWN[name])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Require: time-travel\r\n", 420),
        ("Call-Info: <sip:x>\r\nCSeq: 4294967296 REGISTER\r\n", 400),
    ],
)
def test_a_request_that_is_refused_before_it_is_anybodys_is_logged_and_counted(text: str, status: int) -> None:
    wire = Wire()
    phone = Phone(wire, 1)
    response = to(wire.send(phone.peer, phone.register_text(text)), phone.peer)
    assert response.status == status
    assert f"SIP;cause={status};" in (response.value(m.REASON) or b"").decode()
    assert wire.counters["refused", str(status)] == 1
    assert [note for note in wire.engine.ctx.notes if note.startswith(f"REGISTER reg-50010001-5061: {status} ")]


def asked_first(text: str, **settings: int) -> Callable[[], Told]:
    """A stranger, or somebody who has not shown a password yet, sends an INVITE with these lines more."""

    def run() -> Told:
        wire = Wire(**settings)
        phone = Phone(wire, 1)
        uri = "sip:05050010002@denwa.example"
        first = phone.request("INVITE", uri, to=f"<{uri}>", call_id="call-1", cseq=1, body=SDP, extra=text)
        phone.invite_branch = "z9hG4bK" + first.partition(";branch=z9hG4bK")[2].partition(";")[0]
        first = first.replace("Max-Forwards: 70\r\n", "", 1) if "Max-Forwards" in text else first
        return wire, phone, to(wire.send(phone.peer, first), phone.peer)

    return run


def guessed() -> Told:
    wire = Wire()
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("05050010002", password="guess"), phone.peer)


def guessed_often() -> Told:
    wire = Wire(guessing=GuessLimits(free=1))
    phone = Phone(wire, 1)
    first = to(phone.invite("05050010002", "call-0", password="guess"), phone.peer)
    phone.ack_failure(first)
    return wire, phone, to(phone.invite("05050010002", password="guess"), phone.peer)


def full_of_nothing() -> Told:
    wire = Wire(max_calls=0)
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("05050010002"), phone.peer)


def no_disk() -> Told:
    wire = Wire()
    wire.engine.ctx.journal_ok = False
    trunk = Phone(wire, 1, host=GATEWAY[0], port=GATEWAY[1])
    return wire, trunk, to(trunk.invite("05050010002", from_="<sip:0312345678@pstn>;tag=t"), trunk.peer)


@pytest.mark.parametrize(
    ("run", "status", "name"),
    [
        (asked_first("Proxy-Require: time-travel\r\n"), 420, "unknown-extension"),
        (asked_first("Max-Forwards: 0\r\n"), 483, "too-many-hops"),
        (full_of_nothing, 503, "too-many-calls"),
        (no_disk, 503, "not-recorded"),
        (guessed, 403, ""),
        (guessed_often, 503, ""),
        (changed("nc=00000001", "nc=1"), 400, ""),
    ],
)
def test_whose_call_is_not_known_gets_all_but_a_record(run: Callable[[], Told], status: int, name: str) -> None:
    # C2: strangers fill no table; and where there is no disk there is no record
    wire, phone, response = run()
    assert response.status == status
    reason = (response.value(m.REASON) or b"").decode()
    assert reason.startswith(f'SIP;cause={status};text="')
    text = reason.partition('text="')[2].partition('"')[0]
    assert f"INVITE call-1: {status} {text}" in wire.engine.ctx.notes
    assert wire.counters["refused", str(status)] == 1
    assert sum(count for (kind, _), count in wire.counters.items() if kind == "refused_calls") == int(name != "")
    assert not name or wire.counters["refused_calls", name] == 1
    assert not name or KNOWN[name].status == status
    phone.ack_failure(response)
    assert wire.calls == []
    assert len(wire.engine.calls) == 0


def test_a_voicemail_that_says_nothing_is_told_as_one_that_refuses() -> None:
    assert_told(voicemail_silent(0)(), KNOWN["voicemail-silent"])


@pytest.mark.parametrize("name", ["loop", "merged"])
def test_a_refused_repetition_leaves_the_call_that_it_repeats_alone(name: str) -> None:
    wire, _, _ = DRIVEN[name]()
    (call,) = wire.engine.calls
    assert call.setup is not None
    assert wire.calls[-1].id != call.id
    assert wire.engine.admission.busy[call.subscriber] == 1


# Requests that are answered with a failure elsewhere than where calls are refused, by what they are.
NO_CALLS = {
    "calls/parties.py": "inside a call",
    "calls/dialogs.py": "inside a call",
    "engine.py": "no INVITE, or one that cannot be read, or no room for its transaction",
    "proxy/admission.py": "the password is wrong: nobody is known to call",
    "proxy/invite.py": "early: a stranger's",
    "proxy/unanswered.py": "where calls are refused",
    "mwi/notifier.py": "a SUBSCRIBE",
    "context.py": "the means",
}


def test_nothing_else_refuses() -> None:
    """A refusal that is made in a new place has to be looked at here: is it told in all five ways?"""
    package = Path(proxy.__path__[0]).parent
    found = set()
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"(ctx|self)\.refuse\(|note_refusal\(|_refuse_stateless\(", text):
            found.add(str(path.relative_to(package)))
        for made in re.findall(r"(?:respond|make_response)\(\w+, ([4-6]\d\d)", text):
            elsewhere = {("context.py", "407"), ("dialogs.py", "408"), ("notifier.py", "401")}
            assert (path.name, made) in elsewhere, "answers past the refusals"
    assert found == NO_CALLS.keys()


def test_each_reason_has_a_name_of_its_own_that_fits_the_record() -> None:
    for name, why in KNOWN.items():
        assert name == why.name
        assert re.fullmatch(r"[a-z0-9-]{1,40}", name)
        assert 400 <= why.status < 700
        assert 1 <= why.q850 <= 127
        assert why.end_cause in (EndCause.REFUSED, EndCause.REJECTED, EndCause.NO_ANSWER, EndCause.FAILED)


def documented() -> dict[str, tuple[int, int, str]]:
    """Reason -> code, Q.850 cause and prompt, from the table of docs/operating.md."""
    text = (Path(__file__).parents[3] / "docs/operating.md").read_text(encoding="utf-8")
    section = text.partition("\n## Refusals\n")[2].partition("\n## ")[0]
    found = {}
    for row in re.findall(r"^\| (`.*?) \| (\d+) \| (\d+) \| (.*?) \|$", section, re.MULTILINE):
        for name in re.findall(r"`([a-z-]+)`", row[0]):
            found[name] = (int(row[1]), int(row[2]), row[3].strip("`–"))
    return found


def test_operators_can_read_what_each_reason_is_and_what_is_heard() -> None:
    assert documented() == {name: (why.status, why.q850, why.prompt) for name, why in KNOWN.items()}


def test_every_prompt_is_shipped() -> None:
    shipped = {path.stem for path in (DATA / "prompts").glob("*.wav")}
    assert {why.prompt for why in KNOWN.values()} - {""} <= shipped


def test_a_forwarding_that_failed_is_no_refusal_of_the_caller() -> None:
    # F3: what the forwarder's target does is none of the caller's business
    wire = Wire(subscriber(1), subscriber(2, forward=Forward(True, "+81312345678")))
    phone = Phone(wire, 1)
    sent = phone.invite("05050010002")
    invite = next(message for peer, message in sent if peer == GATEWAY)
    ended = to(wire.send(GATEWAY, answer(invite, 404, GATEWAY)), phone.peer)
    assert ended.status == 480
    assert not [key for key in wire.counters if key[0] == "refused_calls"]
