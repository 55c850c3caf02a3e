"""A calls B, who forwards: the stage for the tests of forwarding."""

from __future__ import annotations

from denwa.voip.sip.message import Message
from denwa.voip.subscribers import Forward
from tests.voip.wire import GATEWAY, SDP, Phone, Sent, Talk, Wire, answer, subscriber, to

FIXED = "+81312345678"
A, B, C, D = (f"+81505001000{n}" for n in range(1, 5))


class Scene:
    """A calls B, who forwards to `target`; C and D are other subscribers."""

    def __init__(self, target: str = FIXED, *, always: bool = True, registered: bool = True, c: dict | None = None,
                 d: dict | None = None, b: dict | None = None, **settings: object) -> None:  # fmt: skip
        forward = Forward(always, target)
        subscribers = [
            subscriber(1),
            subscriber(2, forward=forward, **(b or {})),
            subscriber(3, **(c or {})),
            subscriber(4, **(d or {})),
        ]
        self.wire = Wire(*subscribers, **settings)
        self.a, self.b, self.c, self.d = (Phone(self.wire, n) for n in range(1, 5))
        for phone in (self.b, self.c, self.d) if registered else (self.c, self.d):
            phone.register()

    def call(self, dialled: str = "", call_id: str = "call-1") -> Sent:
        return self.a.invite(dialled or self.b.number, call_id)

    def by_leg(self) -> dict[str, list]:
        found: dict[str, list] = {}
        for entry in self.wire.calls:
            found.setdefault(entry.leg, []).append(entry)
        return found

    def finish(self) -> None:
        """Nothing stays behind."""
        self.wire.wait(240)
        assert self.wire.transactions == 0
        assert len(self.wire.engine.calls) == 0
        assert not self.wire.engine.admission.busy
        assert not self.wire.engine._forwarding._in_setup


def refused(sent: Sent, scene: Scene) -> Message:
    """The 480 that the caller got."""
    response = to(sent, scene.a.peer)
    assert response.status == 480, response.lines[0]
    scene.a.ack_failure(response)
    return response


def wire_answer(scene: Scene, invite: Message, status: int, **more: str) -> Sent:
    return scene.wire.send(GATEWAY, answer(invite, status, GATEWAY, **more))


def up(scene: Scene, ring: float = 3.0) -> tuple[Talk, Message]:
    """The gateway answers a forwarded call: the caller's dialog, and what the gateway got."""
    invite = to(scene.call(), GATEWAY)
    wire_answer(scene, invite, 180)
    scene.wire.wait(ring)
    talk = Talk.of_caller(scene.a, to(wire_answer(scene, invite, 200, body=SDP), scene.a.peer))
    talk.send("ACK")
    return talk, invite
