"""A subscriber's call to the voicemail box in a worker. See `lone_call.py` for the rules of pjsua2.

Prompts and messages are played one after the other; keys come by RFC 4733 or SIP INFO and interrupt them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pjsua2 as pj

from denwa.voicemail import wav
from denwa.voicemail.box_flow import LONGEST, RECORDED, TONE, Ask, Await, BoxFlow, Do, Effect, Play, Say
from denwa.voicemail.box_prompts import Entry
from denwa.voicemail.box_table import Event, State
from denwa.voicemail.keys import key_of_info
from denwa.voicemail.worker.call import CLOSE_PATIENCE
from denwa.voicemail.worker.lone_call import Desk, LoneCall, Player, fault_text

PARTING_PATIENCE = 15.0  # seconds from the longest time of a call until it is ended without a word


class Visit(NamedTuple):
    """What the service tells of a call to a box. `own`: from the own phone; `folder`: for its files; `prompts`: folders
    in which prompts are looked for, the first first."""

    own: bool
    folder: Path
    prompts: tuple[Path, ...]


class BoxCall(LoneCall):
    def __init__(self, account: pj.Account, call_id: int, desk: Desk, lease: str, visit: Visit) -> None:
        super().__init__(account, call_id, desk, lease)
        self.finished = False
        self._visit = visit
        self._flow = BoxFlow(own=visit.own)
        self._player: Player | None = None
        self._queue: deque[Path] = deque()  # to be played after it
        self._recorder: pj.AudioMediaRecorder | None = None
        self._closing_since: float | None = None
        self._silence_at: float | None = None
        self._limit_at = time.monotonic() + LONGEST

    def stop(self) -> None:
        self._happened(Event.STOP)

    def told(self, answer: dict[str, Any]) -> None:
        """The service has answered."""
        match answer:
            case {"answer": "opened", "messages": list(messages)}:
                self._do(lambda: self._flow.opened(Entry(**message) for message in messages))
            case {"answer": "here", "path": str(path)}:
                self._do(lambda: self._flow.here(path))
            case {"answer": "wrong" | "locked" | "missing" | "done" | "failed" as name}:
                self._happened(Event(name))

    # Callbacks of pjsua2

    def onDtmfDigit(self, prm: Any) -> None:
        if prm.method != pj.PJSUA_DTMF_METHOD_SIP_INFO:  # those are read below, all kinds of them
            self._keyed(str(prm.digit))

    def onCallTsxState(self, prm: Any) -> None:
        event = prm.e
        if event.type == pj.PJSIP_EVENT_TSX_STATE and event.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG:
            self._keyed(key_of_info(event.body.tsxState.src.rdata.wholeMsg))

    # The flow

    def tick(self, now: float) -> None:
        """`now`: monotonic seconds."""
        if self._silence_at is not None and now >= self._silence_at:
            self._silence_at = None
            self._happened(Event.SILENCE)
        if self._closing_since is not None and self._is_recorded(now - self._closing_since):
            self._closing_since = None
            self._happened(Event.RECORDED)
        if now >= self._limit_at and self._flow.state not in (State.LEAVING, State.ENDED):
            self._limit_at = now + PARTING_PATIENCE
            self._happened(Event.LIMIT)

    def _keyed(self, key: str) -> None:
        if key:
            self.desk.later(lambda: self._do(lambda: self._flow.key(key)))

    def hung_up(self) -> None:
        self._happened(Event.HANGUP)

    def joined(self) -> None:
        """The ACK and the sound are both there; or the sound was set up anew by a re-INVITE and is joined again."""
        if not self._confirmed or self._media is None:
            return
        if self._flow.state is State.ANSWERED:
            self._happened(Event.ESTABLISHED)
            return
        try:
            if self._player is not None:
                self._player.startTransmit(self._media)
            if self._recorder is not None:
                self._media.startTransmit(self._recorder)
        except pj.Error as fault:
            self._failed(fault)

    def _happened(self, event: Event) -> None:
        self._do(lambda: self._flow.happened(event))

    def _do(self, flow: Callable[[], list[Effect]]) -> None:
        for effect in flow():
            try:
                self._perform(effect)
            except pj.Error as fault:
                self._failed(fault)

    def _failed(self, fault: pj.Error) -> None:
        """The library could not do it: end the call rather than let it hang."""
        self.desk.tell("fault", lease=self.lease, text=fault_text(fault))
        if self._flow.state not in (State.LEAVING, State.ENDED):
            self.desk.later(self.stop)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Say(prompts):
                self._play([self._prompt(name) for name in prompts])
            case Play(path):
                self._play([Path(path) if path else self._visit.folder / RECORDED])
            case Await(seconds):
                self._silence_at = time.monotonic() + seconds
            case Ask(what, fields):
                self.desk.tell("ask", lease=self.lease, what=what, **fields)
            case Do.HUSH:
                self._hush()
            case Do.RECORD:
                self._record()
            case Do.END_RECORD:
                self._end_record()
            case Do.CLOSE:
                self._hush()
                self._end_record()
                self._closing_since = None
                self.desk.tell("closed", lease=self.lease)
            case Do.BYE:
                self.leave()
            case Do.FREE:
                self._media = None
                self.finished = True
                self.desk.freed(self)

    # Sound

    def _prompt(self, name: str) -> Path:
        if name == TONE:
            return self.desk.options.tone
        paths = [folder / f"{name}.wav" for folder in self._visit.prompts]
        return next((path for path in paths if path.is_file()), paths[-1])

    def _play(self, paths: list[Path]) -> None:
        self._hush()
        self._queue.extend(paths)
        self._play_next()

    def _play_next(self) -> None:
        player = Player(self._at_end)
        player.createPlayer(str(self._queue.popleft()), pj.PJMEDIA_FILE_NO_LOOP)
        player.startTransmit(self._media)
        self._player = player

    def _at_end(self, player: Player) -> None:
        self.desk.later(lambda: self._played(player))

    def _played(self, player: Player) -> None:
        if player is not self._player:
            return
        self.desk.drop(player)
        self._player = None
        if not self._queue:
            self._happened(Event.PLAYED)
            return
        try:
            self._play_next()
        except pj.Error as fault:
            self._failed(fault)

    def _hush(self) -> None:
        self._silence_at = None
        self._queue.clear()
        if self._player is not None:
            self.desk.drop(self._player)
            self._player = None

    def _record(self) -> None:
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(str(self._visit.folder / RECORDED))
        self._recorder = recorder
        assert self._media is not None  # nothing is recorded before ESTABLISHED
        self._media.startTransmit(recorder)

    def _is_recorded(self, waited: float) -> bool:
        return wav.is_complete(self._visit.folder / RECORDED) or waited > CLOSE_PATIENCE

    def _end_record(self) -> None:
        """The file is completed by the mixer's next tick after the last reference is gone."""
        self._silence_at = None
        if self._recorder is not None:
            self.desk.drop(self._recorder)
            self._recorder = None
            self._closing_since = time.monotonic()
