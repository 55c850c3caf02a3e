"""linphonec through the service: the codecs it has, each against another maker's, and its video (C3)."""

from __future__ import annotations

import pytest

from tests.live.wire import ALICE, BOB, account, assert_unanswered
from tests.peers import wav
from tests.peers.phone import SERVICE_CODECS
from tests.peers.service import Service
from tests.peers.sipp import Seen
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live
ALAW = "PCMA/8000"  # what the service does not carry
# Another voice has less than 0.4. linphonec stretches and drops sound when the machine is busy.
HEARD = 0.5


@pytest.mark.parametrize("codec", ["speex/8000", "GSM/8000", "PCMU/8000", "G722/8000"])
def test_linphone_that_prefers_a_law_speaks_what_the_service_carries(service: Service, codec: str) -> None:
    with (
        service.phone(account(BOB), codecs=SERVICE_CODECS) as bob,
        service.linphone(account(ALICE), codecs=[ALAW, codec]) as alice,
    ):
        bob.register()
        alice.registered()
        bob.answering(200)
        alice.dial(BOB)
        heard = bob.incoming()
        alice.wait("Media streams established")
        talk(2)
        alice.hangup()
        heard.ended()
        alice.wait("ended (No error)")
        assert str(heard.event("media")["codec"]).lower() == codec.partition("/")[0].lower()
        assert wav.likeness(heard.recording, alice.voice) > HEARD
    assert wav.likeness(alice.heard, bob.voice) > HEARD  # its file is whole when it has quit


def test_linphone_that_offers_video_too_has_it_refused_and_talks(service: Service) -> None:
    # C3: the offer goes on with the video's port 0, and the call stands with sound
    with (
        service.phone(account(BOB)) as bob,
        service.linphone(account(ALICE), video=True) as alice,
    ):
        bob.register()
        alice.registered()
        bob.answering(200)
        alice.dial(BOB)
        invite = Seen(0, False, bob.incoming().event("incoming")["invite"])
        assert "\nm=video 0 RTP/AVP " in invite.text.replace("\r", "")
        assert "call 1 (audio)" in alice.wait("Media streams established")["line"]
        since = alice.log.mark()
        alice.hangup()
        alice.wait("ended (No error)", since=since)
        assert service.record(invite.header("Call-ID"))["end_cause"] == "caller"


def test_linphone_is_called_and_answers_with_what_is_carried(service: Service) -> None:
    with (
        service.phone(account(BOB), codecs=[ALAW, "speex/8000"]) as bob,
        service.linphone(account(ALICE), codecs=[ALAW, "speex/8000"]) as alice,
    ):
        bob.register()
        alice.registered()
        call = bob.call(ALICE)
        call.wait("confirmed")
        alice.wait("Media streams established")
        talk(2)
        call.hangup()
        call.ended()
        assert str(call.event("media")["codec"]).lower() == "speex"
        assert wav.likeness(call.recording, alice.voice) > HEARD


def test_linphone_with_a_law_only_is_refused(service: Service) -> None:
    with service.linphone(account(ALICE), codecs=[ALAW]) as alice:
        alice.registered()
        alice.dial(BOB)
        assert alice.wait("Call 1 with ")["line"].endswith(" error.")
        refused = eventually(lambda: [row for row in service.calls() if row["sip_status"] == "488"])
        assert_unanswered(refused[-1], "refused", 488)


def test_hold_and_back_pass_with_every_offer_filtered(service: Service) -> None:
    # C3, RFC 3264 §8.4
    with (
        service.phone(account(BOB), codecs=[ALAW, "PCMU/8000"]) as bob,
        service.linphone(account(ALICE), codecs=[ALAW, "PCMU/8000"]) as alice,
    ):
        bob.register()
        alice.registered()
        bob.answering(200)
        alice.dial(BOB)
        heard = bob.incoming()
        alice.wait("Media streams established")
        alice.command("pause 1")
        alice.wait("is now paused")
        since = alice.log.mark()
        alice.command("resume 1")
        alice.wait("Media streams established", since=since)
        alice.hangup()
        heard.ended()
        assert service.record(heard.call_id)["end_cause"] == "caller"
        wire = (bob.folder / "pjsip.log").read_text(errors="replace").replace("\r", "")
        offers = [part.partition("--end msg--")[0] for part in wire.split("\nINVITE sip:")[1:]]
        assert len(offers) == 3
        assert ["\na=sendonly" in offer for offer in offers] == [False, True, False]
        assert all("RTP/AVP 0 " in offer for offer in offers)
        assert "\na=recvonly" in wire
