"""Where a device is, as text for storage."""

from __future__ import annotations

import pytest

from denwa.voip.sip.peer import CONNECT, CONNECT_TLS, flow_text, is_stream, peer_of_text


@pytest.mark.parametrize(
    ("peer", "text", "back"),
    [
        (("192.0.2.1", 5060), "udp:192.0.2.1:5060", ("192.0.2.1", 5060)),
        (("2001:db8::1", 5062), "udp:[2001:db8::1]:5062", ("2001:db8::1", 5062)),
        (("192.0.2.1", 5060, 7), "tcp:192.0.2.1:5060", ("192.0.2.1", 5060, CONNECT)),
        (("192.0.2.1", 5061, -8), "tls:192.0.2.1:5061", ("192.0.2.1", 5061, CONNECT_TLS)),
        (("2001:db8::1", 5060, 0), "tcp:[2001:db8::1]:5060", ("2001:db8::1", 5060, CONNECT)),
    ],
)
def test_a_peer_comes_back_from_its_text_and_a_connection_does_not_outlive_the_process(peer, text, back):
    assert flow_text(peer) == text
    assert peer_of_text(text) == back
    assert is_stream(back) == (len(peer) == 3)


@pytest.mark.parametrize("text", ["", "udp", "udp:", "udp::5060", "sctp:192.0.2.1:5060", "udp:192.0.2.1:x"])
def test_what_is_no_flow_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"not a flow|invalid literal"):
        peer_of_text(text)
