"""The 49 messages of RFC 4475, each as the RFC has it and with the outcome that the RFC asks for, over UDP and TCP.

An INVITE that is well formed is challenged (407), a REGISTER too (401): the message was taken, and nobody knows who
sent it. What is then made of it is shown with credentials or a call around it.
"""

from __future__ import annotations

from tests.voip.torture import test_rfc4475_layers, test_rfc4475_syntax
from tests.voip.torture.deliver import STRANGER, names, service
from tests.voip.torture.rfc4475_messages import FOLDER, deliver


def test_all_forty_nine_are_here():
    here = {name[5:] for module in (test_rfc4475_syntax, test_rfc4475_layers) for name in vars(module)}
    assert names(FOLDER) <= here
    assert len(names(FOLDER)) == 49


def test_a_stranger_learns_no_more_of_a_sound_message_than_its_challenge(transport):
    """Nothing of the 49 reaches a phone or leaves a record when nobody is known to have sent it."""
    for name in sorted(names(FOLDER)):
        wire = service()
        delivery = deliver(name, transport, wire)
        assert {peer[0] for peer, _, _ in delivery.sent} <= {STRANGER[0]}, name
        assert wire.calls == [], name
