"""A call that ends where it was answered: nobody can make a worker call anywhere.

Callbacks of pjsua2 only note what happened (`Desk.later`); objects of pjsua2 are let go outside of callbacks
(`Desk.drop`), because the library aborts the process otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pjsua2 as pj

from denwa.voicemail.worker.endpoint import Options

DECLINED = 603


class Desk(Protocol):
    """What a call needs of the worker."""

    options: Options

    def later(self, task: Callable[[], None]) -> None: ...

    def drop(self, thing: Any) -> None: ...

    def tell(self, event: str, **fields: Any) -> None: ...

    def freed(self, call: pj.Call) -> None: ...


class Player(pj.AudioMediaPlayer):
    """Plays a file; `on_end` is called, with the player, once it is over.

    It must not be part of a cycle once its call lets it go: a call that waits for the garbage collector hangs up, when
    it is collected, whichever call has its number in the library by then.
    """

    def __init__(self, on_end: Callable[[Player], None]) -> None:
        super().__init__()
        self._on_end = on_end

    def onEof2(self) -> None:
        self._on_end(self)


class LoneCall(pj.Call):
    """What all kinds of calls of a worker share. A kind says what `joined` and `hung_up` mean to it."""

    def __init__(self, account: pj.Account, call_id: int, desk: Desk, lease: str) -> None:
        super().__init__(account, call_id)
        self.desk = desk
        self.lease = lease
        self._media: pj.AudioMedia | None = None
        self._confirmed = False

    def accept(self, status: int = 200) -> None:
        """Answer. Raises pj.Error."""
        answer = pj.CallOpParam(True)
        answer.statusCode = status
        self.answer(answer)
        self.desk.tell("answered", lease=self.lease)

    def joined(self) -> None:
        """The ACK has come, or the sound is set up, perhaps anew by a re-INVITE."""
        raise NotImplementedError

    def hung_up(self) -> None:
        """By the caller, or by the worker."""
        raise NotImplementedError

    def leave(self) -> None:
        """End it from here. Raises pj.Error."""
        leave = pj.CallOpParam(True)
        leave.statusCode = 480  # the answer if none was sent yet; else a BYE goes out
        self.hangup(leave)

    # Callbacks of pjsua2

    def onCallState(self, prm: Any) -> None:
        state = self.getInfo().state
        if state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._confirmed = True
            self.desk.later(self.joined)
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.desk.later(self.hung_up)

    def onCallMediaState(self, prm: Any) -> None:
        info = self.getInfo()  # must outlive the loop: `media` is a part of it
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self._media = self.getAudioMedia(index)
                self.desk.later(self.joined)
                return

    # Without these the library accepts a REFER (RFC 3515) and calls whatever it names.

    def onCallTransferRequest(self, prm: Any) -> None:
        prm.statusCode = DECLINED

    def onCallReplaceRequest(self, prm: Any) -> None:
        prm.statusCode = DECLINED


def fault_text(fault: Exception) -> str:
    return str(fault.info()) if isinstance(fault, pj.Error) else str(fault)
