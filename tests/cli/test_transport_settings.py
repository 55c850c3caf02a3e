"""Listeners, certificates and gateways as settings: what the engine and the sockets are given of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from denwa.cli.gateway_wiring import tls_names
from denwa.cli.wiring import engine_settings, listening, open_certificates
from denwa.config.settings import ConfigurationError, Settings
from denwa.config.settings_sources import load_settings
from denwa.voip.own_addresses import Home
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS
from tests.peers.certificates import write_certificate

_FILE = """
[sip]
bind = "0.0.0.0"
host = "192.0.2.10"
tls_port = 5061
tls_certificate = "{certificate}"
tls_key = "{key}"

[[sip.listen]]
bind = "2001:db8::10"
tls_port = 5061

[[sip.listen]]
bind = "198.51.100.10"
port = 5080
{more}
"""


def settings_of(folder: Path, more: str = "") -> Settings:
    certificate, key = write_certificate(folder)
    file = folder / "denwa.toml"
    file.write_text(_FILE.format(certificate=certificate, key=key, more=more))
    return load_settings(file, environ={})


def test_each_listener_is_opened_where_it_is_bound_and_named_as_phones_reach_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert [tuple(one) for one in listening(settings)] == [
        ("0.0.0.0", 5060, 5061), ("2001:db8::10", 5060, 5061), ("198.51.100.10", 5080, 0),
    ]  # fmt: skip
    engine = engine_settings(settings)
    assert engine.homes == (
        Home("192.0.2.10", 5060, 5061), Home("2001:db8::10", 5060, 5061), Home("198.51.100.10", 5080, 0),
    )  # fmt: skip
    assert (engine.host, engine.port) == ("192.0.2.10", 5060)
    assert {b"denwa.example", b"192.0.2.10", b"[2001:db8::10]", b"198.51.100.10"} <= engine.domains


def test_a_certificate_that_cannot_be_read_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert open_certificates(settings) is not None
    assert open_certificates(Settings()) is None
    (tmp_path / "key.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"sip\.tls_key.*key\.pem: No such file"):
        open_certificates(settings)


@pytest.mark.parametrize(("transport", "flow"), [("tcp", CONNECT), ("tls", CONNECT_TLS)])
def test_a_gateway_over_a_stream_is_connected_to_and_over_tls_by_its_name(
    tmp_path: Path, transport: str, flow: int
) -> None:
    gateway = f'[[gateways]]\nname = "g"\nhost = "localhost"\nport = 5071\ntransport = "{transport}"\n'
    settings = settings_of(tmp_path, gateway)
    (trunk,) = engine_settings(settings).trunks
    assert trunk.peer[1:] == (5071, flow)
    assert tls_names(settings) == ({(trunk.peer[0], 5071): "localhost"} if transport == "tls" else {})


def test_the_addresses_of_a_gateway_may_be_ipv6_with_a_port_or_without(tmp_path: Path) -> None:
    addresses = '["2001:db8::1", "[2001:db8::2]", "[2001:db8::3]:5062", "192.0.2.1", "192.0.2.2:5064"]'
    settings = settings_of(tmp_path, f'[[gateways]]\nname = "g"\nhost = "192.0.2.1"\naddresses = {addresses}\n')
    (trunk,) = engine_settings(settings).trunks
    assert trunk.sources == {
        ("2001:db8::1", 0), ("2001:db8::2", 0), ("2001:db8::3", 5062), ("192.0.2.1", 0), ("192.0.2.2", 5064),
    }  # fmt: skip
