"""Who is a known gateway (C2)."""

from __future__ import annotations

from ipaddress import ip_network

from denwa.voip.gateways.sources import Sources
from denwa.voip.gateways.trunk import Trunk
from denwa.voip.sip.peer import Peer


def trunk(name: str, *sources: tuple[str, int], incoming: bool = True, ranges: tuple[str, ...] = (),
          certificates: tuple[str, ...] = ()) -> Trunk:  # fmt: skip
    return Trunk(name, ("192.0.2.1", 5060), frozenset(sources), incoming, True,
                 networks=tuple(ip_network(one) for one in ranges), certificates=frozenset(certificates))  # fmt: skip


def name_of(sources: Sources, peer: Peer) -> str:
    found = sources.of(peer)
    return found.name if found else ""


def test_an_address_with_a_port_is_that_port_and_one_without_is_any() -> None:  # C2
    sources = Sources([trunk("a", ("192.0.2.1", 5060)), trunk("b", ("192.0.2.2", 0))])
    assert name_of(sources, ("192.0.2.1", 5060)) == "a"
    assert name_of(sources, ("192.0.2.1", 5061)) == ""
    assert name_of(sources, ("192.0.2.2", 999, 7)) == "b"


def test_ranges_hold_ipv4_and_ipv6_and_the_narrowest_wins() -> None:  # C2
    sources = Sources([trunk("wide", ranges=("10.0.0.0/8", "2001:db8::/32")), trunk("narrow", ranges=("10.1.0.0/16",))])
    assert name_of(sources, ("10.2.3.4", 5060)) == "wide"
    assert name_of(sources, ("10.1.3.4", 5060)) == "narrow"
    assert name_of(sources, ("2001:db8::5", 5060, 3)) == "wide"
    assert name_of(sources, ("11.0.0.1", 5060)) == ""
    assert name_of(sources, ("2001:db9::5", 5060)) == ""


def test_a_gateway_for_outgoing_calls_only_is_no_source() -> None:  # C2
    sources = Sources([trunk("out", ("192.0.2.1", 0), ranges=("10.0.0.0/8",), incoming=False)])
    assert name_of(sources, ("192.0.2.1", 5060)) == name_of(sources, ("10.0.0.1", 5060)) == ""
    sources.put(trunk("out", incoming=False), [("192.0.2.9", 0)])
    assert name_of(sources, ("192.0.2.9", 5060)) == ""


def test_a_name_that_moves_takes_its_addresses_along() -> None:  # C2
    sources = Sources([trunk("a", ("192.0.2.1", 0)), trunk("b", ("192.0.2.2", 0))])
    sources.put(trunk("a"), [("192.0.2.2", 0), ("192.0.2.3", 0)])
    assert name_of(sources, ("192.0.2.1", 5060)) == ""
    assert name_of(sources, ("192.0.2.3", 5060)) == "a"
    assert name_of(sources, ("192.0.2.2", 5060)) == "b"  # nobody takes another's address


def test_a_certificate_makes_its_connection_a_gateway_until_it_is_gone() -> None:  # C2
    sources = Sources([trunk("a", certificates=("sbc.carrier.example",))])
    connection: Peer = ("198.51.100.7", 40000, -5)
    assert sources.proven(connection, ["other.example"]) is None
    assert name_of(sources, connection) == ""
    assert sources.proven(connection, ["SBC.carrier.example"]) is not None
    assert name_of(sources, connection) == "a"
    assert name_of(sources, ("198.51.100.7", 40000, -6)) == ""
    sources.gone(connection)
    assert name_of(sources, connection) == ""
