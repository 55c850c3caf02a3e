"""SUBSCRIBE to one's own mailbox, and the NOTIFYs of the subscription (RFC 3842, RFC 6665; V6)."""

from __future__ import annotations

import pytest

from denwa.voip.mwi.summary import EMPTY, Counts
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.mwi.rig import ONE_NEW, Watcher, awaited, fill, header, lamp, left_behind, scene
from tests.voip.wire import Phone, Wire, starts, text_of, to


def watching(**rules: object) -> tuple[Wire, Phone, Watcher, Message]:
    """A phone that is registered and has subscribed; the first NOTIFY, answered."""
    wire, [phone] = scene(**rules)
    phone.register()
    watcher = Watcher(phone)
    _, (_, notify) = watcher.subscribe()
    phone.answer(notify, 200)
    return wire, phone, watcher, notify


def cseq(message: Message) -> int:
    return int(text_of(message, m.CSEQ).split()[0])


def over(wire: Wire) -> None:
    """When all timers have run out nothing is kept."""
    wire.wait(100)
    assert left_behind(wire) == (0, 0, 0)


# -- accepted ----------------------------------------------------------------------------------------------------------


def test_a_subscriber_is_told_at_once_and_after_each_change() -> None:  # V6
    wire, [phone] = scene()
    phone.register()
    watcher = Watcher(phone)
    (_, ok), (_, first) = watcher.subscribe()
    assert ok.status == 200
    assert header(ok, "Expires") == "600"
    assert header(ok, "Contact") == f"<sip:{phone.account}@192.0.2.10:5060>"
    assert lamp(first) == (False, "0/0 (0/0)")
    assert header(first, "Subscription-State") == "active;expires=600"
    assert header(first, "Event") == "message-summary"
    phone.answer(first, 200)
    wire.wait(10)
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)  # one NOTIFY: it is not told apart from the subscription, too
    assert lamp(notify) == (True, "1/0 (0/0)")
    assert header(notify, "Subscription-State") == "active;expires=590"
    phone.answer(notify, 200)
    assert lamp(to(fill(wire, phone, EMPTY), phone.peer)) == (False, "0/0 (0/0)")


def test_notifies_are_requests_inside_the_dialog_of_the_subscription() -> None:  # RFC 3261 §12.2.1.1
    wire, [phone] = scene()
    watcher = Watcher(phone)
    route = "Record-Route: <sip:edge.example;lr>, <sip:192.0.2.99;lr>\r\n"
    (_, ok), (_, first) = watcher.subscribe(extra=route)
    assert [text_of(first, kind) for kind in (m.FROM, m.TO)] == [text_of(ok, m.TO), text_of(ok, m.FROM)]
    assert text_of(first, m.CALL_ID) == watcher.call_id
    assert first.uri.decode() == phone.contact
    assert first.values(m.ROUTE) == [b"<sip:edge.example;lr>", b"<sip:192.0.2.99;lr>"]
    assert ok.values(m.RECORD_ROUTE) == [b"<sip:edge.example;lr>, <sip:192.0.2.99;lr>"]
    phone.answer(first, 200)
    second = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert cseq(second) == cseq(first) + 1


def test_a_refresh_prolongs_moves_the_target_and_is_followed_by_a_notify() -> None:  # RFC 6665 §4.2.1.4, RFC 3261 §12.2
    wire, phone, watcher, _ = watching()
    wire.wait(500)
    phone.contact = f"sip:{phone.account}@192.0.2.1:9999"
    (_, ok), (_, notify) = watcher.subscribe(600)
    assert ok.status == 200
    assert notify.uri.decode() == phone.contact
    assert header(notify, "Subscription-State") == "active;expires=600"
    phone.answer(notify, 200)
    assert wire.wait(590) == []
    last = to(awaited(wire, 12), phone.peer)
    assert header(last, "Subscription-State") == "terminated;reason=timeout"
    phone.answer(last, 200)
    over(wire)


def test_expires_0_unsubscribes_with_a_last_notify() -> None:
    wire, phone, watcher, _ = watching()
    (_, ok), (_, last) = watcher.subscribe(0)
    assert (ok.status, header(ok, "Expires")) == (200, "0")
    assert header(last, "Subscription-State") == "terminated;reason=timeout"
    phone.answer(last, 200)
    assert watcher.subscribe()[0][1].status == 481
    over(wire)


def test_expires_0_at_first_fetches_what_there_is_once() -> None:  # RFC 6665 §4.4.3
    wire, [phone] = scene()
    fill(wire, phone, Counts(2, 3))
    (_, ok), (_, only) = Watcher(phone).subscribe(0)
    assert ok.status == 200
    assert lamp(only) == (True, "2/3 (0/0)")
    assert header(only, "Subscription-State").startswith("terminated")
    phone.answer(only, 200)
    over(wire)


def test_without_expires_an_hour_is_granted_and_never_more_than_the_longest() -> None:  # RFC 3842 §3.4
    _, [phone] = scene(max_expires=7200)
    assert header(Watcher(phone, "a").subscribe(None)[0][1], "Expires") == "3600"
    assert header(Watcher(phone, "b").subscribe(86_400)[0][1], "Expires") == "7200"


@pytest.mark.parametrize("uri", ["sip:50010001@denwa.example", "sip:05050010001@192.0.2.10", "sip:denwa.example",
                                 "sip:+815050010001@denwa.example;user=phone", "sip:1417@denwa.example"])  # fmt: skip
def test_the_own_box_is_the_account_the_number_and_the_service(uri: str) -> None:
    _, [phone] = scene(box_number=b"1417")
    assert Watcher(phone).subscribe(uri=uri)[0][1].status == 200


def test_the_event_id_and_compact_names_come_back_as_they_came() -> None:  # RFC 6665 §8.2.1
    wire, [phone] = scene()
    sent = Watcher(phone).subscribe(event="", extra="o: message-summary;id=7\r\n")
    assert header(sent[1][1], "Event") == "message-summary;id=7"
    assert wire.counters["mwi", "subscribed"] == 1


def test_a_repeated_subscribe_gets_the_same_answer_and_no_second_subscription() -> None:
    wire, [phone] = scene()
    watcher = Watcher(phone)
    challenge = wire.send(phone.peer, watcher.text())[0][1]
    text = watcher.text(authorization=phone.authorization(challenge, "SUBSCRIBE", watcher.target))
    first = wire.send(phone.peer, text)
    again = wire.send(phone.peer, text)
    assert again[0][1].lines == first[0][1].lines
    assert len(again) == 1
    assert len(wire.engine.mwi.notifier) == 1


# -- refused -----------------------------------------------------------------------------------------------------------


def test_who_does_not_prove_who_he_is_is_challenged_and_leaves_nothing() -> None:
    wire, [phone] = scene()
    assert starts(wire.send(phone.peer, Watcher(phone).text())) == [(phone.peer, "401")]
    assert left_behind(wire) == (0, 0, 0)


def test_a_wrong_password_is_403() -> None:
    wire, [phone] = scene()
    assert Watcher(phone).subscribe(password="guess")[0][1].status == 403
    assert len(wire.engine.mwi.notifier) == 0


@pytest.mark.parametrize("uri", ["sip:50010002@denwa.example", "sip:05050010002@denwa.example",
                                 "sip:50010001@elsewhere.example", "sip:%ff@denwa.example"])  # fmt: skip
def test_another_subscribers_box_is_403(uri: str) -> None:
    wire, [phone, _] = scene(2)
    fill(wire, phone, ONE_NEW)
    assert starts(Watcher(phone).subscribe(uri=uri)) == [(phone.peer, "403")]


def test_a_subscription_is_refreshed_by_its_owner_only() -> None:
    wire, phone, watcher, _ = watching()
    thief = Phone(wire, 2)
    thief.tag = phone.tag
    stolen = Watcher(thief)
    stolen.call_id, stolen.to, stolen.target, stolen.cseq = watcher.call_id, watcher.to, watcher.target, 50
    text = stolen.text(0).replace(f"From: {thief.aor}", f"From: {phone.aor}")
    assert starts(wire.send(thief.peer, text)) == [(thief.peer, "401")]
    assert stolen.subscribe(0)[-1][1].status == 403
    assert lamp(to(fill(wire, phone, ONE_NEW), phone.peer)) == (True, "1/0 (0/0)")


@pytest.mark.parametrize("event", ["presence", "dialog", "reg", "message-summary.winfo", ""])
def test_another_event_package_is_489_with_what_is_served(event: str) -> None:  # RFC 6665 §4.2.1.1
    _, [phone] = scene()
    response = Watcher(phone).subscribe(event=event)[0][1]
    assert response.status == 489
    assert header(response, "Allow-Events") == "message-summary"


def test_presence_of_another_subscriber_is_489_as_well() -> None:
    _, [phone, other] = scene(2)
    other.register()
    sent = Watcher(phone).subscribe(event="presence", uri=f"sip:{other.number}@denwa.example")
    assert starts(sent) == [(phone.peer, "489")]


@pytest.mark.parametrize(
    ("expires", "extra", "status", "name"),
    [
        (30, "", 423, "Min-Expires"),
        (600, "Accept: application/pidf+xml\r\n", 406, "Reason"),
        (None, "Expires: soon\r\n", 400, "Reason"),
        (600, "Event: presence\r\n", 400, "Reason"),
        (600, "Require: eventlist\r\n", 420, "Unsupported"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_reason(expires: int, extra: str, status: int, name: str) -> None:
    wire, [phone] = scene()
    response = Watcher(phone).subscribe(expires, extra=extra)[-1][1]
    assert response.status == status
    assert header(response, name)
    assert len(wire.engine.mwi.notifier) == 0


@pytest.mark.parametrize("accept", ["application/simple-message-summary", "text/plain, */*", "application/*;q=0.2"])
def test_who_reads_summaries_is_accepted(accept: str) -> None:
    _, [phone] = scene()
    assert Watcher(phone).subscribe(extra=f"Accept: {accept}\r\n")[0][1].status == 200


@pytest.mark.parametrize("contact", ["tel:+81312345678", "*", ""])
def test_a_contact_that_is_no_sip_uri_is_400(contact: str) -> None:
    wire, [phone] = scene()
    watcher = Watcher(phone)
    challenge = wire.send(phone.peer, watcher.text())[0][1]
    text = watcher.text(authorization=phone.authorization(challenge, "SUBSCRIBE", watcher.target))
    text = text.replace(f"Contact: <{phone.contact}>", f"Contact: {contact}" if contact else "Subject: none")
    assert wire.send(phone.peer, text)[0][1].status == 400


def test_an_unknown_dialog_is_481_and_an_old_cseq_500() -> None:
    _, phone, watcher, _ = watching()
    watcher.cseq -= 2
    assert [name for _, name in starts(watcher.subscribe())] == ["500"]
    watcher.to = watcher.to + "x"
    assert starts(watcher.subscribe()) == [(phone.peer, "481")]


def test_there_are_so_many_subscriptions_and_no_more() -> None:
    wire, phones = scene(3, most=2)
    assert [Watcher(phone).subscribe()[0][1].status for phone in phones] == [200, 200, 503]
    assert len(wire.engine.mwi.notifier) == 2


def test_one_subscriber_holds_so_many_and_the_one_that_expires_first_makes_room() -> None:
    wire, [phone] = scene(most_of_one=2)
    for call_id, expires in (("a", 600), ("b", 300)):
        (_, ok), (_, notify) = Watcher(phone, call_id).subscribe(expires)
        assert ok.status == 200
        phone.answer(notify, 200)
    sent = Watcher(phone, "c").subscribe()
    ended = [message for _, message in sent if message.method and header(message, "Call-ID") == "b"]
    assert [header(one, "Subscription-State") for one in ended] == ["terminated;reason=probation;retry-after=600"]
    phone.answer(ended[0], 200)
    assert len(wire.engine.mwi.notifier) == 2


# -- what phones answer to a NOTIFY ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 404, 405, 408, 481, 489, 500, 501, 503, 603])
def test_a_failure_ends_the_subscription_and_the_phone_is_told_without_one(status: int) -> None:  # RFC 6665 §4.2.2
    wire, phone, watcher, _ = watching()
    fill(wire, phone, ONE_NEW)
    instead = to(phone.answer(wire.sent[-1][1], status), phone.peer)
    assert lamp(instead) == (True, "1/0 (0/0)")
    assert header(instead, "Call-ID") != watcher.call_id
    phone.answer(instead, 200)
    assert watcher.subscribe()[0][1].status == 481
    over(wire)


def test_silence_ends_the_subscription() -> None:
    wire, phone, _, _ = watching()
    fill(wire, phone, ONE_NEW)
    branch = wire.sent[-1][1].lines[1]
    assert [message.lines[1] for _, message in wire.wait(31)] == [branch] * 9  # timer E
    assert len(wire.engine.mwi.notifier) == 1
    wire.wait(2)
    assert len(wire.engine.mwi.notifier) == 0
    over(wire)


def test_a_connection_that_is_gone_ends_the_subscription_at_once() -> None:
    wire, [phone] = scene()
    phone.peer = ("192.0.2.1", 5061, 3)  # type: ignore[assignment]
    _, (_, notify) = Watcher(phone).subscribe()
    phone.answer(notify, 200)
    fill(wire, phone, ONE_NEW)
    wire.engine.undeliverable(wire.sent[-1][2], wire.now, wire.ms)
    assert len(wire.engine.mwi.notifier) == 0
    over(wire)


def test_retry_after_keeps_the_subscription_and_the_newest_state_follows() -> None:  # RFC 6665 §4.2.2
    wire, phone, _, _ = watching()
    fill(wire, phone, ONE_NEW)
    phone.answer(wire.sent[-1][1], 503, extra="Retry-After: 5 (busy)\r\n")
    assert fill(wire, phone, Counts(3, 0)) == []
    assert wire.wait(4.9) == []
    again = to(awaited(wire, 3.2), phone.peer)
    assert lamp(again) == (True, "3/0 (0/0)")
    phone.answer(again, 200)
    assert len(wire.engine.mwi.notifier) == 1


def test_changes_while_a_notify_is_under_way_become_one() -> None:
    wire, phone, _, _ = watching()
    first = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert fill(wire, phone, Counts(2, 0)) == []
    assert fill(wire, phone, Counts(3, 0)) == []
    second = to(phone.answer(first, 200), phone.peer)
    assert lamp(second) == (True, "3/0 (0/0)")
    assert phone.answer(second, 200) == []


def test_a_phone_that_moved_is_told_where_it_registered_last() -> None:  # R4: as an INVITE would go
    wire, [phone] = scene()
    phone.peer = ("192.0.2.1", 5061, 3)  # type: ignore[assignment]
    phone.register()
    _, (_, notify) = Watcher(phone).subscribe()
    phone.answer(notify, 200)
    phone.peer = ("192.0.2.1", 5061, 4)  # type: ignore[assignment]
    phone.register()
    assert starts(fill(wire, phone, ONE_NEW)) == [(phone.peer, "NOTIFY")]


def test_a_phone_that_was_started_again_is_told_without_the_subscription_it_forgot() -> None:
    wire, phone, watcher, _ = watching()
    phone.answer(to(fill(wire, phone, ONE_NEW), phone.peer), 200)
    phone.register(call_id="started-again")
    old = wire.sent[-1][1]
    assert header(old, "Call-ID") == watcher.call_id
    instead = to(phone.answer(old, 481), phone.peer)
    assert lamp(instead) == (True, "1/0 (0/0)")


def test_a_new_password_ends_the_subscriptions_made_with_the_old_one() -> None:  # N2
    wire, phone, _, _ = watching()
    wire.engine.registrar.forget(phone.account.encode())
    wire.collect()
    last = wire.sent[-1][1]
    assert header(last, "Subscription-State") == "terminated;reason=rejected"
    assert last.body == b""
    phone.answer(last, 200)
    over(wire)


def test_a_clock_that_is_set_back_lets_no_subscription_live_for_ever() -> None:
    wire, phone, watcher, _ = watching()
    wire.skew = -3_600_000
    wire.wait(5)
    (_, ok), (_, notify) = watcher.subscribe(60)
    assert ok.status == 200
    phone.answer(notify, 200)
    last = to(awaited(wire, 62), phone.peer)
    assert header(last, "Subscription-State") == "terminated;reason=timeout"
