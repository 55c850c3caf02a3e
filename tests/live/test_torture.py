"""The torture messages at the running service, over UDP, TCP and TLS: the same answers as the engine alone gives, and
ordinary service to others afterwards. What each answer should be is said in tests/voip/torture."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_transports import SecureService
from tests.live.wire import ALICE, account
from tests.peers import ports
from tests.voip.torture.deliver import names, vector

pytestmark = pytest.mark.live

# What an element that is neither the user nor the domain of the messages says: over UDP, and over a connection where
# that differs. 0: nothing. A service answers strangers no further than its challenge.
ANSWERS: dict[str, tuple[int, ...]] = {
    "wsinv": (481,), "intmeth": (501,), "esc01": (407,), "escnull": (401,), "esc02": (501,), "lwsdisp": (200,),
    "longreq": (407,), "dblreq": (401,), "semiuri": (200,), "transports": (200,), "mpart01": (405,), "unreason": (0,),
    "noreason": (0,), "badinv01": (400,), "clerr": (400, 0), "ncl": (400,), "scalar02": (400,), "scalarlg": (0,),
    "quotbal": (400,), "ltgtruri": (400,), "lwsruri": (400,), "lwsstart": (400,), "trws": (400,), "escruri": (400,),
    "baddate": (407,), "regbadct": (400,), "badaspec": (400,), "baddn": (400,), "badvers": (505,), "mismatch01": (400,),
    "mismatch02": (501,), "bigcode": (0,), "badbranch": (200,), "insuf": (400,), "unkscm": (416,), "novelsc": (416,),
    "unksm2": (400,), "bext01": (420,), "invut": (407,), "regaut01": (401,), "multi01": (400,), "mcl01": (400,),
    "bcast": (0,), "zeromf": (483,), "cparam01": (401,), "cparam02": (401,), "regescrt": (401,), "sdp01": (407,),
    "inv2543": (407, 400),
    "ipv6-good": (401,), "ipv6-bad": (400,), "port-ambiguous": (401,), "port-unambiguous": (401,),
    "via-received-param-with-delim": (481,), "via-received-param-no-delim": (200,), "ipv6-in-sdp": (407,),
    "mult-ip-in-header": (481,), "mult-ip-in-sdp": (407,), "ipv4-mapped-ipv6": (407,), "ipv6-bug-abnf-3-colons": (400,),
    "ipv6-correct-abnf-2-colons": (200,),
}  # fmt: skip
MESSAGES = {name: vector(folder, name) for folder in ("rfc4475", "rfc5118") for name in names(folder)}
SILENCE = 0.4  # seconds in which an answer would have come


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SecureService]:
    """Fresh for each transport: a request with a branch that was seen belongs to the transaction of then."""
    with SecureService(tmp_path / "service") as running:
        yield running


def status_of(data: bytes) -> int:
    return int(data.split(b" ", 2)[1]) if data.startswith(b"SIP/2.0 ") else 0


def over_udp(service: SecureService, name: str) -> int:
    """Answers without rport go to the port of the Via, which is not ours: the message is given an rport, no more."""
    data = MESSAGES[name]
    for start in (b"SIP/2.0/UDP ", b"SIP/2.0/TCP ", b"SIP/2.0/TLS "):
        via = b"\r\nVia: " + start
        head, found, rest = data.partition(via)
        if found:
            line, end, more = rest.partition(b"\r\n")
            data = head + found + line + (b"" if b"rport" in line else b";rport") + end + more
            break
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", ports.free_port()))
        stranger.settimeout(SILENCE if ANSWERS[name][0] == 0 else 5)
        stranger.sendto(data, ("127.0.0.1", service.sip_port))
        try:
            return status_of(stranger.recv(65_536))
        except TimeoutError:
            return 0


def over_stream(service: SecureService, name: str, *, tls: bool) -> int:
    wanted = ANSWERS[name][-1]
    port = service.tls_port if tls else service.sip_port
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        context = ssl.create_default_context(cafile=str(service.certificate))
        stream = context.wrap_socket(plain, server_hostname="denwa.example") if tls else plain
        stream.settimeout(SILENCE if wanted == 0 else 5)
        stream.sendall(MESSAGES[name])
        try:
            return status_of(stream.recv(65_536))
        except TimeoutError:
            return 0


def test_every_message_has_its_answer_here():
    assert ANSWERS.keys() == MESSAGES.keys()


# Their Via takes no rport: the answer goes to port 5060 of the sender.
ELSEWHERE = {"wsinv", "badinv01", "badvers", "longreq", "inv2543"}


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_each_message_is_answered_and_the_service_goes_on(service: SecureService, transport: str) -> None:
    if transport == "udp":
        said = {name: over_udp(service, name) for name in ANSWERS if name not in ELSEWHERE}
        wanted = {name: ANSWERS[name][0] for name in said}
    else:
        said = {name: over_stream(service, name, tls=transport == "tls") for name in ANSWERS}
        wanted = {name: ANSWERS[name][-1] for name in said}
    differing = {name: (said[name], wanted[name]) for name in said if said[name] != wanted[name]}
    assert differing == {}
    with service.phone(account(ALICE)) as alice:
        alice.register()
    assert service.healthy()
    assert "internal error" not in service.metrics()
    assert "Traceback" not in service.log_file.read_text()
    assert service.calls() == []  # nothing of it became a record
