"""SIPp's scenarios against the pjsua2 telephone, and its trace as the tests read it."""

from pathlib import Path

import pytest

from tests.peers import wav
from tests.peers.phone import Phone
from tests.peers.sipp import Sipp
from tests.peers.talk import talk

pytestmark = pytest.mark.live


def test_a_phone_hears_its_own_voice_back_from_sipp(tmp_path: Path) -> None:
    with Phone(tmp_path, "alice") as alice, Sipp(tmp_path, "callee") as callee:
        call = alice.call(f"sip:bob@127.0.0.1:{callee.port}")
        call.wait("confirmed")
        talk(3)
        call.hangup()
        call.ended()
        trace = callee.finished()
        assert [m.start for m in trace if not m.sent][-1].startswith("BYE")
        assert wav.likeness(call.recording, alice.voice) > 0.9


def test_a_phone_hears_what_sipp_plays_and_the_hangup_of_sipp(tmp_path: Path) -> None:
    voice = wav.write_voice(tmp_path / "sipp.wav", 4, seed=7)
    with Phone(tmp_path, "bob") as bob:
        bob.answering(200)
        with Sipp(
            tmp_path, "trunk_caller", service=f"127.0.0.1:{bob.port}", number="bob", play=voice, hold=3000
        ) as caller:
            heard = bob.incoming()
            ended = heard.ended()
            bye = next(m for m in caller.finished() if m.start.startswith("BYE"))
        assert abs(bye.at - ended["at"]) < 0.2
        assert "0312345678" in heard.event("incoming")["invite"]
        assert wav.likeness(heard.recording, voice) > 0.9


def test_sipp_hangs_up_as_callee_and_refuses_and_lets_itself_be_cancelled(tmp_path: Path) -> None:
    with Phone(tmp_path, "alice") as alice:
        with Sipp(tmp_path, "callee_hangs_up", hold=500) as callee:
            call = alice.call(f"sip:bob@127.0.0.1:{callee.port}")
            assert call.ended()["status"] == 200
            callee.finished()
        with Sipp(tmp_path, "refusing_callee", status=486, port=callee.port) as callee:
            assert alice.call(f"sip:bob@127.0.0.1:{callee.port}").ended()["status"] == 486
            callee.finished()
        with Sipp(tmp_path, "ringing_callee", port=callee.port) as callee:
            call = alice.call(f"sip:bob@127.0.0.1:{callee.port}")
            call.wait("ringing")
            call.hangup()
            assert call.ended()["status"] == 487
            callee.finished()


def test_a_run_that_goes_otherwise_than_written_says_what_was_on_the_wire(tmp_path: Path) -> None:
    with Phone(tmp_path, "bob") as bob:
        bob.answering(486)
        with (
            Sipp(tmp_path, "trunk_caller", service=f"127.0.0.1:{bob.port}", number="bob") as caller,
            pytest.raises(AssertionError, match="486 Busy Here"),
        ):
            caller.finished()
