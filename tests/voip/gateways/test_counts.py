"""What the metrics say of each gateway (O2): calls tried, answered, refused, failed, given up, received; in service."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message

from denwa.mypage.app import web_application
from tests.voip.gateways.test_failover import FIRST, SECOND, invited, two
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import SDP, Phone, Wire, answer, to


def counted(wire: Wire) -> dict[str, int]:
    return {label: count for (name, label), count in wire.counters.items() if name == "gateway_calls"}


def refusals(wire: Wire) -> dict[str, int]:
    return {label: count for (name, label), count in wire.counters.items() if name == "gateway_refusals"}


def test_a_call_that_moves_on_is_a_failure_of_the_first_and_an_answer_of_the_second() -> None:
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    second = invited(wire.send(FIRST, answer(first, 500, FIRST)), SECOND)
    assert to(wire.send(SECOND, answer(second, 200, SECOND, body=SDP)), phone.peer).status == 200
    assert counted(wire) == {"a tried": 1, "a failed": 1, "b tried": 1, "b answered": 1}
    assert refusals(wire) == {"a 500": 1}


def test_silence_is_a_failure_and_busy_is_none() -> None:
    wire = two()
    phone = Phone(wire, 1)
    phone.invite("0312345678")
    second = invited(wire.wait(2.6), SECOND)
    wire.send(SECOND, answer(second, 486, SECOND))
    assert counted(wire) == {"a tried": 1, "a failed": 1, "b tried": 1, "b refused": 1}
    assert refusals(wire) == {"a silent": 1, "b 486": 1}


def test_a_caller_who_gives_up_is_neither() -> None:
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    wire.send(FIRST, answer(first, 180, FIRST))
    phone.cancel()
    wire.send(FIRST, answer(first, 487, FIRST))
    assert counted(wire) == {"a tried": 1, "a cancelled": 1}
    assert refusals(wire) == {}


def test_one_that_rings_until_our_patience_is_over_is_given_up() -> None:
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    wire.send(FIRST, answer(first, 180, FIRST))
    wire.wait(181)
    wire.send(FIRST, answer(first, 487, FIRST))
    assert {kind: counted(wire).get(f"a {kind}", 0) for kind in ("tried", "cancelled")} == {"tried": 1, "cancelled": 1}


def test_an_answer_that_nobody_can_use_is_a_failure() -> None:
    # C3
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", body=""), FIRST)
    nothing = SDP.replace("RTP/AVP 0", "RTP/AVP 18")
    wire.send(FIRST, answer(first, 200, FIRST, body=nothing))
    assert counted(wire) == {"a tried": 1, "a failed": 1}


def test_a_call_from_a_gateway_is_received() -> None:
    wire = Wire()
    Phone(wire, 2).register()
    wire.send(("192.0.2.80", 5080), gateway_invite("0312345678", "05050010002"))
    assert counted(wire) == {"pstn received": 1}


def test_a_gateway_is_out_of_service_when_no_call_would_be_tried_at_it() -> None:
    wire = two()
    lines = wire.engine.ctx.lines
    assert lines.in_service(wire.now) == {"a": True, "b": True}
    for number in range(3):
        Phone(wire, 1).invite("0312345678", f"call-{number}")
        wire.wait(2.6)
    assert lines.in_service(wire.now) == {"a": False, "b": True}


def shown(application: ASGIApp) -> str:
    """What it answers to GET /metrics."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "method": "GET", "path": "/metrics", "query_string": b"", "headers": []}
    asyncio.run(application(scope, receive, send))  # type: ignore[arg-type]
    return b"".join(message.get("body", b"") for message in sent).decode()


def test_the_metrics_name_the_gateway_in_a_label_of_its_own() -> None:
    counters = {
        ("gateway_calls", "ntt east tried"): 3,
        ("gateway_refusals", "ntt east 486"): 1,
        ("gateway_failures", "ntt east"): 2,
        ("refused_calls", "loop"): 4,
    }

    async def gauges() -> dict[str, float]:
        return {"bindings": 7.0}

    levels = {("gateway_in_service", "ntt east"): 1.0, ("gateway_in_service", "kddi"): 0.0}
    text = shown(web_application(dict, lambda: counters, gauges, lambda: levels))
    for line in (
        'denwa_gateway_calls_total{gateway="ntt east",kind="tried"} 3.0',
        'denwa_gateway_refusals_total{gateway="ntt east",status="486"} 1.0',
        'denwa_gateway_failures_total{gateway="ntt east"} 2.0',
        'denwa_refused_calls_total{kind="loop"} 4.0',
        'denwa_gateway_in_service{gateway="ntt east"} 1.0',
        'denwa_gateway_in_service{gateway="kddi"} 0.0',
        "denwa_bindings 7.0",
    ):
        assert line in text.splitlines()
