"""Subscriptions to mailboxes on both databases (V6)."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from denwa.storage.subscription_store import MwiSubscriptionStore
from denwa.voip.mwi.ports import SubscriptionEntry

NOW = 1_790_000_000_000


def entry(tag: str, **changes: object) -> SubscriptionEntry:
    values: dict[str, object] = {
        "local_tag": tag,
        "account": "50010001",
        "call_id": "watch@phone",
        "remote_tag": "abc",
        "local": "<sip:50010001@denwa.example>;tag=" + tag,
        "remote": '"\xe3\x81\x9f" <sip:50010001@denwa.example>;tag=abc',
        "routes": "<sip:a.example;lr>\n<sip:b.example;lr>",
        "event": "Event: message-summary;id=7",
        "target": "sip:50010001@192.0.2.1:5061",
        "flow": "udp:192.0.2.1:5061",
        "remote_cseq": 2**31 - 1,
        "expires_ms": NOW + 600_001,
    }
    return SubscriptionEntry(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def store(engine: Engine) -> MwiSubscriptionStore:
    return MwiSubscriptionStore(engine)


def test_every_column_is_kept_and_the_last_word_of_a_tag_counts(store: MwiSubscriptionStore) -> None:
    store.keep([entry("a"), entry("b")], [])
    store.keep([entry("b", target="sip:moved@192.0.2.2", remote_cseq=3, expires_ms=NOW + 5)], ["unknown"])
    assert store.subscriptions(NOW) == [
        entry("b", target="sip:moved@192.0.2.2", remote_cseq=3, expires_ms=NOW + 5),
        entry("a"),
    ]


def test_what_is_over_is_gone_whether_it_ended_or_expired(store: MwiSubscriptionStore) -> None:
    store.keep([entry(f"{n}", expires_ms=NOW + n) for n in range(1, 1201)], [])
    store.keep([], [f"{n}" for n in range(601, 1201)])
    assert [one.local_tag for one in store.subscriptions(NOW + 598)] == ["599", "600"]
    assert len(store.subscriptions(NOW)) == 2  # the others were deleted
    store.keep([], [])
