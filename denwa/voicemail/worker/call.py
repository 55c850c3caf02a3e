"""One call in a worker: carries out what the call flow decides, with pjsua2's players and recorder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pjsua2 as pj

from denwa.voicemail import spool, wav
from denwa.voicemail.flow import Action, Event, State, step
from denwa.voicemail.keys import key_of_info
from denwa.voicemail.sound.listening import Heard, Listener
from denwa.voicemail.spool import Hold, Taken
from denwa.voicemail.worker.lone_call import Desk, LoneCall, Player, fault_text

# The recorder runs a little longer than the longest message; the file is cut to length when it is stored.
LIMIT_MARGIN = 0.04  # seconds
CLOSE_PATIENCE = 1.0  # seconds until a recording is told closed though its header is not written
END_KEY = "#"


class Call(LoneCall):
    """`greeting`: the WAV file of the subscriber's own; "" for the service's."""

    def __init__(self, account: pj.Account, call_id: int, desk: Desk, lease: Taken, greeting: str = "") -> None:
        super().__init__(account, call_id, desk, lease.lease)
        self.taken = replace(lease, called_at_ms=time.time_ns() // 1_000_000)
        self.state = State.ANSWERED
        self._greeting = Path(greeting) if greeting else desk.options.greeting
        self._player: Player | None = None
        self._recorder: pj.AudioMediaRecorder | None = None
        self._recording_since = 0.0
        self._listener: Listener | None = None
        self._hold: Hold | None = None
        self._closing_since: float | None = None
        self._freed = False

    def accept(self, status: int = 200) -> None:
        """Note the call in the spool and answer. Raises OSError (spool) or pj.Error."""
        self._hold = spool.take(self.desk.options.spool, self.taken)
        super().accept(status)

    # Callbacks of pjsua2

    def onDtmfDigit(self, prm: Any) -> None:
        self._keyed(str(prm.digit))

    def onCallTsxState(self, prm: Any) -> None:
        # The library reads `application/dtmf-relay` itself. `application/dtmf` it does not know and answers with 500,
        # which ends no call; the key counts all the same.
        event = prm.e
        if event.type != pj.PJSIP_EVENT_TSX_STATE or event.body.tsxState.type != pj.PJSIP_EVENT_RX_MSG:
            return
        self._keyed(key_of_info(event.body.tsxState.src.rdata.wholeMsg))

    # The flow

    def happened(self, event: Event) -> None:
        self.state, actions = step(self.state, event)
        for action in actions:
            try:
                self._perform(action)
            except pj.Error as fault:
                self._failed(fault)

    def tick(self, now: float) -> None:
        """`now`: monotonic seconds."""
        longest = self.desk.options.max_seconds + LIMIT_MARGIN
        if self.state is State.RECORDING and now - self._recording_since >= longest:
            self.happened(Event.LIMIT)
        if self.state is State.RECORDING:
            self._listen(now)
        if self._closing_since is not None:
            path = spool.sound_path(self.desk.options.spool, self.lease)
            if wav.is_complete(path) or now - self._closing_since > CLOSE_PATIENCE:
                self._closed()

    def stop(self) -> None:
        self.happened(Event.STOP)

    @property
    def finished(self) -> bool:
        """Over, and its outcome told."""
        return self._freed and self._closing_since is None

    def hung_up(self) -> None:
        self.happened(Event.HANGUP)

    def joined(self) -> None:
        """The ACK and the sound are both there; or the sound was set up anew by a re-INVITE and is joined again."""
        if not self._confirmed or self._media is None:
            return
        if self.state is State.ANSWERED:
            self.happened(Event.ESTABLISHED)
            return
        try:
            if self._player is not None:
                self._player.startTransmit(self._media)
            elif self._recorder is not None:
                self._media.startTransmit(self._recorder)
        except pj.Error as fault:
            self._failed(fault)

    def _keyed(self, key: str) -> None:
        if key == END_KEY:
            self.desk.later(self._end_key)

    def _end_key(self) -> None:
        if self.state is State.RECORDING:
            self._done()
        else:
            self.happened(Event.KEY)

    def _done(self) -> None:
        """The caller is done: thanked if there is something to be kept."""
        spoke = self._listener is not None and self._listener.spoke
        self.happened(Event.FINISHED if spoke else Event.NOTHING)

    def _listen(self, now: float) -> None:
        assert self._listener is not None  # made with the recorder
        assert self._media is not None
        try:
            heard = self._listener.hear(self._media.getTxLevel(), now)
        except pj.Error:  # between the end of a sound and its being set up anew
            return
        if heard is Heard.SILENCE:
            self._done()
        elif heard is Heard.BUSY:
            self.happened(Event.NOTHING)  # nobody is there to be thanked

    def _failed(self, fault: pj.Error) -> None:
        """The library could not do it: end the call rather than let it hang."""
        self.desk.tell("fault", lease=self.lease, text=fault_text(fault))
        if self.state not in (State.LEAVING, State.ENDED):
            self.desk.later(lambda: self.happened(Event.STOP))

    def _perform(self, action: Action) -> None:
        match action:
            case Action.GREET:
                self._play(self._greeting if self._greeting.is_file() else self.desk.options.greeting)
            case Action.BEEP:
                self._play(self.desk.options.tone)
            case Action.RECORD:
                self._record()
            case Action.CLOSE:
                self._close()
            case Action.THANK:
                self._play(self.desk.options.saved)
            case Action.BYE:
                self.leave()
            case Action.FREE:
                self._free()

    def _play(self, path: Path) -> None:
        self._silence()
        player = Player(self._at_end)
        player.createPlayer(str(path), pj.PJMEDIA_FILE_NO_LOOP)
        player.startTransmit(self._media)
        self._player = player

    def _at_end(self, player: Player) -> None:
        self.desk.later(lambda: self._played(player))

    def _played(self, player: Player) -> None:
        if player is self._player:
            self.happened(Event.PLAYED)

    def _silence(self) -> None:
        if self._player is not None:
            self.desk.drop(self._player)
            self._player = None

    def _record(self) -> None:
        self._silence()
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(str(spool.sound_path(self.desk.options.spool, self.lease)))
        self._recorder = recorder
        self._recording_since = time.monotonic()
        self._listener = Listener(self.desk.options.silence_seconds, self._recording_since)
        assert self._media is not None  # RECORD follows ESTABLISHED
        self._media.startTransmit(recorder)

    def _close(self) -> None:
        self._silence()
        if self._recorder is None:
            self._closed()
            return
        # The file is completed by the mixer's next tick after the last reference is gone.
        self.desk.drop(self._recorder)
        self._recorder = None
        self._closing_since = time.monotonic()

    def _closed(self) -> None:
        self._closing_since = None
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        self.desk.tell("closed", lease=self.lease)

    def _free(self) -> None:
        self._media = None
        self._freed = True
        self.desk.freed(self)
