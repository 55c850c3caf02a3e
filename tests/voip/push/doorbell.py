"""A push service that answers when the test says so, and phones that can be woken by it."""

from __future__ import annotations

from collections.abc import Callable

from denwa.voip.push.parameters import PushRules
from denwa.voip.push.ports import PushAnswer, PushRequest
from tests.voip.wire import Phone, Sent, Wire, subscriber

RULES = PushRules((b"apns", b"fcm"), wait=10, awake=30)
TAKEN = PushAnswer(True)


class Doorbell:
    """Keeps what it was asked; `answer` is given to the oldest question."""

    def __init__(self) -> None:
        self.pushes: list[PushRequest] = []
        self.waiting: list[Callable[[PushAnswer, float], None]] = []

    def request(self, push: PushRequest, deliver: Callable[[PushAnswer, float], None]) -> None:
        self.pushes.append(push)
        self.waiting.append(deliver)

    def answer(self, wire: Wire, answer: PushAnswer = TAKEN) -> Sent:
        before = len(wire.sent)
        self.waiting.pop(0)(answer, wire.now)
        wire.collect()
        return wire.since(before)


def push_phone(wire: Wire, index: int = 2, *, provider: str = "fcm", prid: str = "", **place: object) -> Phone:
    """A phone whose Contact says how it is woken."""
    phone = Phone(wire, index, **place)  # type: ignore[arg-type]
    prid = prid or f"token-{index}"
    phone.contact += f";pn-provider={provider};pn-param=project;pn-prid={prid}"
    return phone


def push_wire(*subscribers: object, rules: PushRules = RULES, **settings: object) -> tuple[Wire, Doorbell]:
    bell = Doorbell()
    people = subscribers or (subscriber(1), subscriber(2, voicemail=True))
    return Wire(*people, push_service=bell, push=rules, **settings), bell  # type: ignore[arg-type]
