"""RFC 3263: which addresses a gateway's name means, asked of a real name server on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from denwa.voip.dns.location import Found, How, Located, LookupFault, Naptr, Srv, locate
from denwa.voip.dns.names import LEAST_PAUSE, RETRY, GatewayName, GatewayNames
from denwa.voip.dns.resolver import DnsResolver
from denwa.voip.gateways.trunk import Address
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS
from tests.peers.nameserver import AAAA, NAPTR, SRV, A, NameServer, a, naptr, srv


@pytest.fixture
def dns() -> Iterator[NameServer]:
    with NameServer(ttl=77) as server:
        yield server


def ask(dns: NameServer, host: str, how: How, *, port: int = 5080, transport: str = "udp", **more: object) -> Located:
    async def run() -> Located:
        return await locate(resolver(dns), host, port, transport, how, **more)  # type: ignore[arg-type]

    return asyncio.run(run())


def resolver(dns: NameServer) -> DnsResolver:
    return DnsResolver([("127.0.0.1", dns.port)], 2.0)


def test_a_name_with_a_port_means_its_ipv4_and_ipv6_addresses(dns: NameServer) -> None:
    dns.put("gw.example", A, a("192.0.2.1"), a("192.0.2.2"))
    dns.put("gw.example", AAAA, a("2001:db8::1"))
    found = ask(dns, "gw.example", How.ADDRESS)
    assert found == Located(
        [Address(("192.0.2.1", 5080)), Address(("192.0.2.2", 5080)), Address(("2001:db8::1", 5080))], 77
    )
    assert not [question for question in dns.asked if question[1] in (SRV, NAPTR)]


@pytest.mark.parametrize(("transport", "owner", "flow"), [
    ("udp", "_sip._udp.gw.example", ()),
    ("tcp", "_sip._tcp.gw.example", (CONNECT,)),
    ("tls", "_sips._tcp.gw.example", (CONNECT_TLS,)),
])  # fmt: skip
def test_srv_records_say_ports_priorities_and_weights(
    dns: NameServer, transport: str, owner: str, flow: tuple[int, ...]
) -> None:
    dns.put(owner, SRV, srv(20, 0, 5062, "b.example"), srv(10, 60, 5061, "a.example"))
    dns.put("a.example", A, a("192.0.2.1"))
    dns.put("b.example", A, a("192.0.2.2"))
    found = ask(dns, "gw.example", How.SRV, transport=transport)
    assert found.addresses == [
        Address(("192.0.2.1", 5061, *flow), 10, 60), Address(("192.0.2.2", 5062, *flow), 20, 0),
    ]  # type: ignore[arg-type]  # fmt: skip


def test_without_srv_records_the_addresses_are_used_at_the_transports_port(dns: NameServer) -> None:
    dns.put("gw.example", A, a("192.0.2.1"))
    assert ask(dns, "gw.example", How.SRV, transport="udp").addresses == [Address(("192.0.2.1", 5060))]
    assert ask(dns, "gw.example", How.SRV, transport="tls").addresses == [Address(("192.0.2.1", 5061, CONNECT_TLS))]


def test_naptr_says_the_transport_in_its_own_order(dns: NameServer) -> None:
    dns.put(
        "gw.example", NAPTR, naptr(20, 1, "SIP+D2U", "_sip._udp.gw.example"),
        naptr(10, 1, "SIPS+D2T", "_sips._tcp.gw.example"), naptr(10, 5, "SIP+D2T", "_sip._tcp.gw.example"),
    )  # fmt: skip
    dns.put("_sip._udp.gw.example", SRV, srv(0, 0, 5060, "a.example"))
    dns.put("_sip._tcp.gw.example", SRV, srv(0, 0, 5060, "a.example"))
    dns.put("_sips._tcp.gw.example", SRV, srv(0, 0, 5061, "a.example"))
    dns.put("a.example", A, a("192.0.2.1"))
    # Without a certificate TLS is not spoken, and the next is taken.
    assert ask(dns, "gw.example", How.NAPTR).addresses == [Address(("192.0.2.1", 5060, CONNECT))]
    with_tls = ask(dns, "gw.example", How.NAPTR, transports=("udp", "tcp", "tls"))
    assert with_tls.addresses == [Address(("192.0.2.1", 5061, CONNECT_TLS))]


def test_without_naptr_the_srv_records_of_each_transport_are_asked_for_and_then_addresses(dns: NameServer) -> None:
    dns.put("gw.example", A, a("192.0.2.9"))
    assert ask(dns, "gw.example", How.NAPTR).addresses == [Address(("192.0.2.9", 5060))]
    dns.put("_sip._tcp.gw.example", SRV, srv(0, 0, 5070, "a.example"))
    dns.put("a.example", A, a("192.0.2.1"))
    assert ask(dns, "gw.example", How.NAPTR).addresses == [Address(("192.0.2.1", 5070, CONNECT))]


def test_a_target_of_a_dot_offers_nothing(dns: NameServer) -> None:  # RFC 2782
    dns.put("_sip._udp.gw.example", SRV, srv(0, 0, 0, "."))
    dns.put("gw.example", A, a("192.0.2.1"))
    assert ask(dns, "gw.example", How.SRV).addresses == []


def test_a_name_that_is_none_has_no_address_and_an_address_needs_no_dns(dns: NameServer) -> None:
    assert ask(dns, "none.example", How.ADDRESS).addresses == []
    dns.asked.clear()
    assert ask(dns, "192.0.2.1", How.ADDRESS).addresses == [Address(("192.0.2.1", 5080))]
    assert dns.asked == []


@pytest.mark.parametrize("how", list(How))
def test_a_name_server_that_fails_is_a_fault_and_no_empty_answer(dns: NameServer, how: How) -> None:
    dns.broken = True
    with pytest.raises(LookupFault, match=r"gw\.example"):
        ask(dns, "gw.example", how)


class _HalfBroken:
    """One of two servers' addresses cannot be asked for."""

    async def naptr(self, name: str) -> Found[Naptr]:
        return Found([], 60)

    async def srv(self, name: str) -> Found[Srv]:
        return Found([Srv(0, 0, 5060, "good.example"), Srv(1, 0, 5060, "bad.example")], 60)

    async def addresses(self, name: str) -> Found[str]:
        if name == "bad.example":
            raise LookupFault("bad.example A: time is up")
        return Found(["192.0.2.1"], 60)


def test_one_server_that_cannot_be_looked_up_does_not_take_the_other_away() -> None:
    found = asyncio.run(locate(_HalfBroken(), "gw.example", 5060, "udp", How.SRV))
    assert found.addresses == [Address(("192.0.2.1", 5060))]


def test_what_a_name_means_is_told_and_kept_while_the_dns_fails(
    dns: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, list[Address], set[tuple[str, int]]]] = []
    certificates: dict[tuple[str, int], str] = {}
    name = GatewayName("pstn", "gw.example", 5061, "tls", How.ADDRESS, (("calls.example", 0),),
                       frozenset((("198.51.100.1", 0),)))  # fmt: skip

    async def run() -> tuple[float, float]:
        names = GatewayNames(resolver(dns), [name], lambda *what: told.append(what), certificates)  # type: ignore[arg-type]
        dns.put("gw.example", A, a("192.0.2.1"))
        dns.put("calls.example", A, a("192.0.2.7"))
        first = await names.look(name)
        dns.broken = True
        return first, await names.look(name)

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(run()) == (77.0, RETRY)
    assert told == [
        ("pstn", [Address(("192.0.2.1", 5061, CONNECT_TLS))], {("198.51.100.1", 0), ("192.0.2.7", 0)}),
    ]  # fmt: skip
    assert certificates == {("192.0.2.1", 5061): "gw.example"}
    assert "what was known stays in force" in caplog.text


def test_a_time_to_live_of_nothing_does_not_make_a_storm_of_questions(dns: NameServer) -> None:
    dns.ttl = 0
    dns.put("gw.example", A, a("192.0.2.1"))
    name = GatewayName("pstn", "gw.example", 5060, "udp", How.ADDRESS)

    async def run() -> float:
        return await GatewayNames(resolver(dns), [name], lambda *_: None, {}).look(name)

    assert asyncio.run(run()) == LEAST_PAUSE
