"""Subscriptions live on when the service is started again (V6)."""

from __future__ import annotations

import pytest

from denwa.voip.mwi.ports import SubscriptionEntry
from denwa.voip.mwi.summary import EMPTY
from denwa.voip.sip import message as m
from tests.voip.mwi.rig import ONE_NEW, Watcher, awaited, fill, header, lamp, left_behind, scene
from tests.voip.wire import Phone, Wire, text_of, to

ROUTES = "Record-Route: <sip:edge.example;lr>, <sip:192.0.2.99;lr>\r\n"


def watching() -> tuple[Wire, Phone, Watcher, SubscriptionEntry]:
    """A phone that has subscribed, and what is stored of that."""
    wire, [phone] = scene()
    watcher = Watcher(phone)
    _, (_, notify) = watcher.subscribe(extra=ROUTES)
    phone.answer(notify, 200)
    [entry], over = wire.engine.mwi.notifier.take_changes()
    assert over == []
    return wire, phone, watcher, entry


def start_again(wire: Wire, *entries: SubscriptionEntry) -> None:
    wire.now += 2
    wire.start()
    wire.engine.restore([], [], wire.now, wire.ms)
    wire.engine.mwi.notifier.restore(entries, wire.now)


def test_a_phone_is_told_in_its_dialog_and_refreshes_it_after_a_restart() -> None:
    wire, phone, watcher, entry = watching()
    before = wire.sent[-1][1]
    start_again(wire, entry)
    notify = to(fill(wire, phone, ONE_NEW), phone.peer)
    assert lamp(notify) == (True, "1/0 (0/0)")
    for kind in (m.FROM, m.TO, m.CALL_ID, m.ROUTE):
        assert notify.values(kind) == before.values(kind)
    assert int(text_of(notify, m.CSEQ).split()[0]) > int(text_of(before, m.CSEQ).split()[0])
    assert header(notify, "Subscription-State") == "active;expires=598"
    phone.answer(notify, 200)
    sent = watcher.subscribe()
    assert [message.status for _, message in sent] == [200, 0]
    [again], _ = wire.engine.mwi.notifier.take_changes()
    assert again == entry._replace(expires_ms=wire.ms + 600_000, remote_cseq=watcher.cseq)


def test_a_phone_that_subscribed_is_not_told_twice_when_the_service_starts() -> None:
    wire, phone, _, entry = watching()
    phone.register()
    bindings = [one for group in wire.committed for one in group.bindings]
    wire.start()
    wire.engine.restore(bindings, [], wire.now, wire.ms)  # type: ignore[arg-type]
    wire.engine.mwi.notifier.restore([entry], wire.now)
    before = len(wire.sent)
    wire.engine.mwi.load({phone.account.encode(): EMPTY}, wire.now, wire.ms)
    wire.collect()
    notify = to(wire.since(before), phone.peer)
    assert header(notify, "Call-ID") == "watch-1"


def test_what_is_taken_up_expires_when_it_would_have() -> None:
    wire, phone, _, entry = watching()
    start_again(wire, entry)
    assert wire.wait(590) == []
    last = to(awaited(wire, 12), phone.peer)
    assert header(last, "Subscription-State") == "terminated;reason=timeout"
    phone.answer(last, 200)
    assert wire.engine.mwi.notifier.take_changes() == ([], [entry.local_tag])
    wire.wait(60)
    assert left_behind(wire) == (0, 0, 0)


@pytest.mark.parametrize("changes", [{"flow": "carrier pigeon"}, {"account": "99999999"}, {"target": "日本"}])
def test_what_cannot_be_taken_up_is_forgotten_and_does_not_stop_the_others(changes: dict[str, str]) -> None:
    wire, _, _, entry = watching()
    start_again(wire, entry._replace(local_tag="other", **changes), entry)
    assert len(wire.engine.mwi.notifier) == 1
    assert wire.engine.mwi.notifier.take_changes() == ([], ["other"])


def test_what_could_not_be_stored_is_stored_with_what_comes() -> None:
    wire, phone, _, entry = watching()
    notifier = wire.engine.mwi.notifier
    assert not notifier.unstored
    notifier.put_back([entry], ["gone"])
    assert notifier.unstored
    assert notifier.take_changes() == ([entry], ["gone"])
    wire.engine.registrar.forget(phone.account.encode())
    wire.collect()
    phone.answer(wire.sent[-1][1], 200)
    notifier.put_back([entry], [])
    assert notifier.take_changes() == ([], [entry.local_tag])


def test_a_nul_in_a_name_reaches_no_database() -> None:
    wire, [phone] = scene()
    phone.aor = f'"a\\\0b" <sip:{phone.account}@denwa.example>'
    assert Watcher(phone).subscribe()[0][1].status == 200
    assert wire.engine.mwi.notifier.take_changes() == ([], [])
