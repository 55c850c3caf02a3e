"""One refused caller in a worker: 183, the prompt once, the refusal. See `lone_call.py` for the rules of pjsua2."""

from __future__ import annotations

import time
from pathlib import Path

import pjsua2 as pj

from denwa.voicemail.guidance_flow import LONGEST, PAUSE, Action, Event, State, step
from denwa.voicemail.worker.lone_call import Desk, LoneCall, Player, fault_text


class GuidanceCall(LoneCall):
    """`lease`: the place; `prompt`: the WAV file."""

    def __init__(self, account: pj.Account, call_id: int, desk: Desk, lease: str, prompt: Path) -> None:
        super().__init__(account, call_id, desk, lease)
        self.state = State.OFFERED
        self._prompt = prompt
        self._since = time.monotonic()
        self._pause_over: float | None = None
        self._player: Player | None = None
        self.finished = False

    def accept(self, status: int = 183) -> None:
        """Set the early media up. Raises pj.Error."""
        super().accept(status)

    def stop(self) -> None:
        self.happened(Event.STOP)

    # The flow

    def joined(self) -> None:
        self.happened(Event.SOUND)

    def hung_up(self) -> None:
        self.happened(Event.HANGUP)

    def happened(self, event: Event) -> None:
        self.state, actions = step(self.state, event)
        for action in actions:
            try:
                self._perform(action)
            except pj.Error as fault:
                self.desk.tell("fault", lease=self.lease, text=fault_text(fault))
                if self.state not in (State.LEAVING, State.ENDED):
                    self.desk.later(self.stop)

    def tick(self, now: float) -> None:
        """`now`: monotonic seconds."""
        if self._pause_over is not None and now >= self._pause_over:
            self._pause_over = None
            self.happened(Event.PAUSED)
        if now - self._since >= LONGEST:
            self.happened(Event.LIMIT)

    def _perform(self, action: Action) -> None:
        match action:
            case Action.WAIT:
                self._pause_over = time.monotonic() + PAUSE
            case Action.SPEAK:
                player = Player(lambda _player: self.desk.later(lambda: self.happened(Event.PLAYED)))
                player.createPlayer(str(self._prompt), pj.PJMEDIA_FILE_NO_LOOP)
                player.startTransmit(self._media)
                self._player = player
            case Action.REFUSE:
                self._silence()
                self.leave()  # 480: the proxy has the caller's own
            case Action.FREE:
                self._silence()
                self._media = None
                self.finished = True
                self.desk.freed(self)

    def _silence(self) -> None:
        if self._player is not None:
            self.desk.drop(self._player)
            self._player = None
