"""A gateway that is reached, and known, over TLS (C1, C2): a pjsua2 telephone with a certificate plays the carrier."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.live.wire import ALICE, BOB, account, converse, hang_up, picked_up
from tests.peers import ports, wav
from tests.peers.certificates import write_certificate
from tests.peers.phone import Phone
from tests.peers.service import Service
from tests.peers.talk import talk

pytestmark = pytest.mark.live
NAME, FIXED = "sbc.carrier.example", "0312345678"


class CarrierService(Service):
    """`denwa serve --demo` whose one gateway speaks TLS, and is known by its certificate when it calls."""

    def __post_init__(self) -> None:
        self.certificate, self.key = write_certificate(self.folder / "own")
        self.carrier_certificate, self.carrier_key = write_certificate(self.folder / "carrier", NAME)
        self.tls_port = ports.free_port()
        self.config = (
            f'[sip]\ntls_port = {self.tls_port}\ntls_certificate = "{self.certificate}"\ntls_key = "{self.key}"\n'
            f'tls_ca_file = "{self.carrier_certificate}"\n'
        )
        super().__post_init__()

    def _toml(self) -> str:
        here = {"name": "pstn", "host": "127.0.0.1", "port": self.gateway_port, "transport": "tls"}
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in (here | {"certificates": [NAME]}).items())
        return f"[[gateways]]\n{lines}"

    def carrier(self, *, certificate: bool = True) -> Phone:
        """The telephone at the gateway's place. Without `certificate` it is anybody."""
        shown = {"certificate": str(self.carrier_certificate), "key": str(self.carrier_key)} if certificate else {}
        phone = Phone(
            self.folder, FIXED, domain="carrier.example", service=f"127.0.0.1:{self.tls_port}", transport="tls",
            ca_file=self.certificate, **shown,
        )  # fmt: skip
        phone.port = phone.settings["port"] = self.gateway_port
        return phone


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarrierService]:
    with CarrierService(tmp_path_factory.mktemp("carrier")) as running:
        yield running


@pytest.mark.parametrize("by_callee", [True, False])
def test_a_call_to_the_network_goes_over_tls_and_both_hear_each_other(service: CarrierService, by_callee: bool) -> None:
    # C1: the certificate of the gateway is checked; the BYE of either side finds its way back
    with service.carrier() as carrier, service.phone(account(ALICE)) as alice:
        service.registered(alice)
        carrier.answering(200)
        call = alice.call(FIXED)
        heard = carrier.incoming()
        assert "SIP/2.0/TLS " in str(heard.event("incoming")["invite"])
        record = converse(service, call, heard, 2.5, by_callee=by_callee)
        assert (record["class"], record["charge_yen"]) == ("fixed", "8")
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(call.recording, carrier.voice) > 0.9
    assert 'denwa_gateway_calls_total{gateway="pstn",kind="answered"}' in service.metrics()


def test_a_call_from_the_network_is_known_by_its_certificate(service: CarrierService) -> None:
    # C2
    with service.carrier() as carrier, service.phone(account(BOB)) as bob:
        service.registered(bob)
        bob.answering(200)
        call = carrier.call(BOB)
        heard = bob.incoming()
        picked_up(call, heard)
        talk(1)
        hang_up(call, heard)
        record = service.record(call.call_id)
        assert int(record["duration_ms"]) > 900
        assert (record["direction"], record["caller"], record["callee"]) == ("incoming", FIXED, BOB)


def test_who_shows_no_certificate_is_a_stranger(service: CarrierService) -> None:
    # C2: it is asked for a password, which a phone without one does not have
    with service.carrier(certificate=False) as stranger, service.phone(account(BOB)) as bob:
        service.registered(bob)
        assert stranger.call(BOB).wait("ended")["status"] == 407
        assert bob.incoming_count == 0
