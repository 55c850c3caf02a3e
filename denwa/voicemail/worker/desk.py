"""The worker's loop: leases from the service, calls from the proxy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pjsua2 as pj

from denwa.voicemail.spool import Taken
from denwa.voicemail.worker.box_call import BoxCall, Visit
from denwa.voicemail.worker.call import Call
from denwa.voicemail.worker.endpoint import Options, account_config, open_endpoint, open_transport
from denwa.voicemail.worker.guidance import GuidanceCall
from denwa.voicemail.worker.lines import Lines
from denwa.voicemail.worker.lone_call import fault_text
from denwa.voicemail.worker.watchdog import Watchdog

BUSY_POLL_MS = 20
IDLE_POLL_MS = 200  # commands that matter are read when a call comes
STOP_PATIENCE = 2.0  # seconds for the answers to our BYEs


class Desk:
    def __init__(self, options: Options, lines: Lines) -> None:
        self.options = options
        self._lines = lines
        self._leases: dict[str, Taken | Path | Visit] = {}  # a message to take, a prompt to say, a box to tell
        self._greetings: dict[str, str] = {}  # by lease: files of own greetings
        self._calls: list[Call | GuidanceCall | BoxCall] = []
        self._tasks: list[Callable[[], None]] = []
        self._dropped: list[Any] = []
        self._stopping: float | None = None
        self._leave_asked = False
        self._leaving = False
        self._endpoint = open_endpoint(options.clock_rate)
        transport, self.port = open_transport(self._endpoint)
        self._endpoint.libStart()
        self._account = _Account(self)
        self._account.create(account_config(transport, options))

    # What calls and the account ask for

    def later(self, task: Callable[[], None]) -> None:
        self._tasks.append(task)

    def drop(self, thing: Any) -> None:
        self._dropped.append(thing)

    def tell(self, event: str, **fields: Any) -> None:
        self._lines.tell(event, **fields)

    def freed(self, call: pj.Call) -> None:
        self._dropped.append(call)

    def incoming(self, account: pj.Account, call_id: int, lease: str) -> None:
        self._obey()  # a lease is written before its URI is given away, so it is here or it does not exist
        taken = self._leases.pop(lease, None)
        if taken is None:
            self._refuse(pj.Call(account, call_id))
            self.tell("refused", lease=lease)
            return
        call: Call | GuidanceCall | BoxCall
        if isinstance(taken, Path):
            call = GuidanceCall(account, call_id, self, lease, taken)
        elif isinstance(taken, Visit):
            call = BoxCall(account, call_id, self, lease, taken)
        else:
            call = Call(account, call_id, self, taken, self._greetings.pop(lease, ""))
        self._calls.append(call)
        try:
            call.accept()
        except (OSError, pj.Error) as fault:
            self.tell("fault", lease=lease, text=f"cannot take a call: {fault_text(fault)}")
            self.later(call.stop)

    # The loop

    def run(self) -> None:
        """Until told to stop, or until the service is gone and its calls have ended."""
        watchdog = Watchdog()
        self.tell("ready", port=self.port, pid=os.getpid())
        while not self._done():
            watchdog.feed()
            self._endpoint.libHandleEvents(BUSY_POLL_MS if self._calls else IDLE_POLL_MS)
            self._obey()
            self._work()

    def stop(self) -> None:
        """End every call; recordings are closed."""
        if self._stopping is None:
            self._stopping = time.monotonic()
            for call in self._calls:
                self.later(call.stop)

    def leave(self) -> None:
        """Take no new calls, and end when those that run are over. For a signal handler: it only notes the wish."""
        self._leave_asked = True

    def close(self) -> None:
        """Let go of every object, then of the library; the other order aborts."""
        self._calls.clear()
        self._tasks.clear()
        self._dropped.clear()
        self._endpoint.libDestroy()

    def _done(self) -> bool:
        if self._stopping is not None:
            return not self._calls or time.monotonic() - self._stopping > STOP_PATIENCE
        if self._calls:
            return False
        return self._lines.orphaned or (self._leaving and not self._leases)

    def _obey(self) -> None:
        for command in self._lines.commands():
            match command:
                case {"do": "lease", "lease": str(lease), **fields}:
                    self._greetings[lease] = fields.pop("greeting", "")
                    self._leases[lease] = Taken(lease=lease, called_at_ms=0, **fields)
                case {"do": "guide", "lease": str(lease), "prompt": str(prompt)}:
                    self._leases[lease] = Path(prompt)
                case {"do": "box", "lease": str(lease), "own": bool(own), "folder": folder, "prompts": prompts}:
                    self._leases[lease] = Visit(own, Path(folder), tuple(map(Path, prompts)))
                case {"do": "answer", "lease": str(lease)}:
                    self._answer(lease, command)
                case {"do": "forget", "lease": str(lease)}:
                    self._greetings.pop(lease, None)
                    if self._leases.pop(lease, None) is not None:
                        self.tell("forgotten", lease=lease)
                case {"do": "ping"}:
                    self.tell("alive")
                case {"do": "leave"}:
                    self.leave()
                case {"do": "stop"}:
                    self.stop()
        if self._leave_asked and not self._leaving:
            self._leaving = True
            self.tell("leaving")

    def _answer(self, lease: str, answer: dict[str, Any]) -> None:
        for call in self._calls:
            if isinstance(call, BoxCall) and call.lease == lease:
                call.told(answer)

    def _work(self) -> None:
        while self._tasks:
            self._tasks.pop(0)()
        now = time.monotonic()
        for call in self._calls:
            call.tick(now)
        self._dropped.clear()
        over = [call for call in self._calls if call.finished]
        self._calls = [call for call in self._calls if not call.finished]
        leases = [call.lease for call in over]
        over.clear()  # the call's place in the library is free once no reference is left
        for lease in leases:
            self.tell("gone", lease=lease)

    def _refuse(self, call: pj.Call) -> None:
        answer = pj.CallOpParam(True)
        answer.statusCode = 404
        try:
            call.hangup(answer)
        except pj.Error as fault:
            self.tell("fault", text=fault_text(fault))
        self.drop(call)


class _Account(pj.Account):
    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def onIncomingCall(self, prm: Any) -> None:
        self._desk.incoming(self, prm.callId, request_user(prm.rdata.wholeMsg))


def request_user(message: str) -> str:
    """The user part of the Request-URI; "" when there is none."""
    parts = message.split(" ", 2)
    address = parts[1].partition(":")[2] if len(parts) == 3 else ""
    user, at, _ = address.partition("@")
    return user.partition(";")[0] if at else ""
