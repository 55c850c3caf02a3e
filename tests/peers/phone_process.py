"""A pjsua2 telephone in a process of its own: commands as JSON lines on stdin, events as JSON lines on stdout.

pjsua2 can be initialised once in a process and aborts it on misuse, so it never runs in the test process. All pjsua2
calls are made by the main thread; the reader of stdin only fills a queue. Every event has `at`, wall-clock seconds.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pjsua2 as pj

Command = dict[str, Any]
_STATES = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "ringing",
    pj.PJSIP_INV_STATE_CONNECTING: "answered",  # callee: the 200 is sent; caller: it has come
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "ended",
}


def tell(event: str, **details: Any) -> None:
    print(json.dumps({"event": event, "at": time.time(), **details}, ensure_ascii=False), flush=True)


class Call(pj.Call):  # type: ignore[misc]
    """One call with its player and recorder."""

    def __init__(self, phone: Phone, name: str, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone, self.name, self.ended = phone, name, False
        self.player: Any = None
        self.recorder: Any = None

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        tell(
            "call",
            call=self.name,
            state=_STATES.get(info.state, str(info.state)),
            status=info.lastStatusCode,
            reason=info.lastReason,
            call_id=info.callIdString,
            headers=_headers(prm),
        )
        self.ended = bool(info.state == pj.PJSIP_INV_STATE_DISCONNECTED)

    def onCallMediaState(self, prm: Any) -> None:
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE and not self.player:
                audio = self.getAudioMedia(index)
                self.player = self.phone.player()
                self.player.startTransmit(audio)
                self.recorder = pj.AudioMediaRecorder()
                recording = self.phone.folder / f"{self.name}.wav"
                self.recorder.createRecorder(str(recording))
                audio.startTransmit(self.recorder)
                tell("media", call=self.name, codec=self.getStreamInfo(index).codecName, recording=str(recording))

    def onDtmfDigit(self, prm: Any) -> None:
        tell("dtmf", call=self.name, digit=prm.digit)


class Account(pj.Account):  # type: ignore[misc]
    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:
        tell("registration", status=prm.code, reason=prm.reason, expires=prm.expiration)

    def onMwiInfo(self, prm: Any) -> None:
        tell("mwi", subscribed=prm.state != pj.PJSIP_EVSUB_STATE_NULL, notify=prm.rdata.wholeMsg)

    def onIncomingCall(self, prm: Any) -> None:
        self.phone.ring(prm.callId, prm.rdata.wholeMsg)


class Phone:
    def __init__(self, settings: Command) -> None:
        self.settings = settings
        self.folder = Path(settings["folder"])
        self.calls: dict[str, Call] = {}
        self.answering: Command = {"status": 180}
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.number = 0
        self.endpoint = self._endpoint()
        self.account = Account(self)
        self.account.create(self._account_config())

    def _endpoint(self) -> Any:
        settings, endpoint, config = self.settings, pj.Endpoint(), pj.EpConfig()
        endpoint.libCreate()
        config.logConfig.level, config.logConfig.consoleLevel = 5, 0
        config.logConfig.filename = str(self.folder / "pjsip.log")
        config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
        config.uaConfig.userAgent = settings["user_agent"]
        media = config.medConfig
        media.ilbcMode = settings["ilbc_mode"]
        media.noVad, media.clockRate, media.sndClockRate, media.ecTailLen = True, 8000, 8000, 0
        endpoint.libInit(config)
        endpoint.audDevManager().setNullDev()
        for codec in endpoint.codecEnum2():
            endpoint.codecSetPriority(codec.codecId, 0)
        for place, codec in enumerate(settings["codecs"]):
            endpoint.codecSetPriority(codec, 250 - 10 * place)
        transport = pj.TransportConfig()
        transport.boundAddress, transport.port = settings["host"], settings["port"]
        if settings["ca_file"]:
            transport.tlsConfig.CaListFile, transport.tlsConfig.verifyServer = settings["ca_file"], True
        if settings["certificate"]:
            transport.tlsConfig.certFile, transport.tlsConfig.privKeyFile = settings["certificate"], settings["key"]
        kinds = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
        kind = kinds[settings["transport"]]
        self.transport_id = endpoint.transportCreate(kind, transport)
        endpoint.libStart()
        return endpoint

    def _account_config(self) -> Any:
        settings, config = self.settings, pj.AccountConfig()
        config.idUri = f"sip:{settings['user']}@{settings['domain']}"
        config.sipConfig.transportId = self.transport_id
        config.sipConfig.contactUriParams = settings["contact_params"]
        if settings["password"]:
            credentials = pj.AuthCredInfo("digest", "*", settings["user"], 0, settings["password"])
            config.sipConfig.authCreds.append(credentials)
        if settings["registrar"]:
            config.regConfig.registrarUri = settings["registrar"]
        config.regConfig.registerOnAdd = False
        config.regConfig.timeoutSec = settings["expires"]
        config.regConfig.retryIntervalSec = 0
        config.natConfig.contactRewriteUse = 0
        config.mwiConfig.enabled, config.mwiConfig.expirationSec = settings["mwi"], settings["expires"]
        if settings["mwi"]:  # it goes to the address of record, whose domain no name server knows
            config.sipConfig.proxies.append(f"{settings['registrar']};lr")
        rtp = config.mediaConfig.transportConfig
        rtp.boundAddress, rtp.port, rtp.portRange = settings["host"], settings["rtp_port"], 18
        if settings["srtp"]:
            config.mediaConfig.srtpUse, config.mediaConfig.srtpSecureSignaling = pj.PJMEDIA_SRTP_MANDATORY, 0
        if settings["reliable"]:
            config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        if settings["session_expires"]:
            config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
            config.callConfig.timerSessExpiresSec = settings["session_expires"]
            config.callConfig.timerMinSESec = 90
        return config

    def player(self) -> Any:
        player = pj.AudioMediaPlayer()
        player.createPlayer(self.settings["play"], 0 if self.settings["loop"] else pj.PJMEDIA_FILE_NO_LOOP)
        return player

    def name_call(self) -> str:
        self.number += 1
        return f"call-{self.number}"

    def ring(self, pjsip_id: int, invite: str) -> None:
        """An INVITE has come: 180, and what the answering mode says after its time."""
        call = Call(self, self.name_call(), pjsip_id)
        self.calls[call.name] = call
        tell("incoming", call=call.name, invite=invite, call_id=call.getInfo().callIdString)
        mode = self.answering
        if mode["status"] == 180 or mode.get("after"):
            _reply(call, 180)
        if mode["status"] != 180:
            self.due.append((time.monotonic() + mode.get("after", 0), lambda: self._answer_if_up(call, mode["status"])))

    def _answer_if_up(self, call: Call, status: int) -> None:
        if not call.ended:
            _reply(call, status)

    def obey(self, command: Command) -> None:
        what = command["do"]
        call = self.calls.get(command.get("call", ""))
        if what == "register":
            self.account.setRegistration(True)
        elif what == "unregister":
            self.account.setRegistration(False)
        elif what == "answering":
            self.answering = command
        elif what == "play":
            self.settings["play"] = command["file"]
        elif what == "call":
            self._dial(command)
        elif call is None or call.ended:
            tell("fault", command=command["id"], why="no such call")
        elif what == "answer":
            _reply(call, command["status"])
        elif what == "hangup":
            tell("hangup", call=call.name)
            call.hangup(pj.CallOpParam())
        elif what == "dtmf":
            call.dialDtmf(command["digits"])
        elif what == "info":
            _info(call, command["kind"], command["body"])
        elif what == "transfer":
            call.xfer(command["to"], pj.CallOpParam())
        elif what == "reinvite":
            call.reinvite(pj.CallOpParam(True))

    def _dial(self, command: Command) -> None:
        call = Call(self, command["name"])
        self.calls[call.name] = call
        options = pj.CallOpParam(True)
        for name, value in command["headers"].items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            options.txOption.headers.append(header)
        call.makeCall(command["to"], options)

    def tick(self) -> None:
        now = time.monotonic()
        for entry in [e for e in self.due if e[0] <= now]:
            self.due.remove(entry)
            entry[1]()
        for name in [n for n, c in self.calls.items() if c.ended]:
            call = self.calls.pop(name)
            # outside of callbacks only; the recorder writes its header on the next turn of the conference bridge
            call.player = call.recorder = None
            self.due.append((now + 0.15, lambda name=name: tell("closed", call=name)))  # type: ignore[misc]

    def close(self) -> None:
        for call in self.calls.values():
            call.player = call.recorder = None
        self.calls.clear()
        self.due.clear()
        self.endpoint.libDestroy()


def _info(call: Call, kind: str, body: str) -> None:
    request = pj.CallSendRequestParam()
    request.method = "INFO"
    request.txOption.contentType, request.txOption.msgBody = kind, body
    call.sendRequest(request)


def _reply(call: Call, status: int) -> None:
    answer = pj.CallOpParam(True)
    answer.statusCode = status
    if status >= 200:
        tell("answer", call=call.name, status=status)  # before it is sent; the call's own event comes after
    call.answer(answer)


def _headers(prm: Any) -> str:
    """The SIP message that caused the change, when a received one did."""
    event = prm.e
    if event.type == pj.PJSIP_EVENT_TSX_STATE and event.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG:
        return str(event.body.tsxState.src.rdata.wholeMsg)
    return ""


def main() -> None:
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            commands.put(json.loads(line))
        commands.put({"do": "quit"})

    phone = Phone(json.loads(sys.stdin.readline()))
    threading.Thread(target=read, daemon=True).start()
    tell("ready", pid=os.getpid())
    while True:
        phone.endpoint.libHandleEvents(5)
        phone.tick()
        if not commands.empty():
            command = commands.get()
            if command["do"] == "quit":
                break
            try:
                phone.obey(command)
                tell("done", command=command["id"])
            except pj.Error as fault:
                tell("fault", command=command["id"], why=fault.info())
    phone.close()
    sys.stdout.flush()
    os._exit(0)  # the interpreter's own teardown would touch pjsua2 objects after libDestroy


if __name__ == "__main__":
    main()
