"""The pjsua2 telephone, two of them on loopback without a service between."""

from pathlib import Path

import pytest

from tests.peers import wav
from tests.peers.phone import SERVICE_CODECS, Phone
from tests.peers.talk import talk

pytestmark = pytest.mark.live


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_phones_talk_and_each_hears_the_other(tmp_path: Path, transport: str) -> None:
    with (
        Phone(tmp_path, "alice", transport=transport) as alice,
        Phone(tmp_path, "bob", transport=transport, codecs=SERVICE_CODECS) as bob,
    ):
        bob.answering(200, after=0.2)
        suffix = ";transport=tcp" if transport == "tcp" else ""
        call = alice.call(f"sip:bob@127.0.0.1:{bob.port}{suffix}", headers={"X-Proof": "yes"})
        heard = bob.incoming()
        assert "X-Proof: yes" in heard.event("incoming")["invite"]
        call.wait("ringing")
        call.wait("confirmed")
        heard.wait("confirmed")
        call.dtmf("5")
        assert heard.event("dtmf")["digit"] == "5"
        talk(3)
        call.hangup()
        assert call.ended()["status"] == 200
        heard.ended()
        assert call.call_id == heard.call_id
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(call.recording, bob.voice) > 0.9
        assert wav.likeness(call.recording, alice.voice) < 0.5


def test_a_busy_phone_a_cancelled_call_and_a_phone_that_vanishes(tmp_path: Path) -> None:
    with Phone(tmp_path, "alice") as alice, Phone(tmp_path, "bob") as bob:
        bob.answering(486)
        assert alice.call(f"sip:bob@127.0.0.1:{bob.port}").ended()["status"] == 486
        bob.answering(180)
        call = alice.call(f"sip:bob@127.0.0.1:{bob.port}")
        call.wait("ringing")
        call.hangup()
        assert call.ended()["status"] == 487
        bob.incoming(2).ended()
        bob.answering(200)
        call = alice.call(f"sip:bob@127.0.0.1:{bob.port}")
        call.wait("confirmed")
        bob.kill()
        with pytest.raises(AssertionError, match="no ended"):
            call.wait("ended", 0.3)
