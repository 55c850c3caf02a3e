"""Real gateways: silent, unable, asking for a password or a registration, known by a name in the DNS (C1, C2)."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.wire import ALICE, BOB, account, login
from tests.peers import ports, sipp
from tests.peers.nameserver import SRV, A, NameServer, a, srv
from tests.peers.raw import RawPeer
from tests.peers.service import Service
from tests.peers.sipp import Seen, Sipp
from tests.peers.talk import eventually

pytestmark = pytest.mark.live
FIXED = "0312345678"
CARRIER = "carrier.example"


def gateway(name: str, port: int, **more: object) -> str:
    """TOML of one gateway at this port."""
    here = {"host": "127.0.0.1", "port": port, "addresses": [f"127.0.0.1:{port}"]}  # other ports are phones
    lines: dict[str, object] = {"name": name, **here, **more}
    return "\n[[gateways]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())


class WithoutDemoGateway(Service):
    def _toml(self) -> str:
        return ""


@contextmanager
def service_with(folder: Path, config: str) -> Iterator[Service]:
    """A service with just the gateways of `config`."""
    with WithoutDemoGateway(folder / "service", config=config) as service:
        yield service


@contextmanager
def silence(port: int) -> Iterator[None]:
    """A gateway that takes every packet and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", port))
        yield


def call(service: Service, number: str = FIXED) -> list[Seen]:
    return sipp.run(service.folder, "caller", service=service.address, number=number, hold=300, **login(ALICE))


def sent_and_invited(caller: list[Seen], callee: list[Seen]) -> tuple[float, float]:
    """When the caller's last INVITE went out, and when this gateway had its first."""
    out = [m.at for m in caller if m.sent and m.start.startswith("INVITE")]
    return out[-1], next(m.at for m in callee if m.start.startswith("INVITE"))


def assert_proves(request: Seen, user: str, password: str, algorithm: str) -> None:
    """The credentials of this request are right (RFC 7616 §3.4.1)."""
    header = request.header("Proxy-Authorization")
    has = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
    assert (has["username"], has["realm"], has["algorithm"], has["opaque"]) == (user, CARRIER, algorithm, "5ccc")
    method, uri, _ = request.start.split()
    assert has["uri"] == uri

    def h(*parts: str) -> str:
        return hashlib.new(algorithm.replace("-", "").lower(), ":".join(parts).encode()).hexdigest()

    secret, request_hash = h(user, CARRIER, password), h(method, uri)
    assert has["response"] == h(secret, has["nonce"], has["nc"], has["cnonce"], "auth", request_hash)


def test_a_silent_gateway_costs_a_call_less_than_three_seconds(tmp_path: Path) -> None:  # C1
    first, second = ports.free_port(), ports.free_port()
    with service_with(tmp_path, gateway("first", first) + gateway("second", second, priority=10)) as service:
        with silence(first), Sipp(tmp_path, "callee", port=second, ring=0) as callee:
            caller = call(service)
            seen = callee.finished()
        asked, invited = sent_and_invited(caller, seen)
        assert 2.0 < invited - asked < 3.0
        record = service.record(caller[0].header("Call-ID"))
        assert (record["end_cause"], record["charge_yen"]) == ("caller", "8")


def test_a_gateway_that_answers_503_is_followed_by_the_next_at_once(tmp_path: Path) -> None:  # C1
    first, second = ports.free_port(), ports.free_port()
    with (
        service_with(tmp_path, gateway("first", first) + gateway("second", second, priority=10)) as service,
        Sipp(tmp_path, "refusing_callee", port=first, status=503, reason="Service Unavailable") as one,
        Sipp(tmp_path, "callee", port=second, ring=0) as two,
    ):
        caller = call(service)
        one.finished()
        asked, invited = sent_and_invited(caller, two.finished())
        assert invited - asked < 1.0
        assert len(service.records(caller[0].header("Call-ID"))) == 1  # one call, one record


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_carrier_gets_its_password_and_its_form_and_the_caller_notices_nothing(
    tmp_path: Path, algorithm: str
) -> None:  # C1
    port = ports.free_port()
    form = {"number_format": "national", "domain": CARRIER, "from_domain": CARRIER, "identity": "p-preferred-identity"}
    config = gateway("carrier", port, user="carrier-user", password="geheim1", **form)
    with service_with(tmp_path, config) as service:
        with Sipp(tmp_path, "carrier_callee", port=port, algorithm=algorithm) as carrier:
            caller = call(service)
            seen = carrier.finished()
        first, second = [m for m in seen if not m.sent and m.start.startswith("INVITE")]
        assert second.start == f"INVITE sip:{FIXED}@carrier.example;user=phone SIP/2.0"
        assert f"sip:{ALICE}@carrier.example" in second.header("From")
        assert f"sip:{ALICE}@carrier.example" in second.header("P-Preferred-Identity")
        assert_proves(second, "carrier-user", "geheim1", algorithm)
        assert first.header("Proxy-Authorization") == ""
        assert not [m for m in caller if "carrier.example" in m.text and not m.sent]
        assert service.record(caller[0].header("Call-ID"))["end_cause"] == "caller"
        assert "geheim1" not in service.log(1_000_000)


def test_a_carrier_that_wants_a_registration_gets_calls_once_it_has_one(tmp_path: Path) -> None:  # C1
    port = ports.free_port()
    config = gateway("carrier", port, user="u123", password="pw-1", registrar="carrier.example", register_expires=60)
    with (
        Sipp(tmp_path, "carrier_registrar", port=port, user="u123", secret="pw-1", expires=90) as registrar,
        service_with(tmp_path, config) as service,
    ):
        asked = [m for m in registrar.finished() if not m.sent]
        assert asked[0].start == "REGISTER sip:carrier.example SIP/2.0"
        assert [m.header("Expires") for m in asked] == ["60", "60", "90"]  # the last after 423
        assert f"<sip:u123@{service.address}>" in asked[-1].header("Contact")
        assert [m.header("CSeq") for m in asked] == ["1 REGISTER", "2 REGISTER", "3 REGISTER"]
        eventually(lambda: "carrier: registered" in service.log())
        (shown,) = json.loads(service.cli("gateways", "--json"))
        assert (shown["address"], shown["state"], shown["registration"]) == (
            f"udp:127.0.0.1:{port}", "up", "registered")  # fmt: skip
        with Sipp(tmp_path, "callee", port=port, ring=0) as callee:
            caller = call(service)
            callee.finished()
        assert service.record(caller[0].header("Call-ID"))["end_cause"] == "caller"


def test_a_name_in_the_dns_is_followed_when_it_moves(tmp_path: Path) -> None:  # C1, RFC 3263
    old, new = ports.free_port(), ports.free_port()
    with NameServer(ttl=1) as dns:
        dns.put("_sip._udp.pstn.test", SRV, srv(10, 0, old, "a.pstn.test"))
        dns.put("a.pstn.test", A, a("127.0.0.1"))
        config = '[[gateways]]\nname = "named"\nhost = "pstn.test"\nlocate = "srv"\naddresses = ["192.0.2.1"]\n'
        config += f'\n[dns]\nservers = ["127.0.0.1:{dns.port}"]\n'
        with service_with(tmp_path, config) as service:
            for port in (old, new):
                dns.put("_sip._udp.pstn.test", SRV, srv(10, 0, port, "a.pstn.test"))
                place = f"gateway named is at named (udp:127.0.0.1:{port})"
                eventually(lambda place=place: place in service.log(100_000), 12)  # type: ignore[misc]
                with Sipp(tmp_path, "callee", port=port, ring=0) as callee:
                    call(service)
                    callee.finished()


def test_options_find_a_dead_gateway_and_its_return_and_until_then_calls_are_503(tmp_path: Path) -> None:  # C1
    port = ports.free_port()
    with (
        service_with(tmp_path, gateway("probed", port, probe_interval=1)) as service,
        RawPeer(service.address, "gw", port=port) as peer,
    ):
        assert peer.expect("OPTIONS").get("to").startswith(f"<sip:127.0.0.1:{port}>")
        eventually(lambda: f"gateway probed (udp:127.0.0.1:{port}) is down" in service.log(100_000), 20)
        assert "denwa_gateway_addresses_down 1.0" in service.metrics()
        assert f"probed   udp:127.0.0.1:{port}  down" in service.cli("gateways")
        refused = sipp.run(service.folder, "refused_caller", service=service.address, number=FIXED, status=503,
                           **login(ALICE))  # fmt: skip
        assert "no gateway to the telephone network works" in " ".join(m.header("Reason") for m in refused)

        def back() -> bool:
            peer.answer(peer.expect("OPTIONS", timeout=10), 200, "OK")
            return f"gateway probed (udp:127.0.0.1:{port}) is up" in service.log(100_000)

        eventually(back, 20, every=0.01)
        assert "denwa_gateway_addresses_down 0.0" in service.metrics()


def test_a_range_of_addresses_is_a_gateway_and_others_are_strangers(tmp_path: Path) -> None:  # C2
    config = gateway("range", ports.free_port(), outgoing=False, addresses=["127.9.0.0/24"])
    with service_with(tmp_path, config) as service, service.phone(account(BOB)) as bob:
        bob.register()
        assert _first_answer("127.9.0.7", service).startswith(b"SIP/2.0 100 ")
        assert _first_answer("127.9.1.7", service).startswith(b"SIP/2.0 407 ")


def _first_answer(address: str, service: Service) -> bytes:
    """To an INVITE for Bob without credentials from this address of loopback."""
    host, port = service.address.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        one.settimeout(5)
        here = f"{address}:{one.getsockname()[1]}"
        text = (
            f"INVITE sip:{BOB}@{service.address} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{here};rport\r\n"
            f"From: <sip:0312345678@{here}>;tag=1\r\nTo: <sip:{BOB}@{service.address}>\r\nCall-ID: {here}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:{here}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        one.sendto(text.encode(), (host, int(port)))
        return one.recv(4096)
