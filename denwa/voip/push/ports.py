"""What the proxy needs of a push notification service: that a phone is told to wake up."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from denwa.voip.push.parameters import PushDevice


class PushRequest(NamedTuple):
    """`ident` names this wake-up, also when it is sent again. `call_id`: of the call as the phone may know it.
    `caller`: E.164, "" unless the operator wants it told and the caller does not hide. `seconds`: how long it is of
    use."""

    ident: str
    device: PushDevice
    call_id: str
    caller: str
    seconds: int


class PushAnswer(NamedTuple):
    """Whether the push service took it; else why not."""

    taken: bool
    reason: str = ""


class PushService(Protocol):
    def request(self, push: PushRequest, deliver: Callable[[PushAnswer, float], None]) -> None:
        """Wake a phone; `deliver(answer, now)` is called once, later, in the engine's thread."""
        ...
