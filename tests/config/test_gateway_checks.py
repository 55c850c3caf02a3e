"""Faults in the settings of gateways, each where it is."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from denwa.config.gateway import Gateway
from denwa.config.gateway_checks import check_dns_servers, check_gateways


def gateway(**more: Any) -> Gateway:
    return Gateway(**({"name": "a", "host": "192.0.2.1"} | more))


def faults(*gateways: Gateway, certificate: bool = False) -> list[tuple[object, ...]]:
    return [location for location, _ in check_gateways(gateways, certificate=certificate)]


@pytest.mark.parametrize(("key", "value", "place"), [
    ("host", "", ("host",)),
    ("addresses", ["192.0.2.0/24", "h:5060", "[2001:db8::1]:5060", "2001:db8::/32"], None),
    ("addresses", ["192.0.2.0/33"], ("addresses", 0)),
    ("addresses", ["h", "h:0"], ("addresses", 1)),
    ("addresses", ["[2001:db8::1]:x"], ("addresses", 0)),
    ("transport", "tls", ("transport",)),
    ("certificates", ["sbc.example"], ("certificates",)),
    ("register_expires", 600, ("register_expires",)),
    ("password", "x", ("password",)),
    ("user", 'a"b', ("user",)),
    ("user", "a\r\nVia: x", ("user",)),
    ("domain", "x y", ("domain",)),
    ("from_domain", "x>\r\n", ("from_domain",)),
    ("registrar", "[2001:db8::1]:5060", None),
    ("number_prefix", "99#", None),
    ("number_prefix", "9 9", ("number_prefix",)),
    ("prefixes", ["+813", "03"], ("prefixes", 1)),
])  # fmt: skip
def test_each_fault_is_named_where_it_is(key: str, value: object, place: tuple[object, ...] | None) -> None:
    assert faults(gateway(**{key: value})) == ([("gateways", 0, *place)] if place else [])


def test_two_gateways_of_one_name_are_a_fault_of_the_second() -> None:
    assert faults(gateway(), gateway()) == [("gateways", 1, "name")]


def test_registering_more_often_than_twice_a_minute_is_refused() -> None:
    assert faults(gateway(user="u", register_expires=29)) == [("gateways", 0, "register_expires")]
    assert faults(gateway(user="u", password="p", register_expires=30)) == []


def test_with_a_certificate_tls_and_names_may_be_used() -> None:
    assert faults(gateway(transport="tls", certificates=["sbc.example"]), certificate=True) == []


@pytest.mark.parametrize(("key", "value"), [
    ("number_format", "e163"), ("identity", "from"), ("locate", "a"), ("classes", ["on-net"]), ("weight", 65_536),
    ("priorty", 1),
])  # fmt: skip
def test_what_is_no_setting_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        gateway(**{key: value})


def test_a_password_is_not_shown() -> None:
    assert "geheim" not in repr(gateway(user="u", password="geheim"))


def test_name_servers_are_addresses() -> None:
    servers = ["192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:53", "ns.example", "192.0.2.53:x"]
    assert [location for location, _ in check_dns_servers(servers)] == [("dns", "servers", 4), ("dns", "servers", 5)]
