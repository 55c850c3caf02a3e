"""baresip against the pjsua2 telephone, without a service between."""

from pathlib import Path

import pytest

from tests.peers import wav
from tests.peers.baresip import Baresip
from tests.peers.phone import Phone
from tests.peers.talk import talk

pytestmark = pytest.mark.live


def test_baresip_and_a_phone_hear_each_other(tmp_path: Path) -> None:
    with Phone(tmp_path, "bob") as bob:
        bob.answering(200)
        service = f"127.0.0.1:{bob.port}"
        with Baresip(tmp_path, "alice", service=service, password="x", domain=service) as alice:
            alice.dial("bob")
            heard = bob.incoming()
            alice.wait("CALL_ESTABLISHED")
            talk(3)
            alice.hangup()
            heard.ended()
            alice.wait("CALL_CLOSED")
            assert wav.likeness(heard.recording, alice.voice) > 0.9
            assert wav.likeness(alice.heard(), bob.voice) > 0.9
