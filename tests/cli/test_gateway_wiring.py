"""Gateways from settings to what the engine and the DNS are given of them."""

from __future__ import annotations

import logging
from ipaddress import ip_network
from typing import Any

import pytest

from denwa.cli.gateway_wiring import dns_servers, gateway_names, trunk_of
from denwa.config.gateway import Gateway
from denwa.config.settings import Dns, Settings
from denwa.voip.dns.location import How
from denwa.voip.gateways.trunk import PLAIN, Format, ForwardedHeader, IdentityHeader, NumberForm


def gateway(**more: Any) -> Gateway:
    return Gateway(**({"name": "a", "host": "192.0.2.1"} | more))


def test_a_gateway_with_nothing_but_an_address_is_written_to_as_it_is_and_known_by_it() -> None:
    trunk = trunk_of(gateway())
    assert trunk.format is PLAIN  # no INVITE is copied for it
    assert (trunk.peer, trunk.sources) == (("192.0.2.1", 5060), {("192.0.2.1", 0)})
    assert (trunk.account, trunk.probe_every, trunk.register_every, trunk.max_calls) == (None, 0, 0, 0)


def test_a_format_of_its_own_is_what_the_settings_say() -> None:
    trunk = trunk_of(gateway(number_format="national", number_prefix="9", user_phone=False, domain="c.example",
                             from_domain="d.example", identity="remote-party-id", forwarded="diversion",
                             trusted=False))  # fmt: skip
    assert trunk.format == Format(NumberForm.NATIONAL, "9", False, b"c.example", b"d.example",
                                  IdentityHeader.REMOTE_PARTY, ForwardedHeader.DIVERSION, False)  # fmt: skip


@pytest.mark.parametrize(("more", "domain"), [
    ({}, b"192.0.2.1"), ({"domain": "d.example"}, b"d.example"),
    ({"domain": "d.example", "registrar": "r.example"}, b"r.example"),
])  # fmt: skip
def test_the_address_of_record_is_at_registrar_domain_or_host(more: dict[str, str], domain: bytes) -> None:
    account = trunk_of(gateway(user="u", password="p", **more)).account
    assert account is not None
    assert (account.user, account.password, account.domain) == (b"u", b"p", domain)


def test_ranges_are_apart_from_addresses_and_no_host_is_guessed_beside_them() -> None:
    trunk = trunk_of(gateway(addresses=["198.51.100.0/24", "192.0.2.9:5070"]))
    assert trunk.sources == {("192.0.2.9", 5070)}
    assert trunk.networks == (ip_network("198.51.100.0/24"),)
    assert trunk_of(gateway(certificates=["sbc.example"])).sources == frozenset()


def test_a_name_that_means_nothing_is_no_fault_at_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        trunk = trunk_of(gateway(host="nowhere.invalid"))
    assert not trunk.located
    assert "nowhere.invalid" in caplog.text


def test_only_what_is_a_name_is_looked_up() -> None:
    settings = Settings(gateways=[
        gateway(), gateway(name="b", host="gw.example", locate="srv", transport="tcp"),
        gateway(name="c", addresses=["calls.example:5070", "192.0.2.7"]),
    ])  # fmt: skip
    by_srv, listed = gateway_names(settings)
    assert (by_srv.gateway, by_srv.how, by_srv.transport, by_srv.listed) == ("b", How.SRV, "tcp", ())
    assert (listed.listed, listed.fixed) == ((("calls.example", 5070),), {("192.0.2.7", 0)})
    assert "tls" not in by_srv.transports  # there is no certificate


def test_name_servers_have_port_53_unless_they_say_otherwise() -> None:
    settings = Settings(dns=Dns(servers=["192.0.2.53", "[2001:db8::53]:5353"]))
    assert dns_servers(settings) == [("192.0.2.53", 53), ("2001:db8::53", 5353)]
