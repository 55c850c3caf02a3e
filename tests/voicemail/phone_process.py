"""A caller on pjsua2 in a process of its own: calls one URI, plays a WAV, records what it hears, hangs up.

Prints JSON lines: `calling`, `state` (status), `media` (codec), `done`. Hangs up when a line arrives on stdin or after
`--seconds` from the answer, whichever is first; waits for the far end's BYE otherwise.
"""

import argparse
import json
import os
import select
import sys
import time

import pjsua2 as pj

parser = argparse.ArgumentParser()
parser.add_argument("uri")
parser.add_argument("--play")
parser.add_argument("--record")
parser.add_argument("--codec", default="PCMU/8000")
parser.add_argument("--seconds", type=float, default=80.0)
parser.add_argument("--reinvite", type=float, help="seconds after the answer: set the sound up anew")
parser.add_argument("--clock", type=int, default=8000, help="of the phone's own sound, Hz")
options = parser.parse_args()
tests = os.getppid()


stdout = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library prints there


def tell(event, **fields):
    os.write(stdout, json.dumps({"event": event, "at": time.time(), **fields}).encode() + b"\n")


class Caller(pj.Call):
    def __init__(self, account):
        super().__init__(account)
        self.media = self.player = self.recorder = None
        self.since = None
        self.over = False
        self.left = False

    def onCallState(self, prm):
        info = self.getInfo()
        tell("state", state=info.stateText, status=info.lastStatusCode)
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.since = time.monotonic()
        self.over = info.state == pj.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm):
        info = self.getInfo()  # must outlive the loop
        for index, media in enumerate(info.media):
            if media.status != pj.PJSUA_CALL_MEDIA_ACTIVE or self.media is not None:
                continue
            tell("media", codec=self.getStreamInfo(index).codecName)
            self.media = self.getAudioMedia(index)
            if options.record:
                self.recorder = pj.AudioMediaRecorder()
                self.recorder.createRecorder(options.record)
                self.media.startTransmit(self.recorder)
            if options.play:
                self.player = pj.AudioMediaPlayer()
                self.player.createPlayer(options.play)
                self.player.startTransmit(self.media)


endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.logConfig.level = config.logConfig.consoleLevel = 0
config.uaConfig.threadCnt = 0
config.uaConfig.mainThreadOnly = True
config.medConfig.noVad = True
config.medConfig.clockRate = config.medConfig.sndClockRate = options.clock
config.medConfig.ecTailLen = 0
endpoint.libInit(config)
endpoint.audDevManager().setNullDev()
for codec in endpoint.codecEnum2():
    endpoint.codecSetPriority(codec.codecId, 0)
endpoint.codecSetPriority(options.codec, 250)
transport = pj.TransportConfig()
transport.boundAddress = "127.0.0.1"
transport_id = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
endpoint.libStart()
account_config = pj.AccountConfig()
account_config.idUri = "sip:caller@127.0.0.1"
account_config.sipConfig.transportId = transport_id
account_config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
account_config.mediaConfig.transportConfig.port = 30000 + (os.getpid() % 1000) * 2
account = pj.Account()
account.create(account_config)
call = Caller(account)
call.makeCall(options.uri, pj.CallOpParam(True))
tell("calling")
while not call.over:
    endpoint.libHandleEvents(10)
    if os.getppid() != tests:
        os._exit(1)  # a test that was ended leaves no caller behind, whatever the far end does
    asked = bool(select.select([sys.stdin], [], [], 0)[0])
    late = call.since is not None and time.monotonic() - call.since > options.seconds
    if options.reinvite and call.since is not None and time.monotonic() - call.since > options.reinvite:
        options.reinvite = None
        call.reinvite(pj.CallOpParam(True))
        tell("reinvited")
    if (asked or late) and not call.left:
        call.left = True
        call.hangup(pj.CallOpParam(True))
call.recorder = None
for _ in range(10):  # the recorder completes its file on the mixer's next ticks
    endpoint.libHandleEvents(10)
# The library is left as it is: a player that goes just as its file begins again takes the process with it.
tell("done")
os._exit(0)
