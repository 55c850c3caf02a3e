"""Mutated SUBSCRIBEs and answers to NOTIFYs: nothing that the engine cannot take, and nothing that grows."""

from __future__ import annotations

from random import Random

import pytest

from bench.mutations import mutate
from denwa.voip.sip.peer import Peer
from tests.voip.mwi.rig import ONE_NEW, Watcher, fill, lamp, left_behind, scene
from tests.voip.torture.test_mutations import sound
from tests.voip.wire import Phone, Wire, answer

STRANGER: Peer = ("198.51.100.66", 5060)
MOST, MOST_OF_ONE = 12, 3


class Scene:
    """A subscription that is up, and the messages that made it; every third message is true to a subscriber."""

    def __init__(self) -> None:
        self.wire: Wire
        self.wire, [self.phone, self.other] = scene(2, most=MOST, most_of_one=MOST_OF_ONE)
        self.seeds: list[bytes] = []
        plain = self.wire.engine.receive

        def keep(data: bytes, peer: Peer, *times: float) -> None:
            self.seeds.append(data)
            plain(data, peer, *times)  # type: ignore[arg-type]

        self.wire.engine.receive = keep  # type: ignore[method-assign, assignment]
        self.phone.register()
        watcher = Watcher(self.phone)
        _, (_, notify) = watcher.subscribe(extra="Record-Route: <sip:edge.example;lr>\r\nAccept: */*\r\n")
        for status in (100, 200, 481):
            self.seeds.append(answer(notify, status, self.phone.peer).encode())
        self.seeds.append(answer(notify, 503, self.phone.peer, extra="Retry-After: 9\r\n").encode())
        watcher.subscribe(120)
        watcher.subscribe(0)
        Watcher(self.phone, "with-an-id").subscribe(event="message-summary;id=9")
        self.wire.engine.receive = plain  # type: ignore[method-assign]

    def check(self) -> None:
        mwi = self.wire.engine.mwi
        assert len(mwi.notifier) <= MOST
        assert len(mwi.lamps) <= 2 * 10
        entries, _ = mwi.notifier.take_changes()
        for entry in entries:
            for text in entry[:10]:
                assert "\0" not in str(text)
                str(text).encode("utf-8")


@pytest.mark.parametrize("seed", range(3))
def test_mutated_subscribes_and_answers_harm_nothing(seed: int) -> None:
    random = Random(seed)
    life = Scene()
    wire, phone = life.wire, life.phone
    peers = (phone.peer, life.other.peer, STRANGER, (*STRANGER, 7), (*phone.peer, -9))
    for turn in range(6):
        for _ in range(200):
            before = len(wire.sent)
            data = mutate(random, life.seeds) if random.random() < 0.7 else random.choice(life.seeds)
            wire.send(random.choice(peers), data)
            for _, _, sent in wire.sent[before:]:
                sound(sent)
            if random.random() < 0.02:
                wire.wait(random.choice((0.1, 1.0, 8.0)))
        life.check()
        wire.sent.clear()
        good_subscription(wire, turn)
        wire.wait(33.0)  # transactions run out
    assert wire.counters["mwi", "subscribed"] > 15  # many are true enough to be accepted
    wire.engine.registrar.forget(phone.account.encode())
    wire.wait(7400.0)
    assert left_behind(wire) == (0, 0, 0)


def good_subscription(wire: Wire, turn: int) -> None:
    """Somebody else subscribes, is told, and leaves, as if nothing had happened."""
    phone = Phone(wire, 3)
    watcher = Watcher(phone, f"good-{turn}")
    (_, ok), (_, first) = watcher.subscribe()
    assert ok.status == 200
    phone.answer(first, 200)
    notify = fill(wire, phone, ONE_NEW._replace(new=turn + 1))[0][1]
    assert lamp(notify) == (True, f"{turn + 1}/0 (0/0)")
    phone.answer(notify, 200)
    phone.answer(watcher.subscribe(0)[1][1], 200)
